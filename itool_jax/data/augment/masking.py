"""Names without meaning: the policy has to read what a tool does instead of guessing it from its name.

Only what is described in words is masked, for a name is all that tells of the rest. Values are never touched.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from random import Random
from string import ascii_lowercase, digits
from typing import Any

from itool_jax.data.augment.refusal import (
    MIXED_TEXT,
    NAMED_IN_WORDS,
    NOT_DESCRIBED,
    UNKNOWN_PARAMETER,
    UNKNOWN_TOOL,
    Refusal,
)
from itool_jax.data.example import Example, Message
from itool_jax.toolcall import parse_calls, write_calls
from itool_jax.toolcall.types import Parameter, Tool, ToolCall

_PLAIN_WORD = re.compile(r"[^\W\d_]?[^\W\d_A-Z]*")
_VALUE_KEYS = ("default", "enum", "const", "examples")


def mask_functions(example: Example, rng: Random) -> Example | Refusal:
    """Every candidate that has a description gets a random name, in the candidates, the calls and the descriptions."""
    if refusal := _unfit(example):
        return refusal
    names = [tool.name for tool in example.tools if tool.description.strip()]
    if not names:
        return NOT_DESCRIBED
    others = [message.content for message in example.messages if message.role != "assistant"]
    if _spoken_of(names, others, _prose(example)):
        return NAMED_IN_WORDS
    masks = _masks(names, example, rng)

    def tool(tool: Tool) -> Tool:
        return replace(tool, name=masks.get(tool.name, tool.name))

    return _rewritten(example, masks, tool, lambda call: replace(call, name=masks.get(call.name, call.name)))


def mask_parameters(example: Example, rng: Random) -> Example | Refusal:
    """Every parameter that has a description gets a random name, the same in all candidates that have it."""
    if refusal := _unfit(example):
        return refusal
    all_calls = [call for message in example.messages for call in message.calls] + list(example.calls)
    by_name = {tool.name: tool for tool in example.tools}
    if any(by_name[call.name].parameter(key) is None for call in all_calls for key in call.arguments):
        return UNKNOWN_PARAMETER
    parameters = [parameter for tool in example.tools for parameter in tool.parameters]
    bare = {parameter.name for parameter in parameters if not _description(parameter).strip()}
    names = list(dict.fromkeys(parameter.name for parameter in parameters if parameter.name not in bare))
    if not names:
        return NOT_DESCRIBED
    others = [message.content for message in example.messages if message.role in ("system", "user")]
    if _spoken_of(names, others, _prose(example)):
        return NAMED_IN_WORDS
    masks = _masks(names, example, rng)

    def tool(tool: Tool) -> Tool:
        renamed = (replace(p, name=masks.get(p.name, p.name)) for p in tool.parameters)
        return replace(tool, parameters=tuple(renamed))

    def call(call: ToolCall) -> ToolCall:
        return replace(call, arguments={masks.get(key, key): value for key, value in call.arguments.items()})

    return _rewritten(example, masks, tool, call)


def _unfit(example: Example) -> Refusal | None:
    """Why the example's calls cannot be written anew."""
    turns = [(message.content, message.calls) for message in example.messages if message.role == "assistant"]
    for text, calls in [*turns, (example.answer, example.calls)]:
        if parse_calls(text).calls != calls or (calls and not (text.strip()[0] == "[" and text.strip()[-1] == "]")):
            return MIXED_TEXT
        if not {call.name for call in calls} <= {tool.name for tool in example.tools}:
            return UNKNOWN_TOOL
    return None


def _prose(example: Example) -> list[str]:
    """What the assistant says in words; there it names tools and parameters by plain words too."""
    said = [message.content for message in example.messages if message.role == "assistant" and not message.calls]
    return said if example.calls else [*said, example.answer]


def _spoken_of(names: Sequence[str], others: Iterable[str], assistant: Iterable[str]) -> bool:
    """Whether a text would speak of a name that is gone: of others, unless the name is a word like any other."""
    telling = [name for name in names if not _PLAIN_WORD.fullmatch(name)]
    return _occurs(telling, others) or _occurs(names, assistant)


def _occurs(names: Sequence[str], texts: Iterable[str]) -> bool:
    pattern = _whole_words(names)
    return pattern is not None and any(pattern.search(text) for text in texts)


def _whole_words(names: Iterable[str]) -> re.Pattern[str] | None:
    longest_first = sorted(names, key=len, reverse=True)
    if not longest_first:
        return None
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)")


def _masks(names: Sequence[str], example: Example, rng: Random) -> dict[str, str]:
    taken = {tool.name for tool in example.tools} | {p.name for tool in example.tools for p in tool.parameters}
    masks = {}
    for name in names:
        mask = next(mask for mask in iter(lambda: _random_name(rng), "") if mask not in taken)
        taken.add(mask)
        masks[name] = mask
    return masks


def _random_name(rng: Random) -> str:
    letters = rng.choices(ascii_lowercase + digits, k=rng.randint(5, 9))
    if rng.random() < 0.5:
        letters[rng.randrange(1, len(letters) - 1)] = "_"
    return rng.choice(ascii_lowercase) + "".join(letters)


def _rewritten(
    example: Example, masks: Mapping[str, str], tool: Callable[[Tool], Tool], call: Callable[[ToolCall], ToolCall]
) -> Example:
    """The example with other names in tools and calls; descriptions follow where they speak of a name."""
    pattern = _whole_words(name for name in masks if not _PLAIN_WORD.fullmatch(name))

    def told(text: str) -> str:
        return pattern.sub(lambda match: masks[match[0]], text) if pattern else text

    def described(candidate: Tool) -> Tool:
        parameters = (Parameter(p.name, _redescribed(p.schema, told), p.required) for p in candidate.parameters)
        return replace(candidate, description=told(candidate.description), parameters=tuple(parameters))

    def turn(message: Message) -> Message:
        if not message.calls:
            return message
        calls = tuple(map(call, message.calls))
        return replace(message, content=write_calls(calls), calls=calls)

    calls = tuple(map(call, example.calls))
    return replace(
        example,
        tools=tuple(described(tool(candidate)) for candidate in example.tools),
        messages=tuple(map(turn, example.messages)),
        answer=write_calls(calls) if calls else example.answer,
        calls=calls,
    )


def _description(parameter: Parameter) -> str:
    text = parameter.schema.get("description")
    return text if isinstance(text, str) else ""


def _redescribed(schema: Any, told: Callable[[str], str]) -> Any:
    """A schema whose descriptions, at every depth, are told anew; what is a value stays."""
    if isinstance(schema, list | tuple):
        return [_redescribed(part, told) for part in schema]
    if not isinstance(schema, Mapping):
        return schema
    new = {}
    for key, value in schema.items():
        if key == "description" and isinstance(value, str):
            new[key] = told(value)
        else:
            new[key] = value if key in _VALUE_KEYS else _redescribed(value, told)
    return new
