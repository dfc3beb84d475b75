"""write_calls: calls as the text `[f(a=1, b="x"), g()]` that parse_calls reads back."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from itool_jax.toolcall.forms import KEY, NAME
from itool_jax.toolcall.literals import MAX_DEPTH, MAX_DIGITS
from itool_jax.toolcall.types import ToolCall

_UNSAFE = re.compile(r'[\x00-\x1f\x7f\ud800-\udfff"\\]')
_SHORT_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def write_calls(calls: Iterable[ToolCall]) -> str:
    """The calls as one line, `[f(a=1, b="x"), g()]`, with Python literals and double-quoted strings.

    parse_calls reads exactly these calls back (tuples as lists, surrogate pairs as their character). Names and keys
    that cannot stand bare are quoted. Raises ValueError for what has no such literal: a float that is not finite, an
    integer or nesting beyond the bounds of literals.py, a dict key that is no string, any other type.
    """
    return "[" + ", ".join(map(_write_call, calls)) + "]"


def write_literal(value: Any) -> str:
    """One JSON value as a Python literal on one line; raises ValueError as write_calls does."""
    return _write(value, 0)


def write_name(name: str) -> str:
    """A function name as it stands before `(`: bare where the parser reads it back so, else quoted."""
    match = NAME.match(name + "()")
    bare = match is not None and match.end() == len(name) and name == name.strip() and not _UNSAFE.search(name)
    return name if bare else _write_string(name)


def write_key(key: str) -> str:
    """A parameter name as it stands before `=`: bare where the parser reads it back so, else quoted."""
    bare = KEY.fullmatch(key + "=") and key == key.strip() and not _UNSAFE.search(key)
    return key if bare else _write_string(key)


def _write_call(call: ToolCall) -> str:
    arguments = [_write(value, 0) for value in call.positional]
    arguments += [f"{write_key(key)}={_write(value, 0)}" for key, value in call.arguments.items()]
    return f"{write_name(call.name)}({', '.join(arguments)})"


def _write(value: Any, depth: int) -> str:
    if value is None or isinstance(value, bool):
        return str(value)
    if isinstance(value, str):
        return _write_string(value)
    if isinstance(value, int):
        if abs(value) >= 10**MAX_DIGITS:
            raise ValueError(f"an integer of more than {MAX_DIGITS} digits")
        return str(int(value))
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value} has no literal: expected a finite number")
        return repr(float(value))
    if depth >= MAX_DEPTH:
        raise ValueError(f"a value nested deeper than {MAX_DEPTH}")
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_write(item, depth + 1) for item in value) + "]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(key)}: {_write(item, depth + 1)}" for key, item in value.items()) + "}"
    raise ValueError(f"{type(value).__name__} has no literal: expected a JSON value")


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise ValueError(f"a dict key of type {type(key).__name__}: expected a string")
    return _write_string(key)


def _write_string(text: str) -> str:
    return '"' + _UNSAFE.sub(_escape, text) + '"'


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    code = ord(character)
    return _SHORT_ESCAPES.get(character) or (f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}")
