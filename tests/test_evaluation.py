"""Grading of answers, summaries with intervals, and the files of an evaluation."""

from __future__ import annotations

import json
import math
import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from itool_jax.data.example import Example, Message
from itool_jax.errors import UserError
from itool_jax.evaluation import Graded, grade, read_graded, read_summaries, summarize, write_evaluation
from itool_jax.evaluation.intervals import paired_change, wilson
from itool_jax.toolcall import parse_calls, tools_from_json

TOOLS = tools_from_json(
    [
        {
            "name": "book",
            "description": "",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}, "guests": {"type": "integer"}},
                "required": ["city", "guests"],
            },
        }
    ]
)


def example(answer: str) -> Example:
    return Example("world/1", TOOLS, (Message("user", "A table, please."),), answer, parse_calls(answer).calls)


BOOK = example('[book(city="Oslo", guests=4)]')
PROSE = example("For how many guests?")


def graded(id: str, error: str | None = None, f1: float = 1.0, answer: str = "") -> Graded:
    return Graded(id, "easy", answer, "[f()]", error is None, error, f1)


@pytest.mark.parametrize(
    ("of", "answer", "error", "f1"),
    [
        (BOOK, '[book(guests=4, city="Oslo")]', None, 1.0),
        (BOOK, '[book(city="Bergen", guests=4)]', "parameter_value", 2 / 3),
        (BOOK, '[book(city="Oslo")]', "missing_parameter", 0.8),
        (BOOK, '[book(city="Oslo", guests=', "format", 0.0),
        (BOOK, "Where to?", "missing_call", 0.0),
        (PROSE, "How many of you are there?", None, 1.0),
        (PROSE, '[book(city="Oslo", guests=4)]', "spurious_call", 0.0),
    ],
)
def test_grade_names_the_error_and_the_slots(of, answer, error, f1):
    one = grade(of, answer)
    assert (one.right, one.error) == (error is None, error)
    assert one.slot_f1 == pytest.approx(f1)
    assert (one.id, one.difficulty, one.answer, one.expected) == ("world/1", "easy", answer, of.answer)


def test_an_answer_that_was_cut_off_is_wrong_even_where_any_prose_is_right():
    for of, answer in ((PROSE, "How many of you are"), (BOOK, BOOK.answer)):
        one = grade(of, answer, finished=False)
        assert (one.right, one.error, one.slot_f1) == (False, "format", 0.0)
    wrong_and_cut_off = grade(BOOK, '[book(city="Bergen", guests=4)] and', finished=False)
    assert wrong_and_cut_off.error == "format"


@settings(max_examples=200, deadline=None)
@given(
    st.text(alphabet=st.characters(codec=None), max_size=60) | st.text('[book(city="Oslo",gues=4)]{}\\', max_size=40)
)
def test_whatever_a_model_writes_is_graded(answer):
    one = grade(BOOK, answer)
    assert one.right == (one.error is None)
    assert 0 <= one.slot_f1 <= 1


def test_summary_counts_by_error_kind_in_the_order_of_the_kinds():
    summary = summarize(
        [
            graded("a"),
            graded("b", "parameter_value", 0.5),
            graded("c", "format", 0.0),
            graded("d", "parameter_value", 0.5),
        ],
        skipped_too_long=2,
    )
    assert (summary.count, summary.right, summary.exact_match, summary.skipped_too_long) == (4, 1, 0.25, 2)
    assert list(summary.errors.items()) == [("format", 1), ("parameter_value", 2)]
    assert summary.interval == wilson(1, 4)
    assert summary.slot_f1 == 0.5


def test_answers_that_were_cut_off_are_counted(tmp_path):
    rows = [graded("a"), replace(graded("b", "format"), finished=False), replace(graded("c"), finished=False)]
    assert write_evaluation(tmp_path, {"easy": rows})["easy"].unfinished == 2
    assert read_summaries(tmp_path)["easy"].unfinished == 2
    assert [one.finished for one in read_graded(tmp_path / "easy.jsonl")] == [True, False, False]


def test_a_set_of_which_every_prompt_was_too_long_has_no_share():
    summary = summarize([], skipped_too_long=7)
    assert (summary.count, summary.exact_match, summary.slot_f1, summary.interval) == (0, None, None, (0.0, 1.0))


# Newcombe, Statistics in Medicine 17, 857 (1998), table I, method 3.
@pytest.mark.parametrize(
    ("right", "count", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_interval_gives_the_published_figures(right, count, low, high):
    assert wilson(right, count) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 3000), st.data())
def test_wilson_interval_agrees_with_scipy(count, data):
    right = data.draw(st.integers(0, count))
    theirs = binomtest(right, count).proportion_ci(0.95, method="wilson")
    assert wilson(right, count) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


counts = st.integers(0, 400)


@given(counts, counts, counts, counts)
def test_paired_interval_holds_the_change_and_turns_round_with_the_stages(both, gained, lost, neither):
    if not both + gained + lost + neither:
        return
    low, high = paired_change(both, gained, lost, neither)
    change = (gained - lost) / (both + gained + lost + neither)
    assert -1 <= low <= change + 1e-12 and change - 1e-12 <= high <= 1
    assert paired_change(both, lost, gained, neither) == pytest.approx((-high, -low))


def test_paired_interval_covers_the_true_change_19_times_in_20_and_gains_from_pairing():
    chance = random.Random(1)
    shares = {"both": 0.45, "gained": 0.08, "lost": 0.05, "neither": 0.42}
    covered, width, unpaired = 0, 0.0, 0.0
    trials, examples = 1500, 300
    for _ in range(trials):
        drawn = chance.choices(list(shares), list(shares.values()), k=examples)
        both, gained, lost, neither = (drawn.count(name) for name in shares)
        low, high = paired_change(both, gained, lost, neither)
        covered += low <= shares["gained"] - shares["lost"] <= high
        width += high - low
        before, after = wilson(both + lost, examples), wilson(both + gained, examples)
        unpaired += math.hypot(before[1] - before[0], after[1] - after[0])
    assert 0.935 < covered / trials < 0.968
    assert width < 0.6 * unpaired


def test_evaluation_files_have_the_agreed_fields_and_order(tmp_path):
    nasty = "[f(x='\ud800 \x00 \u2028 é')]\r\n"
    rows = {"hard": [graded("b", "format", 0.0, nasty), graded("a")], "my-set.v2": [graded("c")]}
    written = write_evaluation(tmp_path / "eval", rows, {"hard": 3})
    lines = (tmp_path / "eval" / "hard.jsonl").read_bytes().split(b"\n")[:-1]
    fields = ["id", "difficulty", "answer", "expected", "right", "error", "slot_f1", "finished"]
    assert [list(json.loads(line)) for line in lines] == [fields, fields]
    assert read_graded(tmp_path / "eval" / "hard.jsonl") == [rows["hard"][1], rows["hard"][0]]
    summary = json.loads((tmp_path / "eval" / "summary.json").read_text())["sets"]["hard"]
    low, high = wilson(1, 2)
    assert summary == {
        "count": 2,
        "right": 1,
        "exact_match": 0.5,
        "interval": [low, high],
        "errors": {"format": 1},
        "skipped_too_long": 3,
        "slot_f1": 0.5,
        "difficulties": {"easy": [1, 2]},
        "unfinished": 0,
    }
    assert read_summaries(tmp_path / "eval") == written
    assert list(written) == ["hard", "my-set.v2"]
    assert sorted(path.name for path in (tmp_path / "eval").iterdir()) == [
        "hard.jsonl",
        "my-set.v2.jsonl",
        "summary.json",
    ]


def test_the_same_answers_in_another_order_give_the_same_bytes(tmp_path):
    rows = [graded("b"), graded("a", "format", 0.0), graded("c")]
    for name, order in (("one", rows), ("two", rows[::-1])):
        write_evaluation(tmp_path / name, {"easy": order})
    assert (tmp_path / "one" / "easy.jsonl").read_bytes() == (tmp_path / "two" / "easy.jsonl").read_bytes()


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".hidden", "a b"])
def test_a_set_name_that_is_no_file_name_is_refused_before_anything_is_written(tmp_path, name):
    with pytest.raises(UserError, match="held-out set"):
        write_evaluation(tmp_path / "eval", {"easy": [], name: []})
    assert not (tmp_path / "eval").exists()


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"sets": {"hard": {}}}', '{"sets": {"hard": {"interval": 3}}}', "[" * 9999]
)
def test_a_damaged_summary_names_the_file(tmp_path, content):
    (tmp_path / "summary.json").write_text(content)
    with pytest.raises(UserError, match=r"summary\.json cannot be read as an evaluation"):
        read_summaries(tmp_path)


def test_a_damaged_line_is_named_by_its_number(tmp_path):
    write_evaluation(tmp_path, {"easy": [graded("a"), graded("b")]})
    file = tmp_path / "easy.jsonl"
    file.write_text(file.read_text().replace('"id": "b", ', ""))
    with pytest.raises(UserError, match=r"easy\.jsonl, line 2 .*'id'"):
        read_graded(file)


def test_a_folder_without_a_summary_has_no_evaluation(tmp_path):
    assert read_summaries(tmp_path / "nowhere") == {}
