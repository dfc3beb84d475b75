"""compare: golden verdicts, every error kind, defaults, and the matching against brute force."""

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itool_jax.toolcall import (
    ABSENT,
    Comparison,
    ErrorKind,
    Parameter,
    ParsedAnswer,
    Slot,
    Tool,
    ToolCall,
    compare,
    parse_calls,
    slot_reward,
    write_calls,
)
from itool_jax.toolcall.assignment import best_assignment
from itool_jax.toolcall.values import conforms, same_value

TOOLS = (
    Tool(
        "weather",
        "",
        (
            Parameter("city", {"type": "string"}),
            Parameter("days", {"type": "integer", "default": 3}, required=False),
            Parameter("limit", {"type": "number"}, required=False),
            Parameter("tags", {"type": "array", "items": {"type": "integer"}}, required=False),
            Parameter("unit", {"type": "string", "enum": ["c", "f"], "default": "c"}, required=False),
        ),
    ),
    Tool("time", "", (Parameter("city", {"type": "string"}), Parameter("zone", {"description": "untyped"}, False))),
    Tool("untyped", "", (Parameter("a", {}), Parameter("b", {"default": 1}))),
)


def verdict(answer: str, expected: str) -> Comparison:
    return compare(parse_calls(answer), parse_calls(expected).calls, TOOLS)


RIGHT = [
    ('[weather(city="Rome"), time(city="Oslo")]', '[time(city="Oslo"), weather(city="Rome")]'),
    ('{"name": "weather", "arguments": {"days": 5, "city": "Rome"}}', '[weather(city="Rome", days=5)]'),
    ('[weather(city="Rome", days=3)]', '[weather(city="Rome")]'),
    ('[weather(city="Rome")]', '[weather(city="Rome", days=3, unit="c")]'),
    ('[weather(city="Rome", limit=3)]', '[weather(city="Rome", limit=3.0)]'),
    ('[weather(city="Rome", limit=3.0)]', '[weather(city="Rome", limit=3)]'),
    ("[untyped(a=3.0, b=1)]", "[untyped(a=3, b=1)]"),
    ('[unknown(a={"k": [1, None]})]', '[unknown(a={"k": [1, None]})]'),
    ("Which city do you mean?", "I need the city."),
]

WRONG = [
    ("[weather(city=", '[weather(city="Rome")]', ErrorKind.FORMAT, 0),
    ("[weather(city=", "Which city?", ErrorKind.FORMAT, 0),
    ('[weather(city="Rome")]', "Which city?", ErrorKind.SPURIOUS_CALL, 0),
    ("Which city?", '[weather(city="Rome")]', ErrorKind.MISSING_CALL, 0),
    ('[weather(city="Rome"), time(city="Rome")]', '[weather(city="Rome")]', ErrorKind.CALL_COUNT, 2 * 2 / (2 + 4)),
    ('[weather(city="Rome")]', '[weather(city="Rome"), time(city="Rome")]', ErrorKind.CALL_COUNT, 2 * 2 / (4 + 2)),
    ('[time(city="Rome")]', '[weather(city="Rome")]', ErrorKind.FUNCTION_NAME, 2 * 1 / (2 + 2)),
    ("[weather()]", '[weather(city="Rome")]', ErrorKind.MISSING_PARAMETER, 2 * 1 / (2 + 1)),
    ('[weather(town="Rome")]', '[weather(city="Rome")]', ErrorKind.MISSING_PARAMETER, 2 * 1 / (2 + 2)),
    ('[weather("Rome")]', '[weather(city="Rome")]', ErrorKind.MISSING_PARAMETER, 2 * 1 / (2 + 2)),
    ('[weather(5, city="Rome")]', '[weather(city="Rome")]', ErrorKind.UNEXPECTED_PARAMETER, 2 * 2 / (2 + 3)),
    ('[weather(city="Rome", days=4)]', '[weather(city="Rome")]', ErrorKind.UNEXPECTED_PARAMETER, 2 * 2 / (2 + 3)),
    ('[weather(city="Rome", wind=1)]', '[weather(city="Rome")]', ErrorKind.UNEXPECTED_PARAMETER, 2 * 2 / (2 + 3)),
    ('[weather(city="Rome", days="3")]', '[weather(city="Rome", days=3)]', ErrorKind.PARAMETER_TYPE, 2 * 2 / (3 + 3)),
    ('[weather(city="Rome", days=5.0)]', '[weather(city="Rome", days=5)]', ErrorKind.PARAMETER_TYPE, 2 * 2 / (3 + 3)),
    ('[weather(city="Rome", days=True)]', '[weather(city="Rome", days=1)]', ErrorKind.PARAMETER_TYPE, 2 * 2 / (3 + 3)),
    ('[weather(city="Rome", tags=["1"])]', '[weather(city="Rome", tags=[1])]', ErrorKind.PARAMETER_TYPE, 2 * 2 / 6),
    ('[time(city="Rome", zone="1")]', '[time(city="Rome", zone=1)]', ErrorKind.PARAMETER_TYPE, 2 * 2 / 6),
    (
        '[weather(city="Rome", tags=[1, 2])]',
        '[weather(city="Rome", tags=[2, 1])]',
        ErrorKind.PARAMETER_VALUE,
        2 * 2 / 6,
    ),
    ('[weather(city="Rome", unit="k")]', '[weather(city="Rome", unit="f")]', ErrorKind.PARAMETER_VALUE, 2 * 2 / 6),
    ('[weather(city="rome")]', '[weather(city="Rome")]', ErrorKind.PARAMETER_VALUE, 2 * 1 / (2 + 2)),
    ('[weather(city="Rome", days=4)]', '[weather(city="Rome", days=3)]', ErrorKind.PARAMETER_VALUE, 2 * 2 / 6),
    ("[untyped(a=1)]", "[untyped(a=1, b=1)]", ErrorKind.MISSING_PARAMETER, 2 * 2 / (3 + 2)),
]


@pytest.mark.parametrize(("answer", "expected"), RIGHT)
def test_right(answer: str, expected: str):
    result = verdict(answer, expected)
    assert (result.right, result.error, result.slot_f1, slot_reward(result)) == (True, None, 1.0, 1.0)
    assert all(slot.right for slot in result.slots)


@pytest.mark.parametrize(("answer", "expected", "error", "f1"), WRONG)
def test_wrong(answer: str, expected: str, error: ErrorKind, f1: float):
    result = verdict(answer, expected)
    assert (result.right, result.error) == (False, error)
    assert result.slot_f1 == pytest.approx(f1)
    assert slot_reward(result) == pytest.approx(f1 / 2)


def test_slots_tell_what_went_wrong():
    result = verdict('[time(city="Oslo"), weather(city="Roma", wind=1)]', '[weather(city="Rome"), time(city="Oslo")]')
    assert result.slots == (
        Slot(0, 1, "name", "", "weather", "weather", None),
        Slot(0, 1, "argument", "city", "Rome", "Roma", ErrorKind.PARAMETER_VALUE),
        Slot(0, 1, "argument", "wind", ABSENT, 1, ErrorKind.UNEXPECTED_PARAMETER),
        Slot(1, 0, "name", "", "time", "time", None),
        Slot(1, 0, "argument", "city", "Oslo", "Oslo", None),
    )
    assert result.error is ErrorKind.UNEXPECTED_PARAMETER


def test_slots_of_calls_without_a_counterpart():
    result = verdict("[time()]", '[weather(city="Rome"), time()]')
    assert result.slots[1:] == (
        Slot(0, None, "name", "", "weather", ABSENT, ErrorKind.CALL_COUNT),
        Slot(0, None, "argument", "city", "Rome", ABSENT, ErrorKind.CALL_COUNT),
    )
    result = verdict('[time("x")]', "Sorry.")
    assert result.slots == (
        Slot(None, 0, "name", "", ABSENT, "time", ErrorKind.SPURIOUS_CALL),
        Slot(None, 0, "argument", "#0", ABSENT, "x", ErrorKind.SPURIOUS_CALL),
    )
    assert {slot.error for slot in verdict("[time(", "[time()]").slots} == {ErrorKind.FORMAT}


def test_many_defaults_do_not_hide_a_right_answer():
    """Pairing each call with the one that shares more defaults would have more right slots and a wrong city."""
    defaults = "days=3, unit='c'"
    expected = f'[weather(city="Rome", {defaults}), weather(city="Oslo")]'
    assert verdict(f'[weather(city="Oslo", {defaults}), weather(city="Rome")]', expected).right


def test_expected_positional_arguments_are_never_met():
    answer = ParsedAnswer("calls", (ToolCall("time", {}, ("Oslo",)),))
    result = compare(answer, [ToolCall("time", {}, ("Oslo",))], TOOLS)
    assert result.error is ErrorKind.MISSING_PARAMETER


CITY = st.sampled_from(["Rome", "Oslo"])
WEATHER = st.fixed_dictionaries(
    {},
    optional={
        "city": CITY,
        "days": st.sampled_from([3, 4, 3.0, "3"]),
        "unit": st.sampled_from(["c", "f"]),
        "limit": st.sampled_from([1, 1.0, True]),
    },
)
SOME_CALLS = st.lists(st.builds(ToolCall, st.sampled_from(["weather", "time"]), WEATHER), max_size=4)


def equal_calls(expected: ToolCall, given: ToolCall) -> bool:
    tool = next(tool for tool in TOOLS if tool.name == expected.name)

    def filled(call: ToolCall) -> dict:
        defaults = {p.name: p.schema["default"] for p in tool.parameters if not p.required and "default" in p.schema}
        return defaults | dict(call.arguments)

    a, b = filled(expected), filled(given)
    schemas = {p.name: p.schema for p in tool.parameters}
    return (
        expected.name == given.name
        and a.keys() == b.keys()
        and all(same_value(a[key], b[key], schemas.get(key)) for key in a)
    )


@given(SOME_CALLS, SOME_CALLS)
def test_right_exactly_if_some_order_of_equal_calls_is(expected: list[ToolCall], predicted: list[ToolCall]):
    result = compare(parse_calls(write_calls(predicted)), expected, TOOLS)
    assert result.right == (
        len(expected) == len(predicted)
        and any(all(map(equal_calls, expected, order)) for order in itertools.permutations(predicted))
    )
    assert result.right == (result.error is None) == (result.slot_f1 == 1.0)
    assert 0 <= result.slot_f1 <= 1
    assert {slot.expected_call for slot in result.slots} - {None} == set(range(len(expected)))
    assert {slot.predicted_call for slot in result.slots} - {None} == set(range(len(predicted)))


@given(SOME_CALLS, SOME_CALLS, st.randoms(use_true_random=False))
def test_order_does_not_matter(expected: list[ToolCall], predicted: list[ToolCall], rng: random.Random):
    def score(calls: list[ToolCall]) -> Comparison:
        return compare(ParsedAnswer("calls" if calls else "prose", tuple(calls)), expected, TOOLS)

    shuffled = rng.sample(predicted, len(predicted))
    assert score(shuffled).right == score(predicted).right
    assert sum(slot.right for slot in score(shuffled).slots) == sum(slot.right for slot in score(predicted).slots)


@given(
    st.integers(1, 5).flatmap(
        lambda columns: st.lists(
            st.lists(st.integers(-5, 5), min_size=columns, max_size=columns), min_size=1, max_size=5
        )
    )
)
def test_assignment_is_the_best_of_all(weights: list[list[int]]):
    rows, columns = len(weights), len(weights[0])
    pairs = best_assignment(weights)
    assert len(pairs) == len(dict(pairs)) == len({column for _, column in pairs}) == min(rows, columns)
    if rows <= columns:
        totals = (sum(map(lambda row, c: row[c], weights, p)) for p in itertools.permutations(range(columns), rows))
    else:
        totals = (sum(weights[r][c] for c, r in enumerate(p)) for p in itertools.permutations(range(rows), columns))
    assert sum(weights[row][column] for row, column in pairs) == max(totals)


def test_twenty_calls_are_matched_quickly_and_right():
    expected = [ToolCall("weather", {"city": f"c{i}", "days": i, "limit": i / 2}) for i in range(20)]
    shuffled = random.Random(0).sample(expected, 20)
    assert compare(ParsedAnswer("calls", tuple(shuffled)), expected, TOOLS).right


@pytest.mark.parametrize(
    ("value", "schema", "fits"),
    [
        (1, {"type": "number"}, True),
        (1.0, {"type": "integer"}, False),
        (True, {"type": "integer"}, False),
        (True, {"type": "number"}, False),
        (None, {"type": ["string", "null"]}, True),
        ("x", {"anyOf": [{"type": "integer"}, {"type": "array"}]}, False),
        ([1, "x"], {"type": "array", "items": {"type": "integer"}}, False),
        ({"a": {"b": 1}}, {"type": "object", "properties": {"a": {"properties": {"b": {"type": "string"}}}}}, False),
        ("x", {"type": "colour"}, True),
        ("x", {"enum": ["y"], "type": "string"}, True),
        ("x", None, True),
    ],
)
def test_conforms(value: object, schema: object, fits: bool):
    assert conforms(value, schema) == fits


def test_nested_numbers_follow_the_nested_schema():
    schema = {"type": "object", "properties": {"n": {"type": "array", "items": {"type": "integer"}}}}
    assert not same_value({"n": [1]}, {"n": [1.0]}, schema)
    assert same_value({"m": [1]}, {"m": [1.0]}, schema)
    assert not same_value({"m": [1]}, {"m": [True]}, schema)
