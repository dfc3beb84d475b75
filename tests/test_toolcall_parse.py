"""parse_calls and write_calls: golden answers of the forms models use, round trips, prose."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itool_jax.toolcall import ParsedAnswer, ToolCall, parse_calls, write_calls
from tests.toolcall_cases import CALLS

F = ToolCall("f", {"a": 1})
G = ToolCall("g")

READABLE = {
    '[f(a=1, b="x"), g()]': [ToolCall("f", {"a": 1, "b": "x"}), G],
    " [ f ( a = 1 , ) , g ( ) , ] \n": [F, G],
    "f(a=1)": [F],
    "f(a=1), g()": [F, G],
    "f(a=1)\ng()": [F, G],
    "f(a=1); g()": [F, G],
    "`f(a=1)`": [F],
    '[Name With Spaces(a="b")]': [ToolCall("Name With Spaces", {"a": "b"})],
    "[symbols/get-metrics(a=1), math.add(x=1, y=-2.5)]": [
        ToolCall("symbols/get-metrics", {"a": 1}),
        ToolCall("math.add", {"x": 1, "y": -2.5}),
    ],
    "[Identification Number (VIN) Lookup(vin=1), Countries All (min)()]": [
        ToolCall("Identification Number (VIN) Lookup", {"vin": 1}),
        ToolCall("Countries All (min)"),
    ],
    "[Send OTP (2-Factor) India(a=1)]": [ToolCall("Send OTP (2-Factor) India", {"a": 1})],
    "[Strong's Number(a=1), Platform, Category, and Sorted(a=1)]": [
        ToolCall("Strong's Number", {"a": 1}),
        ToolCall("Platform, Category, and Sorted", {"a": 1}),
    ],
    '["a]"(x=1)]': [ToolCall("a]", {"x": 1})],
    '[f(dQi67KD.h6=6, first name="x", "a=b"=1)]': [ToolCall("f", {"dQi67KD.h6": 6, "first name": "x", "a=b": 1})],
    '[f(1, "x", b=True)]': [ToolCall("f", {"b": True}, (1, "x"))],
    "[f(a=(1, 2), b=(3), c=(4,), d=())]": [ToolCall("f", {"a": [1, 2], "b": 3, "c": [4], "d": []})],
    "[f(a=true, b=null, c=False, d=None)]": [ToolCall("f", {"a": True, "b": None, "c": False, "d": None})],
    """[f(a='it\\'s, (x', b="\\"]", c='{"k": 1}')]""": [ToolCall("f", {"a": "it's, (x", "b": '"]', "c": '{"k": 1}'})],
    '[f(a="\\ud83d\\ude00\\x41\\101\\d\\/", b="\U0001f600")]': [
        ToolCall("f", {"a": "\U0001f600AA\\d/", "b": "\U0001f600"})
    ],
    '{"name": "f", "arguments": {"a": 1}}': [F],
    '{"name": "f", "parameters": {"a": 1}}; {"name": "g", "parameters": {}}': [F, G],
    '[{"name": "f", "arguments": "{\\"a\\": 1}"}, {"name": "g", "arguments": ""}]': [F, G],
    '{"type": "function", "function": {"name": "f", "arguments": {"a": 1}}}': [F],
    '{"tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{\\"a\\": 1}"}}]}': [F],
    "[{'name': 'f', 'arguments': {'a': 1}}]": [F],
    '{"name": "g"}': [G],
    '```json\n{"name": "f", "arguments": {"a": 1}}\n```': [F],
    "```python\n[f(a=1), g()]\n```": [F, G],
    "```\nf(a=1)\n```\nThis calls f.": [F],
    '<tool_call>\n{"name": "f", "arguments": {"a": 1}}\n{"name": "g", "arguments": {}}\n</tool_call>': [F, G],
    '<tool_call>{"name": "f", "arguments": {"a": 1}}</tool_call>\n<tool_call>{"name": "g", "arguments": {}}': [F, G],
    '<tool_call>{"name": "f", "arguments": {"a": 1}}<tool_call>{"name": "g"}</tool_call>': [F, G],
    '<functioncall> {"name": "f", "arguments": \'{"a": 1}\'} <|endoftext|>': [F],
    '[TOOL_CALLS] [{"name": "f", "arguments": {"a": 1}}]': [F],
    "<|python_tag|>f(a=1)": [F],
    "<think>Maybe [g()]?</think>\n\n[f(a=1)]": [F],
    "Maybe [g()]?\n</think>\n\n[f(a=1)]": [F],  # `<think>` stood in the prompt
    "Maybe [g()]?\n</think>\n</think>\n\nf(a=1)": [F],
    '{"name": "f", "description": "d", "parameters": {"a": 1}}': [F],
    '{"name": "f", "parameters": {"type": "object", "properties": {}}}': [
        ToolCall("f", {"type": "object", "properties": {}})
    ],
    "[f(a=1)]\n</think>": [F],  # nothing follows: what stands before it is the answer
    "[f(a=1)]\n</think>\n": [F],
    "[f(a=1)]\n</think>\n </think>\n\n": [F],
    "```python\n[f(a=1)]\n</think>\n```": [F],
    'Sure.\n{"name": "f", "arguments": {"a": 1}}</think>': [F],
    '{"name": "f", "arguments": {"a": 1}}</think>': [F],
    "Sure (of course): [f(a=1)] and that is all (really).": [F],
    'Here is the call {"name": "f", "arguments": {"a": 1}} for you.': [F],
    'First:\n```json\n[{"name": "f", "arguments": {"a": 1}}]\n```\nthen\n```\n[g()]\n```': [F, G],
    "API-Request: [f(a=1)]": [F],
    "[f(a=1)]\n[g()]": [F, G],
    '[f(a="<tool_call>")]': [ToolCall("f", {"a": "<tool_call>"})],
}

PROSE = [
    "",
    "[]",
    "Which city (and date) do you mean?",
    "[Note] I need the city.",
    "[1] See the paper (2024).",
    "[link](https://example.com)",
    "print(x) shows x.",
    "I think [see (a) and b] that f(x)=3 holds.",
    'The user is {"name": "Bob", "age": 3}.',
    "You could write:\n```python\nmain()\n```",
    "<think>\nThe call would be [f(a=1)]",
    "Cost: 3 (three), [4], {5}",
    "1. **S&P 500**: up (0.68%)\n2. **DOW J**: ![x](data:image/png;base64,iVBOR==)",
]

MALFORMED = {
    "[f(a=1": 6,
    "[f(a=1)": 7,
    "[f(a=1, b": 8,
    "[get_wea": 1,
    "f(a=1, ": 7,
    "[f(a=1, a=2)]": 8,
    "[f(Paris)]": 3,
    "[f(a=Paris)]": 5,
    "[f(a=g(b=1))]": 5,
    "[f(a=1+2)]": 6,
    "[f(a=1==1)]": 6,
    '[f(a="x" "y")]': 9,
    '[f(a="x\ny")]': 7,
    '[f(a="x\0y")]': 7,
    "[f(a={1: 2})]": 6,
    '[f(a={"k": 1, "k": 2})]': 14,
    "[f(a=nan)]": 5,
    "[f(a=1e999)]": 5,
    "[f(a=" + "9" * 2000 + ")]": 5,
    "[f(a=" + "[" * 100 + "]" * 100 + ")]": 69,
    '[f(a="\\xg")]': 6,
    "f(a=1) is a call": 6,
    "[[f()]]": 1,
    '{"name": "f", "argum': 20,
    '{"name": "f", "arguments": [1]}': 0,
    '{"name": "f", "arguments": {}, "parameters": {}}': 0,
    '{"name": "f", "arguments": "{\\"a\\": }"}': 0,
    '{"name": "f", "age": 3}': 0,
    '{"temperature": 3}': 0,
    '{"name": "f", "description": "d", "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}}}': 0,
    '[{"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}}}]': 0,
    '[{"name": "f", "arguments": {}}, 5]': 0,
    "<tool_call>stray text</tool_call>": 11,
    "<tool_call></tool_call>": 11,
    '<tool_call>{"name": "f"} and so on</tool_call>': 25,
    "Sure: [f(a=1, ]": 14,
    "API-Request: [f(a='['x']')]": 21,
}


@pytest.mark.parametrize(("text", "calls"), READABLE.items(), ids=ascii)
def test_calls_are_read(text: str, calls: list[ToolCall]):
    assert parse_calls(text) == ParsedAnswer("calls", tuple(calls))


@pytest.mark.parametrize("text", PROSE, ids=ascii)
def test_prose_is_prose(text: str):
    assert parse_calls(text) == ParsedAnswer("prose")


@pytest.mark.parametrize(("text", "position"), MALFORMED.items(), ids=lambda value: ascii(value)[:40])
def test_failed_attempts_are_malformed_and_say_where(text: str, position: int):
    answer = parse_calls(text)
    assert (answer.kind, answer.calls, answer.position) == ("malformed", (), position)
    assert answer.problem
    assert answer.problem.isascii()


def test_values_keep_their_types():
    text = "[f(a=1, b=1.0, c=True, d=-0.0, e=1_000, g=+5, h=.5, i=5.)]"
    assert repr(list(parse_calls(text).calls[0].arguments.values())) == "[1, 1.0, True, -0.0, 1000, 5, 0.5, 5.0]"


@given(CALLS.filter(bool), st.sampled_from(["{}", "```\n{}\n```", "<tool_call>{}</tool_call>", "So: {} (done)."]))
def test_written_calls_are_read_back_in_their_wrappings(calls: list[ToolCall], wrapping: str):
    named = [ToolCall("f", call.arguments) for call in calls]
    assert parse_calls(wrapping.replace("{}", write_calls(named))).calls == tuple(named)


def test_writing_names_and_keys():
    calls = [ToolCall("Top (10) Songs", {"a b": 1, "=": None}), ToolCall("Price (DPO)", {}, ("x",))]
    assert write_calls(calls) == '["Top (10) Songs"(a b=1, "="=None), Price (DPO)("x")]'


@pytest.mark.parametrize("value", [float("inf"), float("nan"), 10**1000, {1: 2}, {1}, b"x", object()])
def test_what_has_no_literal_cannot_be_written(value: object):
    with pytest.raises(ValueError, match=r"\w"):
        write_calls([ToolCall("f", {"a": [value]})])


def test_too_deep_a_value_cannot_be_written():
    value: list = []
    for _ in range(63):
        value = [value]
    assert parse_calls(write_calls([ToolCall("f", {"a": value})])).calls[0].arguments["a"] == value
    with pytest.raises(ValueError, match="nested deeper"):
        write_calls([ToolCall("f", {"a": [value]})])


@given(st.text() | st.text(st.characters(codec=None), max_size=30) | st.text("[]{}()\"'=,:\\ fa1\n<`"))
def test_any_text_gets_an_answer(text: str):
    answer = parse_calls(text)
    assert (answer.kind == "calls") == bool(answer.calls)
    assert 0 <= answer.position <= len(text)
