"""The manifest of a run: which stages are complete, from which inputs, with which outputs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from etils import epath

from itool_jax import files
from itool_jax.errors import UserError

NAME = "manifest.json"
_VERSION = 2  # with log-probs of every token in pairs, and states that tell how far their evaluation is


@dataclass(frozen=True)
class Output:
    """A file or folder that a stage wrote; `path` is relative to the run directory, the rest as in `files.Digest`."""

    path: str
    sha256: str
    size: int
    files: int
    stamp: str


@dataclass(frozen=True)
class StageRecord:
    """A complete stage.

    inputs    digest by name of what it was made from
    outputs   by name
    seconds   wall-clock time of the attempt that finished it
    finished  local time, ISO 8601
    summary   what the stage says of itself: JSON values, for the report
    """

    inputs: Mapping[str, str]
    outputs: Mapping[str, Output]
    seconds: float
    finished: str
    summary: Mapping[str, Any]


def read_manifest(run: epath.Path) -> dict[str, StageRecord]:
    """Records by stage name in the order of completion; empty where there is no manifest yet."""
    path = run / NAME
    if not path.exists():
        return {}
    try:
        content = json.loads(path.read_bytes())
        if content["version"] != _VERSION:
            raise UserError(
                f"{path} has version {content['version']!r}; this itool-jax reads version {_VERSION}. "
                "Use the itool-jax that wrote it, or another --workdir."
            )
        return {name: record_of(row) for name, row in content["stages"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path} cannot be read ({type(error).__name__}: {error}). itool-jax writes it whole or not at all, so "
            "something else changed it: restore it, or give another --workdir."
        ) from error


def write_manifest(run: epath.Path, stages: Mapping[str, StageRecord]) -> None:
    """Replaces the manifest atomically."""
    rows = {name: asdict(record) for name, record in stages.items()}
    files.write_json(run / NAME, {"version": _VERSION, "stages": rows})


def check_outputs(run: epath.Path, stage: str, record: StageRecord) -> StageRecord:
    """The record, its stamps brought up to date; raises UserError where an output is missing or has other content."""
    outputs = {name: _checked(run, stage, output) for name, output in record.outputs.items()}
    return StageRecord(record.inputs, outputs, record.seconds, record.finished, record.summary)


def _checked(run: epath.Path, stage: str, output: Output) -> Output:
    path = run / output.path
    remedy = f"Restore it, or give --redo={stage} to make it again."
    if not path.exists():
        raise UserError(f"{path}, which the finished stage {stage} wrote, is missing. {remedy}")
    if files.stamp(path) == output.stamp:
        return output
    found = files.digest(path)
    if found.sha256 != output.sha256:
        raise UserError(
            f"{path} was altered after the stage {stage} had written it (expected {output.size} bytes in "
            f"{output.files} files with SHA-256 {output.sha256[:12]}, found {found.size} bytes in {found.files} files "
            f"with {found.sha256[:12]}). {remedy}"
        )
    return Output(output.path, **asdict(found))


def record_of(row: Mapping[str, Any]) -> StageRecord:
    outputs = {name: Output(**output) for name, output in row["outputs"].items()}
    return StageRecord(row["inputs"], outputs, row["seconds"], row["finished"], row["summary"])
