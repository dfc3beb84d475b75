"""A whole run in a bucket: the files of a local run, also when it is killed in the middle of what it writes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from typing import NamedTuple

import numpy as np
import pytest

from itool_jax.evaluation import report
from itool_jax.metrics import read_metrics
from itool_jax.search.records import read_records
from itool_jax.training.utilization import is_of_the_machine
from tests.gcs_server import Refused
from tests.test_metrics import board
from tests.test_rounds import CONFIG, assert_same_weights, checkpoints_and_files, overrides, run_cli

TINY = {
    "data.toolworld.train.easy": 16,
    "data.toolworld.train.medium": 8,
    "data.toolworld.train.hard": 8,
    "data.toolworld.heldout": 2,
    "warmup.epochs.easy": 5,
    "warmup.epochs.medium": 0,
    "warmup.epochs.hard": 0,
    "round.prefer.epochs": 3,
    "evaluate.sets": "hard",
    "round.search.extra_iterations": 1,
    "round.select.limit": 4,
}
ARGUMENTS = [f"--config={CONFIG}", *overrides(**TINY)]
NO_FIGURES = ("stage", "step", "time")
POLICIES = ("warmup/easy", "warmup/hard", "round_000")
WORKER = """
import sys
from itool_jax import growing
from itool_jax.cli import main
growing.SECONDS = 0
sys.exit(main(sys.argv[1:]))
"""


class Moment(NamedTuple):
    """The process dies when the object whose name fits is about to be written, for the `times`-th time."""

    pattern: str
    times: int = 1


MOMENTS = [
    Moment(r"\.partial/warmup\.easy/kept/2/state/.*"),  # within the first training state
    Moment(r"\.partial/warmup\.easy/kept/4/.*commit_success\.txt"),  # the second is whole but for that
    Moment(r"warmup/easy/checkpoint/.*", times=3),  # while the outputs are copied
    Moment(r"\.partial/round_000\.search/kept/000/index\.jsonl/.*", times=2),  # between a tree and its index
    Moment(r"round_000/(pairs|pairs_trl)\.jsonl", times=2),
    Moment(r"manifest\.json", times=2),
]


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("runs") / "local"
    assert run_cli("run", f"--workdir={workdir}", *ARGUMENTS) == 0
    return workdir


@pytest.mark.slow
def test_a_run_in_a_bucket_leaves_what_a_local_run_leaves(local, bucket, storage, capsys):
    workdir = bucket / "runs/one"
    assert run_cli("run", f"--workdir={workdir}", *ARGUMENTS) == 0
    assert_same_runs(workdir, local, storage)
    manifest = (workdir / "manifest.json").read_bytes()
    assert run_cli("run", f"--workdir={workdir}", *ARGUMENTS) == 0
    assert (workdir / "manifest.json").read_bytes() == manifest
    capsys.readouterr()
    assert run_cli("report", f"--workdir={workdir}", "--json") == 0
    assert set(json.loads(capsys.readouterr().out)["sets"]["hard"]) == {"base", "warmup", "round_000"}


@pytest.mark.slow
def test_a_run_killed_in_a_bucket_goes_on_to_the_same_end(local, bucket, storage, monkeypatch, tmp_path):
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", os.fspath(tmp_path))  # each process would compile the same
    monkeypatch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    workdir = bucket / "run"
    for moment in MOMENTS:
        assert killed_at(moment, workdir, storage, monkeypatch), f"{moment.pattern} was never written"
    assert work(workdir).wait() == 0
    assert_same_runs(workdir, local, storage)


def killed_at(moment, workdir, storage, monkeypatch):
    """Whether the moment came; else the run is done."""
    waiting, process = [moment.times], None

    def before(method, bucket, name):
        if method == "write" and re.fullmatch(f"run/{moment.pattern}", name):
            waiting[0] -= 1
        if waiting[0] <= 0:  # nothing that was under way gets through either
            process.send_signal(signal.SIGKILL)
            raise Refused(403, "killed")

    with monkeypatch.context() as patched:
        patched.setattr(storage, "before", before)
        process = work(workdir)
        status = process.wait()
    assert status in (0, -signal.SIGKILL)
    return status != 0


def work(workdir):
    command = [sys.executable, "-c", WORKER, "run", f"--workdir={workdir}", *ARGUMENTS]
    return subprocess.Popen(command, env=os.environ, stdout=subprocess.DEVNULL)


def assert_same_runs(workdir, local, storage):
    assert checkpoints_and_files(workdir) == checkpoints_and_files(local)
    for stage in POLICIES:
        assert_same_weights(workdir / stage / "checkpoint", local / stage / "checkpoint", workdir, local)
    assert curves(workdir) == curves(local)
    assert_boards_show_the_curves(workdir)
    assert list(read_records(workdir / "round_000/trees")) == list(read_records(local / "round_000/trees"))
    sets = [report.to_json(report.collect(run))["sets"] for run in (workdir, local)]
    assert sets[0] == sets[1]
    assert file_names(workdir, storage) == {
        path.relative_to(local).as_posix() for path in local.rglob("*") if path.is_file() and is_ours(path.as_posix())
    }


def curves(workdir):
    rows = read_metrics(workdir)
    found = {}
    for row in rows:
        values = {name: value for name, value in row.items() if name != "time" and not is_of_the_machine(name)}
        found.setdefault(row["stage"], []).append(values)
    return found


def assert_boards_show_the_curves(workdir):
    """Every figure of metrics.jsonl is a point of TensorBoard, and nothing else is."""
    expected = {}
    for row in read_metrics(workdir):
        points = [(name, row["step"], np.float32(value)) for name, value in row.items() if name not in NO_FIGURES]
        expected.setdefault(row["stage"], []).extend(points)
    assert {stage: board(workdir, stage) for stage in expected} == expected


def file_names(workdir, storage):
    bucket, _, prefix = os.fspath(workdir).removeprefix("gs://").partition("/")
    names = {name.removeprefix(f"{prefix}/") for name in storage.files(bucket)}
    return {name for name in names if is_ours(name)}


def is_ours(name):
    """Neither of Orbax, which writes other files in a bucket, nor of TensorBoard, whose names have times in them."""
    return not re.search(r"/weights/|/tensorboard/|^tensorboard/|\.lock$", name)
