"""The search tree against a naive recursion on random trees, golden trees, and the closing rules."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path

import pytest

from itool_jax.search.tree import ROOT, Fragment, SearchConfig, SearchTree

GOLDEN = Path(__file__).parent / "golden" / "search_trees.json"


def fragments(*pieces, logprob=-0.5):
    return [Fragment(tuple(piece), (logprob,) * len(piece)) for piece in pieces]


def grow_random(seed: int, cfg: SearchConfig) -> tuple[SearchTree, list[tuple[tuple, float]]]:
    """A tree grown by the search's own rules on random samples; returns it with (path of fragments, reward) of each."""
    rng = random.Random(seed)
    tree, samples, rewards = SearchTree(cfg), [], {}
    while not tree.finished:
        node, _ = tree.begin_expansion()
        above = chain_of(tree, node)
        for _ in range(cfg.samples):
            pieces = [(rng.randint(1, 2),) * rng.randint(1, 2) for _ in range(rng.randint(1, 3))]
            end = "budget" if rng.random() < 0.15 else "stop"
            if end == "stop":
                pieces[-1] = (*pieces[-1], 0)
            known = len(tree.nodes)
            leaf = tree.insert(node, [Fragment(p, (-rng.random(),) * len(p)) for p in pieces], end)
            if cfg.gamma < 1:
                for new in range(known, len(tree.nodes)):
                    tree.set_inner_reward(new, rng.random() if tree.nodes[new].end is None else 0.0)
            key = (*above, *pieces)
            reward = 0.0 if end == "budget" else rewards.setdefault(key, rng.random())
            tree.backup(leaf, reward, right=reward > 0.7)
            samples.append((leaf, reward))
        tree.end_expansion()
    return tree, samples


def chain_of(tree, node):
    chain = []
    while node != ROOT:
        chain.append(tree.nodes[node].tokens)
        node = tree.nodes[node].parent
    return tuple(reversed(chain))


def naive_q(tree: SearchTree, samples, gamma: float) -> list[float]:
    """Straight from the definitions: visits by walking up from every sample, values by recursion from the leaves."""
    visits = [0] * len(tree.nodes)
    for leaf, _ in samples:
        while leaf != -1:
            visits[leaf] += 1
            leaf = tree.nodes[leaf].parent
    reward = [0.0 if i == ROOT else node.reward for i, node in enumerate(tree.nodes)]
    children = [[c for c, node in enumerate(tree.nodes) if node.parent == i] for i in range(len(tree.nodes))]

    def value(s):
        if not children[s]:
            return 0.0
        total = sum(visits[c] for c in children[s])
        return sum(visits[c] * action(s, c) for c in children[s]) / total

    def action(s, c):
        return reward[c] - reward[s] + gamma * value(c)

    assert [node.visits for node in tree.nodes] == visits
    return [0.0] + [action(node.parent, i) for i, node in enumerate(tree.nodes) if i != ROOT]


def naive_closed(tree: SearchTree, index: int) -> bool:
    node = tree.nodes[index]
    if node.end is not None:
        return True
    children = [i for i, other in enumerate(tree.nodes) if other.parent == index]
    return bool(children) and node.expansions >= 2 and all(naive_closed(tree, child) for child in children)


@pytest.mark.parametrize("gamma", [1.0, 0.9, 0.5])
@pytest.mark.parametrize("seed", range(20))
def test_values_agree_with_a_naive_recursion(seed, gamma):
    tree, samples = grow_random(seed, SearchConfig(samples=3, iterations=8, gamma=gamma))
    assert tree.action_values() == pytest.approx(naive_q(tree, samples, gamma), abs=1e-12)
    assert [node.closed for node in tree.nodes] == [naive_closed(tree, i) for i in range(len(tree.nodes))]
    for index, node in enumerate(tree.nodes):
        if node.children:
            assert node.visits == sum(tree.nodes[c].visits for c in node.children), index


def test_inner_rewards_telescope_away_without_discount():
    tree, samples = grow_random(3, SearchConfig(samples=3, iterations=8))
    rng = random.Random(0)
    for index, node in enumerate(tree.nodes):
        if index != ROOT and node.end is None:
            tree.set_inner_reward(index, rng.random())
    assert tree.action_values() == pytest.approx(naive_q(tree, samples, 1.0), abs=1e-12)


def test_equal_fragments_merge_and_truncated_ones_do_not():
    tree = SearchTree(SearchConfig())
    first = tree.insert(ROOT, fragments([5, 6], [7, 0]), "stop")
    assert tree.insert(ROOT, fragments([5, 6], [7, 0]), "stop") == first
    truncated = tree.insert(ROOT, fragments([5, 6], [7, 0]), "budget")
    other = tree.insert(ROOT, fragments([5, 6], [7, 0]), "budget")
    assert len({first, truncated, other}) == 3
    assert [node.parent for node in tree.nodes] == [-1, 0, 1, 1, 1]
    assert tree.path(first) == (5, 6, 7, 0)


def test_prior_is_length_penalised():
    tree = SearchTree(SearchConfig())
    leaf = tree.insert(ROOT, [Fragment((1, 2, 3), (-0.1, -0.2, -0.6))], "stop")
    assert tree.nodes[leaf].prior == pytest.approx(math.exp(-0.9 / 3**1.25))


def test_puct_prefers_value_and_unvisited_priors_and_the_lowest_id_on_ties():
    tree = SearchTree(SearchConfig(c_puct=1.0))
    tree.begin_expansion()
    a = tree.insert(ROOT, [*fragments([1]), *fragments([9, 0])], "stop")
    b = tree.insert(ROOT, [*fragments([2]), *fragments([9, 0])], "stop")
    tree.backup(a, 0.5, False)
    tree.backup(b, 0.5, False)
    assert tree.select() == 1
    tree.backup(tree.insert(ROOT, [*fragments([2]), *fragments([8, 0])], "stop"), 1.0, True)
    p, q, n = math.exp(-0.5), (0.5, 0.75), (1, 2)
    scores = [q[i] + p * math.sqrt(3) / (1 + n[i]) for i in (0, 1)]
    assert tree.select() == (1 if scores[0] >= scores[1] else 3)


def test_nodes_close_when_their_children_are_and_their_expansions_are_spent():
    tree = SearchTree(SearchConfig(samples=1, iterations=10, expansions_max=2))
    for expansion in range(2):
        assert tree.begin_expansion() == (ROOT, expansion)
        tree.backup(tree.insert(ROOT, fragments([5, 0]), "stop"), 1.0, True)
        tree.end_expansion()
        assert tree.nodes[ROOT].closed == (expansion == 1)
    assert tree.finished and tree.expansions == 2


def test_a_node_stays_open_when_the_last_sample_of_an_expansion_opens_a_child():
    tree = SearchTree(SearchConfig(samples=2, iterations=10, expansions_max=2))
    for pieces in ([[5, 0]], [[6, 0]]), ([[5, 0]], [[7], [8, 0]]):
        tree.begin_expansion()
        for sample in pieces:
            tree.backup(tree.insert(ROOT, fragments(*sample), "stop"), 0.0, False)
        tree.end_expansion()
    assert not tree.nodes[ROOT].closed and tree.select() == 3


def test_over_depth_nodes_are_closed():
    tree = SearchTree(SearchConfig(max_depth=2))
    tree.insert(ROOT, fragments([1], [2], [3], [4, 0]), "stop")
    tree.end_expansion()
    assert [node.closed for node in tree.nodes] == [False, False, True, True, True]


def as_json(tree: SearchTree) -> dict:
    q = tree.action_values()
    return {
        "nodes": [
            [n.parent, list(n.tokens), n.visits, round(n.total, 9), n.expansions, n.closed, n.end, round(q[i], 9)]
            for i, n in enumerate(tree.nodes)
        ]
    }


def test_golden_trees():
    """Trees of fixed samples whose statistics were worked through once; a change of any rule shows here."""
    golden = json.loads(GOLDEN.read_text())
    for case in golden:
        tree = SearchTree(SearchConfig(**case["config"]))
        for step in case["steps"]:
            node, before = tree.begin_expansion()
            assert [node, before] == step["selects"]
            for sample in step["samples"]:
                pieces = [Fragment(tuple(tokens), tuple(logprobs)) for tokens, logprobs in sample["fragments"]]
                leaf = tree.insert(node, pieces, sample["end"])
                tree.backup(leaf, sample["reward"], sample["right"])
            tree.end_expansion()
        assert as_json(tree)["nodes"] == case["nodes"], case["name"]
        assert tree.finished == case["finished"]
