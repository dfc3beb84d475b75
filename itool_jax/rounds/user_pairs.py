"""Pairs that a user brings: JSON lines in the conversational form that TRL reads.

    {"prompt": [{"role": "user", "content": "..."}], "chosen": [{"role": "assistant", "content": "[f(a=1)]"}],
     "rejected": [{"role": "assistant", "content": "[f(a=2)]"}], "tools": [...]}

chosen and rejected are one assistant message each, or its text; `tools`, optional, are the candidates in any schema
that toolcall.tools_from_json reads; `id` is optional.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from etils import epath

from itool_jax.data.chat import encode_answer
from itool_jax.data.example import Example, Message
from itool_jax.data.prepared import Dialect
from itool_jax.data.problems import Problem, refuse
from itool_jax.errors import UserError
from itool_jax.toolcall import tools_from_json
from itool_jax.training.preference_data import PairGroup, TokenPair

_ROLES = ("system", "user", "assistant", "tool")


def read_user_pairs(dialect: Dialect, path: epath.Path) -> list[PairGroup]:
    """One group per line; what both sides share at their beginning goes to the prefix.

    Raises UserError with row and field of every line that cannot be used, and for an empty file.
    """
    groups, problems = [], []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip():
            continue
        try:
            groups.append(_group(dialect, json.loads(line), f"{path.name}:{number}"))
        except _Bad as bad:
            problems.append(Problem(str(path), number, bad.field, bad.message))
        except json.JSONDecodeError as error:
            problems.append(Problem(str(path), number, "", f"no JSON: {error}"))
    refuse(problems)
    if not groups:
        raise UserError(f"{path} holds no pairs: expected JSON lines with prompt, chosen and rejected.")
    return groups


class _Bad(Exception):
    def __init__(self, field: str, message: str):
        self.field, self.message = field, message


def _group(dialect: Dialect, row: Any, default_id: str) -> PairGroup:
    if not isinstance(row, Mapping):
        raise _Bad("", f"expected an object, found {type(row).__name__}")
    sides = [encode_answer(dialect.chat, dialect.tokenizer, _answer(row, field)) for field in ("chosen", "rejected")]
    shared = next((i for i, (a, b) in enumerate(zip(*sides, strict=False)) if a != b), None)
    if shared is None:
        raise _Bad("rejected", "is the same answer as chosen")
    try:
        tools = tools_from_json(row.get("tools") or [])
    except (UserError, ValueError, TypeError, KeyError) as error:
        raise _Bad("tools", str(error)) from error
    example = Example(str(row.get("id", default_id)), tools, _messages(row), answer="")
    prompt = dialect.prepare(example).prompt
    chosen, rejected = map(tuple, sides)
    return PairGroup(example.id, prompt, (TokenPair(chosen[:shared], chosen[shared:], rejected[shared:]),))


def _messages(row: Mapping[str, Any]) -> tuple[Message, ...]:
    prompt = row.get("prompt")
    if isinstance(prompt, str):
        return (Message("user", prompt),)
    if not isinstance(prompt, list) or not prompt:
        raise _Bad("prompt", f"expected a list of messages or a text, found {type(prompt).__name__}")
    for number, message in enumerate(prompt):
        where = f"prompt[{number}]"
        if not isinstance(message, Mapping) or message.get("role") not in _ROLES:
            raise _Bad(where, f"expected an object with role, one of {', '.join(_ROLES)}, and content")
        if not isinstance(message.get("content"), str):
            raise _Bad(f"{where}.content", "expected text")
    return tuple(Message(message["role"], message["content"]) for message in prompt)


def _answer(row: Mapping[str, Any], field: str) -> str:
    value = row.get(field)
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], Mapping):
        value = value[0].get("content")
    if not isinstance(value, str):
        raise _Bad(field, "expected one assistant message with text")
    return value
