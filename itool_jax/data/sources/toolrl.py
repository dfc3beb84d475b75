r"""ToolRL's mix of ToolACE, Hammer and xLAM (github qiancheng0/ToolRL, dataset/rlla_4k_raw and dataset/rlla_4k).

    {"instruction": "...\n1. Name: f\nDescription: ...\nParameters: {\"a\": {\"type\": ..., \"default\": \"\"}}\n\n**",
     "input": "**Dialogue Records History**\n<user> ... </user>\n\n
               <think> ... </think>\n<tool_call>\n{...}\n</tool_call>\n<obs> ... </obs>\n\n<user> ... </user>",
     "output": "<think> ... </think>\n<tool_call>\n{\"name\": \"f\", \"parameters\": {...}}\n</tool_call>"}

The Parquet files hold the same three texts under `extra_info`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from itool_jax.data.example import Example, Role
from itool_jax.data.jsonl import parse_json_text
from itool_jax.data.problems import RowError, describe, expect, inside, take
from itool_jax.data.sources.calls import BESIDE, json_calls
from itool_jax.data.sources.candidates import read_candidates
from itool_jax.data.sources.conversation import Turn, conversation_examples
from itool_jax.data.sources.labels import fit_calls
from itool_jax.data.sources.source import Row, Source
from itool_jax.toolcall import Unreadable, read_literal
from itool_jax.toolcall.types import Tool, ToolCall

_TOOL = re.compile(r"^\d+\. Name: (.*)\nDescription: (.*(?:\n.*?)*?)\nParameters: (?=\{)", re.MULTILINE)
_FIRST = "\n1. Name: "
_HEADING = "**Dialogue Records History**"
_BLOCK = re.compile(r"\s*<(user|think|tool_call|obs|response)>(.*?)</\1>\s*", re.DOTALL)
_ANSWER = re.compile(r"\s*(?:<tool_call>(.*)</tool_call>)?\s*(?:<response>(.*)</response>)?\s*", re.DOTALL)
_ROLES: Mapping[str, Role] = {"user": "user", "obs": "tool", "response": "assistant"}


def examples(row: Row) -> list[Example]:
    """An example per assistant turn, ids toolrl/FILE/ROW/TURN (from 1): those of the history, and last the output.

    Few turns of a history have a row of their own; such repetitions are left out. So is reasoning, of the history as
    well, and texts inside it that look like calls: the answer begins after the last </think>. The default "" stands
    there for none; whether a parameter is required was lost when the mix was made, so all are optional. A list or an
    object that stands as text is read; one that was cut off is a bad row.
    """
    value = expect(row.value, dict, "")
    value = expect(value.get("extra_info", value), dict, "extra_info")
    tools = _tools(take(value, "instruction", str))
    turns = _history(take(value, "input", str), tools)
    turns.append(_output(take(value, "output", str), tools))
    name = f"toolrl/{row.file}/{row.number}"
    meta = {"conversation": row.number}
    return conversation_examples(turns, tools, name=name, source="toolrl", meta=meta)


SOURCE = Source(examples, repeats=True)


def _tools(text: str) -> tuple[Tool, ...]:
    start, decoder = text.find(_FIRST) + 1, json.JSONDecoder()
    rows = []
    while start and (found := _TOOL.match(text, start)):
        try:
            _, end = decoder.raw_decode(text, found.end())
        except (ValueError, RecursionError) as error:
            raise RowError("instruction", f"parameters that are no JSON: {describe(text[found.end() :])}") from error
        given = parse_json_text(text[found.end() : end], "instruction")
        properties = {name: _without_empty_default(schema) for name, schema in given.items()}
        schema = {"type": "object", "properties": properties, "required": []}
        rows.append({"name": found[1], "description": found[2], "parameters": schema})
        start = end + 1
    if not rows:
        raise RowError("instruction", f"no tools of the form 1. Name: ..., found {describe(text)}")
    if re.match(r"\d+\. Name: ", text[start : start + 12]):
        raise RowError("instruction", f"a tool that cannot be read: {describe(text[start:])}")
    return read_candidates(rows, "instruction")


def _without_empty_default(schema: Any) -> Any:
    if not isinstance(schema, Mapping) or schema.get("default") != "":
        return schema
    return {key: value for key, value in schema.items() if key != "default"}


def _history(text: str, tools: Sequence[Tool]) -> list[Turn]:
    """The turns, of which each stands in tags of its own."""
    position = len(_HEADING) if text.startswith(_HEADING) else 0
    turns: list[Turn] = []
    while position < len(text):
        found = _BLOCK.match(text, position)
        if not found:
            raise RowError("input", f"expected <user> or another tag, found {describe(text[position:])}")
        kind, said, position = found[1], found[2].strip(), found.end()
        if kind == "tool_call":
            turns.append(_calls(said, tools, "input", []))
        elif kind == "response" and turns and turns[-1].calls:
            turns[-1] = replace(turns[-1], notes=(*turns[-1].notes, BESIDE))
        elif kind != "think":
            turns.append(Turn(_ROLES[kind], said, "input"))
    return turns


def _output(text: str, tools: Sequence[Tool]) -> Turn:
    answer = _ANSWER.fullmatch(text.rpartition("</think>")[2])
    if not answer or answer[1] is answer[2] is None:
        raise RowError("output", f"no <tool_call> or <response> after the reasoning in {describe(text[-60:])}")
    if answer[1] is None:
        return Turn("assistant", answer[2].strip(), "output")
    return _calls(answer[1], tools, "output", [] if answer[2] is None else [BESIDE])


def _calls(text: str, tools: Sequence[Tool], field: str, beside: list[str]) -> Turn:
    """One call a line; a line that is no call makes the row bad."""
    within = f"{field}.tool_call"
    rows = [parse_json_text(line, within) for line in text.splitlines() if line.strip()]
    calls = [_whole(call, tools, f"{within}[{i}]") for i, call in enumerate(json_calls(rows, within))]
    fitted, notes = fit_calls(calls, tools, within)
    return Turn("assistant", "", field, fitted, (*notes, *beside))


def _whole(call: ToolCall, tools: Sequence[Tool], within: str) -> ToolCall:
    """The call with lists and objects in the place of texts that hold them; many were cut off at a comma."""
    tool = next((tool for tool in tools if tool.name == call.name), None)
    arguments = dict(call.arguments)
    for name, value in call.arguments.items():
        parameter = tool.parameter(name) if tool else None
        if parameter and parameter.type in ("array", "object") and isinstance(value, str) and value[:1] in ("[", "{"):
            try:
                arguments[name] = read_literal(value)
            except Unreadable as error:
                raise RowError(inside(within, name), f"cut off or broken: {describe(value)}") from error
    return ToolCall(call.name, arguments)
