"""Calls that take results of earlier calls of the same answer, written "API_call_N" as Seal-Tools writes them.

N counts, from 0, the results that the calls before return, several for a call where its tool has several
(`Tool.results`). So the number depends on the order of the calls, and what it means does not: answers are compared by
the call that a reference means.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from itool_jax.toolcall.types import Tool, ToolCall

_REFERENCE = re.compile(r"API_call_(\d{1,6})(?!\d)")


def has_references(value: Any) -> bool:
    """Whether a JSON value mentions a result in some string of it."""
    match value:
        case str():
            return _REFERENCE.search(value) is not None
        case list() | tuple():
            return any(map(has_references, value))
        case Mapping():
            return any(map(has_references, value.values()))
    return False


def named_by_content(calls: Sequence[ToolCall], tools: Mapping[str, Tool]) -> tuple[ToolCall, ...]:
    """The calls with each reference named after what the call that it means says: equal calls give equal names."""

    def content(_place: int, call: ToolCall) -> str:
        text = json.dumps([call.name, call.arguments, call.positional], sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    return _renamed(calls, tools, content)


def named_by_place(
    calls: Sequence[ToolCall], tools: Mapping[str, Tool], names: Mapping[int, str]
) -> tuple[ToolCall, ...]:
    """The calls with each reference named by `names`, from the place of the call that it means; others keep theirs."""
    return _renamed(calls, tools, lambda place, _call: names.get(place))


def _renamed(
    calls: Sequence[ToolCall], tools: Mapping[str, Tool], name: Callable[[int, ToolCall], str | None]
) -> tuple[ToolCall, ...]:
    """`name` gets a call's place and the call, renamed itself; a reference to a result that no call has stays."""
    renamed: list[ToolCall] = []
    results: list[str | None] = []
    for place, call in enumerate(calls):
        arguments = {key: _replaced(value, results) for key, value in call.arguments.items()}
        renamed.append(replace(call, arguments=arguments))
        returned = tools[call.name].results if call.name in tools else ()
        if returned:
            of_call = name(place, renamed[-1])
            results += [None if of_call is None else f"result {k} of {of_call}" for k in range(len(returned))]
    return tuple(renamed)


def _replaced(value: Any, results: Sequence[str | None]) -> Any:
    match value:
        case str():
            return _REFERENCE.sub(lambda found: _result(results, int(found[1])) or found[0], value)
        case list() | tuple():
            return [_replaced(item, results) for item in value]
        case Mapping():
            return {key: _replaced(item, results) for key, item in value.items()}
    return value


def _result(results: Sequence[str | None], number: int) -> str | None:
    return results[number] if number < len(results) else None
