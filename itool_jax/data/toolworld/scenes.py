"""Scenes: what can happen in a conversation, from the request to the one right answer.

A scene returns None where chance has dealt it tools that it cannot be played with.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from random import Random

from itool_jax.data.example import Message
from itool_jax.data.toolworld import values, wording
from itool_jax.data.toolworld.blocks import (
    Draft,
    Shape,
    fill,
    offers_for,
    one_call,
    other_value,
    past,
    pick,
    result_of,
    several_calls,
    spoken,
    user,
)
from itool_jax.data.toolworld.offers import Binding, Offer, make_offer
from itool_jax.data.toolworld.pool import Link, Pool, rivals
from itool_jax.data.toolworld.values import Drawn

Scene = Callable[[Random, Pool, Shape], Draft | None]


def direct(rng: Random, pool: Pool, shape: Shape) -> Draft | None:
    """All that the user asks for, at once."""
    asked = pick(pool, min(shape.tools, rng.randint(1, shape.calls)), rng)
    offers = offers_for(asked, rng, pool, shape)
    counts = [1] * len(asked)
    for _ in range(shape.calls - len(asked)):
        counts[rng.randrange(len(counts))] += 1
    clauses, calls = [], []
    for concept, count in zip(asked, counts, strict=True):
        if count == 1:
            text, call = one_call(offers[concept.key], rng)
            told = text, [call]
        else:
            told = several_calls(offers[concept.key], count, rng)
        if told is None:
            return None
        clauses.append(told[0])
        calls += told[1]
    return Draft("direct", _all(offers), (user(wording.request(clauses, rng)),), tuple(calls))


def shared(rng: Random, pool: Pool, shape: Shape) -> Draft:
    """Two calls of different tools that share a value, said once for both."""
    first, second, slot = rng.choice(pool.sharing)
    offers = offers_for((first, second), rng, pool, shape)
    pair = [offers[first.key], offers[second.key]]
    filled = [fill(offer, rng, omit={slot.key}) for offer in pair]
    common = slot.kinds[0].draw(rng)
    text = " and ".join(wording.clause(offer, given, rng) for offer, given in zip(pair, filled, strict=True))
    text = f"{text}, both {wording.phrase(_binding(pair[0], slot.key), common, rng)}"
    calls = tuple(offer.call({**given, slot.key: common}) for offer, given in zip(pair, filled, strict=True))
    return Draft("shared", _all(offers), (user(wording.request((text,), rng)),), calls)


def chain_start(rng: Random, pool: Pool, shape: Shape) -> Draft:
    """Two steps of which the second needs the first's result: only the first can be called now."""
    return _chain(rng, pool, shape, ended=False)


def chain_end(rng: Random, pool: Pool, shape: Shape) -> Draft:
    """The result of the first step is there: the second is to be called."""
    return _chain(rng, pool, shape, ended=True)


def clarified(rng: Random, pool: Pool, shape: Shape) -> Draft | None:
    """The user gives the value that the assistant had to ask for."""
    gaps = _with_gaps(rng, pool, shape, at_most=1)
    if gaps is None:
        return None
    draft, offer, filled, (omitted,) = gaps
    drawn = omitted.kind.draw(rng)
    reply = wording.phrase(omitted, drawn, rng)
    if not reply.startswith(drawn[1]):
        reply = wording.capital(reply)
    reply += rng.choice((".", ", please.", "."))
    messages = (*draft.messages, Message("assistant", draft.prose), user(reply))
    return Draft("clarified", draft.offers, messages, (offer.call({**filled, omitted.slot.key: drawn}),))


def reference(rng: Random, pool: Pool, shape: Shape) -> Draft:
    """A new request that takes a value from the result before it, or one of several values by its place."""
    link = rng.choice(pool.links)
    offers, first, second = _linked(link, rng, pool, shape)
    binding = _binding(second, link.key)
    lists = link.first.verbs[0] in ("find", "list", "get") and binding.kind.schema["type"] == "string"
    many = lists and rng.random() < 0.6
    result = result_of(first, rng, many=link.key if many else "")
    value, label = result.values[link.key], binding.slot.label
    if many:
        value, label = _one_of(value, label, rng)
    said = rng.choice(("with the {} from the result", "using the {} you found", "with the {} you got"))
    filled = fill(second, rng, omit={link.key})
    text = wording.clause(second, filled, rng, {link.key: said.replace("{}", label)})
    messages = (*past(first, rng, result.text), user(wording.request((text,), rng)))
    return Draft("pick" if many else "reference", offers, messages, (second.call({**filled, link.key: (value, "")}),))


def same_again(rng: Random, pool: Pool, shape: Shape) -> Draft | None:
    """The call before once more, with one value changed."""
    offers, offer = _single(rng, pool, shape)
    filled = fill(offer, rng)
    if not offer.bindings:
        return None
    binding = rng.choice(offer.bindings)
    drawn = other_value(binding, filled.get(binding.slot.key), rng)
    if drawn is None:
        return None
    text = f"with the {binding.slot.label} {drawn[1]}" if binding.slot.leads else wording.phrase(binding, drawn, rng)
    frame = rng.choice(("The same again, but {}.", "Do the same {}.", "Once more, but this time {}.", "And now {}."))
    messages = (*past(offer, rng, result_of(offer, rng).text, filled), user(frame.replace("{}", text)))
    return Draft("same_again", offers, messages, (offer.call({**filled, binding.slot.key: drawn}),))


def new_request(rng: Random, pool: Pool, shape: Shape) -> Draft | None:
    """A request that has nothing to do with the result before it."""
    draft = direct(rng, pool, shape)
    if draft is None:
        return None
    offer = rng.choice(draft.offers)
    messages = (*past(offer, rng, result_of(offer, rng).text), *draft.messages)
    return Draft("new_request", draft.offers, messages, draft.calls)


def missing(rng: Random, pool: Pool, shape: Shape) -> Draft | None:
    """A request without some required values: the answer asks for them by name."""
    gaps = _with_gaps(rng, pool, shape, at_most=2)
    return gaps and gaps[0]


def no_tool(rng: Random, pool: Pool, shape: Shape) -> Draft:
    """A request that none of the candidates serves."""
    concept = rng.choice(pool.asked)
    offer = make_offer(concept, rng, keep_optional=shape.keep_optional)
    offers = offers_for((concept,), rng, pool, shape, barred=rivals(concept))
    text = wording.request((wording.clause(offer, fill(offer, rng), rng),), rng)
    return Draft("no_tool", _all(offers), (user(text),), prose="None of these tools can do that.")


def abilities(rng: Random, pool: Pool, shape: Shape) -> Draft:
    """A question about the tools themselves."""
    offers = _all(offers_for(pick(pool, 1, rng), rng, pool, shape))
    greeting = rng.choice(("Hello", "Hi", "Good day", "Hey there"))
    question = rng.choice(
        ("What can you do?", "Which tools do you have?", "How can you help me?", "What are your tools?")
    )
    prose = f"I can call {values.join_words([offer.tool.name for offer in offers])}."
    return Draft("abilities", offers, (user(f"{greeting}, I am {values.person(rng)}. {question}"),), prose=prose)


def report(rng: Random, pool: Pool, shape: Shape) -> Draft:
    """The result of the last call is there and nothing is left to do: the answer tells it."""
    offers, offer = _single(rng, pool, shape)
    result = result_of(offer, rng)
    return Draft("report", offers, past(offer, rng, result.text), prose=result.prose)


def failure(rng: Random, pool: Pool, shape: Shape) -> Draft:
    """The call failed: the answer says why."""
    offers, offer = _single(rng, pool, shape)
    error = rng.choice(
        ("not found", "no connection", "access denied", "service is closed", "limit reached", "timed out")
    )
    return Draft(
        "failure", offers, past(offer, rng, json.dumps({"error": error})), prose=f"That did not work: {error}."
    )


def recall(rng: Random, pool: Pool, shape: Shape) -> Draft:
    """A question about the result before it, or thanks."""
    offers, offer = _single(rng, pool, shape)
    result = result_of(offer, rng)
    if not offer.concept.returns or rng.random() < 0.3:
        text, prose = (
            rng.choice(("Thanks!", "Thank you.", "Great, thanks.", "Perfect, that is all.")),
            "You are welcome.",
        )
    else:
        slot = rng.choice(offer.concept.returns)
        text, prose = f"What was the {slot.label} again?", f"The {slot.label} is {spoken(result.values[slot.key])}."
    return Draft("recall", offers, (*past(offer, rng, result.text), user(text)), prose=prose)


SINGLE_TURN: Mapping[Scene, float] = {direct: 10, shared: 0.8, chain_start: 0.8, clarified: 1.2}
FOLLOW_UP: Mapping[Scene, float] = {reference: 4, chain_end: 2, same_again: 2, new_request: 2}
SINGLE_TURN_PROSE: Mapping[Scene, float] = {missing: 5, no_tool: 5, abilities: 1}
FOLLOW_UP_PROSE: Mapping[Scene, float] = {report: 5, failure: 2, recall: 3}
TWO_TOOLS = frozenset((shared, chain_start, chain_end, reference))


def _chain(rng: Random, pool: Pool, shape: Shape, *, ended: bool) -> Draft:
    link = rng.choice(pool.links if ended else pool.inner_links)
    offers, first, second = _linked(link, rng, pool, shape)
    given, later = fill(first, rng), fill(second, rng, omit={link.key})
    label = _binding(second, link.key).slot.label
    said = rng.choice(("with the {} you get", "using the {} from that", "with the resulting {}")).replace("{}", label)
    clauses = wording.clause(first, given, rng), wording.clause(second, later, rng, {link.key: said})
    request = user(wording.request(clauses, rng))
    before = first.call(given)
    if not ended:
        return Draft("chain_start", offers, (request,), (before,))
    result = result_of(first, rng)
    messages = (request, *past(first, rng, result.text, given)[1:])
    return Draft("chain_end", offers, messages, (second.call({**later, link.key: (result.values[link.key], "")}),))


def _with_gaps(
    rng: Random, pool: Pool, shape: Shape, *, at_most: int
) -> tuple[Draft, Offer, dict[str, Drawn], tuple[Binding, ...]] | None:
    concept = rng.choice(pool.asked)
    offers = offers_for((concept,), rng, pool, shape, barred=rivals(concept) - {concept.key})
    offer = offers[concept.key]
    if not offer.required:
        return None
    count = min(len(offer.required), at_most if rng.random() < 0.3 else 1)
    keys = {binding.slot.key for binding in rng.sample(offer.required, count)}
    omitted = tuple(binding for binding in offer.required if binding.slot.key in keys)
    filled = fill(offer, rng, omit=keys)
    text = wording.request((wording.clause(offer, filled, rng),), rng)
    prose = f"Please tell me: {', '.join(binding.name for binding in omitted)}."
    return Draft("missing", _all(offers), (user(text),), prose=prose), offer, filled, omitted


def _linked(link: Link, rng: Random, pool: Pool, shape: Shape) -> tuple[tuple[Offer, ...], Offer, Offer]:
    offers = offers_for((link.first, link.second), rng, pool, shape)
    return _all(offers), offers[link.first.key], offers[link.second.key]


def _single(rng: Random, pool: Pool, shape: Shape) -> tuple[tuple[Offer, ...], Offer]:
    (concept,) = pick(pool, 1, rng)
    offers = offers_for((concept,), rng, pool, shape)
    return _all(offers), offers[concept.key]


def _one_of(found: Sequence[str], label: str, rng: Random) -> tuple[str, str]:
    """One of the values that a result lists, and the words that single it out."""
    place = rng.randrange(len(found))
    ways = [f"{('first', 'second', 'third')[place]} {label}", f"{label} number {place + 1}"]
    if place == len(found) - 1:
        ways.append(f"last {label}")
    return found[place], rng.choice(ways)


def _all(offers: Mapping[str, Offer]) -> tuple[Offer, ...]:
    return tuple(offers.values())


def _binding(offer: Offer, key: str) -> Binding:
    return next(binding for binding in offer.bindings if binding.slot.key == key)
