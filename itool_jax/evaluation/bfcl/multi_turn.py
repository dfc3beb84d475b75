"""Multi-turn entries of BFCL, step by step: a model calls, sees the results, and says prose when a turn is done."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from itool_jax.data.example import Message
from itool_jax.evaluation.bfcl.answers import read_as_official
from itool_jax.evaluation.bfcl.back_ends import back_ends, is_json, official_error
from itool_jax.evaluation.bfcl.entries import Entry
from itool_jax.evaluation.bfcl.official import decode
from itool_jax.evaluation.bfcl.prompts import SOURCE, example, messages, tools
from itool_jax.evaluation.dialogue import Dialogue, Script, Texts, shown_turns, users_turns
from itool_jax.toolcall import Tool, ToolCall, parse_calls

MORE_FUNCTIONS = "I have updated some more functions you can choose from. What about now?"

Respond = Callable[[Sequence[Message], Sequence[Tool]], str]

_ERRORS = {
    "multi_turn:force_terminated": "too_many_steps",
    "multi_turn:empty_turn_model_response": "missing_call",
    "multi_turn:instance_state_mismatch": "final_state",
    "multi_turn:execution_response_mismatch": "missing_result",
}


class Conversation(Dialogue):
    """One entry on its way, with its back ends."""

    def __init__(self, entry: Entry):
        super().__init__(entry.id, len(entry.turns), SOURCE, {"category": entry.category})
        self.entry = entry
        self._back_ends = self.holds.enter_context(back_ends(entry))
        self.tools = tools(entry.functions, entry.language)
        self.begin()

    def opening(self, turn: int) -> Sequence[Message]:
        joining = self.entry.held_back.get(turn)
        if not joining:
            return messages(self.entry.turns[turn])
        self.tools += tools(joining, self.entry.language)
        return (Message("user", MORE_FUNCTIONS),)

    def read(self, text: str) -> tuple[ToolCall, ...]:
        return read_step(text)

    def execute(self, calls: Sequence[ToolCall]) -> Sequence[str]:
        return self._back_ends.execute(calls)


def script(entry: Entry) -> Script:
    """The entry as a benchmark asks it."""
    return Script(
        id=entry.id,
        example=example(entry),
        questions=users_turns(entry.id, entry.category, [messages(turn) for turn in entry.turns]),
        expected=shown_turns(entry.raw["ground_truth"]),
        content=dict(entry.raw),
        open=lambda: Conversation(entry),
        judge=lambda texts: judge(entry, texts),
    )


def converse(entry: Entry, respond: Respond) -> Conversation:
    """The whole conversation with a model, given as a function of messages and tools."""
    with Conversation(entry) as conversation:
        while not conversation.done:
            prompt = conversation.prompt
            conversation.receive(respond(prompt.messages, prompt.tools))
    return conversation


def judge(entry: Entry, texts: Texts, *, official: bool = False) -> str | None:
    """What is wrong with a conversation's raw answers (turns, each of its steps), or None if it is right.

    The calls are executed on fresh back ends and compared by the official checker: "too_many_steps" (not all turns
    were reached), "missing_call" (none in a turn that needs some), "final_state" (after a turn the back ends are not as
    after the right calls), "missing_result" (a result that the right calls give was never seen).
    official: read the texts by the official decoder instead of our parser.
    """
    read = (lambda text: _officially_read(text, entry)) if official else read_step
    error = official_error(entry, [[read(text) for text in steps] for steps in texts])
    return None if error is None else _ERRORS.get(error, error)


def read_step(text: str) -> tuple[ToolCall, ...]:
    """The calls of one answer; none where it is prose or cannot be read: that ends a turn, as officially."""
    calls = read_as_official(text)
    plain = calls and all(is_json(value) for call in calls for value in call.arguments.values())
    return tuple(calls) if calls and plain else parse_calls(text).calls


def _officially_read(text: str, entry: Entry) -> tuple[ToolCall, ...]:
    decoded = decode(text, entry) or ()
    return tuple(ToolCall(name, arguments) for calls in decoded for name, arguments in calls.items())
