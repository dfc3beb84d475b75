"""Orbax checkpoints: a training state while training, and finished policies."""

from __future__ import annotations

import dataclasses
import json
import operator
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
from etils import epath
from jax.sharding import Mesh
from orbax.checkpoint.checkpoint_managers import preservation_policy as policies

from itool_jax import files
from itool_jax.errors import UserError
from itool_jax.models.config import DecoderConfig, LoraConfig, require_same_model
from itool_jax.models.decoder import Decoder
from itool_jax.models.policy import Policy
from itool_jax.models.quantize import quantize_kernel
from itool_jax.parallel import processes
from itool_jax.parallel.mesh import shardings

_SHAPE_FILE = "decoder.json"
_LATER_FILE = "later.json"


class Progress(NamedTuple):
    """What a training state leaves open.

    total, count  sum and number of the watched values of the steps since the last state that was scored
    settled       whether all that was due after the step is done, its evaluation above all
    """

    total: float = 0.0
    count: int = 0
    settled: bool = True


class Later(NamedTuple):
    """What became known of a state after it was saved."""

    progress: Progress
    score: float | None


class Write(NamedTuple):
    """A state that was written, by its step, and the seconds from when it was to be saved until it was on disk."""

    step: int
    seconds: float


class _Manager(ocp.CheckpointManager):
    """Orbax's manager without its own questions to JAX's preemption service, which `stopping.StopRequest` asks.

    The service takes every question for the step that its process is at. Orbax asks it by steps of training, at a save
    and again from the thread that ends it, and would have all processes stop at a step that none of them comes to.
    """

    def reached_preemption(self, step: int) -> bool:
        return False


class TrainingCheckpoints:
    """Training states of one stage: the newest, and the best if asked for.

    A state names its step, and with it its place in the data, of which batch i is a function of i. So it is gone on
    from on any mesh of any number of processes. (States of before, which hold a Grain iterator too, are read as well.)
    What is on disk is never written anew: where a stop broke off an evaluation, its outcome goes into a file beside.

    keep_last  how many of the newest are kept
    best       "min" or "max" of the scores, whose state is kept beside them; "" keeps none
    """

    def __init__(self, directory: epath.PathLike, *, keep_last: int = 2, best: Literal["", "min", "max"] = ""):
        directory = files.absolute(directory)
        kept: list[policies.PreservationPolicy] = [policies.LatestN(keep_last)]
        if best:
            kept.append(_Best(self))
        options = ocp.CheckpointManagerOptions(
            preservation_policy=policies.AnyPreservationPolicy(kept),
            best_fn=operator.itemgetter("score") if best else None,
            best_mode=best or "max",
            async_options=ocp.options.AsyncOptions(post_finalization_callback=self._note_written),
        )
        self._manager = _Manager(directory, options=options)
        self._directory, self._best = directory, best
        self._later = _read_later(directory / _LATER_FILE)
        self._begun, self._written = (0, 0.0), None

    def has_any(self) -> bool:
        """Whether there is a state to go on from."""
        return self._manager.latest_step() is not None

    def restore(self, like: Any) -> tuple[Any, Progress]:
        """The newest state, laid out as `like`, what `abstract_state` makes of one: there is room for no other.

        Raises UserError where it cannot be read.
        """
        step = self._manager.latest_step()
        assert step is not None, "nothing was saved"
        restored = self._read(step, state=ocp.args.StandardRestore(like), progress=ocp.args.JsonRestore())
        if step in self._later:
            return restored["state"], self._later[step].progress
        return restored["state"], Progress(**restored["progress"])

    def has_best(self) -> bool:
        """Whether any state was scored."""
        self.wait()
        return self._best_step() is not None

    def restore_best(self, like: Any) -> Any:
        """The state with the best score, laid out as `like`; raises UserError where it cannot be read."""
        step = self._best_step()
        assert step is not None, "no state was scored"
        return self._read(step, state=ocp.args.StandardRestore(like))["state"]

    def wait(self) -> None:
        """Until everything is on disk."""
        self._manager.wait_until_finished()

    @property
    def written(self) -> Write | None:
        """The last state that was written, as the first process knows; None before there is one, and elsewhere."""
        return self._written

    def save(self, step: int, state: Any, progress: Progress, score: float | None = None) -> None:
        """Saves in the background; of a state that is on disk already, `progress` and `score` alone."""
        self.wait()
        if step in self._manager.all_steps():
            self._write_later(self._later | {step: Later(progress, score)})
            return
        if step in self._later:  # of a state that somebody removed
            self._write_later({other: later for other, later in self._later.items() if other != step})
        self._begun = step, time.monotonic()
        self._manager.save(
            step,
            args=ocp.args.Composite(state=ocp.args.StandardSave(state), progress=ocp.args.JsonSave(progress._asdict())),
            metrics=None if score is None else {"score": score},
            force=True,
        )

    def best_of(self, scores: Mapping[int, Mapping[str, float] | None]) -> int | None:
        """Of these steps, each with what Orbax keeps as its metrics, the best one; the newest of several."""
        known = {step: (metrics or {}).get("score") for step, metrics in scores.items()}
        known |= {step: later.score for step, later in self._later.items() if step in known}
        sign = -1 if self._best == "min" else 1
        return max(
            (step for step, score in known.items() if score is not None),
            key=lambda step: (sign * known[step], step),  # pyright: ignore
            default=None,
        )

    def _best_step(self) -> int | None:
        return self.best_of({step: self._manager.metrics(step) for step in self._manager.all_steps()})

    def _read(self, step: int, **wanted: Any) -> Any:
        try:
            return self._manager.restore(step, args=ocp.args.Composite(**wanted))
        except (OSError, KeyError, ValueError) as error:
            raise UserError(
                f"{self._directory / str(step)}: the training state cannot be read: {error}. Remove that folder to go "
                "on from the state before, or from the beginning of the stage where there is none."
            ) from error

    def _write_later(self, later: Mapping[int, Later]) -> None:
        self._later = dict(later)
        if processes.is_first():
            as_json = {str(step): {**one.progress._asdict(), "score": one.score} for step, one in later.items()}
            files.write_json(self._directory / _LATER_FILE, as_json)

    def _note_written(self) -> None:
        step, begun = self._begun
        self._written = Write(step, time.monotonic() - begun)

    def close(self) -> None:
        self._manager.wait_until_finished()
        self._manager.close()


class _Best(policies.PreservationPolicy):
    """Keeps the state with the best score, also where that became known later."""

    def __init__(self, checkpoints: TrainingCheckpoints):
        self._checkpoints = checkpoints

    def should_preserve(self, checkpoints: Sequence[Any], *, context: policies.PreservationContext) -> Sequence[bool]:
        best = self._checkpoints.best_of({one.step: one.metrics for one in checkpoints})
        return [one.step == best for one in checkpoints]


def _read_later(file: epath.Path) -> dict[int, Later]:
    if not file.exists():
        return {}
    found = json.loads(file.read_text())
    scores = {int(step): one.pop("score") for step, one in found.items()}
    return {int(step): Later(Progress(**one), scores[int(step)]) for step, one in found.items()}


def abstract_state(state: Any) -> Any:
    """Shapes and layouts of a state, without its arrays."""
    return jax.tree.map(ocp.utils.to_shape_dtype_struct, state)


def save_policy(directory: epath.PathLike, policy: Policy, *, adapters_only: bool = False) -> None:
    """Writes shapes (decoder.json) and weights below `directory`; with `adapters_only`, not the base's parameters.

    Several processes write together, each its own parts, to the first one's directory.
    """
    path = epath.Path(processes.agreed(os.fspath(files.absolute(directory))))
    lora = policy.decoder.lora
    shape = {"decoder": policy.config.to_json(), "lora": dataclasses.asdict(lora) if lora else None}
    if processes.is_first():
        path.mkdir(parents=True, exist_ok=True)
        (path / _SHAPE_FILE).write_text(json.dumps(shape, indent=1, sort_keys=True))
    processes.together(f"{path} is there")
    variables = {"lora": policy.adapters} if adapters_only else policy.variables
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(path / "weights", variables, force=True)


def load_policy(
    directory: epath.PathLike,
    expected: DecoderConfig | None = None,
    base: Policy | None = None,
    *,
    mesh: Mesh | None = None,
    quantize: str = "",
) -> Policy:
    """Reads what `save_policy` wrote, on any number of devices.

    base      brings the parameters where only adapters were saved, and says what is frozen
    mesh      to lay the weights out over, each process reading its own parts; without one they come unsharded
    quantize  "int8" or "nf4" for the linear layers' kernels, one of which at a time is held as it was saved
    Raises UserError where there is no checkpoint, or one of another model than `expected`.
    """
    path = files.absolute(directory)
    cfg, lora = _read_shape(path)
    if expected is not None:
        require_same_model(cfg, expected, str(path))
        cfg = expected
    if not (path / "weights").is_dir():
        raise UserError(
            f"{path} is a damaged checkpoint: it has no folder weights. Take another, or do its stage again."
        )
    variables = _restore(path / "weights", mesh, quantize)
    if "params" not in variables and base is None:
        raise UserError(f"{path} holds adapters only: load it together with the base model that they were trained on.")
    params = variables["params"] if base is None or "params" in variables else base.params
    return Policy(Decoder(cfg, lora), params, variables.get("lora"), base.frozen if base else ())


def is_policy(directory: epath.PathLike) -> bool:
    """Whether the folder holds what `save_policy` wrote."""
    return (epath.Path(directory) / _SHAPE_FILE).exists()


def load_shape(directory: epath.PathLike) -> DecoderConfig:
    """The shapes of the policy that `save_policy` wrote; raises UserError where there is none."""
    return _read_shape(files.absolute(directory))[0]


def _read_shape(directory: epath.Path) -> tuple[DecoderConfig, LoraConfig | None]:
    path = directory / _SHAPE_FILE
    if not path.exists():
        raise UserError(
            f"{directory} is no policy checkpoint: it has no {_SHAPE_FILE}. Name a folder written by a stage."
        )
    try:
        shape = json.loads(path.read_text())
        return DecoderConfig.from_json(shape["decoder"]), LoraConfig(**shape["lora"]) if shape["lora"] else None
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(
            f"{path} is damaged, or was written by another version: {error}. Take another checkpoint, or do its stage "
            "again."
        ) from error


def _restore(path: epath.Path, mesh: Mesh | None, quantize: str) -> Any:
    with ocp.PyTreeCheckpointer() as checkpointer:
        saved = checkpointer.metadata(path).item_metadata.tree
        target = jax.tree.map(lambda leaf: np.empty(leaf.shape, leaf.dtype), saved)
        if mesh is not None:
            place = lambda leaf, where: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=where)
            target = jax.tree.map(place, target, shardings(target, mesh))

        def read(part: Any) -> Any:
            how = ocp.checkpoint_utils.construct_restore_args(part)
            args = ocp.args.PyTreeRestore(item=part, restore_args=how, partial_restore=True)
            return jax.tree.map(jnp.asarray, checkpointer.restore(path, args=args))

        if not quantize:
            return read(target)
        layers = target["params"].pop("layers")
        restored = read(target)
        restored["params"]["layers"] = layers
        for name, part in layers.items():
            layers[name] = read({"params": {"layers": {name: part}}})["params"]["layers"][name]
            if "kernel" in part:
                layers[name]["kernel"] = quantize_kernel(layers[name]["kernel"], name, quantize)
        return restored
