"""Values that a call gives as Java or JavaScript source text, read and written by the rules of BFCL's AST checker.

Text that is no value of the wanted type stays text, as the name of a variable would. The readers are as plain as the
checker's: items part at every comma, dicts end at their first `}`. Text over MAX_LENGTH characters stays text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

Language = Literal["python", "java", "javascript"]
MAX_LENGTH = 4_000

_EXPONENT = r"([eE][+-]?\d+)?"
_INTEGER, _DECIMAL = re.compile(r"-?\d+$"), re.compile(r"-?\d+(\.\d+)?$")
_JAVA_NUMBERS = {
    **dict.fromkeys(("byte", "short", "integer"), (_INTEGER, int, 0)),
    "long": (re.compile(r"-?\d+[lL]$"), int, 1),
    "float": (re.compile(rf"-?\d+(\.\d+)?{_EXPONENT}[fF]$"), float, 1),
    "double": (re.compile(rf"-?\d+(\.\d+)?{_EXPONENT}$"), float, 0),
}
_JAVASCRIPT_NUMBERS = {
    "integer": (_INTEGER, int, 0),
    "float": (_DECIMAL, float, 0),
    "Bigint": (re.compile(r"-?\d+n$"), int, 1),
}
_AS_LIST = re.compile(r"new\s+ArrayList<\w*>\(Arrays\.asList\((.+?)\)\)")
_ADDING = re.compile(r"new\s+ArrayList<\w*>\(\)\s*\{\{(.+?)\}\}", re.DOTALL)
_ADD = re.compile(r"add\((.+?)\)")
_NO_ITEMS = re.compile(r"new\s+ArrayList<\w*>\(\)")
_ARRAY = re.compile(r"new\s+\w+\[\]\s*\{(.*?)\}")
_HASH_MAP = re.compile(r"new\s+HashMap<.*?>\s*\(\)", re.DOTALL)
_PUT = re.compile(r'put\("(.*?)",\s*(.*?)\)')
_SCRIPT_ARRAY = re.compile(r"\[(.*?)\]|new\s+Array\((.*?)\)")
_SCRIPT_OBJECT = re.compile(r"\{(.*?)\}")
_NESTED = re.compile(r"\[\s*\[.*?\]\s*\]|new\s+Array\(\s*\[.*?\]\s*\)")
_ROW = re.compile(r"\[([^\]]*)\]")


def read_source_value(text: str, language: Language, kind: str, items: str | None = None) -> Any:
    """The value of the text as BFCL's type `kind` of the language, `items` being a list's; else the text itself."""
    if len(text) > MAX_LENGTH:
        return text
    try:
        return (_read_java if language == "java" else _read_javascript)(text, kind, items)
    except (ValueError, OverflowError):
        return text


def write_source_value(value: Any, language: Language, kind: str, items: str | None = None) -> str:
    """Source text that reads as this value of BFCL's type `kind`; a string is the text of a variable or of a string."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return _write_mapping(value, language)
    if isinstance(value, Sequence):
        return _write_list(value, language, kind, items)
    suffix = {"long": "L", "Bigint": "n"}.get(kind, "") or ("f" if (language, kind) == ("java", "float") else "")
    return f"{value}{suffix}"


def _number(text: str, numbers: Mapping[str, tuple[re.Pattern[str], type, int]], kind: str) -> Any:
    pattern, number, suffix = numbers[kind]
    return number(text.rstrip("\n")[: -suffix or None]) if pattern.match(text) else text


def _boolean(text: str) -> Any:
    return {"true": True, "false": False}.get(text, text)


def _read_java(text: str, kind: str, items: str | None) -> Any:
    if kind in _JAVA_NUMBERS:
        return _number(text, _JAVA_NUMBERS, kind)
    if kind == "boolean":
        return _boolean(text)
    if kind == "ArrayList":
        return _read_array_list(text, items)
    if kind == "Array":
        match = _ARRAY.search(text)
        return [_read_java(part, items or "any", None) for part in _split(match[1])] if match else text
    return _read_hash_map(text) if kind == "HashMap" else text


def _read_array_list(text: str, items: str | None) -> Any:
    def item(part: str) -> Any:
        return part[1:-1] if items in ("char", "String") else _read_java(part, items or "any", None)

    if match := _AS_LIST.search(text):
        return [item(part.strip()) for part in match[1].split(",")]
    if match := _ADDING.search(text):
        return [item(part.strip()) for part in _ADD.findall(match[1])]
    return [] if _NO_ITEMS.search(text) else text


def _read_hash_map(text: str) -> Any:
    match = _HASH_MAP.search(text)
    if match is None:
        return text
    body, closed, _ = text[match.end() :].lstrip().partition("}")
    if not closed or not body.startswith("{"):
        return {}
    return {key: _java_untyped(value.strip()) for key, value in _PUT.findall(body)}


def _java_untyped(text: str) -> Any:
    if text in ("true", "false") or (text.startswith('"') and text.endswith('"')):
        return _untyped(text)
    for kind in ("long", "float"):
        if (value := _number(text, _JAVA_NUMBERS, kind)) is not text:
            return value
    return text if text.startswith("'") and text.endswith("'") else _untyped(text)


def _read_javascript(text: str, kind: str, items: str | None) -> Any:
    if kind in _JAVASCRIPT_NUMBERS:
        return _number(text, _JAVASCRIPT_NUMBERS, kind)
    if kind == "Boolean":
        return _boolean(text)
    if kind == "String":
        return text[1:-1] if _is_quoted(text) else text
    if kind == "array":
        return _read_script_array(text.strip(), items)
    return _read_script_object(text.strip()) if kind == "dict" else text


def _read_script_array(text: str, items: str | None) -> Any:
    if nested := _NESTED.match(text):
        rows = _ROW.findall(nested[0])
        return [[_untyped(part) for part in row.strip().removeprefix("[").split(",")] for row in rows]
    match = _SCRIPT_ARRAY.match(text)
    if match is None:
        return text
    body = (match[1] if match[1] is not None else match[2]).strip()
    parts = [part.strip() for part in body.split(",")] if body else []
    return [_read_javascript(part, items, None) if items else _untyped(part) for part in parts]


def _read_script_object(text: str) -> Any:
    match = _SCRIPT_OBJECT.match(text)
    if match is None:
        return text
    result = {}
    for pair in _script_pairs(match[1]):
        key, _, value = pair.partition(":")
        value = value.strip()
        if value.startswith("[") and value.endswith("]"):
            read = _read_script_array(value, None)
        elif value.startswith("{") and value.endswith("}"):
            read = _read_script_object(value)
        else:
            read = _untyped(value.strip("'\""))
        result[key.strip().strip("'\"")] = read
    return result


def _script_pairs(body: str) -> list[str]:
    """`key: value` pairs: a comma parts two of them where the text up to the next comma has a colon."""
    pairs: list[str] = []
    for part in body.lstrip(":").split(","):
        if pairs and (":" not in part[1:] or ":" not in pairs[-1]):
            pairs[-1] += f",{part}"
        else:
            pairs.append(part)
    return [pair for pair in pairs if pair.find(":") > 0]


def _untyped(text: str) -> Any:
    """A boolean, a quoted string, a number, or else the text."""
    text = text.strip()
    if text in ("true", "false"):
        return text == "true"
    if _is_quoted(text):
        return text[1:-1]
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text


def _is_quoted(text: str) -> bool:
    return any(text.startswith(quote) and text.endswith(quote) for quote in "\"'")


def _split(body: str) -> list[str]:
    return [part.strip() for part in body.split(",") if part.strip()]


def _write_list(values: Sequence[Any], language: Language, kind: str, items: str | None) -> str:
    if language == "javascript":
        return json.dumps(values)
    parts = [_java_literal(value, items, quoted=kind == "ArrayList" or items == "any") for value in values]
    if kind == "ArrayList":
        return f"new ArrayList<>(Arrays.asList({', '.join(parts)}))" if parts else "new ArrayList<>()"
    return f"new {items or 'Object'}[]{{{', '.join(parts)}}}"


def _java_literal(value: Any, kind: str | None, *, quoted: bool) -> str:
    if isinstance(value, str):
        return f'"{value}"' if quoted else value
    return write_source_value(value, "java", kind or "any")


def _write_mapping(values: Mapping[str, Any], language: Language) -> str:
    if language == "javascript":
        return json.dumps(values)
    puts = [f'put("{key}", {_java_literal(value, None, quoted=True)});' for key, value in values.items()]
    return f"new HashMap<>() {{{{ {' '.join(puts)} }}}}" if puts else "new HashMap<>()"
