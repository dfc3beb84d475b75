"""How people talk in the large tool world: requests of many kinds, and values that are said as they are meant."""

import re
import zlib
from datetime import date
from random import Random

import pytest

from itool_jax.data.toolworld import LargeWorld, ToolWorld
from itool_jax.data.toolworld.large import clock, grammar, marks
from itool_jax.data.toolworld.large.clock import Day
from tests.toolworld_checker import dates, numbers, times


def test_requests_are_less_alike_than_in_the_small_world():
    """Distinct n-grams, and how far the requests can be compressed; the worlds of the same mixture, without typos."""

    def figures(world) -> tuple[float, float]:
        texts = [e.messages[-1].content for e in world.mixture({"easy": 1, "medium": 1, "hard": 1}, 600)]
        words = [re.sub(r"\d", "#", text.lower()).split() for text in texts]
        grams = [gram for text in words for gram in zip(text, text[1:], text[2:], strict=False)]
        whole = "\n".join(map(" ".join, words)).encode()
        return len(set(grams)) / len(grams), len(whole) / len(zlib.compress(whole, 9))

    shares = {"no_call_share": 0.0, "follow_up_share": 0.0}
    (distinct, packed), (small_distinct, small_packed) = (
        figures(LargeWorld(4, typo_share=0.0, task_share=0.0, nested_share=0.0, **shares)),
        figures(ToolWorld(4, **shares)),
    )
    assert distinct > small_distinct + 0.08 and packed < small_packed - 0.3


def test_typos_touch_no_value():
    text = f"Please remember the appointment {marks.mark('Wonderful Mountain')} tomorrow morning"
    for seed in range(50):
        changed = marks.misspelled(text, Random(seed), 2)
        assert "\x02Wonderful Mountain\x03" in changed and changed != text
    assert marks.plain(text) == "Please remember the appointment Wonderful Mountain tomorrow morning"
    assert marks.misspelled("a b c", Random(0), 2) == "a b c"


def test_the_sayings_of_a_date_mean_it():
    day = Day(date(2026, 5, 1), told=True)
    assert day.today.strftime("%A") == "Friday"
    said = {("2026-05-02", "tomorrow"), ("2026-05-03", "the day after tomorrow"), ("2026-05-08", "in a week")}
    ways = {(v, clock.say_day(v, Random(seed), day)) for seed in range(60) for v in {value for value, _ in said}}
    assert said <= ways
    assert {clock.say_day("2026-05-04", Random(seed), day) for seed in range(60)} == {
        *("in 3 days", "in three days", "this coming Monday", "on the coming Monday"),
    }
    assert clock.say_day("2026-05-02", Random(0), Day(day.today, told=False)) is None
    assert "2026-05-04" in dates("this coming monday", day.today) and "2026-05-13" in dates("in twelve days", day.today)


@pytest.mark.parametrize("told", [False, True])
def test_dates_times_and_spans_are_said_so_that_they_can_be_read(told):
    rng = Random(1)
    for _ in range(400):
        day = clock.any_day(rng, told=told)
        value = clock.draw_date(rng, day)
        assert value in dates(f"on {clock.say_date(value, rng, day)}", day.today if told else None)
        adverb = clock.say_day(value, rng, day)
        assert adverb is None or value in dates(adverb, day.today)
        time = clock.draw_time(rng, day)
        text = clock.say_time(time, rng, day)
        assert time in times(text), (time, text)
        minutes = rng.randrange(5, 240, 5)
        text = clock.say_minutes(minutes, rng, day)
        assert minutes in numbers(text), (minutes, text)


def test_gerunds():
    said = {
        "book a room": "booking",
        "make tea": "making",
        "set an alarm": "setting",
        "see it": "seeing",
        "dye": "dyeing",
    }
    assert {command: grammar.gerund(command).split()[0] for command in said} == said
    assert grammar.gerund("turn off the light") == "turning off the light"


def test_commands_about_the_speaker_stand_in_frames_for_others():
    frames = grammar.fitting(grammar.NEXT, "show me the menu")
    assert "Could you also {c}?" in frames and "I also need to {c}." not in frames
    assert grammar.fitting(grammar.NEXT, "show the menu") == grammar.NEXT
