"""Offers: a concept made into a tool of one conversation, in the naming style of that conversation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from itool_jax.data.toolworld.large.concept import Concept, Slot
from itool_jax.toolcall.types import Parameter, Tool, ToolCall

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Style:
    """How the tools of a conversation are written: names of tools and parameters, and how much the schemas say."""

    function: Callable[[str, str], str]
    parameter: Callable[[str], str]
    described: bool


@dataclass(frozen=True)
class Offer:
    """A candidate tool; `names` maps the keys of its slots to the names of its parameters."""

    concept: Concept
    tool: Tool
    slots: tuple[Slot, ...]
    names: Mapping[str, str]
    results: Mapping[str, str]

    @property
    def required(self) -> tuple[Slot, ...]:
        return tuple(slot for slot in self.slots if slot.required)

    def call(self, values: Values) -> ToolCall:
        """The call with these values by slot key, arguments in the order of the tool's parameters."""
        return ToolCall(
            self.tool.name, {self.names[slot.key]: values[slot.key] for slot in self.slots if slot.key in values}
        )


def draw_style(rng: Random) -> Style:
    function = rng.choices((_snake, _camel, _dotted, _spaced), (12, 4, 3, 2))[0]
    camel = function in (_camel, _spaced) and rng.random() < 0.7
    return Style(function, _camel_word if camel else lambda name: name, rng.random() < 0.85)


def make_offer(concept: Concept, style: Style, rng: Random, keep_optional: float) -> Offer:
    """Names, order and optional parameters differ from conversation to conversation."""
    required = [slot for slot in concept.slots if slot.required]
    optional = [slot for slot in concept.slots if not slot.required and rng.random() < keep_optional]
    rng.shuffle(required)
    slots = (*required, *optional)
    names = {slot.key: style.parameter(rng.choice(slot.names)) for slot in slots}
    results = {slot.key: style.parameter(slot.names[0]) for slot in concept.gives}
    about = concept.about + (f" Returns {', '.join(results.values())}." if results else "")
    parameters = tuple(Parameter(names[slot.key], _schema(slot, style), slot.required) for slot in slots)
    function = style.function(concept.domain, rng.choice(concept.names))
    tool = Tool(function, about, parameters, tuple(results.values()))
    return Offer(concept, tool, slots, names, results)


def _schema(slot: Slot, style: Style) -> Mapping[str, Any]:
    return {**slot.kind.schema, "description": slot.about} if style.described else slot.kind.schema


def _snake(domain: str, name: str) -> str:
    return name


def _camel(domain: str, name: str) -> str:
    return _camel_word(name)


def _dotted(domain: str, name: str) -> str:
    return f"{domain}.{name}"


def _spaced(domain: str, name: str) -> str:
    return " ".join(word.capitalize() for word in name.split("_"))


def _camel_word(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)
