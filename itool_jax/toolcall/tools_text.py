"""Tools out of prompts: the JSON that a chat template or a data set writes into a system message."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from itool_jax.errors import UserError
from itool_jax.toolcall.schema import tools_from_json
from itool_jax.toolcall.types import Tool

_BLOCK = re.compile(r"<tools>\s*+(?=[\[{])")
_BLOCK_END = "</tools>"
_BETWEEN = re.compile(r"[\s,]*+")
_JSON_START = re.compile(r'\{\s*+"|\[\s*+\{\s*+"')
_MOST_FAILURES = 1_000


def tools_from_text(text: str) -> tuple[Tool, ...]:
    """The tools that a prompt describes in JSON, in its order; none where there is none.

    For prompts that are at hand as text alone, as a chat template writes them: our tests read every template's tools
    back with it. In `<tools>` blocks that begin with JSON (Hermes, Qwen) all of it counts, one object a line or lists
    of them; in a text without such a block all that `described_functions` finds. Raises UserError where a block or a
    description cannot be read, and where too much that looks like JSON is not.
    """
    values = list(_blocks(text)) or [found.value for found in described_functions(text)]
    return tools_from_json([entry for value in values for entry in _entries(value)])


def _blocks(text: str) -> Iterator[Any]:
    decoder = json.JSONDecoder()
    position = 0
    while block := _BLOCK.search(text, position):
        position = block.end()
        while not text.startswith(_BLOCK_END, position):
            try:
                value, position = decoder.raw_decode(text, position)
            except (ValueError, RecursionError) as error:
                raise UserError(
                    f"tools in <tools> at character {position}: expected JSON or {_BLOCK_END}, "
                    f"found {text[position : position + 60]!a} ({error})."
                ) from error
            yield value
            position = _after_gap(text, position)


def _after_gap(text: str, position: int) -> int:
    match = _BETWEEN.match(text, position)
    return match.end() if match else position


class Described(NamedTuple):
    """A function description or a list of them in a text, and the characters from `start` to `end` that hold it."""

    value: Any
    start: int
    end: int


def described_functions(text: str) -> Iterator[Described]:
    """Each JSON object or list of a text that describes functions (ToolACE, BFCL's prompts, Llama's template).

    A description is a name with a description or parameters, or that under `function`; a list with one of them is a
    list of functions, bare names among them, and so is such a list under `tools` or `functions`. What looks like JSON
    and is not is passed over; UserError where that is too much.
    """
    decoder = json.JSONDecoder()
    position = failures = 0
    while match := _JSON_START.search(text, position):
        try:
            value, position = decoder.raw_decode(text, match.start())
        except (ValueError, RecursionError):
            position, failures = match.start() + 1, failures + 1
            if failures > _MOST_FAILURES:
                raise UserError(
                    f"tools in a text: more than {_MOST_FAILURES} places up to character {position} look like JSON and "
                    "are not. Expected the function descriptions as JSON."
                ) from None
            continue
        if any(map(_describes_function, _entries(value))):
            yield Described(value, match.start(), position)


def _entries(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        value = next((value[key] for key in ("tools", "functions") if isinstance(value.get(key), list)), value)
    return value if isinstance(value, list) else [value]


def _describes_function(entry: Any) -> bool:
    if isinstance(entry, Mapping) and isinstance(entry.get("function"), Mapping):
        entry = entry["function"]
    return (
        isinstance(entry, Mapping)
        and isinstance(entry.get("name"), str)
        and any(key in entry for key in ("description", "parameters", "input_schema", "inputSchema"))
        and "arguments" not in entry
    )
