"""Back ends: functions over a plain state, called by table lookup with checked arguments."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from random import Random
from typing import TYPE_CHECKING, Any

from itool_jax.data.toolworld.large.concept import Concept
from itool_jax.toolcall.types import Parameter, Tool, ToolCall
from itool_jax.toolcall.values import conforms

if TYPE_CHECKING:
    from itool_jax.data.toolworld.tasks.play import Move

State = dict[str, Any]
Arguments = Mapping[str, Any]
MAX_TEXT, MAX_NUMBER = 2000, 10**9


class Refused(Exception):
    """A call that fits the schema and cannot be done in this state, with the reason."""


@dataclass(frozen=True)
class Function:
    """A tool of a back end; `run` changes the state as a whole or raises Refused."""

    concept: Concept
    run: Callable[[State, Arguments], dict[str, Any]]

    @cached_property
    def tool(self) -> Tool:
        concept = self.concept
        parameters = tuple(
            Parameter(slot.names[0], {**slot.kind.schema, "description": slot.about}, slot.required)
            for slot in concept.slots
        )
        return Tool(concept.key, concept.about, parameters)


@dataclass(frozen=True)
class Family:
    """A kind of task: its back end, the states that tasks begin with, and what users ask for."""

    name: str
    functions: tuple[Function, ...]
    initial: Callable[[Random], State]
    moves: tuple[Move, ...]

    @cached_property
    def table(self) -> Mapping[str, Function]:
        return {function.concept.key: function for function in self.functions}

    @property
    def tools(self) -> tuple[Tool, ...]:
        return tuple(function.tool for function in self.functions)


def execute(family: Family, state: State, call: ToolCall) -> dict[str, Any]:
    """The result of a call, which may change the state; a bad call gives {"error": reason} and changes nothing."""
    function = family.table.get(call.name)
    if function is None:
        return {"error": "there is no such tool"}
    problem = _problem(function.tool, call)
    if problem:
        return {"error": problem}
    try:
        return function.run(state, call.arguments)
    except Refused as reason:
        return {"error": str(reason)}


def fresh(state: Mapping[str, Any]) -> State:
    """A copy of a state, which is plain JSON."""
    return json.loads(json.dumps(state))


def new_id(prefix: str, taken: Mapping[str, Any], content: Any) -> str:
    """An id that follows from the content, so that it does not depend on the order in which things are made."""
    text = json.dumps(content, sort_keys=True)
    for copy in range(len(taken) + 1):
        digest = hashlib.blake2b(f"{text}/{copy}".encode(), digest_size=4).digest()
        name = f"{prefix}-{int.from_bytes(digest) % 10**6:06d}"
        if name not in taken:
            return name
    raise Refused("too many things of the same content")


def known(things: Mapping[str, Any], key: str, what: str) -> Any:
    """The thing under the key; refused where there is none."""
    if key not in things:
        raise Refused(f"{what} not found")
    return things[key]


def a_date(text: str) -> str:
    """The date, where it is one; refused else."""
    try:
        if date.fromisoformat(text).isoformat() == text:
            return text
    except ValueError:
        pass
    raise Refused("not a date as YYYY-MM-DD")


def a_time(text: str) -> str:
    """The time of day, where it is one; refused else."""
    hour, colon, minute = text.partition(":")
    shaped = len(text) == 5 and colon and hour.isdecimal() and minute.isdecimal() and text.isascii()
    if shaped and int(hour) < 24 and int(minute) < 60:
        return text
    raise Refused("not a time as HH:MM")


def cents(amount: float) -> int:
    """An amount of money in cents; refused unless it is more than nothing."""
    value = round(amount * 100)
    if value <= 0:
        raise Refused("the amount must be above 0")
    return value


def _problem(tool: Tool, call: ToolCall) -> str:
    """Why the call does not fit the tool; nothing where it does."""
    if call.positional:
        return "arguments must be named"
    for parameter in tool.parameters:
        if parameter.required and parameter.name not in call.arguments:
            return f"missing argument {parameter.name}"
    for name, value in call.arguments.items():
        parameter = tool.parameter(name)
        if parameter is None:
            return "unexpected argument"
        if not conforms(value, parameter.schema) or not _bounded(value, parameter.schema):
            return f"bad value for {name}"
    return ""


def _bounded(value: Any, schema: Any) -> bool:
    """Whether enums, required fields and sizes are kept, at every depth that the schema has."""
    if isinstance(value, str):
        return len(value) <= MAX_TEXT and ("enum" not in schema or value in schema["enum"])
    if isinstance(value, bool):
        return True
    if isinstance(value, int | float):
        return -MAX_NUMBER <= value <= MAX_NUMBER
    if isinstance(value, list | tuple):
        return len(value) <= 100 and all(_bounded(item, schema["items"]) for item in value)
    fields = schema.get("properties", {})
    return (
        value.keys() <= fields.keys()
        and set(schema.get("required", ())) <= value.keys()
        and all(_bounded(part, fields[name]) for name, part in value.items())
    )
