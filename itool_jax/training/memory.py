"""Bytes that training holds on one device, activations and the start's own parameters left out."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from itool_jax.models.policy import Policy
from itool_jax.training.step import TrainState, frozen_part


class TrainingBytes(NamedTuple):
    """What a step reads and writes.

    parameters  all of them and the adapters, as they are in the forward
    trained     what of these is trained
    gradients   summed in f32
    optimizer   moments, and the master copy where there is one
    """

    parameters: int
    trained: int
    gradients: int
    optimizer: int

    def __str__(self) -> str:
        held, trained, gradients, optimizer = map(figure, self)
        return f"parameters {held}, of them trained {trained}; gradients {gradients}; optimiser state {optimizer}"


def training_bytes(policy: Policy, state: TrainState) -> TrainingBytes:
    trained = device_bytes(state.trainable)
    frozen = device_bytes(frozen_part(policy).variables)
    gradients = device_bytes(state.trainable, least_bits=32)
    return TrainingBytes(frozen + trained, trained, gradients, device_bytes(state.moments))


def device_bytes(tree: Any, least_bits: int = 0) -> int:
    """Bytes of a tree's arrays on one of the devices that they lie over, were no number narrower than `least_bits`."""

    def bits(leaf: Any) -> int:
        return max(dtype_bits(leaf.dtype), least_bits) * math.prod(leaf.sharding.shard_shape(leaf.shape))

    return sum(map(bits, jax.tree.leaves(tree))) // 8


def dtype_bits(dtype: Any) -> int:
    """Of a number; of uint4 4, though its itemsize is 1."""
    return jnp.iinfo(dtype).bits if jnp.issubdtype(dtype, jnp.integer) else 8 * dtype.itemsize


def figure(count: int) -> str:
    """Bytes for people, in GB or MB."""
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.2f} MB"
