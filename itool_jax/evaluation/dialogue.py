"""Dialogues: conversations of several turns that a model has with tools that are really run, step by step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Literal, Self

from itool_jax.data.example import Example, Message
from itool_jax.toolcall import Tool, ToolCall

STEPS_MAX = 20  # calls follow on calls in one turn at most so often, as in BFCL's official driver

Ending = Literal["", "steps", "context"]
Texts = Sequence[Sequence[str]]  # a model's raw answers: turns, each of its steps


class Dialogue(ABC):
    """One conversation on its way: `prompt` is what to ask the model next, until `done`.

    texts   the raw answers so far: turns, each of its steps
    ending  "" for all turns, "steps" where a turn went over STEPS_MAX, "context" where the caller gave up
    Close it (or use `with`) to let go of what its tools hold.
    """

    def __init__(self, id: str, turns: int, source: str, meta: Mapping[str, Any]):
        """`turns` is how many there are. A subclass calls `begin` once its tools are ready; `holds` is to be closed."""
        self.id, self.holds = id, ExitStack()
        self.texts: list[list[str]] = []
        self.ending: Ending = ""
        self.done = False
        self.tools: tuple[Tool, ...] = ()
        self._turns, self._source, self._meta = turns, source, meta
        self._messages: list[Message] = []

    @abstractmethod
    def opening(self, turn: int) -> Sequence[Message]:
        """What begins a turn, from 0; tools that join then are added to `tools` here."""

    @abstractmethod
    def read(self, text: str) -> tuple[ToolCall, ...]:
        """The calls of one answer; none where it is prose or cannot be read: that ends a turn."""

    @abstractmethod
    def execute(self, calls: Sequence[ToolCall]) -> Sequence[str]:
        """Runs the calls in order; their results as the model is to see them."""

    def close(self) -> None:
        """Lets go of what the tools hold; nothing is asked after that."""
        self.holds.close()

    @property
    def prompt(self) -> Example:
        """The conversation up to now; its answer is open, so the Example has none."""
        step = sum(map(len, self.texts))
        messages = tuple(self._messages)
        return Example(f"{self.id}/{step}", self.tools, messages, "", source=self._source, meta=self._meta)

    def begin(self) -> None:
        """Begins the next turn."""
        self.texts.append([])
        self._messages += self.opening(len(self.texts) - 1)

    def receive(self, text: str) -> None:
        """Takes the model's answer: runs its calls, or goes to the next turn where it makes none."""
        calls = self.read(text)
        self.texts[-1].append(text)
        self._messages.append(Message("assistant", text, calls))
        if calls:
            self._messages += [Message("tool", result) for result in self.execute(calls)]
            if len(self.texts[-1]) > STEPS_MAX:
                self.stop("steps")
        elif len(self.texts) < self._turns:
            self.begin()
        else:
            self.stop("")

    def stop(self, ending: Ending) -> None:
        """Ends it. With an ending it is given up: what is left is not asked, and it is wrong."""
        self.ending, self.done = ending, True
        self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True)
class Script:
    """What a dialogue follows, and how it is judged.

    example    the first turn, for its difficulty
    questions  what users say, an Example for each turn with the turns up to it, to look for in training data
    expected   the right calls as a text, to be shown
    content    all that the answers depend on, as a JSON value
    open       begins a dialogue
    judge      what is wrong with all texts of one that reached its end or its bound of steps; None if it is right
    """

    id: str
    example: Example
    questions: tuple[Example, ...]
    expected: str
    content: Any
    open: Callable[[], Dialogue]
    judge: Callable[[Texts], str | None]


def users_turns(id: str, source: str, turns: Sequence[Sequence[Message]]) -> tuple[Example, ...]:
    """An Example for each turn, with the turns up to it: the `questions` of a Script."""
    said: tuple[Message, ...] = ()
    examples = []
    for number, turn in enumerate(turns):
        said = (*said, *turn)
        examples.append(Example(f"{id}/{number}", (), said, "", source=source))
    return tuple(examples)


def shown_turns(turns: Sequence[object]) -> str:
    """Turns as lines of one text."""
    return "\n".join(f"turn {number}: {turn}" for number, turn in enumerate(turns))
