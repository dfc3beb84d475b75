"""Import of GGUF files of llama, qwen2 and qwen3 models: shapes from the metadata, weights tensor by tensor.

For llama models llama.cpp keeps the rows of q and k in interleaved rotary order, the decoder in half-split order.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from jax.sharding import Mesh

from itool_jax.errors import UserError
from itool_jax.models.config import DecoderConfig
from itool_jax.models.decoder import Decoder
from itool_jax.models.policy import Policy
from itool_jax.models.rope import RopeScaling, inverse_frequencies
from itool_jax.models.weights import Index, Naming, import_params

QUANTISATIONS = ("F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1")

GGUF = Naming(
    embedding="token_embd.weight",
    final_norm="output_norm.weight",
    head="output.weight",
    layer="blk.{}.{}",
    parts={
        "attention_norm": "attn_norm",
        "q": "attn_q",
        "k": "attn_k",
        "v": "attn_v",
        "q_norm": "attn_q_norm",
        "k_norm": "attn_k_norm",
        "o": "attn_output",
        "ffn_norm": "ffn_norm",
        "gate": "ffn_gate",
        "up": "ffn_up",
        "down": "ffn_down",
    },
)

# What an architecture sets of DecoderConfig.
ARCHITECTURES: dict[str, dict[str, Any]] = {"llama": {}, "qwen2": {"qkv_bias": True}, "qwen3": {"qk_norm": True}}
_FREQUENCIES = "rope_freqs.weight"  # by what each frequency is divided: how Llama 3.1's scaling is written down
_CONTEXT_OF_LLAMA3 = 8192  # tokens that its pre-training saw at once, which the file does not say

T = TypeVar("T", int, float, str, list)


@dataclass(frozen=True)
class GgufFile:
    """An open GGUF file: its metadata and its tensors by name, both as the `gguf` package has them."""

    path: str
    fields: dict[str, Any]
    tensors: dict[str, Any]

    def value(self, key: str, kind: type[T], default: T | None = None) -> T:
        """Metadata at `key`; raises UserError where it is absent without a default, or not of this kind."""
        if key not in self.fields:
            if default is None:
                raise UserError(f"{self.path} has no metadata {key!r}: it is not a complete GGUF model file.")
            return default
        value = self.fields[key].contents()
        if type(value) is not kind:
            raise UserError(f"metadata {key!r} of {self.path} is {str(value)[:80]!r}, expected a {kind.__name__}.")
        return value

    def count(self, key: str, default: int | None = None) -> int:
        """Metadata at `key` that is at least 1."""
        value = self.value(key, int, default)
        if value < 1:
            raise UserError(f"metadata {key!r} of {self.path} is {value}, expected at least 1.")
        return value


def open_gguf(path: str | os.PathLike[str]) -> GgufFile:
    """Reads the metadata and maps the tensors; raises UserError where it is no GGUF file or `gguf` is not installed."""
    try:
        import gguf
    except ImportError as error:
        raise UserError("GGUF files need the package gguf: install itool-jax with the extra 'gguf'.") from error
    try:
        reader = gguf.GGUFReader(os.fspath(path))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}. Name a GGUF file.") from error
    except Exception as error:  # the reader meets a damaged file with any of a dozen kinds
        raise UserError(f"{path} is no GGUF file, or a damaged one: {error}. Get the file anew.") from error
    if reader.byte_order != "I":
        raise UserError(f"{path} has the byte order of another machine: convert it with the gguf package's scripts.")
    return GgufFile(os.fspath(path), dict(reader.fields), {tensor.name: tensor for tensor in reader.tensors})


def gguf_config(file: GgufFile) -> DecoderConfig:
    """Shapes from the metadata; raises UserError for another architecture or rotary embeddings of another kind."""
    architecture = file.value("general.architecture", str)
    if architecture not in ARCHITECTURES:
        raise UserError(
            f"{file.path} holds a model of architecture {architecture!r}: only {', '.join(ARCHITECTURES)} can be "
            "imported."
        )

    def key(name: str) -> str:
        return f"{architecture}.{name}"

    heads, dim = file.count(key("attention.head_count")), file.count(key("embedding_length"))
    head_dim = file.count(key("attention.key_length"), max(1, dim // heads))
    expected = {"rope.dimension_count": head_dim, "attention.value_length": head_dim, "rope.scaling.type": "none"}
    for name, value in expected.items():
        found = file.value(key(name), type(value), value)
        if found != value:
            raise UserError(f"metadata {key(name)!r} of {file.path} is {found!r}: only {value!r} can be imported.")
    theta = _shortest(file.value(key("rope.freq_base"), float, 10_000.0))
    try:
        return DecoderConfig(
            vocab_size=_vocabulary(file),
            dim=dim,
            layers=file.count(key("block_count")),
            heads=heads,
            kv_heads=file.count(key("attention.head_count_kv"), heads),
            head_dim=head_dim,
            ffn=file.count(key("feed_forward_length")),
            rope_theta=theta,
            rope_scaling=_scaling(file, head_dim, theta),
            norm_eps=_shortest(file.value(key("attention.layer_norm_rms_epsilon"), float)),
            tied=GGUF.head not in file.tensors,
            context=file.count(key("context_length")),
            **ARCHITECTURES[architecture],
        )
    except ValueError as error:
        raise UserError(f"the sizes in {file.path} do not fit together: {error}.") from error


def _vocabulary(file: GgufFile) -> int:
    """Rows of the embedding, which may be more than there are tokens."""
    tokens = len(file.value("tokenizer.ggml.tokens", list))
    embedding = file.tensors.get(GGUF.embedding)
    return tokens if embedding is None else max(tokens, int(embedding.shape[-1]))


def _scaling(file: GgufFile, head_dim: int, theta: float) -> RopeScaling | None:
    """Llama 3's scaling, where dividing by what the file holds is the same."""
    if _FREQUENCIES not in file.tensors:
        return None
    divisors = np.asarray(file.tensors[_FREQUENCIES].data, np.float32).reshape(-1)
    scaling = RopeScaling("llama3", _shortest(float(divisors.max(initial=1))), _CONTEXT_OF_LLAMA3)
    ours = inverse_frequencies(head_dim, theta) / inverse_frequencies(head_dim, theta, scaling)
    if divisors.shape != ours.shape or not np.allclose(divisors, ours, rtol=1e-4):
        raise UserError(f"{_FREQUENCIES} of {file.path} is no scaling of Llama 3's kind, the only one known here.")
    return scaling


def gguf_policy(file: GgufFile, cfg: DecoderConfig, mesh: Mesh | None = None) -> Policy:
    """The policy with the file's weights, dequantised to `cfg.dtype`.

    `cfg` is `gguf_config(file)`, whatever its dtype and remat. Raises UserError for tensors that are missing, unknown,
    of another shape or quantised in an unknown way.
    """
    import gguf

    other = {tensor.tensor_type.name for tensor in file.tensors.values()} - set(QUANTISATIONS)
    if other:
        raise UserError(
            f"{file.path} has tensors quantised as {', '.join(sorted(other))}: "
            f"only {', '.join(QUANTISATIONS)} can be imported. Get the model in one of these."
        )
    interleaved = file.value("general.architecture", str) == "llama"
    rotated = {GGUF.parts["q"], GGUF.parts["k"]} if interleaved else set()

    def read(name: str, index: Index) -> np.ndarray:
        tensor = file.tensors[name]
        if len(index) == 1:
            return gguf.dequantize(tensor.data, tensor.tensor_type)[index]
        rows, columns = index
        array = gguf.dequantize(tensor.data[rows], tensor.tensor_type)[:, columns]
        return half_split(array, len(array) // cfg.head_dim) if name.split(".")[-2] in rotated else array

    shapes = {
        name: tuple(map(int, tensor.shape[::-1])) for name, tensor in file.tensors.items() if name != _FREQUENCIES
    }
    return Policy(Decoder(cfg), import_params(cfg, GGUF, shapes, read, file.path, mesh))


def half_split(rows: np.ndarray, heads: int) -> np.ndarray:
    """Rows [heads * H, D] of a q or k projection from interleaved rotary order (pairs 2i, 2i + 1) to (i, i + H/2)."""
    return rows.reshape(heads, -1, 2, rows.shape[-1]).swapaxes(1, 2).reshape(rows.shape)


def _shortest(value: float) -> float:
    """The decimal that was meant by a float32, such as 1e-5 for 9.99999974738e-06."""
    return float(str(np.float32(value)))
