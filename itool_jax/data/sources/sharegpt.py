"""ShareGPT rows: `conversations`, a list of {"from": ..., "value": ...}, under any of the names that roles have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from itool_jax.data.example import Role
from itool_jax.data.problems import RowError, describe, expect, take

ROLES: Mapping[str, Role] = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "function_call": "assistant",
    "observation": "tool",
    "tool": "tool",
    "system": "system",
}


class Said(NamedTuple):
    """One turn: its role under the name that the row gives it, and ours, its text, and where that stands."""

    name: str
    role: Role
    text: str
    field: str


def read_turns(row: Mapping[str, Any]) -> list[Said]:
    """The turns of a row; raises RowError for a role that is none and a turn without text."""
    return [_turn(turn, f"conversations[{i}]") for i, turn in enumerate(take(row, "conversations", list))]


def _turn(turn: Any, within: str) -> Said:
    expect(turn, dict, within)
    name, text = take(turn, "from", str, within=within), take(turn, "value", str, within=within)
    if name not in ROLES:
        raise RowError(f"{within}.from", f"expected one of {', '.join(ROLES)}, found {describe(name)}")
    if not text.strip():
        raise RowError(f"{within}.value", "empty; expected a text")
    return Said(name, ROLES[name], text, f"{within}.value")
