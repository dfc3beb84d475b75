"""The literal reader against Python's own reader and JSON's."""

import ast
import contextlib
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itool_jax.toolcall import Unreadable, read_literal
from tests.toolcall_cases import VALUES

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(JSON_VALUES, st.booleans(), st.sampled_from([None, 2]))
def test_reads_what_json_writes(value: object, ascii_only: bool, indent: int | None):
    assert repr(read_literal(json.dumps(value, ensure_ascii=ascii_only, indent=indent))) == repr(value)


@given(VALUES)
def test_reads_what_repr_writes(value: object):
    assert repr(read_literal(repr(value))) == repr(value)


@pytest.mark.filterwarnings("ignore")
@given(st.text("abc\\nrt0x1fu4\u00e9 ", max_size=12), st.sampled_from("'\""))
def test_escapes_agree_with_python(body: str, quote: str):
    text = quote + body + quote
    try:
        expected = ast.literal_eval(text)
    except SyntaxError:
        with pytest.raises(Unreadable):
            read_literal(text)
    else:
        assert read_literal(text) == expected


@given(st.text("0123456789.eE+-_", min_size=1, max_size=8))
def test_numbers_are_json_or_more_and_python_or_less(text: str):
    try:
        value = read_literal(text)
    except Unreadable:
        with contextlib.suppress(json.JSONDecodeError):
            assert math.isinf(json.loads(text))
    else:
        assert repr(value) == repr(ast.literal_eval(text))


def test_numbers_of_a_thousand_digits_and_no_more():
    assert read_literal(f"-{'9' * 1000}") == 1 - 10**1000
    for text in ("9" * 1001, "-" + "9" * 1001, "1_" * 1000 + "1"):
        with pytest.raises(Unreadable, match="a number of more than 1000 digits"):
            read_literal(text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "cut off before a value"),
        ("[1 2]", "expected ',' or ']'"),
        ('{"a" 1}', "expected ':'"),
        ("{1: 2}", "expected a string as key"),
        ('{"a": 1, "a": 2}', "the key 'a' twice"),
        ('"abc', "a string is not closed"),
        ('"abc\\', "a string is not closed"),
        ('"\\N{DASH}"', "a broken escape"),
        ('"\\U00110000"', "beyond U+10FFFF"),
        ("-1e400", "beyond the range"),
        ("[" * 65, "nested deeper than 64"),
        ("[" + "1," * 10_000 + "]", "more than 10000 values"),
        ("1 1", "expected the end"),
        ("x", "'x' is no literal"),
        ("__import__('os')", "is no literal"),
    ],
)
def test_unreadable(text: str, problem: str):
    with pytest.raises(Unreadable, match=problem.replace("+", "[+]")):
        read_literal(text)


def test_half_surrogates():
    assert read_literal(r'"\ud83d\ude00"') == "\U0001f600"
    assert read_literal(r'"\ude00\ud83d"') == "\ude00\ud83d"
