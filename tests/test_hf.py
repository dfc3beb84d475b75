"""Hugging Face directories: what we write transformers reads, and we read it back to the same bits."""

from __future__ import annotations

import json
from dataclasses import replace

import huggingface_hub
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from etils import epath
from safetensors.numpy import load_file, save_file

from itool_jax.errors import UserError
from itool_jax.models.config import DecoderConfig, LoraConfig
from itool_jax.models.forest_attention import causal
from itool_jax.models.hf import save_hf
from itool_jax.models.loading import load
from itool_jax.models.policy import add_adapters, init_policy, merge_adapters
from itool_jax.parallel.mesh import make_mesh, shardings
from tests.worlds import dialect

CFG = DecoderConfig(vocab_size=400, dim=32, layers=2, heads=4, kv_heads=2, head_dim=8, ffn=64, context=64, tied=False)


def logits(policy, tokens_BS):
    B, S = tokens_BS.shape
    positions = jnp.broadcast_to(jnp.arange(S), (B, S))
    hidden, _ = policy.hidden(tokens_BS, positions, causal(B, S))
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


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_several_files_with_an_index_hold_the_same_bits(tmp_path, dtype):
    policy = init_policy(replace(CFG, qkv_bias=True), seed=0)
    policy = policy.replace(params=jax.tree.map(lambda leaf: leaf.astype(dtype), policy.params))
    folder = epath.Path(tmp_path)
    save_hf(folder, policy, shard_bytes=20_000)
    dialect().tokenizer.save(tmp_path)
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    sizes = {file: (tmp_path / file).stat().st_size for file in index["weight_map"].values()}
    alone = {file: list(index["weight_map"].values()).count(file) == 1 for file in sizes}
    assert len(sizes) > 3 and all(size < 22_000 or alone[file] for file, size in sizes.items())
    assert index["metadata"]["total_size"] == sum(leaf.nbytes for leaf in jax.tree.leaves(policy.params))
    loaded = load(tmp_path, dtype=dtype).policy
    jax.tree.map(np.testing.assert_array_equal, loaded.params, policy.params)
    assert {leaf.dtype for leaf in jax.tree.leaves(loaded.params)} == {jnp.dtype(dtype)}


def test_half_precision_files_are_read_in_what_is_asked_for(tmp_path):
    policy = init_policy(CFG, seed=0)
    save_hf(epath.Path(tmp_path), policy)
    dialect().tokenizer.save(tmp_path)
    path = tmp_path / "model.safetensors"
    tensors = load_file(path)
    for kind in (np.float16, jnp.bfloat16):
        save_file({name: tensor.astype(kind) for name, tensor in tensors.items()}, path)
        loaded = load(tmp_path).policy  # f32 on a CPU
        rounded = jax.tree.map(lambda own: np.asarray(own).astype(kind).astype(np.float32), policy.params)  # noqa: B023
        jax.tree.map(np.testing.assert_array_equal, loaded.params, rounded)


def test_each_device_gets_its_own_part(tmp_path):
    policy = init_policy(replace(CFG, qk_norm=True, qkv_bias=False), seed=0)
    save_hf(epath.Path(tmp_path), policy, shard_bytes=30_000)
    dialect().tokenizer.save(tmp_path)
    mesh = make_mesh(data=2, fsdp=2, tensor=2)
    params = load(tmp_path, mesh=mesh).policy.params
    assert jax.tree.map(lambda leaf: leaf.sharding, params) == shardings(policy.params, mesh)
    jax.tree.map(np.testing.assert_array_equal, params, policy.params)


def test_a_tied_head_may_stand_in_the_file_a_second_time(tmp_path):
    policy = init_policy(replace(CFG, tied=True), seed=0)
    save_hf(epath.Path(tmp_path), policy)
    dialect().tokenizer.save(tmp_path)
    path = tmp_path / "model.safetensors"
    tensors = load_file(path)
    tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = np.ones(4, np.float32)
    save_file({**tensors, "lm_head.weight": tensors["model.embed_tokens.weight"].copy()}, path)
    jax.tree.map(np.testing.assert_array_equal, load(tmp_path).policy.params, policy.params)
    save_file({**tensors, "lm_head.weight": tensors["model.embed_tokens.weight"] + 1}, path)
    with pytest.raises(UserError, match=r"tie_word_embeddings.* to false there if the head was trained"):
        load(tmp_path)


def test_models_by_name_come_from_the_hubs_cache(tmp_path, monkeypatch):
    """A folder in the layout of the hub's cache: what a machine without a connection has."""
    policy = init_policy(CFG, seed=0)
    snapshot = tmp_path / "models--some-one--a.model" / "snapshots" / ("0" * 40)
    save_hf(epath.Path(snapshot), policy)
    dialect().tokenizer.save(snapshot)
    (tmp_path / "models--some-one--a.model" / "refs").mkdir()
    (tmp_path / "models--some-one--a.model" / "refs" / "main").write_text("0" * 40)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    for name in ("some-one/a.model", "hub:some-one/a.model"):
        jax.tree.map(np.testing.assert_array_equal, load(name).policy.params, policy.params)
    with pytest.raises(UserError, match="'some-one/other' is no local path, and the Hugging Face hub did not give it"):
        load("some-one/other")
    with pytest.raises(UserError, match="there is no model"):
        load("no such name")


def break_index(folder, **placed):
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    index["weight_map"] |= placed
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def end(folder, place):
    return sorted(folder.glob("*.safetensors"))[place]


def lose(folder, *names):
    """The first file without these tensors."""
    path = end(folder, 0)
    save_file({name: tensor for name, tensor in load_file(path).items() if name not in names}, path)


EMBEDDING, HEAD = "model.embed_tokens.weight", "lm_head.weight"
DAMAGE = {
    "lacks 1 files that model.safetensors.index.json names, such as model-0000": lambda f: end(f, -1).unlink(),
    "model-00001.* is no safetensors file, or a damaged one": lambda f: end(f, 0).write_bytes(b"\xff" * 100),
    "model-00001.* lacks 1 tensors .* such as model.embed_tokens.weight": lambda f: lose(f, EMBEDDING),
    "does not map tensors to safetensors files beside it": lambda f: break_index(f, x="../x.safetensors"),
    "does not map tensors to safetensors files": lambda f: break_index(f, x="pytorch_model.bin"),
    "1 unknown: model.layers.9.mlp.gate_proj.weight": lambda f: rename(f, f"{LAYER}.1.{GATE}", f"{LAYER}.9.{GATE}"),
    "1 missing: model.layers.1.mlp.gate_proj.weight": lambda f: rename(f, f"{LAYER}.1.{GATE}", f"{LAYER}.9.{GATE}"),
    r"lm_head.weight is \(32, 400\), expected \(400, 32\)": lambda f: reshape(f, HEAD, (32, 400)),
    "tensors of type I32: only floats": lambda f: reshape(f, HEAD, (400, 32), np.int32),
    "weight_map does not map": lambda f: (f / "model.safetensors.index.json").write_text('{"weight_map": [1]}'),
    "is no JSON object": lambda f: (f / "config.json").write_text("[]"),
    r"as pickles \(.bin\), which can run code .*save_pretrained": lambda f: to_pickles(f),
    "generation_config.json is no JSON object": lambda f: (f / "generation_config.json").write_text("["),
}
LAYER, GATE = "model.layers", "mlp.gate_proj.weight"


def rename(folder, old, new):
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    path = folder / index["weight_map"].pop(old)
    tensors = load_file(path)
    save_file({new if name == old else name: tensor for name, tensor in tensors.items()}, path)
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    break_index(folder, **{new: path.name})


def reshape(folder, name, shape, dtype=np.float32):
    path = folder / json.loads((folder / "model.safetensors.index.json").read_text())["weight_map"][name]
    tensors = load_file(path)
    save_file({**tensors, name: tensors[name].reshape(shape).astype(dtype)}, path)


def to_pickles(folder):
    for path in folder.glob("*.safetensors*"):
        path.unlink()
    (folder / "pytorch_model.bin").write_bytes(b"")


@pytest.mark.parametrize("says", DAMAGE)
def test_what_is_damaged_or_missing_is_named(tmp_path, says):
    save_hf(epath.Path(tmp_path), init_policy(CFG, seed=0), shard_bytes=60_000)
    dialect().tokenizer.save(tmp_path)
    assert len(list(tmp_path.glob("*.safetensors"))) > 2
    load(tmp_path)
    DAMAGE[says](tmp_path)
    with pytest.raises(UserError, match=says):
        load(tmp_path)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_adapters_are_merged_and_the_sum_is_rounded_once(tmp_path, dtype):
    policy = add_adapters(init_policy(replace(CFG, qkv_bias=True), seed=1), LoraConfig(4, 8.0, ("q", "o")), seed=2)
    policy = policy.replace(adapters=jax.tree.map(lambda x: x + 0.02, policy.adapters))
    save_hf(epath.Path(tmp_path), policy, dtype=dtype)
    written = load_file(tmp_path / "model.safetensors")
    merged = merge_adapters(policy).params["layers"]
    for name, changed in (("q", True), ("k", False), ("o", True)):
        kernel = np.asarray(merged[name]["kernel"])[1]
        expected = kernel.reshape(32, -1).T
        found = written[f"model.layers.1.self_attn.{name}_proj.weight"]
        assert found.dtype == jnp.dtype(dtype)
        near = np.abs(found.astype(np.float32) - expected.astype(dtype).astype(np.float32))
        assert near.max() <= (2e-2 if dtype == "bfloat16" else 1e-6) * np.abs(expected).max()
        assert np.any(np.asarray(policy.params["layers"][name]["kernel"])[1] != kernel) == changed
    np.testing.assert_array_equal(written["model.layers.0.self_attn.q_proj.bias"], np.zeros(32))
