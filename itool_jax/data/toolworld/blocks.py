"""Building blocks of scenes: tools on offer, values, commands for calls, results, the past of a conversation."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from itool_jax.data.example import Message
from itool_jax.data.toolworld import values, wording
from itool_jax.data.toolworld.concept import Concept
from itool_jax.data.toolworld.offers import Binding, Offer, make_offer
from itool_jax.data.toolworld.pool import Pool
from itool_jax.data.toolworld.values import Drawn
from itool_jax.toolcall import write_calls
from itool_jax.toolcall.types import ToolCall

SLIP_SHARE = 0.06
MENTION_OPTIONAL = 0.5


@dataclass(frozen=True)
class Shape:
    """How large a conversation is to be: candidate tools, calls in the answer, share of optional parameters kept."""

    tools: int
    calls: int
    keep_optional: float


@dataclass(frozen=True)
class Draft:
    """A conversation and its answer: `calls`, or `prose` where there are none."""

    kind: str
    offers: tuple[Offer, ...]
    messages: tuple[Message, ...]
    calls: tuple[ToolCall, ...] = ()
    prose: str = ""

    @property
    def answer(self) -> str:
        return write_calls(self.calls) if self.calls else self.prose


@dataclass(frozen=True)
class Result:
    """What a call gave: values by slot key, the tool's message, and the sentence that reports it."""

    values: Mapping[str, Any]
    text: str
    prose: str


def user(text: str) -> Message:
    return Message("user", text)


def pick(pool: Pool, count: int, rng: Random) -> list[Concept]:
    """Distinct concepts to ask for."""
    return rng.sample(pool.asked, count)


def offers_for(
    asked: Sequence[Concept], rng: Random, pool: Pool, shape: Shape, *, barred: Collection[str] = ()
) -> dict[str, Offer]:
    """The candidates by concept key: those asked for and look-alikes."""
    concepts = pool.candidates(asked, shape.tools, rng, barred)
    return {concept.key: make_offer(concept, rng, keep_optional=shape.keep_optional) for concept in concepts}


def fill(offer: Offer, rng: Random, *, omit: Collection[str] = ()) -> dict[str, Drawn]:
    """Values by slot key for the required parameters and about half of the optional ones."""
    return {
        b.slot.key: b.kind.draw(rng)
        for b in offer.bindings
        if b.slot.key not in omit and (b.required or rng.random() < MENTION_OPTIONAL)
    }


def other_value(binding: Binding, given: Drawn | None, rng: Random) -> Drawn | None:
    """A value other than the given one, in its wording too; None where none was found."""
    for _ in range(8):
        drawn = binding.kind.draw(rng)
        if given is None or (drawn[0] != given[0] and drawn[1] != given[1]):
            return drawn
    return None


def one_call(offer: Offer, rng: Random) -> tuple[str, ToolCall]:
    """A command for one call; now and then with a slip of the tongue that is put right."""
    filled = fill(offer, rng)
    said = {}
    if filled and rng.random() < SLIP_SHARE:
        binding = rng.choice([b for b in offer.bindings if b.slot.key in filled])
        drawn = filled[binding.slot.key]
        wrong = other_value(binding, drawn, rng)
        if wrong is not None:
            said = {binding.slot.key: wording.corrected_phrase(binding, wrong, drawn, rng)}
    return wording.clause(offer, filled, rng, said), offer.call(filled)


def several_calls(offer: Offer, count: int, rng: Random) -> tuple[str, list[ToolCall]] | None:
    """A command for several calls of one tool: one value varies, or all are said anew; None where nothing can vary."""
    varying = [b for b in offer.required if not _closed(b)]
    if not varying:
        return None
    if rng.random() < 0.3:
        return _said_anew(offer, count, rng)
    binding = rng.choice(varying)
    key = binding.slot.key
    drawn: list[Drawn] = []
    while len(drawn) < count:
        value = binding.kind.draw(rng)
        if all(value[0] != other[0] for other in drawn):
            drawn.append(value)
    filled = fill(offer, rng, omit={key})
    calls = [offer.call({**filled, key: value}) for value in drawn]
    if binding.kind.schema["type"] == "string" and rng.random() < 0.6:
        together = wording.phrase(binding, (None, wording.listed([text for _, text in drawn], rng)), rng)
        return wording.clause(offer, filled, rng, {key: together}), calls
    each = wording.listed([f"once {wording.phrase(binding, value, rng)}" for value in drawn], rng)
    return f"{wording.clause(offer, filled, rng)}, {each}", calls


def result_of(offer: Offer, rng: Random, *, many: str = "") -> Result:
    """A result of a call; the value under the key `many` is a list of two or three to choose from."""
    held, shown, told = {}, {}, []
    for slot in offer.concept.returns:
        kind = rng.choice(slot.kinds)
        name = rng.choice(slot.names)
        if slot.key == many:
            held[slot.key] = list(dict.fromkeys(kind.draw(rng)[0] for _ in range(rng.randint(2, 3))))
            name += "s"
        else:
            held[slot.key] = kind.draw(rng)[0]
        shown[name] = held[slot.key]
        told.append(f"the {slot.label} is {spoken(held[slot.key])}")
    if not shown:
        return Result({}, rng.choice(('{"status": "done"}', '{"ok": true}', "done")), "Done.")
    return Result(held, json.dumps(shown, ensure_ascii=False), wording.capital(" and ".join(told)) + ".")


def spoken(value: Any) -> str:
    return values.join_words([str(part) for part in value]) if isinstance(value, list) else str(value)


def past(offer: Offer, rng: Random, result: str, filled: Mapping[str, Drawn] | None = None) -> tuple[Message, ...]:
    """A request, its call, and the tool's result."""
    filled = fill(offer, rng) if filled is None else filled
    text = wording.request((wording.clause(offer, filled, rng),), rng)
    call = offer.call(filled)
    return user(text), Message("assistant", write_calls([call]), (call,)), Message("tool", result)


def _closed(binding: Binding) -> bool:
    """Whether the values are few and bring their own phrases (enums and booleans)."""
    return "enum" in binding.kind.schema or binding.kind.schema["type"] == "boolean"


def _said_anew(offer: Offer, count: int, rng: Random) -> tuple[str, list[ToolCall]]:
    keys = {b.slot.key for b in offer.bindings if not b.required}
    filled = [fill(offer, rng, omit=keys) for _ in range(count)]
    again = [" ".join(wording.phrases(offer, values_, rng)) for values_ in filled[1:]]
    text = f"{wording.clause(offer, filled[0], rng)}, and the same {', and the same '.join(again)}"
    return text, [offer.call(values_) for values_ in filled]
