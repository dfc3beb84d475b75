"""Log-probabilities of packed forests: the one function behind SFT, perplexity and preference losses."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from itool_jax.forest import PackedForest
from itool_jax.models.forest_attention import AncestorMask
from itool_jax.models.policy import Policy
from itool_jax.parallel.mesh import batch_divisor, mesh_of, rows_apart, shard_rows
from itool_jax.parallel.processes import fetched

CHUNK = 256  # tokens of a device whose logits exist at a time


def token_logprobs(policy: Policy, forest: PackedForest, chunk: int = CHUNK) -> Float[Array, "B S"]:
    """log pi given the path before it, f32, of every token that counts (`PackedForest.counted`); others have 0.

    The head reads the tokens that count and no others; on each device the logits of `chunk` of them exist at a time,
    forward and backward.
    """
    hidden_BSD, _ = policy.hidden(forest.tokens, forest.positions, AncestorMask(forest.end))
    B, S = forest.tokens.shape
    counted_BM = jnp.minimum(forest.counted, S - 1)
    before_BM = jnp.take_along_axis(forest.predecessor, counted_BM, axis=1)
    before_BMD = jnp.take_along_axis(hidden_BSD, before_BM[..., None], axis=1)
    tokens_BM = jnp.take_along_axis(forest.tokens, counted_BM, axis=1)
    mesh = jax.sharding.get_abstract_mesh()
    parts = 1 if mesh.empty or B % batch_divisor(mesh) else batch_divisor(mesh)  # one on each device
    each = tokens_BM.size // parts
    chunk = min(chunk, each)

    def in_chunks(x: jax.Array) -> jax.Array:
        x = rows_apart(x.reshape(parts, each, *x.shape[2:]))
        x = jnp.pad(x, ((0, 0), (0, -each % chunk), *((0, 0),) * (x.ndim - 2)))
        return x.reshape(parts, -1, chunk, *x.shape[2:]).swapaxes(0, 1)

    @functools.partial(jax.checkpoint, prevent_cse=False)
    def read(_, piece):
        hidden, token = piece
        logits = policy.logits(rows_apart(hidden))
        picked = jnp.take_along_axis(logits, token[..., None], axis=-1)[..., 0]
        return None, picked - jax.nn.logsumexp(logits, axis=-1)

    _, found = jax.lax.scan(read, None, (in_chunks(before_BMD), in_chunks(tokens_BM)))
    found_BM = found.swapaxes(0, 1).reshape(parts, -1)[:, :each].reshape(tokens_BM.shape)
    nothing_S = jnp.zeros(S, found.dtype)
    return jax.vmap(lambda place, value: nothing_S.at[place].set(value, mode="drop"))(forest.counted, found_BM)


def completion_sums(logprobs_BS: Float[Array, "B S"], forest: PackedForest) -> tuple[Array, Array]:
    """Summed log-probability and length in tokens of every completion, both [B, C]; 0 and 0 for unused ones."""
    R = forest.select.shape[2]

    def by_node(values_S, node_S):
        return jax.ops.segment_sum(values_S, node_S, num_segments=R)

    sums_BR = jax.vmap(by_node)(logprobs_BS, forest.node)
    counts_BR = jax.vmap(by_node)(jnp.ones_like(logprobs_BS), forest.node)
    total = functools.partial(jnp.einsum, "BCR,BR->BC", forest.select)
    return total(sums_BR), total(counts_BR)


@jax.jit
def forest_logprobs(policy: Policy, forest: PackedForest) -> Array:
    """`token_logprobs` of a batch, forward only."""
    return token_logprobs(policy, forest)


@jax.jit
def score_forest(policy: Policy, forest: PackedForest) -> tuple[Array, Array]:
    """Summed log-probability and length of every completion of a batch, forward only."""
    return completion_sums(token_logprobs(policy, forest), forest)


def score_rows(policy: Policy, forest: PackedForest) -> tuple[np.ndarray, np.ndarray]:
    """`score_forest` of host arrays, on the host again; of several processes each gives all rows and gets all sums."""
    return _on_rows(score_forest, policy, forest)


def logprob_rows(policy: Policy, forest: PackedForest) -> np.ndarray:
    """`forest_logprobs` of host arrays, likewise."""
    return _on_rows(forest_logprobs, policy, forest)


def _on_rows(function: Callable[[Policy, PackedForest], Any], policy: Policy, forest: PackedForest) -> Any:
    """A function of a batch, whose rows lie over the mesh of the weights where they divide."""
    mesh = mesh_of(policy.params)
    if mesh is not None and len(forest.tokens) % batch_divisor(mesh) == 0:
        forest = shard_rows(forest, mesh)
    with nullcontext() if mesh is None else jax.set_mesh(mesh):
        found = function(policy, forest)
    return jax.tree.map(fetched, found)
