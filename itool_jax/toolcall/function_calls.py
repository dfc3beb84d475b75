"""Calls whose name stands before their arguments: `<function=f>` of Llama 3.1 and Qwen3-Coder, `f{...}` of Mistral."""

from __future__ import annotations

import re
from typing import Any

from itool_jax.toolcall.forms import FUNCTION, NAMED
from itool_jax.toolcall.literals import LiteralReader, Unreadable
from itool_jax.toolcall.types import ToolCall

_PARAMETER = re.compile(r"<parameter=([^<>\n]{1,256}+)>")
_END_OF_PARAMETER = "</parameter>"
_END_OF_FUNCTION = "</function>"
_NO_TEXT = re.compile(r"[\[{+\-.\d]|True|False|None|true|false|null")


def read_function(literals: LiteralReader, position: int) -> tuple[ToolCall, int]:
    """`<function=name>{...}</function>`, or with `<parameter=key>value</parameter>` for each argument.

    Values between parameter tags are text without the line break at either end, but what is wholly a number, a list, a
    dict or a word such as `true` is read as that: the form does not say which is meant. Raises Unreadable.
    """
    match = FUNCTION.match(literals.text, position)
    assert match is not None
    if literals.peek(match.end()) == "{":
        arguments, end = literals.value(match.end())
    else:
        arguments, end = _parameters(literals, match.end())
    end = literals.skip_space(end)
    call = ToolCall(match[1].strip(), arguments)
    if literals.text.startswith(_END_OF_FUNCTION, end):
        return call, end + len(_END_OF_FUNCTION)
    if literals.peek(end) not in ("", "<"):
        raise Unreadable(f"expected {_END_OF_FUNCTION}", end)
    return call, end


def read_named(literals: LiteralReader, position: int) -> tuple[ToolCall, int]:
    """`name{...}` or `name[ARGS]{...}`; raises Unreadable."""
    match = NAMED.match(literals.text, position)
    assert match is not None
    arguments, end = literals.value(match.end())
    return ToolCall(match[1], arguments), end


def _parameters(literals: LiteralReader, position: int) -> tuple[dict[str, Any], int]:
    arguments: dict[str, Any] = {}
    while match := _PARAMETER.match(literals.text, position):
        name = match[1].strip()
        if name in arguments:
            raise Unreadable(f"the parameter {name[:40]!a} twice", position)
        end = literals.text.find(_END_OF_PARAMETER, match.end())
        if end < 0:
            raise Unreadable(f"cut off before {_END_OF_PARAMETER}", len(literals.text))
        arguments[name] = _value(literals.text[match.end() : end], literals, match.end())
        position = literals.skip_space(end + len(_END_OF_PARAMETER))
    return arguments, position


def _value(text: str, literals: LiteralReader, position: int) -> Any:
    text = text.removeprefix("\n").removesuffix("\n")
    inner = LiteralReader(text, literals.values)
    if _NO_TEXT.match(text):
        try:
            value, end = inner.value(0)
        except Unreadable:
            return _text(text, literals, position)
        if end == len(text):
            literals.values = inner.values
            return value
    return _text(text, literals, position)


def _text(text: str, literals: LiteralReader, position: int) -> str:
    literals.count_value(position)
    return text
