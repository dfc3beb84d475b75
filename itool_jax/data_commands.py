"""`itool-jax data ...`: making, converting and checking data files. Each returns the exit status."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import TypeVar

from etils import epath

from itool_jax.config import default_config
from itool_jax.data.difficulty import DIFFICULTIES
from itool_jax.data.inspect import show_summary, summarize
from itool_jax.data.jsonl import write_examples
from itool_jax.data.problems import Problem
from itool_jax.data.sources import read_source
from itool_jax.progress import Bar, progress
from itool_jax.rounds.inputs import heldout_examples, heldout_names, tool_world

Item = TypeVar("Item")


def toolworld(
    out: str,
    seed: int,
    easy: int,
    medium: int,
    hard: int,
    heldout: int,
    world: str,
    no_call_share: float | None,
    follow_up_share: float | None,
) -> int:
    """Writes train.jsonl and heldout_SET.jsonl for each of the simulator's held-out sets, as a run would make them."""
    config = default_config()
    settings = config.data.toolworld
    settings.update(seed=seed, heldout=heldout, world=world)
    settings.update({} if no_call_share is None else {"no_call_share": no_call_share})
    settings.update({} if follow_up_share is None else {"follow_up_share": follow_up_share})
    source = tool_world(config, "train", "train")
    counts = dict(zip(DIFFICULTIES, (easy, medium, hard), strict=True))
    train = chain.from_iterable(source.examples(level, count) for level, count in counts.items())
    files = {"train": (train, sum(counts.values()))}
    files |= {f"heldout_{name}": (heldout_examples(config, name), heldout) for name in heldout_names(config)}
    for name, (examples, count) in files.items():
        path = epath.Path(out) / f"{name}.jsonl"
        with progress(f"Writing {path}", total=count, unit="examples") as bar:
            write_examples(path, _counted(examples, bar))
    return 0


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


def _counted(items: Iterable[Item], bar: Bar) -> Iterator[Item]:
    for item in items:
        yield item
        bar.advance()


def _list_problems(problems: Sequence[Problem], shown: int = 20) -> None:
    for problem in problems[:shown]:
        print(problem)
    if len(problems) > shown:
        print(f"and {len(problems) - shown} more bad rows")
