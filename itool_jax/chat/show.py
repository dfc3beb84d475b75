"""How an answer is shown: its calls as a table with what the schemas find wrong, or as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from itool_jax.chat.partner import Answer
from itool_jax.evaluation.report.wording import clean
from itool_jax.toolcall import Tool, ToolCall, schema_faults


def to_json(answer: Answer, tools: Sequence[Tool]) -> dict[str, Any]:
    """The answer as JSON values: kind is calls, prose or malformed."""
    parsed = answer.parsed
    return {
        "answer": answer.text,
        "finished": answer.finished,
        "kind": parsed.kind,
        "calls": [_call_json(call, tools) for call in parsed.calls],
        "problem": f"{parsed.problem} at character {parsed.position}" if parsed.kind == "malformed" else None,
        "prompt_tokens": answer.prompt_tokens,
        "answer_tokens": answer.answer_tokens,
    }


def show_verdict(answer: Answer, tools: Sequence[Tool], console: Console) -> None:
    """Prints what was read out of an answer, below its text."""
    parsed = answer.parsed
    if not answer.finished:
        console.print(plain(f"cut off after {answer.answer_tokens} tokens", "yellow"))
    if parsed.kind == "malformed":
        console.print(plain(f"a call that cannot be read: {parsed.problem} at character {parsed.position}", "red"))
    if parsed.calls:
        console.print(_table(parsed.calls, tools))


def plain(text: str, style: str = "") -> Text:
    """Text of unknown origin: no markup, control characters visible."""
    return Text(clean(text), style=style)


def _table(calls: Sequence[ToolCall], tools: Sequence[Tool]) -> Table:
    table = Table("call", "argument", "value", "problem", box=box.SIMPLE_HEAD, pad_edge=False)
    for call in calls:
        faults = {fault.parameter: fault.problem for fault in schema_faults(call, tools)}
        rows = {name: json.dumps(value, ensure_ascii=False) for name, value in _arguments(call).items()}
        rows |= {name: "" for name in faults if name and name not in rows}
        table.add_row(plain(call.name, "bold"), "", "", plain(faults.get("", ""), "red"))
        for name, value in rows.items():
            table.add_row("", plain(name), plain(value), plain(faults.get(name, ""), "red"))
    return table


def _arguments(call: ToolCall) -> dict[str, Any]:
    return {f"#{place}": value for place, value in enumerate(call.positional)} | dict(call.arguments)


def _call_json(call: ToolCall, tools: Sequence[Tool]) -> dict[str, Any]:
    faults = [fault._asdict() for fault in schema_faults(call, tools)]
    positional = {"positional": list(call.positional)} if call.positional else {}
    return {"name": call.name, "arguments": dict(call.arguments), **positional, "faults": faults}
