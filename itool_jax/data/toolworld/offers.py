"""Offers: a concept made into a tool of one conversation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from itool_jax.data.toolworld.concept import Concept
from itool_jax.data.toolworld.slots import Slot
from itool_jax.data.toolworld.values import Drawn, Kind
from itool_jax.toolcall.types import Parameter, Tool, ToolCall


@dataclass(frozen=True)
class Binding:
    """A slot as a parameter of one tool."""

    slot: Slot
    kind: Kind
    name: str

    @property
    def required(self) -> bool:
        return self.slot.required


@dataclass(frozen=True)
class Offer:
    """A candidate tool; `bindings` stand in the order of its parameters."""

    concept: Concept
    tool: Tool
    bindings: tuple[Binding, ...]

    @property
    def required(self) -> tuple[Binding, ...]:
        return tuple(binding for binding in self.bindings if binding.required)

    def call(self, drawn: Mapping[str, Drawn]) -> ToolCall:
        """The call with these values by slot key, arguments in the order of the tool's parameters."""
        arguments = {b.name: drawn[b.slot.key][0] for b in self.bindings if b.slot.key in drawn}
        return ToolCall(self.tool.name, arguments)


def make_offer(concept: Concept, rng: Random, *, keep_optional: float) -> Offer:
    """Names, spellings, order and optional parameters differ from conversation to conversation."""
    required, optional = [], []
    for slot in concept.slots:
        if slot.required:
            required.append(slot)
        elif rng.random() < keep_optional:
            optional.append(slot)
    rng.shuffle(required)
    taken: set[str] = set()
    bindings = tuple(_bind(slot, rng, taken) for slot in (*required, *optional))
    parameters = tuple(Parameter(b.name, _schema(b), b.required) for b in bindings)
    description = concept.asks[0].capitalize()
    return Offer(concept, Tool(rng.choice(concept.names), description, parameters), bindings)


def _bind(slot: Slot, rng: Random, taken: set[str]) -> Binding:
    name = rng.choice([name for name in slot.names if name not in taken])
    taken.add(name)
    return Binding(slot, rng.choice(slot.kinds), name)


def _schema(binding: Binding) -> Mapping[str, Any]:
    if binding.required or binding.kind.default is None:
        return binding.kind.schema
    return {**binding.kind.schema, "default": binding.kind.default}
