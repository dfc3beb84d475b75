"""fragment_ends: golden cuts, strings and brackets, and that a cut depends on nothing after it."""

import itertools
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itool_jax.toolcall import BOUNDARY_BYTES, CallStyle, ToolCall, fragment_ends, write_calls, write_literal
from itool_jax.toolcall.write import write_key, write_name
from tests.toolcall_cases import ANSWERS, CALLS, NAMED_CALLS, TEXT, VALUES, damaged_answers

GOLDEN = [
    '[f(|a=1,| b="x, (y")|, g(|)|]',
    "[f(|a=[1, (2, 3)],| b={'k': ')', 'l': 1})|]",
    '[f(|a="it\'s \\", b=1",| c=\'"\')|]',
    "f(|a=1,| b=2)|\ng(|)",
    "[Strong's Number, Sorted(|q=1)|, Other Name(|)|]",
    "[Price (|DPO)|(|x=1)|]",
    '["Top (10), Songs"(|x=1)|]',
    '{"name": "f", "arguments": {|"a": 1,| "b": [1, {"c": 2}],| "d": {"e": 3, "f": 4}}|}',
    '[{"name": "f", "parameters": {|"a": ", }"}|}, {"name": "g", "parameters": {|}|}]',
    '{"arguments": {|"arguments": {"a": 1, "b": 2}}|, "name": "f"}',
    '{"type": "function", "function": {"name": "f", "arguments": "{\\"a\\": 1, \\"b\\": 2}"}|}',
    '{"type": "function", "function": {"name": "f", "parameters": {|"a": 1}|}}\nThat. |Is it.',
    '{"name": "Bob", "age": 3,| "tags": ["a", "b"],| "to": {"x": 1,| "y": 2}|} Yes. |No',
    '<tool_call>\n{"name": "f", "arguments": {|\'a\': 1}|}\n</tool_call>',
    '<think>\n\n</think>\n\n<tool_call>\n{"name": "f", "arguments": {|"a": 1}|}\n</tool_call>\nThat. |Is it.',
    '<tool_call>[{"name": "f", "arguments": {|"a": 1}|}]|</tool_call>',
    '<function=f>{|"a": 1,| "b": [2, 3]}|</function>',
    "<tool_call>\n<function=f>\n<parameter=a>\n1, 2\n|</parameter>\n</function>\n</tool_call>",
    '[TOOL_CALLS]f{|"a": 1,| "b": {"c": 2}}|[TOOL_CALLS]g{|}',
    "a < b and <c> d\n|See [1]\n|\n<br>\n\nnext\n|<\n|So",
    "Which city? |Or zip (5 digits)! |It is 3. 5 of [them]. |So:\n|\n[f(|x=1)|]| Bye",
    "[f(|a=1,| b=",
    "[f(|a=1]| then. |More",
    "",
]


@pytest.mark.parametrize("marked", GOLDEN)
def test_golden_cuts(marked: str):
    answer = marked.replace("|", "").encode()
    fragments = [part.encode() for part in marked.split("|")]
    ends = fragment_ends(answer)
    assert [answer[start:end] for start, end in zip([0, *ends], ends, strict=False)] == fragments


ARGUMENTS = st.dictionaries(TEXT, VALUES, max_size=3)


NAMES = st.sampled_from(["f", "a.b/c", "Name With, Spaces", 'say "x", (y)'])
OPENINGS = {"json": ("[", ", ", "]"), "llama3": ("", "; ", ""), "hermes": ("<tool_call>\n", "\n<tool_call>\n", "")}


@given(st.lists(st.builds(ToolCall, NAMES, ARGUMENTS), min_size=1, max_size=4), st.sampled_from(get_args(CallStyle)))
def test_head_arguments_and_closing_of_written_calls_are_one_fragment_each(calls: list[ToolCall], style: CallStyle):
    calls = [ToolCall(call.name.split("(")[0], call.arguments) for call in calls] if style == "python" else calls
    answer = write_calls(calls, style)
    fragments = _python_fragments(calls) if style == "python" else _json_fragments(calls, style)
    assert "".join(fragments) == answer
    assert fragment_ends(answer.encode()) == list(itertools.accumulate(len(text.encode()) for text in fragments))
    assert len(fragments) == 1 + sum(1 + max(1, len(call.arguments)) for call in calls)


def _python_fragments(calls: list[ToolCall]) -> list[str]:
    fragments = []
    for place, call in enumerate(calls):
        fragments.append(f"{', ' if place else '['}{write_name(call.name)}(")
        fragments += _arguments([f"{write_key(key)}={write_literal(v)}" for key, v in call.arguments.items()], ")")
    return [*fragments, "]"]


def _json_fragments(calls: list[ToolCall], style: CallStyle) -> list[str]:
    first, between, last = OPENINGS[style]
    closing = "}\n</tool_call>" if style == "hermes" else "}"
    fragments, before = [], first
    for call in calls:
        written = write_calls([ToolCall(call.name, {})], style)
        fragments.append(before + written[written.index('{"name"') : written.rindex("{") + 1])
        pairs = [_json_pair(key, value) for key, value in call.arguments.items()]
        fragments += _arguments(pairs, "}")
        before = closing + between
    return [*fragments, closing + last]


def _json_pair(key: str, value: object) -> str:
    written = write_calls([ToolCall("f", {key: value})], "json")
    return written.removeprefix('[{"name": "f", "arguments": {').removesuffix("}}]")


def _arguments(written: list[str], close: str) -> list[str]:
    texts = [f"{' ' if i else ''}{text}{',' if i < len(written) - 1 else close}" for i, text in enumerate(written)]
    return texts or [close]


ANY_BYTES = (
    st.binary()
    | st.text("[]{}()\"'=,:\\ fa1.?\n`").map(str.encode)
    | CALLS.map(write_calls).map(str.encode)
    | st.builds(write_calls, NAMED_CALLS, st.sampled_from(get_args(CallStyle))).map(str.encode)
    | st.lists(st.sampled_from([answer.encode() for answer in ANSWERS]), min_size=1, max_size=2).map(b" ".join)
)


@given(ANY_BYTES, st.data())
def test_a_prefix_is_cut_like_the_whole(answer: bytes, data: st.DataObject):
    length = data.draw(st.integers(0, len(answer)))
    whole, prefix = fragment_ends(answer), fragment_ends(answer[:length])
    assert prefix[-1] == length
    assert prefix[:-1] == [end for end in whole if end < length]


@given(ANY_BYTES)
def test_ends_ascend_and_follow_boundary_bytes(answer: bytes):
    ends = fragment_ends(answer)
    assert ends == sorted(set(ends))
    assert ends[-1] == len(answer)
    assert all(end > 0 and answer[end - 1] in BOUNDARY_BYTES for end in ends[:-1])


def test_damaged_answers_are_cut():
    for text in damaged_answers(1_000, seed=5):
        answer = text.encode("utf-8", "surrogatepass")
        assert fragment_ends(answer)[-1] == len(answer)
