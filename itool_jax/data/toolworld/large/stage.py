"""What scenes are played with: candidate tools, values for their parameters, results, the past of a conversation."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from itool_jax.data.difficulty import tool_set_text
from itool_jax.data.example import Message
from itool_jax.data.toolworld.large import clock, phrases
from itool_jax.data.toolworld.large.catalog import Catalog
from itool_jax.data.toolworld.large.concept import Concept, Slot
from itool_jax.data.toolworld.large.marks import capital
from itool_jax.data.toolworld.large.offers import Offer, Style, make_offer
from itool_jax.data.toolworld.large.wording import Voice, Wish, request
from itool_jax.toolcall import write_calls
from itool_jax.toolcall.types import ToolCall

_MENTION_OPTIONAL = 0.5
_LISTS = ("search_", "find_", "list_")
_DONE = ('{"status": "done"}', '{"ok": true}', '{"success": true, "message": "done"}', '{"result": "ok"}')


@dataclass(frozen=True)
class Draft:
    """A conversation and its answer: `calls`, or `prose` where there are none."""

    kind: str
    offers: tuple[Offer, ...]
    messages: tuple[Message, ...]
    calls: tuple[ToolCall, ...] = ()
    prose: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """What a call gave: values by slot key (a list of them where `listed`), and the tool's message."""

    values: Mapping[str, Any]
    text: str
    listed: bool = False


@dataclass(frozen=True)
class Stage:
    """The world around one conversation.

    tools       number of candidate tools
    characters  most characters of their JSON; where it is not 0, it counts instead of `tools`
    """

    rng: Random
    catalog: Catalog
    style: Style
    voice: Voice
    tools: int
    characters: int
    keep_optional: float

    def offers(self, asked: Sequence[Concept], barred: Collection[str] = ()) -> dict[str, Offer]:
        """The candidates by concept key: those asked for, unless barred, and others, in random order."""
        chosen = [self._offer(concept) for concept in asked if concept.key not in barred]
        size = sum(map(_length, chosen)) if self.characters else 0
        for concept in self.catalog.others(asked, self.rng, barred):
            if not self.characters and len(chosen) >= self.tools:
                break
            offer = self._offer(concept)
            size += _length(offer) if self.characters else 0
            if self.characters and size > self.characters:
                break
            chosen.append(offer)
        self.rng.shuffle(chosen)
        return {offer.concept.key: offer for offer in chosen}

    def pick(self, count: int = 1) -> list[Concept]:
        """Distinct concepts to ask for."""
        return self.rng.sample(self.catalog.asked, count)

    def fill(self, offer: Offer, omit: Collection[str] = ()) -> dict[str, Any]:
        """Values by slot key for the required parameters and about half of the optional ones."""
        return {
            slot.key: self.draw(slot)
            for slot in offer.slots
            if slot.key not in omit and (slot.required or self.rng.random() < _MENTION_OPTIONAL)
        }

    def draw(self, slot: Slot) -> Any:
        return slot.kind.draw(self.rng, self.voice.day)

    def other(self, slot: Slot, given: Any) -> Any:
        """A value other than the given one."""
        while (value := self.draw(slot)) == given:
            pass
        return value

    def opening(self, rule: str = "") -> tuple[Message, ...]:
        """The system message, where there is one: the date if it is told, a rule, or a word of welcome."""
        rng = self.rng
        lines = [rule] if rule else []
        if self.voice.day.told:
            lines.insert(rng.randrange(len(lines) + 1), clock.system_line(self.voice.day, rng))
        if not lines and rng.random() < 0.12:
            lines = [
                rng.choice(("You are a helpful assistant.", "You assist the user with the given tools.", "Be brief."))
            ]
        return (Message("system", " ".join(lines)),) if lines else ()

    def result(self, offer: Offer) -> Result:
        """A result of a call; what is found by a search may be a list of two to four."""
        rng, gives = self.rng, offer.concept.gives
        if not gives:
            return Result({}, rng.choice(_DONE))
        if offer.concept.key.startswith(_LISTS) and rng.random() < 0.6:
            rows = [{slot.key: self.draw(slot) for slot in gives} for _ in range(rng.randint(2, 4))]
            shown = [{offer.results[key]: value for key, value in row.items()} for row in rows]
            listed = {slot.key: [row[slot.key] for row in rows] for slot in gives}
            return Result(listed, _json(shown if rng.random() < 0.5 else {"results": shown}), listed=True)
        values = {slot.key: self.draw(slot) for slot in gives}
        return Result(values, _json({offer.results[key]: value for key, value in values.items()}))

    def past(self, offer: Offer, result: str, values: Mapping[str, Any] | None = None) -> tuple[Message, ...]:
        """A request, its call, and the tool's result."""
        values = self.fill(offer) if values is None else values
        text = request((Wish(offer.concept, values),), self.voice)
        return user(text), called(offer.call(values)), Message("tool", result)

    def told(self, offer: Offer, result: Result) -> tuple[Message, ...]:
        """What the assistant said about a result, in half of the conversations."""
        return (Message("assistant", self.report(offer, result)),) if self.rng.random() < 0.5 else ()

    def report(self, offer: Offer, result: Result) -> str:
        """A result in a sentence."""
        gives = offer.concept.gives
        if not gives:
            return self.rng.choice(phrases.DONE)
        if result.listed:
            found = result.values[gives[0].key]
            return f"{len(found)} results: {spoken(found)}."
        told = [f"the {slot.label} is {spoken(result.values[slot.key])}" for slot in gives]
        return capital(" and ".join(told)) + "."

    def _offer(self, concept: Concept) -> Offer:
        return make_offer(concept, self.style, self.rng, self.keep_optional)


def all_of(offers: Mapping[str, Offer]) -> tuple[Offer, ...]:
    return tuple(offers.values())


def slot_of(offer: Offer, key: str) -> Slot:
    return next(slot for slot in offer.slots if slot.key == key)


def user(marked: str) -> Message:
    """A user's message, as marked text."""
    return Message("user", marked)


def called(*calls: ToolCall) -> Message:
    return Message("assistant", write_calls(calls), calls)


def spoken(value: Any) -> str:
    """A result's value in a sentence."""
    if isinstance(value, dict):
        return ", ".join(str(part) for part in value.values())
    return ", ".join(map(spoken, value)) if isinstance(value, list) else str(value)


def _length(offer: Offer) -> int:
    return len(tool_set_text((offer.tool,)))


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
