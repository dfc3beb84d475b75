"""write_calls: calls as text in one of the four styles, which parse_calls reads back."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from itool_jax.toolcall.forms import KEY, NAME
from itool_jax.toolcall.literals import MAX_DEPTH, MAX_DIGITS, MAX_VALUES
from itool_jax.toolcall.types import MAX_CALLS, CallStyle, ToolCall

_UNSAFE = re.compile(r'[\x00-\x1f\x7f\ud800-\udfff"\\]')
_SHORT_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_PYTHON_WORDS = {None: "None", True: "True", False: "False"}
_JSON_WORDS = {None: "null", True: "true", False: "false"}


def write_calls(calls: Iterable[ToolCall], style: CallStyle = "python") -> str:
    r"""The calls as text that parse_calls reads back, with and without the style's name.

    python  [f(a=1, b="x"), g()]                         one line; names and keys that cannot stand bare are quoted
    json    [{"name": "f", "arguments": {"a": 1}}]       one line
    llama3  {"name": "f", "parameters": {"a": 1}}        one line, several calls joined by "; "
    hermes  <tool_call>\n{"name": "f", "arguments": {"a": 1}}\n</tool_call>      blocks joined by "\n"

    No calls are `[]`, or no text in llama3 and hermes. Tuples are read back as lists, surrogate pairs as their
    character. Raises ValueError for what cannot be read back: a float that is not finite, what is beyond the bounds of
    literals.py or MAX_CALLS, a dict key that is no string, any other type; and for positional arguments outside python.
    """
    calls = list(calls)
    if len(calls) > MAX_CALLS:
        raise ValueError(f"{len(calls)} calls: expected at most {MAX_CALLS}")
    if style == "python":
        writer = _LiteralWriter(_PYTHON_WORDS)
        return "[" + ", ".join(_python_call(call, writer) for call in calls) + "]"
    writer = _LiteralWriter(_JSON_WORDS)
    if style == "json":
        return writer.value([_json_call(call, "arguments") for call in calls], 0)
    if style == "llama3":
        return "; ".join(writer.value(_json_call(call, "parameters"), 0) for call in calls)
    if style == "hermes":
        objects = (writer.value(_json_call(call, "arguments"), 0) for call in calls)
        return "\n".join(f"<tool_call>\n{text}\n</tool_call>" for text in objects)
    raise ValueError(f"unknown call style {style!r}")


def write_literal(value: Any) -> str:
    """One JSON value as a Python literal on one line; raises ValueError as write_calls does."""
    return _LiteralWriter(_PYTHON_WORDS).value(value, 0)


def write_name(name: str) -> str:
    """A function name as it stands before `(`: bare where the parser reads it back so, else quoted."""
    match = NAME.match(name + "()")
    bare = match is not None and match.end() == len(name) and name == name.strip() and not _UNSAFE.search(name)
    return name if bare else _string(name)


def write_key(key: str) -> str:
    """A parameter name as it stands before `=`: bare where the parser reads it back so, else quoted."""
    bare = KEY.fullmatch(key + "=") and key == key.strip() and not _UNSAFE.search(key)
    return key if bare else _string(key)


def _python_call(call: ToolCall, writer: _LiteralWriter) -> str:
    arguments = [writer.value(value, 0) for value in call.positional]
    arguments += [f"{write_key(key)}={writer.value(value, 0)}" for key, value in call.arguments.items()]
    return f"{write_name(call.name)}({', '.join(arguments)})"


def _json_call(call: ToolCall, key: str) -> dict[str, Any]:
    if call.positional:
        raise ValueError(f"the call of {call.name!r} has positional arguments, which JSON cannot hold")
    return {"name": call.name, key: call.arguments}


class _LiteralWriter:
    """Writes JSON values with the given words for None, True and False; counts them as LiteralReader does."""

    def __init__(self, words: Mapping[bool | None, str]):
        self.words = words
        self.values = 0

    def value(self, value: Any, depth: int) -> str:
        self.values += 1
        if self.values > MAX_VALUES:
            raise ValueError(f"more than {MAX_VALUES} values")
        if value is None or isinstance(value, bool):
            return self.words[value]
        if isinstance(value, str):
            return _string(value)
        if isinstance(value, int | float):
            return _number(value)
        if depth >= MAX_DEPTH:
            raise ValueError(f"a value nested deeper than {MAX_DEPTH}")
        if isinstance(value, list | tuple):
            return "[" + ", ".join(self.value(item, depth + 1) for item in value) + "]"
        if isinstance(value, Mapping):
            items = (f"{_dict_key(key)}: {self.value(item, depth + 1)}" for key, item in value.items())
            return "{" + ", ".join(items) + "}"
        raise ValueError(f"{type(value).__name__} has no literal: expected a JSON value")


def _number(value: float) -> str:
    if isinstance(value, int):
        if abs(value) >= 10**MAX_DIGITS:
            raise ValueError(f"an integer of more than {MAX_DIGITS} digits")
        return str(int(value))
    if not math.isfinite(value):
        raise ValueError(f"{value} has no literal: expected a finite number")
    return repr(float(value))


def _dict_key(key: Any) -> str:
    if not isinstance(key, str):
        raise ValueError(f"a dict key of type {type(key).__name__}: expected a string")
    return _string(key)


def _string(text: str) -> str:
    return '"' + _UNSAFE.sub(_escape, text) + '"'


def _escape(match: re.Match[str]) -> str:
    return _SHORT_ESCAPES.get(match[0]) or f"\\u{ord(match[0]):04x}"
