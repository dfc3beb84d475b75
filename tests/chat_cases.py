"""Conversations for the chat templates, as ours and as transformers takes them, and their golden digests.

ITOOL_ASSETS=FOLDER python -m tests.chat_cases     writes golden/chat_templates.json with transformers alone
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

from itool_jax.data.example import Example, Message
from itool_jax.toolcall import Parameter, Tool, ToolCall, write_calls

FAMILIES = ("tok_llama3", "tok_qwen2_5", "tok_qwen3")
GOLDEN = Path(__file__).parent / "golden" / "chat_templates.json"
VARIABLES = {"date_string": "26 Jul 2024", "enable_thinking": False}

TOOLS = (
    Tool(
        "get_weather",
        "Weather <now> & later, in °C",
        (
            Parameter("city", {"type": "string", "enum": ["Köln", "Rome"]}),
            Parameter("days", {"type": "integer", "default": 1}, required=False),
        ),
    ),
    Tool("stop", "Stop"),
)
TOOLS_JSON = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "Weather <now> & later, in °C",
            "parameters": {
                "type": "object",
                "properties": {
                    "city": {"type": "string", "enum": ["Köln", "Rome"]},
                    "days": {"type": "integer", "default": 1},
                },
                "required": ["city"],
            },
        },
    },
    {
        "type": "function",
        "function": {
            "name": "stop",
            "description": "Stop",
            "parameters": {"type": "object", "properties": {}, "required": []},
        },
    },
]
COLOGNE = ToolCall("get_weather", {"city": "Köln", "days": 2})
PROBE = ToolCall("probe", {"x": [None, True, 1.5, {"k": 'a "b"\n\\'}], "y": "it's <b>"})
STOP = ToolCall("stop")


class Case(NamedTuple):
    """An example, and transformers' messages for its prompt and its answer; `llama` where Llama's differ."""

    example: Example
    messages: list[dict[str, Any]]
    answer: dict[str, Any]
    llama: tuple[list[dict[str, Any]], dict[str, Any]] | None = None

    def reference(self, family: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        return self.llama if self.llama and family == "tok_llama3" else (self.messages, self.answer)


def _example(name: str, *turns: Message, tools: tuple[Tool, ...] = TOOLS) -> Example:
    *messages, answer = turns
    return Example(name, tools, tuple(messages), answer.content, answer.calls)


def _calling(*calls: ToolCall) -> Message:
    return Message("assistant", write_calls(calls), calls)


def _called(content: str, *calls: ToolCall) -> dict[str, Any]:
    functions = [{"name": call.name, "arguments": call.arguments} for call in calls]
    return said("assistant", content) | {"tool_calls": [{"type": "function", "function": f} for f in functions]}


def said(role: str, content: str) -> dict[str, Any]:
    return {"role": role, "content": content}


_SYSTEM, _ASK, _THANKS = (
    said("system", "Be brief."),
    said("user", "Weather in Köln? 世界 👩‍👩‍👧"),
    said("user", "Thanks! "),
)
_GREY = said("tool", '{"sky": "grey", "t": [1, 2.5]}')
_TWO_AS_LLAMA = '{"name": "get_weather", "parameters": {"city": "Köln", "days": 2}}; {"name": "stop", "parameters": {}}'
_WORDS_AS_LLAMA = 'One moment.\n{"name": "stop", "parameters": {}}'


def _messages(*turns: dict[str, Any]) -> tuple[Message, ...]:
    return tuple(Message(turn["role"], turn["content"]) for turn in turns)


CASES = {
    case.example.id: case
    for case in (
        Case(
            _example("prose", *_messages(_ASK), Message("assistant", "Which day?")),
            [_ASK],
            said("assistant", "Which day?"),
        ),
        Case(_example("one call", *_messages(_SYSTEM, _ASK), _calling(COLOGNE)), [_SYSTEM, _ASK], _called("", COLOGNE)),
        Case(_example("values", *_messages(_ASK), _calling(PROBE)), [_ASK], _called("", PROBE)),
        Case(
            _example("parallel calls", *_messages(_ASK), _calling(COLOGNE, STOP)),
            [_ASK],
            _called("", COLOGNE, STOP),
            ([_ASK], said("assistant", _TWO_AS_LLAMA)),
        ),
        Case(
            _example("words before a call", *_messages(_ASK), Message("assistant", "One moment. [stop()]", (STOP,))),
            [_ASK],
            _called("One moment.", STOP),
            ([_ASK], said("assistant", _WORDS_AS_LLAMA)),
        ),
        Case(
            _example(
                "after a result", *_messages(_ASK), _calling(COLOGNE), *_messages(_GREY), Message("assistant", "Grey.")
            ),
            [_ASK, _called("", COLOGNE), _GREY],
            said("assistant", "Grey."),
        ),
        Case(
            _example("call after a result", *_messages(_ASK), _calling(COLOGNE), *_messages(_GREY), _calling(STOP)),
            [_ASK, _called("", COLOGNE), _GREY],
            _called("", STOP),
        ),
        Case(
            _example(
                "many turns",
                *_messages(_SYSTEM, _ASK),
                _calling(COLOGNE, STOP),
                *_messages(_GREY, _GREY),
                Message("assistant", "Grey, and stopped."),
                *_messages(_THANKS),
                _calling(STOP),
            ),
            [_SYSTEM, _ASK, _called("", COLOGNE, STOP), _GREY, _GREY, said("assistant", "Grey, and stopped."), _THANKS],
            _called("", STOP),
            (
                [
                    _SYSTEM,
                    _ASK,
                    said("assistant", _TWO_AS_LLAMA),
                    _GREY,
                    _GREY,
                    said("assistant", "Grey, and stopped."),
                    _THANKS,
                ],
                _called("", STOP),
            ),
        ),
        Case(
            _example(
                "no tools", *_messages(_SYSTEM, _THANKS), Message("assistant", "You are welcome.\n\nBye!"), tools=()
            ),
            [_SYSTEM, _THANKS],
            said("assistant", "You are welcome.\n\nBye!"),
        ),
    )
}


def reference_ids(tokenizer: Any, family: str, case: Case) -> tuple[list[int], list[int]]:
    """Ids of the prompt and of the whole conversation as transformers has them."""
    messages, answer = case.reference(family)
    settings = {"tools": TOOLS_JSON if case.example.tools else None, "return_dict": False, **VARIABLES}
    prompt = tokenizer.apply_chat_template(messages, add_generation_prompt=True, **settings)
    return prompt, tokenizer.apply_chat_template([*messages, answer], **settings)


def digest(ids: list[int]) -> str:
    """Number of ids, and a hash of them."""
    return f"{len(ids)} {hashlib.sha256(json.dumps(ids).encode()).hexdigest()[:32]}"


def _write_golden() -> None:
    from transformers import AutoTokenizer

    from tests.assets import ROOT

    golden = {}
    for family in FAMILIES:
        tokenizer = AutoTokenizer.from_pretrained(ROOT / family)
        golden[family] = {
            name: dict(zip(("prompt", "whole"), map(digest, reference_ids(tokenizer, family, case)), strict=True))
            for name, case in CASES.items()
        }
    GOLDEN.write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    _write_golden()
