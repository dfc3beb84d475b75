"""What a raw answer to a single-turn entry says: parse_calls, and values that are source text where it cannot read."""

from __future__ import annotations

import ast
import re
import warnings
from typing import Any

from itool_jax.evaluation.bfcl.arithmetic import compute
from itool_jax.toolcall import ParsedAnswer, ToolCall, parse_calls
from itool_jax.toolcall.literals import MAX_DIGITS
from itool_jax.toolcall.source_values import Language

MAX_EXPRESSION = 20_000  # characters of an answer that is read as source: Python, or one bare call in another language
_AROUND = "`\n "
_TOO_LARGE = 10**MAX_DIGITS
_CALL = re.compile(r"\s*+\[?+\s*+([A-Za-z_$][\w$.]*+)\(")
_KEY = re.compile(r"\s*+([A-Za-z_$][\w$]*+)\s*+=(?!=)")
_CLOSING = {"(": ")", "[": "]", "{": "}"}


def read_answer(text: str, language: Language) -> ParsedAnswer:
    """The calls of an answer, with values as BFCL compares them.

    Python: what the official decoder reads is read as it reads it (`read_as_official`), the rest by parse_calls.
    Java, JavaScript: every value is source text. The prompt asks for it in strings, which parse_calls reads; of bare
    values, as in `[f(ids=new ArrayList<>(), on=true)]`, the text is taken, without quotes around it.
    """
    if language == "python":
        calls = read_as_official(text)
        return ParsedAnswer("calls", tuple(calls)) if calls else parse_calls(text)
    parsed = parse_calls(text)
    as_text = parsed.calls and all(isinstance(value, str) for call in parsed.calls for value in call.arguments.values())
    if parsed.kind == "prose" or as_text:
        return parsed
    call = _bare_call(text.strip(_AROUND))
    return ParsedAnswer("calls", (call,)) if call else parsed


def read_as_official(text: str) -> list[ToolCall] | None:
    """The calls that the official decoder of prompted models reads in an answer; None where it fails.

    It takes Python source, in brackets or not, without prose. Values are literals, tuples included; arithmetic by its
    value (bounded here); of a variable, an index or a call without keywords the text, so that `true` is "true". Any
    sign before a number is a minus. Positional arguments, which it drops, are kept apart as text. Integers have at most
    MAX_DIGITS decimal digits here, in whatever base they are written.
    """
    text = text.strip(_AROUND)
    if len(text) > MAX_EXPRESSION:
        return None
    text = f"{'' if text.startswith('[') else '['}{text}{'' if text.endswith(']') else ']'}"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes that Python does not know
            body = ast.parse(text, mode="eval").body
        calls = body.elts if isinstance(body, ast.List | ast.Tuple) else [body]
        return [_python_call(node) for node in calls]
    except (SyntaxError, ValueError, TypeError, ArithmeticError, RecursionError, MemoryError):
        return None


def _python_call(node: ast.AST) -> ToolCall:
    if not isinstance(node, ast.Call):
        raise ValueError("no call")
    arguments = {keyword.arg or "**": _python_value(keyword.value) for keyword in node.keywords}
    return ToolCall(ast.unparse(node.func), arguments, tuple(map(ast.unparse, node.args)))


def _python_value(node: ast.AST) -> Any:
    match node:
        case ast.Constant(value=int() as value) if value >= _TOO_LARGE:
            raise ValueError(f"an integer of more than {MAX_DIGITS} digits")  # Python refuses to write such a one down
        case ast.Constant(value=str() | int() | float() | None as value):
            return value
        case ast.Constant(value=value):
            return "..." if value is ... else ast.unparse(node)
        case ast.UnaryOp(operand=ast.Constant(value=int() | float()) as number):
            return -_python_value(number)
        case ast.List(elts=items):
            return [_python_value(item) for item in items]
        case ast.Tuple(elts=items):
            return tuple(_python_value(item) for item in items)
        case ast.Dict(keys=keys, values=values) if all(keys):
            return {_python_value(key): _python_value(value) for key, value in zip(keys, values, strict=True) if key}
        case ast.Name() | ast.Call(keywords=[]):
            return ast.unparse(node)
        case ast.Subscript(value=value, slice=index):
            return f"{ast.unparse(value)}[{ast.unparse(index)}]"
        case ast.Call():
            call = _python_call(node)
            return {call.name: call.arguments}
        case ast.BinOp():
            return compute(node)
    raise ValueError(f"{type(node).__name__} is no value")


def _bare_call(text: str) -> ToolCall | None:
    """One call whose values are source text, up to its closing parenthesis; None where the text is no such call."""
    match = _CALL.match(text) if len(text) <= MAX_EXPRESSION else None
    if match is None:
        return None
    arguments: dict[str, str] = {}
    position = match.end()
    while (found := _KEY.match(text, position)) is not None:
        end = _value_end(text, found.end())
        if end is None or found[1] in arguments:
            return None
        arguments[found[1]] = _unquoted(text[found.end() : end].strip())
        position = end + (text[end] == ",")
    closed = text[position:].lstrip().startswith(")")
    return ToolCall(match[1], arguments) if closed else None


def _value_end(text: str, position: int) -> int | None:
    """Where a value ends: at the comma before another `key=`, or at the call's closing parenthesis."""
    expected: list[str] = []
    while position < len(text):
        character = text[position]
        if character in "\"'":
            close = _quote_end(text, position)
            if close is None:
                return None
            position = close
        elif character in _CLOSING:
            expected.append(_CLOSING[character])
        elif character in ")]}":
            if not expected:
                return position if character == ")" else None
            if expected.pop() != character:
                return None
        elif character == "," and not expected and _KEY.match(text, position + 1):
            return position
        position += 1
    return None


def _quote_end(text: str, start: int) -> int | None:
    position = start + 1
    while position < len(text):
        if text[position] == text[start]:
            return position
        position += 2 if text[position] == "\\" else 1
    return None


def _unquoted(text: str) -> str:
    quoted = len(text) > 1 and text[0] in "\"'" and _quote_end(text, 0) == len(text) - 1
    return text[1:-1] if quoted else text
