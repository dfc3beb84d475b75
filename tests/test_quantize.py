"""Kernels in int8 and nf4: their error, their bytes, and that training, sampling and checkpoints take them."""

from __future__ import annotations

import re
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from itool_jax.models.config import LINEAR, DecoderConfig, LoraConfig
from itool_jax.models.generate import continuations
from itool_jax.models.policy import add_adapters, init_policy, merge_adapters, run_as
from itool_jax.models.quantize import KINDS, dense, product, quantize_kernel, quantize_params
from itool_jax.parallel.mesh import make_mesh, shard
from itool_jax.training.checkpoints import load_policy, save_policy
from itool_jax.training.dataset import batched
from itool_jax.training.memory import device_bytes
from tests.test_mesh import assert_close, gradient_on, one_device, sft_rows
from tests.test_models import causal_logits, with_random_b

CFG = DecoderConfig(vocab_size=64, dim=128, layers=2, heads=4, kv_heads=2, head_dim=32, ffn=192, context=128)
LORA = LoraConfig(4, 8.0, targets=("q", "o", "down"), rslora=True)
NF4 = [  # Dettmers et al. 2023, appendix E
    *(-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635),
    *(-0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634),
    *(0.33791524171829224, 0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0),
]


@pytest.fixture(scope="module")
def policy():
    return init_policy(CFG, seed=1)


def quantized(policy, kind):
    """With adapters that do something, quantised and as the dense policy that it stands for."""
    adapted = with_random_b(add_adapters(policy, LORA, seed=2))
    adapted = adapted.replace(params=quantize_params(policy.params, kind))
    layers = {name: {**part} for name, part in adapted.params["layers"].items()}
    for name in LINEAR:
        layers[name]["kernel"] = dense(layers[name]["kernel"])
    return adapted, adapted.replace(params={**adapted.params, "layers": layers})


def tokens_of(rows, length):
    return jnp.asarray(np.random.default_rng(0).integers(0, CFG.vocab_size, (rows, length)), jnp.int32)


@pytest.mark.parametrize("name", LINEAR)
def test_a_kernel_is_rounded_to_the_nearest_code(policy, name):
    kernel = np.asarray(policy.params["layers"][name]["kernel"])
    inputs = (1, 2) if name == "o" else (1,)
    scale = np.abs(kernel).max(inputs, keepdims=True) / 127.5
    found = quantize_kernel(kernel_of(policy, name), name, "int8")
    assert found.qvalue.dtype == jnp.int8
    np.testing.assert_allclose(found.scale, scale, rtol=1e-6)
    assert (np.abs(dense(found) - kernel) <= scale * (0.5 + 1e-4)).all()

    axis = inputs[-1]
    blocks = np.stack(np.split(kernel, max(1, kernel.shape[axis] // 64), axis))
    scale = np.abs(blocks).max(axis + 1, keepdims=True)
    codes = np.abs((blocks / scale)[..., None] - np.float32(NF4)).argmin(-1)
    expected = np.concatenate(list(np.float32(NF4)[codes] * scale), axis)
    np.testing.assert_allclose(dense(quantize_kernel(kernel_of(policy, name), name, "nf4")), expected, rtol=1e-6)


def kernel_of(policy, name):
    return policy.params["layers"][name]["kernel"]


def test_bytes_are_those_of_the_codes_and_scales(policy):
    kernel = kernel_of(policy, "gate")
    count, columns = kernel.size, CFG.layers * CFG.ffn
    assert device_bytes(kernel) == 4 * count
    assert device_bytes(quantize_kernel(kernel, "gate", "int8")) == count + 4 * columns
    assert device_bytes(quantize_kernel(kernel, "gate", "nf4")) == count // 2 + 4 * count // 64


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("remat", ["none", "full"])
def test_forward_and_gradient_are_those_of_the_dense_policy(policy, kind, remat):
    small, plain = (run_as(p, remat=remat) for p in quantized(policy, kind))
    tokens = tokens_of(2, 17)
    logits, expected = causal_logits(small, tokens), causal_logits(plain, tokens)
    np.testing.assert_allclose(logits, expected, atol=1e-5 * np.abs(expected).max())
    assert np.abs(logits - causal_logits(plain.replace(params=policy.params), tokens)).max() > 1e-3

    def gradient(policy):
        loss = lambda trainable: jnp.mean(causal_logits(policy.with_trainable(trainable), tokens) ** 2)
        return jax.grad(loss)(policy.trainable)

    assert set(small.trainable["layers"]) == set(LORA.targets)
    assert_close(gradient(small), gradient(plain), 1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_eight_devices_quantise_and_train_as_one_does(policy, kind):
    small, _ = quantized(policy, kind)
    mesh = make_mesh(2, 2, 2)
    spread = quantize_params(shard(policy.params, mesh), kind)
    jax.tree.map(np.testing.assert_array_equal, jax.device_get(spread), jax.device_get(small.params))
    q, down = spread["layers"]["q"]["kernel"], spread["layers"]["down"]["kernel"]
    assert q.qvalue.sharding.spec == P(None, "fsdp", "tensor", None)
    assert down.qvalue.sharding.spec == P(None, "tensor", "fsdp")
    assert q.scale.sharding.spec == P(None, "fsdp" if kind == "nf4" else None, "tensor", None)
    batch = batched(sft_rows(), epochs=1, rows_per_step=16, accumulate=2, seed=0)[0]
    loss, gradient = gradient_on(one_device(), small, batch)
    other_loss, other = gradient_on(mesh, small.replace(params=spread), batch)
    assert other_loss == pytest.approx(loss, rel=1e-5)
    assert_close(other, gradient, 1e-5)


def test_codes_stay_on_their_devices():
    mesh = make_mesh(1, 1, 8)
    where = NamedSharding(mesh, P(None, None, "tensor"))
    kernel = jax.device_put(jax.random.normal(jax.random.key(0), (2, 128, 64)), where)
    layer = quantize_kernel(kernel, "gate", "nf4")[0]
    compiled = jax.jit(product, static_argnums=2).lower(jnp.ones((3, 128)), layer, 1).compile().as_text()
    assert not re.search(r"all-gather|all-to-all|collective-permute", compiled)


@pytest.mark.parametrize("kind", KINDS)
def test_the_sampler_decodes_with_codes(policy, kind):
    small, plain = quantized(policy, kind)
    prompts = [[5, 9, 3], [8] * 12]
    assert continuations(small, prompts, (), max_tokens=12) == continuations(plain, prompts, (), max_tokens=12)


@pytest.mark.parametrize("kind", KINDS)
def test_a_checkpoint_is_quantised_as_it_is_read(policy, tmp_path, kind):
    biased = init_policy(replace(CFG, qkv_bias=True, tied=False), seed=1)
    save_policy(tmp_path / "base", biased)
    mesh = make_mesh(2, 2, 2)
    base = load_policy(tmp_path / "base", mesh=mesh, quantize=kind)
    expected = quantize_params(shard(biased.params, mesh), kind)
    assert jax.tree.structure(base.params) == jax.tree.structure(expected)
    jax.tree.map(np.testing.assert_array_equal, jax.device_get(base.params), jax.device_get(expected))
    assert jax.tree.map(lambda leaf: leaf.sharding, base.params) == jax.tree.map(lambda leaf: leaf.sharding, expected)
    adapted = with_random_b(add_adapters(base, LORA, seed=2))
    save_policy(tmp_path / "adapters", adapted, adapters_only=True)
    loaded = load_policy(tmp_path / "adapters", base.config, base, mesh=mesh)
    assert loaded.decoder.lora == LORA and loaded.params is base.params
    jax.tree.map(np.testing.assert_array_equal, loaded.adapters, adapted.adapters)


@pytest.mark.parametrize("kind", KINDS)
def test_merging_leaves_nothing_quantised(policy, kind):
    small, _ = quantized(policy, kind)
    merged = merge_adapters(small)
    assert merged.adapters is None and jax.tree.structure(merged.params) == jax.tree.structure(policy.params)
    assert {leaf.dtype.name for leaf in jax.tree.leaves(merged.params)} == {"float32"}
    expected = causal_logits(small, tokens_of(2, 9))
    assert np.abs(causal_logits(merged, tokens_of(2, 9)) - expected).max() <= 1e-5 * np.abs(expected).max()
