"""Scenes: what can happen in a conversation, from the request to the one right answer.

Users' messages are marked text until the world takes the marks away. A scene returns None where chance has dealt it
tools that it cannot be played with.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from itool_jax.data.example import Message
from itool_jax.data.toolworld.large import clock, phrases
from itool_jax.data.toolworld.large.catalog import Link, linkable, rivals
from itool_jax.data.toolworld.large.chatter import aside
from itool_jax.data.toolworld.large.concept import Slot
from itool_jax.data.toolworld.large.marks import capital, mark
from itool_jax.data.toolworld.large.offers import Offer, make_offer
from itool_jax.data.toolworld.large.stage import Draft, Result, Stage, called, spoken
from itool_jax.data.toolworld.large.wording import Wish, message, repeated, reply, request

Scene = Callable[[Stage, int], Draft | None]
_SLIP_SHARE = 0.05
_MAX_CHAIN = 3


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
    return Draft("direct", _all(offers), (*stage.opening(), _user(request(wishes, stage.voice))), made)


def nested(stage: Stage, calls: int) -> Draft:
    """Calls of which the later ones take results of earlier ones, all in one answer (see `phrases.NESTING`)."""
    rng = stage.rng
    links = [rng.choice(rng.choice(tuple(stage.catalog.inner_links.values())))]
    while len(links) + 1 < min(calls, _MAX_CHAIN) and links[-1].second.key in stage.catalog.inner_links:
        link = rng.choice(stage.catalog.inner_links[links[-1].second.key])
        if link.second in {links[0].first, *(earlier.second for earlier in links)}:
            break
        links.append(link)
    chain = [links[0].first, *(link.second for link in links)]
    offers = stage.offers(chain)
    wishes, made, results = [], [], 0
    for place, concept in enumerate(chain):
        offer = offers[concept.key]
        taken = links[place - 1].key if place else ""
        values = stage.fill(offer, omit={taken})
        said = {taken: _handed_on(stage, offer, taken)} if taken else {}
        wishes.append(Wish(concept, values, said))
        if place:
            before = [slot.key for slot in chain[place - 1].gives]
            values[taken] = f"API_call_{results - len(before) + before.index(taken)}"
        made.append(offer.call(values))
        results += len(concept.gives)
    messages = (*stage.opening(rng.choice(phrases.NESTING)), _user(request(wishes, stage.voice)))
    return Draft("nested", _all(offers), messages, tuple(made))


def chain_start(stage: Stage, calls: int) -> Draft:
    """Two steps of which the second needs the first's result: only the first can be called now."""
    return _chain(stage, ended=False)


def chain_end(stage: Stage, calls: int) -> Draft:
    """The result of the first step is there: the second is to be called."""
    return _chain(stage, ended=True)


def clarified(stage: Stage, calls: int) -> Draft | None:
    """The user gives the values that the assistant had to ask for."""
    gaps = _gaps(stage)
    if gaps is None:
        return None
    draft, offer, values, omitted = gaps
    told = {slot: stage.draw(slot) for slot in omitted}
    messages = (*draft.messages, Message("assistant", draft.prose), _user(reply(told, stage.voice)))
    given = {**values, **{slot.key: value for slot, value in told.items()}}
    return Draft("clarified", draft.offers, messages, (offer.call(given),))


def reference(stage: Stage, calls: int) -> Draft:
    """A new request that takes a value from the result before it, or one of several by its place or its fellow."""
    rng = stage.rng
    link = rng.choice(stage.catalog.links)
    offers, first, second = _linked(stage, link)
    result = stage.result(first)
    slot = _slot(second, link.key)
    value, label = result.values[link.key], slot.label
    if result.listed:
        value, label = _one_of(stage, first, result, link.key, label)
    values = stage.fill(second, omit={link.key})
    said = rng.choice(phrases.POINTING).replace("{l}", label)
    text = request((Wish(second.concept, values, {link.key: said}),), stage.voice)
    messages = (*stage.opening(), *stage.past(first, result.text), *_told(stage, first, result), _user(text))
    kind = "pick" if result.listed else "reference"
    return Draft(kind, offers, messages, (second.call({**values, link.key: value}),))


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
    messages = (*stage.opening(), *past, _user(message(capital(text), voice)))
    return Draft("changed", offers, messages, (offer.call({**values, slot.key: value}),))


def new_request(stage: Stage, calls: int) -> Draft | None:
    """A request that has nothing to do with the result before it."""
    draft = direct(stage, calls)
    if draft is None:
        return None
    offer = stage.rng.choice(draft.offers)
    system = tuple(m for m in draft.messages if m.role == "system")
    result = stage.result(offer)
    messages = (*system, *stage.past(offer, result.text), *_told(stage, offer, result), draft.messages[-1])
    return Draft("new_request", draft.offers, messages, draft.calls)


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
    return Draft("no_tool", _all(offers), (*stage.opening(), _user(text)), prose=stage.rng.choice(phrases.NO_TOOL))


def small_talk(stage: Stage, calls: int) -> Draft:
    """A message that asks for nothing, or asks what the tools are."""
    rng = stage.rng
    offers = _all(stage.offers(stage.pick()))
    if rng.random() < 0.5:
        text = rng.choice(phrases.ABILITIES)
        prose = f"{rng.choice(phrases.CAN)} {clock.joined([offer.tool.name for offer in offers[:8]], rng)}."
    else:
        text, prose = f"{capital(aside(rng))}. {capital(aside(rng))}.", rng.choice(phrases.LISTENING)
    return Draft("small_talk", offers, (*stage.opening(), _user(message(text, stage.voice))), prose=prose)


def report(stage: Stage, calls: int) -> Draft:
    """The result of the last call is there and nothing is left to do: the answer tells it."""
    offers, offer = _one(stage)
    result = stage.result(offer)
    return Draft(
        "report", offers, (*stage.opening(), *stage.past(offer, result.text)), prose=_report(stage, offer, result)
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
        return Draft("recall", offers, (*past, _user(rng.choice(phrases.THANKS))), prose=rng.choice(phrases.WELCOME))
    slot = rng.choice(offer.concept.gives)
    text = rng.choice(phrases.ASK_AGAIN).replace("{l}", slot.label)
    prose = f"The {slot.label} is {spoken(result.values[slot.key])}."
    return Draft("recall", offers, (*past, _user(text)), prose=prose)


SINGLE_TURN: Mapping[Scene, float] = {direct: 10, chain_start: 0.8, clarified: 1.4}
FOLLOW_UP: Mapping[Scene, float] = {reference: 4, chain_end: 2, changed: 2.5, new_request: 2}
SINGLE_TURN_PROSE: Mapping[Scene, float] = {missing: 5, no_tool: 5, small_talk: 1}
FOLLOW_UP_PROSE: Mapping[Scene, float] = {report: 5, failure: 2, recall: 3}
TWO_TOOLS = frozenset((nested, chain_start, chain_end, reference))


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
    return Draft("repeated", _all(offers), (*stage.opening(), _user(text)), made)


def _chain(stage: Stage, *, ended: bool) -> Draft:
    rng = stage.rng
    links = stage.catalog.links if ended else rng.choice(tuple(stage.catalog.inner_links.values()))
    link = rng.choice(links)
    offers, first, second = _linked(stage, link)
    given, later = stage.fill(first), stage.fill(second, omit={link.key})
    wishes = Wish(first.concept, given), Wish(second.concept, later, {link.key: _handed_on(stage, second, link.key)})
    asked = (*stage.opening(), _user(request(wishes, stage.voice)))
    before = first.call(given)
    if not ended:
        return Draft("chain_start", offers, asked, (before,))
    values = {slot.key: stage.draw(slot) for slot in first.concept.gives}
    shown = json.dumps({first.results[key]: value for key, value in values.items()}, ensure_ascii=False)
    messages = (*asked, called(before), Message("tool", shown))
    return Draft("chain_end", offers, messages, (second.call({**later, link.key: values[link.key]}),))


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
    draft = Draft("missing", _all(offers), (*stage.opening(), _user(text)), prose=prose, meta=meta)
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


def _handed_on(stage: Stage, offer: Offer, key: str) -> str:
    return stage.rng.choice(phrases.HANDED_ON).replace("{l}", _slot(offer, key).label)


def _one_of(stage: Stage, first: Offer, result: Result, key: str, label: str) -> tuple[Any, str]:
    """One of the values that a result lists, and the words that single it out."""
    rng = stage.rng
    values = result.values[key]
    place = rng.randrange(len(values))
    ways = [f"{('first', 'second', 'third', 'fourth')[place]} {label}", f"{label} number {place + 1}"]
    if place == len(values) - 1:
        ways.append(f"last {label}")
    for slot in first.concept.gives:
        fellows = result.values[slot.key]
        if slot.key != key and fellows.count(fellows[place]) == 1 and not slot.kind.phrase:
            ways.append(f"{label} of the one whose {slot.label} is {mark(spoken(fellows[place]))}")
    return values[place], rng.choice(ways)


def _told(stage: Stage, offer: Offer, result: Result) -> tuple[Message, ...]:
    """What the assistant said about a result, in half of the conversations."""
    return (Message("assistant", _report(stage, offer, result)),) if stage.rng.random() < 0.5 else ()


def _report(stage: Stage, offer: Offer, result: Result) -> str:
    if not result.values:
        return stage.rng.choice(phrases.DONE)
    told = [f"the {slot.label} is {spoken(result.values[slot.key])}" for slot in offer.concept.gives]
    if result.listed:
        told = [
            f"{len(next(iter(result.values.values())))} results: {spoken(result.values[offer.concept.gives[0].key])}"
        ]
    return capital(" and ".join(told)) + "."


def _linked(stage: Stage, link: Link) -> tuple[tuple[Offer, ...], Offer, Offer]:
    offers = stage.offers((link.first, link.second))
    return _all(offers), offers[link.first.key], offers[link.second.key]


def _one(stage: Stage) -> tuple[tuple[Offer, ...], Offer]:
    (concept,) = stage.pick()
    offers = stage.offers((concept,))
    return _all(offers), offers[concept.key]


def _slot(offer: Offer, key: str) -> Slot:
    return next(slot for slot in offer.slots if slot.key == key)


def _all(offers: Mapping[str, Offer]) -> tuple[Offer, ...]:
    return tuple(offers.values())


def _user(marked: str) -> Message:
    return Message("user", marked)


def _doubled(calls: tuple[Any, ...]) -> bool:
    return any(call in calls[:place] for place, call in enumerate(calls))
