"""Requests in words: phrases of slots, clauses of calls, and sentences around them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random

from itool_jax.data.toolworld import values
from itool_jax.data.toolworld.offers import Binding, Offer
from itool_jax.data.toolworld.values import Drawn

FRAMES = (
    "{}.",
    "{}.",
    "{}, please.",
    "Please {}.",
    "Please {}.",
    "Can you {}?",
    "Could you {}?",
    "Could you please {}?",
    "I need you to {}.",
    "I want you to {}.",
    "I'd like you to {}.",
    "Would you {}?",
    "Hi, {}.",
    "Hello, can you {}?",
    "{}, thanks.",
    "Now {}.",
    "Quick one: {}.",
    "Help me: {}.",
    "Be so kind and {}.",
)
OPENERS = (
    "Good morning!",
    "Good evening.",
    "I am in a hurry.",
    "It has been a long day.",
    "I never used this before.",
    "My boss asked for this.",
    "I hope you are well.",
    "Sorry to bother you.",
    "One more thing.",
    "This is important.",
)
CORRECTIONS = ("{}, no, {}", "{}, sorry, {}", "{}, I mean {}", "{}, or rather {}")
SECOND_STEPS = ("Then {}", "After that, {}", "Also {}", "And {}", "Next, {}")
LAST_STEPS = ("Finally, {}", "Then {}", "Lastly, {}", "Also {}")
COUNTS = {2: "two", 3: "three", 4: "four"}


def phrase(binding: Binding, drawn: Drawn, rng: Random) -> str:
    return rng.choice(binding.slot.phrases).replace("{}", drawn[1])


def corrected_phrase(binding: Binding, wrong: Drawn, drawn: Drawn, rng: Random) -> str:
    """The phrase said with a slip of the tongue first: the last value counts."""
    template = rng.choice(binding.slot.phrases)
    first, second = template.replace("{}", wrong[1]), template.replace("{}", drawn[1])
    return rng.choice(CORRECTIONS).replace("{}", first, 1).replace("{}", second, 1)


def clause(offer: Offer, drawn: Mapping[str, Drawn], rng: Random, said: Mapping[str, str] | None = None) -> str:
    """A command that asks for a call with these values; `said` replaces the phrases of some slots."""
    return " ".join([rng.choice(offer.concept.asks), *phrases(offer, drawn, rng, said)])


def phrases(offer: Offer, drawn: Mapping[str, Drawn], rng: Random, said: Mapping[str, str] | None = None) -> list[str]:
    """The phrases of a call's values, those that lead first and the others in any order."""
    said = said or {}
    leading, others = [], []
    for binding in offer.bindings:
        key = binding.slot.key
        if key in said or key in drawn:
            text = said[key] if key in said else phrase(binding, drawn[key], rng)
            (leading if binding.slot.leads else others).append(text)
    rng.shuffle(others)
    return leading + others


def request(clauses: Sequence[str], rng: Random) -> str:
    """One to four commands as a message that asks for them in this order."""
    text = framed(clauses[0], rng) if len(clauses) == 1 else _joined(clauses, rng)
    return f"{rng.choice(OPENERS)} {text}" if rng.random() < 0.1 else text


def framed(command: str, rng: Random) -> str:
    return capital(rng.choice(FRAMES).replace("{}", command))


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def listed(texts: Sequence[str], rng: Random) -> str:
    """`A, B and C`, in one of the ways to say it."""
    return values.join_words(texts) if rng.random() < 0.8 else f"{', '.join(texts[:-1])} and also {texts[-1]}"


def _joined(clauses: Sequence[str], rng: Random) -> str:
    roll = rng.random()
    if roll < 0.3:
        return framed(f"{', '.join(clauses[:-1])} and {rng.choice(('also ', 'then ', ''))}{clauses[-1]}", rng)
    if roll < 0.6:
        middle = (rng.choice(SECOND_STEPS).replace("{}", text) for text in clauses[1:-1])
        last = rng.choice(LAST_STEPS).replace("{}", clauses[-1])
        return ". ".join((capital(clauses[0]), *middle, last)) + "."
    if roll < 0.7:
        return " ".join(f"{i}) {text}" for i, text in enumerate(clauses, 1))
    if roll < 0.8:
        return f"I need {COUNTS[len(clauses)]} things: {'; '.join(clauses)}."
    if roll < 0.9 and len(clauses) == 2:
        return f"{capital(clauses[1])}, but first {clauses[0]}."
    return capital("; ".join(clauses)) + "."
