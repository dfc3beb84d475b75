"""The chat template that goes with exported models that speak chatml, against the format that it stands for."""

from __future__ import annotations

import pytest

from itool_jax.data.chat import CHATML, chat_template, encode_example, encode_prompt, format_for
from itool_jax.data.example import Example, Message
from itool_jax.data.tokenizer import Tokenizer, train_bpe
from itool_jax.data.toolworld import ToolWorld
from itool_jax.toolcall import Parameter, Tool, ToolCall, tools_from_json, write_calls
from tests.chat_cases import CASES, TOOLS, TOOLS_JSON

ODD = 'a "b" \\ \n\r\t\b\f\x00\x1f\x7f ü 😀 <|im_end|> {{ x }} {% y %}'
ARGUMENTS = {
    "plain": ODD,
    "with space": [None, True, False, 0, -1, 1.0, 1e22, 1e-7, [], {}, [[ODD]]],
    "a,b": {"k": ODD, ODD: {"items": 1}},
    'q"': 1,
    " edge": 1,
    "apostrophe's": 1,
    "x" * 129: 1,
    "ü-1": 1,
}


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    texts = [text for e in ToolWorld(1).examples("medium", 50) for text in (e.messages[-1].content, e.answer)]
    plain = train_bpe(texts, 350, CHATML.special_tokens, CHATML.end_of_turn)
    return plain.with_templates({"default": chat_template(CHATML)})


def conversations() -> list[Example]:
    names = ("a.b/c-d", "n" * 129, 'odd "name"\n', "get (new, unread) mail", "f(1)")
    calls = (ToolCall("get weather", ARGUMENTS), *(ToolCall(name, {"a": 1}) for name in names))
    said = Message("assistant", write_calls(calls), calls)
    worded = Message("assistant", f"A moment.\n{write_calls(calls)}", calls)
    odd = Tool("odd", ODD, (Parameter("p", {"enum": [ODD]}, False), Parameter("q", {"type": "object"})))
    system = [Message("system", "One."), Message("system", "Two.")]
    user, result = Message("user", ODD), Message("tool", ODD)
    made = [
        Example("odd", (odd, *TOOLS), (user, said, result, result, worded, user), write_calls(calls), calls),
        Example("systems", TOOLS, (*system, user, Message("system", "Late."), user), "Yes."),
        Example("no tools", (), (*system, user), "Yes."),
        Example("bare", (), (user,), "Yes."),
        Example("empty system", TOOLS, (Message("system", ""), user), "Yes."),
    ]
    cases = [case.example for name, case in CASES.items() if name != "words before a call"]  # with a space between them
    return [*made, *cases, *ToolWorld(0).mixture({"easy": 1, "hard": 1}, 60)]


@pytest.mark.parametrize("example", conversations(), ids=lambda example: example.id)
def test_the_template_writes_what_the_format_writes(tokenizer, example):
    chat = format_for(tokenizer)
    assert (chat.name, chat.call_style, chat.end_of_turn) == ("template", "python", "<|im_end|>")
    assert encode_example(chat, tokenizer, example) == encode_example(CHATML, tokenizer, example)


def test_transformers_renders_it_from_what_a_chat_interface_sends(tokenizer, tmp_path):
    transformers = pytest.importorskip("transformers")
    tokenizer.save(tmp_path)
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    call = {"function": {"name": "get_weather", "arguments": {"city": "Köln", "days": 2}}}
    messages = [
        {"role": "user", "content": "Köln?"},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "type": "function", **call}]},
        {"role": "tool", "tool_call_id": "1", "content": "rain"},
    ]
    shuffled = [{"function": dict(reversed(tool["function"].items())), "type": "function"} for tool in TOOLS_JSON]
    made = (ToolCall("get_weather", {"city": "Köln", "days": 2}),)
    turns = (Message("user", "Köln?"), Message("assistant", write_calls(made), made), Message("tool", "rain"))
    example = Example("x", tools_from_json(TOOLS_JSON), turns, "Rain.")
    for tools in (TOOLS_JSON, shuffled, [tool["function"] for tool in TOOLS_JSON]):
        text = theirs.apply_chat_template(messages, tools=tools, add_generation_prompt=True, tokenize=False)
        assert text == CHATML.render_prompt(example)
    call["function"]["arguments"] = '{"city": "Köln"}'
    with pytest.raises(Exception, match="must be an object"):
        theirs.apply_chat_template(messages, tools=TOOLS_JSON, tokenize=False)
    call["function"]["arguments"] = {"city": float("nan")}
    with pytest.raises(Exception, match="expected a finite number"):
        theirs.apply_chat_template(messages, tools=TOOLS_JSON, tokenize=False)
    with pytest.raises(Exception, match="must be one text"):
        theirs.apply_chat_template([{"role": "user", "content": [{"type": "text", "text": "Hi"}]}], tokenize=False)


def test_calls_with_arguments_without_a_name_are_not_lost(tokenizer):
    calls = (ToolCall("get_weather", {}, ("Köln",)),)
    turns = (Message("user", "Köln?"), Message("assistant", write_calls(calls), calls), Message("tool", "rain"))
    example = Example("x", TOOLS, turns, "Rain.")
    assert encode_prompt(format_for(tokenizer), tokenizer, example) == encode_prompt(CHATML, tokenizer, example)
