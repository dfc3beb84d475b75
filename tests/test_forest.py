"""Token trees and their packing: layout against a naive per-path reference, log-probs against separate sequences."""

from __future__ import annotations

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from itool_jax.forest import Capacity, TokenTree, batches, branch, build_batch, build_row, capacity_for, chain, pack
from itool_jax.models.config import DecoderConfig
from itool_jax.models.forest_attention import AncestorMask
from itool_jax.models.policy import init_policy
from itool_jax.training.logprobs import completion_sums, score_forest, token_logprobs
from itool_jax.training.objectives import sft

CFG = DecoderConfig(vocab_size=53, dim=32, layers=2, heads=4, kv_heads=2, head_dim=8, ffn=64)


@pytest.fixture(scope="module")
def policy():
    return init_policy(CFG, seed=4)


def completion_logprobs(policy, paths):
    """Summed log-probs of the completions of (prefix, completion) paths by the plain causal forward of one row each."""
    S = max(len(prefix) + len(completion) for prefix, completion in paths)
    tokens = np.zeros((len(paths), S), np.int32)
    counts = np.zeros((len(paths), S - 1), np.float32)
    for row, (prefix, completion) in enumerate(paths):
        tokens[row, : len(prefix) + len(completion)] = [*prefix, *completion]
        counts[row, len(prefix) - 1 : len(prefix) + len(completion) - 1] = 1
    positions = np.tile(np.arange(S), (len(paths), 1))
    hidden, _ = policy.hidden(tokens, positions, np.tile(np.tril(np.ones((S, S), bool)), (len(paths), 1, 1)))
    logprobs = jax.nn.log_softmax(policy.logits(hidden[:, :-1]))
    return jnp.sum(jnp.take_along_axis(logprobs, tokens[:, 1:, None], 2)[..., 0] * counts, axis=1)


def one_batch(rows, size=None):
    trees = [tree for row in rows for tree in row]
    places = np.split(np.arange(len(trees)), np.cumsum([len(row) for row in rows])[:-1])
    tokens = max(sum(map(len, row)) for row in rows) + 3
    return build_batch(rows, capacity_for(trees, [tuple(place) for place in places], tokens), size)


# Packing


@given(st.lists(st.integers(1, 20), max_size=40))
def test_packing_places_every_tree_once_and_overfills_no_row(sizes):
    rows = pack(sizes, tokens=20)
    assert sorted(tree for row in rows for tree in row) == list(range(len(sizes)))
    for row in rows:
        assert 0 < sum(sizes[tree] for tree in row) <= 20


@given(st.lists(st.integers(1, 20), min_size=2, max_size=40))
def test_packing_leaves_no_two_rows_that_fit_into_one(sizes):
    used = sorted(sum(sizes[tree] for tree in row) for row in pack(sizes, tokens=20))
    assert len(used) == 1 or used[0] + used[1] > 20


def test_a_tree_longer_than_a_row_is_refused():
    with pytest.raises(ValueError, match="a tree of 21 tokens does not fit a row of 20"):
        pack([3, 21], tokens=20)


@given(st.lists(st.tuples(st.integers(1, 6), st.integers(1, 4)), min_size=1, max_size=12))
def test_batches_place_every_completion_where_they_say(lengths):
    trees = [chain([t + 1] * prompt, [t + 1] * answer) for t, (prompt, answer) in enumerate(lengths)]
    seen = []
    for forest, placements in batches(trees, tokens=12, rows_per_batch=2):
        assert forest.tokens.shape == (2, 12)
        for t, row, first in placements:
            (segment,) = np.flatnonzero(forest.select[row, first])
            assert (forest.tokens[row][forest.node[row] == segment] == t + 1).all()
            assert (forest.node[row] == segment).sum() == lengths[t][1]
            seen.append(t)
        used = {(row, first) for _, row, first in placements}
        assert all(
            (row, c) in used or not forest.select[row, c].any() for row, c in np.ndindex(forest.select.shape[:2])
        )
    assert sorted(seen) == list(range(len(trees)))


# Layout

paths_of_a_tree = st.lists(
    st.tuples(st.lists(st.integers(1, 3), max_size=6), st.lists(st.integers(1, 3), min_size=1, max_size=6)),
    min_size=1,
    max_size=6,
).map(lambda paths: [([9, *prefix], completion) for prefix, completion in paths])


@given(paths_of_a_tree)
def test_a_tree_stores_common_beginnings_once_and_spells_every_completion(paths):
    tree = branch(paths)
    spelled = [(*prefix, *completion) for prefix, completion in paths]
    assert len(tree) == len({path[:n] for path in spelled for n in range(1, len(path) + 1)})
    assert all(parent < s for s, parent in enumerate(tree.parents)) and tree.parents[0] == -1
    for (prefix, completion), segments in zip(paths, tree.completions, strict=True):
        assert [token for s in segments for token in tree.segments[s]] == list(completion)
        ancestors, s = [], tree.parents[segments[0]]
        while s >= 0:
            ancestors.append(s)
            s = tree.parents[s]
        assert [token for s in reversed(ancestors) for token in tree.segments[s]] == list(prefix)
        assert all(tree.parents[b] == a for a, b in pairwise(segments))


@given(st.lists(paths_of_a_tree, max_size=3))
def test_a_row_is_laid_out_as_the_paths_say(trees_of_paths):
    """Position, predecessor and visible tokens of every token, from the path that it is the last of."""
    trees = [branch(paths) for paths in trees_of_paths]
    used = sum(map(len, trees))
    row = build_row(trees, Capacity(224, segments=60, completions=18))
    visible = np.asarray(AncestorMask(jnp.asarray(row.end[None])).dense())[0]
    at = 0
    for tree in trees:
        columns = []  # by segment, the columns from the root to its end
        for s, segment in enumerate(tree.segments):
            before = columns[tree.parents[s]] if s else []
            columns.append([*before, *range(at, at + len(segment))])
            for i in range(len(before), len(columns[s])):
                column = columns[s][i]
                assert row.tokens[column] == segment[i - len(before)]
                assert row.positions[column] == i
                assert row.predecessor[column] == columns[s][max(0, i - 1)]
                assert np.flatnonzero(visible[column]).tolist() == columns[s][: i + 1]
            at += len(segment)
    np.testing.assert_array_equal(row.end[used:], np.arange(used, 224) + 1)
    np.testing.assert_array_equal(row.predecessor[used:], np.arange(used, 224))
    assert not row.weight[used:].any() and (row.node[used:] == 60).all()


def test_a_chain_weighs_its_answer():
    row = build_row([chain([1, 2, 3], [4, 5]), chain([6], [7, 8])], Capacity(10, 4, 2))
    assert row.tokens.tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 0, 0]
    assert row.weight.tolist() == [0, 0, 0, 1, 1, 0, 1, 1, 0, 0]
    assert row.positions.tolist() == [0, 1, 2, 3, 4, 0, 1, 2, 0, 0]
    assert row.select.tolist() == [[0, 1, 0, 0], [0, 0, 0, 1]]


def test_the_first_token_of_a_root_weighs_nothing():
    tree = TokenTree(((1, 2), (3,)), (-1, 0), (1.0, 0.5), ((1,),))
    assert build_row([tree], Capacity(4, 2, 1)).weight.tolist() == [0, 1, 0.5, 0]


def test_trees_that_do_not_fit_are_refused():
    tree = branch([([1], [2, 3]), ([1], [4])])
    for capacity in (Capacity(3, 4, 4), Capacity(8, 2, 4), Capacity(8, 4, 1)):
        with pytest.raises(ValueError, match="do not fit a row"):
            build_row([tree], capacity)


def test_a_row_names_the_tokens_that_count():
    """Those that weigh something, or that a completion has."""
    two = [chain([1, 2, 3], [4, 5]), chain([6], [7, 8])]
    assert build_row(two, Capacity(10, 4, 2, 5)).counted.tolist() == [3, 4, 6, 7, 10]
    assert len(build_row(two, Capacity(10, 4, 2)).counted) == 10
    tree = branch([([1, 2], [3, 4]), ([1, 2, 3], [5])])
    assert tree.counted == 3 and build_row([tree], Capacity(8, 4, 2, 4)).counted.tolist() == [2, 3, 4, 8]
    with pytest.raises(ValueError, match="4 tokens of a row count, but it has room for 3"):
        build_row(two, Capacity(10, 4, 2, 3))
    assert capacity_for(two, [(0, 1)], 1000).counted == 64 and capacity_for(two, [(0, 1)], 10).counted == 10


@pytest.mark.parametrize("paths", [[], [([], [1])], [([1], [])], [([1], [2]), ([3], [4])]])
def test_paths_that_make_no_tree_are_refused(paths):
    with pytest.raises(ValueError, match="path"):
        branch(paths)


def test_a_chain_needs_a_prompt_and_an_answer():
    with pytest.raises(ValueError, match="found 0 and 1"):
        chain([], [1])


# Log-probs

FORKS = {
    "a fork": [([1, 2, 3], [4, 5, 6]), ([1, 2, 3], [7, 8])],
    "completions with a common beginning": [([1, 2], [3, 4, 5]), ([1, 2], [3, 4, 6, 7]), ([1, 2], [3, 8])],
    "a completion that begins another": [([1, 2], [3, 4]), ([1, 2], [3, 4, 5, 6]), ([1, 2], [3])],
    "equal completions": [([1, 2], [3, 4]), ([1, 2], [3, 4])],
    "nested prefixes": [([1], [2, 3]), ([1, 2], [3, 4]), ([1, 2, 3], [5]), ([1, 2, 3], [4, 6])],
    "a prefix longer than another's path": [([1], [2]), ([1, 2, 3, 4], [5, 6]), ([1, 7], [8])],
}


@pytest.mark.parametrize("paths", FORKS.values(), ids=FORKS.keys())
def test_completions_of_a_tree_have_the_logprobs_of_separate_sequences(policy, paths):
    sums, lengths = score_forest(policy, one_batch([[branch(paths)]]))
    np.testing.assert_allclose(sums[0, : len(paths)], completion_logprobs(policy, paths), atol=1e-5)
    np.testing.assert_array_equal(lengths[0, : len(paths)], [len(completion) for _, completion in paths])
    assert not sums[0, len(paths) :].any() and not lengths[0, len(paths) :].any()


def random_paths(seed, count=5):
    """Completions of one prompt that part from each other at random places."""
    rng = np.random.default_rng(seed)
    prompt, trunk = rng.integers(0, 53, 7).tolist(), rng.integers(0, 53, 9).tolist()
    paths = []
    for _ in range(count):
        cut, keep = rng.integers(0, 5), rng.integers(5, 9)
        paths.append(([*prompt, *trunk[:cut]], [*trunk[cut:keep], *rng.integers(0, 53, rng.integers(1, 5)).tolist()]))
    return paths


def test_a_loss_on_trees_has_the_gradient_of_separate_sequences(policy):
    """Three trees in two rows, a batch padded by a row; the loss weighs each completion's log-prob differently."""
    trees_of_paths = [random_paths(seed) for seed in range(3)]
    trees = [branch(paths) for paths in trees_of_paths]
    forest = one_batch([trees[:2], trees[2:]], size=3)
    scale = jnp.asarray(np.random.default_rng(9).normal(size=(3, 5)), jnp.float32)

    def loss_on_trees(params):
        policy_here = policy.with_trainable(params)
        sums, _ = completion_sums(token_logprobs(policy_here, forest, chunk=16), forest)
        return jnp.sum(jnp.stack([sums[0, :5], sums[0, 5:10], sums[1, :5]]) * scale)

    def loss_on_sequences(params):
        policy_here = policy.with_trainable(params)
        return sum(
            jnp.sum(completion_logprobs(policy_here, paths) * w) for paths, w in zip(trees_of_paths, scale, strict=True)
        )

    value, gradient = jax.jit(jax.value_and_grad(loss_on_trees))(policy.params)
    expected, expected_gradient = jax.jit(jax.value_and_grad(loss_on_sequences))(policy.params)
    assert value == pytest.approx(float(expected), rel=1e-5)
    assert_same_direction(gradient, expected_gradient)


def assert_same_direction(gradient, expected):
    """Equal to 1e-4 of the norm, leaf by leaf."""

    def one(a, b):
        assert jnp.linalg.norm(a - b) <= 1e-4 * jnp.linalg.norm(b)

    jax.tree.map(one, gradient, expected)


def chains(count, seed=1):
    rng = np.random.default_rng(seed)
    part = lambda low, high: rng.integers(0, 53, rng.integers(low, high)).tolist()
    return [(part(1, 9), part(1, 7)) for _ in range(count)]


def test_sft_on_packed_rows_is_sft_on_separate_sequences(policy):
    pairs = chains(7)
    trees = [chain(*pair) for pair in pairs]
    forest = one_batch([trees[:4], trees[4:]], size=4)

    def separately(params):
        sums = completion_logprobs(policy.with_trainable(params), pairs)
        return -sums.sum() / sum(len(answer) for _, answer in pairs)

    def packed(params):
        result = sft(policy.with_trainable(params), forest)
        return result.total / result.weight

    value, gradient = jax.jit(jax.value_and_grad(packed))(policy.params)
    expected, expected_gradient = jax.jit(jax.value_and_grad(separately))(policy.params)
    assert value == pytest.approx(float(expected), rel=1e-5)
    assert_same_direction(gradient, expected_gradient)


def test_perplexity_rows_are_sft_rows(policy):
    """exp(-sum / length) of the scored completions is what the SFT objective averages, token by token."""
    trees = [chain(*pair) for pair in chains(6)]
    forest = one_batch([trees[:3], trees[3:]])
    sums, lengths = score_forest(policy, forest)
    logprobs = token_logprobs(policy, forest)
    for row in range(2):
        for c in range(3):
            mine = forest.weight[row] * forest.select[row, c][np.minimum(forest.node[row], forest.select.shape[2] - 1)]
            assert sums[row, c] == pytest.approx(float((logprobs[row] * mine).sum()), rel=1e-5)
            assert lengths[row, c] == mine.sum() == len(trees[3 * row + c].segments[1])
    result = sft(policy, forest)
    assert result.total == pytest.approx(-float(sums.sum()), rel=1e-5) and result.weight == lengths.sum()


def test_padding_contributes_nothing(policy):
    """Neither empty rows, nor the tokens that stand in them, nor more room in a row change value or gradient."""
    trees = [chain(*pair) for pair in chains(3)]
    bare = build_batch([trees], capacity_for(trees, [(0, 1, 2)], sum(map(len, trees))))
    padded = build_batch([trees], Capacity(61, 16, 8), size=3)
    padding = padded.node == 16
    rubbish = padded._replace(
        tokens=np.where(padding, 17, padded.tokens), positions=np.where(padding, 40, padded.positions)
    )

    def loss(params, forest):
        sums, lengths = completion_sums(token_logprobs(policy.with_trainable(params), forest), forest)
        result = sft(policy.with_trainable(params), forest)
        return result.total / result.weight + jnp.sum(sums / jnp.maximum(lengths, 1))

    evaluate = jax.jit(jax.value_and_grad(loss))
    expected, expected_gradient = evaluate(policy.params, bare)
    for forest in (padded, rubbish):
        value, gradient = evaluate(policy.params, forest)
        assert value == pytest.approx(float(expected), rel=1e-5)
        assert_same_direction(gradient, expected_gradient)


def test_tokens_that_do_not_count_are_not_read_by_the_head(policy):
    """The same log-probs with room for just those that count, and 0 for all others."""
    pairs = [chain(*pair) for pair in chains(4)]
    rows, size = [pairs[:2], pairs[2:]], 40
    most = max(sum(tree.counted for tree in row) for row in rows)
    tight, wide = (token_logprobs(policy, build_batch(rows, Capacity(size, 4, 2, m))) for m in (most, size))
    weight = build_batch(rows, Capacity(size, 4, 2)).weight
    np.testing.assert_allclose(tight, wide, atol=1e-5)
    assert ((np.asarray(tight) != 0) == (weight != 0)).all()
    products = str(jax.make_jaxpr(token_logprobs)(policy, build_batch(rows, Capacity(size, 4, 2, most))))
    assert f"f32[1,{2 * most},53]" in products and f"{size},53]" not in products


def test_the_size_of_the_chunks_changes_nothing(policy):
    forest = one_batch([[branch(random_paths(3))]])
    whole = token_logprobs(policy, forest, chunk=256)
    np.testing.assert_allclose(token_logprobs(policy, forest, chunk=5), whole, atol=1e-5)
