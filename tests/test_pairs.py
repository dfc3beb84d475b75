"""Pairs read off trees: which side is chosen, what proves the other wrong, and what the filters remove."""

from __future__ import annotations

from dataclasses import replace

import pytest

from itool_jax.data.example import Example, Message
from itool_jax.search.fragments import fragment_cuts
from itool_jax.search.pairs import PairConfig, PairReader, sampled
from itool_jax.search.rewards import grade_answer, grade_prefix
from itool_jax.search.tree import ROOT, Fragment, SearchConfig, SearchTree
from itool_jax.toolcall import tools_from_json
from itool_jax.toolcall.prefix import parse_prefix

END = 256
TOOLS = tools_from_json(
    [
        {
            "name": "weather",
            "description": "",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
                "required": ["city", "days"],
            },
        }
    ]
)
TRUTH = '[weather(city="Paris", days=3)]'


def example(answer=TRUTH):
    calls = parse_prefix(answer).calls
    return Example("w", TOOLS, (Message("user", "Paris, three days"),), answer, calls)


def encode(text):
    return (*text.encode(), END)


def token_bytes(token):
    return b"<end>" if token == END else bytes([token])


def decode(tokens):
    return bytes(token for token in tokens if token != END).decode()


def pieces(answer, start=0):
    cuts = [cut for cut in fragment_cuts(answer, token_bytes, END) if cut > start]
    return [Fragment(tuple(answer[a:b]), (-0.1,) * (b - a)) for a, b in zip([start, *cuts[:-1]], cuts, strict=True)]


def tree_of(*answers, end="stop", cfg=None):
    tree = SearchTree(cfg or SearchConfig())
    for text in answers:
        tokens = encode(text) if end == "stop" else tuple(text.encode())
        grade = grade_answer(example(), text)
        reward = grade.score if end == "stop" else 0.0
        tree.backup(tree.insert(ROOT, pieces(tokens), end), reward, grade.right and end == "stop")
    return tree


def read(tree, truth=TRUTH, **cfg):
    fragments = [piece.tokens for piece in pieces(encode(truth))]
    reader = PairReader(PairConfig(**cfg), example(truth), fragments, decode)
    return reader.pairs(tree), reader.removed


def texts(pair):
    return tuple(map(decode, (pair.prefix, pair.chosen, pair.rejected)))


def test_fragments_are_cut_at_token_ends_and_the_end_of_turn_closes_the_last():
    cut = [decode(f.tokens) for f in pieces(encode(TRUTH))]
    assert cut == ["[weather(", 'city="Paris",', " days=3)", "]"]
    assert pieces(encode(TRUTH))[-1].tokens[-1] == END


def test_a_cut_falls_at_the_first_token_end_at_or_after_the_boundary():
    vocabulary = [b"[f(a", b"=1, b", b"=2)", b"]"]
    assert fragment_cuts([0, 1, 2, 3, 9], vocabulary.__getitem__, end_of_turn=9) == [1, 2, 3, 5]


def test_a_wrong_value_against_the_right_one_after_the_shared_prefix():
    (pair,), _ = read(tree_of(TRUTH, '[weather(city="Rome", days=3)]'))
    assert texts(pair) == ('[weather(city="', 'Paris",', 'Rome",')
    assert pair.source == "sampled" and pair.gap == pytest.approx(1 - 1 / 2 * 2 / 3)


def test_an_unlucky_roll_out_proves_nothing_and_two_do():
    unlucky = '[weather(days=3, city="Rome")]'
    pairs, removed = read(tree_of(TRUTH, unlucky))
    assert not pairs and removed["not_proven_wrong"] == 1
    (pair,), _ = read(tree_of(TRUTH, unlucky, '[weather(days=3, city="Oslo")]'))
    assert texts(pair) == ("[weather(", 'city="Paris",', "days=3,")


def test_truncated_roll_outs_prove_nothing():
    tree = tree_of(TRUTH)
    for _ in range(2):
        tree.backup(tree.insert(ROOT, pieces(tuple(b"[weather(days=3, city=")), "budget"), 0.0, False)
    pairs, removed = read(tree)
    assert not pairs and removed["not_proven_wrong"] == 1


def test_a_finished_wrong_answer_is_proven_wrong_by_itself():
    (pair,), _ = read(tree_of(TRUTH, "Which city?"))
    assert texts(pair) == ("", "[weather(", "Which city?")
    assert pair.rejected[-1] == END and pair.chosen[-1] != END


def test_sides_that_read_the_same_give_no_pair():
    pairs, removed = read(tree_of(TRUTH, "[weather(city='Paris', days=4)]", "[weather(city='Paris', days=5)]"))
    assert not pairs and removed["same_reading"] == 1


def test_truncated_samples_are_in_no_pair():
    tree = tree_of(TRUTH)
    for _ in range(3):
        tree.backup(tree.insert(ROOT, pieces(tuple(b'[weather(city="Rome", days=')), "budget"), 0.0, False)
    pairs, _ = read(tree)
    assert [texts(pair)[1:] for pair in pairs] == [('Paris",', 'Rome",')]
    assert all(pair.rejected[-1] != ord("=") for pair in pairs)
    truncated_only = SearchTree(SearchConfig())
    for text in ("[weather(", "[weat"):
        leaf = truncated_only.insert(ROOT, pieces(tuple(text.encode())), "budget")
        truncated_only.backup(leaf, 0.0, False)
    assert read(truncated_only) == ([], {"duplicate": 0, "over_limit": 0})


def test_the_ground_truth_stands_in_only_where_allowed_and_no_child_is_right():
    tree = tree_of('[weather(city="Rome", days=3)]', '[weather(city="Paris", days=4)]')
    pairs, removed = read(tree)
    assert not pairs and removed["no_right_child"] == 1
    pairs, _ = read(tree, ground_truth_stand_in=True)
    assert {texts(pair) for pair in pairs} == {
        ('[weather(city="', 'Paris",', 'Rome",'),
        ('[weather(city="Paris", days=', "3)", "4)"),
    }
    assert {pair.source for pair in pairs} == {"ground_truth"}


def test_limits_and_gaps_are_counted():
    tree = tree_of(TRUTH, TRUTH, '[weather(city="Rome", days=3)]', '[weather(city="Paris", days=4)]')
    both, _ = read(tree)
    assert len(both) == 2 and both[0].gap >= both[1].gap
    kept, removed = read(tree, per_tree_max=1)
    assert kept == both[:1] and removed["over_limit"] == 1
    none, removed = read(tree, min_gap=0.99)
    assert not none and removed["small_gap"] == 2


def test_a_pair_weighs_its_gap_where_that_is_asked_for_and_none_weighs_nothing():
    tree = tree_of(TRUTH, TRUTH, '[weather(city="Rome", days=3)]', '[weather(city="Paris", days=4)]')
    plain, _ = read(tree)
    weighed, _ = read(tree, weight="gap")
    assert [pair.weight for pair in plain] == [1.0, 1.0]
    assert [pair.weight for pair in weighed] == [pair.values[0] - pair.values[1] for pair in weighed]
    assert [replace(pair, weight=1.0) for pair in weighed] == plain
    level = siblings(('[weather(city="Paris", ', 0.5, True, 2), ('[weather(city="Rome", ', 0.5, False, 2))
    assert len(read(level)[0]) == 1
    pairs, removed = read(level, weight="gap")
    assert not pairs and removed["small_gap"] == 1


def siblings(*fragments):
    """A tree with children of the root as (text, reward, right, samples), each of them with one leaf."""
    tree = SearchTree(SearchConfig())
    for text, reward, right, samples in fragments:
        tokens = tuple(text.encode())
        for _ in range(samples):
            leaf = tree.insert(ROOT, [Fragment(tokens, (-0.1,) * len(tokens)), Fragment((END,), (-0.1,))], "stop")
            tree.backup(leaf, reward, right)
    return tree


RIGHT_TWICE = (
    ('[weather(city="Paris", ', 0.9, True, 2),
    ("[weather(days=3, ", 0.8, True, 2),
    ('[weather(city="Rome", ', 0.5, False, 2),
    ("[weather(days=4, ", 0.3, False, 2),
    ("[forecast(", 0.1, False, 1),
)


def test_all_pairs_of_a_fork_are_every_right_child_against_every_proven_wrong_one():
    pairs, removed = read(siblings(*RIGHT_TWICE), mode="all")
    sides = {(decode((*p.prefix, *p.chosen)), decode((*p.prefix, *p.rejected))): p.gap for p in pairs}
    # the lone "[forecast(" is wrong by its name, which is a slot
    values = {text: value for text, value, _, _ in RIGHT_TWICE}
    expected = {
        (right, wrong): values[right] - values[wrong] for right in list(values)[:2] for wrong in list(values)[2:]
    }
    assert sides == pytest.approx(expected)
    assert [p.gap for p in pairs] == sorted((p.gap for p in pairs), reverse=True)
    assert sum(removed.values()) == 0
    (best,), _ = read(siblings(*RIGHT_TWICE))
    assert best == pairs[0]


def test_filters_hold_for_every_pair_of_a_fork():
    reworded = ('[weather(city= "Paris", ', 0.2, False, 2)
    unlucky = ("[weather(", 0.0, False, 1)
    pairs, removed = read(siblings(*RIGHT_TWICE[:3], reworded, unlucky), mode="all", min_gap=0.35)
    assert [round(p.gap, 6) for p in pairs] == [0.6, 0.4]
    assert +removed == {"small_gap": 1, "same_reading": 1, "not_proven_wrong": 2}


def test_a_list_ranks_the_right_children_above_the_wrong_ones():
    (ranking,), removed = read(siblings(*RIGHT_TWICE[2:], *RIGHT_TWICE[:2]), mode="listwise")
    assert [decode((*ranking.prefix, *side)) for side in ranking.sides] == [text for text, *_ in RIGHT_TWICE]
    assert decode(ranking.prefix) == "["
    assert ranking.values == pytest.approx((0.9, 0.8, 0.5, 0.3, 0.1)) and ranking.gap == pytest.approx(0.8)
    assert sum(removed.values()) == 0


def test_a_list_drops_what_would_contradict_the_ground_truth_and_counts_it():
    wrong_but_lucky = ('[weather(city="Oslo", ', 0.95, False, 2)
    right_but_unlucky = ("[weather(days=3, ", 0.4, True, 2)
    reworded = ('[weather(city= "Rome", ', 0.2, False, 2)
    (ranking,), removed = read(
        siblings(RIGHT_TWICE[0], wrong_but_lucky, right_but_unlucky, RIGHT_TWICE[2], reworded), mode="listwise"
    )
    assert [decode((*ranking.prefix, *side)) for side in ranking.sides] == [RIGHT_TWICE[0][0], RIGHT_TWICE[2][0]]
    assert (removed["small_gap"], removed["same_reading"]) == (2, 1)
    lone, removed = read(siblings(RIGHT_TWICE[0], wrong_but_lucky), mode="listwise")
    assert not lone and removed["small_gap"] == 1


def test_a_fragment_that_begins_another_is_in_no_list():
    (ranking,), removed = read(siblings(*RIGHT_TWICE[:3], ('[weather(city="Rome", d', 0.2, False, 2)), mode="listwise")
    assert len(ranking.sides) == 3 and removed["empty_remainder"] == 1
    assert ranking.sides[-1] == ranking.rejected and decode(ranking.rejected).endswith('"Rome", d')


def answer_tree(*answers):
    """A tree of (text, end, times sampled), each graded as a sample of its own."""
    tree = SearchTree(SearchConfig())
    for text, end, times in answers:
        tokens = encode(text) if end == "stop" else tuple(text.encode())
        grade = grade_answer(example(), text)
        for _ in range(times):
            right, reward = (grade.right, grade.score) if end == "stop" else (False, 0.0)
            tree.backup(tree.insert(ROOT, pieces(tokens), end), reward, right)
    return tree


RESPELLED, ROME, OSLO = "[weather(days=3, city='Paris')]", '[weather(city="Rome", days=3)]', '[weather(city="Oslo", '
SAMPLED = answer_tree(
    (ROME, "stop", 2), (TRUTH, "stop", 3), (OSLO, "budget", 1), (RESPELLED, "stop", 1), ("?", "stop", 1)
)


def test_best_of_n_is_the_best_right_whole_answer_against_the_worst_wrong_one():
    (pair,), _ = read(SAMPLED, mode="answers")
    assert (pair.prefix, pair.sides) == ((), (encode(TRUTH), encode("?")))  # OSLO has no end
    assert pair.values == (1.0, 0.0) and [SAMPLED.path(node) for node in pair.children] == list(pair.sides)
    assert pair.node == ROOT and pair.weight == 1.0
    assert read(SAMPLED, mode="answers", weight="gap")[0][0].weight == 1.0
    (near,), _ = read(answer_tree((ROME, "stop", 1), (TRUTH, "stop", 1)), mode="answers", weight="gap")
    assert near.weight == near.gap == pytest.approx(1 - 1 / 2 * 2 / 3)
    none, removed = read(answer_tree((ROME, "stop", 1), (TRUTH, "stop", 1)), mode="answers", min_gap=0.9)
    assert not none and removed["small_gap"] == 1


def test_the_right_answers_are_all_that_were_sampled_each_once():
    (answers,), _ = read(SAMPLED, mode="right")
    assert set(answers.sides) == {encode(TRUTH), encode(RESPELLED)} and answers.prefix == ()
    wrong = answer_tree((ROME, "stop", 2), (OSLO, "budget", 1))
    none, removed = read(wrong, mode="right")
    assert not none and removed["no_right_answer"] == 1
    (stand_in,), _ = read(wrong, mode="right", ground_truth_stand_in=True)
    assert (stand_in.sides, stand_in.source) == ((encode(TRUTH),), "ground_truth")


def test_a_group_is_every_sample_with_its_reward():
    (group,), _ = read(SAMPLED, mode="group")
    texts = [decode(side) for side in group.sides]
    assert texts == [TRUTH] * 3 + [RESPELLED] + [ROME] * 2 + [OSLO, "?"]
    assert group.values == pytest.approx((1, 1, 1, 1, 1 / 3, 1 / 3, 0, 0))
    assert group.sides[-2] == tuple(OSLO.encode())  # as far as it came
    none, removed = read(answer_tree((TRUTH, "stop", 2), (RESPELLED, "stop", 1)), mode="group")
    assert not none and removed["same_reward"] == 1
    assert [read(SearchTree(SearchConfig()), mode=mode)[0] for mode in ("answers", "right", "group")] == [[]] * 3


def drawn_tree(*answers, cfg=None, logprob=lambda place, token: -place - token / 512):
    """A tree of answers whose tokens' log-probs tell, exactly in float32, where they stand and which they are."""
    tree = SearchTree(cfg or SearchConfig())
    for text, end in answers:
        tokens = encode(text) if end == "stop" else tuple(text.encode())
        logprobs, start, fragments = [logprob(*token) for token in enumerate(tokens)], 0, []
        for piece in pieces(tokens):
            stop = start + len(piece.tokens)
            fragments.append(Fragment(piece.tokens, tuple(logprobs[start:stop])))
            start = stop
        grade = grade_answer(example(), text)
        right, reward = (grade.right, grade.score) if end == "stop" else (False, 0.0)
        tree.backup(tree.insert(ROOT, fragments, end), reward, right)
    return tree


@pytest.mark.parametrize("mode", ["best_worst", "all", "listwise", "answers", "right", "group"])
def test_every_token_that_was_sampled_has_the_log_prob_that_it_was_drawn_by(mode):
    answers = [(TRUTH, "stop"), (RESPELLED, "stop"), (ROME, "stop"), ("?", "stop"), (OSLO, "budget")]
    tree = drawn_tree(*answers)
    found, _ = read(tree, mode=mode)
    assert found
    for pair in found:
        first = len(pair.prefix)
        expected = [tuple(-i - token / 512 for i, token in enumerate(side, first)) for side in pair.sides]
        assert sampled(tree, pair) == expected


def test_a_side_that_was_not_sampled_has_no_log_probs():
    tree = drawn_tree(("Which?", "stop"), ("?", "stop"))
    for mode in ("best_worst", "answers"):
        (pair,), _ = read(tree, mode=mode, ground_truth_stand_in=True)
        truth, drawn = sampled(tree, pair)
        assert truth is None and len(drawn) == len(pair.rejected)


def test_a_fragment_whose_prior_is_too_small_for_a_number_keeps_its_log_probs():
    tree = drawn_tree((TRUTH, "stop"), ("?", "stop"), cfg=SearchConfig(prior_power=0.0), logprob=lambda *_: -400.0)
    assert {node.prior for node in tree.nodes[1:]} == {0.0}
    (pair,), _ = read(tree)
    assert sampled(tree, pair) == [(-400.0,) * len(side) for side in pair.sides]


def test_slots_prove_nothing_where_a_user_decides_what_is_right():
    fragments = [piece.tokens for piece in pieces(encode(TRUTH))]
    tree = siblings(RIGHT_TWICE[0], ("[forecast(", 0.1, False, 1))
    for slots_prove, count in ((True, 1), (False, 0)):
        reader = PairReader(PairConfig(), example(), fragments, decode, slots_prove=slots_prove)
        assert len(reader.pairs(tree)) == count
        assert reader.removed["not_proven_wrong"] == 1 - count


def test_prose_where_no_call_is_expected():
    prose = "Please tell me: city."
    tree = SearchTree(SearchConfig())
    for text in (prose, TRUTH):
        grade = grade_answer(example(prose), text)
        tree.backup(tree.insert(ROOT, pieces(encode(text)), "stop"), grade.score, grade.right)
    assert [grade_answer(example(prose), text).score for text in (prose, TRUTH, "[weather(")] == [1.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("text", "calls", "score"),
    [
        ("[weather(", 1, 0.5 * 2 / 4),
        ('[weather(city="Paris", ', 1, 0.5 * 4 / 5),
        ('[weather(city="Rome", ', 1, 0.5 * 2 / 5),
        ('[weather(city="Paris", days=3)', 1, 1.0),
        ('{"name": "weather", "arguments": {"city": "Paris", ', 1, 0.5 * 4 / 5),
    ],
)
def test_unfinished_answers_are_read_and_graded_by_the_slots_so_far(text, calls, score):
    parsed = parse_prefix(text)
    assert parsed.kind == "calls" and len(parsed.calls) == calls
    assert grade_prefix(example(), text) == pytest.approx(score)
