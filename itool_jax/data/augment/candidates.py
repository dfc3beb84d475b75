"""Other candidates around the same answer: another order, more of them, and what makes a tool sure to be unrelated."""

from __future__ import annotations

import functools
import hashlib
import heapq
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from random import Random

from itool_jax.data.augment.refusal import FEW_TOOLS, NO_UNRELATED_TOOL, PROSE, UNKNOWN_TOOL, Refusal
from itool_jax.data.example import Example
from itool_jax.toolcall import tool_to_json
from itool_jax.toolcall.types import Tool

POOL_SIZE = 512
MOST_DISTRACTORS = 3
_WORD = re.compile(r"[^\W\d_]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_EMPTY_WORDS = """
a about add all an and any api are as at based be by call can check create current data delete description each execute
fetch find for from function generate get given has have how id if in info information input into is it its item items
list make me method more my name new not number of on one only or other output parameter particular perform please
process provide provided provides query request required result retrieve retrieves return returns search send set show
some specific specified string such that the their them then these this to tool type up update use used user users using
value values via want was what when where which will with you your
"""
_TELLS_NOTHING = frozenset(_EMPTY_WORDS.split())
# Words of tools that may serve any request.
_FOR_EVERYTHING = """
answer assistant browse browser chat code google gpt internet llm prompt python question script shell web website
wikipedia
"""
_ALL_PURPOSE = frozenset(_FOR_EVERYTHING.split())


def tool_pool(examples: Iterable[Example], seed: int = 0, size: int = POOL_SIZE) -> tuple[Tool, ...]:
    """At most `size` different tools of the examples, by a seeded choice that does not depend on the examples' order.

    It reads the examples once and holds no more than its result.
    """
    held: dict[int, Tool] = {}
    largest_first: list[int] = []  # a heap of the negated keys
    for example in examples:
        for tool in example.tools:
            key = _order(tool, seed)
            if key in held or (len(held) == size and key >= -largest_first[0]):
                continue
            held[key] = tool
            heapq.heappush(largest_first, -key)
            if len(held) > size:
                del held[-heapq.heappop(largest_first)]
    return tuple(held[key] for key in sorted(held))


def shuffle_tools(example: Example, rng: Random) -> Example | Refusal:
    """The candidates in another order."""
    if all(tool == example.tools[0] for tool in example.tools):
        return FEW_TOOLS
    tools = list(example.tools)
    while tuple(tools) == example.tools:
        rng.shuffle(tools)
    return replace(example, tools=tuple(tools))


def add_distractors(example: Example, rng: Random, pool: Sequence[Tool]) -> Example | Refusal:
    """More candidates; an answer in prose could become wrong by them, so only answers with calls get any."""
    if not example.calls:
        return PROSE
    called = called_tools(example)
    if called is None:
        return UNKNOWN_TOOL
    added = unrelated(others(pool, example), example, called, rng)[: rng.randint(1, MOST_DISTRACTORS)]
    if not added:
        return NO_UNRELATED_TOOL
    tools = list(example.tools)
    for tool in added:
        tools.insert(rng.randint(0, len(tools)), tool)
    return replace(example, tools=tuple(tools))


def called_tools(example: Example) -> tuple[Tool, ...] | None:
    """The candidates that the answer calls; None where it calls another."""
    names = {call.name for call in example.calls}
    tools = tuple(tool for tool in example.tools if tool.name in names)
    return tools if len(tools) == len(names) else None


def unrelated(tools: Iterable[Tool], example: Example, called: Sequence[Tool], rng: Random) -> list[Tool]:
    """Those of the tools that share no telling word with the tools called or with the conversation, shuffled.

    Tools for everything, such as a web search, are not among them.
    """
    told = _ALL_PURPOSE.union(words(" ".join(message.content for message in example.messages)), *map(about, called))
    found = [tool for tool in tools if not about(tool) & told]
    rng.shuffle(found)
    return found


def others(pool: Iterable[Tool], example: Example) -> list[Tool]:
    """The pool's tools with names that no candidate has, one of each name."""
    taken = {tool.name for tool in example.tools}
    return list({tool.name: tool for tool in pool if tool.name not in taken}.values())


def about(tool: Tool) -> frozenset[str]:
    """The telling words of a tool's name and description."""
    return words(f"{tool.name} {tool.description}")


@functools.lru_cache(maxsize=8192)
def words(text: str) -> frozenset[str]:
    """Words of a text or an identifier, in lower case and without plural, but for those that tell nothing."""
    found = (word.lower() for word in _WORD.findall(_CAMEL.sub(" ", text)))
    return frozenset(word.removesuffix("s") for word in found if word not in _TELLS_NOTHING and len(word) > 1)


def _order(tool: Tool, seed: int) -> int:
    text = f"{seed} {json.dumps(tool_to_json(tool), sort_keys=True)}"
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest())
