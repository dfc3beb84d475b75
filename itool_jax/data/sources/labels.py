"""Whether a source's calls can be made with the candidate tools, and what about them is doubtful."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from itool_jax.data.problems import RowError, describe, inside
from itool_jax.toolcall import parse_calls, write_calls
from itool_jax.toolcall.types import Parameter, Tool, ToolCall
from itool_jax.toolcall.values import conforms

_NUMBER = re.compile(r"-?(0|[1-9]\d{0,14})(\.\d{1,14})?")


def fit_calls(
    calls: Sequence[ToolCall], tools: Sequence[Tool], field: str, is_reference: Callable[[Any], bool] = lambda _: False
) -> tuple[tuple[ToolCall, ...], list[str]]:
    """The calls with texts such as "40.7" read as the number or boolean that the schema asks for, and notes.

    A note is "KIND PARAMETER", KIND one of retyped, off_type, not_in_enum, missing_required: the label can be learned,
    but is doubtful. `is_reference` tells values that stand for another call's result and fit any type. Raises RowError
    where no answer to this prompt could be the label: a tool or a parameter that no candidate has, an argument without
    a name, or a call that does not survive being written and read back.
    """
    fitted, notes = [], []
    for i, call in enumerate(calls):
        within = f"{field}[{i}]"
        tool = next((tool for tool in tools if tool.name == call.name), None)
        if tool is None:
            names = ", ".join(tool.name for tool in tools)
            raise RowError(f"{within}.name", f"{call.name[:60]!r} is not among the candidate tools: {names}")
        if call.positional:
            raise RowError(within, f"arguments without a name: {describe(list(call.positional))}")
        arguments = {}
        for name, value in call.arguments.items():
            parameter = tool.parameter(name)
            if parameter is None:
                known = ", ".join(p.name for p in tool.parameters) or "none"
                raise RowError(inside(within, name), f"{tool.name} has no such parameter; it has {known}")
            arguments[name], kinds = (value, []) if is_reference(value) else _fit(value, parameter)
            notes += [f"{kind} {name}" for kind in kinds]
        notes += [f"missing_required {p.name}" for p in tool.parameters if p.required and p.name not in arguments]
        fitted.append(ToolCall(call.name, arguments))
    _check_written(fitted, field)
    return tuple(fitted), notes


def _fit(value: Any, parameter: Parameter) -> tuple[Any, list[str]]:
    fitted = _read_as(value, parameter.type)
    kinds = ["retyped"] if fitted is not value else []
    if not conforms(fitted, parameter.schema):
        kinds.append("off_type")
    if parameter.enum is not None and fitted not in parameter.enum:
        kinds.append("not_in_enum")
    return fitted, kinds


def _read_as(value: Any, kind: str | None) -> Any:
    if not isinstance(value, str):
        return value
    if kind == "boolean" and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if kind in ("integer", "number") and _NUMBER.fullmatch(value):
        if "." not in value:
            return int(value)
        return float(value) if kind == "number" else value
    return value


def _check_written(calls: Sequence[ToolCall], field: str) -> None:
    try:
        text = write_calls(calls)
    except ValueError as error:
        raise RowError(field, f"calls that cannot be written as text: {error}") from error
    read = parse_calls(text)
    if read.kind != "calls" or list(read.calls) != list(calls):
        why = read.problem or f"read back as {describe([call.name for call in read.calls])}"
        raise RowError(field, f"calls that cannot be written as text and read again: {describe(text)}: {why}")
