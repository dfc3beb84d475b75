"""Example: one assistant turn to be learned, with the conversation and the candidate tools before it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from itool_jax.toolcall.types import Tool, ToolCall

Role = Literal["system", "user", "assistant", "tool"]
VARIANT = "~"  # between the id of an example and the kind of a variant of it


@dataclass(frozen=True)
class Message:
    """One turn. `calls` are those that an assistant's `content` makes, which are written there in Python style."""

    role: Role
    content: str
    calls: tuple[ToolCall, ...] = ()


@dataclass(frozen=True)
class Example:
    """A prompt (q, T) and its ground-truth answer y*.

    id        unique within a data set, stable across runs: random keys and sort order derive from it
    tools     T, the candidate tools
    messages  q, the conversation so far; the last message is the user's or a tool's result
    answer    y*, the assistant's turn as text: Python-style calls `[f(a=1), g()]` or prose
    calls     the calls that `answer` makes; empty where the right answer is prose
    source    name of the data source
    meta      small JSON facts about the example (why it is prose, its conversation, unseen tools, ...)
    """

    id: str
    tools: tuple[Tool, ...]
    messages: tuple[Message, ...]
    answer: str
    calls: tuple[ToolCall, ...] = ()
    source: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict)


def is_variant(example: Example) -> bool:
    """Whether an augmentation made it of another example: its id ends with the kind that its `meta` names."""
    return "augmented" in example.meta and example.id.endswith(f"{VARIANT}{example.meta['augmented']}")


def base_id(name: str, variant: bool) -> str:
    """Id of the example that the one of this id is a variant of; its own id where it is no variant."""
    return name.rpartition(VARIANT)[0] if variant else name
