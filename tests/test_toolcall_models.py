"""Answers as each family of models writes them, and what the families' own chat templates write."""

from functools import cache
from typing import Any

import pytest

from itool_jax.toolcall import (
    CallStyle,
    ParsedAnswer,
    ToolCall,
    parse_calls,
    tool_to_json,
    tools_from_json,
    tools_from_text,
    write_calls,
)
from tests.assets import asset

F = ToolCall("f", {"a": 1})
G = ToolCall("g")
FG = (F, G)

HABITS: dict[str, dict[str, tuple[ToolCall, ...]]] = {
    "Llama 3.x": {
        '{"name": "f", "parameters": {"a": 1}}': (F,),
        '{"name": "f", "parameters": {"a": 1}}<|eot_id|>': (F,),
        '<|python_tag|>{"name": "f", "parameters": {"a": 1}}; {"name": "g", "parameters": {}}<|eom_id|>': FG,
        '{"name": "f", "parameters": {"a": 1}}, {"name": "g", "parameters": {}}': FG,
        '{"name": "f", "parameters": {"a": 1}}\n\n{"name": "g", "parameters": {}}': FG,
        '[\n    {"name": "f", "parameters": {"a": 1}},\n    {"name": "g", "parameters": {}}\n]': FG,
        '{"type": "function", "name": "f", "parameters": {"a": 1}}': (F,),
        '{"type": "function", "function": "f", "parameters": {"a": 1}}': (F,),
        'assistant\n\n{"name": "f", "parameters": {"a": 1}}': (F,),
        '<function=f>{"a": 1}</function>': (F,),
        '<function=f>{"a": 1}</function>\n<function=g>{}</function><|eom_id|>': FG,
        '<function=f>{"a": 1}<|eom_id|>': (F,),
        '<|python_tag|>f.call(a="x")': (ToolCall("f.call", {"a": "x"}),),
        "[f(a=1), g()]": FG,
        "<|python_start|>[f(a=1), g()]<|python_end|>": FG,
        "To answer this I call:\n\n```python\n[f(a=1), g()]\n```\nIt returns both.": FG,
    },
    "Qwen2.5 and Qwen3": {
        '<tool_call>\n{"name": "f", "arguments": {"a": 1}}\n</tool_call>': (F,),
        '<tool_call>\n{"name": "f", "arguments": {"a": 1}}\n</tool_call>\n<tool_call>\n{"name": "g", "arguments": {}}\n'
        "</tool_call><|im_end|>": FG,
        '<think>\n\n</think>\n\n<tool_call>\n{"name": "f", "arguments": {"a": 1}}\n</tool_call>': (F,),
        "<think>\nOr [g()]? No, <tool_call> of f.\n</think>\n\n<tool_call>\n"
        '{"name": "f", "arguments": {"a": 1}}\n</tool_call>': (F,),
        'So [g()] it is not.\n</think>\n\n<tool_call>\n{"name": "f", "arguments": {"a": 1}}\n</tool_call>': (F,),
        'Let me look.\n\n<tool_call>\n{"name": "f", "arguments": {"a": 1}}\n</tool_call>': (F,),
        '<tool_call>{"name": "f", "arguments": {"a": 1}}</tool_call><tool_call>{"name": "g", "arguments": {}}': FG,
        '<tool_call>\n{"name": "f", "arguments": "{\\"a\\": 1}"}\n</tool_call>': (F,),
        '<tools>\n{"name": "f", "arguments": {"a": 1}}\n</tools>': (F,),
        '```json\n{"name": "f", "arguments": {"a": 1}}\n```': (F,),
        '```xml\n<tool_call>\n{"name": "f", "arguments": {"a": 1}}\n</tool_call>\n```': (F,),
        "<tool_call>\n<function=f>\n<parameter=a>\n1\n</parameter>\n</function>\n</tool_call>\n"
        "<tool_call>\n<function=g>\n</function>\n</tool_call>": FG,
        "<tool_call>\n<function=f>\n<parameter=code>\nif a[0] < 1:\n  print('x')\n</parameter>\n<parameter=on>\nTrue\n"
        '</parameter>\n<parameter=to>\n["x", 2]\n</parameter>\n<parameter=day>\n2024-01-01\n</parameter>\n</function>\n'
        "</tool_call>": (
            ToolCall("f", {"code": "if a[0] < 1:\n  print('x')", "on": True, "to": ["x", 2], "day": "2024-01-01"}),
        ),
    },
    "Hermes and SmolLM2": {
        '<tool_call>\n{"arguments": {"a": 1}, "name": "f"}\n</tool_call>': (F,),
        "<tool_call>\n{'arguments': {'a': 1}, 'name': 'f'}\n</tool_call>": (F,),
        '<tool_call>[{"name": "f", "arguments": {"a": 1}}, {"name": "g", "arguments": {}}]</tool_call>': FG,
        '<tool_call>\n{"name": "f", "arguments": {"a": 1}}\n{"name": "g", "arguments": {}}\n</tool_call>': FG,
        "<tool_call>[]</tool_call>": (),
        '<scratch_pad>\nGoal\n</scratch_pad>\n<tool_call>\n{"name": "f", "arguments": {"a": 1}}\n</tool_call>': (F,),
    },
    "ToolACE": {
        '[Get Data(a="x", n=[1, {"k": None}]), symbols/get-metrics(on=True)]': (
            ToolCall("Get Data", {"a": "x", "n": [1, {"k": None}]}),
            ToolCall("symbols/get-metrics", {"on": True}),
        ),
        '[Find (by ID)(id="1"), math.add(x=1, y=-2.5e3)]': (
            ToolCall("Find (by ID)", {"id": "1"}),
            ToolCall("math.add", {"x": 1, "y": -2500.0}),
        ),
        "[f(a=1)]\n[g()]": FG,
        "[f(1)]": (ToolCall("f", {}, (1,)),),
        "[]": (),
    },
    "xLAM": {
        '[{"name": "f", "arguments": {"a": 1}}, {"name": "g", "arguments": {}}]': FG,
        '{"tool_calls": [{"name": "f", "arguments": {"a": 1}}, {"name": "g", "arguments": {}}]}': FG,
        '{"thought": "x", "tool_calls": [{"name": "f", "arguments": {"a": 1}}]}': (F,),
        '{"name": "f", "arguments": {"a": 1}};{"name": "g", "arguments": {}}': FG,
        '```json\n[{"name": "f", "arguments": {"a": 1}}]\n```': (F,),
        '{"tool_calls": []}': (),
    },
    "others": {
        '[TOOL_CALLS] [{"name": "f", "arguments": {"a": 1}, "id": "abcdefghi"}]</s>': (F,),
        '[TOOL_CALLS]f{"a": 1}[TOOL_CALLS]g{}': FG,
        '[TOOL_CALLS]f[ARGS]{"a": 1}': (F,),
        '[TOOL_CALLS]f[CALL_ID]abc123[ARGS]{"a": 1}': (F,),
        '<functioncall> {"name": "f", "arguments": \'{"a": 1}\'} <|endoftext|>': (F,),
        "<|tool_call_start|>[f(a=1), g()]<|tool_call_end|>All done.": FG,
        '<|tool_call|>[{"name": "f", "arguments": {"a": 1}}]<|/tool_call|>': (F,),
        '<TOOLCALL>[{"name": "f", "arguments": {"a": 1}}]</TOOLCALL>': (F,),
        'functools[{"name": "f", "arguments": {"a": 1}}, {"name": "g", "arguments": {}}]': FG,
        '{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{\\"a\\": 1}"}}': (F,),
    },
}
CASES = [
    pytest.param(text, calls, id=f"{who}: {text!a}"[:60]) for who, of in HABITS.items() for text, calls in of.items()
]


@pytest.mark.parametrize(("text", "calls"), CASES)
def test_habits(text: str, calls: tuple[ToolCall, ...]):
    assert parse_calls(text) == ParsedAnswer("calls" if calls else "prose", calls)


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("<function=f>{'a': 1} and", 21),
        ("<function=f>[1]</function>", 12),
        ("<function=f><parameter=a>1</parameter><parameter=a>2</parameter></function>", 38),
        ("<function=f><parameter=a>1", 26),
        ("[TOOL_CALLS]f[1]", 12),
        ('<tool_call>\n{"name": "f", "arguments": {"a": 1}}}\n</tool_call>', 48),
        ('{"function": ["f"], "arguments": {}}', 0),
        ('{"name": "f", "parameters": {"a": 1}}; {"name": "g", "para', 58),
    ],
)
def test_broken_habits_are_malformed(text: str, position: int):
    answer = parse_calls(text)
    assert (answer.kind, answer.position) == ("malformed", position)


SCHEMAS = [
    {
        "name": "get weather/now",
        "description": 'The "weather" of </b> a city, € or not.',
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "Città\nor town"},
                "tags": {"type": "array", "items": {"type": "integer"}},
                "to": {"anyOf": [{"type": "string", "enum": ["<tools>", "b"]}, {"type": "null"}], "default": None},
            },
            "required": ["city"],
        },
    },
    {"name": "now", "description": "", "parameters": {"type": "object", "properties": {}, "required": []}},
]
CALLS = [ToolCall("get weather/now", {"city": 'Rome "é"\n\\ \u2028', "tags": [1, -2]}), ToolCall("now", {})]


@cache
def _tokenizer(name: str) -> Any:
    transformers = pytest.importorskip("transformers")
    return transformers.AutoTokenizer.from_pretrained(str(asset(name)))


def _rendered(name: str, messages: list[dict], **options: Any) -> str:
    tools = [{"type": "function", "function": schema} for schema in SCHEMAS]
    tokenizer = _tokenizer(name)
    return tokenizer.apply_chat_template(messages, tools=tools, tokenize=False, date_string="26 Jul 2024", **options)


@pytest.mark.parametrize("name", ["tok_llama3", "tok_qwen2_5", "tok_qwen3"])
def test_tools_in_the_prompts_of_chat_templates(name: str):
    messages = [{"role": "system", "content": 'Answer as {"a": 1}.'}, {"role": "user", "content": "Hi"}]
    tools = tools_from_text(_rendered(name, messages, add_generation_prompt=True))
    assert [tool_to_json(tool) for tool in tools] == SCHEMAS
    assert tools == tools_from_json(SCHEMAS)


@pytest.mark.parametrize(
    ("name", "style", "most"), [("tok_llama3", "llama3", 1), ("tok_qwen2_5", "hermes", 2), ("tok_qwen3", "hermes", 2)]
)
def test_calls_of_chat_templates(name: str, style: CallStyle, most: int):
    """Llama's template takes one call an answer."""
    calls = CALLS[:most]
    written = [{"type": "function", "function": {"name": c.name, "arguments": c.arguments}} for c in calls]
    user = {"role": "user", "content": "Hi"}
    turn = {"role": "assistant", "content": "", "tool_calls": written}
    text = _rendered(name, [user, turn]).rpartition("assistant")[2]
    assert parse_calls(text, style) == parse_calls(text) == ParsedAnswer("calls", tuple(calls))
    assert write_calls(calls, style) in text
