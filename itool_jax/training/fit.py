"""The training loop: batches in, a trained policy out; resumable at any step, metrics handled one step late."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal

import grain
import jax
import optax
from etils import epath
from jax.sharding import Mesh

from itool_jax.models.policy import Policy
from itool_jax.parallel.mesh import shard, shard_batch
from itool_jax.progress import note
from itool_jax.stopping import Stopped, StopRequest
from itool_jax.training.checkpoints import Progress, TrainingCheckpoints, abstract_state
from itool_jax.training.memory import figure, training_bytes
from itool_jax.training.not_finite import require_finite
from itool_jax.training.objectives import ObjectiveFn
from itool_jax.training.step import (
    OptimizerConfig,
    TrainState,
    frozen_part,
    init_state,
    make_optimizer,
    make_train_step,
)
from itool_jax.training.utilization import Gauge

OnStep = Callable[[int, dict[str, float]], None]
OnEval = Callable[[int, Policy], float | None]
OnSave = Callable[[], None]

# What states can be compared by, and which is better; HELDOUT is what `on_eval` returns, the others are metrics.
HELDOUT = "heldout"
BETTER: dict[str, Literal["min", "max"]] = {"loss": "min", "accuracy": "max", "margin": "max", HELDOUT: "max"}


@dataclass(frozen=True)
class FitConfig:
    """How a stage trains.

    checkpoint_every  steps between saved states
    eval_every        steps between calls of `on_eval`; 0 for never
    keep_last         newest states kept on disk
    keep_best         a key of BETTER: the best state is kept as well, and its policy is the outcome; "" is the last one
    """

    optimizer: OptimizerConfig
    _: KW_ONLY
    checkpoint_every: int = 200
    eval_every: int = 0
    keep_last: int = 2
    keep_best: str = ""

    def saves(self, step: int, last: int) -> bool:
        """Whether the state after this step is saved: every so often, at the end, and wherever it can be the best."""
        scored = self.keep_best == HELDOUT and self.evaluates(step, last)
        return step % self.checkpoint_every == 0 or step == last or scored

    def evaluates(self, step: int, last: int) -> bool:
        if not self.eval_every:
            return False
        return step % self.eval_every == 0 or (self.keep_best == HELDOUT and step == last)


def fit(
    policy: Policy,
    objective: ObjectiveFn,
    batches: grain.MapDataset,
    cfg: FitConfig,
    mesh: Mesh,
    directory: epath.PathLike,
    on_step: OnStep = lambda step, metrics: None,
    on_eval: OnEval = lambda step, policy: None,
    on_save: OnSave = lambda: None,
) -> Policy:
    """Trains over all of `batches` and returns the policy, the last or the best.

    Goes on from the newest state in `directory`.

    `on_step` receives step and metrics (loss, grad_norm, learning_rate, tokens_per_s, mfu, ...) after the next step was
    dispatched, or before an evaluation and a save. Rates are those of steps alone, without evaluations and what saves
    hold up; the first step, which is compiled, has none. `on_eval` returns a score of the policy, the higher the
    better, or None. `on_save` comes before a state is saved, and is to make sure of what they have written: no step
    before that state is done again.
    Raises UserError where a loss or gradient is no longer finite, with the batch of that step saved in `directory`.
    Raises Stopped, with the state saved, where a signal asked for it (see `itool_jax.stopping`).
    """
    optimizer = make_optimizer(cfg.optimizer)
    policy = policy.replace(params=shard(policy.params, mesh))  # pyright: ignore
    best = BETTER[cfg.keep_best] if cfg.keep_best else ""
    checkpoints = TrainingCheckpoints(directory, keep_last=cfg.keep_last, best=best)
    last = len(batches)
    try:
        state, progress = _begin(policy, optimizer, mesh, checkpoints)
        step_fn = make_train_step(objective, optimizer, state)
        frozen = frozen_part(policy)
        watch = _Watch(cfg.keep_best, progress)
        gauge = Gauge(mesh, policy.config.dtype)
        report = _LateReport(on_step, watch, gauge, directory)
        schedule = jax.jit(cfg.optimizer.rate())
        step, settled, told = int(state.step), progress.settled, False
        iterator = iter(batches[step:].to_iter_dataset(grain.ReadOptions(num_threads=1, prefetch_buffer_size=2)))
        with StopRequest() as stop:
            while step < last or not settled:
                if settled:
                    step += 1
                    batch = next(iterator)
                    placed = shard_batch(batch, mesh, axis=1)
                    with jax.set_mesh(mesh):  # and not for `on_eval`, which may compute on a mesh of its own
                        gauge.look_at(step_fn, objective, state, frozen, placed)
                        state, metrics = step_fn(state, frozen, placed)
                    report.later(step, metrics | {"learning_rate": schedule(step - 1)}, batch)
                wish, score, settled = stop.reached(), None, True
                if cfg.evaluates(step, last):
                    with report.aside():  # its policy goes with the call, so that it holds no state beside the next one
                        wish, score, settled = _evaluate(
                            on_eval, step, policy.with_trainable(state.trainable), stop, wish
                        )
                saves = cfg.saves(step, last)
                if wish or saves:
                    began = time.monotonic()
                    with report.aside():  # a state that came of a loss no longer finite must not be gone on from
                        if saves and settled and cfg.keep_best != HELDOUT:
                            score = watch.score()
                        on_save()
                        checkpoints.save(step, state, watch.progress(settled), score)
                if wish:
                    checkpoints.wait()  # before signals break off what they find
                    took = f"to end and save it took {time.monotonic() - began:.1f} s"
                    note(f"stopped by {wish} after step {step:,} of {last:,}, which is saved in {directory}: {took}")
                    raise Stopped(wish)
                told = told or _tell_write(checkpoints, state)
        checkpoints.wait()
        if not told:
            _tell_write(checkpoints, state)
        if cfg.keep_best and checkpoints.has_best():
            like = abstract_state(state)
            del state  # there is room for one
            state = checkpoints.restore_best(like)
            note(f"the best state by {cfg.keep_best} is that of step {int(state.step):,} of {last:,}")
        elif cfg.keep_best:
            note(f"no state has a score by {cfg.keep_best}: the last one is kept")
    finally:
        checkpoints.close()
    return policy.with_trainable(state.trainable)


def _begin(
    policy: Policy, optimizer: optax.GradientTransformation, mesh: Mesh, checkpoints: TrainingCheckpoints
) -> tuple[TrainState, Progress]:
    """The newest state that is saved, else a fresh one; there is room for one of them."""
    state = init_state(policy, optimizer, mesh)
    note(f"each device holds, beside activations: {training_bytes(policy, state)}")
    if not checkpoints.has_any():
        return state, Progress()
    like = abstract_state(state)
    del state
    return checkpoints.restore(like)


def _evaluate(
    on_eval: OnEval, step: int, policy: Policy, stop: StopRequest, wish: str
) -> tuple[str, float | None, bool]:
    """The wish to stop, the policy's score, and whether the evaluation came to its end."""
    try:
        with stop.raising(wish):
            return wish, on_eval(step, policy), True
    except Stopped as stopped:
        return str(stopped), None, False


def _tell_write(checkpoints: TrainingCheckpoints, state: TrainState) -> bool:
    """Says how long it took to write a state, if one is written: what a stop takes beside the step under way."""
    if (write := checkpoints.written) is None:
        return False
    size = figure(sum(leaf.nbytes for leaf in jax.tree.leaves(state)))
    note(f"the state of step {write.step:,}, {size} in all, was written in {write.seconds:.1f} s")
    return True


class _Watch:
    """The mean of a metric over the steps since states were last compared by it."""

    def __init__(self, name: str, progress: Progress):
        self._name, self._total, self._count = name, progress.total, progress.count

    def add(self, metrics: Mapping[str, float]) -> None:
        if self._name in metrics:
            self._total, self._count = self._total + metrics[self._name], self._count + 1

    def score(self) -> float | None:
        """The mean, which begins anew; None over nothing."""
        mean = self._total / self._count if self._count else None
        self._total, self._count = 0.0, 0
        return mean

    def progress(self, settled: bool) -> Progress:
        return Progress(self._total, self._count, settled)


class _LateReport:
    """Holds a step's metrics until the next step is on its way, so that the device never waits for the host.

    A step lasts from the end of the one before, or of what was done aside, until its own. The first one is compiled on
    its way, and its time says nothing.
    """

    def __init__(self, on_step: OnStep, watch: _Watch, gauge: Gauge, directory: epath.PathLike):
        self._on_step, self._watch, self._gauge, self._directory = on_step, watch, gauge, directory
        self._waiting: tuple[int, dict[str, Any], Any] | None = None
        self._begun: float | None = None  # when the step that waits began, as soon as one has ended

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
        self._watch.add(values)
        now, rate = time.monotonic(), None
        if self._begun is not None:
            rate = 1.0 / max(now - self._begun, 1e-9)
            values |= {"steps_per_s": rate, "tokens_per_s": values["tokens"] * rate}
        self._begun = now
        self._on_step(step, values | self._gauge.read(rate))

    @contextmanager
    def aside(self) -> Iterator[None]:
        """What is done in here is no time of a step: the one on its way ends and is reported first."""
        self.flush()
        try:
            yield
        finally:
            if self._begun is not None:
                self._begun = time.monotonic()
