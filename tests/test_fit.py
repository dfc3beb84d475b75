"""The training loop: what it saves, what it refuses to save, and how it goes on."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import grain
import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
import pytest
from jax.sharding import PartitionSpec as P

from itool_jax.errors import UserError
from itool_jax.models.config import LoraConfig
from itool_jax.models.policy import add_adapters, init_policy
from itool_jax.parallel.mesh import make_mesh, shard, shard_batch
from itool_jax.rounds.base_model import in_dtype
from itool_jax.stopping import Stopped
from itool_jax.training.checkpoints import TrainingCheckpoints, abstract_state
from itool_jax.training.dataset import batched
from itool_jax.training.fit import FitConfig, fit
from itool_jax.training.objectives import sft
from itool_jax.training.step import OptimizerConfig, frozen_part, init_state, make_optimizer, make_train_step
from tests.test_mesh import CFG, assert_close, one_device, sft_rows, train


def saved_steps(directory):
    return sorted(int(folder.name) for folder in directory.iterdir() if folder.name.isdigit())


def last_written(directory):
    return {path: path.stat().st_mtime_ns for path in directory.rglob("*")}


def test_an_interrupted_training_goes_on_to_the_same_bits(tmp_path):
    whole, losses = train(one_device(), tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(one_device(), tmp_path / "parts", stop_before=5)
    assert saved_steps(tmp_path / "parts") == [3]
    parts, losses_after = train(one_device(), tmp_path / "parts")
    assert losses_after == {step: loss for step, loss in losses.items() if step > 3}
    jax.tree.map(np.testing.assert_array_equal, parts.params, whole.params)


def test_the_newest_states_and_the_best_stay_and_the_best_is_the_outcome(tmp_path):
    """The rate is below 0, so that the loss rises and the first mean over three steps is the least."""
    best, losses = train(one_device(), tmp_path / "best", rate=-3e-3, keep_last=1, keep_best="loss")
    last = len(losses)
    means = {step: np.mean([losses[each] for each in range(step - 2, step + 1)]) for step in range(3, last, 3)}
    assert list(means) == [3, 6] and last == 7 and means[3] < min(means[6], losses[7])
    assert saved_steps(tmp_path / "best") == [3, 7]
    train(one_device(), tmp_path / "plain", rate=-3e-3, keep_last=last)
    assert saved_steps(tmp_path / "plain") == [3, 6, 7]  # at every third step, and at the end
    with ocp.CheckpointManager(tmp_path / "plain") as manager:
        third = manager.restore(3, args=ocp.args.Composite(state=ocp.args.StandardRestore()))["state"]
    jax.tree.map(np.testing.assert_array_equal, best.params, third["trainable"])


@pytest.mark.parametrize("at_once", [pytest.param(True, marks=pytest.mark.slow), False])
def test_a_stop_at_an_evaluation_changes_neither_the_best_nor_the_end(tmp_path, at_once):
    """The signal comes while step 4 is evaluated, or in step 4 itself: its evaluation comes first when it goes on."""
    seen, waiting = {}, []

    def on_eval(step, policy):
        if at_once and step in waiting:
            signal.raise_signal(waiting.pop() and signal.SIGTERM)
        seen.setdefault(step, []).append(np.asarray(policy.params["embedding"]))
        return {2: 0.2, 4: 0.9, 6: 0.8}.get(step, 0.1)

    def on_step(step):
        if not at_once and step + 1 in waiting:  # told of step 3 when step 4 is on its way
            signal.raise_signal(waiting.pop() and signal.SIGTERM)

    def run(name):
        best, _ = train(
            one_device(), tmp_path / name, on_eval=on_eval, on_step=on_step, eval_every=2, keep_best="heldout"
        )
        return best

    whole = run("whole")
    evaluated = {step: arrays.pop() for step, arrays in seen.items()}
    np.testing.assert_array_equal(whole.params["embedding"], evaluated[4])
    waiting.append(4)
    with pytest.raises(Stopped, match="SIGTERM"):
        run("parts")
    assert saved_steps(tmp_path / "parts") == [2, 3, 4]
    written = last_written(tmp_path / "parts/4")
    jax.tree.map(np.testing.assert_array_equal, run("parts").params, whole.params)
    assert last_written(tmp_path / "parts/4") == written  # a kill while it is written anew would lose it
    assert saved_steps(tmp_path / "parts") == saved_steps(tmp_path / "whole")
    assert {step: len(arrays) for step, arrays in seen.items()} == dict.fromkeys(evaluated, 1)
    for step, (array,) in seen.items():
        np.testing.assert_array_equal(array, evaluated[step])


def test_a_kill_where_the_outcome_of_an_evaluation_is_kept_loses_no_state(tmp_path, monkeypatch):
    """The first state of all, stopped in its evaluation; going on is killed as the score is written, and once more."""
    waiting, evaluated = [2], []

    def on_eval(step, policy):
        if step in waiting:
            signal.raise_signal(waiting.pop() and signal.SIGTERM)
        evaluated.append(step)
        return {2: 0.9}.get(step, 0.1)

    def run():
        return train(one_device(), tmp_path, on_eval=on_eval, eval_every=2, keep_best="heldout")[1]

    def killed(path, value):
        raise KeyboardInterrupt

    with pytest.raises(Stopped):
        run()
    for _ in range(2):
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr("itool_jax.files.write_json", killed)
            run()
        assert saved_steps(tmp_path) == [2]
    assert list(run()) == [3, 4, 5, 6, 7] and evaluated == [2, 2, 2, 4, 6, 7]
    assert saved_steps(tmp_path) == [2, 6, 7]  # the best, whose score came later, and the two newest


def test_a_damaged_state_is_told_with_what_to_do(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train(one_device(), tmp_path, stop_before=5)
    shutil.rmtree(tmp_path / "3/progress")
    with pytest.raises(UserError, match=r"/3: the training state cannot be read: .* Remove that folder to go on"):
        train(one_device(), tmp_path)
    shutil.rmtree(tmp_path / "3")
    assert min(train(one_device(), tmp_path)[1]) == 1


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


def test_a_state_saved_on_one_mesh_is_gone_on_from_on_others(tmp_path):
    """Saved on 8 x 1 x 1 at step 3 of 7; the losses after it are those of a training that was never stopped."""
    _, losses = train(make_mesh(8, 1, 1), tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(make_mesh(8, 1, 1), tmp_path / "parts", stop_before=5)
    for sizes in ((2, 2, 2), (1, 1, 1), (8, 1, 1)):
        folder = tmp_path / "x".join(map(str, sizes))
        shutil.copytree(tmp_path / "parts", folder)
        mesh = one_device() if sizes == (1, 1, 1) else make_mesh(*sizes)
        policy, after = train(mesh, folder)
        assert list(after) == [4, 5, 6, 7]
        np.testing.assert_allclose(list(after.values()), [losses[step] for step in after], rtol=1e-5)
        placed = policy.params["layers"]["up"]["kernel"].sharding
        assert placed.mesh.shape == mesh.shape and placed.spec == P(None, "fsdp", "tensor")


WIDE = replace(CFG, dim=128, ffn=128, layers=1)  # Adafactor keeps sums of matrices where both sides have 128
KINDS = {
    "adapters": (lambda: add_adapters(init_policy(CFG, 0), LoraConfig(4, 8.0), 0), {}),
    "master copy": (lambda: in_dtype(init_policy(CFG, 0), "bfloat16"), {"master_copy": True}),
    "adafactor": (lambda: init_policy(WIDE, 0), {"optimizer": "adafactor"}),
}


@pytest.mark.parametrize(
    "kind", ["adafactor", *(pytest.param(kind, marks=pytest.mark.slow) for kind in list(KINDS)[:2])]
)
def test_every_kind_of_state_goes_on_on_other_devices(tmp_path, kind):
    """Saved on one device at step 3 of 7, read on 2 x 2 x 2 as it was, and trained there to the same end."""
    make, settings = KINDS[kind]
    rows = batched(sft_rows(), epochs=2, rows_per_step=8, accumulate=1, seed=3)
    cfg = FitConfig(OptimizerConfig(1e-3, steps=len(rows), **settings), checkpoint_every=3)

    def run(name, mesh, stop_before=None):
        def stop(step, metrics):
            if step == stop_before:
                raise KeyboardInterrupt

        policy = fit(make(), sft, rows, cfg, mesh, tmp_path / name, stop)
        return newest(tmp_path / name, policy, mesh)

    def newest(folder, policy, mesh):
        like = abstract_state(init_state(policy, make_optimizer(cfg.optimizer), mesh))
        checkpoints = TrainingCheckpoints(folder)
        state, _ = checkpoints.restore(like)
        checkpoints.close()
        assert jax.tree.all(jax.tree.map(lambda leaf, wanted: leaf.sharding == wanted.sharding, state, like))
        return jax.device_get(state)

    with pytest.raises(KeyboardInterrupt):
        run("parts", one_device(), stop_before=5)
    states = [newest(tmp_path / "parts", make(), mesh) for mesh in (one_device(), make_mesh(2, 2, 2))]
    assert states[0].step == 3
    jax.tree.map(np.testing.assert_array_equal, *states)
    whole, parts = run("whole", one_device()), run("parts", make_mesh(2, 2, 2))
    assert parts.step == whole.step == len(rows)
    weights = lambda state: state.moments.weights if kind == "master copy" else state.trainable
    assert_close(weights(parts), weights(whole), 1e-5)
    moved = jax.tree.map(lambda a, b: float(np.abs(a - b).max()), weights(whole), weights(states[0]))
    assert max(jax.tree.leaves(moved)) > 1e-4


def test_a_state_with_the_iterator_of_an_earlier_version_is_gone_on_from(tmp_path, monkeypatch):
    _, losses = train(one_device(), tmp_path / "whole")
    iterator = iter(batched(sft_rows(), epochs=2, rows_per_step=8, accumulate=1, seed=3).to_iter_dataset())

    def save_as_before(self, step, state, progress, score=None):
        items = {
            "state": ocp.args.StandardSave(state),
            "data": grain.checkpoint.CheckpointSave(iterator),
            "progress": ocp.args.JsonSave(progress._asdict()),
        }
        self._manager.save(step, args=ocp.args.Composite(**items), force=True)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(TrainingCheckpoints, "save", save_as_before)
        train(one_device(), tmp_path / "parts", stop_before=5)
    assert (tmp_path / "parts/3/data/process_0-of-1.json").exists()
    _, after = train(one_device(), tmp_path / "parts")
    assert after == {step: loss for step, loss in losses.items() if step > 3}


def test_there_is_room_for_one_state_when_a_saved_one_is_read(tmp_path, monkeypatch):
    held = lambda: sum(array.nbytes for array in jax.live_arrays())
    with pytest.raises(KeyboardInterrupt):
        train(one_device(), tmp_path, stop_before=5)
    before, reading, fresh = [], [], []

    def begins(*arguments):
        before.append(held())
        state = init_state(*arguments)
        fresh.append(held() - before[0])
        return state

    def restore(self, like):
        reading.append(held() - before[0])
        return restored(self, like)

    restored = TrainingCheckpoints.restore
    monkeypatch.setattr("itool_jax.training.fit.init_state", begins)
    monkeypatch.setattr(TrainingCheckpoints, "restore", restore)
    train(one_device(), tmp_path)
    parameters = sum(leaf.nbytes for leaf in jax.tree.leaves(init_policy(CFG, 0).params))
    assert fresh[0] >= 3 * parameters and reading[0] < parameters / 100


def test_there_is_room_for_one_state_when_the_best_is_read(tmp_path, monkeypatch):
    """Also where an evaluation came right before, which had a policy of the state's weights."""
    held = lambda: sum(array.nbytes for array in jax.live_arrays())
    before, reading = [], []

    def begins(*arguments):
        before.append(held())
        return init_state(*arguments)

    def restore(self, like):
        reading.append(held() - before[0])
        return restored(self, like)

    restored = TrainingCheckpoints.restore_best
    monkeypatch.setattr("itool_jax.training.fit.init_state", begins)
    monkeypatch.setattr(TrainingCheckpoints, "restore_best", restore)
    train(one_device(), tmp_path, on_eval=lambda step, policy: -step, eval_every=2, keep_best="heldout")
    parameters = sum(leaf.nbytes for leaf in jax.tree.leaves(init_policy(CFG, 0).params))
    assert reading[0] < parameters / 2


def test_the_rates_are_those_of_steps_alone(tmp_path, monkeypatch):
    """A step takes a second of this clock, its compilation 50, an evaluation 100 and a save 1,000."""
    now, compilation = 0.0, [50.0]

    def takes(seconds, function):
        def timed(*arguments, **settings):
            nonlocal now
            now += seconds
            return function(*arguments, **settings)

        return timed

    def make_step(*arguments):
        step = make_train_step(*arguments)
        return lambda *given: takes(compilation.pop() if compilation else 0, step)(*given)

    fit_module = "itool_jax.training.fit"
    monkeypatch.setattr(f"{fit_module}.time", SimpleNamespace(monotonic=lambda: now))
    monkeypatch.setattr(f"{fit_module}.require_finite", takes(1, lambda *told: None))  # when the device has ended it
    monkeypatch.setattr(f"{fit_module}.make_train_step", make_step)
    monkeypatch.setattr(TrainingCheckpoints, "save", takes(1000, TrainingCheckpoints.save))
    rows = batched(sft_rows(), epochs=2, rows_per_step=8, accumulate=1, seed=3)
    cfg = FitConfig(OptimizerConfig(3e-3, steps=len(rows)), checkpoint_every=3, eval_every=2)
    seen, told, evaluated = {}, [], []

    def on_step(step, metrics):
        seen[step] = metrics
        told.append(step)

    def on_eval(step, policy):
        assert told[-1] == step  # it is waited for, so that its time is its own
        evaluated.append(step)

    fit(init_policy(CFG, 0), sft, rows, cfg, one_device(), tmp_path, on_step, takes(100, on_eval))
    assert told == list(range(1, len(rows) + 1)) and evaluated == [2, 4, 6]
    assert not {"steps_per_s", "tokens_per_s", "mfu"} & set(seen.pop(1))
    assert {metrics["steps_per_s"] for metrics in seen.values()} == {1.0}
    assert all(metrics["tokens_per_s"] == metrics["tokens"] for metrics in seen.values())


def test_it_says_how_long_a_state_takes_to_be_written(tmp_path, capsys):
    train(one_device(), tmp_path)
    said = " ".join(capsys.readouterr().err.split())
    assert re.search(r"the state of step \d, 0\.\d\d MB in all, was written in \d+\.\d s", said)
    assert said.count("was written in") == 1


@pytest.mark.parametrize("sizes", [(1, 1, 1), (2, 2, 2)])
def test_the_step_compiles_once_and_takes_the_memory_of_its_state(sizes):
    """All of the old state is given up, and nothing of the policy that it was made of."""
    policy = init_policy(CFG, seed=0)
    batch = batched(sft_rows(), epochs=1, rows_per_step=16, accumulate=2, seed=0)[0]
    mesh = make_mesh(*sizes) if sizes != (1, 1, 1) else one_device()
    optimizer = make_optimizer(OptimizerConfig(1e-3, steps=10))
    state = init_state(policy, optimizer, mesh)
    step = make_train_step(sft, optimizer, state)
    frozen, batch = frozen_part(policy.replace(params=shard(policy.params, mesh))), shard_batch(batch, mesh, axis=1)
    with jax.set_mesh(mesh):
        in_place = step.lower(state, frozen, batch).compile().memory_analysis().alias_size_in_bytes
        for _ in range(3):
            before = state
            state, _ = step(state, frozen, batch)
            assert all(leaf.is_deleted() for leaf in jax.tree.leaves(before))
    assert step._cache_size() == 1 and int(state.step) == 3
    on_a_device = sum(leaf.addressable_shards[0].data.nbytes for leaf in jax.tree.leaves(state))
    assert in_place == on_a_device
    assert not any(leaf.is_deleted() for leaf in jax.tree.leaves((policy.params, frozen, batch)))


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
