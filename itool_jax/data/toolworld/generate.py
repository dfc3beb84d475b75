"""Examples of the tool world, each a function of seed, split, tool set, difficulty and its own number alone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Literal, get_args

from itool_jax.data.difficulty import DIFFICULTIES, Difficulty, difficulty
from itool_jax.data.example import Example, Message
from itool_jax.data.toolworld import scenes
from itool_jax.data.toolworld.blocks import Draft, Shape
from itool_jax.data.toolworld.pool import ToolSet, pool_of
from itool_jax.errors import UserError
from itool_jax.toolcall import signature

Split = Literal["train", "heldout"]
SPLITS: tuple[Split, ...] = get_args(Split)
HELD_OUT_BUCKETS, BUCKETS = 1, 5
MAX_CHARACTERS = {"train": 500, "unseen": 465}
_MAX_DRAFTS = 2000


@dataclass(frozen=True)
class ToolWorld:
    """A seeded stream of examples.

    split            "train" and "heldout" share no conversation, whatever the seeds (see `split_of`)
    tools            "unseen": the tools called occur in no example of "train" tools, as candidates neither; as held-out
                     data they ask what a policy makes of new tools, as training data they teach it those
    no_call_share    share of examples whose right answer is prose
    follow_up_share  share of examples whose conversation holds a tool's result
    """

    seed: int
    split: Split = "train"
    tools: ToolSet = "train"
    no_call_share: float = 0.15
    follow_up_share: float = 0.2

    def __post_init__(self):
        if self.split not in SPLITS:
            raise UserError(f"unknown split {self.split!r} of the tool world; known are {', '.join(SPLITS)}.")
        for name in ("no_call_share", "follow_up_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise UserError(f"{name} of the tool world is {getattr(self, name)}; expected a share from 0 to 1.")
        pool_of(self.tools)

    def example(self, level: Difficulty, number: int) -> Example:
        """Example `number` (from 0) of a difficulty."""
        known_level(level)
        rng = Random(f"{self.seed}/{self.split}/{self.tools}/{level}/{number}")
        pool, scene, calls = pool_of(self.tools), self._scene(level, rng), _calls(level, rng)
        for _ in range(_MAX_DRAFTS):
            draft = scene(rng, pool, _shape(level, calls, rng))
            if draft is None or split_of(draft.messages) != self.split:
                continue
            example = self._finished(draft, level, number)
            if difficulty(example) == level and _characters(example) <= MAX_CHARACTERS[self.tools]:
                return example
        raise RuntimeError(
            f"no {level} conversation within {MAX_CHARACTERS[self.tools]} characters in {_MAX_DRAFTS} drafts"
        )

    def examples(self, level: Difficulty, count: int, *, start: int = 0) -> Iterator[Example]:
        """Examples `start` to `start + count - 1` of a difficulty."""
        return (self.example(level, number) for number in range(start, start + count))

    def mixture(self, shares: Mapping[Difficulty, float], count: int, *, start: int = 0) -> Iterator[Example]:
        """Examples whose difficulties are drawn in proportion to `shares`, one draw per number."""
        drawn = drawn_levels(shares, f"{self.seed}/{self.split}/{self.tools}", range(start, start + count))
        return (self.example(level, number) for level, number in drawn)

    def _scene(self, level: Difficulty, rng: Random) -> scenes.Scene:
        no_call, follow_up = rng.random() < self.no_call_share, rng.random() < self.follow_up_share
        if no_call:
            table = scenes.FOLLOW_UP_PROSE if follow_up else scenes.SINGLE_TURN_PROSE
        else:
            table = scenes.FOLLOW_UP if follow_up else scenes.SINGLE_TURN
        usable = {scene: weight for scene, weight in table.items() if level != "easy" or scene not in scenes.TWO_TOOLS}
        return rng.choices(tuple(usable), tuple(usable.values()))[0]

    def _finished(self, draft: Draft, level: Difficulty, number: int) -> Example:
        name = self.split if self.tools == "train" else f"{self.tools}-{self.split}"
        return Example(
            id=f"toolworld/{name}/s{self.seed}/{level}/{number:06d}",
            tools=tuple(offer.tool for offer in draft.offers),
            messages=draft.messages,
            answer=draft.answer,
            calls=draft.calls,
            source="toolworld",
            meta={"scene": draft.kind, "difficulty": level, "unseen_tools": self.tools == "unseen"},
        )


def split_of(messages: tuple[Message, ...]) -> Split:
    """The split that a conversation belongs to, decided by its first message so that its turns stay together."""
    text = " ".join(messages[0].content.lower().split())
    bucket = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest()) % BUCKETS
    return "heldout" if bucket < HELD_OUT_BUCKETS else "train"


def _calls(level: Difficulty, rng: Random) -> int:
    weights = {"easy": (1,), "medium": (10, 7, 3), "hard": (6, 7, 5, 2)}[level]
    return rng.choices(range(1, len(weights) + 1), weights)[0]


def _shape(level: Difficulty, calls: int, rng: Random) -> Shape:
    if level == "easy":
        return Shape(1, calls, 0.7)
    if level == "medium" or (calls == 4 and rng.random() < 0.25):
        return Shape(rng.randint(2, 3), calls, 0.5)
    return Shape(rng.choices((4, 5, 6, 7, 8), (6, 5, 4, 3, 2))[0], calls, 0.35)


def _characters(example: Example) -> int:
    """Length of prompt and answer as a compact chat format writes them."""
    tools = sum(len(signature(tool)) + 1 for tool in example.tools)
    return tools + sum(len(message.content) for message in example.messages) + len(example.answer)


def drawn_levels(
    shares: Mapping[Difficulty, float], seed: str, numbers: Iterable[int]
) -> Iterator[tuple[Difficulty, int]]:
    """Each number with a difficulty drawn for it in proportion to `shares`; raises UserError for one that is none."""
    for level in shares:
        known_level(level)
    for number in numbers:
        (level,) = Random(f"{seed}/mixture/{number}").choices(tuple(shares), tuple(shares.values()))
        yield level, number


def known_level(level: str) -> None:
    """Raises UserError where the difficulty is none."""
    if level not in DIFFICULTIES:
        raise UserError(f"unknown difficulty {level!r}; known are {', '.join(DIFFICULTIES)}.")
