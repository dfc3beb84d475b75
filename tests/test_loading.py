"""Models for a user in a notebook: a pre-trained one tells the story that its author's own program tells."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
from etils import epath
from safetensors.numpy import save_file

from itool_jax.errors import UserError
from itool_jax.models import Loaded, load
from itool_jax.models.generate import continuations
from itool_jax.models.hf import hf_config, load_hf
from itool_jax.models.loading import shape_of
from tests.assets import asset
from tests.worlds import dialect, small_policy

BOS = 1
# How what llama2.c prints for this file at temperature 0 begins, as its own test expects it.
STORY = """Once upon a time, there was a little girl named Lily. She loved to play outside in the park. One day, she \
saw a big, red ball. She wanted to play with it, but it was too high.
Lily's mom said, "Lily, let's go to the park." Lily was sad and didn't know what to do. She said, "I want to play with \
your ball, but I can't find it."
Lily was sad and didn't know what to do. She said, "I'm sorry, Lily. I didn't know what to do."
Lily didn't want to help her mom, so she said, "I'm sorry, mom. I didn't know what to do." Her mom said, "Don't worry, \
Lily. We can help you"""


def test_stories260k_tells_the_story_that_llama2_c_tells(tmp_path):
    write_hf(tmp_path, asset("stories260K/stories260K.bin").read_bytes())
    policy = load_hf(epath.Path(tmp_path), hf_config(epath.Path(tmp_path)))
    (answer,) = continuations(policy, [[BOS]], [BOS], max_tokens=260)
    pieces = read_pieces(asset("stories260K/tok512.bin").read_bytes())
    assert "".join(pieces[token] for token in answer).strip().startswith(STORY)


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (lambda model: model.generate("one text"), "give a list"),
        (lambda model: model.generate([[1]], max_tokens=0), "budget is 0: expected at least 1 token"),
        (lambda model: model.generate([[1]], temperature=-1.0), "temperature is -1.0: expected 0"),
        (lambda model: model.generate([[1]], top_p=0.0), "top_p is 0.0: expected more than 0"),
        (lambda model: model.logits([1, 2]), r"shape \(2,\): expected whole numbers \[B, S\]"),
        (lambda model: model.logits([[0.5]]), "float64"),
        (lambda model: model.logits([[1, 10_000]]), "expected 0 to"),
    ],
)
def test_what_makes_no_sense_is_refused(ask, says):
    model = Loaded(small_policy(), dialect().tokenizer, (1,))
    with pytest.raises(UserError, match=says):
        ask(model)


def test_a_folder_without_a_model_is_told_what_could_be_there(tmp_path):
    for ask in (load, shape_of):
        with pytest.raises(UserError, match=r"there is no model .* expected a Hugging Face directory"):
            ask(tmp_path)


def write_hf(folder, data: bytes) -> None:
    """A file of llama2.c's version 0 as a Hugging Face directory; the classifier is the embedding."""
    dim, ffn, layers, heads, kv_heads, vocab, context = struct.unpack("7i", data[:28])
    head_dim, rest = dim // heads, np.frombuffer(data, np.float32, offset=28)
    place = 0

    def take(*shape: int) -> np.ndarray:
        nonlocal place
        place += int(np.prod(shape))
        return rest[place - int(np.prod(shape)) : place].reshape(shape)

    def halves(rows: np.ndarray) -> np.ndarray:
        """Rotary rows in pairs (2i, 2i + 1) -> (i, i + H/2)."""
        return rows.reshape(layers, -1, head_dim // 2, 2, dim).swapaxes(2, 3).reshape(layers, -1, dim)

    embedding = take(vocab, dim)
    stacked = {"input_layernorm": take(layers, dim)}
    stacked["self_attn.q_proj"] = halves(take(layers, dim, dim))
    stacked["self_attn.k_proj"] = halves(take(layers, kv_heads * head_dim, dim))
    stacked["self_attn.v_proj"] = take(layers, kv_heads * head_dim, dim)
    stacked["self_attn.o_proj"] = take(layers, dim, dim)
    stacked["post_attention_layernorm"] = take(layers, dim)
    stacked["mlp.gate_proj"] = take(layers, ffn, dim)
    stacked["mlp.down_proj"] = take(layers, dim, ffn)
    stacked["mlp.up_proj"] = take(layers, ffn, dim)
    tensors = {"model.embed_tokens.weight": embedding, "model.norm.weight": take(dim)}
    for name, parts in stacked.items():
        tensors |= {f"model.layers.{layer}.{name}.weight": part for layer, part in enumerate(parts)}
    save_file({name: np.ascontiguousarray(part) for name, part in tensors.items()}, folder / "model.safetensors")
    sizes = {"hidden_size": dim, "intermediate_size": ffn, "num_hidden_layers": layers, "vocab_size": vocab}
    sizes |= {"num_attention_heads": heads, "num_key_value_heads": kv_heads, "max_position_embeddings": context}
    kind = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "tie_word_embeddings": vocab > 0}
    (folder / "config.json").write_text(json.dumps({**kind, **sizes, "rms_norm_eps": 1e-5, "rope_theta": 10_000.0}))


def read_pieces(data: bytes) -> list[str]:
    """The vocabulary of llama2.c's tokenizer: after the longest length, a score, a length and so many bytes each."""
    pieces, place = [], 4
    while place < len(data):
        _, length = struct.unpack_from("fi", data, place)
        pieces.append(data[place + 8 : place + 8 + length].decode())
        place += 8 + length
    return [byte_piece(piece) for piece in pieces]


def byte_piece(piece: str) -> str:
    return chr(int(piece[3:5], 16)) if piece.startswith("<0x") else piece
