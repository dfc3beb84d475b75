"""Examples of the large world, each a function of seed, split, tool set, difficulty and its own number alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from random import Random

from itool_jax.data.difficulty import Difficulty, difficulty
from itool_jax.data.example import Example, Message
from itool_jax.data.toolworld.generate import SPLITS, Split, drawn_levels, known_level, split_of
from itool_jax.data.toolworld.large import clock, scenes
from itool_jax.data.toolworld.large.catalog import catalog_of
from itool_jax.data.toolworld.large.marks import misspelled, plain
from itool_jax.data.toolworld.large.offers import draw_style
from itool_jax.data.toolworld.large.stage import Draft, Stage
from itool_jax.data.toolworld.large.wording import draw_voice
from itool_jax.data.toolworld.pool import TOOL_SETS, ToolSet
from itool_jax.data.toolworld.tasks import TaskWorld, task_examples
from itool_jax.errors import UserError
from itool_jax.toolcall import write_calls

_MAX_DRAFTS = 1000
_DATE_TOLD = 0.3
_LEAST_LONG = 9000


@dataclass(frozen=True)
class LargeWorld:
    """A seeded stream of examples over 51 domains.

    split            "train" and "heldout" share no conversation, whatever the seeds (see `split_of`)
    tools            "unseen": the tools called occur in no example of "train" tools, as candidates neither
    no_call_share    share of examples whose right answer is prose
    follow_up_share  share of examples whose conversation holds a tool's result
    nested_share     share of the medium and hard examples with calls that takes results of calls in the same answer
    task_share       share of the hard examples that are a turn of a task with a state (see `TaskWorld`)
    long_share       share of the hard examples whose tools are, as JSON, up to `tool_characters` long
    typo_share       share of the users' messages that are misspelled, values never
    """

    seed: int
    split: Split = "train"
    tools: ToolSet = "train"
    no_call_share: float = 0.15
    follow_up_share: float = 0.2
    nested_share: float = 0.1
    task_share: float = 0.15
    long_share: float = 0.05
    tool_characters: int = 37_000
    typo_share: float = 0.1

    def __post_init__(self):
        for name, known in (("split", SPLITS), ("tools", TOOL_SETS)):
            if getattr(self, name) not in known:
                raise UserError(
                    f"unknown {name} {getattr(self, name)!r} of the tool world; known are {', '.join(known)}."
                )
        for name in ("no_call_share", "follow_up_share", "nested_share", "task_share", "long_share", "typo_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise UserError(f"{name} of the tool world is {getattr(self, name)}; expected a share from 0 to 1.")
        if self.tool_characters < _LEAST_LONG:
            raise UserError(
                f"tool_characters of the tool world is {self.tool_characters}; expected at least {_LEAST_LONG}: long "
                "tool sets begin at a third of it. To have none, set long_share to 0."
            )

    def example(self, level: Difficulty, number: int) -> Example:
        """Example `number` (from 0) of a difficulty."""
        known_level(level)
        rng = Random(f"large/{self.seed}/{self.split}/{self.tools}/{level}/{number}")
        if level == "hard" and rng.random() < self.task_share:
            return self._task_turn(number, rng)
        scene, calls = self._scene(level, rng), _calls(level, rng)
        long = level == "hard" and rng.random() < self.long_share
        characters = rng.randint(self.tool_characters // 3, self.tool_characters) if long else 0
        for _ in range(_MAX_DRAFTS):
            draft = scene(self._stage(level, calls, characters, rng), calls)
            example = draft and self._finished(draft, level, number, rng)
            if example and _split(example) == self.split and difficulty(example) == level:
                return example
        raise RuntimeError(f"no {level} conversation in {_MAX_DRAFTS} drafts of the scene {scene.__name__}")

    def examples(self, level: Difficulty, count: int, *, start: int = 0) -> Iterator[Example]:
        """Examples `start` to `start + count - 1` of a difficulty."""
        return (self.example(level, number) for number in range(start, start + count))

    def mixture(self, shares: Mapping[Difficulty, float], count: int, *, start: int = 0) -> Iterator[Example]:
        """Examples whose difficulties are drawn in proportion to `shares`, one draw per number."""
        drawn = drawn_levels(shares, f"large/{self.seed}/{self.split}/{self.tools}", range(start, start + count))
        return (self.example(level, number) for level, number in drawn)

    def _task_turn(self, number: int, rng: Random) -> Example:
        """One assistant turn of a task; every example has a task of its own."""
        tasks = TaskWorld(self.seed, self.split, self.tools, self.typo_share)
        turns = list(task_examples(tasks.task(number)))
        calling = [turn for turn in turns if turn.calls]
        ending = [turn for turn in turns if not turn.calls]
        turn = rng.choice(ending if rng.random() < self.no_call_share else calling)
        return replace(turn, id=self._id("hard", number), meta={**turn.meta, "unseen_tools": self.tools == "unseen"})

    def _id(self, level: Difficulty, number: int) -> str:
        name = self.split if self.tools == "train" else f"{self.tools}-{self.split}"
        return f"toolworld/large-{name}/s{self.seed}/{level}/{number:06d}"

    def _scene(self, level: Difficulty, rng: Random) -> scenes.Scene:
        no_call, follow_up = rng.random() < self.no_call_share, rng.random() < self.follow_up_share
        if not (no_call or follow_up or level == "easy") and rng.random() < self.nested_share:
            return scenes.NESTED
        if no_call:
            table = scenes.FOLLOW_UP_PROSE if follow_up else scenes.SINGLE_TURN_PROSE
        else:
            table = scenes.FOLLOW_UP if follow_up else scenes.SINGLE_TURN
        usable = {scene: weight for scene, weight in table.items() if level != "easy" or scene not in scenes.TWO_TOOLS}
        return rng.choices(tuple(usable), tuple(usable.values()))[0]

    def _stage(self, level: Difficulty, calls: int, characters: int, rng: Random) -> Stage:
        tools, keep_optional = _shape(level, calls, rng)
        voice = draw_voice(rng, clock.any_day(rng, told=rng.random() < _DATE_TOLD))
        return Stage(rng, catalog_of(self.tools), draw_style(rng), voice, tools, characters, keep_optional)

    def _finished(self, draft: Draft, level: Difficulty, number: int, rng: Random) -> Example:
        return Example(
            id=self._id(level, number),
            tools=tuple(offer.tool for offer in draft.offers),
            messages=tuple(self._written(message, rng) for message in draft.messages),
            answer=write_calls(draft.calls) if draft.calls else draft.prose,
            calls=draft.calls,
            source="toolworld",
            meta={"scene": draft.kind, "difficulty": level, "unseen_tools": self.tools == "unseen", **draft.meta},
        )

    def _written(self, message: Message, rng: Random) -> Message:
        """The message without its marks; a user's may be misspelled."""
        if message.role != "user":
            return message
        text = message.content
        if rng.random() < self.typo_share:
            text = misspelled(text, rng, rng.randint(1, 2))
        return replace(message, content=plain(text))


def _split(example: Example) -> Split:
    return split_of(tuple(message for message in example.messages if message.role == "user"))


def _calls(level: Difficulty, rng: Random) -> int:
    weights = {"easy": (1,), "medium": (10, 7, 3), "hard": (6, 7, 5, 2)}[level]
    return rng.choices(range(1, len(weights) + 1), weights)[0]


def _shape(level: Difficulty, calls: int, rng: Random) -> tuple[int, float]:
    """Number of candidate tools, and the share of optional parameters that they keep."""
    if level == "easy":
        return 1, 0.8
    if level == "medium":
        return rng.randint(2, 3), 0.5
    return rng.choices((3, 4, 5, 6, 7, 8, 10, 12, 16), (2, 6, 5, 4, 3, 3, 2, 2, 1))[0], 0.7
