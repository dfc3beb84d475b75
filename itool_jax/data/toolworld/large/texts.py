"""Strings of the large world: names of things, messages, notes, search words."""

from __future__ import annotations

from random import Random

from itool_jax.data.toolworld import pools
from itool_jax.data.toolworld.values import clock_time, first_name, syllables

_WHO = ("I", "we", "the team", "the neighbours", "the driver", "the boss", "both of us", "the kids", "the landlord")
_WILL = ("will be late", "cannot make it", "found the key", "agreed to the plan", "need more time", "changed the locks")
_TAIL = ("", "", " today", " after all", " this time", " as promised", ", sorry", ", finally", " for now", ", I think")
_ASK = ("can you bring", "have you seen", "please return", "do not touch", "remember to clean", "who took", "we sold")
_SUBJECT_WORDS = (
    *("quarterly report", "summer party", "new contract", "broken heater", "travel plan", "budget", "site visit"),
    *("team photo", "parking rules", "price list", "kitchen repair", "job interview", "school trip", "old invoices"),
)
_CLUBS = ("Tigers", "Rovers", "United", "Hawks", "Comets", "Wolves", "Rangers", "City")
_VERBS = ("clean", "repair", "order", "paint", "pack", "check", "sort", "wash", "collect", "replace", "measure")


def message(rng: Random) -> str:
    """A short message that somebody would send."""
    adjective, noun = rng.choice(pools.ADJECTIVES), rng.choice(pools.NOUNS)
    roll = rng.randrange(7)
    if roll == 0:
        return f"{rng.choice(_WHO)} {rng.choice(_WILL)}{rng.choice(_TAIL)}"
    if roll == 1:
        return f"{rng.choice(_ASK)} the {adjective} {noun}{rng.choice(('?', '', '!'))}"
    if roll == 2:
        return f"{first_name(rng)} {rng.choice(('waits', 'called', 'is here', 'says hello'))}{rng.choice(_TAIL)}"
    if roll == 3:
        where = f"behind the {rng.choice(pools.NOUNS)}"
        return f"the {noun} is {rng.choice(('ready', 'gone', f'too {adjective}', where))}"
    if roll == 4:
        return f"meet {rng.choice(('me', 'us', first_name(rng)))} at the {noun}, {clock_time(rng)}"
    if roll == 5:
        return f"{rng.choice(('happy birthday', 'thank you', 'well done', 'get well soon'))}, {first_name(rng)}!"
    return f"about the {rng.choice(_SUBJECT_WORDS)}: {rng.choice(_WHO)} {rng.choice(_WILL)}"


def note(rng: Random) -> str:
    """A remark for a form."""
    noun, adjective = rng.choice(pools.NOUNS), rng.choice(pools.ADJECTIVES)
    return rng.choice(
        (
            f"ring twice at the {adjective} {noun}",
            f"ask for {first_name(rng)}",
            f"handle the {noun} with care",
            f"paid by {first_name(rng)}",
            f"{adjective} {noun} is missing",
            f"leave it behind the {noun}",
            f"no {noun} this time",
            f"same as last {rng.choice(('week', 'month', 'year', 'time'))}",
        )
    )


def subject(rng: Random) -> str:
    return rng.choice((rng.choice(_SUBJECT_WORDS), f"{rng.choice(pools.ADJECTIVES)} {rng.choice(pools.NOUNS)}"))


def task(rng: Random) -> str:
    """Something to be done, as a to-do list says it."""
    return f"{rng.choice(_VERBS)} the {rng.choice(pools.ADJECTIVES)} {rng.choice(pools.NOUNS)}"


def company(rng: Random) -> str:
    tail = rng.choice(("Logistics", "Foods", "Systems", "Energy", "Partners", "Textiles", "Robotics", "Media", "Labs"))
    return f"{syllables(rng, 2)} {tail}"


def team(rng: Random) -> str:
    return f"{syllables(rng, 2)} {rng.choice(_CLUBS)}"


def stock(rng: Random) -> str:
    return "".join(rng.choice("ABCDEFGHKLMNPRSTVWX") for _ in range(rng.randint(3, 4)))


def user_name(rng: Random) -> str:
    number = str(rng.randint(2, 99)) if rng.random() < 0.5 else ""
    return f"{first_name(rng).lower()}{rng.choice(('_', '.', ''))}{rng.choice(pools.NOUNS)}{number}"


def host(rng: Random) -> str:
    return f"{rng.choice(pools.SERVICES)}-{rng.choice(('prod', 'eu', 'db', 'edge', 'dev'))}-{rng.randint(1, 40):02d}"


def branch(rng: Random) -> str:
    kind = rng.choice(("fix", "feature", "release", "hotfix"))
    return f"{kind}/{rng.choice(pools.ADJECTIVES)}-{rng.choice(pools.NOUNS)}"


def repository(rng: Random) -> str:
    return f"{rng.choice(pools.ADJECTIVES)}-{rng.choice(pools.NOUNS)}"


def url(rng: Random) -> str:
    return f"https://{syllables(rng, 2).lower()}.example/{rng.choice(pools.NOUNS)}"


def folder(rng: Random) -> str:
    return f"{rng.choice(pools.FILE_WORDS)}_{rng.randint(2015, 2029)}"


def path(rng: Random) -> str:
    name = f"{rng.choice(pools.FILE_WORDS)}_{rng.randint(1, 99)}.{rng.choice(pools.FILE_ENDINGS)}"
    return f"/{folder(rng)}/{name}" if rng.random() < 0.5 else name


def postcode(rng: Random) -> str:
    return str(rng.randint(10000, 99999))


def street(rng: Random) -> str:
    return f"{rng.randint(1, 199)} {rng.choice(pools.STREETS)} {rng.choice(pools.STREET_KINDS)}"
