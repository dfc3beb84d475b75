"""Rotary position embeddings (Su et al. 2021), and how models stretch them to contexts beyond those of pre-training."""

from __future__ import annotations

import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np


@dataclass(frozen=True)
class RopeScaling:
    """How the frequencies of a model were changed for longer contexts.

    kind              linear: all divided by `factor` (Chen et al. 2023). llama3: those with wavelengths of more than
                      original_context / low_freq_factor divided, those of less than original_context /
                      high_freq_factor kept, between them a blend (Llama 3.1). yarn: the same idea over dimensions,
                      those that turn more than beta_fast times within original_context kept, less than beta_slow
                      times divided, and queries and keys lengthened by `attention_factor` (Peng et al. 2023)
    original_context  tokens that pre-training saw at once
    attention_factor  None is YaRN's own, 0.1 ln(factor) + 1
    truncate          whether YaRN's bounds are rounded to whole dimensions
    """

    kind: str
    factor: float
    original_context: int = 8192
    low_freq_factor: float = 1.0
    high_freq_factor: float = 4.0
    beta_fast: float = 32.0
    beta_slow: float = 1.0
    attention_factor: float | None = None
    truncate: bool = True

    def __post_init__(self) -> None:
        if self.kind not in ("linear", "llama3", "yarn"):
            raise ValueError(f"rotary scaling {self.kind!r}: expected linear, llama3 or yarn")
        if not (self.factor > 0 and self.original_context > 0):
            raise ValueError(f"rotary scaling by {self.factor} of {self.original_context} tokens: expected more than 0")
        if self.kind == "llama3" and not self.high_freq_factor > self.low_freq_factor > 0:
            raise ValueError(f"llama3 scaling between {self.low_freq_factor} and {self.high_freq_factor}: no band")

    @property
    def amplitude(self) -> float:
        """What queries and keys are multiplied by."""
        if self.kind != "yarn":
            return 1.0
        if self.attention_factor is not None:
            return self.attention_factor
        return 0.1 * math.log(self.factor) + 1 if self.factor > 1 else 1.0


def inverse_frequencies(head_dim: int, theta: float, scaling: RopeScaling | None = None) -> np.ndarray:
    """Radians per position of each pair of dimensions, [H/2], rounded to f32 from f64."""
    plain = theta ** (-np.arange(0, head_dim, 2, dtype=np.float64) / head_dim)
    if scaling is None:
        return plain.astype(np.float32)
    kept = {"linear": _none, "llama3": _by_wavelength, "yarn": _by_turns}[scaling.kind](plain, theta, scaling)
    return (plain * (kept + (1 - kept) / scaling.factor)).astype(np.float32)


def rotations(
    positions_BS: jax.Array, head_dim: int, theta: float, scaling: RopeScaling | None
) -> tuple[jax.Array, jax.Array]:
    """Cosines and sines [B, S, H/2] in f32 for `rotate`."""
    angles_BSH = positions_BS[..., None].astype(jnp.float32) * inverse_frequencies(head_dim, theta, scaling)
    amplitude = scaling.amplitude if scaling else 1.0
    return jnp.cos(angles_BSH) * amplitude, jnp.sin(angles_BSH) * amplitude


def rotate(x_BSNH: jax.Array, cos_BSH: jax.Array, sin_BSH: jax.Array) -> jax.Array:
    """The embedding in its half-split form, which pairs dimension i with i + H/2."""
    left, right = jnp.split(x_BSNH, 2, axis=-1)
    cos, sin = cos_BSH[:, :, None], sin_BSH[:, :, None]
    return jnp.concatenate([left * cos - right * sin, right * cos + left * sin], -1).astype(x_BSNH.dtype)


def _none(plain: np.ndarray, theta: float, scaling: RopeScaling) -> np.ndarray:
    return np.zeros_like(plain)


def _by_wavelength(plain: np.ndarray, theta: float, scaling: RopeScaling) -> np.ndarray:
    """Share of each frequency that is kept; the blend is linear in the number of turns within the original context."""
    turns = scaling.original_context * plain / (2 * math.pi)
    band = scaling.high_freq_factor - scaling.low_freq_factor
    return np.clip((turns - scaling.low_freq_factor) / band, 0, 1)


def _by_turns(plain: np.ndarray, theta: float, scaling: RopeScaling) -> np.ndarray:
    """The blend is linear in the dimension, between those that make beta_fast and beta_slow turns."""
    head_dim = 2 * len(plain)

    def dimension(turns: float) -> float:
        return head_dim * math.log(scaling.original_context / (turns * 2 * math.pi)) / (2 * math.log(theta))

    low, high = dimension(scaling.beta_fast), dimension(scaling.beta_slow)
    if scaling.truncate:
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, head_dim - 1)
    return 1 - np.clip((np.arange(len(plain)) - low) / max(high - low, 0.001), 0, 1)
