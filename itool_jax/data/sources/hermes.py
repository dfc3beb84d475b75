r"""Hermes function calling (huggingface NousResearch/hermes-function-calling-v1): ShareGPT with tags.

    {"id": "...", "conversations": [
      {"from": "system", "value": "... <tools>[{\"type\": \"function\", \"function\": {...}}]</tools> ..."},
      {"from": "human", "value": "..."},
      {"from": "gpt", "value": "<tool_call>\n{\"name\": \"f\", \"arguments\": {...}}\n</tool_call>"},
      {"from": "tool", "value": "<tool_response>\n{...}\n</tool_response>"}, ...], "tools": "[...]"}

`tools` stands in some of its files only. Calls, and in places the tools, are Python literals as often as JSON. The
files of its JSON mode have no tools and are no tool calling: their rows are bad.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from itool_jax.data.example import Example
from itool_jax.data.problems import RowError, describe, expect
from itool_jax.data.sources.calls import BESIDE, json_calls, listed
from itool_jax.data.sources.candidates import read_candidates
from itool_jax.data.sources.conversation import Turn, conversation_examples
from itool_jax.data.sources.labels import fit_calls
from itool_jax.data.sources.sharegpt import Said, read_turns
from itool_jax.data.sources.source import Row, Source
from itool_jax.toolcall.literals import LiteralReader, Unreadable
from itool_jax.toolcall.types import Tool

_TOOLS = re.compile(r"<tools>\s*(?=[\[{])(.*?)</tools>", re.DOTALL)
_CALL = re.compile(r"<tool_call>(.*?)</tool_call>", re.DOTALL)
_RESPONSE = re.compile(r"<tool_response>(.*?)</tool_response>", re.DOTALL)
_REASONING = re.compile(r"<(think|scratch_pad)>.*?</\1>", re.DOTALL)


def examples(row: Row) -> list[Example]:
    """An example per assistant turn, ids hermes/FILE/ROW/TURN (from 1); a row is bad as a whole.

    A system prompt that holds <tools> is the source's own instruction and is left out, one without stays. Reasoning
    is left out too. Each <tool_response> is a tool's message of its own.
    """
    value = expect(row.value, dict, "")
    said = read_turns(value)
    tools = _tools(value, said)
    turns: list[Turn] = []
    for turn in said:
        if turn.role == "assistant":
            turns.append(_answer(turn, tools))
        elif turn.role == "tool":
            results = [found[1].strip() for found in _RESPONSE.finditer(turn.text)] or [turn.text]
            turns += [Turn("tool", result, turn.field) for result in results]
        elif turn.role != "system" or not _TOOLS.search(turn.text):
            turns.append(Turn(turn.role, turn.text, turn.field))
    name, meta = f"hermes/{row.file}/{row.number}", {"conversation": row.number}
    return conversation_examples(turns, tools, name=name, source="hermes", meta=meta)


SOURCE = Source(examples)


def _tools(value: Mapping[str, Any], said: Sequence[Said]) -> tuple[Tool, ...]:
    if value.get("tools"):
        return read_candidates(listed(value, "tools"), "tools")
    for turn in said:
        found = _TOOLS.search(turn.text) if turn.role == "system" else None
        if found:
            return read_candidates(_literals(found[1], turn.field), turn.field)
    raise RowError("conversations", "no system turn holds <tools>, and `tools` has none")


def _answer(said: Said, tools: Sequence[Tool]) -> Turn:
    text = _REASONING.sub("", said.text).strip()
    blocks = _CALL.findall(text)
    if not blocks:
        return Turn("assistant", text, said.field)
    rows = [row for block in blocks for row in _literals(block, said.field)]
    calls, notes = fit_calls(json_calls(rows, said.field), tools, said.field)
    beside = [BESIDE] if _CALL.sub("", text).strip() else []
    return Turn("assistant", "", said.field, calls, (*notes, *beside))


def _literals(text: str, field: str) -> list[Any]:
    """The objects of a text that holds one list of them, or one after another with spaces or commas between.

    Python literals are read as well, so `tools_from_text`, which knows JSON alone, does not serve.
    """
    reader, values = LiteralReader(text), []
    position = reader.skip_space(0)
    try:
        while position < len(text):
            value, position = reader.value(position)
            values += value if isinstance(value, list) else [value]
            position = reader.skip_space(position + (reader.peek(position) == ","))
    except Unreadable as error:
        raise RowError(field, f"not JSON, nor a Python literal: {error} in {describe(text)}") from error
    return values
