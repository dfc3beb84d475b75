"""Exported models: the same bits when they come back, the same logits in transformers and through PEFT."""

from __future__ import annotations

import json
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from itool_jax.errors import UserError
from itool_jax.models import Loaded, export_hf, load
from itool_jax.models.config import LINEAR, DecoderConfig, LoraConfig
from itool_jax.models.families import config_from_json
from itool_jax.models.policy import Policy, add_adapters, init_policy, merge_adapters
from itool_jax.models.quantize import quantize_params
from tests.worlds import dialect

BASE = DecoderConfig(vocab_size=400, dim=48, layers=2, heads=6, kv_heads=2, head_dim=8, ffn=64, context=64)
FAMILIES = {
    "llama": replace(BASE, tied=True),
    "qwen2": replace(BASE, tied=False, qkv_bias=True, rope_theta=1e6, norm_eps=1e-6),
    "qwen3": replace(BASE, tied=False, qk_norm=True, head_dim=16, rope_theta=1e6, norm_eps=1e-6),
}
LORA = LoraConfig(4, 8.0)
TOKENS = np.random.default_rng(0).integers(0, 400, (2, 20))


def made(name: str, lora: LoraConfig | None = None) -> Loaded:
    """A model with weights that leave no part of it without effect."""
    policy = init_policy(FAMILIES[name], seed=1)
    draw = np.random.default_rng(2)

    def changed(path, leaf):
        noise = draw.uniform(-0.3, 0.3, leaf.shape).astype(np.float32)
        return leaf + noise if path[-1].key in ("scale", "bias") else leaf * 2

    policy = policy.replace(params=jax.tree_util.tree_map_with_path(changed, policy.params))
    if lora:
        policy = add_adapters(policy, lora, seed=3)
        grow = lambda leaf: leaf + draw.normal(0, 0.1, leaf.shape).astype(np.float32)
        policy = policy.replace(adapters=jax.tree.map(grow, policy.adapters))
    tokenizer = dialect().tokenizer
    return Loaded(policy, tokenizer, (tokenizer.end_of_turn_id, 3))


def same_bits(found: Policy, expected: Policy) -> None:
    jax.tree.map(np.testing.assert_array_equal, found.params, expected.params)
    assert {leaf.dtype for leaf in jax.tree.leaves(found.params)} == {
        leaf.dtype for leaf in jax.tree.leaves(expected.params)
    }


def close(found, expected) -> None:
    expected = np.asarray(expected)
    np.testing.assert_allclose(np.asarray(found), expected, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("name", FAMILIES)
def test_what_comes_back_is_the_same_to_the_bit(tmp_path, name):
    model = made(name)
    export_hf(model, tmp_path / "out", shard_bytes=60_000)
    assert len(list((tmp_path / "out").glob("*.safetensors"))) > 2
    loaded = load(tmp_path / "out")
    same_bits(loaded.policy, model.policy)
    assert loaded.policy.config == model.policy.config
    assert (loaded.tokenizer.digest, loaded.stop_tokens) == (model.tokenizer.digest, model.stop_tokens)


@pytest.mark.parametrize("kind", ["int8", "nf4"])
def test_a_quantised_base_is_written_as_the_numbers_it_stands_for(tmp_path, kind):
    pytest.importorskip("qwix", reason="quantised kernels are qwix's arrays")
    model = made("qwen2", LORA)
    policy = model.policy.replace(params=quantize_params(model.policy.params, kind))
    export_hf(replace(model, policy=policy), tmp_path / "out")
    found, expected = load(tmp_path / "out").policy.params, merge_adapters(policy).params
    jax.tree.map(lambda one, other: np.testing.assert_allclose(one, other, atol=1e-5), found, expected)
    close(load(tmp_path / "out").logits(TOKENS), replace(model, policy=policy).logits(TOKENS))


def test_bfloat16_comes_back_the_same_too(tmp_path):
    model = made("qwen2")
    half = model.policy.replace(params=jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), model.policy.params))
    export_hf(model, tmp_path / "rounded", dtype="bfloat16")
    export_hf(replace(model, policy=half), tmp_path / "own")
    for name in ("rounded", "own"):
        same_bits(load(tmp_path / name, dtype="bfloat16").policy, half)
        assert json.loads((tmp_path / name / "config.json").read_text())["torch_dtype"] == "bfloat16"
    files = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("rounded", "own")]
    assert files[0] == files[1]


@pytest.mark.parametrize("lora", [None, LORA], ids=["plain", "merged"])
@pytest.mark.parametrize("name", FAMILIES)
def test_transformers_gives_the_same_logits(tmp_path, name, lora):
    torch = pytest.importorskip("torch", reason="torch is the reference here")
    transformers = pytest.importorskip("transformers")
    model = made(name, lora)
    export_hf(model, tmp_path / "out")
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    with torch.no_grad():
        close(model.logits(TOKENS), theirs(torch.tensor(TOKENS)).logits.numpy())
    assert theirs.generation_config.eos_token_id == list(model.stop_tokens) == theirs.config.eos_token_id
    assert (theirs.config.bos_token_id, theirs.config.pad_token_id) == (None, None)


@pytest.mark.parametrize(
    ("name", "lora"),
    [
        ("llama", LORA),
        ("qwen2", LoraConfig(4, 8.0, rslora=True)),
        ("qwen3", LoraConfig(3, 5.5, targets=("o", "v", "down"))),
    ],
)
def test_peft_puts_the_adapter_on_the_base_and_gets_the_merged_model(tmp_path, name, lora):
    torch = pytest.importorskip("torch", reason="torch is the reference here")
    transformers = pytest.importorskip("transformers")
    peft = pytest.importorskip("peft")
    model = made(name, lora)
    plain = replace(model, policy=model.policy.replace(adapters=None))
    export_hf(plain, tmp_path / "base")
    export_hf(model, tmp_path / "adapter", adapter=True, base=str(tmp_path / "base"))
    export_hf(model, tmp_path / "merged")
    adapted = peft.AutoPeftModelForCausalLM.from_pretrained(tmp_path / "adapter").eval()
    merged = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "merged")
    with torch.no_grad():
        found = adapted(torch.tensor(TOKENS)).logits.numpy()
        close(found, merged(torch.tensor(TOKENS)).logits.numpy())
        close(found, model.logits(TOKENS))
        with adapted.disable_adapter():
            close(adapted(torch.tensor(TOKENS)).logits.numpy(), plain.logits(TOKENS))
    assert np.abs(found - np.asarray(plain.logits(TOKENS))).max() > 0.1 * np.abs(found).max()


def test_the_adapter_directory_is_as_peft_writes_it(tmp_path):
    """By its names and shapes, for where PEFT is not installed."""
    from safetensors.numpy import load_file

    model = made("qwen3", LORA)
    export_hf(model, tmp_path / "out", adapter=True, base="owner/name", dtype="bfloat16", card="Hello.")
    tensors = load_file(tmp_path / "out" / "adapter_model.safetensors")
    at = "base_model.model.model.layers.1"
    assert len(tensors) == 2 * 2 * len(LINEAR)
    assert tensors[f"{at}.self_attn.q_proj.lora_A.weight"].shape == (4, 48)
    assert tensors[f"{at}.self_attn.q_proj.lora_B.weight"].shape == (96, 4)
    assert tensors[f"{at}.self_attn.o_proj.lora_A.weight"].shape == (4, 96)
    assert tensors[f"{at}.mlp.down_proj.lora_B.weight"].shape == (48, 4)
    assert {str(tensor.dtype) for tensor in tensors.values()} == {"bfloat16"}
    config = json.loads((tmp_path / "out" / "adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"], config["use_rslora"]) == (4, 8, False)
    assert (config["peft_type"], config["base_model_name_or_path"]) == ("LORA", "owner/name")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        *("adapter_config.json", "adapter_model.safetensors", "README.md"),
        *("tokenizer.json", "tokenizer_config.json", "generation_config.json"),
    }


def test_config_json_is_still_read_by_us(tmp_path):
    export_hf(made("qwen3"), tmp_path / "out")
    written = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config_from_json(written, "x") == FAMILIES["qwen3"]


def test_a_folder_with_something_in_it_is_left_alone(tmp_path):
    model = made("llama")
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(UserError, match=r"is not empty: it holds mine\.txt"):
        export_hf(model, tmp_path)
    with pytest.raises(UserError, match="is a file"):
        export_hf(model, tmp_path / "mine.txt")
    with pytest.raises(UserError, match=r"mine\.txt is no folder"):
        export_hf(model, tmp_path / "mine.txt" / "deeper" / "out")
    with pytest.raises(UserError, match="not on a local disk"):
        export_hf(model, "gs://bucket/model")
    with pytest.raises(UserError, match="no LoRA adapters"):
        export_hf(model, tmp_path / "out", adapter=True)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_failure_leaves_nothing_and_an_empty_folder_is_taken(tmp_path):
    model, out = made("llama"), tmp_path / "out"
    out.mkdir()

    def full(_: int) -> None:
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space"):
        export_hf(model, out, on_bytes=full)
    assert [path.name for path in tmp_path.rglob("*")] == ["out"]
    export_hf(model, out)
    assert (out / "config.json").exists() and [path.name for path in tmp_path.iterdir()] == ["out"]
