"""The search on a small model: records agree with what was sampled, self-evaluation with its definition."""

from __future__ import annotations

import numpy as np
import pytest
from etils import epath

from itool_jax.forest import build_batch, capacity_for, chain
from itool_jax.sampling.sampler import SamplerConfig, TreeSampler
from itool_jax.search.records import RecordWriter, compress_line, read_records, tree_record
from itool_jax.search.rewards import Grade, grade_answer
from itool_jax.search.search import SamplingConfig, Search
from itool_jax.search.self_evaluation import OPTIONS, SelfEvaluator
from itool_jax.search.tree import ROOT, SearchConfig
from itool_jax.training.logprobs import score_forest
from tests.test_sampler import one_device
from tests.worlds import dialect, examples, small_policy

TREE = SearchConfig(samples=3, iterations=4)


def run_search(count=6, trees=4, reward=grade_answer, **sampling):
    settings = SamplingConfig(**({"answer_tokens": 12} | sampling))
    search = Search(small_policy(), dialect(), TREE, settings, reward)
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


def by_length(example, text):
    return Grade(min(1.0, len(text) / 99), right=False)


def test_rewards_hold_the_given_score_and_the_self_evaluation_by_its_weight():
    weighed = run_search(count=3, reward=by_length, self_eval_weight=0.5, answer_tokens=24)
    grader, seen = evaluator(examples(3), answers=1), 0
    for growth in weighed.values():
        for index, node in enumerate(growth.tree.nodes):
            if node.end == "stop":
                answer = growth.tree.path(index)
                ((opinion,),) = grader.grade([(growth.prepared, [answer[:-1]])])
                score = by_length(None, dialect().text(answer)).score
                assert node.reward == pytest.approx(score + 0.5 * opinion, rel=1e-4)
                logged = tree_record(growth, [], dialect())["nodes"][index]
                assert logged["score"] == pytest.approx(score, abs=1e-6)
                assert logged["self_evaluation"] == pytest.approx(opinion, abs=1e-4)
                assert logged["reward"] == pytest.approx(logged["score"] + 0.5 * logged["self_evaluation"], abs=2e-6)
                seen += 1
            elif node.end == "budget":
                assert node.reward == 0
    assert seen


def test_records_survive_their_files_of_bounded_size(searched, tmp_path):
    records = [tree_record(growth, [], dialect()) for growth in searched.values()]
    assert len(records[0]["nodes"]) == len(next(iter(searched.values())).tree.nodes)
    graded = [node for record in records for node in record["nodes"] if node["score"] is not None]
    assert graded and all(node["score"] == node["reward"] and node["self_evaluation"] is None for node in graded)
    frames = [len(compress_line(record)) for record in records]
    for file_bytes, files in ((1, len(records)), (frames[0] + 1, None), (1 << 20, 1)):
        with RecordWriter(epath.Path(tmp_path / str(file_bytes)), file_bytes) as writer:
            for record in records:
                writer.write(record)
        assert list(read_records(tmp_path / str(file_bytes))) == records
        written = sorted((tmp_path / str(file_bytes)).iterdir())
        assert written[0].name == "00000.jsonl.zst" and len(written) == (files or len(written))
        assert all(path.stat().st_size < file_bytes + max(frames) for path in written)
