"""parse_calls: what a model's answer says, as calls, prose or a typed reason why it cannot be read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from itool_jax.toolcall.forms import (
    CLOSING_TAG,
    KEY,
    NAME,
    TAG,
    Opening,
    StyleForms,
    after_reasoning,
    after_separators,
    opening_here,
    opening_within,
    style_forms,
)
from itool_jax.toolcall.literals import LiteralReader, Unreadable
from itool_jax.toolcall.types import MAX_CALLS, CallStyle, ParsedAnswer, ToolCall


def parse_calls(text: str, style: CallStyle | None = None) -> ParsedAnswer:
    """Read the calls of a model's answer; never raises, never evaluates, takes time linear in the text.

    Forms: `[f(a=1), g()]`, the same without brackets, JSON objects or lists of them, and these in fenced blocks or
    tags such as <tool_call>, with prose before and after. A call counts as attempted where `forms.opening_here` finds
    an opening at the start of the answer (after reasoning, spaces and a fence), after a call or in a tag, or where
    `forms.opening_within` finds one in prose. An attempt that cannot be read makes the whole answer malformed; an
    answer without an attempt is prose, the empty list `[]` included.

    Without a style every form is read, several in one answer too. A style reads its own forms alone, with the same
    reasoning, fences and prose around them:
    python  lists of calls, and calls without brackets
    json    JSON objects and lists of them, with `arguments` or `parameters`
    llama3  the same, after <|python_tag|> too, where calls in Python may stand as well
    hermes  JSON objects in <tool_call>
    There, what opens a call of another form even within prose makes the answer malformed; weaker signs, such as a `{`
    at the start of an answer in python style, are prose. Raises ValueError for a style that is not known.
    """
    try:
        calls = _AnswerReader(text, style_forms(style)).calls()
    except Unreadable as error:
        return ParsedAnswer("malformed", problem=error.problem, position=error.position)
    return ParsedAnswer("calls", tuple(calls)) if calls else ParsedAnswer("prose")


class _AnswerReader:
    def __init__(self, text: str, forms: StyleForms):
        self.text = text
        self.forms = forms
        self.literals = LiteralReader(text)
        self.found: list[ToolCall] = []

    def calls(self) -> list[ToolCall]:
        position = after_separators(self.text, after_reasoning(self.text))
        while opening := self._next_opening(position):
            position = after_separators(self.text, self._read(opening))
        return self.found

    def _next_opening(self, position: int) -> Opening | None:
        here = opening_here(self.text, position)
        if here is not None and self.forms.hold(self.text, here):
            return here
        within = opening_within(self.text, position)
        if within is not None and not self.forms.hold(self.text, within):
            raise Unreadable("a call in another form than the style's", within.position)
        return within

    def _read(self, opening: Opening) -> int:
        readers = {"list": self._list, "json": self._json, "bare": self._bare, "tag": self._tagged}
        return readers[opening.form](opening.position)

    def _add(self, call: ToolCall, position: int) -> None:
        if len(self.found) == MAX_CALLS:
            raise Unreadable(f"more than {MAX_CALLS} calls", position)
        self.found.append(call)

    def _tagged(self, position: int) -> int:
        tag = TAG.match(self.text, position)
        assert tag is not None
        closing = CLOSING_TAG[tag[0]]
        before, position = len(self.found), after_separators(self.text, tag.end())
        forms = self.forms.in_tag(tag[0])
        while (opening := opening_here(self.text, position)) and opening.form in forms:
            position = after_separators(self.text, self._read(opening))
        if len(self.found) == before:
            raise Unreadable(f"no call after {tag[0]}", position)
        if closing is None or position == len(self.text) or (opening and opening.form == "tag"):
            return position
        if not self.text.startswith(closing, position):
            raise Unreadable(f"expected a call or {closing}", position)
        return position + len(closing)

    def _json(self, position: int) -> int:
        value, end = self.literals.value(position)
        for entry in value if isinstance(value, list) else [value]:
            self._add_json(entry, position)
        return end

    def _add_json(self, entry: Any, position: int) -> None:
        if isinstance(entry, dict) and isinstance(entry.get("tool_calls"), list):
            for inner in entry["tool_calls"]:
                self._add(self._json_call(inner, position), position)
        else:
            self._add(self._json_call(entry, position), position)

    def _json_call(self, entry: Any, position: int) -> ToolCall:
        if isinstance(entry, dict) and isinstance(entry.get("function"), dict):
            entry = entry["function"]
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            raise Unreadable("JSON that is no call: no object with a name", position)
        given = [key for key in ("arguments", "parameters") if key in entry]
        if len(given) == 2:
            raise Unreadable("a JSON call with both arguments and parameters", position)
        if not given and entry.keys() - {"name", "id", "type"}:
            raise Unreadable("a JSON object with a name and no arguments", position)
        arguments = entry[given[0]] if given else None
        if isinstance(arguments, str):
            arguments = self._arguments_in_string(arguments, position)
        if arguments is not None and not isinstance(arguments, dict):
            raise Unreadable("JSON arguments that are no object", position)
        return ToolCall(entry["name"], arguments or {})

    def _arguments_in_string(self, text: str, position: int) -> Any:
        inner = LiteralReader(text, self.literals.values)
        start = inner.skip_space(0)
        if start == len(text):
            return None
        try:
            value, end = inner.value(start)
        except Unreadable as error:
            raise Unreadable(f"in a string of arguments: {error.problem}", position) from None
        self.literals.values = inner.values
        if inner.skip_space(end) != len(text):
            raise Unreadable("text after the object in a string of arguments", position)
        return value

    def _list(self, position: int) -> int:
        literals = self.literals
        position = literals.skip_space(position + 1)
        while literals.peek(position) != "]":
            position, _ = literals.after_item(self._call(position), "]")
        return position + 1

    def _bare(self, position: int) -> int:
        end = self._call(position)
        rest = self.text[end : end + 16].lstrip(" \t")
        if rest and rest[0] not in ",;\n\r`<":
            raise Unreadable("text on the same line after a call without brackets", end)
        return end

    def _call(self, position: int) -> int:
        match = NAME.match(self.text, position)
        if match is None:
            raise Unreadable("expected a call: a name and '('", position)
        name = self.literals.string(position)[0] if self.text[position] == '"' else match[0].strip()
        arguments, positional, end = self._arguments(match.end() + 1)
        self._add(ToolCall(name, arguments, tuple(positional)), position)
        return end

    def _arguments(self, position: int) -> tuple[Mapping[str, Any], list[Any], int]:
        literals = self.literals
        arguments: dict[str, Any] = {}
        positional: list[Any] = []
        position = literals.skip_space(position)
        while literals.peek(position) != ")":
            start = position
            match = KEY.match(self.text, position)
            if match is None:
                value, position = literals.value(position)
                positional.append(value)
            else:
                key = literals.string(position)[0] if self.text[position] == '"' else match[0][:-1].strip()
                if key in arguments:
                    raise Unreadable(f"the parameter {key[:40]!a} twice", start)
                arguments[key], position = literals.value(literals.skip_space(match.end()))
            position, _ = literals.after_item(position, ")")
        return arguments, positional, position + 1
