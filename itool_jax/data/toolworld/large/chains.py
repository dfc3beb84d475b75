"""Scenes of calls that depend on each other: in one answer, or across a tool's result."""

from __future__ import annotations

import json
from typing import Any

from itool_jax.data.example import Message
from itool_jax.data.toolworld.large import phrases
from itool_jax.data.toolworld.large.catalog import Link
from itool_jax.data.toolworld.large.marks import mark
from itool_jax.data.toolworld.large.offers import Offer
from itool_jax.data.toolworld.large.stage import Draft, Result, Stage, all_of, called, slot_of, spoken, user
from itool_jax.data.toolworld.large.wording import Wish, request

_MAX_CHAIN = 3


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
    messages = (*stage.opening(rng.choice(phrases.NESTING)), user(request(wishes, stage.voice)))
    return Draft("nested", all_of(offers), messages, tuple(made))


def chain_start(stage: Stage, calls: int) -> Draft:
    """Two steps of which the second needs the first's result: only the first can be called now."""
    return _chain(stage, ended=False)


def chain_end(stage: Stage, calls: int) -> Draft:
    """The result of the first step is there: the second is to be called."""
    return _chain(stage, ended=True)


def reference(stage: Stage, calls: int) -> Draft:
    """A new request that takes a value from the result before it, or one of several by its place or its fellow."""
    rng = stage.rng
    link = rng.choice(stage.catalog.links)
    offers, first, second = _linked(stage, link)
    result = stage.result(first)
    slot = slot_of(second, link.key)
    value, label = result.values[link.key], slot.label
    if result.listed:
        value, label = _one_of(stage, first, result, link.key, label)
    values = stage.fill(second, omit={link.key})
    said = rng.choice(phrases.POINTING).replace("{l}", label)
    text = request((Wish(second.concept, values, {link.key: said}),), stage.voice)
    messages = (*stage.opening(), *stage.past(first, result.text), *stage.told(first, result), user(text))
    kind = "pick" if result.listed else "reference"
    return Draft(kind, offers, messages, (second.call({**values, link.key: value}),))


def _chain(stage: Stage, *, ended: bool) -> Draft:
    rng = stage.rng
    links = stage.catalog.links if ended else rng.choice(tuple(stage.catalog.inner_links.values()))
    link = rng.choice(links)
    offers, first, second = _linked(stage, link)
    given, later = stage.fill(first), stage.fill(second, omit={link.key})
    wishes = Wish(first.concept, given), Wish(second.concept, later, {link.key: _handed_on(stage, second, link.key)})
    asked = (*stage.opening(), user(request(wishes, stage.voice)))
    before = first.call(given)
    if not ended:
        return Draft("chain_start", offers, asked, (before,))
    values = {slot.key: stage.draw(slot) for slot in first.concept.gives}
    shown = json.dumps({first.results[key]: value for key, value in values.items()}, ensure_ascii=False)
    messages = (*asked, called(before), Message("tool", shown))
    return Draft("chain_end", offers, messages, (second.call({**later, link.key: values[link.key]}),))


def _linked(stage: Stage, link: Link) -> tuple[tuple[Offer, ...], Offer, Offer]:
    offers = stage.offers((link.first, link.second))
    return all_of(offers), offers[link.first.key], offers[link.second.key]


def _handed_on(stage: Stage, offer: Offer, key: str) -> str:
    return stage.rng.choice(phrases.HANDED_ON).replace("{l}", slot_of(offer, key).label)


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
