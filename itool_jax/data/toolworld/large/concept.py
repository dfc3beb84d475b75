"""Concepts of the large world: what a tool does, what it takes and gives, and how people ask for it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from itool_jax.data.toolworld.large.kinds import Kind
from itool_jax.data.toolworld.large.ways import ways


@dataclass(frozen=True, eq=False)
class Slot:
    """One thing that a tool takes or gives.

    key       what it is; what a result gives under a key can fill a parameter with that key
    label     its name in a sentence
    names     names that tools give the parameter; results take the first
    kind      kind of its values
    says      phrases that a request says it in, {} standing for the value
    about     what the schema says about it
    leads     its phrase stands right behind what is asked for ("cancel the order KX-4821")
    """

    key: str
    label: str
    names: tuple[str, ...]
    kind: Kind
    says: tuple[str, ...]
    about: str
    required: bool = True
    leads: bool = False

    @property
    def opt(self) -> Slot:
        """The same slot as an optional parameter."""
        return replace(self, required=False)

    def said(self, says: str, about: str = "", *, names: str = "", label: str = "", leads: bool = False) -> Slot:
        """The same thing in another role: other phrases (divided by `|`), and other texts where given."""
        return replace(
            self,
            says=ways(says),
            about=about or self.about,
            names=tuple(names.split()) or self.names,
            label=label or (names.split()[0].replace("_", " ") if names else self.label),
            leads=leads,
        )

    def as_(self, key: str, says: str, about: str, *, names: str = "", label: str = "", leads: bool = False) -> Slot:
        """Another thing with the same kind of values; its names default to the key."""
        return replace(self.said(says, about, names=names or key, label=label, leads=leads), key=key)


@dataclass(frozen=True, eq=False)
class Concept:
    """One thing that a tool can do.

    names   names of the tool, in snake case; the first is the concept's key
    about   the tool's description
    asks    how a request asks for it: commands ("book a hotel room"), or questions where they begin with "?"
    slots   what it takes
    gives   what its result holds
    """

    domain: str
    names: tuple[str, ...]
    about: str
    asks: tuple[str, ...]
    slots: tuple[Slot, ...]
    gives: tuple[Slot, ...]

    @property
    def key(self) -> str:
        return self.names[0]

    @property
    def required(self) -> tuple[Slot, ...]:
        return tuple(slot for slot in self.slots if slot.required)


def slot(key: str, names: str, kind: Kind, says: str, about: str, *, label: str = "", leads: bool = False) -> Slot:
    return Slot(key, label or key.replace("_", " "), tuple(names.split()), kind, ways(says), about, True, leads)


def tool(names: str, about: str, asks: str, *slots: Slot, gives: tuple[Slot, ...] = ()) -> Concept:
    """A concept whose domain is still open; `asks` are divided by `|`."""
    return Concept("", tuple(names.split()), about, ways(asks), slots, gives)


def domain(name: str, *concepts: Concept) -> tuple[Concept, ...]:
    return tuple(replace(concept, domain=name) for concept in concepts)
