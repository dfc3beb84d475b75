"""QLoRA: frozen kernels of the linear layers in 8 or 4 bits, as arrays of qwix (Dettmers et al. 2023).

int8 has one scale a column, nf4 one for every 64 inputs of a column; scales are f32. Embeddings, norms and head stay.
qwix is imported where something is quantised, and only there.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding

from itool_jax.models.config import LINEAR
from itool_jax.parallel.mesh import shardings

if TYPE_CHECKING:
    from qwix import QArray

KINDS = ("int8", "nf4")
BLOCK = 64  # inputs that share a scale in nf4, or the most below that divide an axis


def quantize_kernel(kernel: jax.Array, name: str, kind: str) -> QArray:
    """The stacked kernel [L, ...] of the linear layer `name` in `kind`, laid out over the same mesh."""
    quantize = partial(_quantize, name=name, kind=kind)
    layout, where = None, getattr(kernel, "sharding", None)  # which a traced kernel has not
    if isinstance(where, NamedSharding) and isinstance(where.mesh, Mesh):
        layout = shardings({name: jax.eval_shape(quantize, kernel)}, where.mesh)[name]
    return jax.jit(quantize, out_shardings=layout)(kernel)


def quantize_params(params: Any, kind: str) -> Any:
    """A decoder's parameters with all kernels of linear layers in `kind`."""
    layers = dict(params["layers"])
    for name in LINEAR:
        layers[name] = {**layers[name], "kernel": quantize_kernel(layers[name]["kernel"], name, kind)}
    return {**params, "layers": layers}


def dense(kernel: jax.Array | QArray) -> jax.Array:
    """The numbers that a kernel stands for: in f32 where it is quantised, else as they are."""
    if isinstance(kernel, jax.Array | np.ndarray):
        return jnp.asarray(kernel)
    scale = kernel.scale
    for axis, size in enumerate(kernel.shape):
        scale = jnp.repeat(scale, size // scale.shape[axis], axis)
    return _values(kernel) * scale


def product(x: jax.Array, kernel: jax.Array | QArray, contract: int) -> jax.Array:
    """x W over the last `contract` axes of x, in the dtype of x.

    A quantised W is made numbers for this product alone, and again for its gradient: no pass keeps them.
    """
    if isinstance(kernel, jax.Array | np.ndarray):
        return jnp.tensordot(x, kernel.astype(x.dtype), contract)
    return jax.checkpoint(partial(_quantized_product, contract=contract), prevent_cse=False)(x, kernel)


def _quantized_product(x: jax.Array, kernel: QArray, contract: int) -> jax.Array:
    scale = kernel.scale
    if any(size > 1 for size in scale.shape[:contract]):
        return jnp.tensordot(x, dense(kernel).astype(x.dtype), contract)
    y = jnp.tensordot(x, _values(kernel).astype(x.dtype), contract)
    return (y * scale.reshape(scale.shape[contract:])).astype(x.dtype)


def _quantize(kernel: jax.Array, name: str, kind: str) -> QArray:
    import qwix

    inputs = (0, 1) if name == "o" else (0,)  # of one layer's kernel
    tiles = {inputs[-1]: _block(kernel.shape[1 + inputs[-1]])} if kind == "nf4" else {}
    shared = tiles or inputs
    channels = tuple(axis for axis in range(kernel.ndim - 1) if axis not in shared)
    qtype = jnp.int8 if kind == "int8" else kind

    def one(layer: jax.Array) -> QArray:  # by itself, as qwix gathers a whole array from all devices for nf4
        return qwix.quantize(layer.astype(jnp.float32), qtype, channelwise_axes=channels, tiled_axes=tiles)

    return jax.lax.map(one, kernel)


def _values(kernel: QArray) -> jax.Array:
    """What the codes stand for before scaling, in f32; qwix's own look-up flattens, which gathers what is sharded."""
    import qwix

    if kernel.qvalue.dtype != jnp.uint4:
        return kernel.qvalue.astype(jnp.float32)
    codes = qwix.QArray(jnp.arange(16).astype(jnp.uint4), jnp.ones(1, jnp.float32), qtype="nf4")
    return qwix.dequantize(codes)[kernel.qvalue.astype(jnp.int32)]


def _block(size: int) -> int:
    return max(block for block in range(1, BLOCK + 1) if size % block == 0)
