"""Values and how a request says them: every draw gives (JSON value, its wording in the request).

Strings are worded as they are, in quotes where they could run into the words around them. Integers are digits, a number
word up to twenty, or digits with thousands separators.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from itool_jax.data.toolworld import pools

Drawn = tuple[Any, str]
Draw = Callable[[Random], Drawn]


@dataclass(frozen=True)
class Kind:
    """A kind of value: its JSON-Schema fragment, how to draw one, and the default an optional parameter shows."""

    schema: Mapping[str, Any]
    draw: Draw
    default: Any = None


def string(make: Callable[[Random], str]) -> Kind:
    """A string that is said as it is written, without quotes."""

    def draw(rng: Random) -> Drawn:
        value = make(rng)
        return value, value

    return Kind({"type": "string"}, draw)


def quoted(make: Callable[[Random], str], *, always: bool = True) -> Kind:
    """A string in quotes; with `always` off, about half of those that hold only letters and spaces have none."""

    def draw(rng: Random) -> Drawn:
        value = make(rng)
        if not always and value.replace(" ", "").isalnum() and rng.random() < 0.5:
            return value, value
        return value, quote(value, rng)

    return Kind({"type": "string"}, draw)


def integer(low: int, high: int, *, step: int = 1, default: int | None = None) -> Kind:
    def draw(rng: Random) -> Drawn:
        value = rng.randrange(low, high + 1, step)
        return value, say_integer(value, rng)

    return Kind({"type": "integer"}, draw, default)


def number(low: float, high: float, *, digits: int = 1, default: float | None = None) -> Kind:
    """A float that is no whole number and ends in no zero, so that it has one spelling."""
    scale = 10**digits

    def draw(rng: Random) -> Drawn:
        scaled = rng.randint(int(low * scale), int(high * scale))
        value = (scaled if scaled % 10 else scaled + rng.randint(1, 9)) / scale
        return value, str(value)

    return Kind({"type": "number"}, draw, default)


def boolean(yes: Sequence[str], no: Sequence[str], *, default: bool = False) -> Kind:
    """True or False, each by phrases of its own."""

    def draw(rng: Random) -> Drawn:
        value = rng.random() < 0.5
        return value, rng.choice(yes if value else no)

    return Kind({"type": "boolean"}, draw, default)


def choices(said: Mapping[str, Sequence[str]], *spellings: Sequence[str]) -> tuple[Kind, ...]:
    """Enums, one for each spelling of the values: `said` maps the first spelling to the phrases that mean it."""
    phrases = tuple(said.values())

    def kind(values: Sequence[str]) -> Kind:
        def draw(rng: Random) -> Drawn:
            i = rng.randrange(len(values))
            return values[i], rng.choice(phrases[i])

        return Kind({"type": "string", "enum": list(values)}, draw, values[0])

    return tuple(kind(tuple(values)) for values in (tuple(said), *spellings))


def several(element: Kind, low: int = 1, high: int = 3) -> Kind:
    """A list of distinct elements, said as `A, B and C`."""

    def draw(rng: Random) -> Drawn:
        drawn: dict[str, Any] = {}
        for _ in range(rng.randint(low, high)):
            value, text = element.draw(rng)
            drawn.setdefault(text, value)
        return list(drawn.values()), join_words(tuple(drawn))

    return Kind({"type": "array", "items": element.schema}, draw)


def join_words(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def quote(text: str, rng: Random) -> str:
    """The text between quotation marks that do not occur in it."""
    mark = '"' if "'" in text else "'" if '"' in text else rng.choice('"""\'')
    return f"{mark}{text}{mark}"


def say_integer(value: int, rng: Random) -> str:
    if 0 <= value < len(pools.NUMBER_WORDS) and rng.random() < 0.4:
        return pools.NUMBER_WORDS[value]
    return f"{value:,}" if value >= 1000 and rng.random() < 0.3 else str(value)


def syllables(rng: Random, count: int) -> str:
    parts = [rng.choice(pools.ONSETS) + rng.choice(pools.VOWELS) for _ in range(count)]
    return "".join(parts).capitalize() + rng.choice(pools.CODAS)


def person(rng: Random) -> str:
    first = rng.choice(pools.FIRST_NAMES)
    last = rng.choice(pools.LAST_NAMES) if rng.random() < 0.5 else syllables(rng, 2)
    return f"{first} {last}"


def first_name(rng: Random) -> str:
    return rng.choice(pools.FIRST_NAMES) if rng.random() < 0.6 else syllables(rng, 2)


def city(rng: Random) -> str:
    roll = rng.random()
    if roll < 0.5:
        return rng.choice(pools.CITIES)
    return syllables(rng, 2) if roll < 0.85 else f"{rng.choice(pools.CITY_LEADS)} {syllables(rng, 2)}"


def code(rng: Random) -> str:
    letters = "ABCDEFGHJKLMNPRSTUVWXYZ"
    roll = rng.random()
    if roll < 0.5:
        return f"{rng.choice(letters)}{rng.choice(letters)}-{rng.randint(100, 9999)}"
    if roll < 0.7:
        return f"{rng.choice(letters)}{rng.randint(10, 999)}-{rng.choice(letters)}{rng.randint(1, 9)}"
    if roll < 0.85:
        return f"{rng.choice(letters)}{rng.randint(1000, 99999)}"
    return str(rng.randint(10000, 999999))


def flight_number(rng: Random) -> str:
    return f"{rng.choice('ABEFKLQSTU')}{rng.choice('ABCFHLRSUX')}{rng.randint(12, 2999)}"


def version(rng: Random) -> str:
    return f"{rng.randint(0, 9)}.{rng.randint(0, 20)}.{rng.randint(0, 9)}"


def clock_time(rng: Random) -> str:
    return f"{rng.randint(0, 23)}:{rng.randrange(0, 60, 5):02d}"


def date(rng: Random) -> str:
    roll = rng.random()
    if roll < 0.4:
        return f"{rng.randint(2024, 2029)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}"
    return f"{rng.randint(1, 28)} {rng.choice(pools.MONTHS)}" if roll < 0.7 else rng.choice(pools.WEEKDAYS)


def address(rng: Random) -> str:
    street = f"{rng.randint(1, 199)} {rng.choice(pools.STREETS)} {rng.choice(pools.STREET_KINDS)}"
    return f"{street}, Flat {rng.randint(1, 20)}" if rng.random() < 0.2 else street


def email(rng: Random) -> str:
    first, host = first_name(rng).lower(), rng.choice(pools.MAIL_HOSTS)
    tail = rng.choice((f".{syllables(rng, 1).lower()}", str(rng.randint(1, 99)), ""))
    return f"{first}{tail}@{host}"


def phone(rng: Random) -> str:
    return f"{rng.choice(('555', '0', '+44 ', '+1 '))}{rng.randint(100, 999)}-{rng.randint(1000, 9999)}"


def file_name(rng: Random) -> str:
    stem = rng.choice(pools.FILE_WORDS) if rng.random() < 0.7 else syllables(rng, 2).lower()
    return f"{stem}_{rng.randint(1, 99)}.{rng.choice(pools.FILE_ENDINGS)}"


def title(rng: Random) -> str:
    """A title in capitals; one in five holds a comma, brackets, quotation marks, an apostrophe or an equals sign."""
    adjective, noun = rng.choice(pools.ADJECTIVES).capitalize(), rng.choice(pools.NOUNS).capitalize()
    other = rng.choice(pools.NOUNS).capitalize()
    roll = rng.random()
    if roll < 0.8:
        return rng.choice(
            (f"{adjective} {noun}", f"The {adjective} {noun}", f"{noun} of the {other}", f"{noun} {other}")
        )
    return rng.choice(
        (
            f"{noun}, {other}",
            f"{adjective} {noun} (live)",
            f'The "{adjective}" {noun}',
            f"{rng.choice(pools.FIRST_NAMES)}'s {noun}",
            f"{noun}: part {rng.randint(1, 9)}",
            f"{noun} [{adjective}]",
            f"{noun} = {other}",
        )
    )


def sentence(rng: Random) -> str:
    """A short message."""
    noun, adjective = rng.choice(pools.NOUNS), rng.choice(pools.ADJECTIVES)
    return rng.choice(
        (
            f"I am {rng.randint(5, 55)} minutes late",
            f"see you at {clock_time(rng)}",
            f"please call {first_name(rng)}",
            f"the {noun} is {adjective}",
            f"do not forget the {noun}",
            f"where is the {noun}?",
            f"thanks for the {adjective} {noun}!",
            f"meet me at {rng.randint(1, 99)} {rng.choice(pools.STREETS)} Street",
            f"yes, the {adjective} one",
            f"I'm in {city(rng)}",
            f"bring the {noun} (and the {rng.choice(pools.NOUNS)})",
        )
    )


def topic(rng: Random) -> str:
    return f"{rng.choice(pools.ADJECTIVES)} {rng.choice(pools.NOUNS)}"


def product(rng: Random) -> str:
    return f"{rng.choice(pools.MATERIALS)} {rng.choice(pools.GOODS)}"


def place(rng: Random) -> str:
    """The name of a restaurant, hotel or shop."""
    roll = rng.random()
    if roll < 0.4:
        return f"{rng.choice(pools.ADJECTIVES).capitalize()} {rng.choice(pools.NOUNS).capitalize()}"
    return (
        f"{syllables(rng, 2)} {rng.choice(pools.NOUNS).capitalize()}"
        if roll < 0.8
        else f"{rng.choice(pools.FIRST_NAMES)}'s"
    )


def one_of(words: Sequence[str]) -> Callable[[Random], str]:
    return lambda rng: rng.choice(words)
