"""A Hugging Face directory of the Llama family as a model of Tunix (google-tunix 0.1.7), on one device, in f32."""

import json
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from tunix.models.llama3 import model as llama
from tunix.models.llama3.params import create_model_from_safe_tensors


def load(folder: str):
    """The model, its config and its mesh."""
    shape = json.loads((Path(folder) / "config.json").read_text())
    cfg = llama.ModelConfig(
        num_layers=shape["num_hidden_layers"],
        vocab_size=shape["vocab_size"],
        embed_dim=shape["hidden_size"],
        hidden_dim=shape["intermediate_size"],
        num_heads=shape["num_attention_heads"],
        head_dim=shape["head_dim"],
        num_kv_heads=shape["num_key_value_heads"],
        rope_theta=rope_theta(shape),
        norm_eps=shape["rms_norm_eps"],
        weight_tying=shape["tie_word_embeddings"],
    )
    # Its attention leaves the config's base of the rotary frequencies unread and computes with 1,000,000.
    llama.apply_rope = partial(llama.apply_rope, rope_theta=cfg.rope_theta)
    mesh = jax.sharding.Mesh(np.array(jax.devices()[:1]).reshape(1, 1), ("fsdp", "tp"))
    with jax.set_mesh(mesh):
        return create_model_from_safe_tensors(folder, cfg, mesh, jnp.float32), cfg, mesh


def rope_theta(shape: dict) -> float:
    """The base of the rotary frequencies, as transformers 5 and 4 write it."""
    rope = shape.get("rope_parameters") or {"rope_theta": shape["rope_theta"], **(shape.get("rope_scaling") or {})}
    if rope.get("rope_type", "default") != "default":
        raise SystemExit(f"Tunix's Llama knows no scaled RoPE, but the model's is {rope['rope_type']!r}")
    return rope["rope_theta"]
