"""`itool-jax data ...`: making, converting, checking and cleaning data files. Each returns the exit status."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from itertools import chain
from json import dumps
from typing import Any, TypeVar

from etils import epath

from itool_jax.config import default_config
from itool_jax.data.decontaminate import EvaluationIndex, Repetition, decontaminated
from itool_jax.data.difficulty import DIFFICULTIES
from itool_jax.data.example import Example
from itool_jax.data.inspect import Inspector, show_summary
from itool_jax.data.jsonl import write_examples
from itool_jax.data.problems import Problem
from itool_jax.data.sources import scan_source, stream_source
from itool_jax.data.tally import Tally, removed_lines
from itool_jax.data.tokenizer import Tokenizer
from itool_jax.errors import UserError
from itool_jax.files import write_atomic
from itool_jax.progress import Bar, progress
from itool_jax.rounds.inputs import heldout_examples, heldout_names, tool_world

_BENCHMARKS = ("bfcl:", "api_bank:")
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
    files |= {f"heldout_{name}": (heldout_examples(config, name, Tally()), heldout) for name in heldout_names(config)}
    for name, (examples, count) in files.items():
        path = epath.Path(out) / f"{name}.jsonl"
        with progress(f"Writing {path}", total=count, unit="examples") as bar:
            write_examples(path, _counted(examples, bar))
    return 0


def convert(source: str, input: str, out: str, skip_malformed: bool, problems: str | None) -> int:
    """Writes a source's examples as JSONL, one row in memory at a time, and prints what they are."""
    _check_files({"--input": (input,)}, {"--out": out, "--problems": problems})
    inspector = Inspector()
    with _BadRows(problems, listed=skip_malformed) as bad:
        count = write_examples(out, _inspected(bad.good(source, input, skip=skip_malformed), inspector))
    show_summary(inspector.summary(bad.kinds))
    print(f"{count} examples written to {out}; {bad.count} bad rows skipped.")
    return 0


def check(path: str, source: str, tokenizer: str | None, problems: str | None, json: bool) -> int:
    """Prints what the data hold and every bad row; 1 if there is any."""
    _check_files({"PATH": (path,)}, {"--problems": problems})
    encode = Tokenizer.load(tokenizer).encode if tokenizer else None
    inspector = Inspector(None if encode is None else lambda text: len(encode(text)))
    with _BadRows(problems, listed=not json, kept=json) as bad:
        for item in scan_source(source, path):
            if isinstance(item, Problem):
                bad.add(item)
            else:
                inspector.add(item)
    summary = inspector.summary(bad.kinds)
    if json:
        print(dumps({**asdict(summary), "bad_rows": bad.count, "bad": bad.kept}, indent=1, ensure_ascii=False))
    else:
        show_summary(summary)
    return 1 if bad.count else 0


def decontaminate(
    train: str,
    source: str,
    against: Sequence[str],
    against_source: str,
    api_bank: str | None,
    threshold: float,
    out: str,
    report: str | None,
    skip_malformed: bool,
) -> int:
    """Writes the training examples that repeat no evaluation example, and names the others in a report."""
    if threshold == 0:
        raise UserError("--threshold=0 would remove every example; expected a share above 0, such as 0.7.")
    if len(set(against)) < len(against):
        raise UserError("--against names a file twice.")
    report = report or f"{out.removesuffix('.gz').removesuffix('.jsonl')}.removed.jsonl"
    _check_files({"--train": (train,), "--against": against}, {"--out": out, "--report": report})
    removed: list[Repetition] = []
    with _BadRows(None, listed=skip_malformed) as bad:
        sets: dict[str, Iterable[Example]] = {}
        for path in against:
            if path.startswith(_BENCHMARKS):
                sets |= _benchmark(path, api_bank)
            else:
                sets[path] = bad.good(against_source, path, skip=skip_malformed)
        index = EvaluationIndex(sets, threshold)
        kept = decontaminated(bad.good(source, train, skip=skip_malformed), index, removed)
        count = write_examples(out, kept)
    write_atomic(epath.Path(report), removed_lines(removed))
    exact = sum(found.kind == "exact" for found in removed)
    print(
        f"{count} examples written to {out}. {len(removed)} removed, {exact} of them exact repetitions and "
        f"{len(removed) - exact} near ones: {report} names them. {bad.count} bad rows skipped."
    )
    return 0


class _BadRows(AbstractContextManager):
    """Bad rows as they are found, each written to a JSONL file where one is given, else printed if `listed`.

    count  how many there were, `kinds` by field
    kept   all of them, if asked for
    """

    def __init__(self, file: str | None, *, listed: bool, kept: bool = False):
        self.count, self.kinds, self.kept = 0, Counter[str](), list[dict[str, Any]]()
        if file:
            epath.Path(file).parent.mkdir(parents=True, exist_ok=True)
        self._file = epath.Path(file).open("w") if file else None
        self._listed, self._keeps = listed, kept

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()

    def good(self, source: str, path: str, *, skip: bool) -> Iterator[Example]:
        """The examples; at their end UserError if none is good or, unless `skip`, if rows were bad."""
        return stream_source(source, path, self.add, skip_bad=skip)

    def add(self, problem: Problem) -> None:
        self.count += 1
        self.kinds[problem.kind] += 1
        if self._keeps:
            self.kept.append(asdict(problem))
        if self._file:
            self._file.write(_line(asdict(problem)))
        elif self._listed:
            print(problem)


def _check_files(read: Mapping[str, Sequence[str]], written: Mapping[str, str | None]) -> None:
    """Raises UserError where a file is to be written that is also read, written otherwise, or no JSON Lines by name."""
    taken = {os.path.realpath(path): option for option, paths in read.items() for path in paths}
    for option, path in written.items():
        if path is None:
            continue
        if path.endswith(".parquet") or (path.endswith(".gz") and option != "--out"):
            raise UserError(f"{option}={path}: expected the name of a .jsonl file, which is what is written.")
        if other := taken.get(os.path.realpath(path)):
            raise UserError(f"{other} and {option} are both {path}, which would be lost: give {option} another name.")
        taken[os.path.realpath(path)] = option


def _benchmark(spec: str, api_bank: str | None) -> Mapping[str, Sequence[Example]]:
    """The questions of a benchmark by its sets; other data commands do without the evaluation and its data."""
    from itool_jax.evaluation.benchmarks import benchmark_questions

    return benchmark_questions([spec], api_bank or default_config().evaluate.api_bank)


def _inspected(examples: Iterable[Example], inspector: Inspector) -> Iterator[Example]:
    for example in examples:
        inspector.add(example)
        yield example


def _line(value: Mapping[str, Any]) -> str:
    return dumps(value, ensure_ascii=False) + "\n"


def _counted(items: Iterable[Item], bar: Bar) -> Iterator[Item]:
    for item in items:
        yield item
        bar.advance()
