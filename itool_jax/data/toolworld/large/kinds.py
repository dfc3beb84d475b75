"""Kinds of values: the JSON-Schema, how to draw one, and how to say it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from itool_jax.data.toolworld.large import clock
from itool_jax.data.toolworld.large.clock import Day
from itool_jax.data.toolworld.large.ways import ways
from itool_jax.data.toolworld.values import quote

Draw = Callable[[Random, Day], Any]
Say = Callable[[Any, Random, Day], str]


@dataclass(frozen=True, eq=False)
class Kind:
    """A kind of value.

    say     a noun or number that can stand behind a preposition
    adverb  another wording, which takes the place of "on {}"; None where a value has none
    phrase  the wording is a phrase of its own, which fits into no frame ("with breakfast")
    """

    schema: Mapping[str, Any]
    draw: Draw
    say: Say
    adverb: Callable[[Any, Random, Day], str | None] | None = None
    phrase: bool = False

    @property
    def closed(self) -> bool:
        """Whether the values are few."""
        return "enum" in self.schema or self.schema["type"] == "boolean"


def text(make: Callable[[Random], str], quotes: float = 0.0, **schema: Any) -> Kind:
    """A string said as it is written, in quotation marks with probability `quotes`."""

    def say(value: str, rng: Random, day: Day) -> str:
        return quote(value, rng) if rng.random() < quotes else value

    return Kind({"type": "string", **schema}, lambda rng, day: make(rng), say)


def integer(low: int, high: int, step: int = 1) -> Kind:
    """An integer, said in digits, or in words up to 99."""
    return Kind({"type": "integer"}, lambda rng, day: rng.randrange(low, high + 1, step), _say_integer)


def year(low: int, high: int) -> Kind:
    """An integer that is said in its four digits."""
    return Kind({"type": "integer"}, lambda rng, day: rng.randint(low, high), lambda value, rng, day: str(value))


def number(low: float, high: float, digits: int = 1) -> Kind:
    """A float that is no whole number, so that it has one JSON type."""
    scale = 10**digits

    def draw(rng: Random, day: Day) -> float:
        scaled = rng.randint(int(low * scale), int(high * scale))
        return (scaled if scaled % scale else scaled + rng.randint(1, scale - 1)) / scale

    def say(value: float, rng: Random, day: Day) -> str:
        return f"{value:,}" if value >= 1000 and rng.random() < 0.4 else str(value)

    return Kind({"type": "number"}, draw, say)


def euros(low: float, high: float) -> Kind:
    """An amount in euros and cents."""
    plain = number(low, high, 2)

    def say(value: float, rng: Random, day: Day) -> str:
        whole, cents = f"{value:.2f}".split(".")
        return rng.choice(
            (
                f"{value} euros",
                f"{value:.2f} euros",
                f"EUR {value:.2f}",
                f"€{value:,.2f}",
                f"{whole} euros and {cents} cents",
            )
        )

    return Kind(plain.schema, plain.draw, say)


def enum(said: Mapping[str, str]) -> Kind:
    """One of a few strings; `said` maps each to its wordings, which `|` divides."""
    wordings = {value: ways(text) for value, text in said.items()}
    return Kind(
        {"type": "string", "enum": list(said)},
        lambda rng, day: rng.choice(tuple(wordings)),
        lambda value, rng, day: rng.choice(wordings[value]),
    )


def words(values: str) -> Kind:
    """One of a few strings that are said as they are spelled, underscores as spaces."""
    return enum({value: value.replace("_", " ") for value in values.split()})


def yes_no(yes: str, no: str) -> Kind:
    """True or False, each by phrases of its own, which `|` divides."""
    phrases = {True: ways(yes), False: ways(no)}
    return Kind(
        {"type": "boolean"},
        lambda rng, day: rng.random() < 0.5,
        lambda value, rng, day: rng.choice(phrases[value]),
        phrase=True,
    )


def many(item: Kind, low: int = 1, high: int = 3, key: str = "") -> Kind:
    """A list of distinct values; of records, distinct in the field `key`."""

    def draw(rng: Random, day: Day) -> list[Any]:
        drawn: dict[str, Any] = {}
        for _ in range(rng.randint(low, high)):
            value = item.draw(rng, day)
            drawn.setdefault(str(value[key] if key else value), value)
        return list(drawn.values())

    def say(value: list[Any], rng: Random, day: Day) -> str:
        return clock.joined([item.say(part, rng, day) for part in value], rng)

    return Kind({"type": "array", "items": item.schema}, draw, say)


def record(said: str, optional: Mapping[str, str] | None = None, /, **fields: Kind) -> Kind:
    """An object; `said` (divided by `|`) says it with its fields in braces.

    `optional` maps a field that half of the objects have to the words that are appended for it.
    """
    optional = optional or {}
    schema = {
        "type": "object",
        "properties": {name: kind.schema for name, kind in fields.items()},
        "required": [name for name in fields if name not in optional],
    }
    templates = ways(said)

    def draw(rng: Random, day: Day) -> dict[str, Any]:
        return {n: kind.draw(rng, day) for n, kind in fields.items() if n not in optional or rng.random() < 0.5}

    def say(value: Mapping[str, Any], rng: Random, day: Day) -> str:
        template = rng.choice(templates) + "".join(more for name, more in optional.items() if name in value)
        return template.format_map({name: fields[name].say(part, rng, day) for name, part in value.items()})

    return Kind(schema, draw, say)


def _say_integer(value: int, rng: Random, day: Day) -> str:
    if value in (6, 12) and rng.random() < 0.15:
        return "half a dozen" if value == 6 else "a dozen"
    if 0 <= value < 100 and rng.random() < 0.35:
        return clock.words(value)
    return f"{value:,}" if value >= 1000 and rng.random() < 0.4 else str(value)


DATE = Kind({"type": "string", "format": "date"}, clock.draw_date, clock.say_date, clock.say_day)
PAST_DATE = Kind({"type": "string", "format": "date"}, clock.draw_past_date, clock.say_date)
TIME = Kind({"type": "string", "format": "time"}, clock.draw_time, clock.say_time)
DATE_TIME = Kind(
    {"type": "string", "format": "date-time"},
    lambda rng, day: f"{clock.draw_date(rng, day)}T{clock.draw_time(rng, day)}",
    lambda value, rng, day: f"{clock.say_date(value[:10], rng, day)} at {clock.say_time(value[11:], rng, day)}",
)


def minutes(low: int, high: int, step: int = 5) -> Kind:
    return Kind({"type": "integer"}, lambda rng, day: rng.randrange(low, high + 1, step), clock.say_minutes)
