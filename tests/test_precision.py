"""What is trained and in which precision: bf16 parameters, their master copy, frozen embeddings, bytes of the state."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from itool_jax.forest import chain
from itool_jax.models.config import LoraConfig
from itool_jax.models.policy import add_adapters, init_policy
from itool_jax.parallel.mesh import make_mesh, shard, shard_batch
from itool_jax.training.checkpoints import load_policy, save_policy
from itool_jax.training.dataset import SftRows, batched
from itool_jax.training.fit import FitConfig, fit
from itool_jax.training.memory import device_bytes, training_bytes
from itool_jax.training.objectives import sft
from itool_jax.training.step import (
    MasterCopy,
    OptimizerConfig,
    frozen_part,
    init_state,
    make_optimizer,
    make_train_step,
)
from tests.test_mesh import CFG, one_device, sft_rows


def policy_in(dtype, frozen=()):
    policy = init_policy(CFG, seed=0)
    return policy.replace(params=jax.tree.map(lambda leaf: leaf.astype(dtype), policy.params), frozen=frozen)


def trained(policy, directory, rate, *, master_copy=False, mesh=None, epochs=4):
    rows = batched(sft_rows(), epochs=epochs, rows_per_step=8, accumulate=2, seed=3)
    cfg = FitConfig(OptimizerConfig(rate, steps=len(rows), master_copy=master_copy), checkpoint_every=3)
    losses = []
    on_step = lambda step, metrics: losses.append(metrics["loss"])
    after = fit(policy, sft, rows, cfg, mesh or one_device(), directory, on_step)
    return jax.device_get(after.params), losses


def distance(params, start):
    """How far training moved the kernels, as a whole."""
    gone = [np.float32(new) - np.float32(old) for new, old in zip(*map(jax.tree.leaves, (params, start)), strict=True)]
    return np.sqrt(sum(np.sum(part**2) for part in gone))


@pytest.mark.parametrize("sizes", [(1, 1, 1), (2, 2, 2)])
def test_bf16_with_a_master_copy_follows_f32(tmp_path, sizes):
    mesh = one_device() if sizes == (1, 1, 1) else make_mesh(*sizes)
    start = policy_in("bfloat16")
    wide = start.replace(params=jax.tree.map(lambda leaf: leaf.astype("float32"), start.params))
    expected, expected_losses = trained(wide, tmp_path / "f32", 1e-3)
    found, losses = trained(start, tmp_path / "bf16", 1e-3, master_copy=True, mesh=mesh)
    assert {leaf.dtype.name for leaf in jax.tree.leaves(found)} == {"bfloat16"}
    np.testing.assert_allclose(losses, expected_losses, rtol=5e-3)
    assert losses[-1] < losses[0] - 0.02
    assert distance(found, expected) < 0.1 * distance(expected, start.params)


def test_without_a_master_copy_small_updates_vanish(tmp_path):
    """At a rate of 1e-6 an update is below half the spacing of nearly all bf16 weights."""
    start = policy_in("bfloat16")
    lost, _ = trained(start, tmp_path / "lost", 1e-6)
    moved = [np.mean(a != b) for a, b in zip(*map(jax.tree.leaves, (lost, start.params)), strict=True)]
    assert max(moved) < 0.05
    policy, optimizer = policy_in("bfloat16"), make_optimizer(OptimizerConfig(1e-6, steps=100, master_copy=True))
    state = init_state(policy, optimizer, one_device())
    step = make_train_step(sft, optimizer, state)
    batch = shard_batch(batched(sft_rows(), epochs=1, rows_per_step=16, accumulate=2, seed=0)[0], one_device(), axis=1)
    with jax.set_mesh(one_device()):
        for _ in range(4):
            state, _ = step(state, frozen_part(policy), batch)
    assert isinstance(state.moments, MasterCopy)
    master = state.moments.weights
    moved = [np.mean(np.asarray(a) != b) for a, b in zip(*map(jax.tree.leaves, (master, start.params)), strict=True)]
    assert min(moved) > 0.5
    rounding = jax.tree.map(lambda leaf: leaf.astype("bfloat16"), master)
    jax.tree.map(np.testing.assert_array_equal, rounding, state.trainable)


def test_gradients_of_bf16_embeddings_are_summed_in_f32():
    """A token that is read 4,000 times: a sum in bf16 would stop at 256 times its terms."""
    rows = SftRows([chain([9, 9], [9] * 1000) for _ in range(4)], row_tokens=1024)
    batch = batched(rows, epochs=1, rows_per_step=4, accumulate=1, seed=0)[0]
    seen = []

    def objective(policy, forest):
        total = jnp.sum(policy.params["embedding"][forest.tokens].astype(jnp.float32) * forest.weight[..., None])
        return sft(policy, forest)._replace(total=total)

    for dtype in ("float32", "bfloat16"):
        policy = policy_in(dtype)
        optimizer = make_optimizer(OptimizerConfig(1e-3, steps=1, clip=0.0))
        state = init_state(policy, optimizer, one_device())
        step = make_train_step(objective, optimizer, state)
        with jax.set_mesh(one_device()):
            _, metrics = step(state, frozen_part(policy), shard_batch(batch, one_device(), axis=1))
        seen.append(float(metrics["grad_norm"]))
    assert seen[1] == pytest.approx(seen[0], rel=1e-2)


def test_frozen_embeddings_stay_and_take_no_memory(tmp_path):
    start = policy_in("float32", frozen=("embedding",))
    after, losses = trained(start, tmp_path / "frozen", 3e-3)
    np.testing.assert_array_equal(after["embedding"], start.params["embedding"])
    assert losses[-1] < losses[0] - 0.05
    optimizer = make_optimizer(OptimizerConfig(1e-3, steps=10))
    free, frozen = (init_state(p, optimizer, one_device()) for p in (policy_in("float32"), start))
    saved = device_bytes(free.moments) - device_bytes(frozen.moments)
    assert saved == 2 * device_bytes(start.params["embedding"])
    held = training_bytes(start, frozen)
    assert held.parameters == device_bytes(start.params) == held.trained + device_bytes(start.params["embedding"])


def test_what_is_frozen_stays_so_through_a_checkpoint(tmp_path):
    start = policy_in("bfloat16", frozen=("embedding",))
    save_policy(tmp_path / "policy", start)
    mesh = make_mesh(2, 2, 2)
    loaded = load_policy(tmp_path / "policy", start.config, start, mesh=mesh)
    assert loaded.frozen == ("embedding",) and "embedding" not in loaded.trainable
    spread = shard(start.params, mesh)
    jax.tree.map(np.testing.assert_array_equal, loaded.params, spread)
    assert jax.tree.map(lambda leaf: leaf.sharding, loaded.params) == jax.tree.map(lambda leaf: leaf.sharding, spread)


@pytest.mark.parametrize("targets", [("q", "v"), ("gate", "up", "down")])
def test_the_optimiser_of_adapters_is_as_large_as_they_are(targets):
    """Two f32 moments of every number trained, whatever the base holds, and a few counters."""
    base = init_policy(CFG, seed=0)
    optimizer = make_optimizer(OptimizerConfig(1e-3, steps=10))
    for rank in (2, 4, 8):
        adapted = add_adapters(base, LoraConfig(rank, 8.0, targets), seed=1)
        held = training_bytes(adapted, init_state(adapted, optimizer, one_device()))
        assert held.trained == held.gradients == device_bytes(adapted.adapters)
        assert 2 * held.trained <= held.optimizer <= 2 * held.trained + 16
        assert held.parameters == held.trained + device_bytes(base.params)


def test_bytes_are_of_one_device_and_said_at_the_start(tmp_path, capfd):
    policy = policy_in("bfloat16")
    count = sum(leaf.size for leaf in jax.tree.leaves(policy.params))
    optimizer = make_optimizer(OptimizerConfig(1e-3, steps=10, master_copy=True))
    held = training_bytes(policy, init_state(policy, optimizer, one_device()))
    assert held[:3] == (2 * count, 2 * count, 4 * count) and 12 * count <= held.optimizer <= 12 * count + 16
    on_eight = training_bytes(policy, init_state(policy, optimizer, make_mesh(1, 2, 4)))
    assert on_eight.optimizer < held.optimizer / 4
    trained(policy, tmp_path, 1e-3, epochs=1)
    megabytes = 2 * count / 1e6
    assert f"parameters {megabytes:.2f} MB, of them trained {megabytes:.2f} MB; gradients" in capfd.readouterr().err
