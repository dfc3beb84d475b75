"""Calls and tool lists as third-party rows hold them: JSON, often inside a string, or text that a model wrote."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from itool_jax.data.jsonl import parse_json_text
from itool_jax.data.problems import RowError, describe, expect, take
from itool_jax.toolcall import parse_calls
from itool_jax.toolcall.types import ToolCall

BESIDE = "prose_beside_calls"
"""The note of a turn in which words stood beside the calls; only the calls are kept."""


def listed(row: Mapping[str, Any], name: str) -> list[Any]:
    """The row's list `name`, which may be written as a JSON string."""
    value = row.get(name)
    return expect(parse_json_text(value, name), list, name) if isinstance(value, str) else take(row, name, list)


def json_calls(value: Any, field: str) -> list[ToolCall]:
    """Calls from one or more objects {"name": ..., "arguments" or "parameters": {...}}, arguments as JSON or its text.

    Raises RowError where there is none or one is anything else.
    """
    rows = value if isinstance(value, list) else [value]
    if not rows:
        raise RowError(field, "expected one or more calls, found an empty list")
    return [_json_call(row, f"{field}[{i}]") for i, row in enumerate(rows)]


def written_calls(text: str, field: str) -> list[ToolCall]:
    """The calls that a text makes, in any form that `parse_calls` reads; empty for prose, RowError for broken calls."""
    parsed = parse_calls(text)
    if parsed.kind == "malformed":
        raise RowError(field, f"calls that cannot be read: {parsed.problem} at character {parsed.position}")
    return list(parsed.calls)


def _json_call(row: Any, within: str) -> ToolCall:
    expect(row, dict, within)
    key = "parameters" if "arguments" not in row and "parameters" in row else "arguments"
    arguments = row.get(key)
    if isinstance(arguments, str):
        arguments = parse_json_text(arguments, f"{within}.{key}")
        if not isinstance(arguments, dict):
            raise RowError(f"{within}.{key}", f"expected an object, found {describe(arguments)}")
    else:
        arguments = take(row, key, dict, within=within)
    return ToolCall(take(row, "name", str, within=within), arguments)
