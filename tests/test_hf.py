"""Hugging Face directories: what we write transformers reads, and we read it back to the same bits."""

from __future__ import annotations

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from etils import epath

from itool_jax.errors import UserError
from itool_jax.models.config import DecoderConfig, LoraConfig
from itool_jax.models.hf import hf_config, save_hf
from itool_jax.models.loading import load
from itool_jax.models.policy import add_adapters, init_policy, merge_adapters
from itool_jax.training.logprobs import ancestor_mask
from tests.worlds import dialect

CFG = DecoderConfig(vocab_size=400, dim=32, layers=2, heads=4, kv_heads=2, head_dim=8, ffn=64, context=64, tied=False)


def logits(policy, tokens_BS):
    B, S = tokens_BS.shape
    positions = jnp.broadcast_to(jnp.arange(S), (B, S))
    hidden, _ = policy.hidden(tokens_BS, positions, ancestor_mask(jnp.full((B, S), S)))
    return np.asarray(policy.logits(hidden))


@pytest.mark.parametrize("tied", [True, False])
def test_written_and_read_back_are_the_same_bits(tmp_path, tied):
    policy = init_policy(DecoderConfig(**{**CFG.__dict__, "tied": tied}), seed=0)
    save_hf(epath.Path(tmp_path), policy)
    dialect().tokenizer.save(tmp_path)
    loaded = load(tmp_path)
    assert loaded.policy.config == policy.config
    jax.tree.map(np.testing.assert_array_equal, loaded.policy.params, policy.params)
    assert loaded.tokenizer.digest == dialect().tokenizer.digest


def test_transformers_gives_the_same_logits_with_adapters_merged(tmp_path):
    torch = pytest.importorskip("torch", reason="torch is the reference here")
    transformers = pytest.importorskip("transformers")
    policy = add_adapters(init_policy(CFG, seed=1), LoraConfig(4, 8.0), seed=2)
    policy = policy.replace(adapters=jax.tree.map(lambda x: x + 0.02, policy.adapters))
    save_hf(epath.Path(tmp_path), merge_adapters(policy))
    reference = transformers.LlamaForCausalLM.from_pretrained(tmp_path)
    tokens = np.random.default_rng(0).integers(0, 400, (2, 20))
    with torch.no_grad():
        expected = reference(torch.tensor(tokens)).logits.numpy()
    ours = logits(policy, jnp.asarray(tokens))
    np.testing.assert_allclose(ours, expected, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"architectures": ["GPT2LMHeadModel"]}, "GPT2LMHeadModel"),
        ({"attention_bias": True}, "attention_bias"),
        ({"rope_scaling": {"rope_type": "llama3"}}, "rope_type"),
        ({"hidden_size": None}, "hidden_size is None"),
    ],
)
def test_models_that_the_decoder_cannot_be_are_refused(tmp_path, change, says):
    folder = epath.Path(tmp_path)
    save_hf(folder, init_policy(CFG, seed=0))
    values = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(values | change))
    with pytest.raises(UserError, match=says):
        hf_config(folder)


def test_a_damaged_weights_file_is_told(tmp_path):
    folder = epath.Path(tmp_path)
    save_hf(folder, init_policy(CFG, seed=0))
    (folder / "model.safetensors").write_bytes(b"\xff" * 100)
    dialect().tokenizer.save(tmp_path)
    with pytest.raises(UserError, match="safetensors"):
        load(tmp_path)
