r"""Glaive (huggingface glaiveai/glaive-function-calling-v2): as one text, and in the ShareGPT form made of it.

    {"system": "SYSTEM: You are a helpful assistant with access to the following functions. ...\n{...}\n{...}",
     "chat": "USER: ...\n\n\n
              ASSISTANT: <functioncall> {\"name\": \"f\", \"arguments\": '{\"a\": 1}'} <|endoftext|>\n\n\n
              FUNCTION RESPONSE: {...}\n\n\nASSISTANT: ... <|endoftext|>\n\n\n"}

    {"conversations": [{"from": "human", "value": "..."}, {"from": "function_call", "value": "{\"name\": ...}"},
      {"from": "observation", "value": "..."}, {"from": "gpt", "value": "..."}], "tools": "[...]"}

Either is often called Glaive v2. Of the text form, the arguments are mostly JSON in single quotes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from itool_jax.data.example import Example, Role
from itool_jax.data.jsonl import parse_json_text
from itool_jax.data.problems import RowError, describe, expect, take
from itool_jax.data.sources.calls import BESIDE, json_calls, listed
from itool_jax.data.sources.candidates import read_candidates
from itool_jax.data.sources.conversation import Turn, conversation_examples, without_lines
from itool_jax.data.sources.labels import fit_calls
from itool_jax.data.sources.sharegpt import read_turns
from itool_jax.data.sources.source import Row, Source
from itool_jax.toolcall.types import Tool, ToolCall

_ROLES: dict[str, Role] = {"USER": "user", "ASSISTANT": "assistant", "FUNCTION RESPONSE": "tool"}
_SPEAKER = re.compile(r"(?:\A|(?<=\n\n))[ \t]*+(USER|ASSISTANT|FUNCTION RESPONSE):")
_END = "<|endoftext|>"
_TAG = "<functioncall>"
_QUOTED = re.compile(r'\{\s*"name"\s*:\s*("(?:[^"\\]|\\.)*")\s*,\s*"arguments"\s*:\s*\'(.*)\'\s*\}', re.DOTALL)
_INSTRUCTIONS = frozenset(
    (
        "You are a helpful assistant with access to the following functions. Use them if required -",
        "You are a helpful assistant, with no access to external functions.",
    )
)


def examples(row: Row) -> list[Example]:
    """An example per assistant turn, ids glaive/FILE/ROW/TURN (from 1); a row, one conversation, is bad as a whole.

    Of `system` only what is neither the tools nor Glaive's own two instructions stays, as a system message.
    """
    value = expect(row.value, dict, "")
    if "chat" in value:
        tools, system = _system(take(value, "system", str))
        turns = [Turn("system", system, "system")] if system else []
        turns += _chat(take(value, "chat", str), tools)
    else:
        tools = read_candidates(listed(value, "tools") if value.get("tools") else [], "tools")
        turns = [
            _made(json_calls(parse_json_text(turn.text, turn.field), turn.field), tools, turn.field, [])
            if turn.name == "function_call"
            else Turn(turn.role, turn.text, turn.field)
            for turn in read_turns(value)
        ]
    name, meta = f"glaive/{row.file}/{row.number}", {"conversation": row.number}
    return conversation_examples(turns, tools, name=name, source="glaive", meta=meta)


SOURCE = Source(examples)


def _system(text: str) -> tuple[tuple[Tool, ...], str]:
    """The functions, JSON objects one after another from the first brace on, and what else the prompt says.

    Not by `described_functions`: that passes over what it cannot read, where here a candidate would be lost.
    """
    text = text.strip().removeprefix("SYSTEM:")
    start = text.find("{")
    said, rest = (text, "") if start < 0 else (text[:start], text[start:])
    rows, decoder = [], json.JSONDecoder()
    while rest.startswith("{"):
        try:
            _, end = decoder.raw_decode(rest)
        except (ValueError, RecursionError) as error:
            raise RowError("system", f"a function that is no JSON: {describe(rest)}") from error
        rows.append(parse_json_text(rest[:end], "system"))
        rest = rest[end:].lstrip(" \t\r\n,")
    return read_candidates(rows, "system"), without_lines(f"{said}\n{rest}", _INSTRUCTIONS)


def _chat(text: str, tools: Sequence[Tool]) -> list[Turn]:
    text = text.strip()
    speakers = list(_SPEAKER.finditer(text))
    if not speakers or speakers[0].start():
        raise RowError("chat", f"expected USER: at its beginning, found {describe(text)}")
    turns = []
    for i, speaker in enumerate(speakers):
        end = speakers[i + 1].start() if i + 1 < len(speakers) else len(text)
        said, field = text[speaker.end() : end].strip().removesuffix(_END).strip(), f"chat.turns[{i}]"
        role = _ROLES[speaker[1]]
        turns.append(_answer(said, tools, field) if role == "assistant" else Turn(role, said, field))
    return turns


def _answer(text: str, tools: Sequence[Tool], field: str) -> Turn:
    before, *written = text.split(_TAG)
    if not written:
        return Turn("assistant", text, field)
    calls = [call for piece in written for call in _written(piece.strip().removesuffix(_END).strip(), field)]
    return _made(calls, tools, field, [BESIDE] if before.strip() else [])


def _made(calls: Sequence[ToolCall], tools: Sequence[Tool], field: str, beside: list[str]) -> Turn:
    fitted, notes = fit_calls(calls, tools, field)
    return Turn("assistant", "", field, fitted, (*notes, *beside))


def _written(text: str, field: str) -> list[ToolCall]:
    """A call, whose arguments are mostly JSON in single quotes, apostrophes in it as they are."""
    quoted = _QUOTED.fullmatch(text)
    if not quoted:
        return json_calls(parse_json_text(text, field), field)
    name = parse_json_text(quoted[1], f"{field}.name")
    return [ToolCall(name, expect(_arguments(quoted[2], f"{field}.arguments"), dict, f"{field}.arguments"))]


def _arguments(text: str, field: str) -> Any:
    try:
        return parse_json_text(text, field)
    except RowError:
        return parse_json_text(text.replace("\\'", "'"), field)
