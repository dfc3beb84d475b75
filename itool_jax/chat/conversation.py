"""A conversation under way: the tools on offer, what was said, and the results that the last calls still wait for."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from etils import epath

from itool_jax.chat.partner import Answer
from itool_jax.data.example import Example, Message
from itool_jax.errors import UserError
from itool_jax.toolcall import Tool, tools_from_json

_HALVES = re.compile("[\ud800-\udfff]")
_FORMS = "a JSON list of OpenAI tools, or of functions as ToolACE, BFCL and xLAM have them"


@dataclass(frozen=True)
class Conversation:
    """Tools, system message and turns; `waiting` calls of the last answer have no result yet."""

    tools: tuple[Tool, ...] = ()
    system: str = ""
    messages: tuple[Message, ...] = ()
    waiting: int = 0

    def asked(self, text: str) -> Conversation:
        """With a message of the user's; results that were waited for are not to come."""
        return replace(self, messages=(*self.messages, Message("user", whole(text))), waiting=0)

    def answered(self, answer: Answer) -> Conversation:
        """With the model's turn."""
        calls = answer.parsed.calls
        said = Message("assistant", answer.text, calls)
        return replace(self, messages=(*self.messages, said), waiting=len(calls))

    def with_result(self, text: str) -> Conversation:
        """With the result of the next call; raises UserError where none is waited for."""
        if not self.waiting:
            raise UserError("no call waits for a result: ask something first.")
        return replace(self, messages=(*self.messages, Message("tool", whole(text))), waiting=self.waiting - 1)

    def prompt(self) -> Example:
        """What the model is asked; its answer is open, so the Example has none."""
        system = (Message("system", whole(self.system)),) if self.system else ()
        return Example(f"chat/{len(self.messages)}", self.tools, (*system, *self.messages), "")


def whole(text: str) -> str:
    """The text with U+FFFD for what was no UTF-8: a terminal gives such bytes as halves of surrogate pairs."""
    return _HALVES.sub("\ufffd", text)


def read_tools(path: str) -> tuple[Tool, ...]:
    """The tools of a JSON file in any form that `toolcall.tools_from_json` reads; raises UserError for any other."""
    try:
        text = epath.Path(path).expanduser().read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or f"it is no UTF-8 text ({error})"
        raise UserError(f"cannot read the tools file {path}: {reason}. Expected {_FORMS}.") from error
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"the tools file {path} is no JSON: {error}. Expected {_FORMS}.") from error
    if isinstance(value, dict) and isinstance(value.get("tools"), list):
        value = value["tools"]
    try:
        tools = tools_from_json(value)
    except UserError as error:
        raise UserError(f"{path}: {error} Expected {_FORMS}.") from error
    _check(tools, path)
    return tools


def _check(tools: Sequence[Tool], path: str) -> None:
    names = [tool.name for tool in tools]
    if not tools:
        raise UserError(f"the tools file {path} holds no tools. Expected {_FORMS}.")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UserError(f"the tools file {path} has more than one tool of the name {twice[0]!r}: keep one of them.")
