"""How well training uses its devices: model FLOPs against what they could do (MFU), and their memory in use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from itool_jax.models.policy import Policy, run_as
from itool_jax.training.flops import checkpointed_flops, matmul_flops
from itool_jax.training.objectives import ObjectiveFn

GIB = 2**30

# FLOP/s of dense bf16 products at best, of one JAX device, by what JAX calls its kind. A v2 or v3 device is one of a
# chip's two cores. Sources: cloud.google.com/tpu/docs, system architecture of each version; NVIDIA's data sheets of
# each product, whose figures "with sparsity" are halved. Kinds that are not here have no MFU.
PEAK_FLOPS = {
    "TPU v2": 23e12,
    "TPU v3": 61.5e12,
    "TPU v4": 275e12,
    "TPU v5 lite": 197e12,
    "TPU v5e": 197e12,
    "TPU v5": 459e12,
    "TPU v5p": 459e12,
    "TPU v6 lite": 918e12,
    "TPU v6e": 918e12,
    "NVIDIA A100-SXM4-40GB": 312e12,
    "NVIDIA A100-SXM4-80GB": 312e12,
    "NVIDIA A100-PCIE-40GB": 312e12,
    "NVIDIA A100 80GB PCIe": 312e12,
    "NVIDIA H100 80GB HBM3": 989.4e12,
    "NVIDIA H100 PCIe": 756e12,
    "NVIDIA H200": 989.4e12,
    "NVIDIA L4": 121e12,
    "NVIDIA L40S": 362e12,
}


def peak_flops(devices: Sequence[Any], dtype: str) -> float | None:
    """FLOP/s that the devices could do together; None where one is of no known kind, or for products not in bf16."""
    peaks = [PEAK_FLOPS.get(device.device_kind) for device in devices]
    if dtype != "bfloat16" or None in peaks:
        return None
    return sum(peak for peak in peaks if peak)


def model_flops(step_fn: Any, objective: ObjectiveFn, state: Any, frozen: Policy, batch: Any) -> int:
    """FLOPs of a step's matrix products over all devices, without what is computed twice to save memory.

    Counted in the traced step, padding included, attention over the whole square of a row. The step is what
    `make_train_step` gives, batch is [A, B, ...]; only shapes are looked at. For MFU as in PaLM, Chowdhery et al. 2022
    (arXiv 2204.02311), appendix B.
    """
    shapes = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), batch)
    parts = jax.tree.leaves(batch)[0].shape[0]
    plain = run_as(frozen, remat="none", attention="dense")
    forward = jax.make_jaxpr(lambda policy, trainable, part: objective(policy.with_trainable(trainable), part).total)
    again = checkpointed_flops(forward(plain, state.trainable, shapes)).times(parts)
    return matmul_flops(step_fn.trace(state, plain, batch).jaxpr).total - again.total


def memory_in_use(devices: Sequence[Any]) -> dict[str, float]:
    """GiB of the fullest device, now and at most so far; nothing where a device does not tell (CPUs do not)."""
    stats = [device.memory_stats() or {} for device in devices]
    names = {"memory_gib": "bytes_in_use", "peak_memory_gib": "peak_bytes_in_use"}
    return {
        name: max(found[key] for found in stats) / GIB
        for name, key in names.items()
        if stats and all(key in found for found in stats)
    }


def is_of_the_machine(metric: str) -> bool:
    """Whether a metric of a step says how fast it went, or on how much, and so differs between equal runs."""
    return metric.endswith("_per_s") or metric in ("mfu", "memory_gib", "peak_memory_gib")


class Gauge:
    """Reads, after every step of a fit, MFU where the devices' peak is known and memory where they tell of it.

    No MFU of quantised weights: their products stand under `jax.checkpoint`, but only their unpacking is done again.
    """

    def __init__(self, mesh: Mesh, dtype: str):
        self._peak = peak_flops(list(mesh.devices.flat), dtype)
        self._devices = mesh.local_devices
        self._flops: int | None = None

    def look_at(self, step_fn: Any, objective: ObjectiveFn, state: Any, frozen: Policy, batch: Any) -> None:
        """Counts the FLOPs of the step the first time, where they are needed."""
        quantized = any(jnp.issubdtype(leaf.dtype, jnp.integer) for leaf in jax.tree.leaves(frozen.params))
        if self._peak and self._flops is None and not quantized:
            self._flops = model_flops(step_fn, objective, state, frozen, batch)

    def read(self, steps_per_s: float | None) -> dict[str, float]:
        """`mfu` as a share, where there is a rate; of this process's fullest device `memory_gib`, `peak_memory_gib`."""
        mfu = {"mfu": self._flops * steps_per_s / self._peak} if self._flops and self._peak and steps_per_s else {}
        return mfu | memory_in_use(self._devices)
