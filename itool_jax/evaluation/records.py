"""The files of an evaluation: `<set>.jsonl`, one answer a line, and `summary.json`."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from etils import epath

from itool_jax import files
from itool_jax.errors import UserError
from itool_jax.evaluation.exact_match import Graded, SetSummary, summarize

SUMMARY = "summary.json"
_SET_NAME = re.compile(r"\w[\w.-]*")


def write_evaluation(
    folder: str | os.PathLike[str],
    answers: Mapping[str, Iterable[Graded]],
    skipped_too_long: Mapping[str, int] | None = None,
) -> dict[str, SetSummary]:
    """Writes a stage's evaluation, each set's answers sorted by id, and returns the summaries.

    Raises UserError for a set name that cannot name a file.
    """
    path = epath.Path(folder)
    for name in answers:
        if not _SET_NAME.fullmatch(name):
            raise UserError(
                f"the held-out set {name!r} cannot name a file: use letters, digits, '_', '-' and '.', the first of "
                "them a letter or digit. Rename it in config.data.heldout."
            )
    files.make_folder(path)
    summaries = {}
    for name, graded in answers.items():
        rows = sorted(graded, key=lambda one: one.id)
        files.write_atomic(path / f"{name}.jsonl", b"".join(_line(one) for one in rows))
        summaries[name] = summarize(rows, (skipped_too_long or {}).get(name, 0))
    sets = {name: asdict(summary) for name, summary in summaries.items()}
    files.write_json(path / SUMMARY, {"sets": sets})
    return summaries


def read_summaries(folder: str | os.PathLike[str]) -> dict[str, SetSummary]:
    """The summaries by set, in the order they were written; empty where the folder has none."""
    path = epath.Path(folder) / SUMMARY
    if not path.exists():
        return {}
    try:
        sets = json.loads(path.read_bytes())["sets"]
        return {name: _summary(row) for name, row in sets.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _altered(path, error) from error


def read_graded(file: str | os.PathLike[str]) -> list[Graded]:
    """The answers of one set; raises UserError where a line cannot be read."""
    path = epath.Path(file)
    graded = []
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        try:
            row = json.loads(line)
            graded.append(Graded(**{name: row[name] for name in Graded.__dataclass_fields__ if name in row}))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise _altered(f"{path}, line {number}", error) from error
    return graded


def _line(graded: Graded) -> bytes:
    text = json.dumps(asdict(graded), ensure_ascii=False, allow_nan=False) + "\n"
    return text.encode("utf-8", "backslashreplace")  # half a surrogate pair becomes its JSON escape


def _summary(row: Mapping[str, Any]) -> SetSummary:
    low, high = row["interval"]
    return SetSummary(
        count=int(row["count"]),
        right=int(row["right"]),
        exact_match=_share(row["exact_match"]),
        interval=(float(low), float(high)),
        errors={str(kind): int(count) for kind, count in row["errors"].items()},
        skipped_too_long=int(row.get("skipped_too_long", 0)),
        slot_f1=_share(row.get("slot_f1")),
        difficulties={str(k): (int(right), int(count)) for k, (right, count) in row.get("difficulties", {}).items()},
        unfinished=int(row.get("unfinished", 0)),
    )


def _share(value: Any) -> float | None:
    return None if value is None else float(value)


def _altered(where: object, error: Exception) -> UserError:
    return UserError(
        f"{where} cannot be read as an evaluation ({type(error).__name__}: {error}). Evaluations are written whole or "
        "not at all, so something else changed it: restore it, or evaluate that stage again."
    )
