"""The rules table, mesh sizes, and training on eight devices against one."""

from __future__ import annotations

import jax
import numpy as np
import optax
import pytest
from jax.sharding import PartitionSpec as P

from itool_jax.errors import UserError
from itool_jax.forest import chain
from itool_jax.models.config import DecoderConfig, LoraConfig
from itool_jax.models.policy import add_adapters, init_policy
from itool_jax.parallel import mesh as meshes
from itool_jax.parallel.mesh import make_mesh, partition_spec, shard, shard_batch, shardings
from itool_jax.training.checkpoints import load_policy, save_policy
from itool_jax.training.dataset import SftRows, batched
from itool_jax.training.fit import FitConfig, fit
from itool_jax.training.objectives import sft
from itool_jax.training.step import OptimizerConfig, frozen_part, init_state, make_optimizer, make_train_step

CFG = DecoderConfig(vocab_size=64, dim=32, layers=2, heads=4, kv_heads=2, head_dim=8, ffn=64)
MESHES = [(2, 2, 2), (4, 2, 1), (8, 1, 1), (1, 2, 4)]


def one_device():
    types = (jax.sharding.AxisType.Auto,) * 3
    return jax.make_mesh((1, 1, 1), ("data", "fsdp", "tensor"), axis_types=types, devices=jax.devices()[:1])


def test_rules_that_collide_raise(monkeypatch):
    mesh = make_mesh(2, 2, 2)
    with pytest.raises(ValueError, match="map to one mesh axis"):
        partition_spec(("heads", "ffn"), (8, 8), mesh)
    monkeypatch.setitem(meshes.RULES, "ffn", "fsdp")
    with pytest.raises(ValueError, match="map to one mesh axis"):
        shardings(init_policy(CFG, 0).params, mesh)


def test_axes_must_name_every_dimension_of_a_known_parameter():
    with pytest.raises(ValueError, match="do not name the dimensions"):
        partition_spec(("embed", "ffn"), (2, 8, 8), make_mesh(2, 2, 2))
    with pytest.raises(KeyError, match="layers/bias: add it to LOGICAL"):
        shardings({"layers": {"bias": np.zeros(3)}}, make_mesh(2, 2, 2))


def test_kv_heads_are_replicated_where_they_do_not_divide():
    kernel = ("layer", "embed", "kv_heads", "head")
    assert partition_spec(kernel, (2, 32, 2, 8), make_mesh(2, 2, 2)) == P(None, "fsdp", "tensor", None)
    assert partition_spec(kernel, (2, 32, 2, 8), make_mesh(1, 2, 4)) == P(None, "fsdp", None, None)


def test_parameters_and_adapters_lie_where_the_rules_say():
    policy = add_adapters(init_policy(CFG, 0), LoraConfig(4, 8.0), 0)
    laid_out = shard({"params": policy.params, "adapters": policy.adapters}, make_mesh(2, 2, 2))
    specs = jax.tree.map(lambda leaf: leaf.sharding.spec, laid_out)
    params, adapters = specs["params"], specs["adapters"]
    assert params["embedding"] == P("tensor", "fsdp")
    assert params["layers"]["o"]["kernel"] == P(None, "tensor", None, "fsdp")
    assert params["layers"]["down"]["kernel"] == P(None, "tensor", "fsdp")
    assert params["final_norm"]["scale"] == P(None)
    assert adapters["layers"]["q"] == {"a": P(None, "fsdp", None), "b": P(None, None, "tensor", None)}
    assert adapters["layers"]["o"] == {"a": P(None, "tensor", None, None), "b": P(None, None, "fsdp")}
    gathered = shardings(policy.params, make_mesh(2, 2, 2), only=("tensor",))
    assert gathered["layers"]["o"]["kernel"].spec == P(None, "tensor", None, None)


@pytest.mark.parametrize("sizes", [(3, 1, 1), (16, 1, 1), (-1, 3, 1), (2, 2, 1)])
def test_a_mesh_that_does_not_use_all_devices_is_refused(sizes):
    with pytest.raises(UserError, match=r"found 8: set config\.mesh so that the product is 8"):
        make_mesh(*sizes)


@pytest.mark.parametrize("sizes", [(-1, -1, 1), (0, 1, 8), (-2, 1, 1)])
def test_mesh_sizes_without_sense_are_refused(sizes):
    with pytest.raises(UserError, match="each is at least 1, and one may be -1"):
        make_mesh(*sizes)


def test_one_size_takes_what_is_left():
    assert dict(make_mesh(2, -1, 2).shape) == {"data": 2, "fsdp": 2, "tensor": 2}


def sft_rows(vocabulary=64):
    rng = np.random.default_rng(0)

    def part(low, high):
        return rng.integers(0, vocabulary, rng.integers(low, high)).tolist()

    return SftRows([chain(part(3, 12), part(1, 9)) for _ in range(50)], row_tokens=24)


def gradient_on(mesh, policy, batch, objective=sft):
    """Loss and gradient of one step: plain gradient descent at rate 1 moves the parameters by just that."""
    optimizer = optax.sgd(1.0)
    state = init_state(policy, optimizer, mesh)
    with jax.set_mesh(mesh):
        frozen = frozen_part(policy.replace(params=shard(policy.params, mesh)))
        step = make_train_step(objective, optimizer, state)
        after, metrics = step(state, frozen, shard_batch(batch, mesh, axis=1))
    gradient = jax.tree.map(lambda old, new: np.asarray(old) - np.asarray(new), policy.trainable, after.trainable)
    return float(metrics["loss"]), gradient


def assert_close(tree, expected, relative):
    largest = max(np.abs(leaf).max() for leaf in jax.tree.leaves(expected))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=relative * largest), tree, expected)


@pytest.fixture(scope="module")
def on_one_device():
    policy = init_policy(CFG, seed=0)
    batch = batched(sft_rows(), epochs=1, rows_per_step=16, accumulate=2, seed=0)[0]
    return policy, batch, gradient_on(one_device(), policy, batch)


@pytest.mark.parametrize("sizes", MESHES)
def test_eight_devices_have_the_loss_and_gradient_of_one(on_one_device, sizes):
    policy, batch, (loss, gradient) = on_one_device
    loss_on_eight, gradient_on_eight = gradient_on(make_mesh(*sizes), policy, batch)
    assert loss_on_eight == pytest.approx(loss, rel=1e-5)
    assert_close(gradient_on_eight, gradient, 1e-5)


def test_eight_devices_have_the_gradient_of_one_with_adapters(on_one_device):
    policy, batch, _ = on_one_device
    adapted = add_adapters(policy, LoraConfig(4, 8.0), seed=1)
    (loss, gradient), (other_loss, other) = (gradient_on(m, adapted, batch) for m in (one_device(), make_mesh(2, 2, 2)))
    assert other_loss == pytest.approx(loss, rel=1e-5)
    assert gradient.keys() == {"layers"}
    assert_close(other, gradient, 1e-5)


def no_eval(step, policy):
    pytest.fail(f"step {step} was not to be evaluated")


def train(mesh, directory, objective=sft, *, stop_before=None, rate=3e-3, on_eval=no_eval, on_step=None, **settings):
    """The trained policy and the losses by step, with a checkpoint at every third step."""
    rows = batched(sft_rows(), epochs=2, rows_per_step=8, accumulate=1, seed=3)
    cfg = FitConfig(OptimizerConfig(rate, steps=len(rows)), checkpoint_every=3, **settings)
    losses = {}

    def report(step, metrics):
        if step == stop_before:
            raise KeyboardInterrupt
        losses[step] = metrics["loss"]
        if on_step:
            on_step(step)

    return fit(init_policy(CFG, seed=0), objective, rows, cfg, mesh, directory, report, on_eval), losses


def test_training_on_eight_devices_follows_training_on_one(tmp_path):
    one, losses = train(one_device(), tmp_path / "one")
    eight, losses_on_eight = train(make_mesh(2, 2, 2), tmp_path / "eight")
    assert list(losses) == list(losses_on_eight) == list(range(1, len(losses) + 1))
    assert losses[len(losses)] < losses[1] - 0.1
    np.testing.assert_allclose(list(losses_on_eight.values()), list(losses.values()), rtol=1e-5)
    assert_close(
        jax.device_get(eight.params), jax.device_get(one.params), 1e-3
    )  # Adam amplifies where gradients vanish
    assert eight.params["layers"]["q"]["kernel"].sharding.spec == P(None, "fsdp", "tensor", None)
    save_policy(tmp_path / "saved", eight)
    loaded = load_policy(tmp_path / "saved").params
    jax.tree.map(np.testing.assert_array_equal, loaded, eight.params)
    assert all(len(leaf.devices()) == 1 and not leaf.committed for leaf in jax.tree.leaves(loaded))


def test_moments_lie_as_their_parameters_do():
    mesh = make_mesh(2, 2, 2)
    state = init_state(init_policy(CFG, 0), make_optimizer(OptimizerConfig(1e-3, steps=10)), mesh)
    adam = next(
        part for part in jax.tree.leaves(state.moments, is_leaf=lambda x: hasattr(x, "mu")) if hasattr(part, "mu")
    )
    for moments in (adam.mu, adam.nu):
        jax.tree.map(
            lambda m, p: m.sharding.spec == p.sharding.spec or pytest.fail(f"{m.shape}"), moments, state.trainable
        )
