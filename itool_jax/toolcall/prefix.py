"""What an unfinished answer says so far: its open brackets are closed and it is read like any other."""

from __future__ import annotations

from itool_jax.toolcall.forms import after_reasoning
from itool_jax.toolcall.parse import parse_calls
from itool_jax.toolcall.types import CallStyle, ParsedAnswer

_CLOSER = {"(": ")", "[": "]", "{": "}"}


def open_brackets(text: str) -> str:
    """The brackets that `text` leaves open, outermost first; those in reasoning and inside strings do not count.

    A quote opens a string only inside the parentheses of a call or in JSON, so that apostrophes in prose and in tools'
    names open none.
    """
    stack: list[str] = []
    quoting = 0
    quote, escaped = "", False
    for letter in text[after_reasoning(text) :]:
        if quote:
            if escaped:
                escaped = False
            elif letter == "\\":
                escaped = True
            elif letter == quote:
                quote = ""
        elif letter in "\"'" and quoting:
            quote = letter
        elif letter in _CLOSER:
            stack.append(letter)
            quoting += letter != "["
        elif stack and letter == _CLOSER[stack[-1]]:
            quoting -= stack.pop() != "["
    return "".join(stack)


def parse_prefix(text: str, style: CallStyle | None = None) -> ParsedAnswer:
    """Reads an answer that was cut at a fragment's end: `[f(a=1, ` says what `[f(a=1)]` says. Never raises on text."""
    closers = "".join(_CLOSER[bracket] for bracket in reversed(open_brackets(text)))
    return parse_calls(text.rstrip(", \t\r\n") + closers if closers else text, style)
