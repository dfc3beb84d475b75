"""BFCL entries as Examples, so that any model of ours can be asked through its chat format."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from itool_jax.data.example import Example, Message, Role
from itool_jax.evaluation.bfcl.entries import Entry
from itool_jax.toolcall import Tool, ToolCall, tools_from_json, write_calls
from itool_jax.toolcall.source_values import Language, write_source_value

SOURCE = "bfcl"
_HINTS: dict[Language, str] = {
    "python": " Note that the provided function is in Python 3 syntax.",
    "java": " Note that the provided function is in Java 8 SDK syntax.",
    "javascript": " Note that the provided function is in JavaScript syntax.",
}
_NAMES: dict[Language, str] = {"java": "Java", "javascript": "JavaScript"}
_ROLES: dict[str, Role] = {"system": "system", "user": "user", "assistant": "assistant"}
_LISTS = ("ArrayList", "Array", "array")


def example(entry: Entry) -> Example:
    """The first turn of an entry. Its answer is one of those that are right; "" where BFCL names none."""
    calls = right_calls(entry)
    return Example(
        id=entry.id,
        tools=tools(entry.functions, entry.language),
        messages=messages(entry.turns[0]),
        answer=write_calls(calls) if calls else "",
        calls=calls,
        source=SOURCE,
        meta={"category": entry.category},
    )


def tools(functions: Iterable[Mapping[str, Any]], language: Language) -> tuple[Tool, ...]:
    """The functions as BFCL shows them to a model: named for their language, Java and JavaScript values as strings."""
    return tools_from_json([_described(function, language) for function in functions])


def messages(turn: Iterable[Mapping[str, str]]) -> tuple[Message, ...]:
    """The messages of one turn; what an assistant says before is prose in BFCL."""
    return tuple(Message(_ROLES[one["role"]], one["content"]) for one in turn)


def right_calls(entry: Entry) -> tuple[ToolCall, ...]:
    """Calls with the first value that BFCL allows for each parameter, its first choice of leaving out included."""
    functions = {function["name"]: function["parameters"] for function in reversed(entry.functions)}
    calls = []
    for call in entry.expected:
        properties = functions[call.name]["properties"]
        named = {name: allowed for name, allowed in call.arguments.items() if name in properties}
        calls.append(
            ToolCall(
                call.name,
                {
                    name: _value(_first(allowed), properties[name], entry.language)
                    for name, allowed in named.items()
                    if allowed and (allowed[0] != "" or name in functions[call.name]["required"])
                },
            )
        )
    return tuple(calls)


def _first(allowed: Sequence[Any]) -> Any:
    return next((value for value in allowed if value != ""), "")


def _value(option: Any, schema: Mapping[str, Any], language: Language) -> Any:
    """A value for one of the allowed options, in which dicts map each key to the values that it may have."""
    value = _resolved(option)
    if language == "python":
        return value
    return write_source_value(value, language, schema["type"], (schema.get("items") or {}).get("type"))


def _resolved(option: Any) -> Any:
    if isinstance(option, Mapping):
        named = {key: values if isinstance(values, list) else [values] for key, values in option.items()}
        return {key: _resolved(_first(values)) for key, values in named.items() if values and values[0] != ""}
    return [_resolved(item) for item in option] if isinstance(option, list) else option


def _described(function: Mapping[str, Any], language: Language) -> dict[str, Any]:
    described = {**function, "description": function["description"] + _HINTS[language]}
    if language != "python":
        properties = function["parameters"]["properties"]
        shown = {name: _as_text(schema, language) for name, schema in properties.items()}
        described["parameters"] = {**function["parameters"], "properties": shown}
    return described


def _as_text(schema: Mapping[str, Any], language: Language) -> dict[str, Any]:
    """A Java or JavaScript parameter as the string of source text that a model is to write."""
    kind, name = schema["type"], _NAMES[language]
    if kind == "any":
        note = f" This parameter can be of any type of {name} object in string representation."
    else:
        note = f" This is {name} {kind} type parameter in string representation."
    shown = {**schema, "type": "string"}
    if kind in _LISTS and "items" in shown:
        note += f" The list elements are of type {shown.pop('items')['type']}; they are not in string representation."
    if language == "javascript" and kind == "dict" and "properties" in shown:
        entries = json.dumps(shown.pop("properties"))
        note += f" The dictionary entries have the following schema; they are not in string representation. {entries}"
    shown["description"] = shown.get("description", "") + note
    return shown
