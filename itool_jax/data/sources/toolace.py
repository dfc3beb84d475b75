"""ToolACE (huggingface Team-ACE/ToolACE) and ShareGPT files made of it: every assistant turn is one example.

    {"system": "...functions in JSON format...\n[{"name": ..., "parameters": {...}}]. ...", "conversations": [
      {"from": "user", "value": "..."}, {"from": "assistant", "value": "[Tool Name(a=\"b\")]"},
      {"from": "tool", "value": "[{\"name\": \"Tool Name\", \"results\": ...}]"}, ...]}

ShareGPT: `human`, `gpt`, `function_call` (JSON) and `observation` instead, the candidates in `tools` or in `system`.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from itool_jax.data.example import Example, Message, Role
from itool_jax.data.jsonl import parse_json
from itool_jax.data.problems import RowError, Rows, describe, expect, read_rows, take
from itool_jax.data.sources.candidates import read_candidates
from itool_jax.data.sources.labels import fit_calls
from itool_jax.data.sources.names import recover_names
from itool_jax.data.sources.rows import numbered_rows
from itool_jax.toolcall import parse_calls, write_calls
from itool_jax.toolcall.types import Tool, ToolCall

_ROLES: Mapping[str, Role] = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "function_call": "assistant",
    "observation": "tool",
    "tool": "tool",
    "system": "system",
}
_LIST_START = re.compile(r"\[\s*\{")
_MOST_LISTS = 20
_INSTRUCTIONS = frozenset(
    (
        "You are an expert in composing functions. You are given a question and a set of possible functions.",
        "Based on the question, you will need to make one or more function/tool calls to achieve the purpose.",
        "If none of the function can be used, point it out. If the given question lacks the parameters required by the "
        "function,",
        "also point it out. You should only return the function call in tools call sections.",
        "also point it out.",
        "Here is a list of functions in JSON format that you can invoke:",
        ".",
        "Should you decide to return the function call(s).",
        "Put it in the format of [func1(params_name=params_value, params_name2=params_value2...), func2(params)]",
        "NO other text MUST be included.",
    )
)


def read(path: str | os.PathLike[str], *, skip_bad: bool = False) -> Rows[Example]:
    """An example per assistant turn, ids toolace/FILE/ROW/TURN (from 1); bad rows are an error unless `skip_bad`.

    A row is one conversation and is bad as a whole: what follows a turn that cannot be read has no known context. Of
    `system` only what is neither the tools nor ToolACE's own instructions stays, as a system message.
    """
    file = Path(path).stem
    numbered = ((number, (number, row)) for number, row in numbered_rows(path))
    rows = read_rows(str(path), numbered, lambda row: _examples(file, row[0], parse_json(row[1])), skip_bad=skip_bad)
    return Rows(tuple(example for examples in rows.items for example in examples), rows.problems)


def _examples(file: str, number: int, row: Any) -> list[Example]:
    expect(row, dict, "")
    conversation = [_turn(turn, f"conversations[{i}]") for i, turn in enumerate(take(row, "conversations", list))]
    tools, context = _tools(row)
    examples: list[Example] = []
    for i, (role, text) in enumerate(conversation):
        field = f"conversations[{i}].value"
        if role not in ("gpt", "assistant", "function_call"):
            context.append(Message(_ROLES[role], text))
            continue
        if not context or context[-1].role not in ("user", "tool"):
            raise RowError(f"conversations[{i}].from", "an assistant's turn that answers neither a user nor a tool")
        results = conversation[i + 1][1] if conversation[i + 1 : i + 2] and _is_result(conversation[i + 1]) else ""
        calls, notes = _calls(role, text, results, tools, field)
        answer = write_calls(calls) if calls else text
        examples.append(
            Example(
                id=f"toolace/{file}/{number}/{len(examples) + 1}",
                tools=tools,
                messages=tuple(context),
                answer=answer,
                calls=calls,
                source="toolace",
                meta={"conversation": number, "notes": notes},
            )
        )
        context.append(Message("assistant", answer, calls))
    if not examples:
        raise RowError("conversations", "no assistant's turn to learn from")
    return examples


def _turn(turn: Any, within: str) -> tuple[str, str]:
    expect(turn, dict, within)
    role, text = take(turn, "from", str, within=within), take(turn, "value", str, within=within)
    if role not in _ROLES:
        raise RowError(f"{within}.from", f"expected one of {', '.join(_ROLES)}, found {describe(role)}")
    if not text.strip():
        raise RowError(f"{within}.value", "empty; expected a text")
    return role, text


def _is_result(turn: tuple[str, str]) -> bool:
    return _ROLES[turn[0]] == "tool"


def _tools(row: Mapping[str, Any]) -> tuple[tuple[Tool, ...], list[Message]]:
    """The candidate tools, and the system message that is left where they stood in `system`."""
    system = expect(row.get("system") or "", str, "system")
    listed = row.get("tools")
    listed = _json(listed, "tools") if isinstance(listed, str) and listed.strip() else listed
    field = "tools"
    if not listed and (system or listed is None):
        field = "system"
        listed, start, end = _tool_list(system)
        system = system[:start] + "\n" + system[end:]
    tools = read_candidates(expect(listed, list, field), field)
    rest = "\n".join(line for line in map(str.strip, system.splitlines()) if line and line not in _INSTRUCTIONS)
    return tools, [Message("system", rest)] if rest else []


def _tool_list(system: str) -> tuple[list[Any], int, int]:
    """The first JSON list of objects with names in the text, and where it begins and ends."""
    decoder = json.JSONDecoder()
    for match in islice(_LIST_START.finditer(system), _MOST_LISTS):
        try:
            value, end = decoder.raw_decode(system, match.start())
        except (ValueError, RecursionError):
            continue
        if all(isinstance(tool, dict) and "name" in tool for tool in value):
            return _json(system[match.start() : end], "system"), match.start(), end
    raise RowError("system", f"no JSON list of tools in {describe(system)}, and `tools` has none")


def _calls(
    role: str, text: str, results: str, tools: Sequence[Tool], field: str
) -> tuple[tuple[ToolCall, ...], list[str]]:
    calls = _json_calls(text, field) if role == "function_call" else _written_calls(text, field)
    calls = recover_names(calls, tools, results, field)
    return fit_calls(calls, tools, field) if calls else ((), [])


def _written_calls(text: str, field: str) -> list[ToolCall]:
    parsed = parse_calls(text)
    if parsed.kind == "malformed":
        raise RowError(field, f"calls that cannot be read: {parsed.problem} at character {parsed.position}")
    return list(parsed.calls)


def _json_calls(text: str, field: str) -> list[ToolCall]:
    value = _json(text, field)
    rows = value if isinstance(value, list) else [value]
    if not rows:
        raise RowError(field, "expected one or more calls, found an empty list")
    calls = []
    for i, row in enumerate(rows):
        within = f"{field}[{i}]"
        expect(row, dict, within)
        calls.append(ToolCall(take(row, "name", str, within=within), take(row, "arguments", dict, within=within)))
    return calls


def _json(text: str, field: str) -> Any:
    try:
        return parse_json(text.encode())
    except RowError as error:
        raise RowError(field, error.message) from error
