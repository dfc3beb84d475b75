"""GRPO and SFT on sampled answers: against float64 formulas, and on forests against plain sequences."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from itool_jax.evaluation.report.collect import _DRAWN
from itool_jax.models.policy import init_policy
from itool_jax.training import losses
from itool_jax.training.objectives import group_policy, imitation, preference
from itool_jax.training.preference_data import PairGroup, PreferenceRows, TokenPreference, with_reference
from tests.test_forest import CFG, assert_same_direction, completion_logprobs, random_paths


@pytest.fixture(scope="module")
def policy():
    return init_policy(CFG, seed=4)


@pytest.fixture(scope="module")
def sampler(policy):
    """A policy so far from the other that ratios leave the range of the clip."""
    rng = np.random.default_rng(0)
    moved = lambda leaf: jnp.asarray(leaf * (1 + 0.2 * rng.normal(size=leaf.shape)), leaf.dtype)
    return policy.replace(params=jax.tree.map(moved, jax.tree.map(np.asarray, policy.params)))


def random_group(seed=0, count=7, length=12):
    """Log-probs of tokens now, when sampled and under a reference, a mask of the tokens, and rewards with ties."""
    rng = np.random.default_rng(seed)
    sampled = -rng.gamma(1.5, 1.0, (count, length))
    now = np.minimum(sampled + rng.normal(0, 0.4, sampled.shape), -1e-3)
    lengths = rng.integers(1, length + 1, count)
    return now, sampled, np.arange(length) < lengths[:, None], rng.integers(0, 4, count) / 3


def plain_advantages(rewards):
    return (rewards - np.mean(rewards)) / np.std(rewards, ddof=1)


def plain_grpo(now, sampled, mask, advantage, clip, kl_weight):
    """Eq. 3 and 4, token by token in float64."""
    total = 0.0
    for i, a in enumerate(advantage):
        of_sample = 0.0
        for t in np.flatnonzero(mask[i]):
            ratio = np.exp(now[i, t] - sampled[i, t])
            kl = np.exp(sampled[i, t] - now[i, t]) - (sampled[i, t] - now[i, t]) - 1
            of_sample += min(ratio * a, min(max(ratio, 1 - clip), 1 + clip) * a) - kl_weight * kl
        total += of_sample / mask[i].sum()
    return -total / len(advantage)


def group_loss(now, sampled, mask, rewards, clip, kl_weight):
    """The same from the functions of `losses`."""
    over = lambda values: jnp.sum(values, axis=-1, where=mask)
    real = jnp.ones(len(rewards), bool)
    advantage = losses.advantages(rewards, real)
    rising, falling = (over(losses.clipped_gain(now, sampled, sign, clip=clip)) for sign in (1.0, -1.0))
    gains = jnp.abs(advantage) * jnp.where(advantage > 0, rising, falling)
    lengths = jnp.sum(mask, axis=-1)
    return losses.grpo(gains, over(losses.divergence(now, sampled)), lengths, real, kl_weight=kl_weight)


@pytest.mark.parametrize(("clip", "kl_weight"), [(0.2, 0.0), (0.1, 0.04), (0.3, 1.0)])
@pytest.mark.parametrize("seed", range(3))
def test_grpo_is_the_papers_formula(seed, clip, kl_weight):
    now, sampled, mask, rewards = random_group(seed)
    ratios = np.exp(now - sampled)[mask]
    assert np.mean(np.abs(ratios - 1) > clip) > 0.2
    expected = plain_grpo(now, sampled, mask, plain_advantages(rewards), clip, kl_weight)
    found = group_loss(*map(jnp.float32, (now, sampled)), mask, jnp.float32(rewards), clip, kl_weight)
    assert float(found) == pytest.approx(expected, rel=1e-5, abs=1e-5)


def test_advantages_are_of_the_real_samples_alone_and_none_where_rewards_agree():
    rewards = jnp.float32([[1.0, 0.5, 0.0, 9.0], [0.7, 0.7, 0.7, 9.0], [0.3, 9.0, 9.0, 9.0], [9.0, 9.0, 9.0, 9.0]])
    real = jnp.array([[1, 1, 1, 0], [1, 1, 1, 0], [1, 0, 0, 0], [0, 0, 0, 0]], bool)
    found = losses.advantages(rewards, real)
    np.testing.assert_allclose(found[0], [1.0, 0.0, -1.0, 0.0], atol=1e-6)
    assert not np.any(found[1:])


def test_a_ratio_pushes_until_the_clip_and_no_further():
    slope = lambda ratio, sign: float(jax.grad(losses.clipped_gain)(jnp.log(ratio), 0.0, sign, clip=0.2))
    assert slope(1.1, 1.0) == pytest.approx(1.1) and slope(1.3, 1.0) == 0.0 and slope(0.5, 1.0) == pytest.approx(0.5)
    assert slope(0.9, -1.0) == pytest.approx(-0.9) and slope(0.7, -1.0) == 0.0
    assert slope(1.5, -1.0) == pytest.approx(-1.5)
    assert slope(1.0, 1.0) == 1.0


SAMPLES = [[tuple(completion) for _, completion in random_paths(50 + seed, count=4)] for seed in range(3)]
REWARDS = [(1.0, 1.0, 0.5, 0.25, 0.0), (0.75, 0.5, 0.5, 0.0), (1.0, 0.0, 0.0, 0.0)]


def groups():
    """Three groups of samples; the first has one of them twice."""
    made = []
    for seed, (samples, rewards) in enumerate(zip(SAMPLES, REWARDS, strict=True)):
        sides = tuple([samples[0], *samples] if len(rewards) > len(samples) else samples)
        prompt = tuple(random_paths(50 + seed)[0][0][:7])
        ranks = tuple(sorted(set(rewards), reverse=True).index(reward) for reward in rewards)
        made.append(PairGroup(str(seed), prompt, (TokenPreference((), sides, ranks, values=rewards),), (7, 8, 9)))
    return made


def one_batch(made):
    rows = PreferenceRows(made, row_tokens=96)
    return jax.tree.map(lambda *x: np.stack(x), *(rows[r] for r in range(len(rows))), rows.empty)


def tokens_of(policy, paths):
    """Log-probs of the tokens of every (prompt, answer), by the plain causal forward of one row each."""
    S = max(len(prompt) + len(answer) for prompt, answer in paths)
    tokens = np.array(
        [[*prompt, *answer] + [0] * (S - len(prompt) - len(answer)) for prompt, answer in paths], np.int32
    )
    positions = np.tile(np.arange(S), (len(paths), 1))
    hidden, _ = policy.hidden(tokens, positions, np.tile(np.tril(np.ones((S, S), bool)), (len(paths), 1, 1)))
    logprobs = jax.nn.log_softmax(policy.logits(hidden[:, :-1]))
    picked = jnp.take_along_axis(logprobs, tokens[:, 1:, None], 2)[..., 0]
    return [picked[n, len(p) - 1 : len(p) - 1 + len(answer)] for n, (p, answer) in enumerate(paths)]


def all_sides():
    return [(group.prompt, side) for group in groups() for side in group.pairs[0].sides]


def all_anchors():
    return [(group.prompt, group.anchor) for group in groups()]


def test_references_are_the_log_probs_of_every_token(policy):
    found = [side for group in with_reference(policy, groups(), 96, 2) for side in group.pairs[0].reference]
    for reference, expected in zip(
        found, jax.jit(tokens_of, static_argnums=1)(policy, tuple(all_sides())), strict=True
    ):
        np.testing.assert_allclose(reference, expected, atol=1e-5)


def test_grpo_on_a_forest_is_grpo_on_separate_sequences(policy, sampler):
    batch = one_batch(with_reference(sampler, groups(), 96, 2))
    objective = group_policy(clip=0.2, kl_weight=0.3, anchor_weight=0.5)

    def on_forest(params):
        result = objective(policy.with_trainable(params), batch)
        return result.total / result.weight, {name: mean.total / mean.weight for name, mean in result.metrics.items()}

    def plainly(params):
        at, total, kls, outside = policy.with_trainable(params), 0.0, [], []
        each = iter(zip(tokens_of(at, all_sides()), tokens_of(sampler, all_sides()), strict=True))
        for group in groups():
            advantage = plain_advantages(np.array(group.pairs[0].values))
            for a, (now, before) in zip(advantage, each, strict=False):
                ratio, kl = jnp.exp(now - before), jnp.exp(before - now) - (before - now) - 1
                kls.append(kl)
                outside.append(jnp.abs(ratio - 1) > 0.2)
                gain = jnp.minimum(ratio * a, jnp.clip(ratio, 0.8, 1.2) * a) - 0.3 * kl
                total -= jnp.mean(gain) / len(advantage)
        of_anchors = jnp.concatenate(tokens_of(at, all_anchors()))
        means = {"kl": jnp.concatenate(kls), "out_of_clip": jnp.concatenate(outside), "anchor_logprob": of_anchors}
        return (total - 0.5 * jnp.sum(of_anchors)) / (3 + 0.5 * 3), jax.tree.map(jnp.mean, means)

    (value, metrics), gradient = jax.jit(jax.value_and_grad(on_forest, has_aux=True))(policy.params)
    (expected, means), expected_gradient = jax.jit(jax.value_and_grad(plainly, has_aux=True))(policy.params)
    assert float(value) == pytest.approx(float(expected), rel=1e-5)
    for name, mean in means.items():
        assert float(metrics[name]) == pytest.approx(float(mean), rel=1e-4), name
    assert 0.1 < float(metrics["out_of_clip"]) < 0.9
    assert_same_direction(gradient, expected_gradient)


def test_at_the_sampler_itself_nothing_is_clipped_and_there_is_no_kl(policy):
    batch = one_batch(with_reference(policy, groups(), 96, 2))
    result = jax.jit(group_policy(clip=0.2, kl_weight=1.0))(policy, batch)
    assert float(result.metrics["out_of_clip"].total) == 0 and abs(float(result.metrics["kl"].total)) < 1e-6
    assert abs(float(result.total)) < 1e-5  # advantages sum to 0, all ratios are 1
    assert float(result.weight) == 3


def test_what_is_watched_of_groups_known_by_hand(policy):
    """The first, third, ... token of a sample is 1.5 times as likely as when it was sampled, the others 1.1 times."""
    ratios, made = (1.5, 1.1), []
    for group in with_reference(policy, groups(), 96, 2):
        (samples,) = group.pairs
        before = tuple(
            tuple(logprob - np.log(ratios[place % 2]) for place, logprob in enumerate(side))
            for side in samples.reference
        )
        made.append(replace(group, pairs=(replace(samples, reference=before),)))
    metrics = jax.jit(group_policy(clip=0.2, kl_weight=0.3))(policy, one_batch(made)).metrics
    lengths = [len(side) for _, side in all_sides()]
    odd, tokens = sum((length + 1) // 2 for length in lengths), sum(lengths)
    for name, total in (
        ("out_of_clip", odd),
        ("kl", odd * (1 / 1.5 + np.log(1.5) - 1) + (tokens - odd) * (1 / 1.1 + np.log(1.1) - 1)),
    ):
        assert float(metrics[name].weight) == tokens
        assert float(metrics[name].total) == pytest.approx(total, rel=1e-4), name
    assert float(metrics["anchor_logprob"].weight) == 3 * 3


@pytest.mark.parametrize("objective", [preference("dpo", beta=0.1), group_policy(clip=0.2), imitation()])
def test_what_an_objective_watches_is_drawn(policy, objective):
    """All but its loss by itself, which differs from the loss by the anchors'."""
    metrics = jax.eval_shape(objective, policy, one_batch(with_reference(policy, groups(), 96, 2))).metrics
    assert set(metrics) - {"pair_loss", "group_loss"} <= set(_DRAWN)


def test_imitation_is_sft_on_every_answer(policy, sampler):
    batch = one_batch(with_reference(sampler, groups(), 96, 2))
    result = jax.jit(imitation(anchor_weight=0.5))(policy, batch)
    sums_of = lambda policy, paths: np.asarray(jax.jit(lambda: completion_logprobs(policy, paths))(), np.float64)
    sides, sums, of_anchors = all_sides(), sums_of(policy, all_sides()), sums_of(policy, all_anchors())
    tokens = sum(len(side) for _, side in sides)
    assert float(result.weight) == tokens + 0.5 * 9
    assert float(result.total) == pytest.approx(-sums.sum() - 0.5 * of_anchors.sum(), rel=1e-5)
    assert float(result.metrics["chosen_logprob"].total) == pytest.approx(sums.sum(), rel=1e-5)
    drift = result.metrics["chosen_drift"]
    before = sums_of(sampler, sides)
    assert float(drift.weight) == len(sides)
    assert float(drift.total) == pytest.approx((sums - before).sum(), rel=1e-3)
    assert float(result.metrics["anchor_logprob"].total) == pytest.approx(of_anchors.sum(), rel=1e-5)
    assert float(result.metrics["anchor_logprob"].weight) == 9
