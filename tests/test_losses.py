"""Preference losses against float64 formulas, and the objectives on forests against plain sequences."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise, permutations

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from itool_jax.forest import branch, build_batch, capacity_for, completion_places
from itool_jax.models.policy import init_policy
from itool_jax.training import losses
from itool_jax.training.dataset import batched
from itool_jax.training.objectives import PreferenceBatch, preference, sft
from itool_jax.training.preference_data import PairGroup, PreferenceRows, TokenPreference, fitting_rows, with_reference
from itool_jax.training.step import frozen_part, init_state, make_train_step
from tests.test_forest import CFG, assert_same_direction, completion_logprobs, random_paths
from tests.test_mesh import assert_close, one_device, sft_rows


@pytest.fixture(scope="module")
def policy():
    return init_policy(CFG, seed=4)


def minus_log_sigmoid(margin):
    return -np.log(1.0 / (1.0 + np.exp(-np.asarray(margin, np.float64))))


def smoothed(margin, share):
    """Of the loss when the sides are the wrong way round with this chance."""
    return (1 - share) * minus_log_sigmoid(margin) + share * minus_log_sigmoid(-np.asarray(margin))


def random_sums(seed=0, count=200):
    rng = np.random.default_rng(seed)
    sums = -rng.gamma(2.0, 4.0, (4, count))
    return sums, rng.integers(1, 40, (2, count)).astype(np.float64)


def log_odds(p):
    return np.log(p / (1 - p))


# Each in float64 of (chosen, rejected), their reference log-probs and their lengths.
FORMULAS = {
    "simpo": lambda y, z, r, s, n, m, beta, gamma, e: smoothed(beta / n * y - beta / m * z - gamma, e),
    "dpo": lambda y, z, r, s, n, m, beta, gamma, e: smoothed(beta * (y - r) - beta * (z - s), e),
    "ipo": lambda y, z, r, s, n, m, beta, gamma, e: (y - r - (z - s) - 0.5 / beta) ** 2,
    "ipo_averaged": lambda y, z, r, s, n, m, beta, gamma, e: ((y - r) / n - (z - s) / m - 0.5 / beta) ** 2,
    "orpo": lambda y, z, r, s, n, m, beta, gamma, e: (
        -y / n + beta * minus_log_sigmoid(log_odds(np.exp(y / n)) - log_odds(np.exp(z / m)))
    ),
}
SETTINGS = [
    ("simpo", 2.5, 0.5, 0.0),
    ("simpo", 2.0, 0.0, 0.0),
    ("simpo", 0.7, 1.6, 0.1),
    ("dpo", 0.1, 0.0, 0.0),
    ("dpo", 0.5, 0.0, 0.25),
    ("ipo", 0.1, 0.0, 0.0),
    ("ipo", 1.5, 0.0, 0.0),
    ("ipo_averaged", 0.1, 0.0, 0.0),
    ("orpo", 0.1, 0.0, 0.0),
    ("orpo", 1.0, 0.0, 0.0),
]


def loss_of(name, y, z, r, s, n, m, beta, gamma, smoothing):
    """The function of that name, each argument where it belongs."""
    match name:
        case "simpo":
            return losses.simpo(y, z, n, m, beta=beta, gamma=gamma, label_smoothing=smoothing)
        case "dpo":
            return losses.dpo(y, z, r, s, beta=beta, label_smoothing=smoothing)
        case "ipo":
            return losses.ipo(y, z, r, s, beta=beta)
        case "ipo_averaged":
            return losses.ipo_averaged(y, z, r, s, n, m, beta=beta)
    return losses.orpo(y, z, n, m, beta=beta)


@pytest.mark.parametrize(("name", "beta", "gamma", "smoothing"), SETTINGS)
def test_a_loss_is_its_papers_formula(name, beta, gamma, smoothing):
    (chosen, rejected, *references), lengths = random_sums()
    arguments = chosen, rejected, *references, *lengths
    expected = FORMULAS[name](*arguments, beta, gamma, smoothing)
    found = loss_of(name, *map(jnp.float32, arguments), beta, gamma, smoothing)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 if "ipo" in name else 1e-12)


def ranking_cost(scores, ranks, gamma):
    """-log of the chance to draw the sides best first, in float64.

    Each is drawn from itself and those ranked below it, which have a start of gamma.
    """
    cost = 0.0
    for score, rank in zip(scores, ranks, strict=True):
        rivals = [other + gamma for other, level in zip(scores, ranks, strict=True) if level > rank]
        cost -= np.log(np.exp(score) / (np.exp(score) + np.sum(np.exp(rivals))))
    return cost


@pytest.mark.parametrize(("beta", "gamma"), [(2.5, 0.5), (1.0, 0.0)])
def test_list_mle_is_the_plackett_luce_likelihood_of_the_ranking(beta, gamma):
    rng = np.random.default_rng(3)
    expected, sums, lengths, ranks = [], np.zeros((40, 6)), np.ones((40, 6)), np.full((40, 6), -1)
    for row in range(40):
        count = rng.integers(2, 7)
        sums[row, :count], lengths[row, :count] = -rng.gamma(2.0, 4.0, count), rng.integers(1, 40, count)
        ranks[row, :count] = np.sort(rng.integers(0, 4, count)) if row % 2 else np.arange(count)
        scores = beta * sums[row, :count] / lengths[row, :count]
        expected.append(ranking_cost(scores, ranks[row, :count], gamma))
    found = losses.list_mle(jnp.float32(sums), jnp.float32(lengths), jnp.int32(ranks), beta=beta, gamma=gamma)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_without_margin_and_ties_the_chances_of_all_rankings_sum_to_one():
    sums = jnp.float32([-3.0, -1.0, -4.0, -2.5])
    cost = lambda order: losses.list_mle(sums[jnp.array(order)], jnp.ones(4), jnp.arange(4), beta=0.7, gamma=0.0)
    assert sum(float(jnp.exp(-cost(order))) for order in permutations(range(4))) == pytest.approx(1.0, rel=1e-5)


def test_a_list_of_two_is_simpo_and_equal_sides_cost_nothing():
    (chosen, rejected, _, _), (n, m) = random_sums()
    sums, lengths = jnp.float32(np.stack([chosen, rejected], -1)), jnp.float32(np.stack([n, m], -1))
    found = losses.list_mle(sums, lengths, jnp.broadcast_to(jnp.arange(2), (200, 2)), beta=2.5, gamma=0.5)
    expected = losses.simpo(*map(jnp.float32, (chosen, rejected, n, m)), beta=2.5, gamma=0.5)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    assert not np.any(losses.list_mle(sums, lengths, jnp.zeros((200, 2), jnp.int32), beta=2.5, gamma=0.5))


def test_list_mle_keeps_its_slope_far_out():
    ranks, lengths = jnp.array([0, 1, 2, -1]), jnp.ones(4)
    loss = lambda best: losses.list_mle(jnp.stack([best, 0.0, 0.0, 0.0]), lengths, ranks, beta=1.0, gamma=0.0)
    value, slope = jax.value_and_grad(loss)(jnp.float32(-1e4))
    assert float(value) == pytest.approx(1e4, rel=1e-3) and float(slope) == -1.0
    assert float(jax.grad(loss)(jnp.float32(1e4))) == 0.0


def test_losses_known_by_hand():
    two = jnp.float32(2)
    assert float(losses.simpo(-two, -two, two, two, beta=3.0, gamma=0.0)) == pytest.approx(np.log(2))
    # beta (-4/2 + 9/3) - gamma = 2.5 - 0.5
    margin_of_two = losses.simpo(*map(jnp.float32, (-4, -9, 2, 3)), beta=2.5, gamma=0.5)
    assert float(margin_of_two) == pytest.approx(np.log1p(np.exp(-2)))
    assert float(losses.dpo(-two, -two, -two, -two, beta=0.1)) == pytest.approx(np.log(2))
    # the policy moved 3 towards the chosen and 2 away from the rejected
    assert float(losses.dpo(*map(jnp.float32, (-4, -9, -7, -7)), beta=0.4)) == pytest.approx(np.log1p(np.exp(-2)))
    # it moved 5 apart where tau = 0.25 asks for 2
    assert float(losses.ipo(*map(jnp.float32, (-4, -9, -7, -7)), beta=0.25)) == pytest.approx(9)
    # 3/2 + 2/4 apart per token
    assert float(losses.ipo_averaged(*map(jnp.float32, (-4, -9, -7, -7, 2, 4)), beta=0.25)) == pytest.approx(0)
    # chances of 1/2 and 1/5 per token: odds of 1 and 1/4
    half, fifth = 3 * np.log(0.5), 2 * np.log(0.2)
    found = losses.orpo(*map(jnp.float32, (half, fifth, 3, 2)), beta=2.0)
    assert float(found) == pytest.approx(np.log(2) + 2 * np.log(5 / 4))
    assert float(losses.negative_log_likelihood(jnp.float32(-6), jnp.float32(4))) == 1.5


def test_orpo_of_a_certain_or_an_impossible_answer_is_finite():
    loss = lambda sums: losses.orpo(sums[0], sums[1], jnp.float32(2), jnp.float32(2), beta=0.5)
    for sums, expected in (((0, -2), 0.0), ((-2, 0), 1.0 + 0.5 * (np.log(1 / 1.1920929e-7) - log_odds(np.exp(-1)))),
                           ((-1e4, -2), 5000 + 0.5 * (5000 + log_odds(np.exp(-1))))):  # fmt: skip
        value, slope = jax.value_and_grad(loss)(jnp.float32(sums))
        assert float(value) == pytest.approx(expected, rel=1e-4, abs=1e-6) and np.isfinite(slope).all()


@pytest.mark.parametrize("chosen", [-1e4, 1e4])
def test_extreme_margins_have_finite_values_and_gradients(chosen):
    loss = lambda c: losses.simpo(c, jnp.float32(0), jnp.float32(1), jnp.float32(1), beta=2.5, gamma=0.5)
    value, slope = jax.value_and_grad(loss)(jnp.float32(chosen))
    assert float(value) == pytest.approx(max(0.0, 0.5 - 2.5 * chosen), rel=1e-5)
    assert float(slope) == (-2.5 if chosen < 0 else 0.0)


# The preference objective


def reference_logprobs(seed, paths):
    """Made-up log-probs of every completion's tokens, the same for the same token after the same tokens."""
    rng, known = np.random.default_rng(seed), {}
    of = lambda path: known.setdefault(path, round(float(rng.normal(-3, 1)), 5))
    return [
        tuple(of((*prefix, *completion[: end + 1])) for end in range(len(completion))) for prefix, completion in paths
    ]


PATHS = [random_paths(seed) for seed in range(3)]  # five completions a tree
PAIRS = [[(0, 1), (3, 2), (4, 0)], [(1, 4)], [(2, 3), (2, 1)]]
WEIGHTS = [[1.0, 2.0, 0.5], [1.5], [1.0, 3.0]]
ANCHORS = [[2], [], [0, 4]]
REFERENCE = [reference_logprobs(8 + tree, paths) for tree, paths in enumerate(PATHS)]


def preference_batch():
    """Trees 0 and 1 in one row, tree 2 in another; pairs in any order; a pair and a row of padding."""
    trees = [branch(paths) for paths in PATHS]
    tokens = len(trees[0]) + len(trees[1]) + 2
    forest = build_batch([trees[:2], trees[2:]], capacity_for(trees, [(0, 1), (2,)], tokens), size=3)
    reference = np.zeros(forest.tokens.shape, np.float32)
    for row, first, of_tokens in ((0, 0, REFERENCE[0]), (0, 5, REFERENCE[1]), (1, 0, REFERENCE[2])):
        for completion, logprobs in enumerate(of_tokens, first):
            reference[row, completion_places(forest.node[row], forest.select[row], completion)] = logprobs
    pairs, weight = np.zeros((3, 5, 2), np.int32), np.zeros((3, 5), np.float32)
    ranks = np.full((3, 5, 2), -1, np.int32)
    ranks[0, :4] = ranks[1, :2] = (0, 1)
    pairs[0, :4] = PAIRS[0] + [(c + 5, r + 5) for c, r in PAIRS[1]]
    weight[0, :4] = WEIGHTS[0] + WEIGHTS[1]
    pairs[1, :2], weight[1, :2] = PAIRS[2], WEIGHTS[2]
    anchor = np.zeros(forest.select.shape[:2], np.float32)
    anchor[0, ANCHORS[0]] = anchor[1, ANCHORS[2]] = 1.0
    return PreferenceBatch(forest, pairs, ranks, np.zeros(ranks.shape, np.float32), weight, reference, anchor)


def plain_objective(policy, loss, beta, gamma, smoothing, sft_weight, anchor_weight):
    """The weighted mean over pairs, each from two sequences of their own, and anchors, and the pairs ranked right."""
    total, right, weight_of_all = 0.0, 0.0, 9.0 + 3 * anchor_weight
    for paths, pairs, weights, reference, anchors in zip(PATHS, PAIRS, WEIGHTS, REFERENCE, ANCHORS, strict=True):
        sums = completion_logprobs(policy, paths)
        lengths = [len(completion) for _, completion in paths]
        for (y, z), weight in zip(pairs, weights, strict=True):
            before = [sum(of_tokens) for of_tokens in reference]
            arguments = sums[y], sums[z], before[y], before[z], lengths[y], lengths[z]
            total += weight * loss_of(loss, *arguments, beta, gamma, smoothing)
            total -= weight * sft_weight * sums[y] / lengths[y]
            better, worse = sums[y], sums[z]
            if loss in ("dpo", "ipo", "ipo_averaged"):
                better, worse = better - before[y], worse - before[z]
            if loss not in ("dpo", "ipo"):
                better, worse = better / lengths[y], worse / lengths[z]
            right += weight * (better > worse)
        for y in anchors:
            total -= anchor_weight * sums[y]
    return total / weight_of_all, right / 9.0


def test_what_is_watched_of_both_sides(policy):
    """Weighted means over the pairs: log pi per token, and log pi less log ref of a whole side."""
    metrics = jax.jit(preference("simpo", beta=2.5))(policy, preference_batch()).metrics
    expected = dict.fromkeys(
        (f"{side}_{what}" for side in ("chosen", "rejected") for what in ("logprob", "drift")), 0.0
    )
    for paths, pairs, weights, reference in zip(PATHS, PAIRS, WEIGHTS, REFERENCE, strict=True):
        sums = np.asarray(completion_logprobs(policy, paths), np.float64)
        for sides, weight in zip(pairs, weights, strict=True):
            for name, side in zip(("chosen", "rejected"), sides, strict=True):
                expected[f"{name}_logprob"] += weight * sums[side] / len(paths[side][1])
                expected[f"{name}_drift"] += weight * (sums[side] - sum(reference[side]))
    assert all(abs(value) > 1 for value in expected.values())
    assert abs(expected["chosen_drift"] - expected["rejected_drift"]) > 1
    for name, value in expected.items():
        assert float(metrics[name].weight) == 9.0
        assert float(metrics[name].total) == pytest.approx(value, rel=1e-5, abs=1e-4), name


def test_a_policy_that_is_surer_than_its_reference_has_drifted_upwards(policy):
    """By hand: each token of the chosen side is e^0.5 times as likely as it was, of the rejected e^-0.25 times."""
    (group,) = with_reference(policy, [PairGroup("a", (1, 2), (TokenPreference((), ((3, 4, 5), (6, 7))),))], 16, 1)
    moved = zip(group.pairs[0].reference, (0.5, -0.25), strict=True)
    before = tuple(tuple(logprob - by for logprob in side) for side, by in moved)
    rows = PreferenceRows([replace(group, pairs=(replace(group.pairs[0], reference=before),))], 16)
    result = preference("dpo", beta=0.1)(policy, jax.tree.map(lambda leaf: leaf[None], rows[0]))
    assert float(result.metrics["chosen_drift"].total) == pytest.approx(3 * 0.5, abs=1e-5)
    assert float(result.metrics["rejected_drift"].total) == pytest.approx(2 * -0.25, abs=1e-5)
    assert float(result.metrics["margin"].total) == pytest.approx(0.1 * (1.5 + 0.5), abs=1e-5)


@pytest.mark.parametrize(
    ("loss", "beta", "gamma", "smoothing", "weights"),
    [
        ("simpo", 2.5, 0.5, 0.0, (0.0, 0.0)),
        ("simpo", 2.5, 0.5, 0.1, (0.3, 0.7)),
        ("dpo", 0.1, 0.0, 0.2, (0.0, 0.0)),
        ("ipo", 0.2, 0.0, 0.0, (0.0, 0.7)),
        ("ipo_averaged", 0.2, 0.0, 0.0, (0.0, 0.0)),
        ("orpo", 0.5, 0.0, 0.0, (0.0, 0.7)),
    ],
)
def test_preference_on_a_forest_is_preference_on_separate_sequences(policy, loss, beta, gamma, smoothing, weights):
    sft_weight, anchor_weight = weights
    settings = dict(beta=beta, gamma=gamma, label_smoothing=smoothing)
    objective = preference(loss, **settings, sft_weight=sft_weight, anchor_weight=anchor_weight)
    batch = preference_batch()

    def on_forest(params):
        result = objective(policy.with_trainable(params), batch)
        accuracy = result.metrics["accuracy"]
        return result.total / result.weight, (accuracy.weight, accuracy.total / accuracy.weight)

    def plainly(params):
        return plain_objective(policy.with_trainable(params), loss, beta, gamma, smoothing, *weights)

    (value, (weight, accuracy)), gradient = jax.jit(jax.value_and_grad(on_forest, has_aux=True))(policy.params)
    (expected, right), expected_gradient = jax.jit(jax.value_and_grad(plainly, has_aux=True))(policy.params)
    assert float(weight) == 9.0 and float(accuracy) == pytest.approx(float(right))
    assert float(value) == pytest.approx(float(expected), rel=1e-5)
    assert_same_direction(gradient, expected_gradient)


def test_lists_on_a_forest_are_lists_of_separate_sequences(policy):
    """Lists of different lengths and ties, among pairs and an anchor, against each side as a sequence of its own."""
    paths = random_paths(31, count=7)
    prefix, completions = tuple(paths[0][0]), [tuple(completion) for _, completion in paths]
    pairs = (
        TokenPreference(prefix[4:], tuple(completions[:4]), (0, 1, 1, 3)),
        TokenPreference(prefix[4:], tuple(completions[5:])),
    )
    reference = init_policy(CFG, seed=9)
    (group,) = with_reference(reference, [PairGroup("lists", prefix[:4], pairs, anchor=(7, 8))], 96, 2)
    assert [[len(side) for side in pair.reference] for pair in group.pairs] == [
        [len(side) for side in pair.sides] for pair in group.pairs
    ]
    rows = PreferenceRows([group, replace(group, anchor=(), pairs=group.pairs[1:])], row_tokens=96)
    batch = jax.tree.map(lambda *x: np.stack(x), *(rows[r] for r in range(len(rows))))
    result = jax.jit(preference("list_mle", beta=2.0, gamma=0.3, anchor_weight=0.5))(policy, batch)
    every = [(paths[0][0], completion) for completion in completions]
    sums = np.asarray(completion_logprobs(policy, [*every, (prefix[:4], (7, 8))]), np.float64)
    scores = 2.0 * sums[:7] / [len(completion) for completion in completions]
    pair = ranking_cost(scores[5:], (0, 1), 0.3)
    total = ranking_cost(scores[:4], (0, 1, 1, 3), 0.3) + 2 * pair - 0.5 * sums[7]
    assert float(result.weight) == 3.5
    assert float(result.total) == pytest.approx(total, rel=1e-5)
    assert float(result.metrics["margin"].total) == pytest.approx(
        scores[0] - scores[3] + 2 * (scores[5] - scores[6]), rel=1e-4
    )
    drifts = sums[:7] - np.asarray(completion_logprobs(reference, every), np.float64)
    for name, best, second in (("chosen", 0, 5), ("rejected", 3, 6)):  # the ends of each list
        drift = drifts[best] + 2 * drifts[second]
        assert abs(drift) > 0.1 and float(result.metrics[f"{name}_drift"].total) == pytest.approx(drift, abs=1e-4)


def test_an_unknown_preference_loss_is_named(policy):
    with pytest.raises(ValueError, match="'ppo'"):
        preference("ppo", beta=1.0, gamma=0.0, sft_weight=0.0)(policy, preference_batch())


def groups():
    """Groups of one to four pairs, whose prefix hangs below their prompt."""
    made = []
    for number in range(6):
        paths = random_paths(20 + number, count=2 + number % 4)
        prefix, completions = paths[0][0], [tuple(completion) for _, completion in paths]
        pairs = tuple(TokenPreference(tuple(prefix[4:]), sides) for sides in pairwise(completions))
        made.append(PairGroup(f"group {number}", tuple(prefix[:4]), pairs))
    return made


def test_at_the_reference_policy_every_dpo_margin_is_zero(policy):
    rows = PreferenceRows(with_reference(policy, groups(), row_tokens=64, rows=2), row_tokens=64)
    batch = jax.tree.map(lambda *x: np.stack(x), *(rows[r] for r in range(len(rows))))
    result = jax.jit(preference("dpo", beta=0.3, gamma=0.0, sft_weight=0.0))(policy, batch)
    assert float(result.weight) == sum(len(group.pairs) for group in groups())
    assert float(result.total / result.weight) == pytest.approx(np.log(2), rel=1e-5)
    assert abs(float(result.metrics["chosen_drift"].total)) < 1e-3


def anchored_groups():
    return [replace(group, anchor=(7, 8, number + 1)) for number, group in enumerate(groups())]


def test_an_anchor_is_the_last_completion_of_its_tree(policy):
    """With nothing but anchors the objective is SFT summed over each answer, whatever pairs lie in the same rows."""
    anchored = anchored_groups()
    alone = [PairGroup(group.id, group.prompt, (), group.anchor) for group in anchored]
    batches = [
        jax.tree.map(lambda *x: np.stack(x), *(rows[r] for r in range(len(rows))))
        for rows in (PreferenceRows(with_reference(policy, made, 64, 2), 64) for made in (anchored, alone))
    ]
    objective = preference("simpo", beta=1e-6, gamma=0.0, anchor_weight=1e6)
    among, by_themselves = (jax.jit(objective)(policy, batch) for batch in batches)
    expected = sum(completion_logprobs(policy, [(group.prompt, group.anchor)])[0] for group in anchored)
    for result in (among, by_themselves):
        assert float(result.metrics["anchor_logprob"].total) == pytest.approx(float(expected), rel=1e-5)
        assert float(result.metrics["anchor_logprob"].weight) == 6 * 3
        assert float(result.total / 1e6) == pytest.approx(-float(expected), rel=1e-4)
    assert float(by_themselves.metrics["accuracy"].weight) == 0


def test_a_tree_gives_up_what_does_not_fit_a_row():
    """First its anchor, then its pairs; nothing else is lost."""
    group = PairGroup("a", (1, 2, 3, 4), (TokenPreference((), ((5, 5, 5), (6, 6, 6))),), anchor=(7, 7, 7, 7))
    kept = {tokens: fitting_rows([group], tokens) for tokens in (14, 13, 10, 9, 8, 7)}
    pairs_only, anchor_only = replace(group, anchor=()), replace(group, pairs=())
    assert kept == {14: [group], 13: [pairs_only], 10: [pairs_only], 9: [anchor_only], 8: [anchor_only], 7: []}


# Accumulation


def one_step(policy, objective, batch):
    """Metrics and parameters after a step of plain gradient descent at rate 1."""
    state = init_state(policy, optax.sgd(1.0), one_device())
    with jax.set_mesh(one_device()):
        return make_train_step(objective, optax.sgd(1.0), state)(state, frozen_part(policy), batch)


@pytest.mark.parametrize("kind", ["sft", "simpo"])
def test_accumulation_weighs_every_token_and_pair_alike(policy, kind):
    if kind == "sft":
        objective, rows = sft, sft_rows(vocabulary=CFG.vocab_size)
    else:
        objective = preference("simpo", beta=2.5, gamma=0.5, sft_weight=0.1, anchor_weight=0.3)
        made = [
            group if number % 2 else anchored
            for number, (group, anchored) in enumerate(zip(groups(), anchored_groups(), strict=True))
        ]
        rows = PreferenceRows(with_reference(policy, made, row_tokens=64, rows=2), row_tokens=64)
    whole, parts = (batched(rows, epochs=1, rows_per_step=4, accumulate=a, seed=0)[0] for a in (1, 2))
    weights = jax.tree.leaves(jax.vmap(lambda part: objective(policy, part).weight)(parts))[0]
    assert weights[0] != weights[1]  # else a mean of means would pass too
    expected, expected_metrics = one_step(policy, objective, whole)
    found, metrics = one_step(policy, objective, parts)
    for name, value in expected_metrics.items():
        assert float(metrics[name]) == pytest.approx(float(value), rel=1e-5, abs=1e-6), name
    moved = lambda state: jax.tree.map(lambda new, old: np.asarray(new - old), state.trainable, policy.params)
    assert_close(moved(found), moved(expected), 1e-5)
