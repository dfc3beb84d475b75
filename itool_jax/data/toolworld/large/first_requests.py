"""Scenes of a first request: what the user asks for, what is missing, what no tool can do.

Users' messages are marked text until the world takes the marks away. A scene returns None where chance has dealt it
tools that it cannot be played with.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from itool_jax.data.example import Message
from itool_jax.data.toolworld.large import clock, phrases
from itool_jax.data.toolworld.large.catalog import linkable, rivals
from itool_jax.data.toolworld.large.chatter import aside
from itool_jax.data.toolworld.large.concept import Slot
from itool_jax.data.toolworld.large.marks import capital
from itool_jax.data.toolworld.large.offers import Offer, make_offer
from itool_jax.data.toolworld.large.stage import Draft, Stage, all_of, user
from itool_jax.data.toolworld.large.wording import Wish, message, repeated, reply, request
from itool_jax.toolcall.types import ToolCall

_SLIP_SHARE = 0.05


def direct(stage: Stage, calls: int) -> Draft | None:
    """All that the user asks for, at once: calls of one tool, of several, or both."""
    rng = stage.rng
    kinds = min(stage.tools, rng.randint(1, calls)) if not stage.characters else rng.randint(1, calls)
    asked = stage.pick(kinds)
    offers = stage.offers(asked)
    if kinds == 1 and calls > 1:
        return _repeated(stage, offers, offers[asked[0].key], calls)
    order = sorted([*range(kinds), *(rng.randrange(kinds) for _ in range(calls - kinds))])
    chosen = [offers[asked[place].key] for place in order]
    values = [stage.fill(offer) for offer in chosen]
    wishes = [_with_slip(stage, offer, given) for offer, given in zip(chosen, values, strict=True)]
    made = tuple(offer.call(given) for offer, given in zip(chosen, values, strict=True))
    if _doubled(made):
        return None
    return Draft("direct", all_of(offers), (*stage.opening(), user(request(wishes, stage.voice))), made)


def clarified(stage: Stage, calls: int) -> Draft | None:
    """The user gives the values that the assistant had to ask for."""
    gaps = _gaps(stage)
    if gaps is None:
        return None
    draft, offer, values, omitted = gaps
    told = {slot: stage.draw(slot) for slot in omitted}
    messages = (*draft.messages, Message("assistant", draft.prose), user(reply(told, stage.voice)))
    given = {**values, **{slot.key: value for slot, value in told.items()}}
    return Draft("clarified", draft.offers, messages, (offer.call(given),))


def missing(stage: Stage, calls: int) -> Draft | None:
    """A request without some required values, which no candidate could find out: the answer asks for them."""
    gaps = _gaps(stage)
    return gaps and gaps[0]


def no_tool(stage: Stage, calls: int) -> Draft:
    """A request that none of the candidates serves."""
    (concept,) = stage.pick()
    offer = make_offer(concept, stage.style, stage.rng, stage.keep_optional)
    offers = stage.offers((concept,), rivals(concept))
    text = request((Wish(concept, stage.fill(offer)),), stage.voice)
    return Draft("no_tool", all_of(offers), (*stage.opening(), user(text)), prose=stage.rng.choice(phrases.NO_TOOL))


def small_talk(stage: Stage, calls: int) -> Draft:
    """A message that asks for nothing, or asks what the tools are."""
    rng = stage.rng
    offers = all_of(stage.offers(stage.pick()))
    if rng.random() < 0.5:
        text = rng.choice(phrases.ABILITIES)
        prose = f"{rng.choice(phrases.CAN)} {clock.joined([offer.tool.name for offer in offers[:8]], rng)}."
    else:
        text, prose = f"{capital(aside(rng))}. {capital(aside(rng))}.", rng.choice(phrases.LISTENING)
    return Draft("small_talk", offers, (*stage.opening(), user(message(text, stage.voice))), prose=prose)


def _repeated(stage: Stage, offers: Mapping[str, Offer], offer: Offer, count: int) -> Draft | None:
    """Several calls of one tool: one value varies, or all are said anew."""
    varying = [slot for slot in offer.required if not slot.kind.closed and slot.kind.schema["type"] != "array"]
    if not varying:
        return None
    if stage.rng.random() < 0.35:
        varied = None
        values = [stage.fill(offer, {slot.key for slot in offer.slots if not slot.required}) for _ in range(count)]
    else:
        varied = stage.rng.choice(varying)
        first = stage.fill(offer)
        values = [first, *({**first, varied.key: stage.draw(varied)} for _ in range(count - 1))]
    made = tuple(offer.call(given) for given in values)
    if _doubled(made):
        return None
    text = repeated([Wish(offer.concept, given) for given in values], varied, stage.voice)
    return Draft("repeated", all_of(offers), (*stage.opening(), user(text)), made)


def _gaps(stage: Stage) -> tuple[Draft, Offer, dict[str, Any], list[Slot]] | None:
    rng = stage.rng
    (concept,) = stage.pick()
    offers = stage.offers((concept,), rivals(concept) - {concept.key})
    offer = offers[concept.key]
    found = {slot.key for other in offers.values() for slot in other.concept.gives if linkable(slot)}
    unknown = [slot for slot in offer.required if slot.key not in found]
    if not unknown:
        return None
    omitted = rng.sample(unknown, min(len(unknown), 2 if rng.random() < 0.25 else 1))
    values = stage.fill(offer, omit={slot.key for slot in omitted})
    text = request((Wish(concept, values),), stage.voice)
    wanted = clock.joined([f"the {slot.label}" for slot in omitted], rng)
    prose = rng.choice(phrases.ASK_FOR).replace("{l}", wanted)
    meta = {"missing": [offer.names[slot.key] for slot in omitted]}
    draft = Draft("missing", all_of(offers), (*stage.opening(), user(text)), prose=prose, meta=meta)
    return draft, offer, values, omitted


def _with_slip(stage: Stage, offer: Offer, values: dict[str, Any]) -> Wish:
    """The wish for a call; now and then with a slip of the tongue that is put right."""
    wish = Wish(offer.concept, values)
    open_ = [slot for slot in wish.slots if not slot.kind.phrase]
    if not open_ or stage.rng.random() >= _SLIP_SHARE:
        return wish
    slot = stage.rng.choice(open_)
    value = values[slot.key]
    return Wish(offer.concept, values, {slot.key: stage.voice.wrong_first(slot, value, stage.other(slot, value))})


def _doubled(calls: tuple[ToolCall, ...]) -> bool:
    return any(call in calls[:place] for place, call in enumerate(calls))
