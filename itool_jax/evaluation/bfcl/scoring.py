"""Verdicts on raw answers: by our parser and rules, or by the official decoder and checker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from itool_jax.errors import UserError
from itool_jax.evaluation.bfcl import official as official_code
from itool_jax.evaluation.bfcl.answers import read_answer
from itool_jax.evaluation.bfcl.entries import MULTI_TURN, PROSE, Entry, read_entries
from itool_jax.evaluation.bfcl.multi_turn import judge
from itool_jax.toolcall import ErrorKind
from itool_jax.toolcall.allowed_values import compare_allowed

RELEVANCE = "live_relevance"


def score(
    category: str, answers: Mapping[str, Any], official: bool = False, *, dots_as_underscores: bool = False
) -> dict[str, bool]:
    """Whether each answer is right, by entry id.

    answers              the raw text of a model by entry id, for some or all entries of the category; for multi_turn_*
                         a list of turns, each a list of the texts of its steps
    official             decide by the official decoder and checker instead of our own
    dots_as_underscores  the model was shown function names with `_` for `.`

    Multi-turn answers are always decided by the official back ends and checker; `official` then decodes the texts, too.
    Raises UserError for an unknown category or id, and where bfcl-eval is not installed.
    """
    known = select(category, answers)
    if category in MULTI_TURN:
        return {entry.id: judge(entry, answers[entry.id], official=official) is None for entry in known}
    if not official:
        kinds = {entry.id: error_kind(entry, answers[entry.id], dots_as_underscores) for entry in known}
        return {name: kind is None for name, kind in kinds.items()}
    return {entry.id: _officially_right(entry, answers[entry.id], dots_as_underscores) for entry in known}


def error_kinds(category: str, answers: Mapping[str, str]) -> dict[str, ErrorKind | None]:
    """What is wrong with each answer of a single-turn category, by our parser and rules; None where it is right."""
    if category in MULTI_TURN:
        raise UserError(f"{category}: error kinds of multi-turn entries are told by itool_jax.evaluation.bfcl.judge.")
    return {entry.id: error_kind(entry, answers[entry.id]) for entry in select(category, answers)}


def error_kind(entry: Entry, text: str, dots_as_underscores: bool = False) -> ErrorKind | None:
    """What is wrong with one raw answer, or None.

    As the official runner has it, an answer that cannot be read makes no call: it is right where none is asked for.
    """
    answer = read_answer(text, entry.language)
    if entry.category in PROSE:
        if entry.category != RELEVANCE:
            return ErrorKind.SPURIOUS_CALL if answer.calls else None
        return None if answer.calls else ErrorKind.FORMAT if answer.kind == "malformed" else ErrorKind.MISSING_CALL
    if answer.kind == "malformed":
        return ErrorKind.FORMAT
    return compare_allowed(
        answer.calls, entry.expected, entry.functions, entry.language, dots_as_underscores=dots_as_underscores
    )


def select(category: str, answers: Mapping[str, Any]) -> Sequence[Entry]:
    """The entries that are answered, in the order of the category; UserError for an id that it does not have."""
    known = read_entries(category)
    unknown = answers.keys() - {entry.id for entry in known}
    if unknown:
        raise UserError(
            f"BFCL's {category} has no entry {min(map(str, unknown))!r}"
            + (f" (nor {len(unknown) - 1} other ids given)" if len(unknown) > 1 else "")
            + f": its ids run from {known[0].id} to {known[-1].id}."
        )
    return [entry for entry in known if entry.id in answers]


def _officially_right(entry: Entry, text: str, dots_as_underscores: bool) -> bool:
    calls = official_code.decode(text, entry)
    if entry.category in PROSE:
        return (calls is not None) == (entry.category == RELEVANCE)
    if calls is None:
        return False
    return official_code.check(calls, entry, dots_as_underscores=dots_as_underscores)["valid"]
