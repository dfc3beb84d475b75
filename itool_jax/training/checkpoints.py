"""Orbax checkpoints: a training state with its data iterator while training, and finished policies."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import grain
import jax
import orbax.checkpoint as ocp
from etils import epath

from itool_jax.errors import UserError
from itool_jax.models.config import DecoderConfig, LoraConfig
from itool_jax.models.decoder import Decoder
from itool_jax.models.policy import Policy

_SHAPE_FILE = "decoder.json"


class TrainingCheckpoints:
    """The latest training states of one stage, each with the position of its data iterator."""

    def __init__(self, directory: epath.PathLike, every: int, keep: int = 2):
        options = ocp.CheckpointManagerOptions(save_interval_steps=every, max_to_keep=keep)
        self._manager = ocp.CheckpointManager(epath.Path(directory).absolute(), options=options)

    def restore(self, state: Any, iterator: grain.DatasetIterator) -> Any:
        """The newest saved state in the layout of `state`, the iterator moved to its place; `state` if there is none."""
        if self._manager.latest_step() is None:
            return state
        abstract = jax.tree.map(ocp.utils.to_shape_dtype_struct, state)
        restored = self._manager.restore(
            self._manager.latest_step(),
            args=ocp.args.Composite(
                state=ocp.args.StandardRestore(abstract), data=grain.checkpoint.CheckpointRestore(iterator)
            ),
        )
        return restored["state"]

    def save(self, step: int, state: Any, iterator: grain.DatasetIterator) -> None:
        """Saves in the background where `step` is due."""
        if self._manager.should_save(step):
            self._manager.save(
                step,
                args=ocp.args.Composite(
                    state=ocp.args.StandardSave(state), data=grain.checkpoint.CheckpointSave(iterator)
                ),
            )

    def close(self) -> None:
        self._manager.wait_until_finished()
        self._manager.close()


def save_policy(directory: epath.PathLike, policy: Policy) -> None:
    """Writes shapes (decoder.json), parameters and adapters below `directory`."""
    path = epath.Path(directory).absolute()
    path.mkdir(parents=True, exist_ok=True)
    lora = policy.decoder.lora
    shape = {"decoder": dataclasses.asdict(policy.config), "lora": dataclasses.asdict(lora) if lora else None}
    (path / _SHAPE_FILE).write_text(json.dumps(shape, indent=1, sort_keys=True))
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(path / "weights", policy.variables, force=True)


def load_policy(directory: epath.PathLike, expected: DecoderConfig | None = None) -> Policy:
    """Reads what `save_policy` wrote; raises UserError where it is absent or of another model than `expected`."""
    path = epath.Path(directory).absolute()
    if not (path / _SHAPE_FILE).exists():
        raise UserError(f"{path} is no policy checkpoint: it has no {_SHAPE_FILE}. Name a folder written by a stage.")
    shape = json.loads((path / _SHAPE_FILE).read_text())
    cfg = DecoderConfig(**shape["decoder"])
    if expected is not None:
        differ = [
            f"{f.name} is {getattr(cfg, f.name)}, expected {getattr(expected, f.name)}"
            for f in dataclasses.fields(cfg)
            if f.name not in ("dtype", "remat") and getattr(cfg, f.name) != getattr(expected, f.name)
        ]
        if differ:
            raise UserError(
                f"the checkpoint {path} is of another model: {'; '.join(differ)}. "
                "Set config.model to the checkpoint's model, or name a checkpoint of this one."
            )
        cfg = expected
    lora = LoraConfig(**shape["lora"]) if shape["lora"] else None
    with ocp.StandardCheckpointer() as checkpointer:
        variables = checkpointer.restore(path / "weights")
    return Policy(Decoder(cfg, lora), variables["params"], variables.get("lora"))
