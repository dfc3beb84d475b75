"""Attention of whole rows under the ancestor mask: no array of all scores exists, forward or backward.

Softmax goes block by block (Milakov and Gimelshein 2018; Rabe and Staats 2021), and the backward pass computes the
probabilities of a block again from the log-sum-exps of its queries (Dao et al. 2022), so memory is linear in a row's
length. Blocks of which no query sees anything are left out: those above the diagonal in any case, and those of other
trees and of other branches. The blocks are computed by the TPU's kernel (forest_kernel.py) or in plain JAX
(forest_blocks.py).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import lcm
from types import ModuleType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Bool, Int

from itool_jax.models import forest_blocks
from itool_jax.parallel.mesh import BATCH, batch_divisor


class AncestorMask(NamedTuple):
    """Token i of a row sees token j iff j <= i < end[j]: its own past, its ancestors, nothing of others.

    end  one past the last token of the subtree under j's segment, as in `PackedForest`; j < end[j]
    """

    end: Int[Array, "B S"]

    def dense(self) -> Bool[Array, "B S S"]:
        """The same as an array of every query with every key."""
        i = jnp.arange(self.end.shape[1])
        return (i[None, None, :] <= i[None, :, None]) & (i[None, :, None] < self.end[:, None, :])


def causal(rows: int, tokens: int) -> AncestorMask:
    """Every row one chain."""
    return AncestorMask(jnp.full((rows, tokens), tokens, jnp.int32))


def attend_forest(
    q_BSNH: jax.Array, k_BSKH: jax.Array, v_BSKH: jax.Array, mask: AncestorMask, how: str = ""
) -> jax.Array:
    """Grouped-query attention [B, S, N, H] under the ancestor mask, softmax in f32 or wider; queries come scaled.

    how  "blockwise" or "tpu"; "" is the TPU's kernel on TPUs and blockwise elsewhere
    Rows lie over (data, fsdp) of the mesh that is set and heads over tensor, where they divide.
    """
    B, S, N, H = q_BSNH.shape
    k_BKSH, v_BKSH = (_shareable(x.swapaxes(1, 2), N) for x in (k_BSKH, v_BSKH))
    K = k_BKSH.shape[1]
    q_BKGSH = q_BSNH.reshape(B, S, K, N // K, H).transpose(0, 2, 3, 1, 4)
    out_BKGSH: jax.Array = _attention(how, q_BKGSH, k_BKSH, v_BKSH, mask.end)  # pyright: ignore
    return out_BKGSH.transpose(0, 3, 1, 2, 4).reshape(B, S, N, H)


def _shareable(x_BKSH: jax.Array, heads: int) -> jax.Array:
    """KV heads, each as often as it takes for them to lie over tensor where the heads do."""
    mesh, kv_heads = jax.sharding.get_abstract_mesh(), x_BKSH.shape[1]
    wide = 1 if mesh.empty else lcm(kv_heads, mesh.shape["tensor"])
    return x_BKSH if heads % wide or wide <= kv_heads else jnp.repeat(x_BKSH, wide // kv_heads, axis=1)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _attention(how: str, q: jax.Array, k: jax.Array, v: jax.Array, end: jax.Array) -> jax.Array:
    return _forward(how, q, k, v, end)[0]


def _forward(how: str, q: jax.Array, k: jax.Array, v: jax.Array, end: jax.Array) -> tuple[jax.Array, tuple]:
    out, lse = _on_each_device(_blocks(how).forward, (q, k, v), end)
    return out.astype(q.dtype), (q, k, v, end, out, lse)


def _backward(how: str, saved: tuple, d_out: jax.Array) -> tuple:
    q, k, v, end, out, lse = saved
    delta = jnp.sum(out * d_out.astype(out.dtype), -1)  # of mixtures in bf16 it would be half as exact as gradients are
    return (*_on_each_device(_blocks(how).backward, (q, k, v, lse, d_out, delta), end), None)


_attention.defvjp(_forward, _backward)


def _blocks(how: str) -> ModuleType:
    if how == "blockwise" or (not how and jax.default_backend() != "tpu"):
        return forest_blocks
    from itool_jax.models import forest_kernel

    return forest_kernel


def _on_each_device(function: Callable, arrays: tuple[jax.Array, ...], end: jax.Array) -> Any:
    """function(*arrays, end), all arrays [B, K, ...], each device with its own rows and heads."""
    mesh, (B, K) = jax.sharding.get_abstract_mesh(), arrays[0].shape[:2]
    if mesh.empty:
        return function(*arrays, end)
    rows = BATCH if B % batch_divisor(mesh) == 0 else None
    heads = "tensor" if K % mesh.shape["tensor"] == 0 else None
    own = jax.shard_map(
        lambda arrays, end: function(*arrays, end),
        in_specs=(P(rows, heads), P(rows)),
        out_specs=P(rows, heads),
        check_vma=False,
    )
    return own(arrays, end)
