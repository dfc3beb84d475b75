"""Schedules and optimisers by config, against closed forms, optax's own and hand counts of their state."""

from __future__ import annotations

import math

import jax
import numpy as np
import optax
import pytest

from itool_jax.config import default_config
from itool_jax.models.config import DecoderConfig
from itool_jax.models.policy import init_policy
from itool_jax.models.presets import PRESETS
from itool_jax.parallel.mesh import make_mesh, shard, shard_batch
from itool_jax.plan.abstract import abstract_policy, per_device
from itool_jax.plan.programs import lengths, stage_programs
from itool_jax.rounds.settings import fit_config
from itool_jax.training.dataset import batched
from itool_jax.training.memory import training_bytes
from itool_jax.training.objectives import sft
from itool_jax.training.step import OptimizerConfig, frozen_part, init_state, make_optimizer, make_train_step
from tests.test_mesh import one_device, sft_rows

# Wide enough for Adafactor to keep sums of rows and columns: of all kernels and the embedding, and of no scale.
WIDE = DecoderConfig(vocab_size=256, dim=128, layers=2, heads=1, kv_heads=1, head_dim=128, ffn=256)


@pytest.mark.parametrize("schedule", ["cosine", "linear", "constant"])
def test_the_rate_rises_and_then_follows_its_schedule(schedule):
    rate = OptimizerConfig(3e-4, steps=50, warmup_fraction=0.2, schedule=schedule).rate()
    for done in range(50):
        part = (done - 10) / 40
        after = {"cosine": (1 + math.cos(math.pi * part)) / 2, "linear": 1 - part, "constant": 1.0}[schedule]
        expected = 3e-4 * (after if done >= 10 else 0.1 + 0.9 * done / 10)
        assert float(rate(done)) == pytest.approx(expected, rel=1e-4)  # cosines near -1, in f32


def weights_and_gradients(steps):
    rng = np.random.default_rng(0)
    shapes = {"o": {"kernel": (2, 130, 129), "bias": (2, 129)}, "norm": {"scale": (200,)}, "down": {"kernel": (5, 7)}}
    draw = lambda: jax.tree.map(
        lambda shape: np.float32(rng.normal(size=shape)), shapes, is_leaf=lambda x: isinstance(x, tuple)
    )
    return draw(), [draw() for _ in range(steps)]


def moved(optimizer, weights, gradients):
    state = optimizer.init(weights)
    for gradient in gradients:
        updates, state = optimizer.update(gradient, state, weights)
        weights = optax.apply_updates(weights, updates)
    return weights


def test_adafactor_is_optax_s_with_an_absolute_rate():
    weights, gradients = weights_and_gradients(5)
    cfg = OptimizerConfig(0.01, steps=5, clip=0.0, optimizer="adafactor", schedule="constant", warmup_fraction=0.0)
    expected = moved(optax.adafactor(0.01, multiply_by_parameter_scale=False), weights, gradients)
    found = moved(make_optimizer(cfg), weights, gradients)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7), found, expected)


@pytest.mark.parametrize("optimizer", ["adamw", "adafactor"])
def test_decay_is_times_the_rate_and_of_matrices_only(optimizer):
    weights, gradients = weights_and_gradients(1)
    plain, decayed = (
        moved(
            make_optimizer(OptimizerConfig(0.01, steps=1, weight_decay=decay, optimizer=optimizer)), weights, gradients
        )
        for decay in (0.0, 0.5)
    )
    lost = jax.tree.map(lambda a, b: np.asarray(a - b), plain, decayed)
    for name in ("o", "down"):
        np.testing.assert_allclose(lost[name]["kernel"], 0.01 * 0.5 * weights[name]["kernel"], atol=1e-6)
    assert not lost["o"]["bias"].any() and not lost["norm"]["scale"].any()


def test_adafactor_trains_on_eight_devices_as_on_one():
    policy = init_policy(WIDE, seed=0)
    batch = batched(sft_rows(), epochs=1, rows_per_step=8, accumulate=1, seed=0)[0]
    losses = []
    for mesh in (one_device(), make_mesh(2, 2, 2)):
        optimizer = make_optimizer(OptimizerConfig(1e-2, steps=4, optimizer="adafactor"))
        state = init_state(policy, optimizer, mesh)
        step = make_train_step(sft, optimizer, state)
        with jax.set_mesh(mesh):
            frozen = frozen_part(policy.replace(params=shard(policy.params, mesh)))
            placed, found = shard_batch(batch, mesh, axis=1), []
            for _ in range(4):
                state, metrics = step(state, frozen, placed)
                found.append(float(metrics["loss"]))
        losses.append(found)
    assert losses[0][-1] < losses[0][0] - 0.1
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-5)


def test_adafactor_s_state_is_as_small_in_a_run_as_in_its_plan(monkeypatch):
    """One f32 for a row and one for a column of every matrix, one for every other weight; counted by hand."""
    monkeypatch.setitem(PRESETS, "nano", WIDE)
    config = default_config()
    config.model.update(preset="nano", checkpoint="somewhere", remat="none")
    config.mesh.update(data=2, fsdp=2, tensor=2)
    config.warmup.update(optimizer="adafactor", rows=8, row_tokens=128)
    config.round.search.update(answer_tokens=16)
    optimizer = make_optimizer(fit_config(config.warmup, config.model, 10).optimizer)
    policy = init_policy(WIDE, seed=0)
    state = init_state(policy, optimizer, make_mesh(2, 2, 2))
    D, F, V, layers = 128, 256, 256, 2
    attention, ffn, norms = 4 * (D + 128), 3 * (D + F), 2 * D
    sums = layers * (attention + ffn + norms) + (V + D) + D
    held = training_bytes(policy, state).optimizer
    placeholders = 4 * 3 * len(jax.tree.leaves(policy.params)) + 2 * 4  # (1,) where nothing is kept; two counters
    assert 4 * sums < held <= 4 * sums + placeholders
    (program,) = stage_programs(config, abstract_policy(config), make_mesh(2, 2, 2), lengths(config), ("sft",))["sft"]
    assert per_device(program.args[0].moments) == held
    adamw = init_state(policy, make_optimizer(OptimizerConfig(1e-3, steps=10)), make_mesh(2, 2, 2))
    assert held < training_bytes(policy, adamw).optimizer / 10
