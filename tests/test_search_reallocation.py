"""Expansions that ended trees left over: who gets them, in any order of arrival, and after a kill at any moment."""

from __future__ import annotations

import json
from typing import Any

import pytest
from etils import epath

from itool_jax.sampling.sampler import SamplerConfig, TreeSampler, prompt_columns
from itool_jax.search.pool import TreePool
from itool_jax.search.reallocation import BaseTrees
from itool_jax.search.search import SamplingConfig, Search
from itool_jax.search.tree import ROOT, SearchConfig, SearchTree
from tests.scripted_sampler import ScriptedSampler
from tests.test_sampler import one_device
from tests.test_search_pool import Samples
from tests.worlds import dialect, examples, small_policy

COUNT = 7
WRONG = ["[f(a=1, b=2)]", "[f(a=1, b=3)]", "[f(a=2, c=(1, 2), d=4)]", "Which one? Say more."]
CFG = {"samples": 5, "iterations": 3, "stop_unanimous": True, "expansions_max": 8}


def texts():
    """Answers by key: examples 0 and 1 always agree, 2 is never right, the others are right at times."""
    scripts = {}
    for number, prepared in enumerate(examples(COUNT)):
        right = prepared.example.answer
        scripts[prepared.key] = [right] if number < 2 else WRONG if number == 2 else [right, *WRONG]
    return scripts


class Killed(Exception):
    pass


def search(extra: int, *, order=0, places=3, file=None, done=(), die_after=None, **changes) -> dict[str, Any]:
    """Trees by id; where `die_after` so many batches of samples, what was yielded until then."""
    cfg = SearchConfig(**{**CFG, "extra_iterations": extra, **changes})
    policy: Any = None
    one = Search(policy, dialect(), cfg, SamplingConfig(answer_tokens=200))
    receive, batches = one.receive, 0

    def receive_or_die(finished):
        nonlocal batches
        batches += 1
        if batches == die_after:
            raise Killed
        receive(finished)

    one.receive = receive_or_die
    sampler: Any = ScriptedSampler(texts(), order, places)
    waiting = [p for p in examples(COUNT) if p.id not in done]
    found = {}
    try:
        for growth in one.run(sampler, waiting, BaseTrees(epath.Path(file)) if file else None):
            found[growth.prepared.id] = (growth.tree.nodes, growth.tree.action_values(), growth.counts())
    except Killed:
        pass
    return found


def expansions(found) -> list[int]:
    return [sum(node.expansions for node in found[p.id][0]) for p in examples(COUNT)]


@pytest.fixture
def file(tmp_path):
    return tmp_path / "kept"


def test_mixed_trees_share_what_the_unanimous_ones_left(file):
    """2 x 2 expansions are left, 4 trees wait for them: one each; with 5 x 2 to give, at most two."""
    assert expansions(search(0)) == [1, 1, 3, 3, 3, 3, 3]
    found = search(4, file=file)
    assert expansions(found) == [1, 1, 3, 4, 4, 4, 4]
    counts = [found[p.id][2] for p in examples(COUNT)]
    assert [c["expansions_extra"] for c in counts] == [0, 0, 0, 1, 1, 1, 1]
    assert [c["expansions_unused"] for c in counts] == [2, 2, 0, 0, 0, 0, 0]


def test_a_tree_that_grew_on_is_the_one_that_grew_at_once(file):
    on, at_once = search(4, file=file), search(0, iterations=4)
    for prepared in examples(COUNT)[3:]:
        assert on[prepared.id][:2] == at_once[prepared.id][:2]


def test_shares_are_the_same_in_any_order_of_arrival(file, tmp_path):
    first = search(4, file=file)
    for order, places in ((1, 7), (2, 2), (3, 1)):
        assert search(4, order=order, places=places, file=tmp_path / str(order)) == first


@pytest.mark.parametrize("die_after", range(1, 40, 3))
def test_killed_and_resumed_is_uninterrupted(die_after, file, tmp_path):
    whole = search(4, file=tmp_path / "whole")
    before = search(4, file=file, die_after=die_after)
    after = search(4, file=file, done=before, order=9, places=2)
    assert not before.keys() & after.keys()
    assert before | after == whole


def test_left_over_expansions_go_to_the_first_ids_and_never_beyond_the_limit(tmp_path):
    rows = [
        {"id": "d", "expansions": 5, "growth": {"any": 1}},
        {"id": "a", "expansions": 1, "growth": None},
        {"id": "c", "expansions": 5, "growth": {"any": 1}},
        {"id": "b", "expansions": 4, "growth": None},
        {"id": "e", "expansions": 5, "growth": {"any": 1}},
    ]
    for process, own in enumerate((rows[:2], rows[2:])):  # what two processes have written
        (tmp_path / f"base_trees_{process:03d}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in own))
    base = BaseTrees(epath.Path(tmp_path))
    assert base.shares(5, 9) == {"c": 2, "d": 2, "e": 1}
    assert base.shares(5, 1) == {"c": 1, "d": 1, "e": 1}


@pytest.mark.parametrize("gamma", [1.0, 0.9])
def test_a_tree_restored_from_json_is_the_same_and_grows_the_same(gamma):
    cfg = SearchConfig(samples=3, iterations=9, gamma=gamma)
    tree, samples = SearchTree(cfg), Samples(2, cfg)

    def expand(*trees):
        drawn = list(samples.draw())
        for tree in trees:
            node, _ = tree.begin_expansion()
            for fragments, end, reward, right in drawn:
                tree.backup(tree.insert(node, fragments, end), reward, right)
            tree.end_expansion()

    for _ in range(4):
        expand(tree)
    again = SearchTree(cfg, TreePool(cfg, 3, 2))
    again.restore(json.loads(json.dumps(tree.state())))
    assert again.nodes == tree.nodes and again.expansions == tree.expansions == 4
    drawn = [tree.logprobs(node) for node in range(tree.size)]
    assert [again.logprobs(node) for node in range(tree.size)] == drawn
    assert [len(of) for of in drawn if of is not None] == [len(tree.path(node)) for node in range(tree.size)]
    while not tree.finished:
        expand(tree, again)
    assert again.nodes == tree.nodes and again.nodes[ROOT].visits > 12


def test_a_tree_that_an_earlier_version_kept_is_restored_without_log_probs():
    cfg = SearchConfig(samples=3)
    tree = SearchTree(cfg)
    tree.begin_expansion()
    for fragments, end, reward, right in Samples(2, cfg).draw():
        tree.backup(tree.insert(ROOT, fragments, end), reward, right)
    tree.end_expansion()
    state = tree.state()
    del state["logprobs"]
    again = SearchTree(cfg)
    again.restore(state)
    assert again.nodes == tree.nodes and tree.size > 1
    assert [again.logprobs(node) for node in range(1, tree.size)] == [None] * (tree.size - 1)


class Generous(BaseTrees):
    """Gives every waiting tree the most."""

    def shares(self, iterations, most):
        return {id: most for id in super().shares(iterations, most)}


def test_the_sampler_reads_a_tree_again_where_it_grows_on(file, monkeypatch):
    """Samples below nodes whose arena is gone are those of an arena that was never left."""
    monkeypatch.setattr("itool_jax.search.search.is_mixed", lambda growth: True)

    def grow(base_trees, **cfg):
        one = Search(small_policy(), dialect(), SearchConfig(**cfg), SamplingConfig(answer_tokens=32))
        longest = prompt_columns(one.longest_prompt(examples(4)))
        settings = SamplerConfig(2, 3, longest, 512, (dialect().end_of_turn,))
        sampler = TreeSampler(small_policy(), settings, seed=1, mesh=one_device())
        return {growth.key: growth.tree for growth in one.run(sampler, examples(4), base_trees)}

    at_once = grow(None, iterations=5)
    grown_on = grow(Generous(epath.Path(file)), iterations=2, extra_iterations=3)
    for key, tree in at_once.items():
        what = lambda tree: [(node.tokens, node.parent, node.visits, node.expansions) for node in tree.nodes]
        assert what(grown_on[key]) == what(tree)
        assert [n.prior for n in grown_on[key].nodes] == pytest.approx([n.prior for n in tree.nodes], rel=1e-4)
    assert any(node.expansions for tree in at_once.values() for node in tree.nodes[1:])
