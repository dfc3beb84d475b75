"""Dates, times and spans of time, and the ways to say them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_TEENS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")


@dataclass(frozen=True)
class Day:
    """The day of a conversation; only where it is `told` can a request say "tomorrow"."""

    today: date
    told: bool


def any_day(rng: Random, *, told: bool) -> Day:
    return Day(date(2025, 1, 1) + timedelta(days=rng.randrange(1000)), told)


def system_line(day: Day, rng: Random) -> str:
    """The sentence that tells the day."""
    text = f"{WEEKDAYS[day.today.weekday()]}, {day.today.day} {MONTHS[day.today.month - 1]} {day.today.year}"
    return rng.choice(("Today is {}.", "Current date: {}.", "The date is {}.", "It is {} today.")).replace("{}", text)


def draw_date(rng: Random, day: Day) -> str:
    """A date to come, as YYYY-MM-DD."""
    return (day.today + timedelta(days=rng.randint(1, 20 if day.told else 300))).isoformat()


def draw_past_date(rng: Random, day: Day) -> str:
    """A date that is over, as YYYY-MM-DD."""
    return (day.today - timedelta(days=rng.randint(30, 900))).isoformat()


def say_date(value: str, rng: Random, day: Day) -> str:
    """A date that can stand behind a preposition; the year is left out only where the day is told."""
    when = date.fromisoformat(value)
    month, number = MONTHS[when.month - 1], when.day
    if day.told and 0 < (when - day.today).days < 200 and rng.random() < 0.6:
        return rng.choice((f"{number} {month}", f"{month} {ordinal(number)}", f"the {ordinal(number)} of {month}"))
    return rng.choice(
        (
            value,
            value,
            f"{number} {month} {when.year}",
            f"{month} {number}, {when.year}",
            f"{month} {ordinal(number)}, {when.year}",
            f"the {ordinal(number)} of {month} {when.year}",
            f"{number} {month[:3]} {when.year}",
            f"{WEEKDAYS[when.weekday()]}, {number} {month} {when.year}",
        )
    )


def say_day(value: str, rng: Random, day: Day) -> str | None:
    """A date as an adverb ("tomorrow", "in three days"), None where there is none for it."""
    ahead = (date.fromisoformat(value) - day.today).days
    if not day.told or ahead < 1:
        return None
    ways = [f"in {rng.choice((str(ahead), words(ahead)))} days"] if 1 < ahead < 14 else []
    ways += {1: ["tomorrow"], 2: ["the day after tomorrow"], 7: ["in a week", "a week from today"]}.get(ahead, [])
    ways += ["in two weeks"] if ahead == 14 else []
    if ahead < 7:
        weekday = WEEKDAYS[(day.today + timedelta(days=ahead)).weekday()]
        ways += [f"this coming {weekday}", f"on the coming {weekday}"]
    return rng.choice(ways) if ways else None


def draw_time(rng: Random, day: Day) -> str:
    """A time of day, as HH:MM."""
    return f"{rng.randint(6, 22):02d}:{rng.choice((0, 0, 15, 30, 30, 45, rng.randrange(5, 60, 5))):02d}"


def say_time(value: str, rng: Random, day: Day) -> str:
    hour, minute = int(value[:2]), int(value[3:])
    half, small = ("am", hour) if hour < 12 else ("pm", hour - 12)
    small = small or 12
    part = "in the morning" if hour < 12 else "in the afternoon" if hour < 18 else "in the evening"
    ways = [value, f"{hour}:{minute:02d}", f"{small}:{minute:02d} {half}", f"{small}.{minute:02d} {half}"]
    if minute == 0:
        ways += [f"{small} {half}", f"{small}{half}", f"{words(small)} {part}", f"{small} o'clock {part}"]
    if value == "12:00":
        ways += ["noon", "noon"]
    past = {15: "quarter past", 30: "half past"}.get(minute)
    if past:
        ways += [f"{past} {words(small)} {part}"]
    if minute == 45 and hour not in (11, 17, 23):
        ways += [f"quarter to {words(small % 12 + 1)} {part}"]
    return rng.choice(ways)


def say_minutes(value: int, rng: Random, day: Day) -> str:
    """A span in minutes."""
    hours, rest = divmod(value, 60)
    ways = [f"{value} minutes", f"{value} min", f"{value} minutes"]
    if value <= 60:
        ways += [f"{words(value)} minutes"]
    if not rest:
        ways += ["an hour", "one hour"] if hours == 1 else [f"{hours} hours", f"{words(hours)} hours"]
    elif hours:
        ways += [f"{hours} h {rest} min", f"{hours} hour{'s' * (hours > 1)} and {rest} minutes"]
    spans = {30: "half an hour", 45: "three quarters of an hour", 90: "an hour and a half", 15: "a quarter of an hour"}
    ways += [spans[value]] * 2 if value in spans else []
    return rng.choice(ways)


def ordinal(number: int) -> str:
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def words(number: int) -> str:
    """An integer from 0 to 99 in words."""
    if number < 20:
        return _TEENS[number]
    tens, rest = divmod(number, 10)
    return _TENS[tens] + (f"-{_TEENS[rest]}" if rest else "")


def joined(parts: Sequence[str], rng: Random) -> str:
    """`A, B and C`, in one of the ways to say it."""
    if len(parts) == 1:
        return parts[0]
    if len(parts) == 2 and rng.random() < 0.3:
        return rng.choice(("both {} and {}", "{} as well as {}", "{} plus {}", "{} & {}")).format(*parts)
    last = rng.choice((" and ", " and ", ", and ", " and also ", " plus "))
    return ", ".join(parts[:-1]) + last + parts[-1]
