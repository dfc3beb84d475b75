"""Calls in Python's notation: a name, which may hold spaces, and arguments in parentheses."""

from __future__ import annotations

from typing import Any

from itool_jax.toolcall.forms import KEY, NAME
from itool_jax.toolcall.literals import LiteralReader, Unreadable
from itool_jax.toolcall.types import ToolCall


def read_python_call(literals: LiteralReader, position: int) -> tuple[ToolCall, int]:
    """The call `name(key=literal, literal, ...)` at `position` and the offset after it; raises Unreadable."""
    match = NAME.match(literals.text, position)
    if match is None:
        raise Unreadable("expected a call: a name and '('", position)
    name = literals.string(position)[0] if literals.peek(position) == '"' else match[0].strip()
    arguments, positional, end = _arguments(literals, match.end() + 1)
    return ToolCall(name, arguments, tuple(positional)), end


def _arguments(literals: LiteralReader, position: int) -> tuple[dict[str, Any], list[Any], int]:
    arguments: dict[str, Any] = {}
    positional: list[Any] = []
    position = literals.skip_space(position)
    while literals.peek(position) != ")":
        start = position
        match = KEY.match(literals.text, position)
        if match is None:
            value, position = literals.value(position)
            positional.append(value)
        else:
            key = literals.string(position)[0] if literals.peek(position) == '"' else match[0][:-1].strip()
            if key in arguments:
                raise Unreadable(f"the parameter {key[:40]!a} twice", start)
            arguments[key], position = literals.value(literals.skip_space(match.end()))
        position, _ = literals.after_item(position, ")")
    return arguments, positional, position + 1
