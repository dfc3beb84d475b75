"""Shapes of the decoder, and the presets that go by name."""

from __future__ import annotations

from dataclasses import dataclass, fields

from itool_jax.errors import UserError


@dataclass(frozen=True)
class DecoderConfig:
    """A decoder of the Llama family; sizes are counts of elements.

    context  the longest sequence, in tokens, that the weights were trained for
    tied     the output head is the embedding's transpose
    remat    what the backward pass computes again: "none", "dots" (all but matmul results) or "full" (whole layers)
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
    dtype: str = "float32"
    remat: str = "none"

    def __post_init__(self) -> None:
        if self.heads % self.kv_heads:
            raise ValueError(f"{self.heads} heads do not divide into {self.kv_heads} KV heads")
        if self.head_dim % 2:
            raise ValueError(f"rotary embeddings need an even head_dim, found {self.head_dim}")


@dataclass(frozen=True)
class LoraConfig:
    """Low-rank adapters on all linear layers (Hu et al. 2021): W x + (alpha / rank) B A x."""

    rank: int
    alpha: float

    @property
    def scale(self) -> float:
        return self.alpha / self.rank


PRESETS = {
    "nano": DecoderConfig(
        vocab_size=400, dim=48, layers=2, heads=4, kv_heads=2, head_dim=12, ffn=128, rope_theta=10_000.0, context=512
    ),
    "tiny": DecoderConfig(
        vocab_size=768, dim=128, layers=4, heads=4, kv_heads=2, head_dim=32, ffn=384, rope_theta=10_000.0, context=512
    ),
    "smollm2_135m": DecoderConfig(
        vocab_size=49_152,
        dim=576,
        layers=30,
        heads=9,
        kv_heads=3,
        head_dim=64,
        ffn=1536,
        rope_theta=100_000.0,
        context=8192,
        remat="full",
    ),
}


def preset(name: str) -> DecoderConfig:
    """The preset of that name; raises UserError that lists the known ones."""
    if name not in PRESETS:
        raise UserError(f"unknown model preset {name!r}: the presets are {', '.join(sorted(PRESETS))}")
    return PRESETS[name]


def require_same_model(found: DecoderConfig, expected: DecoderConfig, source: str) -> None:
    """Raises UserError that lists what differs between the model in `source` and the expected one.

    dtype and remat are a matter of how a model is run, not of which it is.
    """
    differ = [
        f"{field.name} is {getattr(found, field.name)}, expected {getattr(expected, field.name)}"
        for field in fields(DecoderConfig)
        if field.name not in ("dtype", "remat") and getattr(found, field.name) != getattr(expected, field.name)
    ]
    if differ:
        raise UserError(
            f"the weights in {source} are of another model: {'; '.join(differ)}. "
            "Set config.model to the model of the weights, or name weights of this one."
        )
