"""Tasks, each a function of seed, split, tool set and its own number alone, and their turns as examples."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from itool_jax.data.difficulty import difficulty
from itool_jax.data.example import Example, Message
from itool_jax.data.toolworld.generate import SPLITS, Split, split_of
from itool_jax.data.toolworld.large import clock, phrases
from itool_jax.data.toolworld.large.marks import capital, misspelled, plain
from itool_jax.data.toolworld.large.wording import draw_voice, request
from itool_jax.data.toolworld.pool import TOOL_SETS, ToolSet
from itool_jax.data.toolworld.tasks.backend import fresh
from itool_jax.data.toolworld.tasks.checker import Session, check_final_state
from itool_jax.data.toolworld.tasks.families import TRAIN, UNSEEN
from itool_jax.data.toolworld.tasks.play import Play
from itool_jax.data.toolworld.tasks.task import Task, Turn
from itool_jax.errors import UserError
from itool_jax.toolcall import write_calls
from itool_jax.toolcall.types import ToolCall

_MAX_DRAFTS = 1000
_TURNS = (2, 5)


@dataclass(frozen=True)
class TaskWorld:
    """A seeded stream of tasks; splits and tool sets are as in `LargeWorld`, "unseen" being two families of its own."""

    seed: int
    split: Split = "train"
    tools: ToolSet = "train"
    typo_share: float = 0.1

    def __post_init__(self):
        for name, known in (("split", SPLITS), ("tools", TOOL_SETS)):
            if getattr(self, name) not in known:
                raise UserError(f"unknown {name} {getattr(self, name)!r} of the tasks; known are {', '.join(known)}.")
        if not 0 <= self.typo_share <= 1:
            raise UserError(f"typo_share of the tasks is {self.typo_share}; expected a share from 0 to 1.")

    def task(self, number: int) -> Task:
        """Task `number`, from 0."""
        rng = Random(f"tasks/{self.seed}/{self.split}/{self.tools}/{number}")
        for _ in range(_MAX_DRAFTS):
            task = self._draft(rng, number)
            idle = check_final_state(task, [()] * len(task.turns))
            if not idle and split_of((Message("user", task.turns[0].request),)) == self.split:
                return task
        raise RuntimeError(f"no task of the split {self.split} in {_MAX_DRAFTS} drafts")

    def _draft(self, rng: Random, number: int) -> Task:
        family = rng.choice(TRAIN if self.tools == "train" else UNSEEN)
        day = clock.any_day(rng, told=True)
        initial = family.initial(rng)
        play = Play(rng, family, fresh(initial), draw_voice(rng, day))
        turns = tuple(self._turn(play) for _ in range(rng.randint(*_TURNS)))
        name = self.split if self.tools == "train" else f"{self.tools}-{self.split}"
        return Task(
            id=f"toolworld/tasks-{name}/s{self.seed}/{number:06d}",
            family=family.name,
            tools=tuple(rng.sample(family.tools, len(family.tools))),
            system=clock.system_line(day, rng),
            initial=initial,
            turns=turns,
        )

    def _turn(self, play: Play) -> Turn:
        rng = play.rng
        play.turn()
        before = fresh(play.state)
        target = rng.choices((1, 2, 3), (6, 3, 1))[0]
        while len(play.wishes) < target:
            play.attempt(rng.choice(play.family.moves))
        text = request(play.wishes, play.voice)
        if rng.random() < self.typo_share:
            text = misspelled(text, rng, 1)
        steps = tuple(tuple(step) for step in play.steps)
        if len(steps) == target and play.independent(before):
            steps = (tuple(call for step in steps for call in step),)
        return Turn(plain(text), steps, tuple(play.wanted))

    def examples(self, count: int, *, start: int = 0) -> Iterator[Example]:
        """Every assistant turn of the tasks `start` to `start + count - 1`."""
        for number in range(start, start + count):
            yield from task_examples(self.task(number))


def task_examples(task: Task) -> Iterator[Example]:
    """An example for each assistant turn: those that call, and the one that ends each user turn in prose."""
    session = Session(task)
    messages = [Message("system", task.system)]
    for place, turn in enumerate(task.turns):
        messages.append(Message("user", turn.request))
        results: list[tuple[ToolCall, str]] = []
        for number, step in enumerate(turn.steps):
            yield _example(task, f"{place}.{number}", messages, write_calls(step), step)
            messages.append(Message("assistant", write_calls(step), step))
            made = [(call, session.run(call)) for call in step]
            messages += [Message("tool", result) for _, result in made]
            results += made
        prose = _told(turn, results)
        yield _example(task, f"{place}.{len(turn.steps)}", messages, prose, ())
        messages.append(Message("assistant", prose))


def _example(task: Task, place: str, messages: list[Message], answer: str, calls: tuple[ToolCall, ...]) -> Example:
    example = Example(f"{task.id}/{place}", task.tools, tuple(messages), answer, calls, "toolworld")
    meta = {"scene": "task", "task": task.id, "turn": place, "family": task.family, "difficulty": difficulty(example)}
    return Example(example.id, task.tools, example.messages, answer, example.calls, "toolworld", meta)


def _told(turn: Turn, results: list[tuple[ToolCall, str]]) -> str:
    """The end of a turn: what was wanted, else that it is done."""
    if not turn.wanted:
        return phrases.DONE[len(turn.request) % len(phrases.DONE)]
    return " ".join(_spoken(json.loads(result)) for call, result in results if call in turn.wanted)


def _spoken(result: dict[str, Any]) -> str:
    return capital(", ".join(f"{key.replace('_', ' ')}: {_value(value)}" for key, value in result.items())) + "."


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(f"{key.replace('_', ' ')} {_value(part)}" for key, part in value.items())
    return (", ".join(map(_value, value)) or "none") if isinstance(value, list) else str(value)
