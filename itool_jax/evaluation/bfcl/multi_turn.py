"""Multi-turn entries of BFCL, step by step: a model calls, sees the results, and says prose when a turn is done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Literal

from itool_jax.data.example import Example, Message
from itool_jax.evaluation.bfcl.answers import read_as_official
from itool_jax.evaluation.bfcl.back_ends import back_ends, is_json, official_error
from itool_jax.evaluation.bfcl.entries import Entry
from itool_jax.evaluation.bfcl.official import decode
from itool_jax.evaluation.bfcl.prompts import SOURCE, messages, tools
from itool_jax.toolcall import Tool, ToolCall, parse_calls

STEPS_MAX = 20  # calls follow on calls in one turn at most so often, as in the official driver
MORE_FUNCTIONS = "I have updated some more functions you can choose from. What about now?"

Respond = Callable[[Sequence[Message], Sequence[Tool]], str]
Ending = Literal["", "steps", "context"]

_ERRORS = {
    "multi_turn:force_terminated": "too_many_steps",
    "multi_turn:empty_turn_model_response": "missing_call",
    "multi_turn:instance_state_mismatch": "final_state",
    "multi_turn:execution_response_mismatch": "missing_result",
}


class Conversation:
    """One entry on its way: `prompt` is what to ask the model next, until `done`.

    texts   the raw answers so far: turns, each of its steps
    ending  "" for all turns, "steps" where a turn went over STEPS_MAX, "context" where the caller gave up
    Close it (or use `with`) to let its back ends go.
    """

    def __init__(self, entry: Entry):
        self.entry = entry
        self.texts: list[list[str]] = []
        self.ending: Ending = ""
        self.done = False
        self._stack = ExitStack()
        self._back_ends = self._stack.enter_context(back_ends(entry))
        self._tools = tools(entry.functions, entry.language)
        self._messages: list[Message] = []
        self._begin_turn()

    @property
    def prompt(self) -> Example:
        """The conversation up to now; its answer is open, so the Example has none."""
        step = sum(map(len, self.texts))
        return Example(
            id=f"{self.entry.id}/{step}",
            tools=self._tools,
            messages=tuple(self._messages),
            answer="",
            source=SOURCE,
            meta={"category": self.entry.category},
        )

    def receive(self, text: str) -> None:
        """Takes the model's answer: executes its calls, or goes to the next turn where it makes none."""
        calls = read_step(text)
        self.texts[-1].append(text)
        self._messages.append(Message("assistant", text, calls))
        if not calls:
            self._next_turn()
            return
        self._messages += [Message("tool", result) for result in self._back_ends.execute(calls)]
        if len(self.texts[-1]) > STEPS_MAX:
            self.stop("steps")

    def stop(self, ending: Ending) -> None:
        """Gives the conversation up: what is left of it is not asked, and the entry is wrong."""
        self.ending, self.done = ending, True
        self.close()

    def close(self) -> None:
        self._stack.close()

    def __enter__(self) -> Conversation:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _next_turn(self) -> None:
        if len(self.texts) == len(self.entry.turns):
            self.done = True
            self.close()
        else:
            self._begin_turn()

    def _begin_turn(self) -> None:
        turn = len(self.texts)
        self.texts.append([])
        joining = self.entry.held_back.get(turn)
        if joining:
            self._tools += tools(joining, self.entry.language)
            self._messages.append(Message("user", MORE_FUNCTIONS))
        else:
            self._messages += messages(self.entry.turns[turn])


def converse(entry: Entry, respond: Respond) -> Conversation:
    """The whole conversation with a model, given as a function of messages and tools."""
    with Conversation(entry) as conversation:
        while not conversation.done:
            prompt = conversation.prompt
            conversation.receive(respond(prompt.messages, prompt.tools))
    return conversation


def judge(entry: Entry, texts: Sequence[Sequence[str]], *, official: bool = False) -> str | None:
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
