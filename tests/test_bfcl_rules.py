"""BFCL's rules for calls in our own code; the cases are the rules' own, written by hand."""

import pytest

from itool_jax.toolcall import ErrorKind, ToolCall
from itool_jax.toolcall.allowed_values import AllowedCall, compare_allowed
from itool_jax.toolcall.source_values import read_source_value, write_source_value


def function(required=(), **types):
    properties = {name: {"type": kind} if isinstance(kind, str) else kind for name, kind in types.items()}
    return {"name": "map.find", "parameters": {"type": "dict", "properties": properties, "required": list(required)}}


def verdict(arguments, allowed, language="python", required=(), **types):
    calls, expected = [ToolCall("map.find", arguments)], [AllowedCall("map.find", allowed)]
    return compare_allowed(calls, expected, [function(required, **types)], language)


STRINGS = {"type": "array", "items": {"type": "string"}}
FLOATS = {"type": "array", "items": {"type": "float"}}
DICTS = {"type": "array", "items": {"type": "dict"}}
TYPE, VALUE = ErrorKind.PARAMETER_TYPE, ErrorKind.PARAMETER_VALUE


@pytest.mark.parametrize(
    ("kind", "value", "allowed", "error"),
    [
        ("integer", 5, [5], None),
        ("integer", 5.0, [5], TYPE),
        ("integer", True, [1], TYPE),
        ("integer", 6, [5, 7], VALUE),
        ("float", 5, [5.0], None),
        ("float", 5.5, [5.0], VALUE),
        ("float", "5", [5.0], TYPE),
        ("float", 10**400, [5.0], VALUE),
        ("boolean", "true", [True], TYPE),
        ("string", "San Francisco, CA", ["san francisco ca"], None),
        ("string", "it's", ['it"s'], None),
        ("string", "2024/05_01", ["2024-05-01"], None),
        ("string", "a!", ["a"], VALUE),
        ("string", 5, ["5"], TYPE),
        ("string", None, ["", None], None),
        ("string", True, [True], None),
        ("any", "x", ["X"], None),
        ("integer", "rows", ["rows"], None),  # a variable's name: as it is
        ("integer", "Rows", ["rows"], VALUE),
        (STRINGS, ["New York", "LA"], [["new york", "l.a."]], None),
        (STRINGS, ["LA", "New York"], [["New York", "LA"]], VALUE),
        (STRINGS, [1], [["1"]], TYPE),
        (STRINGS, [], [["a"], ""], None),  # "" stands for the empty list, too
        (STRINGS, "LA", [["LA"]], TYPE),
        (FLOATS, [1, 2], [[1.0, 2.0]], TYPE),  # no coercion inside a list
        (FLOATS, [1, 2], [[1, 2]], None),
        ({"type": "tuple", "items": {"type": "integer"}}, (1, 2), [[1, 2]], None),
        ({"type": "array", "items": {"type": "integer"}}, (1, 2), [[1, 2]], TYPE),
        ("dict", {"a": "X y", "b": 2}, [{"a": ["xy", "z"], "b": [2]}], None),
        ("dict", {"a": "xy"}, [{"a": ["xy"], "b": [2, ""]}], None),
        ("dict", {"a": "xy"}, [{"a": ["xy"], "b": [2]}], VALUE),
        ("dict", {"a": "xy", "c": 1}, [{"a": ["xy"]}], VALUE),
        (DICTS, [{"a": 1}, {"a": 2}], [[{"a": [1]}, {"a": [2, 3]}]], None),
        (DICTS, [{"a": 2}, {"a": 1}], [[{"a": [1]}, {"a": [2]}]], VALUE),
        (DICTS, [{"a": 1}], [[{"a": [1]}, {"a": [2]}]], VALUE),
        (DICTS, [5], [[{"a": [1]}], ""], VALUE),
        ({"type": "array"}, [1], [[1]], TYPE),  # a list without the type of its items
    ],
)
def test_values(kind, value, allowed, error):
    assert verdict({"x": value}, {"x": allowed}, x=kind) is error


def test_parameters():
    types, allowed = {"x": "integer", "y": "integer", "z": "integer"}, {"x": [1], "y": [2, ""]}
    assert verdict({"x": 1}, allowed, required=("x",), **types) is None
    assert verdict({"y": 2}, allowed, required=("x",), **types) is ErrorKind.MISSING_PARAMETER
    assert verdict({"x": 1, "z": 1}, allowed, **types) is ErrorKind.UNEXPECTED_PARAMETER  # the ground truth has no z
    assert verdict({"x": 1, "w": 1}, {**allowed, "w": [1]}, **types) is ErrorKind.UNEXPECTED_PARAMETER
    assert verdict({"x": "1", "w": 1}, allowed, **types) is ErrorKind.UNEXPECTED_PARAMETER  # the first kind counts
    assert verdict({}, {"x": [1]}, **types) is ErrorKind.MISSING_PARAMETER  # optional, but not marked by ""
    assert verdict({"x": 1}, {"x": [1], "y": []}, **types) is ErrorKind.MISSING_PARAMETER  # nothing is right here


def test_positional_arguments_are_passed_over():
    call = ToolCall("map.find", {"x": 1}, (5,))
    assert compare_allowed([call], [AllowedCall("map.find", {"x": [1]})], [function(x="integer")]) is None


def test_calls_in_any_order_but_each_once():
    first, second = AllowedCall("map.find", {"x": [1, 2]}), AllowedCall("map.find", {"x": [1]})
    one, two, three = (ToolCall("map.find", {"x": x}) for x in (1, 2, 3))
    tools = [function(x="integer")]
    assert compare_allowed([two, one], [first, second], tools) is None
    assert compare_allowed([one, one], [first, second], tools) is None
    assert compare_allowed([one, two], [first, second], tools) is VALUE  # greedy: the first call is taken first
    assert compare_allowed([one], [first, second], tools) is ErrorKind.CALL_COUNT
    assert compare_allowed([], [first], tools) is ErrorKind.MISSING_CALL
    assert compare_allowed([three, ToolCall("g", {})], [first, second], tools) is VALUE  # the call nearest to it tells
    assert compare_allowed([ToolCall("g", {})], [first], tools) is ErrorKind.FUNCTION_NAME


def test_dots_in_names():
    expected, tools = [AllowedCall("map.find", {})], [function()]
    for name, dots_as_underscores, error in [
        ("map.find", False, None),
        ("map_find", False, ErrorKind.FUNCTION_NAME),
        ("map_find", True, None),
        ("map.find", True, ErrorKind.FUNCTION_NAME),
    ]:
        found = compare_allowed([ToolCall(name, {})], expected, tools, dots_as_underscores=dots_as_underscores)
        assert found is error


@pytest.mark.parametrize(
    ("language", "kind", "items", "text", "value"),
    [
        ("java", "integer", None, "-12", -12),
        ("java", "integer", None, "12L", "12L"),
        ("java", "long", None, "12L", 12),
        ("java", "long", None, "12", "12"),
        ("java", "float", None, "1.5f", 1.5),
        ("java", "float", None, "1.5", "1.5"),
        ("java", "double", None, "2e-1", 0.2),
        ("java", "boolean", None, "true", True),
        ("java", "boolean", None, "True", "True"),
        ("java", "String", None, '"a"', '"a"'),
        ("java", "ArrayList", "String", 'new ArrayList<String>(Arrays.asList("a", "b"))', ["a", "b"]),
        ("java", "ArrayList", "integer", "new ArrayList<>() {{ add(1); add(2); }}", [1, 2]),
        ("java", "ArrayList", "long", "new ArrayList<>()", []),
        ("java", "Array", "integer", "new int[]{1, 2}", [1, 2]),
        ("java", "Array", "String", "names", "names"),
        (
            "java",
            "HashMap",
            None,
            'new HashMap<String, Integer>() {{ put("a", 1); put("b", "x"); }}',
            {"a": 1, "b": "x"},
        ),
        ("java", "HashMap", None, "new HashMap<>()", {}),
        ("javascript", "integer", None, "7", 7),
        ("javascript", "Bigint", None, "7n", 7),
        ("javascript", "float", None, "0.5", 0.5),
        ("javascript", "Boolean", None, "false", False),
        ("javascript", "String", None, "'a'", "a"),
        ("javascript", "array", "String", "[\"a\", 'b']", ["a", "b"]),
        ("javascript", "array", "integer", "new Array(1, 2)", [1, 2]),
        ("javascript", "array", "any", "[[1, 2], [3]]", [[1, 2], [3]]),
        ("javascript", "array", "integer", "rows", "rows"),
        ("javascript", "dict", None, '{"a": 1, b: [1, "x"], c: y}', {"a": 1, "b": [1, "x"], "c": "y"}),
        ("javascript", "dict", None, "{}", {}),
    ],
)
def test_source_text(language, kind, items, text, value):
    assert read_source_value(text, language, kind, items) == value


@pytest.mark.parametrize("text", ["9" * 4000, "[[" * 2000, "new HashMap<" * 300, "{" + "a:," * 1300, "x" * 10**6])
def test_source_text_without_bounds_is_read_in_time_and_without_an_exception(text):
    for language, kinds in {"java": ("integer", "ArrayList", "HashMap"), "javascript": ("array", "dict")}.items():
        for kind in kinds:
            read_source_value(text, language, kind, "String")


@pytest.mark.parametrize(
    ("language", "kind", "items", "value"),
    [
        ("java", "long", None, 5),
        ("java", "float", None, 1.5),
        ("java", "ArrayList", "String", ["a", "b"]),
        ("java", "ArrayList", "long", [1, 2]),
        ("java", "Array", "integer", [1, 2]),
        ("java", "HashMap", None, {"a": "x", "b": 2}),
        ("javascript", "array", "String", ["a", "b"]),
        ("javascript", "dict", None, {"a": [1, 2], "b": True}),
        ("javascript", "Bigint", None, 5),
    ],
)
def test_source_text_reads_back(language, kind, items, value):
    assert read_source_value(write_source_value(value, language, kind, items), language, kind, items) == value


def test_java_values_must_be_text():
    assert verdict({"x": 5}, {"x": [5]}, "java", x="integer") is TYPE
    assert verdict({"x": "5"}, {"x": [5]}, "java", x="integer") is None
    assert verdict({"x": "rows"}, {"x": ["rows"]}, "java", x="integer") is None
