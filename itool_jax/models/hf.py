"""Hugging Face directories of plain Llama models: config.json, model.safetensors and the tokenizer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from etils import epath
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from itool_jax.errors import UserError
from itool_jax.models.config import DecoderConfig
from itool_jax.models.decoder import Decoder
from itool_jax.models.policy import Policy, merge_adapters
from itool_jax.models.weights import HUGGING_FACE, export_params, import_params

CONFIG, WEIGHTS = "config.json", "model.safetensors"


def is_hf(folder: epath.Path) -> bool:
    return (folder / CONFIG).exists() and (folder / WEIGHTS).exists()


def hf_config(folder: epath.Path) -> DecoderConfig:
    """Shapes from config.json as transformers 4 and 5 write it; raises UserError for what the decoder cannot be."""
    path = folder / CONFIG
    try:
        values = json.loads(path.read_text())
    except ValueError as error:
        raise UserError(f"{path} is not JSON: {error}.") from error
    architectures = values.get("architectures") or []
    if architectures != ["LlamaForCausalLM"]:
        raise UserError(f"{path} is of {architectures}: only LlamaForCausalLM can be imported.")
    rope = values.get("rope_parameters") or values.get("rope_scaling") or {}
    other = {
        "attention_bias": values.get("attention_bias", False),
        "mlp_bias": values.get("mlp_bias", False),
        "rope_type": rope.get("rope_type", rope.get("type", "default")) != "default",
        "hidden_act": values.get("hidden_act", "silu") != "silu",
    }
    if unknown := [name for name, is_other in other.items() if is_other]:
        raise UserError(f"{path} sets {', '.join(unknown)} to something that the decoder does not have.")

    def size(key: str, default: int | None = None) -> int:
        value = values.get(key) or default
        if type(value) is not int or value < 1:
            raise UserError(f"{path}: {key} is {value!r}, expected a whole number of at least 1.")
        return value

    heads = size("num_attention_heads")
    try:
        return DecoderConfig(
            vocab_size=size("vocab_size"),
            dim=size("hidden_size"),
            layers=size("num_hidden_layers"),
            heads=heads,
            kv_heads=size("num_key_value_heads", heads),
            head_dim=size("head_dim", size("hidden_size") // heads),
            ffn=size("intermediate_size"),
            rope_theta=float(rope.get("rope_theta", values.get("rope_theta", 10_000.0))),
            norm_eps=float(values.get("rms_norm_eps", 1e-6)),
            tied=bool(values.get("tie_word_embeddings", False)),
            context=size("max_position_embeddings"),
        )
    except (TypeError, ValueError) as error:
        raise UserError(f"the sizes in {path} do not fit together: {error}.") from error


def load_hf(folder: epath.Path, cfg: DecoderConfig) -> Policy:
    """The policy with the directory's weights in `cfg.dtype`; `cfg` is `hf_config(folder)` but for dtype and remat."""
    path = folder / WEIGHTS
    try:
        with safe_open(path, framework="numpy") as file:
            found = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
            return Policy(Decoder(cfg), import_params(cfg, HUGGING_FACE, found, file.get_tensor, str(path)))
    except SafetensorError as error:
        raise UserError(f"{path} is no safetensors file, or a damaged one: {error}.") from error


def save_hf(folder: epath.Path, policy: Policy) -> None:
    """Writes config.json and model.safetensors, adapters merged, as transformers' LlamaForCausalLM reads them."""
    policy = merge_adapters(policy)
    folder.mkdir(parents=True, exist_ok=True)
    params = jax.tree.map(np.asarray, jax.device_get(policy.params))
    save_file(export_params(policy.config, HUGGING_FACE, params), folder / WEIGHTS, metadata={"format": "pt"})
    (folder / CONFIG).write_text(json.dumps(_config_json(policy.config), indent=2) + "\n")


def _config_json(cfg: DecoderConfig) -> Mapping[str, Any]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": cfg.vocab_size,
        "hidden_size": cfg.dim,
        "num_hidden_layers": cfg.layers,
        "num_attention_heads": cfg.heads,
        "num_key_value_heads": cfg.kv_heads,
        "head_dim": cfg.head_dim,
        "intermediate_size": cfg.ffn,
        "rope_theta": cfg.rope_theta,
        "rms_norm_eps": cfg.norm_eps,
        "tie_word_embeddings": cfg.tied,
        "max_position_embeddings": cfg.context,
        "hidden_act": "silu",
        "torch_dtype": "float32",
    }
