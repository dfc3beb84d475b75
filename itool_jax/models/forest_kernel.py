"""Attention under the ancestor mask as Pallas kernels for TPUs; see forest_attention.py.

A kernel's grid is (rows, KV heads, pairs of a block of queries and one of keys), the pairs on and below the diagonal.
All query heads of a KV head go together, so keys and values are read once for them. The mask is made in the kernel
from the keys' ends: nothing of the size of the scores is ever in HBM, not even bits. What pairs a row needs is known
ahead, from SMEM: the others compute nothing, and what they would read is not fetched.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu

from itool_jax.models.forest_blocks import block_size, padded, padded_ends, seen_blocks

LANES = 128  # of a TPU's registers; sizes of blocks are multiples of it
_VMEM = 32 * 2**20  # bytes that a kernel may take: a v5e has four times as many, a v5p at least twice
_MASKED = -0.7 * float(jnp.finfo(jnp.float32).max)  # less another number it is still finite


class _Pairs(NamedTuple):
    """The pairs of blocks in the order of the grid, an outer block with all its inner ones, the diagonal's first.

    outer    int32 [P]
    inner    int32 [P]
    fetched  int32 [B, P]  the inner block that is in memory meanwhile: another one where the row does not need the pair
    """

    outer: Any
    inner: Any
    fetched: jax.Array


def forward(
    q_BKGSH: jax.Array,
    k_BKSH: jax.Array,
    v_BKSH: jax.Array,
    end_BS: jax.Array,
    *,
    block: int | None = None,
    interpret: bool = False,
) -> tuple[jax.Array, jax.Array]:
    """Mixtures [B, K, G, S, H] and the log-sum-exps [B, K, G, S] of their scores, in f32."""
    G, S, H = q_BKGSH.shape[2:]
    size = block_size(S, block or kernel_block(G), LANES)
    q, k, v = padded(q_BKGSH, 3, size), padded(k_BKSH, 2, size), padded(v_BKSH, 2, size)
    end = padded_ends(end_BS, size)
    outer, inner = _places(G, size, H)
    out, lse = _call(
        _mix, _query_by_query(end, size), (q, k, v, end[:, None]),
        (outer.queries, inner.keys, inner.keys, inner.ends),
        (_like(q, jnp.float32), jax.ShapeDtypeStruct(q.shape[:-1], jnp.float32)), (outer.queries, outer.numbers),
        ((G, size, H), (G, size, LANES), (G, size, LANES)), interpret,
    )  # fmt: skip
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
    block: int | None = None,
    interpret: bool = False,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The gradients by q, k and v; `delta` is each mixture's product with its gradient, in f32.

    One kernel sums over keys and one over queries; both compute the probabilities again.
    """
    G, S, H = q_BKGSH.shape[2:]
    size = block_size(S, block or kernel_block(G), LANES)
    q, d_out, lse, delta = (padded(x, 3, size) for x in (q_BKGSH, d_out_BKGSH, lse_BKGS, delta_BKGS))
    k, v, end = padded(k_BKSH, 2, size), padded(v_BKSH, 2, size), padded_ends(end_BS, size)
    arrays = (q, k, v, end[:, None], lse, d_out, delta)
    outer, inner = _places(G, size, H)
    (dq,) = _call(
        _sum_over_keys, _query_by_query(end, size), arrays,
        (outer.queries, inner.keys, inner.keys, inner.ends, outer.numbers, outer.queries, outer.numbers),
        (_like(q),), (outer.queries,), ((G, size, H), (G, size, LANES), (G, size, LANES)), interpret,
    )  # fmt: skip
    dk, dv = _call(
        _sum_over_queries, _key_by_key(end, size), arrays,
        (inner.queries, outer.keys, outer.keys, outer.ends, inner.numbers, inner.queries, inner.numbers),
        (_like(k), _like(v)), (outer.keys, outer.keys), ((size, H), (size, H), (size, LANES)), interpret,
    )  # fmt: skip
    return dq[..., :S, :], dk[:, :, :S], dv[:, :, :S]


def kernel_block(group: int) -> int:
    """Queries and keys of a block at most, so that VMEM holds what the queries of all `group` heads need."""
    return min(512, max(2048 // group // LANES, 1) * LANES)


def _like(x: jax.Array, dtype: Any = None) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(x.shape, dtype or x.dtype)


def _call(
    kernel: Callable,
    pairs: _Pairs,
    arrays: Sequence[jax.Array],
    in_specs: Sequence[pl.BlockSpec],
    out_shape: Sequence[jax.ShapeDtypeStruct],
    out_specs: Sequence[pl.BlockSpec],
    scratch: Sequence[tuple[int, ...]],
    interpret: bool,
) -> Sequence[jax.Array]:
    B, K = arrays[0].shape[:2]
    return pl.pallas_call(
        kernel,
        grid_spec=pltpu.PrefetchScalarGridSpec(
            num_scalar_prefetch=len(pairs),
            grid=(B, K, len(pairs.outer)),
            in_specs=in_specs,
            out_specs=out_specs,
            scratch_shapes=[pltpu.VMEM(shape, jnp.float32) for shape in scratch],
        ),
        out_shape=out_shape,
        compiler_params=pltpu.CompilerParams(
            dimension_semantics=("parallel", "parallel", "arbitrary"), vmem_limit_bytes=_VMEM
        ),
        interpret=interpret,
    )(*pairs, *arrays)


def _query_by_query(end_BS: jax.Array, size: int) -> _Pairs:
    """Each block of queries with those of keys, from the diagonal down to the first."""
    seen_BIJ, n = seen_blocks(end_BS, size), end_BS.shape[1] // size
    i, j = np.tril_indices(n)
    j = i - j
    # The one that the next pair needs, so that it is there in time; after the last, the last.
    below_BIJ = jax.lax.cummax(jnp.where(seen_BIJ, jnp.arange(n), -1), axis=2)
    fetched_BP = jnp.where(below_BIJ < 0, jnp.argmax(seen_BIJ, 2)[:, :, None], below_BIJ)[:, i, j]
    return _Pairs(*_int32(i, j, fetched_BP))


def _key_by_key(end_BS: jax.Array, size: int) -> _Pairs:
    """Each block of keys with those of queries, from the diagonal up to the last."""
    B, S = end_BS.shape
    j, i = np.triu_indices(S // size)
    last_BJ = (end_BS.reshape(B, -1, size).max(-1) - 1) // size
    return _Pairs(*_int32(j, i, jnp.minimum(i, last_BJ[:, j])))


def _int32(*arrays: Any) -> tuple[jax.Array, ...]:
    return tuple(jnp.asarray(array, jnp.int32) for array in arrays)


class _Places(NamedTuple):
    """What a pair has in memory of arrays [B, K, G, S, H], [B, K, G, S], [B, K, S, H] and [B, 1, S]."""

    queries: pl.BlockSpec
    numbers: pl.BlockSpec
    keys: pl.BlockSpec
    ends: pl.BlockSpec


def _places(G: int, size: int, H: int) -> tuple[_Places, _Places]:
    """Those of the outer block of a pair and of the inner one."""

    def places(block: Callable) -> _Places:
        return _Places(
            pl.BlockSpec((None, None, G, size, H), lambda b, h, p, *pairs: (b, h, 0, block(b, p, *pairs), 0)),
            pl.BlockSpec((None, None, G, size), lambda b, h, p, *pairs: (b, h, 0, block(b, p, *pairs))),
            pl.BlockSpec((None, None, size, H), lambda b, h, p, *pairs: (b, h, block(b, p, *pairs), 0)),
            pl.BlockSpec((None, 1, size), lambda b, h, p, *pairs: (b, 0, block(b, p, *pairs))),
        )

    return (
        places(lambda b, p, outer, inner, fetched: outer[p]),
        places(lambda b, p, outer, inner, fetched: fetched[b, p]),
    )


class _Now(NamedTuple):
    """Where the grid is: the pair's blocks, and what is to be done."""

    outer: Any
    inner: Any
    first: Any
    needed: Any
    last: Any


def _now(outer: Any, inner: Any, fetched: Any) -> _Now:
    """The last pair of an outer block is before another outer block, or the last of all."""
    b, p = pl.program_id(0), pl.program_id(2)
    after = jnp.minimum(p + 1, outer.shape[0] - 1)
    last = (p == after) | (outer[after] != outer[p])
    return _Now(outer[p], inner[p], outer[p] == inner[p], fetched[b, p] == inner[p], last)


def _mix(outer, inner, fetched, q, k, v, end, out, lse, mixed, highest, total) -> None:
    """The online softmax of a block of queries, over its blocks of keys."""
    now, (G, size, _) = _now(outer, inner, fetched), q.shape

    @pl.when(now.first)
    def _():
        mixed[...] = jnp.zeros_like(mixed)
        highest[...] = jnp.full_like(highest, _MASKED)
        total[...] = jnp.zeros_like(total)

    @pl.when(now.needed)
    def _():
        seen = _seen(_places_of(now.outer, size, 0), _places_of(now.inner, size, 1), end[...])
        for g in range(G):
            scores = jnp.where(seen, _dot_transposed(q[g], k[...]), _MASKED)
            higher = jnp.maximum(highest[g], scores.max(1, keepdims=True))
            weights, kept = jnp.exp(scores - higher[:, :1]), jnp.exp(highest[g] - higher)
            mixed[g] = mixed[g] * kept[:, :1] + _dot(weights.astype(v.dtype), v[...])
            total[g] = total[g] * kept + weights.sum(1, keepdims=True)
            highest[g] = higher

    @pl.when(now.last)
    def _():
        for g in range(G):
            out[g] = mixed[g] / total[g][:, :1]
            lse[g : g + 1] = (highest[g] + jnp.log(total[g])).T[:1]


def _sum_over_keys(outer, inner, fetched, q, k, v, end, lse, d_out, delta, dq, sums, lse_column, delta_column) -> None:
    """The gradient by a block of queries."""
    now, (G, size, _) = _now(outer, inner, fetched), q.shape

    @pl.when(now.first)
    def _():
        sums[...] = jnp.zeros_like(sums)
        for g in range(G):
            lse_column[g], delta_column[g] = _column(lse[g : g + 1]), _column(delta[g : g + 1])

    @pl.when(now.needed)
    def _():
        seen = _seen(_places_of(now.outer, size, 0), _places_of(now.inner, size, 1), end[...])
        for g in range(G):
            weights = jnp.exp(jnp.where(seen, _dot_transposed(q[g], k[...]), _MASKED) - lse_column[g][:, :1])
            d_scores = weights * (_dot_transposed(d_out[g], v[...]) - delta_column[g][:, :1])
            sums[g] += _dot(d_scores.astype(k.dtype), k[...])

    @pl.when(now.last)
    def _():
        dq[...] = sums[...].astype(dq.dtype)


def _sum_over_queries(
    outer, inner, fetched, q, k, v, end, lse, d_out, delta, dk, dv, k_sums, v_sums, end_column
) -> None:
    """The gradients by a block of keys and its values; scores are held transposed, keys by queries."""
    now, (G, size, _) = _now(outer, inner, fetched), q.shape

    @pl.when(now.first)
    def _():
        k_sums[...], v_sums[...] = jnp.zeros_like(k_sums), jnp.zeros_like(v_sums)
        end_column[...] = _column(end[...].astype(jnp.float32))  # exact up to 2^24 tokens

    @pl.when(now.needed)
    def _():
        ends = end_column[:, :1].astype(jnp.int32)
        seen = _seen(_places_of(now.inner, size, 1), _places_of(now.outer, size, 0), ends)
        for g in range(G):
            weights = jnp.exp(jnp.where(seen, _dot_transposed(k[...], q[g]), _MASKED) - lse[g : g + 1])
            v_sums[...] += _dot(weights.astype(d_out.dtype), d_out[g])
            d_scores = weights * (_dot_transposed(v[...], d_out[g]) - delta[g : g + 1])
            k_sums[...] += _dot(d_scores.astype(q.dtype), q[g])

    @pl.when(now.last)
    def _():
        dk[...], dv[...] = k_sums[...].astype(dk.dtype), v_sums[...].astype(dv.dtype)


def _places_of(block: Any, size: int, axis: int) -> jax.Array:
    """Where in the row the tokens of a block stand, along an axis of the scores."""
    return block * size + jax.lax.broadcasted_iota(jnp.int32, (size, size), axis)


def _seen(queries: jax.Array, keys: jax.Array, ends: jax.Array) -> jax.Array:
    return (keys <= queries) & (queries < ends)


def _column(row: jax.Array) -> jax.Array:
    """[1, size] -> [size, LANES], the same in all lanes."""
    return jnp.broadcast_to(row, (LANES, row.shape[1])).T


def _dot(a: jax.Array, b: jax.Array) -> jax.Array:
    return jax.lax.dot(a, b, preferred_element_type=jnp.float32)


def _dot_transposed(a: jax.Array, b: jax.Array) -> jax.Array:
    """a b^T."""
    return jax.lax.dot_general(a, b, (((1,), (1,)), ((), ())), preferred_element_type=jnp.float32)
