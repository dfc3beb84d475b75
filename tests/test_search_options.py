"""Options of the search, on answers of a script: what is expanded, what ends early, and what is counted."""

from __future__ import annotations

import math
from typing import Any

import pytest

from itool_jax.sampling.sampler import Request, Sample
from itool_jax.search.search import SamplingConfig, Search, SearchGrowth
from itool_jax.search.tree import ROOT, Fragment, SearchConfig, SearchTree
from tests.scripted_sampler import ScriptedSampler
from tests.worlds import dialect, examples

NO_POLICY: Any = None  # self-evaluation is off, so nothing asks it


def search_with(**cfg) -> Search:
    return Search(NO_POLICY, dialect(), SearchConfig(**cfg), SamplingConfig(answer_tokens=200))


def grow(texts, order=0, places=3, **cfg):
    """Growths by key, and what was asked of the sampler."""
    sampler: Any = ScriptedSampler(texts, order, places)
    return {growth.key: growth for growth in search_with(**cfg).run(sampler, examples(len(texts)))}, sampler.asked


def numbers(growth: SearchGrowth):
    return growth.tree.nodes, growth.tree.action_values(), growth.counts()


ONE, TWO = examples(2)
MIXED = [ONE.example.answer, "[f(a=1, b=2)]", "[f(a=1, b=3)]", "Which one?"]


def split(*pieces, logprob):
    """Fragments of one token each but the last, which ends the answer, with this log-prob at the first."""
    fragments = [Fragment((piece,), (logprob if place == 0 else -0.1,)) for place, piece in enumerate(pieces)]
    return [*fragments, Fragment((0,), (-0.1,))]


@pytest.mark.parametrize("select_by", ["puct", "entropy"])
def test_trees_do_not_depend_on_the_order_in_which_samples_come(select_by):
    texts = {ONE.key: MIXED, TWO.key: [TWO.example.answer, *MIXED[1:]]}
    cfg = {"samples": 3, "iterations": 6, "select_by": select_by, "stop_unanimous": True}
    first, asked = grow(texts, **cfg)
    for order, places in ((1, 3), (2, 2), (3, 1)):
        other, asked_too = grow(texts, order, places, **cfg)
        assert {key: numbers(g) for key, g in other.items()} == {key: numbers(g) for key, g in first.items()}
        assert sorted(asked_too) == sorted(asked)


def test_the_most_uncertain_boundary_is_expanded_next():
    """Three samples; below node 1 the policy is surprised by 2.0 on average, at the root by 0.2."""
    tree = SearchTree(SearchConfig(samples=3, iterations=9, prior_power=0.0, select_by="entropy"))
    assert tree.begin_expansion() == (ROOT, 0)
    for second, logprob in ((3, -1.0), (4, -3.0)):
        leaf = tree.insert(ROOT, [Fragment((1,), (-0.1,)), *split(second, logprob=logprob)], "stop")
        tree.backup(leaf, 0.0, False)
    tree.backup(tree.insert(ROOT, split(2, logprob=-0.4), "stop"), 1.0, True)
    tree.end_expansion()
    assert [node.tokens for node in tree.nodes[:3]] == [(), (1,), (3,)]
    assert tree.begin_expansion() == (1, 0)


def test_widening_draws_again_where_many_samples_passed():
    cfg = SearchConfig(samples=2, iterations=9, widening=1.2, widening_power=0.5)
    tree, begun = SearchTree(cfg), []
    while not tree.finished:
        node, before = tree.begin_expansion()
        begun.append((node, before, tree.nodes[node].visits))
        for number in range(cfg.samples):
            pieces = split(*(10 * tree.expansions + number + k for k in range(3)), logprob=-0.5)
            tree.backup(tree.insert(node, pieces, "stop"), 0.5, False)
        tree.end_expansion()
    at_root = [(before, visits) for node, before, visits in begun if node == ROOT]
    assert len(at_root) > 1 and tree.widened == len(at_root) - 1
    for before, visits in at_root[1:]:
        assert cfg.samples * before < 1.2 * math.sqrt(visits)
        assert cfg.samples * before >= 1.2 * math.sqrt(visits - cfg.samples)  # and no sooner


def test_a_tree_whose_first_samples_agree_ends_and_is_counted():
    texts = {ONE.key: [ONE.example.answer], TWO.key: [TWO.example.answer, "[f(a=1)]"]}
    stopped, asked = grow(texts, samples=5, iterations=4, stop_unanimous=True)
    assert stopped[ONE.key].tree.nodes[ROOT].visits == 5
    assert stopped[ONE.key].counts()["stopped_unanimous"] == 1
    assert stopped[ONE.key].counts()["expansions_unused"] == 3
    assert [key for key, *_ in asked].count(ONE.key) == 1
    assert stopped[TWO.key].counts()["stopped_unanimous"] == 0
    grown, _ = grow(texts, samples=5, iterations=4)
    assert grown[ONE.key].tree.expansions > 1 and not grown[ONE.key].tree.stopped
    assert numbers(grown[TWO.key]) == numbers(stopped[TWO.key])


@pytest.mark.parametrize(
    ("answers", "ends", "agree"),
    [
        (["No.", "No."], ["stop", "stop"], True),
        (["No.", "Yes."], ["stop", "stop"], False),
        (["No.", "No."], ["stop", "budget"], False),
    ],
)
def test_what_agreeing_means(answers, ends, agree):
    search = search_with(samples=2, stop_unanimous=True)
    growth = SearchGrowth(ONE, SearchTree(search.tree_cfg), search.sampling)
    (request,) = growth.requests()
    encoded = [tuple(dialect().tokenizer.encode(answer)) for answer in answers]
    tokens = [(*ids, dialect().end_of_turn) if end == "stop" else ids for ids, end in zip(encoded, ends, strict=True)]
    samples = [Sample(ids, (-0.1,) * len(ids), end) for ids, end in zip(tokens, ends, strict=True)]
    search.receive([(growth, request, samples)])
    assert growth.tree.stopped == agree


def test_the_same_text_in_other_tokens_agrees():
    search = search_with(samples=2, stop_unanimous=True)
    growth = SearchGrowth(ONE, SearchTree(search.tree_cfg), search.sampling)
    growth.requests()
    whole = dialect().tokenizer.encode("[f(a=1)]")
    letters = [token for letter in "[f(a=1)]" for token in dialect().tokenizer.encode(letter)]
    assert whole != letters and dialect().text(whole) == dialect().text(letters)
    samples = [Sample((*ids, dialect().end_of_turn), (-0.1,) * (len(ids) + 1), "stop") for ids in (whole, letters)]
    search.receive([(growth, Request((), 2, 200), samples)])
    assert growth.tree.stopped
