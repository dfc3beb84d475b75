"""A concept: one thing that tools can do, from which the world makes tools of differing names and parameters."""

from __future__ import annotations

from dataclasses import dataclass

from itool_jax.data.toolworld.slots import Slot


@dataclass(frozen=True)
class Concept:
    """A verb applied to a noun in a domain.

    verbs, nouns  synonyms; every verb_noun is a name of the tool; the first of each finds look-alikes
    asks          how a request asks for it, as commands ("book a hotel"); no other concept is asked for in these words
    slots         what it takes, at most six, in the order of a natural sentence
    returns       what its result holds
    """

    domain: str
    verbs: tuple[str, ...]
    nouns: tuple[str, ...]
    asks: tuple[str, ...]
    slots: tuple[Slot, ...] = ()
    returns: tuple[Slot, ...] = ()

    @property
    def key(self) -> str:
        return self.names[0]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"{verb}_{noun}" for noun in self.nouns for verb in self.verbs)

    @property
    def required(self) -> tuple[Slot, ...]:
        return tuple(slot for slot in self.slots if slot.required)


def concept(
    domain: str, verbs: str, nouns: str, asks: tuple[str, ...], *slots: Slot, returns: tuple[Slot, ...] = ()
) -> Concept:
    return Concept(domain, tuple(verbs.split()), tuple(nouns.split()), asks, slots, returns)
