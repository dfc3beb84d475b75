"""Scenes after a tool's result: the call changed, something new, the result told, thanks."""

from __future__ import annotations

import json

from itool_jax.data.toolworld.large import phrases
from itool_jax.data.toolworld.large.first_requests import direct
from itool_jax.data.toolworld.large.marks import capital
from itool_jax.data.toolworld.large.offers import Offer
from itool_jax.data.toolworld.large.stage import Draft, Stage, all_of, spoken, user
from itool_jax.data.toolworld.large.wording import message


def changed(stage: Stage, calls: int) -> Draft | None:
    """The call before once more, with one value changed: done again, or put right."""
    rng = stage.rng
    offers, offer = _one(stage)
    if not offer.slots:
        return None
    values = stage.fill(offer)
    slot = rng.choice(offer.slots)
    value = stage.other(slot, values.get(slot.key))
    voice = stage.voice
    told = f"the {slot.label} {voice.noun(slot, value)}" if slot.leads else voice.phrase(slot, value)
    text = rng.choice(phrases.AGAIN if rng.random() < 0.6 else phrases.PUT_RIGHT).replace("{p}", told)
    past = stage.past(offer, stage.result(offer).text, values)
    messages = (*stage.opening(), *past, user(message(capital(text), voice)))
    return Draft("changed", offers, messages, (offer.call({**values, slot.key: value}),))


def new_request(stage: Stage, calls: int) -> Draft | None:
    """A request that has nothing to do with the result before it."""
    draft = direct(stage, calls)
    if draft is None:
        return None
    offer = stage.rng.choice(draft.offers)
    system = tuple(m for m in draft.messages if m.role == "system")
    result = stage.result(offer)
    messages = (*system, *stage.past(offer, result.text), *stage.told(offer, result), draft.messages[-1])
    return Draft("new_request", draft.offers, messages, draft.calls)


def report(stage: Stage, calls: int) -> Draft:
    """The result of the last call is there and nothing is left to do: the answer tells it."""
    offers, offer = _one(stage)
    result = stage.result(offer)
    return Draft(
        "report", offers, (*stage.opening(), *stage.past(offer, result.text)), prose=stage.report(offer, result)
    )


def failure(stage: Stage, calls: int) -> Draft:
    """The call failed: the answer says why."""
    offers, offer = _one(stage)
    error = stage.rng.choice(phrases.ERRORS)
    past = stage.past(offer, json.dumps({"error": error}))
    return Draft(
        "failure", offers, (*stage.opening(), *past), prose=stage.rng.choice(phrases.FAILED).replace("{e}", error)
    )


def recall(stage: Stage, calls: int) -> Draft:
    """Thanks, or a question about the result before it."""
    rng = stage.rng
    offers, offer = _one(stage)
    result = stage.result(offer)
    past = (*stage.opening(), *stage.past(offer, result.text))
    if not offer.concept.gives or result.listed or rng.random() < 0.3:
        return Draft("recall", offers, (*past, user(rng.choice(phrases.THANKS))), prose=rng.choice(phrases.WELCOME))
    slot = rng.choice(offer.concept.gives)
    text = rng.choice(phrases.ASK_AGAIN).replace("{l}", slot.label)
    prose = f"The {slot.label} is {spoken(result.values[slot.key])}."
    return Draft("recall", offers, (*past, user(text)), prose=prose)


def _one(stage: Stage) -> tuple[tuple[Offer, ...], Offer]:
    (concept,) = stage.pick()
    offers = stage.offers((concept,))
    return all_of(offers), offers[concept.key]
