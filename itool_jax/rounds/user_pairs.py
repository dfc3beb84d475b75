"""Pairs that a user brings: JSON lines in the conversational form that TRL reads.

    {"prompt": [{"role": "user", "content": "..."}], "chosen": [{"role": "assistant", "content": "[f(a=1)]"}],
     "rejected": [{"role": "assistant", "content": "[f(a=2)]"}], "tools": [...]}

chosen and rejected are one assistant message each, or its text; `tools`, optional, are the candidates in any schema
that toolcall.tools_from_json reads, as they are or as JSON in a text. Every text goes to the model as it stands in the
file, calls in it too: a side may be wrong by its form alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from etils import epath

from itool_jax.data.example import Example, Message
from itool_jax.data.jsonl import parse_json
from itool_jax.data.prepared import Dialect
from itool_jax.data.problems import Problem, RowError, refuse
from itool_jax.data.streams import read_lines
from itool_jax.errors import UserError
from itool_jax.toolcall import Tool, tools_from_json
from itool_jax.training.preference_data import PairGroup, TokenPreference

_ROLES = ("system", "user", "assistant", "tool")


def read_user_pairs(dialect: Dialect, path: epath.Path, context: int) -> tuple[list[PairGroup], int]:
    """The pairs by prompt, and how many are longer than `context` tokens and left out.

    What both sides share at their beginning goes to the prefix. Raises UserError with row and field of every line that
    cannot be used, and for a file without pairs.
    """
    by_prompt: dict[tuple[int, ...], list[TokenPreference]] = {}
    problems, too_long = [], 0
    for number, line in read_lines(path):
        try:
            prompt, pair = _pair(dialect, parse_json(line))
        except RowError as bad:
            problems.append(Problem(str(path), number, bad.field, bad.message))
            continue
        if len(prompt) + len(pair.prefix) + max(map(len, pair.sides)) > context:
            too_long += 1
        else:
            by_prompt.setdefault(prompt, []).append(pair)
    refuse(problems)
    if not by_prompt:
        raise UserError(f"{path} holds no pairs that fit: expected JSON lines with prompt, chosen and rejected.")
    groups = enumerate(by_prompt.items())
    return [PairGroup(f"{path.name}/{n}", prompt, tuple(pairs)) for n, (prompt, pairs) in groups], too_long


def _pair(dialect: Dialect, row: Any) -> tuple[tuple[int, ...], TokenPreference]:
    if not isinstance(row, Mapping):
        raise RowError("", f"expected an object, found {type(row).__name__}")
    try:
        tools = row.get("tools")
        tools = tools_from_json((json.loads(tools) if isinstance(tools, str) else tools) or [])
    except (UserError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise RowError("tools", str(error)) from error
    messages = _messages(row)
    prompt, chosen = _side(dialect, row, "chosen", tools, messages)
    _, rejected = _side(dialect, row, "rejected", tools, messages)
    shared = next((i for i, (a, b) in enumerate(zip(chosen, rejected, strict=False)) if a != b), None)
    if shared is None:
        raise RowError("rejected", "is the same answer as chosen")
    return prompt, TokenPreference(chosen[:shared], (chosen[shared:], rejected[shared:]))


def _side(
    dialect: Dialect, row: Mapping[str, Any], field: str, tools: tuple[Tool, ...], messages: tuple[Message, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Token ids of the prompt and of one side."""
    try:
        prepared = dialect.prepare(Example(field, tools, messages, _answer(row, field)))
    except UserError as error:
        raise RowError(field, str(error)) from error
    return prepared.prompt, prepared.answer


def _messages(row: Mapping[str, Any]) -> tuple[Message, ...]:
    prompt = row.get("prompt")
    if isinstance(prompt, str):
        return (Message("user", prompt),)
    if not isinstance(prompt, list) or not prompt:
        raise RowError("prompt", f"expected a list of messages or a text, found {type(prompt).__name__}")
    for number, message in enumerate(prompt):
        where = f"prompt[{number}]"
        if not isinstance(message, Mapping) or message.get("role") not in _ROLES:
            raise RowError(where, f"expected an object with role, one of {', '.join(_ROLES)}, and content")
        if not isinstance(message.get("content"), str):
            raise RowError(f"{where}.content", "expected text")
    return tuple(Message(message["role"], message["content"]) for message in prompt)


def _answer(row: Mapping[str, Any], field: str) -> str:
    value = row.get(field)
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], Mapping):
        value = value[0].get("content")
    if not isinstance(value, str):
        raise RowError(field, "expected one assistant message with text")
    return value
