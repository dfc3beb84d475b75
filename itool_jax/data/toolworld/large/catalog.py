"""What a tool set can draw on: concepts, their look-alikes, and the results that fill parameters."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from random import Random

from itool_jax.data.toolworld.large.concept import Concept, Slot
from itool_jax.data.toolworld.large.domains import RIVALS, TRAIN, UNSEEN
from itool_jax.data.toolworld.large.slots import CODE

_RELATED = 0.67
_LINKED_TEXTS = frozenset(("file", "url", "email", "phone", "song", "film", "book", "flight"))


@dataclass(frozen=True)
class Link:
    """A result of `first` holds what `second` requires under `key`."""

    first: Concept
    second: Concept
    key: str


@dataclass(frozen=True)
class Catalog:
    """Concepts that may be called (`asked`) and may be candidates (`offered`).

    look_alikes  of each offered concept by its key: those that share words of its name, then those of its domain
    links        results of a text that fill a parameter of an asked concept
    inner_links  those of them by the key of the first concept, where that is asked too
    """

    asked: tuple[Concept, ...]
    offered: tuple[Concept, ...]
    look_alikes: Mapping[str, tuple[Concept, ...]]
    links: tuple[Link, ...]
    inner_links: Mapping[str, tuple[Link, ...]]

    def others(self, asked: Sequence[Concept], rng: Random, barred: Collection[str]) -> Iterator[Concept]:
        """Candidates beside the asked ones: each once, two in three of them look-alikes while there are any."""
        alike = list(dict.fromkeys(other for concept in asked for other in self.look_alikes[concept.key]))
        seen = {concept.key for concept in asked} | set(barred)
        rest = list(self.offered)
        while alike or rest:
            source = alike if alike and (not rest or rng.random() < _RELATED) else rest
            place = rng.randrange(len(source))
            source[place], source[-1] = source[-1], source[place]
            concept = source.pop()
            if concept.key not in seen:
                seen.add(concept.key)
                yield concept


@lru_cache
def catalog_of(tools: str) -> Catalog:
    """The catalog of the training tools, or the one that calls unseen tools among candidates of both kinds."""
    asked, offered = (TRAIN, TRAIN) if tools == "train" else (UNSEEN, TRAIN + UNSEEN)
    links = tuple(_links(asked, offered))
    inner: dict[str, list[Link]] = defaultdict(list)
    for link in links:
        if link.first in asked:
            inner[link.first.key].append(link)
    look_alikes = {concept.key: tuple(_alike(concept, offered)) for concept in offered}
    return Catalog(asked, offered, look_alikes, links, {key: tuple(value) for key, value in inner.items()})


def rivals(concept: Concept) -> set[str]:
    """Keys of the concepts that could be stretched to serve a request for this one, its own among them."""
    return {concept.key}.union(*(group for group in RIVALS if concept.key in group))


def linkable(slot: Slot) -> bool:
    """Whether a result can be handed on: codes, and texts that mean the same wherever they stand."""
    return slot.kind is CODE or slot.key in _LINKED_TEXTS


def _alike(concept: Concept, offered: Sequence[Concept]) -> Iterator[Concept]:
    def words(other: Concept) -> set[str]:
        return {word for name in other.names for word in name.split("_")}

    own = words(concept)
    ranked = sorted(offered, key=lambda other: -len(own & words(other)) - 2 * (other.domain == concept.domain))
    return (other for other in ranked[:24] if other is not concept)


def _links(asked: Sequence[Concept], offered: Sequence[Concept]) -> Iterator[Link]:
    for second in asked:
        takes = {slot.key for slot in second.required if linkable(slot)}
        for first in offered:
            for slot in first.gives:
                if slot.key in takes and linkable(slot) and first is not second:
                    yield Link(first, second, slot.key)
