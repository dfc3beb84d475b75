"""The pool of trees against trees grown one by one in plain Python: equal to the last bit, in any company and order."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from itool_jax.search.pool import TreePool
from itool_jax.search.tree import ROOT, Fragment, SearchConfig, SearchTree
from tests.reference_search_tree import ReferenceTree

configs = st.builds(
    SearchConfig,
    samples=st.integers(1, 4),
    iterations=st.integers(1, 9),
    c_puct=st.sampled_from([0.0, 0.5, 1.0, 3.0]),
    expansions_max=st.integers(1, 3),
    max_depth=st.sampled_from([0, 1, 2, 4]),
    gamma=st.sampled_from([1.0, 0.9]),
    select_by=st.sampled_from(["puct", "puct", "entropy"]),
    widening=st.sampled_from([0.0, 0.0, 0.7, 1.3, 2.9]),
    widening_power=st.sampled_from([0.45, 0.8]),
)


class Samples:
    """What one tree is given: a function of its seed alone, and not of when it is asked."""

    def __init__(self, seed: int, cfg: SearchConfig):
        self.rng, self.cfg = random.Random(seed), cfg

    def draw(self):
        """(fragments, end, reward, right) of every sample of an expansion; few tokens, so that many merge."""
        for _ in range(self.cfg.samples):
            pieces = [(self.rng.randint(1, 2),) * self.rng.randint(1, 2) for _ in range(self.rng.randint(1, 4))]
            end = "budget" if self.rng.random() < 0.15 else "stop"
            if end == "stop":
                pieces[-1] = (*pieces[-1], 0)
            reward = 0.0 if end == "budget" else self.rng.choice([0.1, 1 / 3, 0.7, 1.0])
            fragments = [Fragment(p, tuple(-0.1 * token - 0.01 * len(p) for token in p)) for p in pieces]
            yield fragments, end, reward, reward == 1.0


def inner_reward(tokens) -> float:
    return sum(tokens) % 7 / 7


def grow_reference(seed: int, cfg: SearchConfig) -> ReferenceTree:
    tree, samples = ReferenceTree(cfg), Samples(seed, cfg)
    while not tree.finished:
        node, _ = tree.begin_expansion()
        for fragments, end, reward, right in samples.draw():
            known = len(tree.nodes)
            leaf = tree.insert(node, fragments, end)
            for new in range(known, len(tree.nodes)):
                if cfg.gamma < 1 and tree.nodes[new].end is None:
                    tree.nodes[new].reward = inner_reward(tree.path(new))
            tree.backup(leaf, reward, right)
        tree.end_expansion()
    return tree


def grow_together(seeds, cfg: SearchConfig, order: random.Random, places: int = 1) -> list[SearchTree]:
    """Trees in one pool, whose expansions come back in any number and order; all are detached as they end."""
    pool = TreePool(cfg, places, nodes=2)
    waiting, alive, ended = list(enumerate(seeds)), {}, {}
    while waiting or alive:
        while waiting and (len(alive) < 2 or order.random() < 0.5):
            number, seed = waiting.pop(order.randrange(len(waiting)))
            alive[number] = SearchTree(cfg, pool), Samples(seed, cfg)
        chosen = order.sample(sorted(alive), order.randint(1, len(alive)))
        entered, trees = [], [alive[number][0] for number in chosen]
        for number in chosen:
            tree, samples = alive[number]
            node, _ = tree.begin_expansion()
            for fragments, end, reward, right in samples.draw():
                known = tree.size
                leaf = tree.insert(node, fragments, end)
                for new in range(known, tree.size):
                    if cfg.gamma < 1 and new != leaf:
                        tree.set_inner_reward(new, inner_reward(tree.path(new)))
                entered.append((tree.place, leaf, reward, right))
        pool.backup(*zip(*entered, strict=True))
        pool.close([tree.place for tree in trees])
        growing = [tree for tree in trees if not tree.finished]
        if growing:
            for tree, node in zip(growing, pool.select([tree.place for tree in growing]).tolist(), strict=True):
                tree.selected = node
        for number in chosen:
            if alive[number][0].finished:
                ended[number] = alive.pop(number)[0]
                ended[number].detach()
    return [ended[number] for number in sorted(ended)]


def fields(node):
    return {name: getattr(node, name) for name in ReferenceTree(SearchConfig()).nodes[ROOT].__dict__}


def assert_same(tree: SearchTree, reference: ReferenceTree) -> None:
    assert [fields(node) for node in tree.nodes] == [fields(node) for node in reference.nodes]
    assert tree.action_values() == reference.action_values()
    assert tree.expansions == reference.expansions and tree.finished
    assert [tree.path(node) for node in range(tree.size)] == [reference.path(node) for node in range(tree.size)]


@settings(deadline=None, max_examples=150)
@given(configs, st.lists(st.integers(0, 10**6), min_size=1, max_size=6), st.integers(0, 10**6))
def test_trees_that_grow_together_are_those_that_grow_alone(cfg, seeds, order):
    trees = grow_together(seeds, cfg, random.Random(order))
    for tree, seed in zip(trees, seeds, strict=True):
        assert_same(tree, grow_reference(seed, cfg))


def test_a_tree_alone_uses_the_same_code_one_sample_at_a_time():
    cfg = SearchConfig(samples=3, iterations=8)
    tree, samples = SearchTree(cfg), Samples(5, cfg)
    while not tree.finished:
        node, _ = tree.begin_expansion()
        for fragments, end, reward, right in samples.draw():
            tree.backup(tree.insert(node, fragments, end), reward, right)
        tree.end_expansion()
    assert_same(tree, grow_reference(5, cfg))


def test_places_are_used_again_and_detached_trees_grow_no_more():
    cfg = SearchConfig(samples=2, iterations=3)
    pool = TreePool(cfg, trees=2)
    first = SearchTree(cfg, pool)
    leaf = first.insert(ROOT, [Fragment((5, 6), (-0.5, -0.5)), Fragment((0,), (-0.1,))], "stop")
    first.backup(leaf, 0.5, False)
    place, before = first.place, first.nodes
    first.detach()
    second = SearchTree(cfg, pool)
    assert second.place == place and len(pool.size) == 2
    assert [node.visits for node in second.nodes] == [0] and not second.nodes[ROOT].children
    assert first.nodes == before and first.path(leaf) == (5, 6, 0) and not first.finished
    with pytest.raises(RuntimeError, match="grows no more"):
        first.backup(leaf, 0.5, False)
