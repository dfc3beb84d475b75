"""One Flax decoder of the Llama family: RMSNorm, rotary embeddings, grouped-query attention, SwiGLU (Touvron 2023).

Switches of its config make it Qwen2's (biases on queries, keys and values) or Qwen3's (normalised queries and keys).

A forward takes any attention mask, so the same code prefills prompts and decodes the branches of a tree; whole rows of
packed forests are read without an array of the mask or of the scores. The KV cache is an argument and a result; it
rides in the carry of the layer scan, so that a step updates it in place. Columns that a call only reads may stand apart
from it, in an arena.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jaxtyping import Array, Bool, Float, Int

from itool_jax.models.config import DecoderConfig, LoraConfig
from itool_jax.models.forest_attention import AncestorMask, attend_forest
from itool_jax.models.quantize import product
from itool_jax.models.rope import rotate, rotations
from itool_jax.parallel.mesh import rows_apart


class KVCache(NamedTuple):
    """Keys and values of every layer, [L, B, K, C, H], C columns a row; or of one layer, [B, K, C, H]."""

    k: jax.Array
    v: jax.Array


class Past(NamedTuple):
    """What a call only reads: columns of an arena [L, B, K, ., H] from `start` on, as many as its mask is wide, and
    after them all of `more` [L, B, K, C, H]."""

    arena: KVCache
    start: Any
    more: KVCache


class LayerPast(NamedTuple):
    """The same for one layer, with the keys lying as they are read: [B, K, H, C] and [B, K, C, H]."""

    k: jax.Array
    v: jax.Array


class Unrolled(NamedTuple):
    """What a forward without a loop over layers reads; all have one entry for each layer.

    XLA on CPU copies what it slices out of stacked arrays, weights as well as caches, in every step of a loop.
    """

    variables: tuple[Any, ...]
    past: tuple[tuple[LayerPast, ...], ...]


def empty_cache(cfg: DecoderConfig, rows: int, columns: int) -> KVCache:
    shape = (cfg.layers, rows, cfg.kv_heads, columns, cfg.head_dim)
    return KVCache(jnp.zeros(shape, cfg.dtype), jnp.zeros(shape, cfg.dtype))


@jax.jit
def layers_apart(variables: Any) -> tuple[Any, ...]:
    """The variables of a decoder's layers, one layer's after the other."""
    layers = {kind: tree["layers"] for kind, tree in variables.items()}
    count = jax.tree.leaves(layers)[0].shape[0]
    return tuple(jax.tree.map(lambda leaf, layer=layer: leaf[layer], layers) for layer in range(count))


@partial(jax.jit, static_argnames=("start", "columns"))
def columns_apart(stored: KVCache, start: int, columns: int) -> tuple[LayerPast, ...]:
    """So many columns of every layer from `start` on, lying as they are read."""
    window = slice(start, start + columns)
    return tuple(LayerPast(k[:, :, window].swapaxes(-1, -2), v[:, :, window]) for k, v in zip(*stored, strict=True))


def _write(cache: KVCache, layer: Any, at: Any, k_BSKH: jax.Array, v_BSKH: jax.Array) -> KVCache:
    """Writes at columns at .. at + S, of one layer where the cache has several."""

    def one(old: jax.Array, new_BSKH: jax.Array) -> jax.Array:
        new = new_BSKH.swapaxes(1, 2).astype(old.dtype)
        if layer is None:
            return jax.lax.dynamic_update_slice(old, new, _corner(0, 0, at, 0))
        return jax.lax.dynamic_update_slice(old, new[None], _corner(layer, 0, 0, at, 0))

    return KVCache(one(cache.k, k_BSKH), one(cache.v, v_BSKH))


def _read(stored: KVCache, layer: Any, start: Any, count: int) -> LayerPast:
    """Columns start .. start + count of one layer."""

    def one(x: jax.Array) -> jax.Array:
        *_, B, K, _, H = x.shape
        if layer is None:
            return jax.lax.dynamic_slice(x, _corner(0, 0, start, 0), (B, K, count, H))
        return jax.lax.dynamic_slice(x, _corner(layer, 0, 0, start, 0), (1, B, K, count, H))[0]

    return LayerPast(one(stored.k).swapaxes(-1, -2), one(stored.v))


def _corner(*indices: Any) -> tuple[jax.Array, ...]:
    return tuple(jnp.asarray(index, jnp.int32) for index in indices)


def _wide(dtype: Any) -> Any:
    """What is computed in f32 in models of fewer bits."""
    return jnp.promote_types(dtype, jnp.float32)


class Linear(nn.Module):
    """A linear map over the last `contract` axes, plus the low-rank map of adapters in the "lora" collection.

    The kernel may be quantised (models/quantize.py).
    """

    out: tuple[int, ...]
    lora: LoraConfig | None
    contract: int = 1
    gain: float = 1.0
    bias: bool = False
    dtype: str = "float32"

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        fan_in = x.shape[-self.contract :]
        init = nn.initializers.normal(self.gain * math.prod(fan_in) ** -0.5)
        kernel = self.param("kernel", init, (*fan_in, *self.out), jnp.float32)
        y = product(x, kernel, self.contract)
        if self.lora is not None and self.has_variable("lora", "a"):
            a, b = self.get_variable("lora", "a"), self.get_variable("lora", "b")
            down = jnp.tensordot(x, a.astype(self.dtype), self.contract)
            y = y + self.lora.scale * jnp.tensordot(down, b.astype(self.dtype), 1)
        if self.bias:
            y = y + self.param("bias", nn.initializers.zeros, self.out, jnp.float32).astype(self.dtype)
        return y


class RMSNorm(nn.Module):
    """x / rms(x) * scale, computed in f32 (Zhang and Sennrich 2019)."""

    eps: float

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        scale = self.param("scale", nn.initializers.ones, x.shape[-1:], jnp.float32)
        x32 = x.astype(_wide(x.dtype))
        return (x32 * jax.lax.rsqrt(jnp.mean(x32**2, -1, keepdims=True) + self.eps) * scale).astype(x.dtype)


def attend(q_BSNH: jax.Array, sources: Sequence[LayerPast], mask_BSC: jax.Array) -> jax.Array:
    """Grouped-query attention over the columns of all sources under one mask, softmax in f32; returns [B, S, N, H].

    Mixtures are normalised, not weights, which are far more. A query that sees nothing mixes all columns alike.
    """
    B, S, N, H = q_BSNH.shape
    K = sources[0].k.shape[1]
    wide = _wide(q_BSNH.dtype)
    q_BKGSH = q_BSNH.reshape(B, S, K, N // K, H).transpose(0, 2, 3, 1, 4)
    dot = partial(jnp.einsum, preferred_element_type=wide)
    scores = jnp.concatenate([dot("BKGSH,BKHC->BKGSC", q_BKGSH, source.k) for source in sources], -1)
    scores = jnp.where(mask_BSC[:, None, None], scores, jnp.finfo(wide).min)
    weights = jnp.exp(scores - jax.lax.stop_gradient(jnp.max(scores, -1, keepdims=True)))
    total_BKGS1 = jnp.sum(weights, -1, keepdims=True)
    weights = weights.astype(q_BSNH.dtype)
    ends = np.cumsum([source.v.shape[2] for source in sources])
    parts = (weights[..., end - source.v.shape[2] : end] for end, source in zip(ends, sources, strict=True))
    mixed = (dot("BKGSC,BKCH->BKGSH", part, source.v) for part, source in zip(parts, sources, strict=True))
    mixed_BKGSH = (functools.reduce(jnp.add, mixed) / total_BKGS1).astype(q_BSNH.dtype)
    return mixed_BKGSH.transpose(0, 3, 1, 2, 4).reshape(B, S, N, H)


class Layer(nn.Module):
    """Attention and feed-forward with residuals; scanned over L with (hidden, cache) as carry.

    `layer` is None where cache and past are this layer's own.
    """

    cfg: DecoderConfig
    lora: LoraConfig | None

    @nn.compact
    def __call__(self, carry, layer, rope, mask, at, past):
        x_BSD, cache = carry
        cfg = self.cfg
        apart = partial(rows_apart, tokens_too=cfg.sequence_sharding and cache is None)
        x_BSD = apart(x_BSD)

        def linear(name: str, *out: int, contract: int = 1, gain: float = 1.0, bias: bool = False) -> Linear:
            return Linear(out, self.lora, contract, gain, bias, cfg.dtype, name=name)

        def heads(name: str, count: int) -> jax.Array:
            return linear(name, count, cfg.head_dim, bias=cfg.qkv_bias)(h_BSD)

        def normed(name: str, x_BSNH: jax.Array) -> jax.Array:
            return RMSNorm(cfg.norm_eps, name=f"{name}_norm")(x_BSNH) if cfg.qk_norm else x_BSNH

        into_residual = (2 * cfg.layers) ** -0.5  # keeps the tokens themselves audible in the residual stream

        h_BSD = RMSNorm(cfg.norm_eps, name="attention_norm")(x_BSD)
        scaled = tuple(part * cfg.head_dim**-0.5 for part in rope)  # in f32, so that scores need no scaling
        q_BSNH = rotate(normed("q", heads("q", cfg.heads)), *scaled)
        k_BSKH = rotate(normed("k", heads("k", cfg.kv_heads)), *rope)
        v_BSKH = heads("v", cfg.kv_heads)
        if isinstance(mask, AncestorMask):
            mixed_BSNH = attend_forest(q_BSNH, k_BSKH, v_BSKH, mask, cfg.attention)
        elif cache is None:
            mixed_BSNH = attend(q_BSNH, [LayerPast(k_BSKH.transpose(0, 2, 3, 1), v_BSKH.swapaxes(1, 2))], mask)
        else:
            cache = _write(cache, layer, at, k_BSKH, v_BSKH)
            mixed_BSNH = attend(q_BSNH, _sources(cache, past, layer, mask.shape[-1]), mask)
        x_BSD = apart(x_BSD + linear("o", cfg.dim, contract=2, gain=into_residual)(mixed_BSNH))
        h_BSD = RMSNorm(cfg.norm_eps, name="ffn_norm")(x_BSD)
        gated_BSF = nn.silu(linear("gate", cfg.ffn)(h_BSD)) * linear("up", cfg.ffn)(h_BSD)
        return (apart(x_BSD + linear("down", cfg.dim, gain=into_residual)(gated_BSF)), cache), None


def _sources(cache: KVCache, past: Past | Sequence[LayerPast] | None, layer: Any, columns: int) -> list[LayerPast]:
    """The past and then the cache: all of it beside a past, else so many of its columns."""
    if past is None:
        return [_read(cache, layer, 0, columns)]
    own = _read(cache, layer, 0, cache.k.shape[-2])
    if not isinstance(past, Past):
        return [*past, own]
    more = past.more.k.shape[-2]
    first = _read(past.arena, layer, past.start, columns - more - cache.k.shape[-2])
    return [first, _read(past.more, layer, 0, more), own]


_REMAT_POLICIES = {"dots": jax.checkpoint_policies.dots_with_no_batch_dims_saveable, "full": None}


class Decoder(nn.Module):
    """Tokens to hidden states to logits. Without a cache, tokens attend to the tokens of the call (C = S)."""

    cfg: DecoderConfig
    lora: LoraConfig | None = None

    def setup(self) -> None:
        cfg = self.cfg
        normal = nn.initializers.normal(cfg.dim**-0.5)
        self.embedding = self.param("embedding", normal, (cfg.vocab_size, cfg.dim), jnp.float32)
        if not cfg.tied:
            self.head = self.param("head", normal, (cfg.dim, cfg.vocab_size), jnp.float32)
        layer = Layer
        if cfg.remat != "none":
            layer = nn.remat(Layer, policy=_REMAT_POLICIES[cfg.remat], prevent_cse=False)
        self.layers = nn.scan(
            layer,
            variable_axes={"params": 0, "lora": 0},
            split_rngs={"params": True},
            in_axes=(0, *(nn.broadcast,) * 4),  # pyright: ignore[reportArgumentType]
            length=cfg.layers,
        )(cfg, self.lora)
        self.final_norm = RMSNorm(cfg.norm_eps)

    def __call__(
        self,
        tokens_BS: Int[Array, "B S"],
        positions_BS: Int[Array, "B S"],
        mask: Bool[Array, "B S C"] | AncestorMask,
        cache: KVCache | tuple[KVCache, ...] | None = None,
        at: Any = 0,
        past: Past | Unrolled | None = None,
    ) -> tuple[Float[Array, "B S D"], Any]:
        """Final hidden states and the cache with this call's keys and values written at columns at .. at + S.

        Without a cache the mask may be that of a forest, which then need not exist as an array. With one queries see,
        under the mask, the columns of the past and after them those of the cache as it is after the write: all of these
        where there is a past, else the first C. The cache is a tuple over layers where the past is `Unrolled`.
        """
        cfg = self.cfg
        if isinstance(mask, AncestorMask):
            assert cache is None, "columns of a cache are seen under an array of bits"
            mask = mask.dense() if cfg.attention == "dense" else mask
        rope = rotations(positions_BS, cfg.head_dim, cfg.rope_theta, cfg.rope_scaling)
        x_BSD = self.embedding[tokens_BS].astype(cfg.dtype)
        if isinstance(past, Unrolled):
            assert isinstance(cache, tuple)
            written = []
            for variables, own, layer_past in zip(past.variables, cache, past.past, strict=True):
                layer = Layer(cfg, self.lora, parent=None)
                (x_BSD, own), _ = layer.apply(variables, (x_BSD, own), None, rope, mask, at, layer_past)  # pyright: ignore
                written.append(own)
            return self.final_norm(rows_apart(x_BSD)), tuple(written)
        layers = jnp.arange(cfg.layers, dtype=jnp.int32)
        (x_BSD, cache), _ = self.layers((x_BSD, cache), layers, rope, mask, at, past)
        return self.final_norm(rows_apart(x_BSD)), cache

    def logits(self, hidden: Float[Array, "*B D"]) -> Float[Array, "*B V"]:
        """Next-token logits in f32."""
        head = self.embedding.T if self.cfg.tied else self.head
        return jnp.matmul(hidden, head.astype(self.cfg.dtype), preferred_element_type=_wide(self.cfg.dtype))
