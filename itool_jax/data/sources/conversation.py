"""From a conversation to examples: each of the assistant's turns is one, with all that was said before it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from itool_jax.data.example import Example, Message, Role
from itool_jax.data.problems import RowError
from itool_jax.toolcall import parse_calls, write_calls
from itool_jax.toolcall.types import Tool, ToolCall


@dataclass(frozen=True)
class Turn:
    """One turn of a conversation as a source has it.

    field  where the turn stands in the row
    calls  those of an assistant's turn, fitted to the tools (see `labels.fit_calls`); its text is then of no account
    notes  what is doubtful about them
    """

    role: Role
    text: str
    field: str
    calls: tuple[ToolCall, ...] = ()
    notes: tuple[str, ...] = ()


def conversation_examples(
    turns: Sequence[Turn],
    tools: tuple[Tool, ...],
    *,
    name: str,
    source: str,
    meta: Mapping[str, Any],
    last_only: bool = False,
) -> list[Example]:
    """An example per assistant turn, ids `name`/1, `name`/2, ...; `meta` and the turn's notes go with each.

    With `last_only` the last turn alone is one, with the id `name`: the source has rows for the others. Raises RowError
    for an empty turn, an answer in words that reads as calls, an assistant that answers neither a user nor a tool, and
    a conversation in which there is nothing to learn.
    """
    context: list[Message] = []
    examples: list[Example] = []
    for turn in turns:
        if not turn.calls and not turn.text.strip():
            raise RowError(turn.field, "empty; expected a text")
        if turn.role == "assistant":
            if not context or context[-1].role not in ("user", "tool"):
                raise RowError(turn.field, "an assistant's turn that answers neither a user nor a tool")
            answer = write_calls(turn.calls) if turn.calls else _prose(turn)
            full = {**meta, "notes": list(turn.notes)}
            number = len(examples) + 1
            examples.append(
                Example(f"{name}/{number}", tools, tuple(context), answer, turn.calls, source=source, meta=full)
            )
            context.append(Message("assistant", answer, turn.calls))
        else:
            context.append(Message(turn.role, turn.text))
    if not examples or (last_only and context[-1].role != "assistant"):
        raise RowError("", "no assistant's turn to learn from")
    return [replace(examples[-1], id=name)] if last_only else examples


def without_lines(text: str, instructions: Collection[str]) -> str:
    """What a system prompt says beside a source's own instructions, which are given as lines."""
    return "\n".join(line for line in map(str.strip, text.splitlines()) if line and line not in instructions)


def _prose(turn: Turn) -> str:
    read = parse_calls(turn.text)
    if read.kind == "prose":
        return turn.text
    why = read.problem or f"a call of {read.calls[0].name[:60]!r}"
    raise RowError(turn.field, f"an answer in words that reads as calls: {why}")
