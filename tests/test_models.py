"""The decoder against transformers' Llama, LoRA adapters, and decoding through a KV cache."""

from __future__ import annotations

import shutil
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from itool_jax.errors import UserError
from itool_jax.models.config import DecoderConfig, LoraConfig
from itool_jax.models.decoder import Decoder, KVCache, Past, Unrolled, columns_apart, empty_cache, layers_apart
from itool_jax.models.policy import Policy, add_adapters, count_parameters, init_policy, merge_adapters, run_as
from itool_jax.models.presets import preset
from itool_jax.models.weights import HUGGING_FACE, import_params
from itool_jax.training.checkpoints import load_policy, save_policy

CFG = DecoderConfig(
    vocab_size=67, dim=48, layers=3, heads=6, kv_heads=2, head_dim=12, ffn=80, rope_theta=5000.0, norm_eps=1e-4
)
LINEARS = {"q", "k", "v", "o", "gate", "up", "down"}


@pytest.fixture(scope="module")
def policy():
    return init_policy(CFG, seed=1)


def tokens_of(rows, length, seed=0):
    return jnp.asarray(np.random.default_rng(seed).integers(0, CFG.vocab_size, (rows, length)), jnp.int32)


@jax.jit
def causal_logits(policy, tokens_BS):
    B, S = tokens_BS.shape
    positions = jnp.broadcast_to(jnp.arange(S), (B, S))
    hidden, _ = policy.hidden(tokens_BS, positions, jnp.broadcast_to(jnp.tril(jnp.ones((S, S), bool)), (B, S, S)))
    return policy.logits(hidden)


def with_random_b(policy, seed=5):
    """Adapters as after some training: B is no longer zero."""
    leaves, tree = jax.tree.flatten(policy.adapters)
    keys = jax.random.split(jax.random.key(seed), len(leaves))
    moved = [leaf + 0.1 * jax.random.normal(key, leaf.shape) for leaf, key in zip(leaves, keys, strict=True)]
    return policy.replace(adapters=tree.unflatten(moved))


def llama_config(cfg):
    from transformers import LlamaConfig

    return LlamaConfig(
        vocab_size=cfg.vocab_size,
        hidden_size=cfg.dim,
        intermediate_size=cfg.ffn,
        num_hidden_layers=cfg.layers,
        num_attention_heads=cfg.heads,
        num_key_value_heads=cfg.kv_heads,
        head_dim=cfg.head_dim,
        rope_theta=cfg.rope_theta,
        rms_norm_eps=cfg.norm_eps,
        tie_word_embeddings=cfg.tied,
        attn_implementation="eager",
    )


def random_llama(cfg, seed=0):
    """transformers' Llama of these sizes with weights that leave no part of it without effect."""
    torch = pytest.importorskip("torch", reason="parity with transformers needs torch (extra dev)")
    from transformers import LlamaForCausalLM

    torch.manual_seed(seed)
    model = LlamaForCausalLM(llama_config(cfg)).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "norm" in name:
                weight.uniform_(0.5, 1.5)
            else:
                weight.normal_(0, 0.3)
    return model


def tensors_of(model, cfg):
    """The model's tensors by name as a checkpoint holds them: a tied head is not there."""
    tensors = {name: tensor.float().numpy() for name, tensor in model.state_dict().items()}
    return {name: tensor for name, tensor in tensors.items() if not (cfg.tied and name == "lm_head.weight")}


def import_hugging_face(tensors, cfg):
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    read = lambda name, part: tensors[name][part]
    return Policy(Decoder(cfg), import_params(cfg, HUGGING_FACE, shapes, read, "the test's model"))


def llama_logits(model, tokens_BS):
    import torch

    with torch.no_grad():
        return model(torch.from_numpy(np.array(tokens_BS, np.int64))).logits.float().numpy()


@pytest.mark.parametrize("tied", [True, False])
def test_logits_are_those_of_transformers_llama(tied):
    cfg = replace(CFG, tied=tied)
    model = random_llama(cfg)
    tokens = tokens_of(2, 33)
    expected = llama_logits(model, tokens)
    found = causal_logits(import_hugging_face(tensors_of(model, cfg), cfg), tokens)
    assert np.abs(found - expected).max() <= 1e-4 * np.abs(expected).max()


def test_import_names_the_tensors_that_do_not_fit():
    model = random_llama(CFG)
    tensors = tensors_of(model, CFG)
    tensors["model.layers.1.self_attn.q_proj.bias"] = np.zeros(72, np.float32)
    tensors["model.layers.2.mlp.up_proj.weight"] = np.zeros((48, 80), np.float32)
    del tensors["model.norm.weight"]
    with pytest.raises(UserError) as caught:
        import_hugging_face(tensors, CFG)
    message = str(caught.value)
    assert "1 missing: model.norm.weight" in message
    assert "1 unknown: model.layers.1.self_attn.q_proj.bias" in message
    assert "model.layers.2.mlp.up_proj.weight is (48, 80), expected (80, 48)" in message


def test_presets_have_the_sizes_they_promise():
    tiny = jax.eval_shape(lambda: init_policy(preset("tiny"), 0).params)
    assert 0.8e6 < count_parameters(tiny) < 1.2e6
    smollm2 = jax.eval_shape(lambda: init_policy(preset("smollm2_135m"), 0).params)
    assert count_parameters(smollm2) == 134_515_008
    with pytest.raises(UserError, match="qwen3_8b, smollm2_135m"):
        preset("smollm2")


def test_fresh_adapters_change_nothing(policy):
    adapted = add_adapters(policy, LoraConfig(rank=4, alpha=8.0), seed=2)
    assert set(adapted.adapters["layers"]) == LINEARS
    np.testing.assert_array_equal(causal_logits(adapted, tokens_of(2, 9)), causal_logits(policy, tokens_of(2, 9)))


def test_merged_adapters_are_the_adapted_policy(policy):
    adapted = with_random_b(add_adapters(policy, LoraConfig(rank=4, alpha=8.0), seed=2))
    tokens = tokens_of(2, 9)
    plain, expected = causal_logits(policy, tokens), causal_logits(adapted, tokens)
    merged = merge_adapters(adapted)
    assert merged.adapters is None and np.abs(expected - plain).max() > 0.1
    assert np.abs(causal_logits(merged, tokens) - expected).max() <= 1e-5 * np.abs(expected).max()


def test_only_adapters_get_gradients(policy):
    adapted = add_adapters(policy, LoraConfig(rank=4, alpha=8.0), seed=2)

    def loss(trainable):
        return jnp.mean(causal_logits(adapted.with_trainable(trainable), tokens_of(2, 9)) ** 2)

    gradient = jax.grad(loss)(adapted.trainable)
    assert jax.tree.structure(gradient) == jax.tree.structure(adapted.adapters)
    for name in LINEARS:
        a, b = gradient["layers"][name]["a"], gradient["layers"][name]["b"]
        assert not a.any() and jnp.abs(b).max(axis=tuple(range(1, b.ndim))).min() > 0, name  # B is zero, so A waits
    assert policy.trainable["layers"] is policy.params["layers"] and policy.trainable.keys() == policy.params.keys()
    assert adapted.with_trainable(gradient).params is policy.params


@pytest.mark.parametrize("remat", ["dots", "full"])
def test_rematerialisation_changes_no_gradient(policy, remat):
    def gradient(policy):
        return jax.grad(lambda params: jnp.mean(causal_logits(policy.with_trainable(params), tokens_of(2, 9)) ** 2))(
            policy.params
        )

    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7),
        gradient(run_as(policy, remat=remat)),
        gradient(policy),
    )


@pytest.mark.parametrize("unrolled", [False, True])
def test_decoding_through_caches_is_the_full_forward(policy, unrolled):
    """Prompts of different lengths are read in two chunks, then decoded with their columns as a past."""
    tokens, lengths, width, start, steps = np.asarray(tokens_of(3, 12)), np.array([4, 6, 1]), 6, 3, 6
    expected = causal_logits(policy, tokens)
    pad = width - lengths
    prompts, positions = np.zeros((3, width), int), np.maximum(np.arange(width) - pad[:, None], 0)
    for row, length in enumerate(lengths):
        prompts[row, pad[row] :] = tokens[row, :length]
    cache = empty_cache(CFG, 3, width)
    for chunk in (slice(0, 2), slice(2, 6)):
        columns = np.arange(chunk.stop)
        mask = (columns <= np.arange(width)[chunk, None]) & (columns >= pad[:, None, None])
        hidden, cache = policy.hidden(prompts[:, chunk], positions[:, chunk], mask, cache, chunk.start)
    np.testing.assert_allclose(policy.logits(hidden)[:, -1], expected[np.arange(3), lengths - 1], atol=1e-5)

    shift = lambda x: jnp.pad(x, ((0, 0),) * 3 + ((start, 2), (0, 0)), constant_values=np.nan)
    first, last = (KVCache(*(x[..., part, :] for x in cache)) for part in (slice(0, 4), slice(4, width)))
    past = Past(KVCache(*map(shift, first)), start, last)
    cache = empty_cache(CFG, 3, steps)
    if unrolled:
        parts = zip(columns_apart(past.arena, start, 4), columns_apart(last, 0, width - 4), strict=True)
        past = Unrolled(layers_apart(policy.variables), tuple(parts))
        cache = tuple(KVCache(k, v) for k, v in zip(*cache, strict=True))

    @jax.jit
    def call(cache, tokens_BS, positions_BS, mask_BSC, at):
        hidden, cache = policy.hidden(tokens_BS, positions_BS, mask_BSC, cache, at, past)
        return policy.logits(hidden), cache

    for step in range(steps):
        here = (lengths + step)[:, None]
        mask = np.concatenate([np.arange(width) >= pad[:, None], np.tile(np.arange(steps) <= step, (3, 1))], -1)
        logits, cache = call(cache, np.take_along_axis(tokens, here, 1), here, mask[:, None], step)
        np.testing.assert_allclose(logits[:, 0], np.take_along_axis(expected, here[..., None], 1)[:, 0], atol=1e-5)


def test_a_saved_policy_comes_back_with_its_adapters(policy, tmp_path):
    adapted = with_random_b(add_adapters(policy, LoraConfig(rank=4, alpha=8.0), seed=2))
    save_policy(tmp_path / "model", adapted)
    loaded = load_policy(tmp_path / "model", expected=replace(CFG, remat="full"))
    assert loaded.config == replace(CFG, remat="full") and loaded.decoder.lora == adapted.decoder.lora
    jax.tree.map(np.testing.assert_array_equal, loaded.variables, adapted.variables)
    with pytest.raises(UserError, match="layers is 3, expected 4"):
        load_policy(tmp_path / "model", expected=replace(CFG, layers=4))
    with pytest.raises(UserError, match=r"decoder\.json"):
        load_policy(tmp_path)


@pytest.mark.parametrize("damage", ["", "{", "[]", "{}", '{"decoder": {"sizes": 3}, "lora": null}', "no weights"])
def test_a_damaged_checkpoint_is_named(policy, tmp_path, damage):
    save_policy(tmp_path / "model", policy)
    if damage == "no weights":
        shutil.rmtree(tmp_path / "model/weights")
    else:
        (tmp_path / "model/decoder.json").write_text(damage)
    with pytest.raises(UserError, match=r"model.* is .*damaged"):
        load_policy(tmp_path / "model")
