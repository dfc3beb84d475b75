"""The chat template that goes with exported models that speak compact, against the format that it stands for."""

from __future__ import annotations

import datetime
import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itool_jax.data.chat import COMPACT, chat_template, encode_example, encode_prompt, format_for
from itool_jax.data.chat.jinja import compiled
from itool_jax.data.example import Example, Message
from itool_jax.data.tokenizer import Tokenizer
from itool_jax.data.toolworld import LargeWorld, ToolWorld
from itool_jax.errors import UserError
from itool_jax.toolcall import Parameter, Tool, ToolCall, signature, tool_to_json, tools_from_json, write_calls
from tests.chat_cases import TOOLS_JSON
from tests.test_chatml_template import conversations
from tests.toolcall_cases import NAMED_CALLS, NAMES, TEXT, VALUES
from tests.worlds import MIX, dialect

RENDER = compiled(chat_template(COMPACT), datetime.date(2024, 7, 26))
ADDRESS = {
    "type": "object",
    "properties": {
        "street": {"type": "string"},
        "no, of": {"type": ["integer", "null"]},
        "at": {"type": "object", "properties": {"x": {"type": "number"}, "items": {"type": "array"}}},
        "kinds": {"type": "array", "items": {"enum": ["home", "two words", "int", "-", "٣", "²", "_x-1", 1.0, None]}},
        "any": {},
        "both": {"oneOf": [{"type": "string"}], "anyOf": [{"type": "integer"}], "type": "boolean"},
        "tag": {"anyOf": [{"type": "string"}, {"type": "boolean"}, {"type": "string", "format": "date"}]},
    },
    "required": ["street", "at"],
}
NESTED = (
    Tool(
        "ship (by sea)",
        "Ships <it>",
        (
            Parameter("to", ADDRESS),
            Parameter("all", {"type": "array", "items": ADDRESS}, False),
            Parameter("unit", {"enum": ["kg", "lb"], "default": "kg"}, False),
            Parameter("none", {"type": "string", "default": None}, False),
            Parameter("kept", {"type": "string", "default": 'a "b"'}),
        ),
    ),
    Tool("ship(1)"),
)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return dialect().tokenizer.with_templates({"default": chat_template(COMPACT)})


@pytest.fixture(scope="module")
def theirs(tokenizer: Tokenizer, tmp_path_factory) -> Any:
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("tokenizer")
    tokenizer.save(folder)
    return transformers.AutoTokenizer.from_pretrained(folder)


def nested() -> Example:
    calls = (ToolCall("ship (by sea)", {"to": {"street": "A", "at": {"x": 1.5}}, "all": []}), ToolCall("ship(1)"))
    turns = (
        Message("system", "Be brief."),
        Message("user", "Ship it."),
        Message("assistant", write_calls(calls), calls),
        Message("tool", '{"done": true}'),
        Message("tool", ""),
        Message("assistant", "Done."),
        Message("system", "Be briefer."),
        Message("user", "And now?"),
    )
    return Example("nested", NESTED, turns, f"Again.\n{write_calls(calls[:1])}", calls[:1])


def special_names() -> Example:
    """Names of special tokens wherever somebody's text can stand."""
    evil = "".join(COMPACT.special_tokens)
    tool = Tool(evil, evil, (Parameter(evil, {"enum": [evil, "x"], "default": evil}, False),))
    calls = (ToolCall(evil, {evil: [evil]}),)
    said = Message("assistant", f"{evil}\n{write_calls(calls)}", calls)
    turns = [Message(role, evil) for role in ("system", "user", "system", "tool")]
    return Example("special names", (tool,), (*turns, said, *turns), said.content, calls)


def worlds() -> list[Example]:
    found = [*ToolWorld(5).mixture(MIX, 20), *LargeWorld(5).mixture(MIX, 40)]
    assert any(message.role == "tool" for example in found for message in example.messages)
    return [nested(), *found]


def as_json(tools: Any) -> list[dict[str, Any]]:
    return [{"type": "function", "function": tool_to_json(tool)} for tool in tools]


def as_messages(messages: Any) -> list[dict[str, Any]]:
    """Messages as a chat interface has them: words apart from calls, which begin a line here."""
    found = []
    for number, message in enumerate(messages):
        functions = [{"name": call.name, "arguments": call.arguments} for call in message.calls]
        calls = [{"id": f"{number}", "type": "function", "function": function} for function in functions]
        words = message.content.removesuffix(write_calls(message.calls)) if calls else message.content
        found.append({"role": message.role, "content": words or None, "tool_calls": calls or None})
    return found


def shown(tool: Any) -> str:
    """What the template writes of a tool."""
    return RENDER(messages=[{"role": "user", "content": "x"}], tools=[tool])[len("<|tools|>") : -len("<|user|>x")]


@pytest.mark.parametrize("example", [special_names(), *worlds(), *conversations()], ids=lambda example: example.id)
def test_the_template_writes_what_the_format_writes(tokenizer, example):
    chat = format_for(tokenizer)
    assert (chat.name, chat.call_style, chat.end_of_turn) == ("template", "python", "<|end|>")
    assert encode_example(chat, tokenizer, example) == encode_example(COMPACT, tokenizer, example)


def test_transformers_gives_the_ids_of_prompt_and_conversation(tokenizer, theirs):
    for example in worlds():
        prompt, answer = encode_example(COMPACT, tokenizer, example)
        given = {"tools": as_json(example.tools), "return_dict": False}
        messages = as_messages(example.messages)
        assert theirs.apply_chat_template(messages, add_generation_prompt=True, **given) == prompt
        said = as_messages([Message("assistant", example.answer, example.calls)])
        assert theirs.apply_chat_template([*messages, *said], **given) == prompt + answer


def test_transformers_renders_it_from_what_a_chat_interface_sends(tokenizer, theirs):
    """Functions without a wrapper and as Python, keys in another order, no tools at all."""

    def get_weather(city: str, days: int = 1, units: list[str] | None = None):
        """
        Weather

        Args:
            city: The city
            days: How many
            units: Which
        """

    user = Message("user", "Köln?")
    bare = [tool["function"] for tool in TOOLS_JSON]
    shuffled = [{"function": dict(reversed(function.items())), "type": "function"} for function in bare]
    for tools in (TOOLS_JSON, shuffled, bare, None, []):
        for turns in ((user,), (Message("system", "Be brief."), Message("system", ""), user)):
            example = Example("x", tools_from_json(TOOLS_JSON if tools else []), turns, "Rain.")
            given = {"tools": tools, "add_generation_prompt": True, "return_dict": False}
            ids = theirs.apply_chat_template(as_messages(turns), **given)
            assert ids == encode_prompt(COMPACT, tokenizer, example)
    text = theirs.apply_chat_template(as_messages([user]), tools=[get_weather], tokenize=False)
    assert text == "<|tools|>get_weather(city:str, days?:int, units?:[str])<|user|>Köln?"


KINDS = ["string", "integer", "number", "boolean", "array", "object", "null"]
REQUIRED = st.lists(NAMES, max_size=2)


def _wider(inner: st.SearchStrategy) -> st.SearchStrategy:
    return st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(KINDS) | st.lists(st.sampled_from(KINDS), min_size=1, max_size=3) | st.none(),
            "enum": st.lists(VALUES | st.sampled_from(["int", "a-b", "_", "-a", "9", "²", "٣", "null"]), max_size=3),
            "anyOf": st.lists(inner, max_size=3),
            "oneOf": st.lists(inner, max_size=3) | st.none(),
            "allOf": st.lists(inner, min_size=2, max_size=2),
            "items": inner | st.booleans(),
            "properties": st.dictionaries(NAMES, inner, max_size=3),
            "required": REQUIRED | st.none(),
            "default": VALUES,
        },
    )


PROPERTY = st.recursive(_wider(st.just({})), _wider, max_leaves=8)
OBJECTS = st.fixed_dictionaries(
    {"type": st.just("object")},
    optional={"properties": st.dictionaries(NAMES, PROPERTY, max_size=4), "required": REQUIRED},
)
DESCRIPTIONS = st.fixed_dictionaries(
    {"name": NAMES.filter(bool)}, optional={"description": TEXT, "parameters": OBJECTS | st.none()}
)


@given(DESCRIPTIONS)
def test_signatures_of_any_tool_are_the_formats(description: dict):
    assert shown(description) == signature(tools_from_json([description])[0])


@given(NAMED_CALLS)
def test_calls_of_any_names_and_values_are_the_formats(calls: list[ToolCall]):
    messages = as_messages([Message("assistant", "", tuple(calls))])
    assert RENDER(messages=messages) == f"<|tools|><|assistant|>{write_calls(calls) if calls else ''}<|end|>"


HEADS = ["f", "", " f", "f)", "n" * 128, "n" * 129]
WORDS = ["x", "", "w" * 64, "w" * 65, "1", "+1.5", "-2", "1 ,x", ",1", "1x", "٣", "True", " None ", "nullx", "'x", "x'"]
TAILS = ["", " ", " y", ",y", " ;y", "y,", "y" * 128, "y" * 129, ")", " z (w) y", " (1)"]


def test_function_names_stand_bare_where_the_format_has_them_bare():
    names = [f"{head}({words}){tail}" for head, words, tail in itertools.product(HEADS, WORDS, TAILS)]
    names += [name for name in (*HEADS, "f(", "f(x", "f(x(y))", "f[x](y)", "f\x7f(x)", "f(x\ud800)") if name]
    expected = [signature(Tool(name)) for name in names]
    assert [shown({"name": name}) for name in names] == expected
    assert 50 < sum(not text.startswith('"') for text in expected) < len(names) - 50


@pytest.mark.parametrize(
    "wrap",
    [
        lambda inner: {"type": "array", "items": inner},
        lambda inner: {"type": ["null", "array"], "items": inner},
        lambda inner: {"type": "object", "properties": {"a": inner}},
        lambda inner: {"anyOf": [{"type": "array", "items": inner}, {"type": "null"}]},
    ],
    ids=["items", "types", "properties", "options"],
)
def test_schemas_are_shown_as_deep_as_the_format_shows_them(wrap):
    for levels in range(15, 35):
        schema: Any = {"type": "string"}
        for _ in range(levels):
            schema = wrap(schema)
        tool = Tool("deep", "", (Parameter("a", schema),))
        assert shown(tool_to_json(tool)) == signature(tool)
    assert "any" in signature(tool) and "str" not in signature(tool)


def _function(**parameters: Any) -> dict[str, Any]:
    return {"name": "f", "parameters": {"type": "object", **parameters}}


def _parameter(**schema: Any) -> dict[str, Any]:
    return _function(properties={"a": schema})


@pytest.mark.parametrize(
    ("tool", "message"),
    [
        (_parameter(**{"$ref": "#/$defs/A"}), r"\$ref or an allOf of one"),
        (_parameter(allOf=[{"type": "string"}]), "allOf of one"),
        (_parameter(type="array", items={"$ref": "#/$defs/A"}), r"\$ref"),
        (_function(**{"$ref": "#/$defs/A"}), r"\$ref"),
        (_parameter(type="dict"), "the type dict of a schema: expected one of string, "),
        (_parameter(type="List[int]"), "the type List"),
        (_parameter(type=["string", "float"]), "the type float"),
        (_parameter(type=["string", None]), "the type None"),
        (_parameter(type=["string", ""]), "the type  of"),
        (_parameter(type=""), "the type  of"),
        (_parameter(type={"a": "string"}), "the type"),
        (_parameter(type=5), "the type 5"),
        (_parameter(type=[]), "the type"),
        (_parameter(required=False), "required of a schema must be a list"),
        (_parameter(required="a"), "required of a schema must be a list"),
        (_parameter(enum="ab"), "enum of a schema must be a list"),
        (_parameter(anyOf={"type": "string"}), "anyOf of a schema must be a list"),
        (_parameter(enum=[float("inf")]), "inf has no literal"),
        (_parameter(default=float("nan")), "nan has no literal"),
        (_parameter(default={1: 2}), "no attribute 'replace'"),
        (_function(required="a"), "required of a schema must be a list"),
        (_function(properties={"a": True}), "the parameter a must be an object"),
        (_function(properties=["a"]), "no attribute 'items'"),
        ({"name": "f", "parameters": {"a": {"type": "string"}}}, "JSON Schema of the type object"),
        ({"name": "f", "parameters": {"type": "dict", "properties": {}}}, "JSON Schema of the type object"),
        ({"name": "f", "parameters": [1]}, "JSON Schema of the type object"),
        ({"name": "f", "input_schema": {"type": "object"}}, "the key input_schema of a tool"),
        ({"name": "f", "inputSchema": {"type": "object"}}, "the key inputSchema"),
        (_parameter(type="string") | {"required": ["a"]}, "the key required"),
        ({"description": "x"}, "must have a name"),
        ({"type": "web_search"}, "must have a name"),
        ({"name": ""}, "must have a name"),
        ("f", "must have a name"),
    ],
    ids=lambda part: json.dumps(part)[:50],
)
def test_tools_that_would_come_out_otherwise_are_refused(tool, message):
    with pytest.raises(Exception, match=message):
        shown(tool)


@pytest.mark.parametrize(
    ("turn", "message"),
    [
        ({"role": "developer", "content": "x"}, "a message of the role developer"),
        ({"role": "items", "content": "x"}, "a message of the role items"),
        ({"content": "x"}, "a message of the role"),
        ({"role": "user", "content": [{"type": "text", "text": "x"}]}, "must be one text"),
        ({"role": "tool", "content": {"sky": "grey"}}, "must be one text"),
        ({"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}, "must be an object"),
        ({"role": "assistant", "tool_calls": [{"function": {"arguments": {}}}]}, "no attribute 'name'"),
        ({"role": "assistant", "tool_calls": [{"name": "f", "arguments": {"a": float("inf")}}]}, "inf has no literal"),
    ],
    ids=lambda part: json.dumps(part)[:50],
)
def test_messages_that_the_format_cannot_say_are_refused(theirs, turn, message):
    with pytest.raises(Exception, match=message):
        theirs.apply_chat_template([turn], tokenize=False)


def test_a_reference_is_refused_as_an_error_of_ours(tokenizer):
    tool = Tool("f", "", (Parameter("a", {"$ref": "#/$defs/A"}),))
    with pytest.raises(UserError, match=r"cannot write example 'x': TemplateError: a schema with \$ref"):
        encode_prompt(format_for(tokenizer), tokenizer, Example("x", (tool,), (Message("user", "Hi"),), ""))
