"""Bad rows of data files, named by file, row and field: refused or, where the caller allows it, counted."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
    """What is wrong with one row. `row` counts from 1 (a JSONL file's line); `field` is "" for the row as a whole.

    As text control characters are escaped: what data hold must not steer the terminal that shows it.
    """

    file: str
    row: int
    field: str
    message: str

    @property
    def kind(self) -> str:
        """The field with list positions left out (`messages[].role`), "row" for the row as a whole: to count by."""
        return re.sub(r"\[\d+\]", "[]", self.field) or "row"

    def __str__(self) -> str:
        field = f", field {self.field}" if self.field else ""
        text = f"{self.file}, row {self.row}{field}: {self.message}"
        return re.sub(r"[\x00-\x1f\x7f-\x9f]", lambda found: f"\\x{ord(found[0]):02x}", text)


@dataclass(frozen=True)
class Rows(Generic[Item]):
    """The rows that could be read, in order, and the problems of those that could not."""

    items: tuple[Item, ...]
    problems: tuple[Problem, ...] = ()


class UniqueIds:
    """Ids that were seen, as 64-bit digests: some 70 bytes each, however long they are."""

    def __init__(self):
        self._seen: set[int] = set()

    def add(self, name: str) -> None:
        """Raises RowError if the id was added before."""
        digest = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big")
        if digest in self._seen:
            raise RowError("id", f"{describe(name)} stands in an earlier row too; ids must be unique")
        self._seen.add(digest)


def refuse(problems: Sequence[Problem], *, shown: int = 3, count: int | None = None) -> None:
    """Raises UserError with the first `shown` problems and how many there are, `count` where more than those given.

    Does nothing when there are none.
    """
    if not problems:
        return
    count = len(problems) if count is None else count
    rest = count - min(shown, len(problems))
    listing = "; ".join(str(problem) for problem in problems[:shown]) + (f"; and {rest} more" if rest > 0 else "")
    noun = "1 bad row" if count == 1 else f"{count} bad rows"
    raise UserError(f"{noun}: {listing}. Mend the data, or allow bad rows to be skipped and counted.")


def parse_rows(file: str, rows: Iterable[tuple[int, Row]], parse: Callable[[Row], Item]) -> Iterator[Item | Problem]:
    """Each numbered row as what `parse` makes of it or, where it raises RowError, as a Problem."""
    for number, row in rows:
        try:
            yield parse(row)
        except RowError as error:
            yield Problem(file, number, error.field, error.message)


def read_rows(
    file: str, rows: Iterable[tuple[int, Row]], parse: Callable[[Row], Item], *, skip_bad: bool = False
) -> Rows[Item]:
    """All rows as `parse_rows` has them: with `skip_bad` the problems are returned, for the caller to count and report.

    Without it they are raised as one UserError, after every row was tried, so that one error names all that is wrong.
    """
    return collect(parse_rows(file, rows, parse), skip_bad=skip_bad)


def collect(found: Iterable[Item | Problem], *, skip_bad: bool) -> Rows[Item]:
    """Items and problems apart; the problems are a UserError unless `skip_bad`."""
    items: list[Item] = []
    problems: list[Problem] = []
    for item in found:
        if isinstance(item, Problem):
            problems.append(item)
        else:
            items.append(item)
    if not skip_bad:
        refuse(problems)
    return Rows(tuple(items), tuple(problems))


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


def inside(within: str, name: str) -> str:
    """The path of a part that data name: `within.name`, or `within['...']` for a name that is long or no plain word."""
    return f"{within}.{name}" if re.fullmatch(r"[\w-]{1,60}", name) else f"{within}[{name[:40]!r}]"


def _kind(value: Any) -> str:
    return _JSON_NAMES.get(type(value), type(value).__name__)
