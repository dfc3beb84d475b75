"""Python and JSON literals, read without eval: bounded in depth, number of values and digits, linear in time."""

from __future__ import annotations

import math
import re
from typing import Any

MAX_DEPTH = 64
MAX_VALUES = 10_000
MAX_DIGITS = 1_000

_SPACE = re.compile(r"\s*+")
_STRING = {quote: re.compile(rf"{quote}((?:[^{quote}\\\n\r\0]++|\\[\s\S])*+)({quote})?") for quote in "\"'"}
_NUMBER = re.compile(r"[-+]?(?:(?:0|[1-9](?:_?[0-9])*+)(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][-+]?[0-9]++)?(?![\w.])")
_WORD = re.compile(r"\w++")
_WORDS = {"True": True, "true": True, "False": False, "false": False, "None": None, "null": None}
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{1,3})|([\s\S]))")
_SIMPLE_ESCAPES = {
    **{c: c for c in "\\\"'/"},
    **dict(zip("abfnrtv", "\a\b\f\n\r\t\v", strict=True)),
    "\n": "",
}
_SURROGATE = re.compile("[\ud800-\udfff]")


class Unreadable(Exception):
    """Text that cannot be read: `problem` says why, `position` is the character offset."""

    def __init__(self, problem: str, position: int):
        super().__init__(f"{problem} (at character {position})")
        self.problem = problem
        self.position = position


class LiteralReader:
    """Reads literals out of `text`; all reads of one reader share the bound on the number of values.

    Strings (both quotes, Python and JSON escapes), integers, finite floats, True/False/None, true/false/null, lists,
    tuples (read as lists) and dicts with string keys. Every method takes a character offset, returns a value with the
    offset after it, and raises Unreadable.
    """

    def __init__(self, text: str, values: int = 0):
        self.text = text
        self.values = values

    def skip_space(self, position: int) -> int:
        match = _SPACE.match(self.text, position)
        return match.end() if match else position

    def peek(self, position: int) -> str:
        """The character at `position`, or "" at the end."""
        return self.text[position : position + 1]

    def count_value(self, position: int) -> None:
        """Counts one value towards MAX_VALUES."""
        self.values += 1
        if self.values > MAX_VALUES:
            raise Unreadable(f"more than {MAX_VALUES} values", position)

    def value(self, position: int, depth: int = 0) -> tuple[Any, int]:
        self.count_value(position)
        first = self.peek(position)
        if first and first in "\"'":
            return self.string(position)
        if first and first in "[({":
            if depth >= MAX_DEPTH:
                raise Unreadable(f"nested deeper than {MAX_DEPTH}", position)
            return self._dict(position, depth) if first == "{" else self._sequence(position, depth)
        if first and first in "+-.0123456789":
            return self._number(position)
        return self._word(position)

    def string(self, position: int) -> tuple[str, int]:
        match = _STRING[self.text[position]].match(self.text, position)
        assert match is not None
        body, closed = match.groups()
        if closed is None:
            at_end = match.end() >= len(self.text) - 1
            problem = "a string is not closed" if at_end else "a line break or null byte inside a string"
            raise Unreadable(problem, match.end())
        return self._unescape(body, position + 1) if "\\" in body else body, match.end()

    def _unescape(self, body: str, position: int) -> str:
        def replace(match: re.Match[str]) -> str:
            simple = match[5]
            if simple is not None:
                if simple in "xuUN":
                    raise Unreadable(f"a broken escape \\{simple}", position + match.start())
                return _SIMPLE_ESCAPES.get(simple, match[0])
            digits = match[1] or match[2] or match[3]
            code = int(digits, 16) if digits else int(match[4], 8)
            if code > 0x10FFFF:
                raise Unreadable("an escape beyond U+10FFFF", position + match.start())
            return chr(code)

        text = _ESCAPE.sub(replace, body)
        if _SURROGATE.search(text):
            return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
        return text

    def _number(self, position: int) -> tuple[int | float, int]:
        match = _NUMBER.match(self.text, position)
        if match is None:
            raise Unreadable("not a number", position)
        text = match[0]
        if sum(map(str.isdigit, text)) > MAX_DIGITS:
            raise Unreadable(f"a number of more than {MAX_DIGITS} digits", position)
        if text.lstrip("+-").replace("_", "").isdigit():
            return int(text), match.end()
        number = float(text)
        if not math.isfinite(number):
            raise Unreadable("a number beyond the range of floats", position)
        return number, match.end()

    def _word(self, position: int) -> tuple[bool | None, int]:
        match = _WORD.match(self.text, position)
        if match is None:
            found = self.peek(position)
            raise Unreadable(f"expected a value, found {found!a}" if found else "cut off before a value", position)
        if match[0] not in _WORDS:
            raise Unreadable(f"{match[0][:40]!a} is no literal", position)
        return _WORDS[match[0]], match.end()

    def _sequence(self, position: int, depth: int) -> tuple[Any, int]:
        parenthesised = self.text[position] == "("
        close = ")" if parenthesised else "]"
        items: list[Any] = []
        position = self.skip_space(position + 1)
        comma = False
        while self.peek(position) != close:
            item, position = self.value(position, depth + 1)
            items.append(item)
            position, comma = self.after_item(position, close)
        if parenthesised and len(items) == 1 and not comma:
            return items[0], position + 1
        return items, position + 1

    def _dict(self, position: int, depth: int) -> tuple[dict[str, Any], int]:
        items: dict[str, Any] = {}
        position = self.skip_space(position + 1)
        while (first := self.peek(position)) != "}":
            if not first or first not in "\"'":
                raise Unreadable("expected a string as key" if first else "cut off inside a dict", position)
            start = position
            key, position = self.string(position)
            if key in items:
                raise Unreadable(f"the key {key[:40]!a} twice", start)
            position = self.skip_space(position)
            if self.peek(position) != ":":
                raise Unreadable("expected ':' after a key", position)
            items[key], position = self.value(self.skip_space(position + 1), depth + 1)
            position, _ = self.after_item(position, "}")
        return items, position + 1

    def after_item(self, position: int, close: str) -> tuple[int, bool]:
        """Past the comma after an item, if there is one, and spaces: the offset of the next item or of `close`."""
        position = self.skip_space(position)
        found = self.peek(position)
        if found == ",":
            return self.skip_space(position + 1), True
        if found != close:
            problem = f"expected ',' or {close!r}, found {found!a}" if found else f"cut off before {close!r}"
            raise Unreadable(problem, position)
        return position, False


def read_literal(text: str) -> Any:
    """The value of `text`, one Python or JSON literal with nothing but spaces around it; raises Unreadable."""
    reader = LiteralReader(text)
    value, position = reader.value(reader.skip_space(0))
    position = reader.skip_space(position)
    if position != len(text):
        raise Unreadable(f"expected the end, found {text[position]!a}", position)
    return value
