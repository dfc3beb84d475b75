"""Seal-Tools (github fairyshine/Seal-Tools): the finetune_*.json files, whose human turn carries the candidate tools.

    {"id": "dev-easy-0", "conversations": [
      {"from": "human", "value": "...api_list = [{'api_name': ...}]\ntask_instruction = \"the query\"\nOutput:\n"},
      {"from": "gpt", "value": "[{'api': ..., 'parameters': {...}, 'responses': ['API_call_0']}]"}]}

Lists stand there as Python literals. A parameter value "API_call_3" is the result of an earlier call: results are
numbered through the answer (`toolcall.nesting`), so a tool's description here ends with the names of what it returns.
"""

from __future__ import annotations

import json
import re
from typing import Any

from itool_jax.data.example import Example, Message
from itool_jax.data.problems import RowError, describe, expect, take
from itool_jax.data.sources.candidates import read_candidates
from itool_jax.data.sources.labels import fit_calls
from itool_jax.data.sources.source import Row, Source
from itool_jax.toolcall import write_calls
from itool_jax.toolcall.literals import LiteralReader, Unreadable
from itool_jax.toolcall.types import Tool, ToolCall

_TOOLS = "api_list = "
_QUERY = re.compile(r'\s*task_instruction = "(.*)"\s*Output:\s*', re.DOTALL)
_REFERENCE = re.compile(r"API_call_\d+")


def examples(row: Row) -> list[Example]:
    """One example per row, ids "seal_tools/" and the row's own.

    Bad are rows whose label cannot be had from their candidates; what is merely doubtful is noted in `meta["notes"]`
    (see `fit_calls`; also `dangling_reference`, a result that no earlier call has).
    """
    value = expect(row.value, dict, "")
    if "conversations" not in value and "calling" in value:
        raise RowError("conversations", "missing: this file has no candidate tools; take the finetune_*.json beside it")
    name = take(value, "id", str)
    human, gpt = _turns(take(value, "conversations", list))
    tools, query = _prompt(human, "conversations[0].value")
    calls, dangling = _calls(gpt, "conversations[1].value")
    calls, notes = fit_calls(calls, tools, "conversations[1].value", _is_reference)
    example = Example(
        id=f"seal_tools/{name}",
        tools=tools,
        messages=(Message("user", query),),
        answer=write_calls(calls),
        calls=calls,
        source="seal_tools",
        meta={
            "level": "difficult" if "-difficult-" in name else "easy",
            "nested": any(_is_reference(value) for call in calls for value in call.arguments.values()),
            "notes": notes + dangling,
        },
    )
    return [example]


SOURCE = Source(examples, files=("finetune_*.json",), ids_in_rows=True)


def _turns(conversation: list[Any]) -> tuple[str, str]:
    roles = [turn.get("from") if isinstance(turn, dict) else None for turn in conversation]
    if roles != ["human", "gpt"]:
        raise RowError("conversations", f"expected one turn from human and one from gpt, found {describe(roles)}")
    human, gpt = (take(turn, "value", str, within=f"conversations[{i}]") for i, turn in enumerate(conversation))
    return human, gpt


def _prompt(text: str, field: str) -> tuple[tuple[Tool, ...], str]:
    start = text.find(_TOOLS)
    if start < 0:
        raise RowError(field, f"no {_TOOLS!r} in {describe(text)}")
    rows, end = _literal_list(text, start + len(_TOOLS), f"{field}.api_list")
    found = _QUERY.fullmatch(text, end)
    if not found or not found[1].strip():
        raise RowError(f"{field}.task_instruction", f"expected a query and Output:, found {describe(text[end:])}")
    listed = f"{field}.api_list"
    return read_candidates([_description(row, f"{listed}[{i}]") for i, row in enumerate(rows)], listed), found[1]


def _description(row: Any, within: str) -> dict[str, Any]:
    """An api as a function description, the names of its results at the end of the text."""
    expect(row, dict, within)
    text = take(row, "api_description", str, within=within)
    results = list(expect(row.get("responses", {}), dict, f"{within}.responses"))
    if results:
        text = f"{text.rstrip('. ')}. Returns {', '.join(results)}."
    properties = take(row, "parameters", dict, within=within)
    schema = {"type": "object", "properties": properties, "required": row.get("required", [])}
    name = take(row, "api_name", str, within=within)
    return {"name": name, "description": text, "parameters": schema, "results": results}


def _calls(text: str, field: str) -> tuple[list[ToolCall], list[str]]:
    """The calls, and notes of the references to a result that no earlier call has."""
    rows, end = _literal_list(text, 0, field)
    if not rows or text[end:].strip():
        raise RowError(field, f"expected a list of one or more calls and no more, found {describe(text)}")
    calls, dangling, known = [], [], set()
    for i, row in enumerate(rows):
        within = f"{field}[{i}]"
        expect(row, dict, within)
        call = ToolCall(take(row, "api", str, within=within), take(row, "parameters", dict, within=within))
        for name, value in call.arguments.items():
            if _is_reference(value) and not known.issuperset(_REFERENCE.findall(value)):
                dangling.append(f"dangling_reference {name}")
        known.update(map(str, expect(row.get("responses", []), list, f"{within}.responses")))
        calls.append(call)
    return calls, dangling


def _literal_list(text: str, start: int, field: str) -> tuple[list[Any], int]:
    try:
        value, end = LiteralReader(text).value(start)
        json.dumps(value, ensure_ascii=False).encode()
    except Unreadable as error:
        raise RowError(field, f"not a Python literal: {error}") from error
    except UnicodeEncodeError as error:
        raise RowError(field, "a string holds half of a surrogate pair, which is no text") from error
    return expect(value, list, field), end


def _is_reference(value: Any) -> bool:
    return isinstance(value, str) and _REFERENCE.search(value) is not None
