"""Bad rows of data files, named by file, row and field: refused or, where the caller allows it, counted."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from itool_jax.errors import UserError

Row = TypeVar("Row")
Item = TypeVar("Item")

_JSON_NAMES = {dict: "an object", list: "a list", str: "a string", bool: "true or false", int: "an integer"}


class RowError(ValueError):
    """A row that cannot be read: `field` is the path inside the row (`messages[2].role`), `message` what is wrong."""

    def __init__(self, field: str, message: str):
        super().__init__(f"{field}: {message}" if field else message)
        self.field = field
        self.message = message


@dataclass(frozen=True)
class Problem:
    """What is wrong with one row. `row` counts from 1 (a JSONL file's line); `field` is "" for the row as a whole."""

    file: str
    row: int
    field: str
    message: str

    def __str__(self) -> str:
        where = f"{self.file}, row {self.row}"
        return f"{where}, field {self.field}: {self.message}" if self.field else f"{where}: {self.message}"


@dataclass(frozen=True)
class Rows(Generic[Item]):
    """The rows that could be read, in order, and the problems of those that could not."""

    items: tuple[Item, ...]
    problems: tuple[Problem, ...] = ()


def refuse(problems: Sequence[Problem], *, shown: int = 3) -> None:
    """Raises UserError with the first `shown` problems and the count of all; does nothing when there are none."""
    if not problems:
        return
    rest = len(problems) - shown
    listing = "; ".join(str(problem) for problem in problems[:shown]) + (f"; and {rest} more" if rest > 0 else "")
    noun = "1 bad row" if len(problems) == 1 else f"{len(problems)} bad rows"
    raise UserError(f"{noun}: {listing}. Mend the data, or allow bad rows to be skipped and counted.")


def read_rows(
    file: str, rows: Iterable[tuple[int, Row]], parse: Callable[[Row], Item], *, skip_bad: bool = False
) -> Rows[Item]:
    """Parses numbered rows; `parse` raises RowError on a bad one.

    Every row is tried, so that one error names all that is wrong. With `skip_bad` the problems are returned instead of
    raised, for the caller to count and report.
    """
    items, problems = [], []
    for number, row in rows:
        try:
            items.append(parse(row))
        except RowError as error:
            problems.append(Problem(file, number, error.field, error.message))
    if not skip_bad:
        refuse(problems)
    return Rows(tuple(items), tuple(problems))


def tally(problems: Iterable[Problem]) -> dict[str, int]:
    """Number of problems by field, list positions left out (`messages[].role`), most frequent first."""
    return dict(Counter(re.sub(r"\[\d+\]", "[]", problem.field) or "row" for problem in problems).most_common())


def describe(value: Any, limit: int = 60) -> str:
    """A value as an error message shows it: its kind, and its text cut to `limit` characters."""
    if value is None:
        return "null"
    text = repr(value)
    return f"{_kind(value)} {text if len(text) <= limit else text[: limit - 3] + '...'}"


def expect(value: Any, kind: type, field: str) -> Any:
    """Returns `value` if it is a `kind` (a bool is no int), else raises RowError naming what was expected and found."""
    if isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
        return value
    raise RowError(field, f"expected {_JSON_NAMES.get(kind, kind.__name__)}, found {describe(value)}")


def take(row: Mapping[str, Any], name: str, kind: type, *, within: str = "") -> Any:
    """The row's `name`, of type `kind`; raises RowError where it is absent or of another type."""
    field = f"{within}.{name}" if within else name
    if name not in row:
        raise RowError(field, f"missing; the row has {', '.join(map(str, row)) or 'no fields'}")
    return expect(row[name], kind, field)


def _kind(value: Any) -> str:
    return _JSON_NAMES.get(type(value), type(value).__name__)
