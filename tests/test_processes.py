"""Several processes grow the trees of one, and do the whole run that one does."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from etils import epath

from itool_jax.rounds.run_directory import open_run
from itool_jax.rounds.session import Session
from itool_jax.search.records import read_records
from tests.test_rounds import CONFIG, overrides

SCRIPT = Path(__file__).with_name("grow_in_processes.py")


def free_address() -> str:
    with socket.socket() as free:
        free.bind(("localhost", 0))
        return f"localhost:{free.getsockname()[1]}"


def grown(processes: int, devices: int) -> list[dict[str, list]]:
    """What each process has grown, in mesh data x 2 x 2 over all their devices."""
    address = free_address()
    commands = [[sys.executable, str(SCRIPT), address, str(processes), str(n), str(devices)] for n in range(processes)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for command in commands]
    try:
        printed = [process.communicate(timeout=300)[0] for process in running]
    finally:
        for process in running:
            process.kill()
    assert [process.returncode for process in running] == [0] * processes
    return [json.loads(text.split("TREES ")[-1]) for text in printed]


@pytest.mark.slow
def test_two_processes_grow_the_trees_of_one():
    (alone,) = grown(1, 4)
    two = grown(2, 2)
    assert [sorted(map(int, trees)) for trees in two] == [[0, 2, 4, 6], [1, 3, 5]]
    assert {**two[0], **two[1]} == alone


MESH = {"mesh.fsdp": 2, "mesh.tensor": 2, "round.search.extra_iterations": 1, "warmup.eval_every": 3}


def start(workdir: epath.Path, processes: int) -> list[subprocess.Popen]:
    """The whole loop, on four devices in all."""
    address, devices = free_address(), 4 // processes
    flags = f"--xla_force_host_platform_device_count={devices} --xla_backend_optimization_level=0"
    command = [sys.executable, "-m", "itool_jax.cli", "run", f"--config={CONFIG}", f"--workdir={workdir}"]
    joined = [[f"--coordinator={address}", f"--processes={processes}", f"--process={n}"] for n in range(processes)]
    return [
        subprocess.Popen(
            [*command, *overrides(**MESH), *(more if processes > 1 else ())],
            env={**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags},
            stderr=subprocess.PIPE,
            text=True,
        )
        for more in joined
    ]


def finish(running: list[subprocess.Popen], seconds: float) -> list[str]:
    """What each of them said on stderr."""
    try:
        return [process.communicate(timeout=seconds)[1] for process in running]
    finally:
        for process in running:
            process.kill()


def left_by(workdir: epath.Path) -> dict:
    """What a run found, its weights last."""
    with open_run(workdir, None) as run:
        policy = Session(run).policy("round_000")
    rows = pq.read_table(io.BytesIO((workdir / "round_000/scores.parquet").read_bytes())).to_pylist()
    return {
        "stages": list(json.loads((workdir / "manifest.json").read_text())["stages"]),
        "selected": [
            json.loads(line)["id"] for line in (workdir / "round_000/selected.jsonl").read_text().splitlines()
        ],
        "trees": [[node["text"] for node in tree["nodes"]] for tree in read_records(workdir / "round_000/trees")],
        "summary": json.loads((workdir / "round_000/eval/summary.json").read_text())["sets"],
        "perplexity": [row["perplexity"] for row in rows],
        "weights": np.asarray(policy.params["layers"]["up"]["kernel"]),
    }


# What ends a process, and whether it has said by itself what to do.
ENDS = {
    "pass": True,
    "raise UserError('bad input')": True,
    "raise Stopped('SIGTERM')": True,
    "raise RuntimeError('a collective failed')": False,
    "os.kill(os.getpid(), signal.SIGKILL)": False,
}
ADVICE = "Start the same command again in every process: what is finished is kept."


def test_a_process_that_says_nothing_at_its_end_has_last_words():
    code = (
        "import os, signal\nfrom itool_jax.errors import UserError\nfrom itool_jax.stopping import Stopped\n"
        "from itool_jax.parallel.processes import last_words\nwith last_words():\n    "
    )
    running = [subprocess.Popen([sys.executable, "-c", code + end], stderr=subprocess.PIPE, text=True) for end in ENDS]
    for said, own in zip(finish(running, 60), ENDS.values(), strict=True):
        assert said.endswith(f"{ADVICE}\n") != own, said
        assert own or "itool-jax: process 0 of 1 ended before its work was done." in said


# The process that is killed, and the stage that both are in.
KILLS = [(1, "warmup.medium"), (0, "warmup.hard"), (1, "round_000.search")]


@pytest.mark.slow
def test_two_processes_do_the_run_of_one_even_when_they_are_killed_on_the_way(tmp_path, anywhere):
    finish(start(epath.Path(tmp_path / "one"), 1), 900)
    one = left_by(epath.Path(tmp_path / "one"))

    for number, stage in KILLS:
        running = start(anywhere / "two", 2)
        while not (anywhere / "two/.partial" / stage / "kept").exists():
            time.sleep(0.2)
            assert all(process.poll() is None for process in running)
        running[number].kill()
        before = time.monotonic()
        said = finish(running, 90)[1 - number]
        assert running[1 - number].returncode != 0 and time.monotonic() - before < 60
        assert said.endswith(f"{ADVICE}\n"), said

    running = start(anywhere / "two", 2)
    said = finish(running, 900)
    assert [process.returncode for process in running] == [0, 0], said
    assert not any(ADVICE in text for text in said)
    two = left_by(anywhere / "two")
    np.testing.assert_allclose(two.pop("perplexity"), one.pop("perplexity"), rtol=1e-4)
    np.testing.assert_allclose(two.pop("weights"), one.pop("weights"), atol=1e-4)
    assert two == one
