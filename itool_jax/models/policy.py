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
from jax.sharding import Mesh

from itool_jax.models.config import HOW_RUN, LINEAR, DecoderConfig, LoraConfig
from itool_jax.models.decoder import Decoder
from itool_jax.models.quantize import dense
from itool_jax.parallel.mesh import shardings
from itool_jax.parallel.processes import own_copy

PyTree = Any


@struct.dataclass
class Policy:
    """pi: the static decoder, its parameters [L, ...] stacked over layers, and LoRA adapters or None.

    Kernels of linear layers may be quantised where there are adapters. `frozen` names parts of the parameters that
    training without adapters leaves as they are.
    """

    decoder: Decoder = struct.field(pytree_node=False)
    params: PyTree
    adapters: PyTree | None = None
    frozen: tuple[str, ...] = struct.field(pytree_node=False, default=())

    @property
    def config(self) -> DecoderConfig:
        return self.decoder.cfg

    @property
    def variables(self) -> PyTree:
        return {"params": self.params} | ({} if self.adapters is None else {"lora": self.adapters})

    @property
    def trainable(self) -> PyTree:
        """What training differentiates: the adapters where there are any, else the parameters that are not frozen."""
        if self.adapters is not None:
            return self.adapters
        return {name: part for name, part in self.params.items() if name not in self.frozen}

    def with_trainable(self, tree: PyTree) -> Policy:
        if self.adapters is not None:
            return self.replace(adapters=tree)  # pyright: ignore
        return self.replace(params={**self.params, **tree})  # pyright: ignore

    def hidden(self, tokens_BS, positions_BS, mask, cache: Any = None, at: Any = 0, past: Any = None) -> Any:
        """Final hidden states [B, S, D] and the updated cache; see `Decoder.__call__`."""
        return self.decoder.apply(self.variables, tokens_BS, positions_BS, mask, cache, at, past)

    def logits(self, hidden: jax.Array) -> jax.Array:
        """Next-token logits [..., V] in f32."""
        return self.decoder.apply(self.variables, hidden, method="logits")  # pyright: ignore


def init_policy(cfg: DecoderConfig, seed: int, mesh: Mesh | None = None) -> Policy:
    """A policy with random f32 weights, which are made where they lie: over the mesh, or on the first device."""
    decoder, key = Decoder(cfg), jax.random.key(seed)
    if mesh is None:
        return Policy(decoder, _init(decoder, key))
    init = partial(_init, decoder)
    return Policy(decoder, jax.jit(init, out_shardings=shardings(jax.eval_shape(init, key), mesh))(key))


def own_policy(policy: Policy, mesh: Mesh) -> Policy:
    """The policy with its weights as they are sampled from: a process's own copy, see `parallel.processes`."""
    return policy.replace(  # pyright: ignore
        params=own_copy(policy.params, mesh), adapters=own_copy(policy.adapters, mesh)
    )


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


def merge_adapters(policy: Policy, *, consume: bool = False) -> Policy:
    """The policy with its adapters folded into the weights, W + scale A B; none of them is quantised.

    consume  gives up the policy's own kernels, whose memory the sums then take
    The sums are made in f32 and rounded once, one layer at a time.
    """
    if policy.adapters is None or policy.decoder.lora is None:
        return policy
    layers, dtype = dict(policy.params["layers"]), policy.params["embedding"].dtype
    merged = partial(_merged, scale=policy.decoder.lora.scale, dtype=dtype)
    for name in LINEAR:
        kernel = layers[name]["kernel"]
        if (adapter := policy.adapters["layers"].get(name)) is not None:
            where = getattr(kernel, "sharding", None)
            fold = jax.jit(merged, out_shardings=where, donate_argnums=(0,) if consume else ())
            kernel = fold(kernel, adapter["a"], adapter["b"])
        layers[name] = {**layers[name], "kernel": dense(kernel).astype(dtype)}
    return Policy(Decoder(policy.config), {**policy.params, "layers": layers})


def _merged(kernel: PyTree, a: jax.Array, b: jax.Array, scale: float, dtype: np.dtype) -> jax.Array:
    def one(layer: tuple[PyTree, jax.Array, jax.Array]) -> jax.Array:
        kernel, a, b = layer
        delta = jnp.tensordot(a, b, 1, precision=jax.lax.Precision.HIGHEST)  # a TPU would multiply in bfloat16
        return (dense(kernel).astype(jnp.float32) + scale * delta).astype(dtype)

    return jax.lax.map(one, (kernel, a, b))


def adapter_delta(policy: Policy, name: str, layer: int) -> np.ndarray | None:
    """What the adapter of a linear layer adds to its kernel: scale A B in f32, on the host; None where it has none."""
    if policy.adapters is None or policy.decoder.lora is None or name not in policy.adapters["layers"]:
        return None
    adapter = policy.adapters["layers"][name]
    a, b = (np.asarray(jax.device_get(adapter[side][layer]), np.float32) for side in ("a", "b"))
    return np.tensordot(a, b, 1) * np.float32(policy.decoder.lora.scale)


def count_parameters(tree: PyTree) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


def run_as(policy: Policy, **how: Any) -> Policy:
    """The same policy, run otherwise: with another value of what `HOW_RUN` names (models/config.py)."""
    assert set(how) <= set(HOW_RUN), how
    return policy.replace(decoder=Decoder(replace(policy.config, **how), policy.decoder.lora))  # pyright: ignore
