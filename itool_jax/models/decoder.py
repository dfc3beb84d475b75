"""One Flax decoder of the Llama family: RMSNorm, rotary embeddings, grouped-query attention, SwiGLU (Touvron 2023).

Switches of its config make it Qwen2's (biases on queries, keys and values) or Qwen3's (normalised queries and keys).

A forward takes any attention mask, so the same code reads packed forests, prefills prompts and decodes the branches of
a tree. The KV cache is an argument and a result, [L, B, K, C, H]; it rides in the carry of the layer scan, so that a
step updates it in place.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Bool, Float, Int

from itool_jax.models.config import DecoderConfig, LoraConfig
from itool_jax.models.quantize import product
from itool_jax.models.rope import rotate, rotations
from itool_jax.parallel.mesh import rows_apart


class KVCache(NamedTuple):
    """Keys and values of every layer, [L, B, K, C, H], C columns a row."""

    k: jax.Array
    v: jax.Array


def empty_cache(cfg: DecoderConfig, rows: int, columns: int) -> KVCache:
    shape = (cfg.layers, rows, cfg.kv_heads, columns, cfg.head_dim)
    return KVCache(jnp.zeros(shape, cfg.dtype), jnp.zeros(shape, cfg.dtype))


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
        x32 = x.astype(jnp.float32)
        return (x32 * jax.lax.rsqrt(jnp.mean(x32**2, -1, keepdims=True) + self.eps) * scale).astype(x.dtype)


def attend(q_BSNH: jax.Array, k_BKCH: jax.Array, v_BKCH: jax.Array, mask_BSC: jax.Array) -> jax.Array:
    """Grouped-query attention under a mask, softmax in f32; returns [B, S, N, H]."""
    B, S, N, H = q_BSNH.shape
    K = k_BKCH.shape[1]
    q_BKGSH = q_BSNH.reshape(B, S, K, N // K, H).transpose(0, 2, 3, 1, 4)
    scores = jnp.einsum("BKGSH,BKCH->BKGSC", q_BKGSH, k_BKCH, preferred_element_type=jnp.float32)
    scores = jnp.where(mask_BSC[:, None, None], scores, jnp.finfo(jnp.float32).min)
    weights = jax.nn.softmax(scores, axis=-1).astype(v_BKCH.dtype)
    mixed = jnp.einsum("BKGSC,BKCH->BKGSH", weights, v_BKCH)
    return mixed.transpose(0, 3, 1, 2, 4).reshape(B, S, N, H)


class Layer(nn.Module):
    """Attention and feed-forward with residuals; scanned over L with (hidden, cache) as carry."""

    cfg: DecoderConfig
    lora: LoraConfig | None

    @nn.compact
    def __call__(self, carry, layer, rope, mask_BSC, columns_BS):
        x_BSD, cache = carry
        x_BSD, cfg = rows_apart(x_BSD), self.cfg

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
        if cache is None:
            k_BKCH, v_BKCH = k_BSKH.swapaxes(1, 2), v_BSKH.swapaxes(1, 2)
        else:
            rows_B1 = jnp.arange(x_BSD.shape[0])[:, None]
            where = (layer, rows_B1, slice(None), columns_BS)
            cache = KVCache(cache.k.at[where].set(k_BSKH, mode="drop"), cache.v.at[where].set(v_BSKH, mode="drop"))
            k_BKCH, v_BKCH = cache.k[layer], cache.v[layer]
        mixed_BSNH = attend(q_BSNH, k_BKCH, v_BKCH, mask_BSC)
        x_BSD = x_BSD + linear("o", cfg.dim, contract=2, gain=into_residual)(mixed_BSNH)
        h_BSD = RMSNorm(cfg.norm_eps, name="ffn_norm")(x_BSD)
        gated_BSF = nn.silu(linear("gate", cfg.ffn)(h_BSD)) * linear("up", cfg.ffn)(h_BSD)
        return (x_BSD + linear("down", cfg.dim, gain=into_residual)(gated_BSF), cache), None


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
            in_axes=(0, nn.broadcast, nn.broadcast, nn.broadcast),  # pyright: ignore[reportArgumentType]
            length=cfg.layers,
        )(cfg, self.lora)
        self.final_norm = RMSNorm(cfg.norm_eps)

    def __call__(
        self,
        tokens_BS: Int[Array, "B S"],
        positions_BS: Int[Array, "B S"],
        mask_BSC: Bool[Array, "B S C"],
        cache: KVCache | None = None,
        columns_BS: Int[Array, "B S"] | None = None,
    ) -> tuple[Float[Array, "B S D"], KVCache | None]:
        """Final hidden states and the cache with this call's keys and values written at `columns_BS`.

        A column index of C or more writes nothing. Queries see the cache as it is after the write, under `mask_BSC`.
        """
        cfg = self.cfg
        rope = rotations(positions_BS, cfg.head_dim, cfg.rope_theta, cfg.rope_scaling)
        x_BSD = self.embedding[tokens_BS].astype(cfg.dtype)
        (x_BSD, cache), _ = self.layers((x_BSD, cache), jnp.arange(cfg.layers), rope, mask_BSC, columns_BS)
        return self.final_norm(rows_apart(x_BSD)), cache

    def logits(self, hidden: Float[Array, "*B D"]) -> Float[Array, "*B V"]:
        """Next-token logits in f32."""
        head = self.embedding.T if self.cfg.tied else self.head
        return jnp.matmul(hidden, head.astype(self.cfg.dtype), preferred_element_type=jnp.float32)
