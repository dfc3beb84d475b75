"""Untrusted answers: whatever a model writes is read, compared and cut without an exception, in bounded time."""

import time
import tracemalloc
from collections import Counter
from collections.abc import Callable
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itool_jax.toolcall import (
    CallStyle,
    ParsedAnswer,
    ToolCall,
    compare,
    fragment_ends,
    parse_calls,
    slot_reward,
    tools_from_json,
    write_calls,
)
from itool_jax.toolcall.prefix import parse_prefix
from tests.toolcall_cases import damaged_answers, hostile_answers

STYLES: tuple[CallStyle | None, ...] = (None, *get_args(CallStyle))
EXPECTED = [ToolCall("f", {"a": 1, "b": [1, {"c": None}]}), ToolCall("get_weather", {"city": "Paris", "days": 3})]
TOOLS = tools_from_json(
    [
        {"name": "f", "parameters": {"a": {"type": "int"}, "b": {"type": "list", "items": {"type": "int"}}}},
        {"name": "get_weather", "parameters": {"city": {"type": "str"}, "days": {"type": "int", "default": 3}}},
    ]
)
HOSTILE_SIZE = 100_000
HOSTILE_SECONDS = 0.05


@given(st.text() | st.text(st.characters(codec=None), max_size=30) | st.text("[]{}()\"'=,:\\ fa1\n<`>"))
def test_any_text_gets_an_answer(text: str):
    for style in STYLES:
        answer = parse_calls(text, style)
        assert (answer.kind == "calls") == bool(answer.calls)
        assert 0 <= answer.position <= len(text)


def _read(text: str, style: CallStyle | None) -> ParsedAnswer:
    started = time.process_time()
    answer = parse_calls(text, style)
    spent = time.process_time() - started
    assert spent < HOSTILE_SECONDS + len(text) * 5e-7, (spent, style, text[:200])
    return answer


def _fuzz(count: int, seed: int) -> None:
    """Each answer is read by detection and in each style, compared, written again, and some are cut."""
    kinds = {style: Counter() for style in STYLES}
    for place, text in enumerate(damaged_answers(count, seed)):
        for style in STYLES:
            answer = _read(text, style)
            kinds[style][answer.kind] += 1
            if answer.calls and style:
                positional = any(call.positional for call in answer.calls)
                written = "python" if positional else style
                assert parse_calls(write_calls(answer.calls, written), written).calls == answer.calls, text
            elif style is None:
                assert 0 <= slot_reward(compare(answer, EXPECTED, TOOLS)) <= 1, text
        if place % 16 == 0:
            parse_prefix(text)
            assert fragment_ends(text.encode("utf-8", "surrogatepass"))[-1:] != [0] or not text
    for style, counts in kinds.items():
        assert min(counts[kind] for kind in ("calls", "prose", "malformed")) > count / 100, (style, counts)


def test_damaged_answers():
    _fuzz(3_000, seed=0)


@pytest.mark.slow
def test_a_million_damaged_answers_in_bounded_memory():
    _fuzz(1_000, seed=1)
    assert _peak_bytes(lambda: _fuzz(20_000, seed=2)) < 32 * 2**20
    _fuzz(1_000_000, seed=3)


def _peak_bytes(action: Callable[[], Any]) -> int:
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _seconds(action: Callable[[], Any]) -> float:
    """CPU time, the least of three if the first is long: other programs take time from this one."""
    spent = []
    while len(spent) < 3 and (not spent or spent[-1] >= HOSTILE_SECONDS):
        started = time.process_time()
        action()
        spent.append(time.process_time() - started)
    return min(spent)


def _too_slow(actions: dict[str, Callable[[], Any]]) -> dict[str, float]:
    times = {name: _seconds(action) for name, action in actions.items()}
    return {name: seconds for name, seconds in times.items() if seconds >= HOSTILE_SECONDS}


def test_some_hostile_answers_take_linear_time():
    cases = list(hostile_answers(HOSTILE_SIZE).items())[::5]
    assert not _too_slow({name: lambda text=text: parse_calls(text) for name, text in cases})


@pytest.mark.slow
@pytest.mark.parametrize("style", STYLES)
def test_hostile_answers_take_linear_time(style: CallStyle | None):
    cases = hostile_answers(HOSTILE_SIZE)
    assert not _too_slow({name: lambda text=text: parse_calls(text, style) for name, text in cases.items()})


@pytest.mark.slow
def test_hostile_answers_are_compared_and_cut_in_linear_time():
    """Cutting is bounded by bytes."""
    actions = {}
    for name, text in hostile_answers(HOSTILE_SIZE).items():
        answer, cut = parse_calls(text), text.encode("utf-8", "surrogatepass")[:HOSTILE_SIZE]
        actions[f"compare {name}"] = lambda answer=answer: compare(answer, EXPECTED, TOOLS)
        actions[f"prefix {name}"] = lambda text=text: parse_prefix(text)
        actions[f"fragments {name}"] = lambda cut=cut: fragment_ends(cut)
    assert not _too_slow(actions)


@pytest.mark.slow
def test_hostile_answers_take_bounded_memory():
    peaks = {}
    for name, text in hostile_answers(HOSTILE_SIZE).items():
        peaks[name] = _peak_bytes(lambda text=text: compare(parse_calls(text), EXPECTED, TOOLS))
    assert max(peaks.values()) < 8 * 2**20, max(peaks, key=peaks.__getitem__)


@pytest.mark.parametrize("style", get_args(CallStyle))
def test_a_megabyte_string(style: CallStyle):
    """Plain, and of characters that are written as escapes."""
    for text in ("x" * 1_000_000, '"\\\n\ud800' * 50_000):
        calls = (ToolCall("f", {"a": text}),)
        written = write_calls(calls, style)
        assert parse_calls(written, style).calls == parse_calls(written).calls == calls
        assert _peak_bytes(lambda written=written: parse_calls(written, style)) < 24 * len(written)
