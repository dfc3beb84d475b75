"""The concepts that a conversation may ask for and offer, with their look-alikes and links."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations
from random import Random
from typing import Literal, get_args

from itool_jax.data.toolworld.concept import Concept
from itool_jax.data.toolworld.domains import RIVALS, TRAIN, UNSEEN
from itool_jax.data.toolworld.slots import Slot
from itool_jax.errors import UserError

ToolSet = Literal["train", "unseen"]
TOOL_SETS: tuple[ToolSet, ...] = get_args(ToolSet)


@dataclass(frozen=True)
class Link:
    """A result of `first` holds what `second` takes under `key`."""

    first: Concept
    second: Concept
    key: str


@dataclass(frozen=True)
class Pool:
    """What a split can draw on.

    asked        concepts that may be called
    offered      all that may be candidates
    look_alikes  of each by its key, among the offered
    links        results that fill a parameter of an asked concept
    inner_links  those of them whose result comes from an asked concept too
    sharing      pairs of asked concepts, and what both require and one phrase can say for both
    """

    asked: tuple[Concept, ...]
    offered: tuple[Concept, ...]
    look_alikes: Mapping[str, tuple[Concept, ...]]
    links: tuple[Link, ...]
    inner_links: tuple[Link, ...]
    sharing: tuple[tuple[Concept, Concept, Slot], ...]

    def candidates(
        self, asked: Sequence[Concept], count: int, rng: Random, barred: Collection[str] = ()
    ) -> list[Concept]:
        """The asked ones (if they are to be offered) and others up to `count`, two in three of them look-alikes.

        Concepts whose key is `barred` are left out; the order is random.
        """
        chosen = {concept.key: concept for concept in asked if concept.key not in barred}
        while len(chosen) < count:
            alike = self.look_alikes[rng.choice(asked).key] if rng.random() < 0.67 else ()
            candidate = rng.choice(alike or self.offered)
            if candidate.key not in barred:
                chosen.setdefault(candidate.key, candidate)
        result = list(chosen.values())
        rng.shuffle(result)
        return result


@lru_cache
def pool_of(tools: str) -> Pool:
    """The pool of training tools, or the one that calls unseen tools among candidates of both kinds."""
    if tools not in TOOL_SETS:
        raise UserError(f"unknown tool set {tools!r} of the tool world; known are {', '.join(TOOL_SETS)}.")
    asked, offered = (TRAIN, TRAIN) if tools == "train" else (UNSEEN, TRAIN + UNSEEN)
    look_alikes = {concept.key: _look_alikes(concept, offered) for concept in offered}
    links = tuple(_links(asked, offered))
    inner_links = tuple(link for link in links if link.first in asked)
    return Pool(asked, offered, look_alikes, links, inner_links, tuple(_sharing(asked)))


def rivals(concept: Concept) -> set[str]:
    """Keys of the concepts that could be stretched to serve a request for this one, its own among them."""
    return {concept.key}.union(*(group for group in RIVALS if concept.key in group))


def _look_alikes(concept: Concept, offered: Sequence[Concept]) -> tuple[Concept, ...]:
    def alike(other: Concept) -> bool:
        same_words = other.verbs[0] == concept.verbs[0] or other.nouns[0] == concept.nouns[0]
        return other is not concept and (same_words or other.domain == concept.domain)

    return tuple(filter(alike, offered))


def _links(asked: Sequence[Concept], offered: Sequence[Concept]) -> Iterator[Link]:
    for second in asked:
        takes = {slot.key for slot in second.required}
        for first in offered:
            for slot in first.returns:
                if slot.key in takes and first is not second:
                    yield Link(first, second, slot.key)


def _sharing(asked: Sequence[Concept]) -> Iterator[tuple[Concept, Concept, Slot]]:
    for first, second in permutations(asked, 2):
        for slot in first.required:
            if slot in second.required and not slot.leads and len(slot.kinds) == 1:
                yield first, second, slot
