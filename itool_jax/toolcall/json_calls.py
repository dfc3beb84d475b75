"""Calls out of JSON values: the layouts in which models write a call as an object."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from itool_jax.toolcall.literals import LiteralReader, Unreadable
from itool_jax.toolcall.types import ToolCall

_ARGUMENT_KEYS = ("arguments", "parameters")


def calls_of_json(value: Any, literals: LiteralReader, position: int) -> Iterator[ToolCall]:
    """The calls of one object, of a list of them, or of objects with `tool_calls`; raises Unreadable at `position`.

    A call has its `name` (or `function`, where that is a string) and `arguments` or `parameters`, an object or a
    string that holds one; without them it has none. It may stand under `function`, as OpenAI's does. A tool's
    description that a model repeats (`description`, and `parameters` that is a JSON Schema of an object) is no call.
    `literals` bounds what strings of arguments hold.
    """
    for entry in value if isinstance(value, list) else [value]:
        inner = entry.get("tool_calls") if isinstance(entry, dict) else None
        for call in inner if isinstance(inner, list) else [entry]:
            yield _call(call, literals, position)


def _call(entry: Any, literals: LiteralReader, position: int) -> ToolCall:
    if isinstance(entry, dict) and isinstance(entry.get("function"), dict):
        entry = entry["function"]
    name = _name(entry)
    if name is None:
        raise Unreadable("JSON that is no call: no object with a name", position)
    given = [key for key in _ARGUMENT_KEYS if key in entry]
    if len(given) == 2:
        raise Unreadable("a JSON call with both arguments and parameters", position)
    if not given and entry.keys() - {"name", "id", "type"}:
        raise Unreadable("a JSON object with a name and no arguments", position)
    arguments = entry[given[0]] if given else None
    if isinstance(arguments, str):
        arguments = _in_string(arguments, literals, position)
    if arguments is not None and not isinstance(arguments, dict):
        raise Unreadable("JSON arguments that are no object", position)
    if given == ["parameters"] and "description" in entry and _is_object_schema(arguments):
        raise Unreadable("the description of a tool, which is no call", position)
    return ToolCall(name, arguments or {})


def _is_object_schema(value: dict[str, Any] | None) -> bool:
    """Whether the value describes arguments: {"type": "object", "properties": ...}; some tools have "dict" there."""
    if value is None or value.get("type") not in ("object", "dict"):
        return False
    return isinstance(value.get("properties"), dict) or value.keys() == {"type"}


def _name(entry: Any) -> str | None:
    if not isinstance(entry, dict):
        return None
    name = entry.get("name", entry.get("function"))
    return name if isinstance(name, str) else None


def _in_string(text: str, literals: LiteralReader, position: int) -> Any:
    inner = LiteralReader(text, literals.values)
    start = inner.skip_space(0)
    if start == len(text):
        return None
    try:
        value, end = inner.value(start)
    except Unreadable as error:
        raise Unreadable(f"in a string of arguments: {error.problem}", position) from None
    literals.values = inner.values
    if inner.skip_space(end) != len(text):
        raise Unreadable("text after the object in a string of arguments", position)
    return value
