"""A run's policy and its layout without any array: shapes, dtypes and shardings on devices that need not exist."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import numpy as np
from etils import epath
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P
from ml_collections import ConfigDict

from itool_jax.models.config import require_same_model
from itool_jax.models.loading import shape_of
from itool_jax.models.policy import Policy, init_policy
from itool_jax.models.presets import PRESETS
from itool_jax.models.quantize import quantize_params
from itool_jax.parallel.mesh import AXES, BATCH, AnyMesh, shardings
from itool_jax.plan.target import packed_bytes
from itool_jax.rounds.base_model import base_shape, configured, in_dtype
from itool_jax.training.memory import dtype_bits


def abstract_policy(config: ConfigDict) -> Policy:
    """The policy that a run of this config starts from, its leaves ShapeDtypeStructs."""
    cfg = replace(base_shape(config.model), vocab_size=vocabulary(config))

    def make() -> Policy:
        policy = in_dtype(init_policy(cfg, config.seed), cfg.dtype)
        if kind := config.model.quantize:
            policy = policy.replace(params=quantize_params(policy.params, kind))  # pyright: ignore
        return configured(config, policy)

    return jax.eval_shape(make)


def require_own_weights(cfg: ConfigDict) -> None:
    """Raises UserError, as a run would, where `config.model.checkpoint` holds another model than the config asks for.

    Names on the hub are not looked up.
    """
    if cfg.checkpoint in PRESETS or (cfg.checkpoint and epath.Path(cfg.checkpoint).exists()):
        require_same_model(shape_of(cfg.checkpoint), base_shape(cfg), cfg.checkpoint)


def vocabulary(config: ConfigDict) -> int:
    """Tokens that the embedding holds: the base's with a checkpoint or tokenizer, else those to be trained."""
    given = config.model.checkpoint or config.model.tokenizer or config.data.prepared
    return base_shape(config.model).vocab_size if given else config.model.vocab_size


def laid_out(tree: Any, mesh: AnyMesh, only: tuple[str, ...] = AXES) -> Any:
    """A tree of parameters as `parallel.mesh.shard` would lay it out."""
    return jax.tree.map(_with_sharding, tree, shardings(tree, mesh, only))


def laid_out_policy(policy: Policy, mesh: AnyMesh, only: tuple[str, ...] = AXES) -> Policy:
    """A policy whose parameters and adapters lie over the mesh, or over some axes of it."""
    return policy.replace(  # pyright: ignore[reportAttributeAccessIssue]
        params=laid_out(policy.params, mesh, only), adapters=laid_out(policy.adapters, mesh, only)
    )


def rows(batch: Any, mesh: AnyMesh, axis: int = 0) -> Any:
    """Host arrays as a batch with dimension `axis` over (data, fsdp), or on every device where that does not divide."""
    size = mesh.shape["data"] * mesh.shape["fsdp"]

    def one(array: np.ndarray) -> jax.ShapeDtypeStruct:
        spec = P(*[None] * axis, BATCH) if array.shape[axis] % size == 0 else P()
        return _with_sharding(array, NamedSharding(mesh, spec))

    return jax.tree.map(one, batch)


def everywhere(array: Any, mesh: AnyMesh) -> jax.ShapeDtypeStruct:
    """A host array or number that every device has."""
    return _with_sharding(array, NamedSharding(mesh, P()))


def per_device(tree: Any, bytes_of: Callable[[tuple[int, ...], int], int] = packed_bytes) -> int:
    """Bytes of a laid-out tree on each device; `bytes_of` says what a shape of so many bits each takes there."""
    return sum(bytes_of(shard_shape(leaf), dtype_bits(leaf.dtype)) for leaf in jax.tree.leaves(tree))


def shard_shape(leaf: Any) -> tuple[int, ...]:
    """The shape of a laid-out leaf on each device."""
    return leaf.shape if leaf.sharding is None else leaf.sharding.shard_shape(leaf.shape)


def _with_sharding(leaf: Any, sharding: NamedSharding) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding)
