"""What is wrong with a call by the tools' schemas alone, with no right answer to hold it against."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from itool_jax.toolcall.compare import ErrorKind
from itool_jax.toolcall.signature import type_text
from itool_jax.toolcall.types import Parameter, Tool, ToolCall
from itool_jax.toolcall.values import conforms, json_kind, same_value


class Fault(NamedTuple):
    """One thing wrong with a call; `parameter` is "" where it is the tool's name, "#0" for a positional argument."""

    kind: ErrorKind
    parameter: str
    problem: str


def schema_faults(call: ToolCall, tools: Sequence[Tool]) -> tuple[Fault, ...]:
    """Unknown tools, arguments without a name, missing and unexpected parameters, values of another type or enum."""
    tool = next((tool for tool in tools if tool.name == call.name), None)
    if tool is None:
        near = difflib.get_close_matches(call.name, [tool.name for tool in tools], n=1)
        hint = f"; did it mean {near[0]}?" if near else ""
        return (Fault(ErrorKind.FUNCTION_NAME, "", f"no such tool is offered{hint}"),)
    return tuple(_faults(call, tool))


def _faults(call: ToolCall, tool: Tool) -> Iterator[Fault]:
    for place in range(len(call.positional)):
        yield Fault(ErrorKind.UNEXPECTED_PARAMETER, f"#{place}", "an argument without a name")
    for name, value in call.arguments.items():
        parameter = tool.parameter(name)
        if parameter is None:
            yield Fault(ErrorKind.UNEXPECTED_PARAMETER, name, "the tool has no such parameter")
        elif fault := _value_fault(parameter, value):
            yield fault
    for parameter in tool.parameters:
        if parameter.required and parameter.name not in call.arguments:
            yield Fault(ErrorKind.MISSING_PARAMETER, parameter.name, "required, but not given")


def _value_fault(parameter: Parameter, value: Any) -> Fault | None:
    expected = type_text(parameter.schema)
    if not conforms(value, parameter.schema):
        return Fault(ErrorKind.PARAMETER_TYPE, parameter.name, f"{json_kind(value)}; expected {expected}")
    if parameter.enum and not any(same_value(allowed, value, parameter.schema) for allowed in parameter.enum):
        return Fault(ErrorKind.PARAMETER_VALUE, parameter.name, f"expected one of {expected}")
    return None
