"""Difficulty of an example, by which the warm-up orders its data (iTool; the thresholds are the method's section 1)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Literal, get_args

from itool_jax.data.example import Example
from itool_jax.toolcall import tool_to_json
from itool_jax.toolcall.types import Tool

Difficulty = Literal["easy", "medium", "hard"]
DIFFICULTIES: tuple[Difficulty, ...] = get_args(Difficulty)


def tool_set_text(tools: Sequence[Tool]) -> str:
    """The candidate tools as compact JSON."""
    return json.dumps([tool_to_json(tool) for tool in tools], separators=(",", ":"), ensure_ascii=False)


def difficulty(example: Example) -> Difficulty:
    """Hard where tools, tool-set characters or calls are many, easy where all are few, else medium.

    Hard, tested first: tools >= 4 or tool-set > 2000 characters or calls >= 4.
    Easy: tools <= 1 and tool-set < 1000 characters and calls <= 1.
    """
    tools, calls = len(example.tools), len(example.calls)
    if tools >= 4 or calls >= 4:
        return "hard"
    length = len(tool_set_text(example.tools))
    if length > 2000:
        return "hard"
    return "easy" if tools <= 1 and calls <= 1 and length < 1000 else "medium"
