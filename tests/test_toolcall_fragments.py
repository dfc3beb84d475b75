"""fragment_ends: golden cuts, strings and brackets, and that a cut depends on nothing after it."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itool_jax.toolcall import BOUNDARY_BYTES, ToolCall, fragment_ends, write_calls, write_literal
from itool_jax.toolcall.write import write_key
from tests.toolcall_cases import ANSWERS, CALLS, TEXT, VALUES, damaged_answers

GOLDEN = [
    '[f(|a=1,| b="x, (y")|, g(|)|]',
    "[f(|a=[1, (2, 3)],| b={'k': ')', 'l': 1})|]",
    '[f(|a="it\'s \\", b=1",| c=\'"\')|]',
    "f(|a=1,| b=2)|\ng(|)",
    "[Strong's Number, Sorted(|q=1)|, Other Name(|)|]",
    "[Price (|DPO)|(|x=1)|]",
    '["Top (10), Songs"(|x=1)|]',
    '{"name": "f",| "arguments": {|"a": 1,| "b": [1, {"c": 2}],| "d": {"e": 3, "f": 4}}|}',
    '[{"name": "f",| "parameters": {|"a": ", }"}|}|, {"name": "g",| "parameters": {|}|}|]',
    '{"arguments": {|"arguments": {"a": 1, "b": 2}}|, "name": "f"}',
    '{"type": "function",| "function": {"name": "f",| "arguments": "{\\"a\\": 1, \\"b\\": 2}"}|}',
    '<tool_call>\n|{"name": "f",| "arguments": {|\'a\': 1}|}|\n</tool_call>',
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


@given(st.lists(st.tuples(st.sampled_from(["f", "a.b/c", "Name With, Spaces"]), ARGUMENTS), min_size=1, max_size=4))
def test_each_name_and_each_argument_of_written_calls_is_one_fragment(calls: list[tuple[str, dict]]):
    fragments = []
    for place, (name, arguments) in enumerate(calls):
        fragments.append(f"{', ' if place else '['}{name}(")
        written = [f"{write_key(key)}={write_literal(value)}" for key, value in arguments.items()]
        fragments += [f"{' ' if i else ''}{text}," for i, text in enumerate(written[:-1])]
        fragments.append(f"{' ' if len(written) > 1 else ''}{written[-1]})" if written else ")")
    answer = write_calls(ToolCall(name, arguments) for name, arguments in calls)
    assert "".join([*fragments, "]"]) == answer
    offset, ends = 0, []
    for fragment in [*fragments, "]"]:
        offset += len(fragment.encode())
        ends.append(offset)
    assert fragment_ends(answer.encode()) == ends


@given(ARGUMENTS)
def test_each_argument_of_a_json_call_is_one_fragment(arguments: dict):
    answer = json.dumps({"name": "f", "arguments": arguments})
    pairs = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in arguments.items()]
    parts = [f"{' ' if i else ''}{pair}{',' if i < len(pairs) - 1 else '}'}" for i, pair in enumerate(pairs)] or ["}"]
    fragments = ['{"name": "f",', ' "arguments": {', *parts, "}"]
    assert fragment_ends(answer.encode()) == list(itertools.accumulate(map(len, fragments)))


ANY_BYTES = (
    st.binary()
    | st.text("[]{}()\"'=,:\\ fa1.?\n`").map(str.encode)
    | CALLS.map(write_calls).map(str.encode)
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
