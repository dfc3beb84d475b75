"""Task: a conversation of several turns over one back end, with the calls that are right in each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from itool_jax.toolcall.types import Tool, ToolCall


@dataclass(frozen=True)
class Turn:
    """What a user says and what is to be done about it.

    request  the user's message
    steps    the right calls; those of one step are made at once, the next step can use their results
    wanted   those of them whose results the user asked for
    """

    request: str
    steps: tuple[tuple[ToolCall, ...], ...]
    wanted: tuple[ToolCall, ...] = ()

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        return tuple(call for step in self.steps for call in step)


@dataclass(frozen=True)
class Task:
    """A task.

    id       unique, stable across runs
    family   name of its back end
    tools    the candidate tools
    system   the system message, which tells the day
    initial  the back end's state before the first turn
    """

    id: str
    family: str
    tools: tuple[Tool, ...]
    system: str
    initial: Mapping[str, Any]
    turns: tuple[Turn, ...]
