"""Calls that take results of earlier ones: compared by what their references mean, whatever the order."""

import random
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from itool_jax.data.sources import stream_source
from itool_jax.toolcall import ErrorKind, Parameter, ParsedAnswer, Tool, ToolCall, compare, parse_calls, write_calls
from tests.assets import asset

ANYTHING = tuple(Parameter(name, {}, required=False) for name in "abc")
TOOLS = (
    Tool("two", "", ANYTHING, results=("x", "y")),
    Tool("one", "", ANYTHING, results=("z",)),
    Tool("none", "", ANYTHING),
)
RESULTS = {tool.name: len(tool.results) for tool in TOOLS}


def verdict(answer: str, expected: str):
    return compare(parse_calls(answer), parse_calls(expected).calls, TOOLS)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ('[two(a=1), one(a="API_call_1")]', '[two(a=1), one(a="API_call_1")]'),
        ('[one(b=2), two(a=1), none(a="API_call_2")]', '[two(a=1), one(b=2), none(a="API_call_1")]'),
        ('[none(c=3), one(b=2), none(a="API_call_0")]', '[one(b=2), none(a="API_call_0"), none(c=3)]'),
        ('[one(), one(), none(a="API_call_1")]', '[one(), one(), none(a="API_call_0")]'),
        ('[one(a=1), two(), none(a=["of API_call_2", {"k": "API_call_0"}])]',
         '[two(), one(a=1), none(a=["of API_call_1", {"k": "API_call_2"}])]'),
        ('[one(a=2), one(a=1), two(b="API_call_1"), two(b="API_call_0"), none(c="API_call_5")]',
         '[one(a=1), two(b="API_call_0"), one(a=2), two(b="API_call_3"), none(c="API_call_5")]'),
    ],
)  # fmt: skip
def test_right_in_any_order_with_the_numbers_of_that_order(answer: str, expected: str):
    assert verdict(answer, expected).right


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ('[one(b=2), two(a=1), none(a="API_call_1")]', '[two(a=1), one(b=2), none(a="API_call_1")]'),
        ('[two(a=1), one(a="API_call_0")]', '[two(a=1), one(a="API_call_1")]'),
        ('[none(a="API_call_0"), one(b=2)]', '[one(b=2), none(a="API_call_0")]'),
        ('[two(), none(a="API_call_9")]', '[two(), none(a="API_call_0")]'),
        ('[two(), none(a="x")]', '[two(), none(a="API_call_0")]'),
    ],
)  # fmt: skip
def test_a_reference_to_another_result_is_a_wrong_value(answer: str, expected: str):
    comparison = verdict(answer, expected)
    assert (comparison.right, comparison.error) == (False, ErrorKind.PARAMETER_VALUE)
    assert sum(not slot.right for slot in comparison.slots) == 1


def test_only_the_wrong_call_is_wrong_and_slots_say_what_was_written():
    comparison = verdict('[one(b=2), two(a=5), none(a="API_call_1")]', '[two(a=1), one(b=2), none(a="API_call_0")]')
    (wrong,) = [slot for slot in comparison.slots if not slot.right]
    assert (wrong.expected_call, wrong.predicted_call, wrong.parameter, wrong.expected, wrong.predicted) == (
        0,
        1,
        "a",
        1,
        5,
    )
    (reference,) = [slot for slot in comparison.slots if slot.expected_call == 2 and slot.kind == "argument"]
    assert (reference.expected, reference.predicted, reference.right) == ("API_call_0", "API_call_1", True)


def test_without_known_results_a_reference_is_a_word():
    calls = parse_calls('[f(a=1), g(a="API_call_0")]').calls
    assert compare(ParsedAnswer("calls", calls[::-1]), calls, ()).right


REFERENCE, VALUE = st.integers(0, 6).map(lambda n: f"API_call_{n}"), st.integers(0, 2)
CALLS = st.lists(
    st.builds(ToolCall, st.sampled_from(sorted(RESULTS)), st.dictionaries(st.sampled_from("abc"), VALUE | REFERENCE)),
    min_size=1,
    max_size=5,
)


@given(CALLS, st.randoms(use_true_random=False))
def test_any_order_that_keeps_producers_first_is_right(calls: list[ToolCall], rng: random.Random):
    calls = without_dangling(calls)
    assert compare(ParsedAnswer("calls", reordered(calls, rng)), calls, TOOLS).right


@given(CALLS, CALLS, st.randoms(use_true_random=False))
def test_right_exactly_if_both_unfold_to_the_same_calls(one: list[ToolCall], other: list[ToolCall], rng: random.Random):
    if rng.random() < 0.7:  # near to each other, else the two are never equal
        other = list(one)
        rng.shuffle(other)
        if rng.random() < 0.3:
            other[0] = rng.choice(one)
    assume(any("API" in str(call.arguments) for call in one))
    right = compare(ParsedAnswer("calls", tuple(other)), one, TOOLS).right
    assert right == (sorted(unfolded(one)) == sorted(unfolded(other)))


def test_real_nested_answers_in_another_order():
    rng, moved = random.Random(0), 0
    for name in ("dev", "test_in_domain", "test_out_domain"):
        for example in stream_source(
            "seal_tools", str(asset("seal_tools") / f"finetune_{name}.json"), lambda _: None, skip_bad=True
        ):
            counts = {tool.name: len(tool.results) for tool in example.tools}
            values = [value for call in example.calls for value in call.arguments.values()]
            whole = all(number(value) is not None for value in values if "API_call" in str(value))
            if not example.meta["nested"] or not whole or without_dangling(example.calls, counts) != [*example.calls]:
                continue
            other = reordered(example.calls, rng, counts)
            assert compare(parse_calls(write_calls(other)), example.calls, example.tools).right, example.id
            moved += other != example.calls
    assert moved > 20


Results = list[tuple[int, int]]


def results_of(calls: Sequence[ToolCall], counts: Mapping[str, int]) -> Results:
    """The numbered results: the place of the call and which of its results."""
    return [(place, k) for place, call in enumerate(calls) for k in range(counts.get(call.name, 0))]


def number(value: Any) -> int | None:
    found = re.fullmatch(r"API_call_(\d+)", str(value))
    return int(found[1]) if found else None


def _known(value: Any, results: Results) -> bool:
    found = number(value)
    return found is None or found < len(results)


def without_dangling(calls: Sequence[ToolCall], counts: Mapping[str, int] = RESULTS) -> list[ToolCall]:
    return [
        ToolCall(
            call.name,
            {
                key: value if _known(value, results_of(calls[:place], counts)) else "gone"
                for key, value in call.arguments.items()
            },
        )
        for place, call in enumerate(calls)
    ]


def reordered(
    calls: Sequence[ToolCall], rng: random.Random, counts: Mapping[str, int] = RESULTS
) -> tuple[ToolCall, ...]:
    """The calls in a random order that has every call after those whose results it takes, numbered for that order."""
    results = results_of(calls, counts)
    needs = [{results[n][0] for v in call.arguments.values() if (n := number(v)) is not None} for call in calls]
    order: list[int] = []
    while len(order) < len(calls):
        order.append(rng.choice([p for p in range(len(calls)) if p not in order and needs[p] <= set(order)]))
    numbers = {(order[at], k): n for n, (at, k) in enumerate(results_of([calls[p] for p in order], counts))}

    def renumbered(value: Any) -> Any:
        found = number(value)
        return value if found is None else f"API_call_{numbers[results[found]]}"

    return tuple(ToolCall(calls[p].name, {k: renumbered(v) for k, v in calls[p].arguments.items()}) for p in order)


def unfolded(calls: Sequence[ToolCall]) -> list[str]:
    """Every call as a text in which the calls that it depends on stand written out."""
    texts: list[str] = []
    for place, call in enumerate(calls):
        results = results_of(calls[:place], RESULTS)

        def meaning(value: Any, results: Results = results) -> str:
            found = number(value)
            if found is None or found >= len(results):
                return repr(value)
            at, k = results[found]
            return f"({k} of {texts[at]})"

        arguments = ", ".join(f"{key}={meaning(value)}" for key, value in sorted(call.arguments.items()))
        texts.append(f"{call.name}({arguments})")
    return texts
