"""Grading: a model's answer against the ground truth, and the summary of a set of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from itool_jax.data.difficulty import DIFFICULTIES, difficulty
from itool_jax.data.example import Example
from itool_jax.evaluation.intervals import wilson
from itool_jax.toolcall import ErrorKind, compare, parse_calls

_ORDER = {kind.value: rank for rank, kind in enumerate(ErrorKind)}


@dataclass(frozen=True)
class Graded:
    """One answer.

    id, difficulty  of the example
    answer          the model's text
    expected        the ground truth's text
    right           exact match of the parsed calls; where prose is expected, any finished answer without a call
    error           an ErrorKind's value, None if right
    slot_f1         F1 over slots in [0, 1]; None where the ground truth is no single list of calls
    finished        whether the model ended it; False where it ran into its token limit
    """

    id: str
    difficulty: str
    answer: str
    expected: str
    right: bool
    error: str | None
    slot_f1: float | None
    finished: bool = True


@dataclass(frozen=True)
class SetSummary:
    """How a model did on a held-out set.

    count             examples answered
    right             answers that match exactly
    exact_match       right / count; None where nothing was answered
    interval          its 95 % Wilson interval
    errors            wrong answers by error kind, in ErrorKind's order
    skipped_too_long  examples left out because the model's context cannot hold them
    slot_f1           mean over the answers; None where nothing was answered, or some answer has none
    difficulties      (right, count) by the examples' difficulty, in order of difficulty
    unfinished        answers that ran into their token limit
    """

    count: int
    right: int
    exact_match: float | None
    interval: tuple[float, float]
    errors: Mapping[str, int]
    skipped_too_long: int = 0
    slot_f1: float | None = None
    difficulties: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    unfinished: int = 0


def grade(example: Example, answer: str, *, finished: bool = True) -> Graded:
    """Grades one answer; never raises on what a model wrote.

    Calls are read in every style, whichever the model is prompted with: it is graded by what it says, and can be
    compared before and after it has learned to write as it is prompted.
    An answer that ran into its token limit (`finished` False) is wrong whatever it says so far: a format error.
    """
    comparison = compare(parse_calls(answer), example.calls, example.tools)
    right = comparison.right and finished
    error = None if right else (comparison.error if finished else None) or ErrorKind.FORMAT
    return Graded(
        id=example.id,
        difficulty=difficulty(example),
        answer=answer,
        expected=example.answer,
        right=right,
        error=error.value if error else None,
        slot_f1=comparison.slot_f1 if finished else 0.0,
        finished=finished,
    )


def summarize(graded: Sequence[Graded], skipped_too_long: int = 0) -> SetSummary:
    """Counts a set's answers."""
    count, right = len(graded), sum(one.right for one in graded)
    errors = Counter(one.error for one in graded if one.error is not None)
    slots = [one.slot_f1 for one in graded if one.slot_f1 is not None]
    by_level = {level: [one.right for one in graded if one.difficulty == level] for level in DIFFICULTIES}
    return SetSummary(
        count=count,
        right=right,
        exact_match=right / count if count else None,
        interval=wilson(right, count),
        errors={kind: errors[kind] for kind in sorted(errors, key=error_rank)},
        skipped_too_long=skipped_too_long,
        slot_f1=sum(slots) / count if count and len(slots) == count else None,
        difficulties={level: (sum(found), len(found)) for level, found in by_level.items() if found},
        unfinished=sum(not one.finished for one in graded),
    )


def error_rank(kind: str) -> tuple[int, str]:
    """Sort key of error kinds: ErrorKind's order, then kinds that it does not know by name."""
    return _ORDER.get(kind, len(_ORDER)), kind
