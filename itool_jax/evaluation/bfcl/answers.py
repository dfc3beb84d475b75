"""What a raw answer to a single-turn entry says: parse_calls, and values that are source text where it cannot read."""

from __future__ import annotations

import ast
import re
import warnings
from typing import Any

from itool_jax.evaluation.bfcl.arithmetic import compute
from itool_jax.toolcall import ParsedAnswer, ToolCall, parse_calls, write_calls
from itool_jax.toolcall.source_values import Language

MAX_EXPRESSION = 20_000  # characters of an answer that is read as Python source
_AROUND = "`\n "
_CALL = re.compile(r"\s*\[?\s*([A-Za-z_$][\w$.]*)\(")
_KEY = re.compile(r"\s*([A-Za-z_$][\w$]*)\s*=(?!=)")
_NEXT_KEY = re.compile(r"\s*[A-Za-z_$][\w$]*\s*=(?!=)")
_CLOSING = {"(": ")", "[": "]", "{": "}"}


def read_answer(text: str, language: Language) -> ParsedAnswer:
    """The calls of an answer, with values as BFCL compares them.

    Python: where parse_calls stumbles over an expression, it is read as the official decoder reads it: arithmetic by
    its value; a variable, an index or a call by its text, which BFCL compares with the variable's name.
    Java, JavaScript: every value is source text. The prompt asks for it in strings, which parse_calls reads; of bare
    values, as in `[f(ids=new ArrayList<>(), on=true)]`, the text is taken, without quotes around it.
    """
    parsed = parse_calls(text)
    if language == "python":
        calls = _python_calls(text) if parsed.kind == "malformed" else None
        return ParsedAnswer("calls", tuple(calls)) if calls else parsed
    as_text = parsed.calls and all(isinstance(value, str) for call in parsed.calls for value in call.arguments.values())
    if parsed.kind == "prose" or as_text:
        return parsed
    call = _bare_call(text.strip(_AROUND))
    return ParsedAnswer("calls", (call,)) if call else parsed


def _python_calls(text: str) -> list[ToolCall] | None:
    """Calls whose values are expressions; None where the text is anything but one call or a list of them."""
    text = text.strip(_AROUND)
    if len(text) > MAX_EXPRESSION:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes that Python does not know
            body = ast.parse(text, mode="eval").body
        calls = [_python_call(node) for node in (body.elts if isinstance(body, ast.List) else [body])]
        write_calls(calls)  # ValueError for what is out of the bounds of literals
    except (SyntaxError, ValueError, ArithmeticError, RecursionError, MemoryError):
        return None
    return calls


def _python_call(node: ast.AST) -> ToolCall:
    if not isinstance(node, ast.Call) or any(keyword.arg is None for keyword in node.keywords):
        raise ValueError("no call")
    values = {keyword.arg: _python_value(keyword.value) for keyword in node.keywords if keyword.arg}
    return ToolCall(ast.unparse(node.func), values, tuple(map(_python_value, node.args)))


def _python_value(node: ast.AST) -> Any:
    match node:
        case ast.Constant(value=str() | int() | float() | None as value):
            return value
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return [_python_value(item) for item in items]
        case ast.Dict(keys=keys, values=values):
            names = [_python_value(key) if key else None for key in keys]
            if not all(isinstance(name, str) for name in names):
                raise ValueError("a key that is no string")
            return dict(zip(names, map(_python_value, values), strict=True))
        case ast.Name() | ast.Subscript() | ast.Call(keywords=[]):
            return ast.unparse(node)
    return compute(node)


def _bare_call(text: str) -> ToolCall | None:
    """One call whose values are source text, up to its closing parenthesis; None where the text is no such call."""
    match = _CALL.match(text)
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
        elif character == "," and not expected and _NEXT_KEY.match(text, position + 1):
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
