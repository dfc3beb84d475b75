"""Metrics: one line a step, the same figures in TensorBoard, and no step twice after a kill."""

import json
import math
import struct
import time

import numpy as np
import pytest
from etils import epath
from tensorboardX import SummaryWriter
from tensorboardX.proto.event_pb2 import Event

from itool_jax import files, growing, metrics
from itool_jax.errors import UserError
from itool_jax.event_file import EventFile
from itool_jax.metrics import MetricsWriter, read_metrics


def steps(run, stage):
    return [row["step"] for row in read_metrics(run) if row["stage"] == stage]


def board(run, stage):
    """(tag, step, value) of every scalar in the event files of a stage, read by the TFRecord framing."""
    found = []
    for path in files.children(epath.Path(run) / "tensorboard" / stage):
        if path.is_dir():
            continue
        data = path.read_bytes()
        while data:
            (length,) = struct.unpack("<Q", data[:8])
            event = Event.FromString(data[12 : 12 + length])
            found += [(value.tag, event.step, value.simple_value) for value in event.summary.value]
            data = data[12 + length + 4 :]
    return found


def test_every_write_is_one_line_and_one_point(tmp_path):
    writer = MetricsWriter(tmp_path)
    writer.write(0, "warmup/easy", {"loss": 2.5, "rate": np.float32(0.5)})
    writer.write(1, "warmup/easy", {"loss": np.float64(2.0)})
    writer.write(0, "round_000/prefer", {"loss": 0.25})
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()  # before close: nothing waits in a buffer
    writer.close()
    assert [json.loads(line) | {"time": 0} for line in lines] == [
        {"stage": "warmup/easy", "step": 0, "time": 0, "loss": 2.5, "rate": 0.5},
        {"stage": "warmup/easy", "step": 1, "time": 0, "loss": 2.0},
        {"stage": "round_000/prefer", "step": 0, "time": 0, "loss": 0.25},
    ]
    assert sorted(board(tmp_path, "warmup/easy")) == [("loss", 0, 2.5), ("loss", 1, 2.0), ("rate", 0, 0.5)]
    assert board(tmp_path, "round_000/prefer") == [("loss", 0, 0.25)]


def test_a_resumed_stage_writes_no_step_twice(anywhere):
    writer = MetricsWriter(anywhere)
    for step in range(5):
        writer.write(step, "a", {"loss": step})
        writer.write(step, "b", {"loss": 10 + step})
    writer.close()
    resumed = MetricsWriter(anywhere)  # stage a goes on from a checkpoint at step 3
    resumed.write(3, "a", {"loss": 30})
    resumed.write(3, "a", {"accuracy": 0.5})
    resumed.write(4, "a", {"loss": 40})
    resumed.close()
    assert steps(anywhere, "a") == [0, 1, 2, 3, 3, 4]
    assert steps(anywhere, "b") == [0, 1, 2, 3, 4]
    expected = [("loss", 0, 0), ("loss", 1, 1), ("loss", 2, 2), ("loss", 3, 30), ("accuracy", 3, 0.5), ("loss", 4, 40)]
    assert board(anywhere, "a") == expected


def test_in_a_bucket_lines_go_up_every_so_often_and_before_a_state_is_saved(bucket, monkeypatch):
    writer = MetricsWriter(bucket)
    writer.write(0, "a", {"loss": 1})
    assert steps(bucket, "a") == []
    writer.flush()
    assert steps(bucket, "a") == [0]
    monkeypatch.setattr(growing, "SECONDS", 0)
    writer.write(1, "a", {"loss": 1})
    assert steps(bucket, "a") == [0, 1]
    writer.close()


def test_a_stage_that_ended_before_a_kill_is_whole_in_tensorboard(anywhere):
    writer = MetricsWriter(anywhere)
    for step in range(50):
        writer.write(step, "a", {"loss": step, "rate": 0.5})
        writer.write(step, "a/heldout", {"hard": step})
    writer.flush()  # as before the last state is saved
    writer.write(0, "b", {"loss": 1})  # and the process is killed: `a` does not go on
    again = MetricsWriter(anywhere)
    again.write(0, "b", {"loss": 2})
    again.close()
    assert board(anywhere, "a") == [(name, n, y) for n in range(50) for name, y in (("loss", n), ("rate", 0.5))]
    assert board(anywhere, "a/heldout") == [("hard", n, n) for n in range(50)]
    assert board(anywhere, "b") == [("loss", 0, 2)]
    writer.close()


def test_in_a_bucket_lines_and_points_go_up_though_nothing_else_is_written(bucket, monkeypatch, flushers):
    monkeypatch.setattr(growing, "SECONDS", 0.2)
    threads, end = flushers(), time.monotonic() + 20
    writer = MetricsWriter(bucket)
    writer.write(0, "a", {"loss": 1})
    writer.write(1, "a", {"loss": 2})
    while board(bucket, "a") != [("loss", 0, 1), ("loss", 1, 2)]:
        assert time.monotonic() < end
        time.sleep(0.01)
    assert steps(bucket, "a") == [0, 1]
    writer.close()
    assert flushers() == threads


def test_event_files_are_those_of_tensorboardx(tmp_path):
    values = {"loss": 0.25, "not finite": math.nan, "accuracy/hard": 1e9}
    (tmp_path / "ours").mkdir()
    file = EventFile(epath.Path(tmp_path / "ours"))
    file.show(3, 17.5, values)
    file.close()
    with SummaryWriter(str(tmp_path / "theirs")) as theirs:
        for name, value in values.items():
            theirs.add_scalar(name, value, 3, walltime=17.5)
    ours, expected = ([path.read_bytes() for path in (tmp_path / name).iterdir()] for name in ("ours", "theirs"))
    first = len(expected[0]) - len(expected[0].partition(b"brain.Event:2")[2]) + 4  # it has the time in it
    assert len(ours) == len(expected) == 1
    assert ours[0][first:] == expected[0][first:]


def test_stages_may_lie_within_each_other(anywhere):
    writer = MetricsWriter(anywhere)
    writer.write(0, "warmup/easy/heldout", {"hard": 0.25})
    writer.write(0, "warmup/easy", {"loss": 1})
    writer.write(1, "warmup/easy/heldout", {"hard": 0.5})
    writer.close()
    assert board(anywhere, "warmup/easy/heldout") == [("hard", 0, 0.25), ("hard", 1, 0.5)]
    assert board(anywhere, "warmup/easy") == [("loss", 0, 1)]


def test_a_line_cut_off_by_a_crash_is_dropped(tmp_path):
    writer = MetricsWriter(tmp_path)
    writer.write(0, "a", {"loss": 1})
    writer.close()
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"stage": "a", "st')
    assert steps(tmp_path, "a") == [0]
    writer.write(1, "a", {"loss": 2})
    writer.close()
    assert steps(tmp_path, "a") == [0, 1]


def test_figures_that_are_not_finite_stay_readable(tmp_path):
    writer = MetricsWriter(tmp_path)
    writer.write(0, "a", {"loss": float("nan"), "norm": float("inf")})
    writer.close()
    (row,) = read_metrics(tmp_path)
    assert math.isnan(float(row["loss"])) and float(row["norm"]) == math.inf
    json.loads((tmp_path / "metrics.jsonl").read_text(), parse_constant=pytest.fail)


def test_a_line_of_something_else_is_named(tmp_path):
    (tmp_path / metrics.NAME).write_text('{"stage": "a", "step": 0}\nhello\n')
    with pytest.raises(UserError, match=r"metrics\.jsonl, line 2.*hello"):
        read_metrics(tmp_path)


def test_reserved_names_are_refused(tmp_path):
    with pytest.raises(ValueError, match="'step'"):
        MetricsWriter(tmp_path).write(0, "a", {"step": 1})
    assert read_metrics(tmp_path) == []
