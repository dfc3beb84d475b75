"""Requests that no candidate serves, and requests that lack a value: the right answer is prose.

A value cannot be taken out of a user's words by rule so that the words stay whole and nothing still tells of it. So it
is the tool that changes: it gets one more required parameter, of a kind that nobody can guess and that the conversation
does not speak of. What lacks is then sure to lack. Were there only such negatives, the new parameter itself would tell
the answer; `give_parameter` makes the same tool with the value said.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random
from string import digits

from itool_jax.data.augment.candidates import about, called_tools, others, unrelated, words
from itool_jax.data.augment.refusal import (
    EARLIER_TURNS,
    MIXED_TEXT,
    NO_FREE_PARAMETER,
    NO_UNRELATED_TOOL,
    PROSE,
    SEVERAL_CALLS,
    UNKNOWN_TOOL,
    Refusal,
)
from itool_jax.data.example import Example
from itool_jax.toolcall import parse_calls, write_calls
from itool_jax.toolcall.types import Parameter, Tool

_NONE_SERVES = (
    "None of these tools can do that.",
    "None of the tools that I have can do that.",
    "I have no tool for that.",
    "No tool that I have fits this request.",
)
_ASKS = (
    "Please tell me the {}.",
    "I need the {} for that. What is it?",
    "What is the {}?",
    "To do that I also need the {}.",
)
_SAYS = ("My {} is {}.", "The {} is {}.", "Use the {} {}.", "This is my {}: {}.")


def take_tools_away(example: Example, rng: Random, pool: Sequence[Tool]) -> Example | Refusal:
    """Without the tools called, and without all that share a telling word with them or with the request.

    Tools of the pool fill their places.
    """
    if refusal := _not_one_request(example):
        return refusal
    called = called_tools(example)
    if called is None:
        return UNKNOWN_TOOL
    left = unrelated(example.tools, example, called, rng)
    left += unrelated(others(pool, example), example, called, rng)[: len(example.tools) - len(left)]
    if not left:
        return NO_UNRELATED_TOOL
    rng.shuffle(left)
    return replace(example, tools=tuple(left), answer=rng.choice(_NONE_SERVES), calls=())


def miss_parameter(example: Example, rng: Random) -> Example | Refusal:
    """The tool called needs one more value, which the conversation does not say: the answer asks for it."""
    found = _with_new_parameter(example, rng)
    if isinstance(found, Refusal):
        return found
    new, tools = found
    return replace(example, tools=tools, answer=rng.choice(_ASKS).format(new.label), calls=())


def give_parameter(example: Example, rng: Random) -> Example | Refusal:
    """The tool called needs one more value, and the user says it: the answer is the call with that value."""
    found = _with_new_parameter(example, rng)
    if isinstance(found, Refusal):
        return found
    new, tools = found
    value = new.draw(rng)
    last = example.messages[-1]
    # It goes first: the end of a request may be a text to be passed on as it stands.
    said = replace(last, content=f"{rng.choice(_SAYS).format(new.label, value)} {last.content}")
    (asked,) = example.calls
    call = replace(asked, arguments={**asked.arguments, new.name: value})
    messages = (*example.messages[:-1], said)
    return replace(example, tools=tools, messages=messages, answer=write_calls([call]), calls=(call,))


@dataclass(frozen=True)
class _New:
    """A parameter that can be added to any tool: `draw` makes a value that only its owner knows."""

    name: str
    draw: Callable[[Random], str]

    @property
    def label(self) -> str:
        return self.name.replace("_", " ")

    def parameter(self, tool: Tool) -> Parameter:
        described = any("description" in parameter.schema for parameter in tool.parameters)
        schema = {"type": "string"} | ({"description": f"The {self.label} of the user."} if described else {})
        return Parameter(self.name, schema, required=True)


def _code(pattern: str) -> Callable[[Random], str]:
    """Values like the pattern, its 0 any digit and its X any capital."""
    letters = {"0": digits, "X": "ABCDEFGHJKLMNPRSTUVWXYZ"}
    return lambda rng: "".join(rng.choice(letters.get(letter, letter)) for letter in pattern)


_NEW_PARAMETERS = (
    _New("membership_number", _code("0000000")),
    _New("passport_number", _code("X0000000")),
    _New("license_plate", _code("XX 000 XX")),
    _New("employee_badge", _code("X-0000")),
    _New("voucher_code", _code("XXXX-0000")),
    _New("security_pin", _code("0000")),
    _New("insurance_policy", _code("XX000000")),
    _New("serial_number", _code("XX-000-0000")),
    _New("case_reference", _code("00-00000")),
    _New("loyalty_card", _code("0000 0000")),
)


def _with_new_parameter(example: Example, rng: Random) -> tuple[_New, tuple[Tool, ...]] | Refusal:
    """A parameter that neither the conversation nor the tool called speaks of, and the candidates with it."""
    if refusal := _not_one_request(example):
        return refusal
    called = called_tools(example)
    if called is None:
        return UNKNOWN_TOOL
    if len(example.calls) > 1:
        return SEVERAL_CALLS
    (tool,) = called
    texts = [message.content for message in example.messages]
    texts += [text for p in tool.parameters for text in (p.name, str(p.schema.get("description", "")))]
    told = words(" ".join(texts)) | about(tool)
    free = [new for new in _NEW_PARAMETERS if not words(new.name) & told]
    if not free:
        return NO_FREE_PARAMETER
    new = rng.choice(free)
    required = sum(parameter.required for parameter in tool.parameters)
    at = rng.randint(0, required)
    parameters = (*tool.parameters[:at], new.parameter(tool), *tool.parameters[at:])
    grown = replace(tool, parameters=parameters)
    return new, tuple(grown if candidate == tool else candidate for candidate in example.tools)


def _not_one_request(example: Example) -> Refusal | None:
    """Why the answer is not just the calls for one request."""
    if not example.calls:
        return PROSE
    if any(message.role in ("assistant", "tool") for message in example.messages):
        return EARLIER_TURNS
    if parse_calls(example.answer).calls != example.calls:
        return MIXED_TEXT
    return None
