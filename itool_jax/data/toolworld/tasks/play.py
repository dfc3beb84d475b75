"""The play of a task while it is made: a live state, what the user knows, and the turn that is being written."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import permutations
from random import Random
from typing import Any

from itool_jax.data.toolworld.large.concept import Slot
from itool_jax.data.toolworld.large.marks import mark
from itool_jax.data.toolworld.large.wording import Voice, Wish
from itool_jax.data.toolworld.tasks.backend import Family, State, execute, fresh
from itool_jax.toolcall.types import ToolCall

Move = Callable[["Play"], bool]
_COREFERENCE = 0.75  # share of the things spoken of last that are meant by "it"
_STAY = 0.65
_REPEATABLE = ("add_", "create_", "book_", "pay_", "transfer_")


@dataclass
class Play:
    """A task in the making; moves call its methods.

    ids     id of each thing that a result in the conversation has shown, by (kind, name)
    last    the thing of each kind that was spoken of last, and can be meant by "it"
    wishes  what the user asks for in this turn
    steps   the calls of this turn, those of one step made at once
    wanted  those of them whose results the user asked for
    """

    rng: Random
    family: Family
    state: State
    voice: Voice
    ids: dict[tuple[str, str], str] = field(default_factory=dict)
    last: dict[str, str] = field(default_factory=dict)
    wishes: list[Wish] = field(default_factory=list)
    steps: list[list[ToolCall]] = field(default_factory=list)
    wanted: list[ToolCall] = field(default_factory=list)

    def turn(self) -> None:
        """Begins a new turn."""
        self.wishes, self.steps, self.wanted = [], [], []

    def attempt(self, move: Move) -> bool:
        """Makes a move; where it cannot be made or would come to nothing, all is as before."""
        state, ids, last = fresh(self.state), dict(self.ids), self.last
        wishes, steps, wanted = list(self.wishes), list(self.steps), list(self.wanted)
        self.last = dict(last)
        untouched = self.last
        if move(self) and (self.state != state or self.wanted != wanted) and not self._asks_twice():
            if self.last is untouched:  # the talk has come to something else, so "it" would be unclear
                self.last = {}
            return True
        self.state, self.ids, self.last = state, ids, last
        self.wishes, self.steps, self.wanted = wishes, steps, wanted
        return False

    def _asks_twice(self) -> bool:
        """Whether the last wish undoes or repeats an earlier one of the turn."""
        names = [wish.concept.key for wish in self.wishes]
        return names[-1] in names[:-1] and not names[-1].startswith(_REPEATABLE)

    def independent(self, before: State) -> bool:
        """Whether the steps of this turn give the same results and the same end in any order."""
        outcomes = set()
        for order in permutations(range(len(self.steps))):
            state = fresh(before)
            results = {i: execute(self.family, state, self.steps[i][0]) for i in order}
            outcomes.add(json.dumps([state, sorted(results.items())], sort_keys=True))
        return len(outcomes) == 1

    def draw(self, slot: Slot) -> Any:
        return slot.kind.draw(self.rng, self.voice.day)

    def call(self, function: str, **arguments: Any) -> dict[str, Any]:
        """Makes a call as a step of its own; it must succeed."""
        made = ToolCall(function, arguments)
        result = execute(self.family, self.state, made)
        if "error" in result:
            raise AssertionError(f"{self.family.name}: {made} gave {json.dumps(result)}")
        self.steps.append([made])
        return result

    def ask(self, function: str, values: Mapping[str, Any], thing: str = "", wanted: bool = False) -> None:
        """The user asks for the last call: `thing` stands where the function's asks say {o}."""
        concept = self.family.table[function].concept
        asks = tuple(ask.replace("{o}", thing) for ask in concept.asks)
        self.wishes.append(Wish(replace(concept, asks=asks), values))
        if wanted:
            self.wanted.append(self.steps[-1][-1])

    def choose(self, kind: str, names: Sequence[str]) -> str:
        """One of the things, rather the one that was spoken of last."""
        last = self.last.get(kind)
        return last if last in names and last is not None and self.rng.random() < _STAY else self.rng.choice(names)

    def mention(self, kind: str, name: str, said: str) -> str:
        """How the user refers to a thing: by its name in `said`, or as "it" where it was spoken of last."""
        again = self.last.get(kind) == name and self.rng.random() < _COREFERENCE
        self.last = {kind: name}
        return self.rng.choice(("it", "that one", f"that {kind}", "it")) if again else said.replace("{}", mark(name))

    def found(self, kind: str, name: str, find: Callable[[], str]) -> str:
        """The id of a thing: from an earlier result, else by the calls of `find`."""
        if (kind, name) not in self.ids:
            self.ids[kind, name] = find()
        return self.ids[kind, name]
