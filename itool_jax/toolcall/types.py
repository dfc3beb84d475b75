"""The nouns of tool calling: a tool, its parameters, a call, a parsed answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

CallStyle = Literal["python", "json", "llama3", "hermes"]
MAX_CALLS = 256


@dataclass(frozen=True)
class Parameter:
    """One parameter of a tool.

    `schema` is its JSON-Schema fragment (`type`, `enum`, `items`, `default`, `description`, ...), kept whole so that
    nothing of a source is lost.
    """

    name: str
    schema: Mapping[str, Any]
    required: bool = True

    @property
    def type(self) -> str | None:
        """JSON-Schema type name, or None where the schema does not say."""
        kind = self.schema.get("type")
        return kind if isinstance(kind, str) else None

    @property
    def enum(self) -> tuple[Any, ...] | None:
        values = self.schema.get("enum")
        return tuple(values) if isinstance(values, list | tuple) else None


@dataclass(frozen=True)
class Tool:
    """A callable tool: its name, what it does, and its parameters in the order of the source.

    `results` names what a call returns, where calls can take results of others: see `toolcall.nesting`.
    """

    name: str
    description: str = ""
    parameters: tuple[Parameter, ...] = ()
    results: tuple[str, ...] = ()

    def parameter(self, name: str) -> Parameter | None:
        return next((p for p in self.parameters if p.name == name), None)


@dataclass(frozen=True)
class ToolCall:
    """One call. `arguments` maps parameter names to JSON values; `positional` holds values written without a name."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    positional: tuple[Any, ...] = ()


@dataclass(frozen=True)
class ParsedAnswer:
    """What a model's answer says.

    kind     "calls": `calls` holds at least one call; "prose": no call was attempted; "malformed": a call was
             attempted and cannot be read, `problem` says why and `position` where (character offset).
    """

    kind: Literal["calls", "prose", "malformed"]
    calls: tuple[ToolCall, ...] = ()
    problem: str = ""
    position: int = 0
