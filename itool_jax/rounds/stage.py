"""One stage of a run: the scratch space that its body works in, and what it leaves."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from etils import epath

from itool_jax import files
from itool_jax.metrics import plain_number

PARTIAL = ".partial"
_NAME = re.compile(r"[a-z0-9_]+(/[a-z0-9_]+)*")


@dataclass(frozen=True)
class StageResult:
    """A complete stage.

    paths    output by name, in its final place
    digests  SHA-256 of each output: what a later stage that reads it names as its input
    summary  what the body returned, as it stands in the manifest
    seconds  wall-clock time of the attempt that finished it
    reused   it was complete already, and its body did not run
    """

    name: str
    paths: Mapping[str, epath.Path]
    digests: Mapping[str, str]
    summary: Mapping[str, Any]
    seconds: float
    reused: bool


class Stage:
    """What a body is given: a temporary place for each output, and a folder for work to go on from after a kill."""

    def __init__(
        self,
        run: epath.Path,
        name: str,
        inputs: Mapping[str, str],
        outputs: Mapping[str, str],
        scratch: epath.Path | None = None,
    ):
        """With a `scratch` the outputs are thrown away: another process of the run writes the same."""
        check_names(name, outputs)
        self.name, self.inputs, self._outputs = name, dict(inputs), dict(outputs)
        self._folder, self._scratch = run / PARTIAL / name.replace("/", "."), scratch

    @property
    def writes(self) -> bool:
        """Whether this is the process whose outputs stay."""
        return self._scratch is None

    def output(self, name: str) -> epath.Path:
        """Where to write an output, as a file or a folder; its folder exists. Written anew at every attempt."""
        path = (self._scratch or self._folder) / "out" / self._outputs[name]
        files.make_folder(path.parent)
        return path

    @property
    def kept(self) -> epath.Path:
        """A folder that outlives a killed attempt, until the stage completes or is begun with other inputs.

        All processes of a run have the same one.

        What is written here must be sound at every moment: use `files.write_atomic`, or `itool_jax.growing`.
        """
        path = self._folder / "kept"
        files.make_folder(path)
        return path

    def begin(self) -> None:
        """Clears what an earlier attempt left, except work kept from the same inputs."""
        recorded = self._folder / "inputs.json"
        if not recorded.exists() or json.loads(recorded.read_bytes()) != self.inputs:
            self.clear()
            files.make_folder(self._folder)
            files.write_json(recorded, self.inputs)
        files.remove(self._folder / "out")

    def place(self, run: epath.Path) -> dict[str, files.Digest]:
        """Moves every output to its final name, flushed to disk; returns their digests."""
        for name in self._outputs:
            if not self.output(name).exists():
                raise RuntimeError(f"stage {self.name} ended without writing stage.output({name!r})")
        digests = {}
        for name, target in self._outputs.items():
            files.move(self.output(name), run / target)
            digests[name] = files.digest(run / target)
        return digests

    def abandon(self) -> None:
        """Removes half-written outputs after an error; kept work stays."""
        files.remove(self._folder / "out")
        if not files.children(self._folder / "kept"):
            self.clear()

    def clear(self) -> None:
        """Removes everything but final outputs."""
        files.remove(self._folder)
        files.remove_empty(self._folder.parent)


def holds_kept_work(run: epath.Path) -> bool:
    """Whether an unfinished stage of the run has work to go on from."""
    return any(files.children(folder / "kept") for folder in files.children(run / PARTIAL))


Body = Callable[[Stage], Mapping[str, Any] | None]


def check_names(name: str, outputs: Mapping[str, str]) -> None:
    """Raises ValueError for a stage name or an output path that does not fit in a run directory."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"stage name {name!r}: expected lower-case words joined by '/'")
    paths = [PurePosixPath(path) for path in outputs.values()]
    for path in paths:
        if path.is_absolute() or ".." in path.parts or str(path) in ("", ".") or path.parts[0].startswith("."):
            raise ValueError(f"stage {name}: output {path} must be a relative path inside the run directory")
        if any(path != other and path.is_relative_to(other) for other in paths) or paths.count(path) > 1:
            raise ValueError(f"stage {name}: the outputs {sorted(map(str, paths))} overlap")


def plain(value: Any) -> Any:
    """A summary as JSON values: NumPy and JAX scalars as numbers, non-finite ones as "nan", "inf", "-inf"."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if value is None or isinstance(value, str | bool | int):
        return value
    return plain_number(value) if isinstance(value, float) else plain(value.item())
