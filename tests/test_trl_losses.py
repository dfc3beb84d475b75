"""Losses and a training step against TRL, which is no dependency: it runs in an interpreter of its own.

    ITOOL_TRL_PYTHON=VENV/bin/python pytest tests/test_trl_losses.py      # VENV: pip install trl==1.16.0 torch

Without ITOOL_TRL_PYTHON the tests are skipped. -s prints the differences.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from etils import epath
from safetensors.numpy import load_file

from itool_jax.models.hf import save_hf
from itool_jax.models.policy import init_policy
from itool_jax.training.objectives import group_policy, preference
from itool_jax.training.preference_data import PairGroup, PreferenceRows, TokenPreference, with_reference
from itool_jax.training.step import frozen_part, init_state, make_train_step
from tests.test_forest import CFG
from tests.test_group_losses import group_loss, plain_advantages, random_group
from tests.test_losses import SETTINGS, loss_of, random_sums
from tests.test_mesh import one_device

TRL = os.environ.get("ITOOL_TRL_PYTHON")
pytestmark = pytest.mark.skipif(
    not TRL, reason="ITOOL_TRL_PYTHON names no interpreter that has TRL 1.16: it is no dependency"
)
RATE = 1e3  # so large that rounding the new weights leaves the gradient's digits
# Name of a step: its pairs, loss, beta, gamma, label smoothing and weight of the SFT term.
STEPS = {
    "simpo": ("mixed", "simpo", 2.5, 0.5, 0.1, 0.0),
    "simpo_sft": ("level", "simpo", 2.0, 0.3, 0.0, 0.7),
    "dpo": ("mixed", "dpo", 0.3, 0.0, 0.0, 0.0),
    "dpo_smoothed": ("mixed", "dpo", 0.3, 0.0, 0.2, 0.0),
    "ipo": ("even", "ipo", 0.4, 0.0, 0.0, 0.0),
    "ipo_averaged": ("mixed", "ipo_averaged", 0.4, 0.0, 0.0, 0.0),
    "orpo": ("level", "orpo", 0.6, 0.0, 0.0, 0.0),
}


def random_pairs(seed, *, level=False, even=False):
    """Pairs of token ids. With `level` prompts are one token and chosen sides of one length: TRL's SFT terms are means
    over all tokens of a batch and, in ORPO, over the prompts too. With `even` all sides are of one length."""
    rng = np.random.default_rng(seed)
    ids = lambda least, most: rng.integers(3, CFG.vocab_size, rng.integers(least, most)).tolist()
    prompts = [[3 + number] if level else ids(1, 8) for number in range(6)]
    chosen, rejected = (5, 6) if level or even else (2, 9), (5, 6) if even else (2, 9)
    return [{"prompt": p, "chosen": ids(*chosen), "rejected": ids(*rejected)} for p in prompts]


def random_samples(seed):
    """Groups of samples of a prompt, with their rewards."""
    rng = np.random.default_rng(seed)
    ids = lambda least, most: tuple(rng.integers(3, CFG.vocab_size, rng.integers(least, most)).tolist())
    return [(ids(4, 5), [ids(2, 9) for _ in range(4)], tuple(rng.permutation(4) / 3)) for _ in range(3)]


# Clip and weight of the KL of each group.
GROUPS = [(0.2, 0.0), (0.1, 0.04), (0.3, 1.0)]
PAIRS = {"mixed": random_pairs(1), "level": random_pairs(2, level=True), "even": random_pairs(3, even=True)}
SAMPLES, CLIP, KL_WEIGHT = random_samples(4), 0.2, 0.3


@pytest.fixture(scope="module")
def policies():
    return {name: init_policy(CFG, seed=seed) for name, seed in (("policy", 4), ("reference", 9))}


@pytest.fixture(scope="module")
def of_trl(tmp_path_factory, policies) -> Path:
    """The folder with what TRL made of the inputs."""
    folder = tmp_path_factory.mktemp("trl")
    sums, lengths = random_sums()
    np.savez(folder / "inputs.npz", sums=sums, lengths=lengths)
    groups = {}
    for number in range(len(GROUPS)):
        now, sampled, mask, rewards = random_group(number)
        named = {"now": now, "sampled": sampled, "mask": mask, "advantages": plain_advantages(rewards)}
        groups |= {f"{name}{number}": values for name, values in named.items()}
    np.savez(folder / "groups.npz", **groups)
    samples = [
        {"prompt": prompt, "sides": sides, "advantages": plain_advantages(rewards).tolist()}
        for prompt, sides, rewards in SAMPLES
    ]
    plan = {"losses": SETTINGS, "groups": GROUPS, "steps": STEPS, "pairs": PAIRS, "rate": RATE}
    plan["grpo"] = samples, CLIP, KL_WEIGHT
    (folder / "plan.json").write_text(json.dumps(plan))
    for name, policy in policies.items():
        save_hf(epath.Path(folder / name), policy)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1] / "tools" / "served")}
    script = Path(__file__).with_name("trl_side.py")
    done = subprocess.run([str(TRL), str(script), str(folder)], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]
    return folder


@pytest.mark.parametrize("number", range(len(SETTINGS)))
def test_a_loss_is_trls_on_random_inputs(of_trl, number):
    name, *settings = SETTINGS[number]
    (chosen, rejected, *references), lengths = random_sums()
    expected = np.load(of_trl / "losses.npz")[str(number)]
    found = loss_of(name, *map(jnp.float32, (chosen, rejected, *references, *lengths)), *settings)
    print(f"{SETTINGS[number]}: largest difference {np.max(np.abs(found - expected) / np.maximum(1, expected)):.1e}")
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("number", range(len(GROUPS)))
def test_grpo_and_its_slope_are_trls(of_trl, number):
    clip, kl_weight = GROUPS[number]
    now, sampled, mask, rewards = random_group(number)
    loss = lambda now: group_loss(now, jnp.float32(sampled), mask, jnp.float32(rewards), clip, kl_weight)
    value, slope = jax.value_and_grad(loss)(jnp.float32(now))
    expected = np.load(of_trl / f"group{number}.npz")
    apart = np.max(np.abs(slope - expected["slope"])) / np.max(np.abs(expected["slope"]))
    print(f"grpo {GROUPS[number]}: apart by {abs(value - expected['loss']):.1e}, slope by {apart:.1e} of its largest")
    assert float(value) == pytest.approx(float(expected["loss"]), rel=1e-5, abs=1e-5) and apart <= 1e-5


def require_trls_step(of_trl, policies, name, groups, objective, folder):
    """A step of ours on groups, with the policy `reference` as what they are compared with, against TRL's weights."""
    rows = PreferenceRows(with_reference(policies["reference"], groups, 64, 2), 64)
    batch = jax.tree.map(lambda *x: np.stack(x)[None], *(rows[row] for row in range(len(rows))))
    policy = policies["policy"]
    state = init_state(policy, optax.sgd(RATE), one_device())
    with jax.set_mesh(one_device()):
        state, metrics = make_train_step(objective, optax.sgd(RATE), state)(state, frozen_part(policy), batch)
    assert float(metrics["weight"]) == len(groups)
    save_hf(epath.Path(folder), policy.with_trainable(state.trainable))
    before, after = (load_file(place / "model.safetensors") for place in (of_trl / "policy", folder))
    theirs = np.load(of_trl / f"{name}.npz")
    moved = {key: (after[key] - before[key].astype(np.float64), theirs[key] - before[key]) for key in before}
    scale = np.sqrt(sum(np.sum(expected**2) for _, expected in moved.values()))
    apart = np.sqrt(sum(np.sum((found - expected) ** 2) for found, expected in moved.values()))
    print(f"{name}: step of {scale / RATE:.3f}, apart by {apart / scale:.1e} of it")
    assert scale > 0 and apart <= 1e-5 * scale


@pytest.mark.parametrize("name", STEPS)
def test_a_step_is_trls(of_trl, policies, name, tmp_path):
    kind, loss, beta, gamma, smoothing, sft_weight = STEPS[name]
    groups = []
    for pair in PAIRS[kind]:
        sides = TokenPreference((), (tuple(pair["chosen"]), tuple(pair["rejected"])))
        groups.append(PairGroup(str(len(groups)), tuple(pair["prompt"]), (sides,)))
    objective = preference(loss, beta=beta, gamma=gamma, label_smoothing=smoothing, sft_weight=sft_weight)
    require_trls_step(of_trl, policies, name, groups, objective, tmp_path)


def test_a_step_of_grpo_is_trls(of_trl, policies, tmp_path):
    groups = []
    for prompt, sides, rewards in SAMPLES:
        ranks = tuple(sorted(rewards, reverse=True).index(reward) for reward in rewards)
        samples = TokenPreference((), tuple(sides), ranks, values=rewards)
        groups.append(PairGroup(str(len(groups)), prompt, (samples,)))
    require_trls_step(of_trl, policies, "grpo", groups, group_policy(clip=CLIP, kl_weight=KL_WEIGHT), tmp_path)
