"""The reward of a leaf: R = O + w_C C, slot credit against the ground truth and self-evaluation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from itool_jax.data.example import Example
from itool_jax.toolcall import Comparison, ParsedAnswer, compare, parse_calls, slot_reward
from itool_jax.toolcall.prefix import parse_prefix


@dataclass(frozen=True)
class Grade:
    """An answer against its ground truth: `score` is O in [0, 1], `right` whether it is strictly right."""

    score: float
    right: bool


Reward = Callable[[Example, str], Grade]  # O of a finished answer's text: grade_answer, or a UserReward


def grade_answer(example: Example, text: str) -> Grade:
    """O = 1/2 [strictly right] + 1/2 F1 over slots; an answer that cannot be parsed gets 0."""
    comparison = compare(parse_calls(text), example.calls, example.tools)
    return Grade(slot_reward(comparison), comparison.right)


def grade_prefix(example: Example, text: str) -> float:
    """O over the slots that an unfinished answer has filled so far, for inner nodes where gamma < 1."""
    return slot_reward(compare(parse_prefix(text), example.calls, example.tools))


def read_prefix(example: Example, text: str) -> tuple[ParsedAnswer, Comparison]:
    """What an answer says up to a fragment's end, and how that compares."""
    parsed = parse_prefix(text)
    return parsed, compare(parsed, example.calls, example.tools)
