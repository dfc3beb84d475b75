"""Call names of files in which each was cut to its last word: "API" for "Market Trends API"."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from itool_jax.data.problems import RowError
from itool_jax.toolcall.types import Tool, ToolCall

_WORD = re.compile(r"\w+")


def recover_names(calls: Sequence[ToolCall], tools: Sequence[Tool], results: str, field: str) -> list[ToolCall]:
    """The calls with their tools' whole names.

    A cut name stands for the tools whose last word it is and that have all of the call's arguments. If the results that
    follow (text, "" where none do) are ToolACE's list of {"name", "results"}, one for each call, they tell between
    several. Raises RowError where none or several remain, and where a result is of a tool that no call names: the
    call was lost when the file was made.
    """
    answered = _result_names(results, tools)
    hints = answered if len(answered) == len(calls) else [""] * len(calls)
    named = [
        ToolCall(_recover(call, tools, hint, f"{field}[{i}]"), call.arguments, call.positional)
        for i, (call, hint) in enumerate(zip(calls, hints, strict=True))
    ]
    lost = Counter(answered) - Counter(call.name for call in named)
    if lost:
        raise RowError(field, f"a result of {next(iter(lost))!r} follows, which no call asked for")
    return named


def _recover(call: ToolCall, tools: Sequence[Tool], hint: str, field: str) -> str:
    whole = [tool.name for tool in tools if tool.name == call.name]
    fitting = [tool.name for tool in tools if _can_be(tool, call)]
    if hint in fitting:
        return hint
    if whole or len(fitting) == 1:
        return (whole or fitting)[0]
    if fitting:
        raise RowError(f"{field}.name", f"{call.name[:60]!r} may be any of {', '.join(fitting)}")
    names = ", ".join(tool.name for tool in tools)
    raise RowError(f"{field}.name", f"{call.name[:60]!r} with these arguments is none of the candidates: {names}")


def _can_be(tool: Tool, call: ToolCall) -> bool:
    words = _WORD.findall(tool.name)
    names = {parameter.name for parameter in tool.parameters}
    return call.name in (tool.name, *words[-1:]) and names.issuperset(call.arguments)


def _result_names(results: str, tools: Sequence[Tool]) -> list[str]:
    """Names of the tools in ToolACE's list of results; empty where the text is anything else."""
    try:
        rows: Any = json.loads(results)
    except (ValueError, RecursionError):
        return []
    if not isinstance(rows, list):
        return []
    names = [row.get("name") if isinstance(row, dict) else None for row in rows]
    known = {tool.name for tool in tools}
    return [name for name in names if isinstance(name, str)] if all(name in known for name in names) else []
