"""parse_calls: what a model's answer says, as calls, prose or a typed reason why it cannot be read."""

from __future__ import annotations

from itool_jax.toolcall.forms import (
    CLOSING_TAG,
    TAG,
    Opening,
    StyleForms,
    after_reasoning,
    after_separators,
    opening_here,
    opening_within,
    style_forms,
)
from itool_jax.toolcall.function_calls import read_function, read_named
from itool_jax.toolcall.json_calls import calls_of_json
from itool_jax.toolcall.literals import LiteralReader, Unreadable
from itool_jax.toolcall.python_calls import read_python_call
from itool_jax.toolcall.types import MAX_CALLS, CallStyle, ParsedAnswer, ToolCall


def parse_calls(text: str, style: CallStyle | None = None) -> ParsedAnswer:
    """Read the calls of a model's answer; never raises, never evaluates, takes time linear in the text.

    Forms: `[f(a=1), g()]`, the same without brackets, JSON objects or lists of them, `<function=f>` with its arguments,
    and these in fenced blocks or tags such as <tool_call>, with prose before and after. A call counts as attempted
    where `forms.opening_here` finds an opening at the start of the answer (after reasoning, spaces and a fence), after
    a call or in a tag, or where `forms.opening_within` finds one in prose. An attempt that cannot be read makes the
    whole answer malformed; an answer without an attempt is prose, the empty list `[]` included.

    Without a style every form is read, several in one answer too. A style reads its own forms alone, with the same
    reasoning, fences and prose around them:
    python  lists of calls, and calls without brackets
    json    JSON objects and lists of them, with `arguments` or `parameters`
    llama3  the same and <function=f>{...}</function>; after <|python_tag|> calls in Python as well
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
        opening = opening_here(self.text, position, self.forms.plain) or opening_within(self.text, position)
        if opening is not None and not self.forms.hold(self.text, opening):
            raise Unreadable("a call in another form than the style's", opening.position)
        return opening

    def _read(self, opening: Opening) -> int:
        readers = {
            "list": self._list,
            "json": self._json,
            "bare": self._bare,
            "function": self._function,
            "named": self._named,
            "tag": self._tagged,
        }
        return readers[opening.form](opening.position)

    def _add(self, call: ToolCall, position: int) -> None:
        if len(self.found) == MAX_CALLS:
            raise Unreadable(f"more than {MAX_CALLS} calls", position)
        self.found.append(call)

    def _tagged(self, position: int) -> int:
        tag = TAG.match(self.text, position)
        assert tag is not None
        forms, closing = self.forms.tags[tag[0]], CLOSING_TAG[tag[0]]
        position = start = after_separators(self.text, tag.end())
        while (opening := opening_here(self.text, position, forms)) and opening.form != "tag":
            position = after_separators(self.text, self._read(opening))
        if position == start:
            raise Unreadable(f"no call after {tag[0]}", position)
        if closing is None or position == len(self.text) or opening:
            return position
        if not self.text.startswith(closing, position):
            raise Unreadable(f"expected a call or {closing}", position)
        return position + len(closing)

    def _json(self, position: int) -> int:
        value, end = self.literals.value(position)
        for call in calls_of_json(value, self.literals, position):
            self._add(call, position)
        return end

    def _function(self, position: int) -> int:
        call, end = read_function(self.literals, position)
        self._add(call, position)
        return end

    def _named(self, position: int) -> int:
        call, end = read_named(self.literals, position)
        self._add(call, position)
        return end

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
        call, end = read_python_call(self.literals, position)
        self._add(call, position)
        return end
