"""Why an example cannot be augmented so that its answer is sure to stay right."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Refusal:
    """`reason` is one of a few fixed texts, so that refusals can be counted."""

    reason: str


PROSE = Refusal("the answer is prose")
FEW_TOOLS = Refusal("fewer than two candidate tools")
UNKNOWN_TOOL = Refusal("a call is to no candidate tool")
UNKNOWN_PARAMETER = Refusal("a call has an argument that its tool lacks")
MIXED_TEXT = Refusal("calls stand among prose or cannot be read")
NAMED_IN_WORDS = Refusal("the conversation speaks of a name that would be masked")
NOT_DESCRIBED = Refusal("nothing is described in words, so names must stay")
EARLIER_TURNS = Refusal("the conversation has earlier turns")
SEVERAL_CALLS = Refusal("the answer makes several calls")
NO_UNRELATED_TOOL = Refusal("no tool is sure to be unrelated")
NO_FREE_PARAMETER = Refusal("every parameter that could be added is spoken of")
