"""The jitted, sharded training step and its optimiser."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import struct
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from itool_jax.models.policy import Policy
from itool_jax.parallel import mesh as meshes
from itool_jax.training.objectives import ObjectiveFn

PyTree = Any


@dataclass(frozen=True)
class OptimizerConfig:
    """AdamW or Adafactor; the rate rises over `warmup_fraction` of the steps, then follows the schedule.

    optimizer    "adamw" or "adafactor"
    schedule     "cosine" or "linear" down to 0 at the last step, or "constant"
    master_copy  keep f32 weights in the optimiser's state, of which those trained in bf16 are a rounding
    """

    learning_rate: float
    _: KW_ONLY
    steps: int
    warmup_fraction: float = 0.1
    weight_decay: float = 0.0
    clip: float = 1.0
    b2: float = 0.95
    master_copy: bool = False
    optimizer: str = "adamw"
    schedule: str = "cosine"

    def rate(self) -> optax.Schedule:
        """The learning rate by the count of steps done before."""
        warmup = min(self.steps - 1, max(1, round(self.warmup_fraction * self.steps))) if self.steps > 1 else 0
        peak, left = self.learning_rate, max(self.steps - warmup, 1)
        after = {
            "cosine": lambda: optax.cosine_decay_schedule(peak, left),
            "linear": lambda: optax.linear_schedule(peak, 0.0, left),
            "constant": lambda: optax.constant_schedule(peak),
        }
        if self.schedule not in after:
            raise ValueError(f"unknown schedule {self.schedule!r}: expected one of {', '.join(after)}")
        rising = optax.linear_schedule(peak / max(warmup, 1), peak, warmup)  # the first step moves too
        return optax.join_schedules([rising, after[self.schedule]()], [warmup])


def make_optimizer(cfg: OptimizerConfig) -> optax.GradientTransformation:
    """Clipping by global norm (0 does not clip), then AdamW or Adafactor; norms' scales and biases are not decayed."""
    rules = {"adamw": _adamw, "adafactor": _adafactor}
    if cfg.optimizer not in rules:
        raise ValueError(f"unknown optimizer {cfg.optimizer!r}: expected one of {', '.join(rules)}")
    clip = optax.clip_by_global_norm(cfg.clip) if cfg.clip else optax.identity()
    optimizer = optax.chain(clip, rules[cfg.optimizer](cfg))
    return with_master_copy(optimizer) if cfg.master_copy else optimizer


def _adamw(cfg: OptimizerConfig) -> optax.GradientTransformation:
    return optax.adamw(cfg.rate(), b2=cfg.b2, weight_decay=cfg.weight_decay, mask=_decayed)


def _adafactor(cfg: OptimizerConfig) -> optax.GradientTransformation:
    """Adafactor without a first moment, Shazeer and Stern 2018 (arXiv 1804.04235), algorithm 4.

    As AdamW's, the rate is that of a step in weights and not relative to their size, and weight decay is multiplied by
    it: optax.adafactor would decay by its rate alone. Second moments of matrices are kept as sums over their two
    longest dimensions, where both have 128 at least.
    """
    return optax.chain(
        optax.scale_by_factored_rms(),
        optax.clip_by_block_rms(1.0),
        optax.add_decayed_weights(cfg.weight_decay, mask=_decayed),
        optax.scale_by_learning_rate(cfg.rate()),
    )


def _decayed(tree: PyTree) -> PyTree:
    return jax.tree_util.tree_map_with_path(lambda path, _: path[-1].key not in ("scale", "bias"), tree)


class MasterCopy(NamedTuple):
    """f32 weights, and the state of the optimiser that moves them."""

    weights: PyTree
    inner: PyTree


def with_master_copy(optimizer: optax.GradientTransformation) -> optax.GradientTransformation:
    """The optimiser on an f32 copy of the weights, so that updates below bf16's spacing add up; its updates move the
    trained weights to the rounding of that copy."""

    def init(weights: PyTree) -> MasterCopy:
        return MasterCopy(in_f32(weights), optimizer.init(in_f32(weights)))

    def update(gradient: PyTree, state: MasterCopy, weights: PyTree) -> tuple[PyTree, MasterCopy]:
        updates, inner = optimizer.update(gradient, state.inner, state.weights)
        moved = optax.apply_updates(state.weights, updates)
        return jax.tree.map(jnp.subtract, moved, in_f32(weights)), MasterCopy(moved, inner)

    return optax.GradientTransformation(init, update)  # pyright: ignore[reportArgumentType]


def in_f32(tree: PyTree) -> PyTree:
    """The tree with at least f32's precision."""
    return jax.tree.map(lambda leaf: leaf.astype(jnp.promote_types(leaf.dtype, jnp.float32)), tree)


@struct.dataclass
class TrainState:
    """What a step changes: the trainable tree, the optimiser's moments over it, and the count of steps done."""

    trainable: PyTree
    moments: PyTree
    step: jax.Array


def init_state(policy: Policy, optimizer: optax.GradientTransformation, mesh: Mesh) -> TrainState:
    """A fresh state laid out over the mesh; moments are f32 and lie as their parameters do.

    The trainable tree is copied: the step donates it, and the policy stays usable.
    """
    trainable = jax.tree.map(jnp.copy, meshes.shard(policy.trainable, mesh))
    init = lambda trainable: optimizer.init(in_f32(trainable))
    moments = jax.eval_shape(init, trainable)
    moments = jax.jit(init, out_shardings=meshes.shardings(moments, mesh))(trainable)
    return TrainState(trainable, moments, jax.device_put(jnp.zeros((), jnp.int32), NamedSharding(mesh, P())))


def make_train_step(objective: ObjectiveFn, optimizer: optax.GradientTransformation, initial: TrainState):
    """A function (state, frozen policy, batch [A, B, ...]) -> (state, metrics), with the state donated.

    States come out laid out as `initial` is: were the compiler to choose, the second step would compile again.
    The batch's leading axis A accumulates: gradients and losses are sums over all A parts divided by the sum of
    weights, so every token (or pair) counts the same wherever it lies. A metric without weight in a batch is nan.
    """

    def step(state: TrainState, frozen: Policy, batch: PyTree) -> tuple[TrainState, dict[str, jax.Array]]:
        wide = _summed_in_f32(state.trainable)

        def part_total(trainable, part):
            result = objective(frozen.with_trainable(trainable), part)
            return result.total, result

        def accumulate(gradient, part):
            (_, result), more = jax.value_and_grad(part_total, has_aux=True)(wide, part)
            return jax.tree.map(jnp.add, gradient, more), result

        zero = jax.tree.map(jnp.zeros_like, in_f32(state.trainable))
        gradient, results = jax.lax.scan(accumulate, zero, batch)
        results = jax.tree.map(lambda x: x.sum(0), results)
        weight = jnp.maximum(results.weight, 1e-8)
        gradient = jax.tree.map(lambda g: g / weight, gradient)
        updates, moments = optimizer.update(gradient, state.moments, in_f32(state.trainable))
        metrics = {
            "loss": results.total / weight,
            "weight": results.weight,
            "tokens": results.tokens,
            "grad_norm": optax.global_norm(gradient),
        }
        metrics |= {name: mean.total / mean.weight for name, mean in results.metrics.items()}
        trainable = optax.apply_updates(state.trainable, updates)
        trainable = jax.tree.map(lambda new, old: new.astype(old.dtype), trainable, state.trainable)
        return TrainState(trainable, moments, state.step + 1), metrics

    layout = jax.tree.map(lambda leaf: leaf.sharding, initial)
    return jax.jit(step, donate_argnums=0, out_shardings=(layout, None))


def frozen_part(policy: Policy) -> Policy:
    """The policy without what training changes, as the step's second argument."""
    if policy.adapters is not None:
        return policy.replace(adapters={})  # pyright: ignore
    return policy.replace(params={name: policy.params[name] for name in policy.frozen})  # pyright: ignore


def _summed_in_f32(trainable: PyTree) -> PyTree:
    """bf16 weights as they are differentiated: the embedding and the head in f32, since their gradients are sums over
    tokens and chunks, and a sum in bf16 stops growing at 256 times its terms; a kernel's is one product."""
    return {name: part if name == "layers" else in_f32(part) for name, part in trainable.items()}
