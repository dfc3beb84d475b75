"""What a device does at best, measured, and random weights in bf16 to compare it with."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from itool_jax.models.config import DecoderConfig
from itool_jax.models.policy import Policy, init_policy


@dataclass(frozen=True)
class Ceilings:
    """What this device does at best, measured: bytes per second that a copy moves, FLOP/s of a bf16 product."""

    bandwidth: float
    flops: float


def bf16_policy(shape: DecoderConfig) -> Policy:
    """Random weights, made in f32 one program at a time and kept in bf16."""
    cfg = replace(shape, dtype="bfloat16", remat="none")
    policy = init_policy(cfg, seed=0)
    return policy.replace(params=jax.tree.map(lambda leaf: leaf.astype(cfg.dtype), policy.params))  # pyright: ignore


def measured_ceilings(copied: int, size: int, repeats: int) -> Ceilings:
    """A copy of so many bf16 numbers, and a product of square bf16 matrices: the medians."""
    ones = jnp.ones(copied, jnp.bfloat16)
    copy = _median_of(jax.jit(lambda x: x + 1), ones, repeats)
    matrix = jnp.ones((size, size), jnp.bfloat16)
    product = _median_of(jax.jit(jnp.matmul), (matrix, matrix), repeats)
    return Ceilings(2 * ones.nbytes / copy, 2 * size**3 / product)


def _median_of(function: Callable[..., jax.Array], given: Any, repeats: int) -> float:
    """Seconds of a call, of which ten are made at a time so that dispatch does not count."""
    call = partial(function, *given) if isinstance(given, tuple) else partial(function, given)
    call().block_until_ready()
    seconds = []
    for _ in range(repeats):
        start = time.monotonic()
        results = [call() for _ in range(10)]
        jax.block_until_ready(results)
        seconds.append((time.monotonic() - start) / 10)
    return statistics.median(seconds)
