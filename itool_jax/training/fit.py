"""The training loop: batches in, a trained policy out; resumable at any step, metrics handled one step late."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import Any

import grain
import jax
from etils import epath
from jax.sharding import Mesh

from itool_jax.models.policy import Policy
from itool_jax.parallel.mesh import shard, shard_batch
from itool_jax.progress import note
from itool_jax.training.checkpoints import TrainingCheckpoints
from itool_jax.training.memory import training_bytes
from itool_jax.training.not_finite import require_finite
from itool_jax.training.objectives import ObjectiveFn
from itool_jax.training.step import OptimizerConfig, frozen_part, init_state, make_optimizer, make_train_step

OnStep = Callable[[int, dict[str, float]], None]
OnEval = Callable[[int, Policy], None]


@dataclass(frozen=True)
class FitConfig:
    """How a stage trains.

    checkpoint_every  steps between saved states
    eval_every        steps between calls of `on_eval`; 0 for never
    """

    optimizer: OptimizerConfig
    _: KW_ONLY
    checkpoint_every: int = 200
    eval_every: int = 0


def fit(
    policy: Policy,
    objective: ObjectiveFn,
    batches: grain.MapDataset,
    cfg: FitConfig,
    mesh: Mesh,
    directory: epath.PathLike,
    on_step: OnStep = lambda step, metrics: None,
    on_eval: OnEval = lambda step, policy: None,
) -> Policy:
    """Trains over all of `batches` and returns the policy; goes on from the newest state in `directory`.

    `on_step` receives step and metrics (loss, grad_norm, learning_rate, tokens_per_s, ...) after the next step was
    dispatched.
    Raises UserError where a loss or gradient is no longer finite, with the batch of that step saved in `directory`.
    """
    optimizer = make_optimizer(cfg.optimizer)
    policy = policy.replace(params=shard(policy.params, mesh))  # pyright: ignore
    iterator = iter(batches.to_iter_dataset(grain.ReadOptions(num_threads=1, prefetch_buffer_size=2)))
    checkpoints = TrainingCheckpoints(directory, cfg.checkpoint_every)
    try:
        initial = init_state(policy, optimizer, mesh)
        note(f"each device holds, beside activations: {training_bytes(policy, initial)}")
        step_fn = make_train_step(objective, optimizer, initial)
        state = checkpoints.restore(initial, iterator)
        frozen = frozen_part(policy)
        report = _LateReport(on_step, directory)
        schedule = jax.jit(cfg.optimizer.schedule())
        with jax.set_mesh(mesh):
            for step in range(int(state.step) + 1, len(batches) + 1):
                batch = next(iterator)
                state, metrics = step_fn(state, frozen, shard_batch(batch, mesh, axis=1))
                report.later(step, metrics | {"learning_rate": schedule(step - 1)}, batch)
                if checkpoints.due(step):
                    report.flush()  # a state that came of a loss no longer finite must not be gone on from
                    checkpoints.save(step, state, iterator)
                if cfg.eval_every and step % cfg.eval_every == 0:
                    on_eval(step, policy.with_trainable(state.trainable))
        report.flush()
    finally:
        checkpoints.close()
    return policy.with_trainable(state.trainable)


class _LateReport:
    """Holds a step's metrics until the next step is on its way, so that the device never waits for the host."""

    def __init__(self, on_step: OnStep, directory: epath.PathLike):
        self._on_step, self._directory = on_step, directory
        self._waiting: tuple[int, dict[str, Any], Any] | None = None
        self._last = time.monotonic()

    def later(self, step: int, metrics: dict[str, Any], batch: Any) -> None:
        self.flush()
        self._waiting = (step, metrics, batch)

    def flush(self) -> None:
        if self._waiting is None:
            return
        step, metrics, batch = self._waiting
        self._waiting = None
        values = {name: float(value) for name, value in jax.device_get(metrics).items()}
        require_finite(step, values, batch, self._directory)
        values = {name: value for name, value in values.items() if not math.isnan(value)}  # means over nothing
        now = time.monotonic()
        values["steps_per_s"], self._last = 1.0 / max(now - self._last, 1e-9), now
        values["tokens_per_s"] = values["tokens"] * values["steps_per_s"]
        self._on_step(step, values)
