"""What an importer is: a function from a row to its examples, and what it needs to know about files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from etils import epath

from itool_jax.data.example import Example


@dataclass(frozen=True)
class Row:
    """A row of a file: `file` is the file's name without its ending, `number` counts from 1, `value` is its JSON.

    `context` is what the source's `context` returned for the file.
    """

    file: str
    number: int
    value: Any
    context: Any = None


@dataclass(frozen=True)
class Source:
    """A form in which data come.

    examples     the examples of a row; raises RowError for a bad one
    files        shell patterns of the names that its files have in a folder (each also with .gz)
    context      what the rows of a file need beside themselves; None stands for rows from the hub
    ids_in_rows  the examples' ids are made of the rows' own, so that two rows may share one
    repeats      rows hold turns of one another: an example equal to an earlier one is left out and counted
    """

    examples: Callable[[Row], Sequence[Example]]
    files: tuple[str, ...] = ("*.json", "*.jsonl", "*.parquet")
    context: Callable[[epath.Path | None], Any] = lambda _: None
    ids_in_rows: bool = False
    repeats: bool = False
