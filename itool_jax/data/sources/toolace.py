"""ToolACE (huggingface Team-ACE/ToolACE) and ShareGPT files made of it: every assistant turn is one example.

    {"system": "...functions in JSON format...\n[{"name": ..., "parameters": {...}}]. ...", "conversations": [
      {"from": "user", "value": "..."}, {"from": "assistant", "value": "[Tool Name(a=\"b\")]"},
      {"from": "tool", "value": "[{\"name\": \"Tool Name\", \"results\": ...}]"}, ...]}

ShareGPT: `human`, `gpt`, `function_call` (JSON) and `observation` instead, the candidates in `tools` or in `system`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from itool_jax.data.example import Example
from itool_jax.data.jsonl import parse_json_text
from itool_jax.data.problems import RowError, describe, expect
from itool_jax.data.sources.calls import BESIDE, json_calls, written_calls
from itool_jax.data.sources.candidates import read_candidates
from itool_jax.data.sources.conversation import Turn, conversation_examples, without_lines
from itool_jax.data.sources.labels import fit_calls
from itool_jax.data.sources.names import recover_names
from itool_jax.data.sources.sharegpt import Said, read_turns
from itool_jax.data.sources.source import Row, Source
from itool_jax.errors import UserError
from itool_jax.toolcall.tools_text import described_functions
from itool_jax.toolcall.types import Tool

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


def examples(row: Row) -> list[Example]:
    """An example per assistant turn, ids toolace/FILE/ROW/TURN (from 1).

    A row is one conversation and is bad as a whole: what follows a turn that cannot be read has no known context. Of
    `system` only what is neither the tools nor ToolACE's own instructions stays, as a system message.
    """
    value = expect(row.value, dict, "")
    said = read_turns(value)
    tools, system = _tools(value)
    turns = [Turn("system", system, "system")] if system else []
    for i, turn in enumerate(said):
        following = said[i + 1] if i + 1 < len(said) else None
        results = following.text if following and following.role == "tool" else ""
        turns.append(_turn(turn, results, tools))
    name, meta = f"toolace/{row.file}/{row.number}", {"conversation": row.number}
    return conversation_examples(turns, tools, name=name, source="toolace", meta=meta)


SOURCE = Source(examples)


def _turn(said: Said, results: str, tools: Sequence[Tool]) -> Turn:
    if said.role != "assistant":
        return Turn(said.role, said.text, said.field)
    if said.name == "function_call":
        calls, beside = json_calls(parse_json_text(said.text, said.field), said.field), False
    else:
        calls, beside = written_calls(said.text, said.field), not _is_list(said.text)
    calls = recover_names(calls, tools, results, said.field)
    if not calls:
        return Turn(said.role, said.text, said.field)
    fitted, notes = fit_calls(calls, tools, said.field)
    return Turn(said.role, said.text, said.field, fitted, (*notes, *([BESIDE] if beside else [])))


def _is_list(text: str) -> bool:
    return text.strip().startswith("[") and text.strip().endswith("]")


def _tools(row: Mapping[str, Any]) -> tuple[tuple[Tool, ...], str]:
    """The candidate tools, and what is left of `system`, in which they may stand."""
    system = expect(row.get("system") or "", str, "system")
    listed = row.get("tools")
    listed = parse_json_text(listed, "tools") if isinstance(listed, str) and listed.strip() else listed
    field = "tools"
    if not listed and (system or listed is None):
        field = "system"
        listed, start, end = _tool_list(system)
        system = system[:start] + "\n" + system[end:]
    tools = read_candidates(expect(listed, list, field), field)
    return tools, without_lines(system, _INSTRUCTIONS)


def _tool_list(system: str) -> tuple[list[Any], int, int]:
    """The first JSON list of function descriptions in the text, and where it begins and ends."""
    try:
        found = next((one for one in described_functions(system) if isinstance(one.value, list)), None)
    except UserError as error:
        raise RowError("system", str(error)) from error
    if found is None:
        raise RowError("system", f"no JSON list of tools in {describe(system)}, and `tools` has none")
    return parse_json_text(system[found.start : found.end], "system"), found.start, found.end
