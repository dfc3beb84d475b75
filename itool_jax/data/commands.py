"""`itool-jax data ...`: making, converting and checking data files. Each returns the exit status."""

from __future__ import annotations

from collections.abc import Sequence

from itool_jax.data.inspect import show_summary, summarize
from itool_jax.data.jsonl import write_examples
from itool_jax.data.problems import Problem
from itool_jax.data.sources import read_source


def convert(source: str, input: str, out: str, skip_malformed: bool) -> int:
    """Writes a source's examples as JSONL and prints what they are."""
    rows = read_source(source, input, skip_bad=skip_malformed)
    count = write_examples(out, rows.items)
    show_summary(summarize(rows.items, rows.problems))
    _list_problems(rows.problems)
    print(f"{count} examples written to {out}; {len(rows.problems)} bad rows skipped.")
    return 0


def check(file: str, source: str) -> int:
    """Prints what a file holds and each bad row; 1 if there is any."""
    rows = read_source(source, file, skip_bad=True)
    show_summary(summarize(rows.items, rows.problems))
    _list_problems(rows.problems)
    return 1 if rows.problems else 0


def _list_problems(problems: Sequence[Problem], shown: int = 20) -> None:
    for problem in problems[:shown]:
        print(problem)
    if len(problems) > shown:
        print(f"and {len(problems) - shown} more bad rows")
