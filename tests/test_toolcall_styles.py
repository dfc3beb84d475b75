"""Call styles: what each is written as, the way back, and what a named style does not read."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itool_jax.toolcall import CallStyle, ParsedAnswer, ToolCall, fragment_ends, parse_calls, write_calls
from itool_jax.toolcall.prefix import open_brackets, parse_prefix
from tests.toolcall_cases import CALLS, NAMED_CALLS

STYLES: tuple[CallStyle, ...] = get_args(CallStyle)
JSON_STYLES: tuple[CallStyle, ...] = ("json", "llama3", "hermes")
TWO = (ToolCall("f", {"a": 1, "b": [None, True, {"c": 'é"\n\x1f'}]}), ToolCall("get time/now", {}))

GOLDEN: dict[CallStyle, str] = {
    "python": '[f(a=1, b=[None, True, {"c": "é\\"\\n\\u001f"}]), get time/now()]',
    "json": '[{"name": "f", "arguments": {"a": 1, "b": [null, true, {"c": "é\\"\\n\\u001f"}]}}, '
    '{"name": "get time/now", "arguments": {}}]',
    "llama3": '{"name": "f", "parameters": {"a": 1, "b": [null, true, {"c": "é\\"\\n\\u001f"}]}}; '
    '{"name": "get time/now", "parameters": {}}',
    "hermes": '<tool_call>\n{"name": "f", "arguments": {"a": 1, "b": [null, true, {"c": "é\\"\\n\\u001f"}]}}\n'
    '</tool_call>\n<tool_call>\n{"name": "get time/now", "arguments": {}}\n</tool_call>',
}


@pytest.mark.parametrize("style", STYLES)
def test_golden_text_of_each_style(style: CallStyle):
    assert write_calls(TWO, style) == GOLDEN[style]
    assert write_calls((), style) == ("[]" if style in ("python", "json") else "")


@given(CALLS)
def test_python_is_read_back(calls: list[ToolCall]):
    _reads_back(calls, "python")


@given(NAMED_CALLS, st.sampled_from(JSON_STYLES))
def test_json_styles_are_read_back(calls: list[ToolCall], style: CallStyle):
    _reads_back(calls, style)


def _reads_back(calls: list[ToolCall], style: CallStyle) -> None:
    text = write_calls(calls, style)
    text.encode()
    assert "\n" not in text or style == "hermes"
    for given_style in (style, None):
        answer = parse_calls(text, given_style)
        assert answer.kind == ("calls" if calls else "prose")
        assert repr(answer.calls) == repr(tuple(calls))


@given(NAMED_CALLS.filter(bool), st.sampled_from(STYLES), st.sampled_from(["Sure: {} (done).", "```\n{}\n```", "{} "]))
def test_prose_and_fences_around_a_named_style(calls: list[ToolCall], style: CallStyle, wrapping: str):
    named = tuple(ToolCall("f", call.arguments) for call in calls)
    text = wrapping.replace("{}", write_calls(named, style))
    assert parse_calls(text, style).calls == parse_calls(text).calls == named


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("other", STYLES)
def test_calls_of_another_style_are_malformed_in_a_named_one(style: CallStyle, other: CallStyle):
    """json and llama3 read each other: they differ only in a key's name, which models mix up."""
    answer = parse_calls(write_calls(TWO, other), style)
    if other == style or {other, style} == {"json", "llama3"}:
        assert answer == ParsedAnswer("calls", TWO)
    else:
        assert (answer.kind, answer.problem) == ("malformed", "a call in another form than the style's")


@pytest.mark.parametrize(
    ("text", "style", "kind"),
    [
        ('{"temperature": 3}', "python", "prose"),
        ('{"temperature": 3}', "hermes", "prose"),
        ('{"temperature": 3}', "llama3", "malformed"),
        ("[Note (see below)] I need the city.", "hermes", "prose"),
        ("[Note (see below)] I need the city.", "json", "prose"),
        ("[Note (see below)] I need the city.", "python", "malformed"),
        ("f(a=1)", "json", "prose"),
        ('<|python_tag|>{"name": "f", "parameters": {}}', "llama3", "calls"),
        ('<|python_tag|>brave_search.call(query="x")', "llama3", "calls"),
        ('<|python_tag|>{"name": "f", "parameters": {}}', "hermes", "malformed"),
        ("<tool_call>[f()]</tool_call>", "hermes", "malformed"),
        ('<tool_call>{"name": "f"}<tool_call>{"name": "g"}</tool_call>', "hermes", "calls"),
        ('<think>{"name": "f", "arguments": {}}</think>No.', "json", "prose"),
    ],
)
def test_what_a_named_style_reads(text: str, style: CallStyle, kind: str):
    assert parse_calls(text, style).kind == kind


def test_a_prefix_in_each_style_says_what_was_written_so_far():
    """After every fragment the calls so far are those written, the last one perhaps with fewer arguments."""
    for style in STYLES:
        answer = write_calls(TWO, style).encode()
        said = [parse_prefix(answer[:end].decode(), style) for end in fragment_ends(answer)]
        assert said[-1].calls == TWO
        assert {prefix.kind for prefix in said} <= {"prose", "calls"}
        counts = [(len(p.calls), sum(len(call.arguments) for call in p.calls)) for p in said]
        assert counts == sorted(counts)
        assert (1, 1) in counts


def test_brackets_and_apostrophes_in_reasoning_are_not_open():
    text = '<think>\nThe user\'s (or [f(\n</think>\n\n<tool_call>\n{"name": "f", "arguments": {"a": 1,'
    assert open_brackets(text) == "{{"
    assert parse_prefix(text, "hermes").calls == (ToolCall("f", {"a": 1}),)
    assert open_brackets("<think>\nThe [f(") == ""
    assert parse_prefix("<think>\nThe [f(").kind == "prose"


@pytest.mark.parametrize("style", JSON_STYLES)
def test_json_cannot_hold_positional_arguments(style: CallStyle):
    with pytest.raises(ValueError, match="positional"):
        write_calls([ToolCall("f", {}, (1,))], style)


@pytest.mark.parametrize("style", STYLES)
def test_what_cannot_be_read_back_is_not_written(style: CallStyle):
    for calls in ([ToolCall("f")] * 257, [ToolCall("f", {"a": [0] * 10_000})]):
        with pytest.raises(ValueError, match=r"257 calls|more than 10000 values"):
            write_calls(calls, style)
    most = [ToolCall("f", {"a": [0] * 9_990})]
    assert parse_calls(write_calls(most, style), style).calls == tuple(most)


def test_unknown_styles_are_refused():
    with pytest.raises(ValueError, match="unknown call style 'xml'"):
        write_calls([], "xml")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="unknown call style 'xml'"):
        parse_calls("", "xml")  # type: ignore[arg-type]
