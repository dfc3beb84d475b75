"""Where a call begins: the openings of the forms in which models write calls, and what tells them from prose."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from itool_jax.toolcall.types import CallStyle

Form = Literal["list", "json", "bare", "function", "named"]

_NAME_CHARACTERS = r"""[^()\[\]{}="\n]"""
_LITERAL_WORD = r"(?:True|False|None|true|false|null)\b"
_WORD_GROUP = (
    rf"""\((?!\s*+(?:["']|(?:[+-]?[\d.]++|{_LITERAL_WORD})\s*+[,)]))[^()\[\]{{}}="\n]{{1,64}}+\)"""
    r"""(?=\s*+[^\s,;)\]])"""
)
_BARE_NAME = rf"(?!\s){_NAME_CHARACTERS}{{1,128}}+(?:{_WORD_GROUP}{_NAME_CHARACTERS}{{0,128}}+)*+"
_QUOTED_NAME = r'"(?:[^"\\\n\r\0]++|\\[\s\S])*+"\s*+'
_IDENTIFIER = r"[^\W\d][\w.\-/]*+"
_KEY = r"""[^=,()\[\]{}"'\n]++=(?!=)|"(?:[^"\\\n\r\0]++|\\[\s\S])*+"\s*+=(?!=)"""
_VALUE = rf"""["'\[{{\d+-]|{_LITERAL_WORD}"""

NAME = re.compile(rf"(?:{_BARE_NAME}|{_QUOTED_NAME})(?=\()")
KEY = re.compile(_KEY)
SEPARATORS = re.compile(r"(?:[\s,;]|`{1,3}(?:[\w+-]*+[ \t]*+(?=\n)|(?:json|python|tool_call|tool_code)\b)?)*+")

CLOSING_TAG = {
    "<tool_call>": "</tool_call>",
    "<function_call>": "</function_call>",
    "<TOOLCALL>": "</TOOLCALL>",
    "<|tool_call_start|>": "<|tool_call_end|>",
    "<|python_start|>": "<|python_end|>",
    "<functioncall>": None,
    "<|tool_call|>": None,
    "<|python_tag|>": None,
    "[TOOL_CALLS]": None,
}
TAG = re.compile("|".join(map(re.escape, CLOSING_TAG)))
FUNCTION = re.compile(r"<function=([^<>\n]{1,256}+)>\s*+")
NAMED = re.compile(r"([\w.\-/]++)(?:\[CALL_ID\]\w*+)?(?:\[ARGS\])?\s*+(?=\{)")

_REASONING = re.compile(r"\s*+<think>(?:.*?</think>|.*+)", re.DOTALL)
_THINK_END = "</think>"
_REASONING_END = re.compile(rf"{_THINK_END}[ \t]*+(?=\n)(?:\s*+{_THINK_END})*+")
_CLOSED_PROSE_BRACKET = re.compile(r"\[[^\[\](){}]*+\]")
_BRACKETED_QUOTED_NAME = re.compile(rf"\[\s*+{_QUOTED_NAME}\(")
_JSON_LIST = re.compile(r"\[\s*+[{\]]")
_BARE_CALL = re.compile(rf"""{_IDENTIFIER}\(\s*+(?:\)|{_KEY}|{_VALUE}|[^=,()\[\]{{}}"'\n]*+\Z)""")
_EMBEDDED = re.compile(
    rf"(?P<tag>{TAG.pattern})"
    rf"|(?P<function>{FUNCTION.pattern})"
    rf"|(?P<list>\[\s*+(?:{_IDENTIFIER}\(\s*+(?:\)|{_KEY}|{_VALUE})|(?:{_BARE_NAME}|{_QUOTED_NAME})\(\s*+(?:\)|{_KEY})))"
    r"""|(?P<json>\{\s*+(?:["']name["']\s*+:\s*+"(?:[^"\\\n]|\\.){0,256}+"\s*+,\s*+["'](?:arguments|parameters)["']\s*+:"""
    r"""|["'](?:arguments|parameters)["']\s*+:\s*+\{))"""
)


class Opening(NamedTuple):
    """The place where an attempted call begins: its form, or that of a tag, and the character offset."""

    form: Form | Literal["tag"]
    position: int


@dataclass(frozen=True)
class StyleForms:
    """The forms that a style reads: `plain` outside of tags, and for each tag that it knows those inside."""

    plain: frozenset[Form]
    tags: Mapping[str, frozenset[Form]] = field(default_factory=dict)

    def hold(self, text: str, opening: Opening) -> bool:
        """Whether the style reads this opening, which is outside of tags."""
        tag = TAG.match(text, opening.position)
        return tag[0] in self.tags if tag else opening.form in self.plain


def style_forms(style: CallStyle | None) -> StyleForms:
    """The forms of a style, those of all styles for None; raises ValueError for a style that is not known."""
    if style not in _STYLE_FORMS:
        raise ValueError(f"unknown call style {style!r}: expected one of python, json, llama3, hermes")
    return _STYLE_FORMS[style]


_ANY: frozenset[Form] = frozenset(("list", "json", "bare", "function"))
_MISTRAL: frozenset[Form] = _ANY | frozenset[Form](("named",))
_STYLE_FORMS: dict[CallStyle | None, StyleForms] = {
    None: StyleForms(_ANY, {**dict.fromkeys(CLOSING_TAG, _ANY), "[TOOL_CALLS]": _MISTRAL}),
    "python": StyleForms(frozenset(("list", "bare"))),
    "json": StyleForms(frozenset(("json",))),
    "llama3": StyleForms(frozenset(("json", "function")), {"<|python_tag|>": _ANY}),
    "hermes": StyleForms(frozenset(), {"<tool_call>": frozenset(("json",))}),
}


def after_reasoning(text: str) -> int:
    """The offset after a `<think>` block at the start; the end of the text where the block is not closed.

    Templates that write `<think>` into the prompt leave an answer with `</think>` alone. There, what stands before it
    is reasoning, calls that are only considered included, if it ends a line and something follows. An answer that ends
    with it has nothing else to say, so what stands before it is read: `[f(a=1)]\\n</think>` makes its call.
    """
    match = _REASONING.match(text) or _REASONING_END.search(text, 0, _end_of_words(text))
    return match.end() if match else 0


def _end_of_words(text: str) -> int:
    """Where a text ends without the spaces, fence marks and `</think>` at its end."""
    end = len(text)
    while end:
        if text.endswith(_THINK_END, 0, end):
            end -= len(_THINK_END)
        elif text[end - 1].isspace() or text[end - 1] == "`":
            end -= 1
        else:
            break
    return end


def after_separators(text: str, position: int) -> int:
    """The offset after spaces, commas, semicolons and fence marks."""
    match = SEPARATORS.match(text, position)
    return match.end() if match else position


def opening_here(text: str, position: int, forms: frozenset[Form]) -> Opening | None:
    """The opening of one of the forms at `position`, where a call may be expected; a tag whatever the forms.

    That is at the answer's start, after another call or in a tag. `{`, `[{` and `[]` open JSON; `[` opens a list
    unless its bracket closes without a parenthesis (`[Note] ...`); a name directly before `(` and then `)`, `key=`, a
    literal or the end of the text opens a call without brackets.
    """
    if TAG.match(text, position):
        return Opening("tag", position)
    form = _form_here(text, position, forms)
    return Opening(form, position) if form in forms else None


def opening_within(text: str, position: int) -> Opening | None:
    """The first opening after prose: a tag, `<function=name>`, `[name(` with `)` or `key=` after it, or JSON with a
    name and arguments.
    """
    match = _EMBEDDED.search(text, position)
    if match is None:
        return None
    form = match.lastgroup
    assert form in ("tag", "function", "list", "json")
    return Opening(form, match.start())


def _form_here(text: str, position: int, forms: frozenset[Form]) -> Form | None:
    if text.startswith("{", position) or _JSON_LIST.match(text, position):
        return "json"
    if text.startswith("[", position):
        prose = _CLOSED_PROSE_BRACKET.match(text, position) and not _BRACKETED_QUOTED_NAME.match(text, position)
        return None if prose else "list"
    if FUNCTION.match(text, position):
        return "function"
    if "named" in forms and NAMED.match(text, position):
        return "named"
    return "bare" if _BARE_CALL.match(text, position) else None
