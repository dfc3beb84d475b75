"""Metrics of a run: metrics.jsonl, one line a write, and the same figures for TensorBoard."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from etils import epath

from itool_jax import files
from itool_jax.errors import UserError
from itool_jax.growing import AppendedFile, Flusher

if TYPE_CHECKING:
    from itool_jax.event_file import EventFile

NAME = "metrics.jsonl"
_RESERVED = ("stage", "step", "time")


def read_metrics(run: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """All lines of a run's metrics, each with stage, step, time (Unix seconds) and its figures.

    Figures that are not finite stand as "nan", "inf", "-inf". A last line that a crash cut off is left out.
    """
    path = epath.Path(run) / NAME
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    rows = []
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
            rows.append({"stage": row["stage"], "step": row["step"], **row})
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{path}, line {number}: expected a JSON object with stage and step, found {line[:60]!r}. "
                "Something else wrote into it: remove that line."
            ) from error
    return rows


class MetricsWriter:
    """Writes figures by stage and step; within a stage, steps ascend.

    A stage that is run again after a kill writes some of its steps a second time: its first write drops the recorded
    lines of that stage at or after that step, here and in TensorBoard, so every step stands once.

    In an object store what is written goes up as `itool_jax.growing` says.
    """

    def __init__(self, run: str | os.PathLike[str], *, writes: bool = True):
        """Without `writes` nothing is written: another process of the run does."""
        self._writes = writes
        self._run = epath.Path(run)
        self._lines = AppendedFile(self._run / NAME)
        self._boards: dict[str, EventFile] = {}
        self._flusher = Flusher(lambda: self._lines.seconds_left, self._flush)

    def write(self, step: int, stage: str, values: Mapping[str, float]) -> None:
        """Records scalars (Python, NumPy or JAX) under a stage name such as "round_000/prefer"."""
        if clash := [name for name in values if name in _RESERVED]:
            raise ValueError(f"metrics cannot be named {clash[0]!r}")
        if not self._writes:
            return
        row = {"stage": stage, "step": int(step), "time": round(time.time(), 3)}
        row |= {name: plain_number(float(value)) for name, value in values.items()}
        with self._flusher.lock():
            if stage not in self._boards:
                self._begin(stage, step)
            self._lines.append((json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n").encode())
            self._show(row)

    def flush(self) -> None:
        """What was written outlives a kill from here on, also in TensorBoard. Any thread may call it."""
        with self._flusher.lock():
            self._flush()

    def close(self) -> None:
        """Flushes everything. The writer may be used again afterwards."""
        self._flusher.stop()
        with self._flusher.lock():
            self._flush()
            for board in self._boards.values():
                board.close()
            self._boards.clear()
            self._lines.close()

    def _flush(self) -> None:
        self._lines.flush()
        for board in self._boards.values():
            board.flush()

    def _begin(self, stage: str, step: int) -> None:
        from itool_jax.event_file import EventFile  # imports torch where that is installed: seconds

        self._drop(stage, step)
        folder = self._run / "tensorboard" / stage
        files.make_folder(folder)
        for path in files.children(folder):
            if not path.is_dir():  # a folder in it belongs to another stage, such as warmup/easy/heldout
                path.unlink()
        self._boards[stage] = EventFile(folder)
        for row in read_metrics(self._run):
            if row["stage"] == stage:
                self._show(row)

    def _drop(self, stage: str, step: int) -> None:
        """Rewrites the file without the stage's lines from `step` on, and without a last line that was cut off."""
        self._lines.close()
        path = self._lines.path
        if not path.exists():
            return
        content = path.read_bytes()
        kept = b"".join(
            line + b"\n"
            for line, row in zip(content.split(b"\n"), read_metrics(self._run), strict=False)
            if row["stage"] != stage or row["step"] < step
        )
        if kept != content:
            files.write_atomic(path, kept)

    def _show(self, row: Mapping[str, Any]) -> None:
        values = {name: float(value) for name, value in row.items() if name not in _RESERVED}
        self._boards[row["stage"]].show(row["step"], row["time"], values)


def plain_number(value: float) -> float | str:
    """The number, or "nan", "inf", "-inf", which JSON has no numbers for."""
    return value if math.isfinite(value) else str(value)
