"""What the tests of tool calls share: hypothesis strategies, and a stream of damaged answers."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

from hypothesis import strategies as st

from itool_jax.toolcall import ToolCall

# Any character but the surrogates that would form a pair: those are read back as one character, as in JSON.
_CHARACTERS = st.characters(exclude_categories=["Cs"]) | st.sampled_from("\ud800\udbff\"'\\\n,()[]{}= ")
TEXT = st.lists(_CHARACTERS, max_size=10).map("".join)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=12
)
NAMES = (
    st.sampled_from(
        ["f", "a.b/c", "Name With Spaces", "Price (DPO)", "Top (10) Songs", "it's, M4.5+", 'say "x"/y', "</tool_call>"]
    )
    | TEXT
)
NAMED_CALLS = st.lists(st.builds(ToolCall, NAMES, st.dictionaries(TEXT, VALUES, max_size=4)), max_size=4)
CALLS = st.lists(
    st.builds(ToolCall, NAMES, st.dictionaries(TEXT, VALUES, max_size=4), st.lists(VALUES, max_size=2).map(tuple)),
    max_size=4,
)

ANSWERS = [
    '[get_weather(city="Paris", days=3), now()]',
    '[Name With Spaces(a="b, (c", tags=["x", "y"], spot={"x": 1.5, "y": -2e-3}, on=True, off=None)]',
    "[f(text='it\\'s \\u00e9 \\ud83d\\ude00 \\n', n=123456789012345678901234567890)]",
    'f(a=1)\ng(b="2")',
    '{"name": "f", "arguments": {"a": 1, "b": [1, {"c": null}], "d": "x\\"y"}}',
    '[{"name": "f", "parameters": "{\\"a\\": 1}"}, {"type": "function", "function": {"name": "g", "arguments": {}}}]',
    '<tool_call>\n{"name": "f", "arguments": {"a": 1}}\n</tool_call>\n<tool_call>\n{"name": "g", "arguments": {}}\n',
    'Sure, here it is:\n```json\n{"name": "f", "arguments": {}}\n```\nAnything else?',
    "<think>Which one? [f()]</think>\n\nWhich city (and date) do you mean? I know 3 of them [1].",
    "API-Request: [AddMeeting(attendees=\"['John']\", time='14:00')]",
    '<|python_tag|>brave_search.call(query="x")',
    '{"name": "f", "parameters": {"a": 1, "b": [1, {"c": null}]}}; {"name": "g", "parameters": {}}',
    '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Paris", "days": 3}}\n</tool_call>',
    "Is it [f()]?\n</think>\n\n<tool_call>\n<function=f>\n<parameter=a>\n1\n</parameter>\n</function>\n</tool_call>",
    '<function=f>{"a": 1}</function>',
    '[TOOL_CALLS]f{"a": 1}[TOOL_CALLS]g[ARGS]{}',
]
_SPLINTERS = [
    *"()[]{}\"'\\,=:;.`<>|\n\r\t\0 _-+0159eEaTNx",
    *("\ud800", "\udc00", "é", "日", "\U0001f600", "\u2028", "\\u", "\\ud83d", "\\x", "\\N{DASH}"),
    *("True", "null", "nan", "9" * 40, "1e999", "0x1F", '"""', "**", "lambda: 0", "__import__('os')"),
    *("[[", "(((", "[f(", "f(a=", "a=1, a=1", '{"name":', '{"name": "f", "arguments": {', "f{", "[f()", "f(),"),
    *("```", "<think>", "</think>", "</think>\n", "<tool_call>", "</tool_call>", "[TOOL_CALLS]", "[TOOL_CALLS]f{"),
    *("<function=f>", "</function>", "<parameter=a>", "</parameter>", "[ARGS]", "<|python_tag|>", "<|", "; "),
]


_HOSTILE_UNITS = [
    *("[f(a=1)] ", "1,", '"\\n",', "\\n", "f(\n", "`a", '["a', '["\\"', "(a", "[a (b) c", "a ", "a."),
    *("[\n", "[ {", "{ "),
    *('{"name": "f", "arguments": {}}; ', '"a": {', '{"name": "', '{"arguments": ', "```json\n", "a</think>"),
    *('<tool_call>{"name": "f"}', '<tool_call>{"name": "f"}</tool_call>\n', "<function=f>{}", "[TOOL_CALLS]f{}"),
    *("<function=", "<parameter=a>1</parameter>", "<function=f><parameter=", "<think>\n"),
]
_HOSTILE_OPENINGS = (
    *("[f(a=", "[f(", '[f(a="', "[", "{", '{"name": "f", "arguments": ', "<tool_call>", "Well, [f(a=", "<think>"),
    *("<function=f>", "<function=f><parameter=a>", "[TOOL_CALLS]", "<|python_tag|>", "```\n"),
)


def damaged_answers(count: int, seed: int) -> Iterator[str]:
    """Answers with random edits, splinters and cuts, now and then very long or very deep; some are pure noise."""
    rng = random.Random(seed)
    for _ in range(count):
        kind = rng.random()
        if kind < 0.15:
            yield "".join(rng.choice(_SPLINTERS) for _ in range(rng.randrange(40)))
            continue
        if kind < 0.152:
            yield rng.choice(ANSWERS) + rng.choice(_SPLINTERS) * rng.randrange(5_000)
            continue
        text = rng.choice(ANSWERS)
        for _ in range(rng.randrange(5)):
            start = rng.randrange(len(text) + 1)
            end = min(len(text), start + rng.choice((0, 0, 1, 1, 3, 20)))
            text = text[:start] + rng.choice(("", rng.choice(_SPLINTERS), rng.choice(ANSWERS)[:12])) + text[end:]
        yield text


def hostile_answers(size: int) -> dict[str, str]:
    """Answers of about `size` characters that would make a careless reader slow, deep or wrong."""

    def repeat(unit: str) -> str:
        return unit * (size // len(unit) + 1)

    units = [*_SPLINTERS, *_HOSTILE_UNITS]
    cases = {f"repeated {unit!a}": repeat(unit) for unit in units}
    for opening in _HOSTILE_OPENINGS:
        cases |= {f"{opening!a} and repeated {unit!a}": opening + repeat(unit) for unit in units}
    cases["arguments in a string"] = json.dumps({"name": "f", "arguments": json.dumps({"a": list(range(size // 7))})})
    cases["a long string"] = '[f(a="' + "x" * size + '")]'
    cases["a string of escapes"] = '[f(a="' + "\\u00e9" * (size // 6) + '")]'
    cases["a long parameter"] = f"<function=f><parameter=a>[{'1,' * (size // 2)}]</parameter></function>"
    cases["parameters that are nearly lists"] = "<function=f>" + "<parameter=a>[1 2]</parameter>" * (size // 30)
    cases["many calls"] = "[" + "f(a=1), " * (size // 8) + "]"
    cases["many long calls"] = "[" + ", ".join([f"f(a={[0] * (size // 800)})"] * 250) + "]"
    return cases
