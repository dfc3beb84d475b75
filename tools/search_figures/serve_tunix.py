"""Serves the sampler of Tunix (google-tunix 0.1.7): one batch over trees and branches.

python serve_tunix.py FOLDER    a Hugging Face directory of the Llama family without scaled RoPE; computed in f32
"""

import json
import sys
from functools import partial
from pathlib import Path

from serving import own_stdout, serve


class Ids:
    """The tokenizer that Tunix asks for, over texts that are token ids already: none begins, pads or ends a text."""

    def encode(self, text, **_):
        return [int(word) for word in text.split()]

    def decode(self, ids, **_):
        return " ".join(map(str, ids))

    def bos_id(self):
        return None

    def pad_id(self):
        return -1

    eos_id = pad_id


def main(folder: str) -> None:
    say = own_stdout()
    import jax
    import jax.numpy as jnp
    import numpy as np
    from tunix.generate.sampler import CacheConfig, Sampler
    from tunix.models.llama3 import model as llama
    from tunix.models.llama3.params import create_model_from_safe_tensors

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
        model = create_model_from_safe_tensors(folder, cfg, mesh, jnp.float32)
    samplers: dict[int, Sampler] = {}  # by cache size: each is as long as its sequences get, and no longer
    calls = 0

    def generate(sequences, branches, tokens, temperature):
        nonlocal calls
        calls += 1
        length = len(sequences[0])
        if length + tokens not in samplers:
            size = CacheConfig(length + tokens, cfg.num_layers, cfg.num_kv_heads, cfg.head_dim)
            samplers[length + tokens] = Sampler(model, Ids(), size)
        texts = [" ".join(map(str, sequence)) for sequence in sequences for _ in range(branches)]
        drawing = {"temperature": temperature, "top_p": 1.0, "seed": calls} if temperature else {}
        with jax.set_mesh(mesh):
            out = samplers[length + tokens](texts, tokens, max_prompt_length=length, eos_tokens=[-1], **drawing)
        drawn = [one.tolist() for one in out.tokens]
        return [drawn[start : start + branches] for start in range(0, len(drawn), branches)]

    serve(generate, ("google-tunix", "jax", "flax"), say)


def rope_theta(shape: dict) -> float:
    """The base of the rotary frequencies, as transformers 5 and 4 write it."""
    rope = shape.get("rope_parameters") or {"rope_theta": shape["rope_theta"], **(shape.get("rope_scaling") or {})}
    if rope.get("rope_type", "default") != "default":
        raise SystemExit(f"Tunix's Llama knows no scaled RoPE, but the model's is {rope['rope_type']!r}")
    return rope["rope_theta"]


if __name__ == "__main__":
    main(*sys.argv[1:])
