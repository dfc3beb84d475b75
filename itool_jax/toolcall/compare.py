"""compare: a parsed answer against the expected calls, slot by slot, with one error kind for a wrong answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum, StrEnum
from typing import Any, Literal

from itool_jax.toolcall.assignment import best_assignment
from itool_jax.toolcall.nesting import has_references, named_by_content, named_by_place
from itool_jax.toolcall.types import ParsedAnswer, Tool, ToolCall
from itool_jax.toolcall.values import conforms, same_kind, same_value


class ErrorKind(StrEnum):
    """What is wrong, in order of priority: a wrong answer has the first kind that any of its slots has."""

    FORMAT = "format"
    SPURIOUS_CALL = "spurious_call"
    MISSING_CALL = "missing_call"
    CALL_COUNT = "call_count"
    FUNCTION_NAME = "function_name"
    MISSING_PARAMETER = "missing_parameter"
    UNEXPECTED_PARAMETER = "unexpected_parameter"
    PARAMETER_TYPE = "parameter_type"
    PARAMETER_VALUE = "parameter_value"


class Absent(Enum):
    """Stands where a slot has no expected or no predicted side; None is a value."""

    ABSENT = "absent"


ABSENT = Absent.ABSENT
_PRIORITY = {kind: rank for rank, kind in enumerate(ErrorKind)}


@dataclass(frozen=True)
class Slot:
    """One thing to get right: a call's function name, or one argument's name with its value.

    expected_call, predicted_call   indices of the two calls that are matched; None where a side has no call
    kind                            "name" or "argument"
    parameter                       the parameter's name; "" for a name slot, "#0", "#1" for positional arguments
    expected, predicted             the two sides; ABSENT where a side has none
    error                           None if right
    """

    expected_call: int | None
    predicted_call: int | None
    kind: Literal["name", "argument"]
    parameter: str
    expected: Any
    predicted: Any
    error: ErrorKind | None

    @property
    def right(self) -> bool:
        return self.error is None


@dataclass(frozen=True)
class Comparison:
    """right: strictly right; error: None if right; slot_f1: F1 over slots in [0, 1], 1 if right."""

    right: bool
    error: ErrorKind | None
    slots: tuple[Slot, ...]
    slot_f1: float


def compare(predicted: ParsedAnswer, expected: Sequence[ToolCall], tools: Sequence[Tool]) -> Comparison:
    """Compare an answer with the expected calls, in any order; no expected calls means that prose is right.

    Strictly right: as many calls, each with the expected name and equal arguments (`values.same_value`), none of them
    positional. An argument that equals the default of an optional parameter may be given or left out on either side.
    Calls are matched so that the most slots are right, by exact assignment; among such matchings the one with the
    most equal names, then the one nearest the written order. An answer is right exactly if some matching makes it so.
    A reference to an earlier call's result (`toolcall.nesting`) is equal to one that means the same result of the
    matched call, whatever their numbers.

    slot_f1 = 2 right / (slots with an expected side + slots with a predicted side); 0 for a malformed answer.
    """
    by_name = {tool.name: tool for tool in tools}
    if predicted.kind == "malformed":
        slots = tuple(_lone_slots(expected, "expected", ErrorKind.FORMAT))
        return Comparison(False, ErrorKind.FORMAT, slots, 0.0)
    slots = tuple(_slots(predicted.calls, expected, by_name))
    errors = [slot.error for slot in slots if slot.error is not None]
    error = min(errors, key=_PRIORITY.__getitem__, default=None)
    return Comparison(error is None, error, slots, _f1(slots))


def slot_reward(comparison: Comparison) -> float:
    """The outcome reward O in [0, 1]: half for being strictly right, half the slot F1 (method, section 3)."""
    return 0.5 * comparison.right + 0.5 * comparison.slot_f1


def _f1(slots: Sequence[Slot]) -> float:
    sides = sum((slot.expected is not ABSENT) + (slot.predicted is not ABSENT) for slot in slots)
    return 2 * sum(slot.right for slot in slots) / sides if sides else 1.0


def _slots(predicted: Sequence[ToolCall], expected: Sequence[ToolCall], tools: dict[str, Tool]) -> list[Slot]:
    if not any(has_references(call.arguments) for call in expected):
        return _matched_slots(predicted, expected, tools)[0]
    slots, matched = _matched_slots(named_by_content(predicted, tools), named_by_content(expected, tools), tools)
    # What a wrong call returns is still what its counterpart returns: the call is wrong, a reference to it is not.
    rows = named_by_place(expected, tools, {row: f"call {row}" for row, _ in matched})
    columns = named_by_place(predicted, tools, {column: f"call {row}" for row, column in matched})
    by_match = [
        slot
        for row, column in matched
        for slot in _pair_slots(row, column, rows[row], columns[column], tools.get(rows[row].name))
    ]
    right = {_place(slot) for slot in by_match if slot.right}
    slots = [replace(slot, error=None) if _place(slot) in right else slot for slot in slots]
    return [_as_written(slot, expected, predicted) for slot in slots]


def _place(slot: Slot) -> tuple[int | None, int | None, str, str]:
    return slot.expected_call, slot.predicted_call, slot.kind, slot.parameter


def _as_written(slot: Slot, expected: Sequence[ToolCall], predicted: Sequence[ToolCall]) -> Slot:
    """The slot with its sides' values as the answers have them."""

    def value(calls: Sequence[ToolCall], call: int | None, now: Any) -> Any:
        return now if call is None or slot.kind == "name" else calls[call].arguments.get(slot.parameter, now)

    return replace(
        slot,
        expected=value(expected, slot.expected_call, slot.expected),
        predicted=value(predicted, slot.predicted_call, slot.predicted),
    )


def _matched_slots(
    predicted: Sequence[ToolCall], expected: Sequence[ToolCall], tools: dict[str, Tool]
) -> tuple[list[Slot], list[tuple[int, int]]]:
    """All slots of the best matching, and that matching as pairs (expected, predicted)."""
    pairs = {
        (row, column): _pair_slots(row, column, call, given, tools.get(call.name))
        for row, call in enumerate(expected)
        for column, given in enumerate(predicted)
    }
    matched = _match(pairs, expected, predicted, tools)
    slots = [slot for pair in matched for slot in pairs[pair]]
    unmatched = ErrorKind.CALL_COUNT if expected and predicted else ErrorKind.MISSING_CALL
    without = {row: call for row, call in enumerate(expected) if row not in {row for row, _ in matched}}
    for row, call in without.items():
        slots += _lone_slots([call], "expected", unmatched, row)
    unmatched = ErrorKind.CALL_COUNT if expected else ErrorKind.SPURIOUS_CALL
    without = {column: call for column, call in enumerate(predicted) if column not in {column for _, column in matched}}
    for column, call in without.items():
        slots += _lone_slots([call], "predicted", unmatched, column)
    return slots, matched


def _match(
    pairs: dict[tuple[int, int], list[Slot]],
    expected: Sequence[ToolCall],
    predicted: Sequence[ToolCall],
    tools: dict[str, Tool],
) -> list[tuple[int, int]]:
    """Pairs by slots right where the expected side must be written, then slots right, equal names, written order.

    The first criterion leaves out arguments at their default, which an equal call need not have: so a matching that
    makes the whole answer right is never beaten by one that does not.
    """
    base = 1 + max(len(expected), len(predicted)) ** 2 * (1 + max((len(slots) for slots in pairs.values()), default=0))

    def weight(row: int, column: int) -> int:
        call, given = expected[row], predicted[column]
        right = [slot for slot in pairs[row, column] if slot.right]
        needed = sum(not _at_default(tools.get(call.name), slot) for slot in right)
        digits = (needed, len(right), int(call.name == given.name), -abs(row - column))
        return sum(digit * base ** (len(digits) - place) for place, digit in enumerate(digits, 1))

    return best_assignment([[weight(row, column) for column in range(len(predicted))] for row in range(len(expected))])


def _pair_slots(row: int, column: int, expected: ToolCall, given: ToolCall, tool: Tool | None) -> list[Slot]:
    wrong_name = None if expected.name == given.name else ErrorKind.FUNCTION_NAME
    slots = [Slot(row, column, "name", "", expected.name, given.name, wrong_name)]
    for name in [*expected.arguments, *(name for name in given.arguments if name not in expected.arguments)]:
        sides = expected.arguments.get(name, ABSENT), given.arguments.get(name, ABSENT)
        if ABSENT in sides and _is_default(tool, name, sides[0] if sides[1] is ABSENT else sides[1]):
            continue
        slots.append(Slot(row, column, "argument", name, *sides, _argument_error(tool, name, *sides)))
    for place, value in enumerate(expected.positional):
        slots.append(Slot(row, column, "argument", f"#{place}", value, ABSENT, ErrorKind.MISSING_PARAMETER))
    for place, value in enumerate(given.positional):
        slots.append(Slot(row, column, "argument", f"#{place}", ABSENT, value, ErrorKind.UNEXPECTED_PARAMETER))
    return slots


def _argument_error(tool: Tool | None, name: str, expected: Any, given: Any) -> ErrorKind | None:
    if given is ABSENT:
        return ErrorKind.MISSING_PARAMETER
    if expected is ABSENT:
        return ErrorKind.UNEXPECTED_PARAMETER
    parameter = tool.parameter(name) if tool else None
    schema = parameter.schema if parameter else {}
    if same_value(expected, given, schema):
        return None
    says_type = any(key in schema for key in ("type", "anyOf", "oneOf"))
    of_type = conforms(given, schema) if says_type else same_kind(expected, given)
    return ErrorKind.PARAMETER_VALUE if of_type else ErrorKind.PARAMETER_TYPE


def _lone_slots(
    calls: Sequence[ToolCall], side: Literal["expected", "predicted"], error: ErrorKind, first: int = 0
) -> list[Slot]:
    """The slots of calls that have no counterpart, as the given side, all with one error."""

    def slot(index: int, kind: Literal["name", "argument"], parameter: str, value: Any) -> Slot:
        if side == "expected":
            return Slot(index, None, kind, parameter, value, ABSENT, error)
        return Slot(None, index, kind, parameter, ABSENT, value, error)

    slots = []
    for index, call in enumerate(calls, first):
        slots.append(slot(index, "name", "", call.name))
        slots += [slot(index, "argument", name, value) for name, value in call.arguments.items()]
        slots += [slot(index, "argument", f"#{place}", value) for place, value in enumerate(call.positional)]
    return slots


def _at_default(tool: Tool | None, slot: Slot) -> bool:
    return slot.kind == "argument" and _is_default(tool, slot.parameter, slot.expected)


def _is_default(tool: Tool | None, name: str, value: Any) -> bool:
    parameter = tool.parameter(name) if tool else None
    if parameter is None or parameter.required or "default" not in parameter.schema:
        return False
    return same_value(parameter.schema["default"], value, parameter.schema)
