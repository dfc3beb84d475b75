"""Shapes of the decoder and of its adapters."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from itool_jax.errors import UserError
from itool_jax.models.rope import RopeScaling

HOW_RUN = ("dtype", "remat", "attention", "sequence_sharding")  # of a config: how a model is run, and not which it is
LINEAR: tuple[str, ...] = ("q", "k", "v", "o", "gate", "up", "down")  # the linear layers, which adapters can go on


@dataclass(frozen=True)
class DecoderConfig:
    """A decoder of the Llama family; sizes are counts of elements.

    tied          the output head is the embedding's transpose
    context       the longest sequence, in tokens, that the weights were trained for
    rope_scaling  None where the frequencies are those of rope_theta alone
    qkv_bias      queries, keys and values have biases (Qwen2)
    qk_norm       queries and keys are normalised head by head before they are rotated (Qwen3)
    remat         what the backward pass computes again: "none", "dots" (all but matmul results) or "full" (layers)
    attention     how rows of forests are read: "dense" with an array of all scores, "blockwise", "tpu" (its kernel,
                  models/forest_kernel.py), or "" for the kernel on TPUs and blockwise elsewhere
    sequence_sharding  between layers, tokens of whole rows lie over the mesh's tensor axis, where they divide
                  (Korthikanti et al. 2022, "Reducing Activation Recomputation in Large Transformer Models")
    """

    vocab_size: int
    dim: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    ffn: int
    rope_theta: float = 10_000.0
    norm_eps: float = 1e-5
    tied: bool = True
    context: int = 2048
    rope_scaling: RopeScaling | None = None
    qkv_bias: bool = False
    qk_norm: bool = False
    dtype: str = "float32"
    remat: str = "none"
    attention: str = ""
    sequence_sharding: bool = False

    def __post_init__(self) -> None:
        if self.heads % self.kv_heads:
            raise ValueError(f"{self.heads} heads do not divide into {self.kv_heads} KV heads")
        if self.head_dim % 2:
            raise ValueError(f"rotary embeddings need an even head_dim, found {self.head_dim}")

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> DecoderConfig:
        """The inverse of `to_json`; raises TypeError or ValueError for anything else."""
        scaling = row.get("rope_scaling")
        return cls(**{**row, "rope_scaling": RopeScaling(**scaling) if scaling else None})


@dataclass(frozen=True)
class LoraConfig:
    """Low-rank adapters on linear layers: W x + scale B A x (Hu et al. 2021).

    targets  which of LINEAR they are on
    rslora   scale is alpha / sqrt(rank) instead of alpha / rank, so that high ranks learn (Kalajdzievski 2023)
    """

    rank: int
    alpha: float
    targets: tuple[str, ...] = LINEAR
    rslora: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "targets", tuple(self.targets))  # JSON gives a list
        if unknown := sorted(set(self.targets) - set(LINEAR)):
            raise ValueError(f"adapters on {', '.join(unknown)}: the linear layers are {', '.join(LINEAR)}")
        if self.rank < 1 or not self.targets:
            raise ValueError(f"adapters of rank {self.rank} on {len(self.targets)} layers: expected at least 1 of each")

    @property
    def scale(self) -> float:
        return self.alpha / (self.rank**0.5 if self.rslora else self.rank)


def require_same_model(found: DecoderConfig, expected: DecoderConfig, source: str) -> None:
    """Raises UserError that lists what differs between the model in `source` and the expected one."""
    differ = [
        f"{field.name} is {getattr(found, field.name)}, expected {getattr(expected, field.name)}"
        for field in fields(DecoderConfig)
        if field.name not in HOW_RUN and getattr(found, field.name) != getattr(expected, field.name)
    ]
    if differ:
        raise UserError(
            f"the weights in {source} are of another model: {'; '.join(differ)}. "
            "Set config.model to the model of the weights, or name weights of this one."
        )
