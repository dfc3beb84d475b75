"""The training loop: what it saves, what it refuses to save, and how it goes on."""

from __future__ import annotations

import re
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from itool_jax.errors import UserError
from itool_jax.models.policy import init_policy
from itool_jax.parallel.mesh import make_mesh, shard, shard_batch
from itool_jax.training.dataset import batched
from itool_jax.training.fit import FitConfig, fit
from itool_jax.training.objectives import sft
from itool_jax.training.step import OptimizerConfig, frozen_part, init_state, make_optimizer, make_train_step
from tests.test_mesh import CFG, one_device, sft_rows, train


def saved_steps(directory):
    return sorted(int(folder.name) for folder in directory.iterdir() if folder.name.isdigit())


def test_an_interrupted_training_goes_on_to_the_same_bits(tmp_path):
    whole, losses = train(one_device(), tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(one_device(), tmp_path / "parts", stop_before=5)
    assert saved_steps(tmp_path / "parts") == [3]
    parts, losses_after = train(one_device(), tmp_path / "parts")
    assert losses_after == {step: loss for step, loss in losses.items() if step > 3}
    jax.tree.map(np.testing.assert_array_equal, parts.params, whole.params)


def test_a_loss_that_is_not_finite_stops_training_and_is_not_saved(tmp_path):
    start = init_policy(CFG, seed=0).params["embedding"]

    def breaks_once_trained(policy, forest):
        result = sft(policy, forest)
        return result._replace(total=jnp.where(jnp.all(policy.params["embedding"] == start), result.total, jnp.nan))

    with pytest.raises(UserError, match="the loss at step 2 is nan") as raised:
        train(one_device(), tmp_path, objective=breaks_once_trained)
    assert saved_steps(tmp_path) == []
    path = tmp_path / "not_finite_step_2.npz"
    second = batched(sft_rows(), epochs=2, rows_per_step=8, accumulate=1, seed=3)[1]
    with np.load(path, allow_pickle=False) as saved:
        assert set(saved) == {"step", "loss", "grad_norm", *second._fields}
        assert saved["step"] == 2 and np.isnan(saved["loss"])
        for name, array in second._asdict().items():
            np.testing.assert_array_equal(saved[name], array)
            assert saved[name].dtype == array.dtype
    program = re.search(r"python -c \"(.*)\"`", str(raised.value))[1]
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    with pytest.raises(UserError, match="the loss at step 2 is nan"):  # the file is not in the way of going on
        train(one_device(), tmp_path, objective=breaks_once_trained)
    assert f"tokens {second.tokens.shape} {second.tokens.min()} {second.tokens.max()}" in shown.stdout, shown.stderr


@pytest.mark.parametrize("sizes", [(1, 1, 1), (2, 2, 2)])
def test_the_step_compiles_once(sizes):
    policy = init_policy(CFG, seed=0)
    batch = batched(sft_rows(), epochs=1, rows_per_step=16, accumulate=2, seed=0)[0]
    mesh = make_mesh(*sizes) if sizes != (1, 1, 1) else one_device()
    optimizer = make_optimizer(OptimizerConfig(1e-3, steps=10))
    state = init_state(policy, optimizer, mesh)
    step = make_train_step(sft, optimizer, state)
    frozen, batch = frozen_part(policy.replace(params=shard(policy.params, mesh))), shard_batch(batch, mesh, axis=1)
    with jax.set_mesh(mesh):
        for _ in range(3):
            state, _ = step(state, frozen, batch)
    assert step._cache_size() == 1 and int(state.step) == 3


def test_every_step_reports_its_rate_and_what_it_read(tmp_path):
    rows = sft_rows()
    batches = batched(rows, epochs=2, rows_per_step=8, accumulate=2, seed=3)
    optimizer = OptimizerConfig(1e-3, steps=len(batches), warmup_fraction=0.5)
    seen = {}
    fit(init_policy(CFG, 0), sft, batches, FitConfig(optimizer), one_device(), tmp_path, seen.__setitem__)
    steps = len(batches)
    rates = [seen[step]["learning_rate"] for step in range(1, steps + 1)]
    peak = int(np.argmax(rates))
    assert 0 < peak < steps - 1
    np.testing.assert_allclose(max(rates), 1e-3, rtol=1e-6)
    assert rates[: peak + 1] == sorted(rates[: peak + 1]) and rates[peak:] == sorted(rates[peak:])[::-1]
    forests = [rows[row] for row in range(len(rows))]
    real = sum(int(np.sum(forest.node < forest.select.shape[-1])) for forest in forests)
    assert sum(metrics["tokens"] for metrics in seen.values()) == 2 * real
