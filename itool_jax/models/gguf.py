"""Import of GGUF files of the llama architecture: shapes and tokenizer from the metadata, weights tensor by tensor.

llama.cpp keeps the rows of q and k in interleaved rotary order, the decoder in half-split order.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from itool_jax.errors import UserError
from itool_jax.models.config import DecoderConfig
from itool_jax.models.decoder import Decoder
from itool_jax.models.policy import Policy
from itool_jax.models.weights import Naming, import_params

QUANTISATIONS = ("F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1")

GGUF = Naming(
    embedding="token_embd.weight",
    final_norm="output_norm.weight",
    head="output.weight",
    layer="blk.{}.{}.weight",
    parts={
        "attention_norm": "attn_norm",
        "q": "attn_q",
        "k": "attn_k",
        "v": "attn_v",
        "o": "attn_output",
        "ffn_norm": "ffn_norm",
        "gate": "ffn_gate",
        "up": "ffn_up",
        "down": "ffn_down",
    },
)

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
    if architecture != "llama":
        raise UserError(f"{file.path} holds a model of architecture {architecture!r}: only 'llama' can be imported.")
    heads, dim = file.count("llama.attention.head_count"), file.count("llama.embedding_length")
    head_dim = file.count("llama.attention.key_length", max(1, dim // heads))
    expected = {
        "llama.rope.dimension_count": head_dim,
        "llama.attention.value_length": head_dim,
        "llama.rope.scaling.type": "none",
    }
    for key, value in expected.items():
        found = file.value(key, type(value), value)
        if found != value:
            raise UserError(f"metadata {key!r} of {file.path} is {found!r}: only {value!r} can be imported.")
    try:
        return DecoderConfig(
            vocab_size=len(file.value("tokenizer.ggml.tokens", list)),
            dim=dim,
            layers=file.count("llama.block_count"),
            heads=heads,
            kv_heads=file.count("llama.attention.head_count_kv", heads),
            head_dim=head_dim,
            ffn=file.count("llama.feed_forward_length"),
            rope_theta=_shortest(file.value("llama.rope.freq_base", float, 10_000.0)),
            norm_eps=_shortest(file.value("llama.attention.layer_norm_rms_epsilon", float)),
            tied=GGUF.head not in file.tensors,
            context=file.count("llama.context_length"),
        )
    except ValueError as error:
        raise UserError(f"the sizes in {file.path} do not fit together: {error}.") from error


def gguf_policy(file: GgufFile, cfg: DecoderConfig) -> Policy:
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
    heads_of = {GGUF.parts["q"]: cfg.heads, GGUF.parts["k"]: cfg.kv_heads}

    def read(name: str) -> np.ndarray:
        tensor = file.tensors[name]
        array = gguf.dequantize(tensor.data, tensor.tensor_type)
        part = name.split(".")[-2]
        return half_split(array, heads_of[part]) if part in heads_of else array

    shapes = {name: tuple(map(int, tensor.shape[::-1])) for name, tensor in file.tensors.items()}
    return Policy(Decoder(cfg), import_params(cfg, GGUF, shapes, read, file.path))


def half_split(rows: np.ndarray, heads: int) -> np.ndarray:
    """Rows [heads * H, D] of a q or k projection from interleaved rotary order (pairs 2i, 2i + 1) to (i, i + H/2)."""
    return rows.reshape(heads, -1, 2, rows.shape[-1]).swapaxes(1, 2).reshape(rows.shape)


def _shortest(value: float) -> float:
    """The decimal that was meant by a float32, such as 1e-5 for 9.99999974738e-06."""
    return float(str(np.float32(value)))
