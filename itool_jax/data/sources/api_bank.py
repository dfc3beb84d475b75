r"""API-Bank's training rows (github AlibabaResearch/DAMO-ConvAI, api-bank/training-data): a row per step.

    {"instruction": "\nGenerate an API request in the format of ...", "output": "API-Request: [Name(a='b')]",
     "input": "{\"apiCode\": \"ToolSearcher\", \"description\": ..., \"parameters\": {...}}\n
               User: ...TIME: 2034-04-15 10:00:00\n
               API-Request: [ToolSearcher(keywords='...')]->{'name': 'Name', 'input_parameters': {...}}\n
               Generate API Request: "}

Of level 3, where tools are found by calling ToolSearcher: what it returned becomes a candidate of the steps that
follow. lv3-train.json holds the rows of lv3-api-train.json and lv3-response-train.json once more, so of a folder only
those two are read. These rows are of the
distribution of API-Bank's own evaluation: name them where both are used.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from itool_jax.data.example import Example
from itool_jax.data.jsonl import parse_json_text
from itool_jax.data.problems import RowError, describe, expect, take
from itool_jax.data.sources.candidates import read_candidates
from itool_jax.data.sources.conversation import Turn, conversation_examples
from itool_jax.data.sources.labels import fit_calls
from itool_jax.data.sources.source import Row, Source
from itool_jax.toolcall import Unreadable, parse_calls, read_literal
from itool_jax.toolcall.types import Tool, ToolCall

_PIECE = re.compile(r"^(User|AI|API-Request|Generate API Request|Generate AI Response):[ \t]*", re.MULTILINE)
_TIME = re.compile(r"TIME: ?(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\Z")
_ANSWERED = re.compile(r"(.*?\)\]?)\s*->\s*(.*)", re.DOTALL)
_CALL = re.compile(r"\[?\s*([\w.]+)\((.*)\)\s*\]?", re.DOTALL)
_BARE_TYPE = re.compile(r"(?<='type': )(str|int|float|bool|list|dict)(?=[,}])")
_SEARCHER = "ToolSearcher"


def examples(row: Row) -> list[Example]:
    """The output of each row, ids api_bank/FILE/ROW: the steps before it have rows of their own (all 846 of level 3).

    The time at the end of a request becomes a system message. Values without quotes, `location=New York`, are read as
    text, and noted as `unquoted` where the output has them.
    """
    value = expect(row.value, dict, "")
    tools, turns = _history(take(value, "input", str))
    turns.append(_output(take(value, "output", str), tools))
    name = f"api_bank/{row.file}/{row.number}"
    candidates = tuple(tools.values())
    return conversation_examples(turns, candidates, name=name, source="api_bank", meta={}, last_only=True)


SOURCE = Source(examples, files=("*-api-train.json", "*-response-train.json"))


def _history(text: str) -> tuple[dict[str, Tool], list[Turn]]:
    pieces = list(_PIECE.finditer(text))
    if not pieces or not pieces[-1][1].startswith("Generate"):
        raise RowError("input", f"expected User: and at its end Generate ..., found {describe(text[-60:])}")
    tools = _described(text[: pieces[0].start()])
    turns: list[Turn] = []
    for piece, following in pairwise(pieces):
        said = text[piece.end() : following.start()].strip()
        if piece[1] == "User":
            turns += _request(said)
        elif piece[1] == "AI":
            turns.append(Turn("assistant", said, "input"))
        else:
            turns += _answered(said, tools)
    return tools, turns


def _described(text: str) -> dict[str, Tool]:
    """The tools that the input begins with, a JSON object a line."""
    rows = [expect(parse_json_text(line, "input"), dict, "input") for line in text.splitlines() if line.strip()]
    named = [{**row, "name": take(row, "apiCode", str, within="input")} for row in rows]
    return {tool.name: tool for tool in read_candidates(named, "input")}


def _request(text: str) -> list[Turn]:
    time = _TIME.search(text)
    if not time:
        return [Turn("user", text, "input")]
    system = Turn("system", f"The current time is {time[1]}.", "input")
    return [system, Turn("user", text[: time.start()].rstrip(), "input")]


def _answered(text: str, tools: dict[str, Tool]) -> list[Turn]:
    """A call of the history with its result; the tools that a search found are added to `tools`."""
    found = _ANSWERED.fullmatch(text)
    if not found:
        raise RowError("input", f"expected a call, -> and its result, found {describe(text)}")
    calls, notes = _calls(found[1], tools, "input")
    if any(call.name == _SEARCHER for call in calls):
        tools.update((tool.name, tool) for tool in _found(found[2]))
    return [Turn("assistant", "", "input", calls, notes), Turn("tool", found[2], "input")]


def _found(text: str) -> tuple[Tool, ...]:
    try:
        value = read_literal(_BARE_TYPE.sub(r"'\1'", text))
    except Unreadable as error:
        raise RowError("input", f"a tool that was found and cannot be read: {error} in {describe(text)}") from error
    rows = [expect(row, dict, "input") for row in (value if isinstance(value, list) else [value])]
    return read_candidates([{**row, "parameters": row.get("input_parameters", {})} for row in rows], "input")


def _output(text: str, tools: Mapping[str, Tool]) -> Turn:
    kind, colon, said = text.strip().partition(":")
    if not colon or kind not in ("API-Request", "AI"):
        raise RowError("output", f"expected API-Request: or AI:, found {describe(text)}")
    if kind == "AI":
        return Turn("assistant", said.strip(), "output")
    calls, notes = _calls(said.strip(), tools, "output")
    return Turn("assistant", "", "output", calls, notes)


def _calls(text: str, tools: Mapping[str, Tool], field: str) -> tuple[tuple[ToolCall, ...], tuple[str, ...]]:
    parsed = parse_calls(text)
    unquoted: Sequence[str] = ()
    calls = parsed.calls
    if parsed.kind != "calls":
        call, unquoted = _bare_call(text, tools, field)
        calls = (call,)
    fitted, notes = fit_calls(calls, list(tools.values()), field)
    return fitted, (*notes, *(f"unquoted {name}" for name in unquoted))


def _bare_call(text: str, tools: Mapping[str, Tool], field: str) -> tuple[ToolCall, list[str]]:
    """One call whose values may stand without quotes, and the names of those: they end where a known name begins."""
    found = _CALL.fullmatch(text)
    if not found or found[1] not in tools:
        raise RowError(field, f"a call that cannot be read, or of no tool found so far: {describe(text)}")
    names = "|".join(re.escape(parameter.name) for parameter in tools[found[1]].parameters)
    keys = list(re.finditer(rf"(?:\A|,)\s*({names or '(?!)'})\s*=\s*", found[2]))
    if not keys or found[2][: keys[0].start()].strip():
        raise RowError(field, f"arguments that cannot be read: {describe(text)}")
    arguments: dict[str, Any] = {}
    unquoted = []
    for i, key in enumerate(keys):
        end = keys[i + 1].start() if i + 1 < len(keys) else len(found[2])
        value = found[2][key.end() : end].strip()
        if key[1] in arguments or not value:
            raise RowError(field, f"the argument {key[1]!r} twice or without a value: {describe(text)}")
        try:
            arguments[key[1]] = read_literal(value)
        except Unreadable:
            arguments[key[1]] = value
            unquoted.append(key[1])
    return ToolCall(found[1], arguments), unquoted
