"""Attention under the ancestor mask, block by block in plain JAX; see forest_attention.py."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

BLOCK = 512  # queries and keys of a block at most


def block_size(tokens: int, most: int, multiple: int = 1) -> int:
    """The size, a multiple of `multiple`, of equal blocks that fill a row: as few as there can be of at most `most`."""
    size = -(-tokens // -(-tokens // most))
    return -(-size // multiple) * multiple


def padded(array: jax.Array, axis: int, size: int) -> jax.Array:
    """Zeros after an axis, so that blocks of this size fill it."""
    widths = [(0, 0)] * array.ndim
    widths[axis] = (0, -array.shape[axis] % size)
    return jnp.pad(array, widths) if widths[axis][1] else array


def padded_ends(end_BS: jax.Array, size: int) -> jax.Array:
    """The same of ends, where padding sees itself."""
    S = end_BS.shape[1]
    padding = jnp.arange(S, S + -S % size, dtype=end_BS.dtype) + 1
    return jnp.concatenate([end_BS, jnp.broadcast_to(padding, (len(end_BS), padding.size))], 1)


def seen_blocks(end_BS: jax.Array, size: int) -> jax.Array:
    """Whether any query of block i sees any key of block j: bool [B, n, n] by b, i, j."""
    B, S = end_BS.shape
    block = jnp.arange(S // size)
    last_BJ = end_BS.reshape(B, -1, size).max(-1)
    return (block[None, :] <= block[:, None]) & (last_BJ[:, None, :] > block[:, None] * size)


def forward(
    q_BKGSH: jax.Array, k_BKSH: jax.Array, v_BKSH: jax.Array, end_BS: jax.Array, *, block: int = BLOCK
) -> tuple[jax.Array, jax.Array]:
    """Mixtures [B, K, G, S, H] and the log-sum-exps [B, K, G, S] of their scores, in f32 or wider."""
    B, K, G, S, H = q_BKGSH.shape
    size, wide = block_size(S, block), jnp.promote_types(q_BKGSH.dtype, jnp.float32)
    q, k, v = padded(q_BKGSH, 3, size), padded(k_BKSH, 2, size), padded(v_BKSH, 2, size)
    end = padded_ends(end_BS, size)
    start = (
        jnp.zeros((B, K, G, size, H), wide),
        jnp.full((B, K, G, size), -jnp.inf, wide),
        jnp.zeros((B, K, G, size), wide),
    )

    def update(i: Any, j: Any, state: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        mixed, highest, total = state
        scores = _scores(_block(q, 3, i, size), _block(k, 2, j, size), _block(end, 1, j, size), i, j, wide)
        higher = jnp.maximum(highest, scores.max(-1))
        weights, kept = jnp.exp(scores - higher[..., None]), jnp.exp(highest - higher)
        more = _product("BKGIJ,BKJH->BKGIH", weights.astype(v.dtype), _block(v, 2, j, size), wide)
        return mixed * kept[..., None] + more, higher, total * kept + weights.sum(-1)

    def step(carry: tuple, pair: tuple) -> tuple[tuple, None]:
        out, lse, state = carry
        i, j, seen = pair
        state = jax.tree.map(partial(jnp.where, i == j), start, state)
        state = jax.lax.cond(seen, partial(update, i, j), lambda state: state, state)
        mixed, highest, total = state
        out = _put(out, mixed / total[..., None], 3, i)
        return (out, _put(lse, highest + jnp.log(total), 3, i), state), None

    nothing = jnp.zeros(q.shape, wide), jnp.zeros(q.shape[:-1], wide), start
    (out, lse, _), _ = jax.lax.scan(step, nothing, _pairs(end, size))
    return out[..., :S, :], lse[..., :S]


def backward(
    q_BKGSH: jax.Array,
    k_BKSH: jax.Array,
    v_BKSH: jax.Array,
    lse_BKGS: jax.Array,
    d_out_BKGSH: jax.Array,
    delta_BKGS: jax.Array,
    end_BS: jax.Array,
    *,
    block: int = BLOCK,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The gradients by q, k and v; `delta` is each mixture's product with its gradient, in the width of `lse`."""
    S, wide = q_BKGSH.shape[3], lse_BKGS.dtype
    size = block_size(S, block)
    q, d_out, lse, delta = (padded(x, 3, size) for x in (q_BKGSH, d_out_BKGSH, lse_BKGS, delta_BKGS))
    k, v, end = padded(k_BKSH, 2, size), padded(v_BKSH, 2, size), padded_ends(end_BS, size)

    def update(i: Any, j: Any, sums: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        dq, dk, dv = sums
        q_i, d_out_i = _block(q, 3, i, size), _block(d_out, 3, i, size)
        k_j, v_j = _block(k, 2, j, size), _block(v, 2, j, size)
        scores = _scores(q_i, k_j, _block(end, 1, j, size), i, j, wide)
        weights = jnp.exp(scores - _block(lse, 3, i, size)[..., None])
        d_weights = _product("BKGIH,BKJH->BKGIJ", d_out_i, v_j, wide)
        d_scores = (weights * (d_weights - _block(delta, 3, i, size)[..., None])).astype(q.dtype)
        return (
            dq + _product("BKGIJ,BKJH->BKGIH", d_scores, k_j, wide),
            dk + _product("BKGIJ,BKGIH->BKJH", d_scores, q_i, wide),
            dv + _product("BKGIJ,BKGIH->BKJH", weights.astype(q.dtype), d_out_i, wide),
        )

    def step(sums: tuple, pair: tuple) -> tuple[tuple, None]:
        i, j, seen = pair
        places = ((3, i), (2, j), (2, j))
        own = tuple(_block(x, axis, at, size) for x, (axis, at) in zip(sums, places, strict=True))
        own = jax.lax.cond(seen, partial(update, i, j), lambda own: own, own)
        return tuple(_put(x, part, *place) for x, part, place in zip(sums, own, places, strict=True)), None

    zeros = tuple(jnp.zeros(x.shape, wide) for x in (q, k, v))
    (dq, dk, dv), _ = jax.lax.scan(step, zeros, _pairs(end, size))
    dtype = q.dtype
    return dq[..., :S, :].astype(dtype), dk[:, :, :S].astype(dtype), dv[:, :, :S].astype(dtype)


def _pairs(end_BS: jax.Array, size: int) -> tuple[np.ndarray, np.ndarray, jax.Array]:
    """Blocks of queries and of keys, query by query from the diagonal down, and whether any row needs them."""
    i, j = np.tril_indices(end_BS.shape[1] // size)
    j = i - j
    return i, j, seen_blocks(end_BS, size).any(0)[i, j]


def _scores(q: jax.Array, k: jax.Array, end_BJ: jax.Array, i: Any, j: Any, wide: Any) -> jax.Array:
    scores = _product("BKGIH,BKJH->BKGIJ", q, k, wide)
    place = jnp.arange(end_BJ.shape[1])
    query, key = i * place.size + place[:, None], j * place.size + place
    seen_BIJ = (key <= query) & (query < end_BJ[:, None, :])
    return jnp.where(seen_BIJ[:, None, None], scores, jnp.finfo(wide).min)


def _product(pattern: str, a: jax.Array, b: jax.Array, wide: Any) -> jax.Array:
    return jnp.einsum(pattern, a, b, preferred_element_type=wide)


def _block(array: jax.Array, axis: int, index: Any, size: int) -> jax.Array:
    return jax.lax.dynamic_slice_in_dim(array, index * size, size, axis)


def _put(array: jax.Array, block: jax.Array, axis: int, index: Any) -> jax.Array:
    return jax.lax.dynamic_update_slice_in_dim(array, block, index * block.shape[axis], axis)
