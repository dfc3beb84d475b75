"""The search on a small model: records agree with what was sampled, self-evaluation with its definition."""

from __future__ import annotations

import numpy as np
import pytest

from itool_jax.forest import build_batch, capacity_for, chain
from itool_jax.sampling.sampler import SamplerConfig, TreeSampler
from itool_jax.search.records import compress_line, read_records, tree_record
from itool_jax.search.search import SamplingConfig, Search
from itool_jax.search.self_evaluation import OPTIONS, SelfEvaluator
from itool_jax.search.tree import ROOT, SearchConfig
from itool_jax.training.logprobs import score_forest
from tests.test_sampler import one_device
from tests.worlds import dialect, examples, small_policy

TREE = SearchConfig(samples=3, iterations=4)


def run_search(count=6, trees=4, **sampling):
    settings = SamplingConfig(**({"answer_tokens": 12} | sampling))
    search = Search(small_policy(), dialect(), TREE, settings)
    search.reserve(examples(count))
    cfg = SamplerConfig(trees, 3, 256, 128, (dialect().end_of_turn,))
    sampler = TreeSampler(small_policy(), cfg, seed=1, mesh=one_device())
    return {growth.key: growth for growth in search.run(sampler, examples(count))}


@pytest.fixture(scope="module")
def searched():
    return run_search()


def test_every_sample_is_counted_once_at_the_root(searched):
    growths = searched
    assert len(growths) == 6
    for growth in growths.values():
        root = growth.tree.nodes[ROOT]
        assert root.visits == growth.tree.expansions * TREE.samples
        assert root.total == pytest.approx(sum(n.reward * n.visits for n in growth.tree.nodes if n.end))


def test_node_priors_are_those_of_the_policy(searched):
    growths = searched
    for growth in list(growths.values())[:3]:
        tree = growth.tree
        for index, node in enumerate(tree.nodes[1:6], 1):
            tokens = tree.path(index)
            before = (*growth.prompt, *tokens[: -len(node.tokens)])
            one = chain(before, node.tokens)
            forest = build_batch([[one]], capacity_for([one], [(0,)], 512))
            logprob = float(score_forest(small_policy(), forest)[0][0, 0])
            assert node.prior == pytest.approx(np.exp(logprob / len(node.tokens) ** 1.25), rel=1e-3)


def test_the_trees_do_not_depend_on_their_company(searched):
    together, apart = searched, run_search(trees=1)
    nodes = lambda growths: {key: [(n.tokens, n.visits) for n in g.tree.nodes] for key, g in growths.items()}
    assert nodes(together) == nodes(apart)


def evaluator(examples, answers=2):
    evaluator = SelfEvaluator(small_policy(), dialect(), answers, answer_tokens=12, orderings=2)
    evaluator.reserve(examples)
    return evaluator


def test_self_evaluation_is_a_softmax_over_the_four_exact_option_sequences():
    prepared = examples(2)
    answers = [[dialect().tokenizer.encode(text) for text in texts] for texts in (["[f(a=1)]", "[f(a=2)]"], ["No."])]
    grader = evaluator(prepared)
    scores = grader.grade(list(zip(prepared, answers, strict=True)))
    assert [len(own) for own in scores] == [2, 1]
    tree = grader.tree(prepared[0], answers[0])
    expected = []
    for answer in range(2):
        chances = []
        for order in range(2):
            spelled = [tree.completions[(answer * 2 + order) * 4 + option] for option in range(len(OPTIONS))]
            sums = np.array([separate_logprob(tree, one) for one in spelled])
            exps = np.exp(sums - sums.max())
            chances.append(exps[0] / exps.sum())
        expected.append(np.mean(chances))
    np.testing.assert_allclose(scores[0], expected, rtol=1e-4)


def separate_logprob(tree, spelled):
    path, segment = [], tree.parents[spelled[0]]
    while segment >= 0:
        path.append(tree.segments[segment])
        segment = tree.parents[segment]
    prefix = [token for piece in reversed(path) for token in piece]
    one = chain(prefix, [token for s in spelled for token in tree.segments[s]])
    forest = build_batch([[one]], capacity_for([one], [(0,)], len(one)))
    return float(score_forest(small_policy(), forest)[0][0, 0])


def test_rewards_hold_the_self_evaluation_by_its_weight():
    weighed = run_search(count=3, self_eval_weight=0.5, answer_tokens=24)
    grader, seen = evaluator(examples(3), answers=1), 0
    for growth in weighed.values():
        for index, node in enumerate(growth.tree.nodes):
            if node.end == "stop":
                answer = growth.tree.path(index)
                ((opinion,),) = grader.grade([(growth.prepared, [answer[:-1]])])
                assert node.reward == pytest.approx(growth.grades[answer].score + 0.5 * opinion, rel=1e-4)
                seen += 1
            elif node.end == "budget":
                assert node.reward == 0
    assert seen


def test_records_survive_their_file(searched, tmp_path):
    growths = searched
    records = [tree_record(growth, [], dialect()) for growth in growths.values()]
    path = tmp_path / "trees.jsonl.zst"
    path.write_bytes(b"".join(map(compress_line, records)))
    assert list(read_records(path)) == records
    assert len(records[0]["nodes"]) == len(next(iter(growths.values())).tree.nodes)
