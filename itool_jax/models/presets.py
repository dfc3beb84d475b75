"""Shapes that go by name: models of our own for a CPU, and the open models that people use."""

from __future__ import annotations

from itool_jax.errors import UserError
from itool_jax.models.config import DecoderConfig
from itool_jax.models.rope import RopeScaling


def _own(vocab: int, dim: int, layers: int, heads: int, kv_heads: int, ffn: int) -> DecoderConfig:
    return DecoderConfig(vocab, dim, layers, heads, kv_heads, dim // heads, ffn, context=512)


def _smollm2(dim: int, layers: int, heads: int, kv_heads: int, ffn: int, theta: float = 1e5) -> DecoderConfig:
    return DecoderConfig(
        49_152, dim, layers, heads, kv_heads, 64, ffn, rope_theta=theta, context=8192, remat="full"
    )  # fmt: skip


def _llama3(
    dim: int, layers: int, heads: int, kv_heads: int, ffn: int, *, stretch: float = 8.0, tied: bool = False
) -> DecoderConfig:
    return DecoderConfig(
        128_256, dim, layers, heads, kv_heads, dim // heads, ffn,
        rope_theta=5e5, rope_scaling=RopeScaling("llama3", stretch), tied=tied, context=131_072, remat="full",
    )  # fmt: skip


def _qwen2(
    dim: int, layers: int, heads: int, kv_heads: int, ffn: int, *, vocab: int = 152_064, tied: bool = False
) -> DecoderConfig:
    return DecoderConfig(
        vocab, dim, layers, heads, kv_heads, dim // heads, ffn,
        rope_theta=1e6, norm_eps=1e-6, qkv_bias=True, tied=tied, context=32_768, remat="full",
    )  # fmt: skip


def _qwen3(dim: int, layers: int, heads: int, ffn: int, *, tied: bool = False) -> DecoderConfig:
    return DecoderConfig(
        151_936, dim, layers, heads, 8, 128, ffn,
        rope_theta=1e6, norm_eps=1e-6, qk_norm=True, tied=tied, context=40_960, remat="full",
    )  # fmt: skip


FRESH = "tiny"  # what a run without a checkpoint starts from if it does not say

PRESETS = {
    "nano": _own(400, 48, 2, 4, 2, 128),
    "tiny": _own(768, 128, 4, 4, 2, 384),
    "smollm2_135m": _smollm2(576, 30, 9, 3, 1536),
    "smollm2_360m": _smollm2(960, 32, 15, 5, 2560),
    "smollm2_1_7b": _smollm2(2048, 24, 32, 32, 8192, theta=1.3e5),
    "llama3_2_1b": _llama3(2048, 16, 32, 8, 8192, stretch=32.0, tied=True),
    "llama3_2_3b": _llama3(3072, 28, 24, 8, 8192, stretch=32.0, tied=True),
    "llama3_1_8b": _llama3(4096, 32, 32, 8, 14_336),
    "llama3_1_70b": _llama3(8192, 80, 64, 8, 28_672),
    "llama3_3_70b": _llama3(8192, 80, 64, 8, 28_672),
    "qwen2_5_0_5b": _qwen2(896, 24, 14, 2, 4864, vocab=151_936, tied=True),
    "qwen2_5_1_5b": _qwen2(1536, 28, 12, 2, 8960, vocab=151_936, tied=True),
    "qwen2_5_3b": _qwen2(2048, 36, 16, 2, 11_008, vocab=151_936, tied=True),
    "qwen2_5_7b": _qwen2(3584, 28, 28, 4, 18_944),
    "qwen2_5_14b": _qwen2(5120, 48, 40, 8, 13_824),
    "qwen2_5_32b": _qwen2(5120, 64, 40, 8, 27_648),
    "qwen2_5_72b": _qwen2(8192, 80, 64, 8, 29_568),
    "qwen3_0_6b": _qwen3(1024, 28, 16, 3072, tied=True),
    "qwen3_1_7b": _qwen3(2048, 28, 16, 6144, tied=True),
    "qwen3_4b": _qwen3(2560, 36, 32, 9728, tied=True),
    "qwen3_8b": _qwen3(4096, 36, 32, 12_288),
    "qwen3_14b": _qwen3(5120, 40, 40, 17_408),
    "qwen3_32b": _qwen3(5120, 64, 64, 25_600),
}


def preset(name: str) -> DecoderConfig:
    """The preset of that name; raises UserError that lists the known ones."""
    if name not in PRESETS:
        raise UserError(f"unknown model preset {name!r}: the presets are {', '.join(sorted(PRESETS))}")
    return PRESETS[name]
