"""A policy: a decoder with its weights, and with adapters where only those are trained."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from itool_jax.models.config import LINEAR, DecoderConfig, LoraConfig
from itool_jax.models.decoder import Decoder, KVCache

PyTree = Any


@struct.dataclass
class Policy:
    """pi: the static decoder, its parameters [L, ...] stacked over layers, and LoRA adapters or None."""

    decoder: Decoder = struct.field(pytree_node=False)
    params: PyTree
    adapters: PyTree | None = None

    @property
    def config(self) -> DecoderConfig:
        return self.decoder.cfg

    @property
    def variables(self) -> PyTree:
        return {"params": self.params} | ({} if self.adapters is None else {"lora": self.adapters})

    @property
    def trainable(self) -> PyTree:
        """What training differentiates: the adapters where there are any, else all parameters."""
        return self.params if self.adapters is None else self.adapters

    def with_trainable(self, tree: PyTree) -> Policy:
        return self.replace(params=tree) if self.adapters is None else self.replace(adapters=tree)  # pyright: ignore

    def hidden(self, tokens_BS, positions_BS, mask_BSC, cache: KVCache | None = None, columns_BS=None) -> Any:
        """Final hidden states [B, S, D] and the updated cache; see `Decoder.__call__`."""
        return self.decoder.apply(self.variables, tokens_BS, positions_BS, mask_BSC, cache, columns_BS)

    def logits(self, hidden: jax.Array) -> jax.Array:
        """Next-token logits [..., V] in f32."""
        return self.decoder.apply(self.variables, hidden, method="logits")  # pyright: ignore


def init_policy(cfg: DecoderConfig, seed: int) -> Policy:
    """A policy with random weights."""
    decoder = Decoder(cfg)
    return Policy(decoder, _init(decoder, jax.random.key(seed)))


@partial(jax.jit, static_argnums=0)
def _init(decoder: Decoder, key: jax.Array) -> PyTree:
    one = jnp.zeros((1, 1), jnp.int32)
    return decoder.init(key, one, one, jnp.ones((1, 1, 1), bool))["params"]


def add_adapters(policy: Policy, lora: LoraConfig, seed: int) -> Policy:
    """The same policy with fresh LoRA adapters: A random, B zero, so nothing changes yet."""
    keys = dict(zip(LINEAR, jax.random.split(jax.random.key(seed), len(LINEAR)), strict=True))

    def adapter(name: str, kernel: jax.Array) -> dict[str, jax.Array]:
        fan_in = kernel.shape[1:3] if name == "o" else kernel.shape[1:2]
        fan_out = kernel.shape[1 + len(fan_in) :]
        bound = math.prod(fan_in) ** -0.5
        a = jax.random.uniform(keys[name], (kernel.shape[0], *fan_in, lora.rank), jnp.float32, -bound, bound)
        return {"a": a, "b": jnp.zeros((kernel.shape[0], lora.rank, *fan_out), jnp.float32)}

    layers = {name: adapter(name, policy.params["layers"][name]["kernel"]) for name in lora.targets}
    return Policy(Decoder(policy.config, lora), policy.params, {"layers": layers})


def merge_adapters(policy: Policy) -> Policy:
    """The policy with its adapters folded into the weights: W + (alpha / rank) A B."""
    if policy.adapters is None or policy.decoder.lora is None:
        return policy
    layers = dict(policy.params["layers"])
    for name, adapter in policy.adapters["layers"].items():
        kernel = layers[name]["kernel"]
        a, b = adapter["a"], adapter["b"]
        delta = jax.vmap(lambda a, b: jnp.tensordot(a, b, 1))(a, b) * policy.decoder.lora.scale
        layers[name] = {**layers[name], "kernel": kernel + delta.astype(kernel.dtype)}
    return Policy(Decoder(policy.config), {**policy.params, "layers": layers})


def adapter_delta(policy: Policy, name: str, layer: int) -> np.ndarray | None:
    """What the adapter of a linear layer adds to its kernel: scale A B in f32, on the host; None where it has none."""
    if policy.adapters is None or policy.decoder.lora is None or name not in policy.adapters["layers"]:
        return None
    adapter = policy.adapters["layers"][name]
    a, b = (np.asarray(jax.device_get(adapter[side][layer]), np.float32) for side in ("a", "b"))
    return np.tensordot(a, b, 1) * np.float32(policy.decoder.lora.scale)


def count_parameters(tree: PyTree) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


def with_remat(policy: Policy, remat: str) -> Policy:
    """The same policy under another rematerialisation policy."""
    return policy.replace(decoder=Decoder(replace(policy.config, remat=remat), policy.decoder.lora))  # pyright: ignore
