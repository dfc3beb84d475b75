"""The tokenizer's own chat template, rendered as transformers' apply_chat_template does.

The template gets the conversation as chat interfaces send it: `messages` with role and content, an assistant's calls as
`tool_calls`, a tool's result as role `tool`, and `tools` as {"type": "function", "function": {...}}. Where a template
has no form for several calls in one turn (Llama 3) or loses the words before a call, such a turn is all content, its
calls in the template's style. Words after the calls have no place in these templates and are left out.

For the same messages the ids are those of transformers, but for this:
- The name of a special token within somebody's text is encoded as text; in transformers it becomes the token.
- Templates that ask for the date (Llama 3) get a fixed one, so that a run can be repeated.
- A token that would reach from the prompt into the answer is split there, see `encode_example`.
Tags that a tokenizer has as tokens but not as special ones, such as Qwen's <tool_call> and <think>, are tokens in every
text, as they are in transformers.
"""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, get_args

from itool_jax.data.chat.format import (
    ChatFormat,
    Segments,
    broken_prefix,
    encode_example,
    prose_before_calls,
    turn_text,
)
from itool_jax.data.chat.guard import LooksIntoTexts, guarded_segments, special_name
from itool_jax.data.chat.jinja import compiled
from itool_jax.data.example import Example, Message
from itool_jax.data.tokenizer import Tokenizer
from itool_jax.errors import UserError
from itool_jax.toolcall import CallStyle, Parameter, Tool, ToolCall, parse_calls, tool_to_json, write_calls

TEMPLATE = "template"
TEMPLATE_DATE = "2024-07-26"  # the date that Llama 3's template falls back on
OTHER_FORMATS = "choose config.data.chat=chatml or compact"

_TOOL = Tool("probe_tool", "Finds things", (Parameter("city", {"type": "string"}), Parameter("days", {}, False)))
_CALLS = (ToolCall("probe_tool", {"city": "Rome", "days": 2}), ToolCall("probe_tool", {"city": "Oslo"}))
_PROBE = "that tries the chat template"
_WORDS = "A moment, please."


def template_format(tokenizer: Tokenizer, date: str = TEMPLATE_DATE, thinking: bool = False) -> ChatFormat:
    """The chat format of the tokenizer's own template.

    `date` (YYYY-MM-DD) is what the template takes for today; `thinking` is passed on as `enable_thinking`. Short
    conversations are written and read back first: raises UserError for a tokenizer without a template, and where the
    template fails, leaves the tools or a call out, or prompts otherwise than the conversation goes on.
    """
    if "default" not in tokenizer.templates:
        raise UserError(
            "the tokenizer has no chat template (chat_template.jinja, or chat_template in tokenizer_config.json): "
            f"{OTHER_FORMATS}, or put the model's own template into the tokenizer's folder."
        )
    try:
        today = datetime.date.fromisoformat(date)
    except ValueError:
        raise UserError(f"config.data.chat_date is {date!r}; expected a date such as {TEMPLATE_DATE}.") from None
    variables = {**tokenizer.roles, "enable_thinking": thinking}
    template = _Template(tokenizer.templates, tokenizer.special_names, today, variables)
    if not template.shows_tools():
        raise UserError(f"the tokenizer's chat template leaves tools out: {OTHER_FORMATS}.")
    template, end_of_turn = template.with_habits()
    program = json.dumps([dict(tokenizer.templates), dict(tokenizer.roles)], sort_keys=True)
    settings = {
        "chat template": hashlib.sha256(program.encode()).hexdigest(),
        "config.data.chat_date": date,
        "config.data.chat_thinking": str(thinking),
    }
    chat = ChatFormat(TEMPLATE, (end_of_turn,), end_of_turn, template.style, template.write, settings)
    for example in _probes():
        encode_example(chat, tokenizer, example)
    return chat


def knows_tools(tokenizer: Tokenizer) -> bool:
    """Whether the tokenizer has a template that shows the model its tools; one that fails there counts as such."""
    if "default" not in tokenizer.templates:
        return False
    today = datetime.date.fromisoformat(TEMPLATE_DATE)
    try:
        return _Template(tokenizer.templates, tokenizer.special_names, today, tokenizer.roles).shows_tools()
    except UserError:
        return True


@dataclass(frozen=True)
class _Template:
    """A tokenizer's templates and what they are given besides the conversation.

    texts    by name: "default", and "tool_use" where another one is for conversations with tools
    names    of all special tokens
    style    how the template writes calls
    several  whether it can write several calls in one turn
    prose    whether it writes words before a call
    """

    texts: Mapping[str, str]
    names: frozenset[str]
    date: datetime.date
    variables: Mapping[str, Any]
    style: CallStyle = "json"
    several: bool = True
    prose: bool = True

    def write(self, example: Example, answered: bool) -> Segments:
        """The conversation as `ChatFormat.write` has it."""
        render = partial(self._render, add_generation_prompt=not answered)
        try:
            return guarded_segments(self._conversation(example, answered), render, self.names)
        except LooksIntoTexts:
            fault = "it changes texts in which names of special tokens stand"
        except UserError as error:
            fault = str(error)
        raise UserError(f"the tokenizer's chat template cannot write example {example.id!r}: {fault}.")

    def shows_tools(self) -> bool:
        return _TOOL.name in self._text(_example(), answered=False)

    def with_habits(self) -> tuple[_Template, str]:
        """The template with style, several and prose as it is seen to do, and the name of the end-of-turn token."""
        turn = self._turn(_example(_CALLS[:1]))
        end_of_turn = special_name(self.names, turn) or ""
        written = _before(turn, end_of_turn)
        styles = [style for style in get_args(CallStyle) if parse_calls(written, style).calls == _CALLS[:1]]
        if not end_of_turn or not styles:
            raise UserError(f"the tokenizer's chat template writes a call as {turn!r}, which cannot be read.")
        exact = [style for style in styles if write_calls(_CALLS[:1], style) in turn]
        try:
            both = self._turn(_example(_CALLS))
        except UserError:  # as Llama 3's does on purpose
            both = ""
        several = parse_calls(_before(both, end_of_turn)).calls == _CALLS
        prose = _WORDS in self._turn(_example(_CALLS[:1], _WORDS))
        return replace(self, style=[*exact, *styles][0], several=several, prose=prose), end_of_turn

    def _turn(self, example: Example) -> str:
        """The answer and what follows it; raises UserError where the prompt is no beginning of the conversation."""
        prompt, whole = (self._text(example, answered=answered) for answered in (False, True))
        if not whole.startswith(prompt):
            raise broken_prefix(TEMPLATE, example, prompt, whole)
        return whole[len(prompt) :]

    def _text(self, example: Example, *, answered: bool) -> str:
        return self._render(self._conversation(example, answered), add_generation_prompt=not answered)

    def _conversation(self, example: Example, answered: bool) -> dict[str, Any]:
        answer = [Message("assistant", example.answer, example.calls)] if answered else []
        return {
            "messages": [self._message(message) for message in [*example.messages, *answer]],
            "tools": [{"type": "function", "function": tool_to_json(tool)} for tool in example.tools] or None,
        }

    def _message(self, message: Message) -> dict[str, Any]:
        if message.role != "assistant" or not message.calls:
            return {"role": message.role, "content": message.content}
        prose = prose_before_calls(message.content, message.calls)
        as_content = turn_text(message.content, message.calls, self.style)
        positional = any(call.positional for call in message.calls)  # which tool_calls cannot hold
        if positional or (prose and not self.prose) or (len(message.calls) > 1 and not self.several):
            return {"role": "assistant", "content": as_content}
        functions = [{"name": call.name, "arguments": dict(call.arguments)} for call in message.calls]
        calls = [{"type": "function", "function": function} for function in functions]
        return {"role": "assistant", "content": prose, "tool_calls": calls}

    def _render(self, conversation: Mapping[str, Any], *, add_generation_prompt: bool) -> str:
        name = "tool_use" if conversation["tools"] and "tool_use" in self.texts else "default"
        try:
            render = compiled(self.texts[name], self.date)
            return render(**conversation, **self.variables, documents=None, add_generation_prompt=add_generation_prompt)
        except Exception as error:
            raise UserError(f"{type(error).__name__}: {error}") from error


def _example(calls: Sequence[ToolCall] = (), words: str = "") -> Example:
    return Example(_PROBE, (_TOOL,), (Message("user", "Where to?"),), *_answer(calls, words))


def _answer(calls: Sequence[ToolCall], words: str = "") -> tuple[str, tuple[ToolCall, ...]]:
    return "\n".join(part for part in (words, write_calls(calls) if calls else "") if part), tuple(calls)


def _probes() -> list[Example]:
    """Conversations as data have them: prose, calls, results and turns after them, with and without tools."""
    one, both = _answer(_CALLS[:1]), _answer(_CALLS)
    answers = [(_WORDS, ()), one, both, _answer(_CALLS[:1], _WORDS)]
    question, result = Message("user", "Where to?"), Message("tool", '{"found": "Rome"}')
    opened = (question, Message("assistant", *one), result)
    again = (*opened, Message("assistant", _WORDS), question, Message("assistant", *both), result, result)
    conversations = [(question,), opened, again]
    probes = [Example(_PROBE, (_TOOL,), messages, *answer) for messages in conversations for answer in answers]
    return [*probes, Example(_PROBE, (), (question,), _WORDS)]


def _before(turn: str, end_of_turn: str) -> str:
    return turn.partition(end_of_turn)[0] if end_of_turn else turn
