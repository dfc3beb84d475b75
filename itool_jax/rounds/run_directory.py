"""The run directory: one config, its stages done once each, and what they left."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from types import TracebackType
from typing import Any

from etils import epath
from ml_collections import ConfigDict

from itool_jax import files
from itool_jax.config_loading import config_from_json, config_to_json, deciding_differences, differences
from itool_jax.errors import UserError
from itool_jax.metrics import NAME as METRICS
from itool_jax.metrics import MetricsWriter
from itool_jax.parallel import processes
from itool_jax.progress import note
from itool_jax.rounds import manifest
from itool_jax.rounds.lock import LOCK_NAME, Lock
from itool_jax.rounds.manifest import Output, StageRecord
from itool_jax.rounds.stage import PARTIAL, Body, Stage, StageResult, holds_kept_work, plain

CONFIG = "config.json"
_BEGINNING = ("model", "data")  # the stages, and their folders, that every run begins with
_Difference = tuple[str, Any, Any]  # a key, and its two values
_OWN = {LOCK_NAME, manifest.NAME, f".{manifest.NAME}.tmp", f".{CONFIG}.tmp"}  # what a kill while opening may leave


class RunDirectory:
    """A run directory in use. Open it by `open_run`, or by `read_run` to look only.

    path     the folder
    config   the run's resolved config, locked
    metrics  writer of its metrics
    """

    def __init__(
        self,
        path: epath.Path,
        config: ConfigDict,
        lock: Lock | None,
        *,
        created: bool = False,
        reads: bool = False,
        changed: Sequence[_Difference] = (),
    ):
        """`changed` is what is recorded otherwise than in `config`, until the first stage records it."""
        self.path, self.config = path, config
        self.metrics = MetricsWriter(path, writes=processes.is_first())
        self._lock, self._created, self._reads, self._changed = lock, created, reads, changed
        self._stages = manifest.read_manifest(path)

    @property
    def reading(self) -> bool:
        """Whether it was opened by `read_run`, so that no stage is done in it."""
        return self._reads

    @property
    def stages(self) -> Mapping[str, StageRecord]:
        """Records of the complete stages by name, in the order of completion."""
        return dict(self._stages)

    def stage(self, name: str, *, inputs: Mapping[str, str], outputs: Mapping[str, str], body: Body) -> StageResult:
        """Does a stage, or returns what it left where it is complete and was made from the same inputs.

        inputs   digest by name of all that the outputs depend on beside the config (`digest_of`, `digest_file`)
        outputs  path by name, relative to the run directory: "round_000/pairs.jsonl", or a folder
        body     called with a `Stage`; writes every output to stage.output(name); returns a summary for the manifest

        Raises UserError where an output of a complete stage is missing or was altered.
        """
        if self.reading:
            raise RuntimeError("a run opened by read_run does no stages")
        self._record_changes()
        if not processes.is_first():
            return self._follow(name, inputs, outputs, body)
        stage = Stage(self.path, name, inputs, outputs)
        done = self._reuse(name, inputs, outputs)
        processes.agreed(done is not None)
        if done:
            stage.clear()
            processes.agreed(asdict(self._stages[name]))
            return done
        self.forget(name)
        stage.begin()
        processes.together(f"{name} begins")
        started = time.monotonic()
        try:
            summary = plain(body(stage) or {})
            self.metrics.flush()  # its curves are whole: it does not go on
            processes.together(f"{name} has ended")
            digests = stage.place(self.path)
        except BaseException:
            stage.abandon()
            raise
        written = {key: Output(outputs[key], **asdict(digest)) for key, digest in digests.items()}
        seconds = round(time.monotonic() - started, 3)
        record = StageRecord(dict(inputs), written, seconds, time.strftime("%Y-%m-%dT%H:%M:%S"), summary)
        self._save({**self._stages, name: record})
        stage.clear()
        processes.agreed(asdict(record))
        return self._result(name, record, reused=False)

    def _record_changes(self) -> None:
        """Takes the layout that the run goes on with for its own: a stage is asked for, so nothing refused it."""
        if self._changed:
            files.write_json(self.path / CONFIG, config_to_json(self.config))
            note(f"{self.path} goes on with other values: {_listed(self._changed, 'before', 'now')}")
            self._changed = ()

    def _follow(self, name: str, inputs: Mapping[str, str], outputs: Mapping[str, str], body: Body) -> StageResult:
        """A stage in a process that is not the first: it does the same work beside it, and takes its record."""
        reused = processes.agreed(None)
        if not reused:
            self._stages.pop(name, None)
            processes.together(f"{name} begins")
            with tempfile.TemporaryDirectory() as scratch:
                body(Stage(self.path, name, inputs, outputs, epath.Path(scratch)))
            processes.together(f"{name} has ended")
        record = manifest.record_of(processes.agreed(None))
        self._stages[name] = record
        return self._result(name, record, reused=reused)

    def result(self, name: str) -> StageResult | None:
        """What a complete stage left, checked on disk; None where it is not complete."""
        record = self._stages.get(name)
        return self._result(name, manifest.check_outputs(self.path, name, record), reused=True) if record else None

    def forget(self, name: str) -> None:
        """Takes a stage out of the manifest, so that it is done again; its outputs stay until they are replaced."""
        if name in self._stages:
            self._save({key: record for key, record in self._stages.items() if key != name})

    def _reuse(self, name: str, inputs: Mapping[str, str], outputs: Mapping[str, str]) -> StageResult | None:
        record = self._stages.get(name)
        if record is None:
            return None
        before, now = dict(record.inputs), dict(inputs)
        changed = sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))
        if not changed and {key: output.path for key, output in record.outputs.items()} == dict(outputs):
            checked = manifest.check_outputs(self.path, name, record)
            if checked != record:
                self._save({**self._stages, name: checked})
            return self._result(name, checked, reused=True)
        note(f"{name} is done again: {', '.join(changed) or 'its outputs'} changed since it was complete")
        return None

    def _result(self, name: str, record: StageRecord, *, reused: bool) -> StageResult:
        paths = {key: self.path / output.path for key, output in record.outputs.items()}
        digests = {key: output.sha256 for key, output in record.outputs.items()}
        return StageResult(name, paths, digests, record.summary, record.seconds, reused)

    def _save(self, stages: Mapping[str, StageRecord]) -> None:
        if processes.is_first():
            manifest.write_manifest(self.path, stages)
        self._stages = dict(stages)

    def close(self, error: BaseException | None = None) -> None:
        """Gives the directory free. One that was created now and holds no work goes, where bad input was the cause."""
        self.metrics.close()
        leaves_nothing = self._created and isinstance(error, UserError) and not _holds_work(self.path)
        if leaves_nothing:
            for name in (CONFIG, manifest.NAME, METRICS, "tensorboard", PARTIAL, *_BEGINNING):
                files.remove(self.path / name)
        if self._lock:
            self._lock.release(and_remove=leaves_nothing)
        if leaves_nothing:
            files.remove_empty(self.path)

    def __enter__(self) -> RunDirectory:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        self.close(error)


def open_run(workdir: str | os.PathLike[str], config: ConfigDict | None) -> RunDirectory:
    """Opens or creates a run directory and locks it; without a config, the run's own is taken.

    A config that differs in its layout alone (`config.LAYOUT`) is taken. It is recorded when the first stage is asked
    for: commands look at what the layout asks of the devices before that.
    Raises UserError where the folder holds something else, another config's run, or is in use by another process.
    """
    path = files.absolute(workdir)
    if not processes.is_first():
        return _follow_first(path, config)
    try:
        run = _open_first(path, config)
    except UserError as error:
        processes.agreed(str(error))
        raise
    processes.agreed("")
    return run


def _follow_first(path: epath.Path, config: ConfigDict | None) -> RunDirectory:
    """The run directory that the first process has opened; raises what it raised."""
    if refused := processes.agreed(None):
        raise UserError(refused)
    files.require_reachable(path)
    if not is_run(path):
        raise UserError(
            f"{path} holds no run here, but does where the first process is: give all processes one --workdir on a "
            "file system that all of them see, such as gs://BUCKET/NAME."
        )
    return RunDirectory(path, config or read_config(path), None)


def _open_first(path: epath.Path, config: ConfigDict | None) -> RunDirectory:
    files.require_reachable(path)
    existed = path.exists()
    _refuse_foreign(path)
    if config is None and not is_run(path):
        raise UserError(f"{path} holds no run to take the config from: give --config=FILE.")
    files.make_folder(path)
    lock = Lock(path)
    lock.take()
    try:
        if config is None:
            return RunDirectory(path, read_config(path), lock)
        created, changed = _record_config(path, config)
        return RunDirectory(path, config, lock, created=created, changed=changed)
    except BaseException:
        lock.release(and_remove=not existed)
        raise


def read_run(workdir: str | os.PathLike[str], config: ConfigDict | None = None) -> RunDirectory:
    """Opens an existing run to look at, also while a process works in it; with the layout of the config given.

    Raises UserError where there is none, or where it has another config than the one given.
    """
    path = files.absolute(workdir)
    files.require_reachable(path)
    if not is_run(path):
        raise UserError(f"{path} holds no run of itool-jax: check --workdir, or start one with `itool-jax run`.")
    recorded = read_config(path)
    if config is not None and (deciding := deciding_differences(recorded, config)):
        raise _other_config(path, deciding)
    return RunDirectory(path, config or recorded, None, reads=True)


def is_run(path: epath.Path) -> bool:
    return (path / CONFIG).exists() and (path / manifest.NAME).exists()


def read_config(path: epath.Path) -> ConfigDict:
    """The config of a run directory, with the layout that it was last worked on with."""
    return config_from_json(_read_config_json(path), str(path / CONFIG))


def digest_of(value: Any) -> str:
    """SHA-256 of a JSON value or config: its canonical JSON, so that equal values have equal digests."""
    values = config_to_json(value) if isinstance(value, ConfigDict) else value
    return hashlib.sha256(json.dumps(values, sort_keys=True, allow_nan=False).encode()).hexdigest()


def digest_file(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file's bytes, or of a folder's names and contents; raises UserError where there is none."""
    target = epath.Path(path)
    if not target.exists():
        raise UserError(f"there is no file or folder {path}: check its path in the config")
    return files.digest(target).sha256


def _record_config(path: epath.Path, config: ConfigDict) -> tuple[bool, Sequence[_Difference]]:
    """Writes config.json where no work depends on it; returns whether it did, and how that of a run with work differs.

    Raises UserError where such a run depends on what differs.
    """
    ours = config_to_json(config)
    if is_run(path):
        recorded = read_config(path)  # a key newer than the run: its default
        differing = differences(config_to_json(recorded), ours)
        if not differing:
            return False, ()
        if _holds_work(path):
            if deciding := deciding_differences(recorded, config):
                raise _other_config(path, deciding)
            return False, differing
    else:
        manifest.write_manifest(path, {})
    files.write_json(path / CONFIG, ours)
    return True, ()


def _other_config(path: epath.Path, differing: Sequence[_Difference]) -> UserError:
    return UserError(
        f"{path} holds a run of another config: {_listed(differing, 'there', 'here')}. Give another --workdir for this "
        "config, or the old values to go on with that run (without --config it goes on with its own)."
    )


def _listed(differing: Sequence[_Difference], one: str, other: str, shown: int = 8) -> str:
    keys = [f"config.{key} is {json.dumps(a)} {one} and {json.dumps(b)} {other}" for key, a, b in differing]
    return "; ".join(keys[:shown]) + (f"; and {len(keys) - shown} more" if len(keys) > shown else "")


def _holds_work(path: epath.Path) -> bool:
    """Whether the folder has anything that took time: what it begins with is written anew when its config changes."""
    return bool(manifest.read_manifest(path).keys() - set(_BEGINNING)) or holds_kept_work(path)


def _refuse_foreign(path: epath.Path) -> None:
    if not path.exists() or is_run(path):
        return
    if not path.is_dir():
        raise UserError(f"--workdir {path} is a file; expected a folder, or a name that is free")
    others = [child.name for child in files.children(path) if child.name not in _OWN]
    if others:
        more = f" and {len(others) - 3} more" if len(others) > 3 else ""
        raise UserError(
            f"--workdir {path} is no run directory and is not empty: it holds {', '.join(others[:3])}{more}. "
            "Give an empty folder or a new name."
        )


def _read_config_json(path: epath.Path) -> dict[str, Any]:
    try:
        values = json.loads((path / CONFIG).read_bytes())
    except ValueError as error:
        raise UserError(f"{path / CONFIG} is not JSON ({error}): restore it, or give another --workdir.") from error
    if not isinstance(values, dict):
        raise UserError(f"{path / CONFIG} holds {type(values).__name__}; expected an object with the config")
    return values
