"""What the prepared store costs: time, peak memory and bytes of writing, then of opening, planning and reading.

    python tools/bench_data.py write --out=runs/store --examples=1000000
    python tools/bench_data.py read --out=runs/store

The examples are tool-world conversations, made once and repeated with ids of their own; each is tokenised anew. The two
parts are processes of their own, because a peak of memory is that of a whole process.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from itool_jax.data.chat import chat_format
from itool_jax.data.corpus import Chains
from itool_jax.data.example import Example
from itool_jax.data.prepared import Dialect
from itool_jax.data.store import PreparedStore
from itool_jax.data.tokenizer import Tokenizer
from itool_jax.data.toolworld import ToolWorld

_DISTINCT = 2000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=("write", "read"))
    parser.add_argument("--out", type=Path, required=True, help="the store")
    parser.add_argument("--examples", type=int, default=1_000_000)
    parser.add_argument("--tokenizer", type=Path, default=Path("checkpoints/tiny_base"))
    parser.add_argument("--reads", type=int, default=20_000)
    parser.add_argument("--row-tokens", type=int, default=1024)
    options = parser.parse_args()
    dialect = Dialect(Tokenizer.load(options.tokenizer), chat_format("compact"))
    write(options, dialect) if options.part == "write" else read(options, dialect)
    print(f"peak memory of the process: {_peak():.0f} MB")


def write(options: argparse.Namespace, dialect: Dialect) -> None:
    from itool_jax.data.store_writer import write_store

    distinct = list(ToolWorld(0).mixture({"easy": 1, "medium": 1, "hard": 1}, _DISTINCT))
    print(f"before writing: {_peak():.0f} MB")
    with _timed(f"write {options.examples} examples", options.examples, "examples"):
        prepared = (dialect.prepare(example) for example in _repeated(distinct, options.examples))
        manifest = write_store(options.out, prepared, dialect)
    size = sum(file.stat().st_size for file in options.out.rglob("*") if file.is_file())
    tokens = manifest.prompt_tokens + manifest.answer_tokens
    each = f"{size / manifest.examples:.0f} bytes and {tokens / manifest.examples:.0f} tokens each"
    print(f"{size / 1e6:.0f} MB on disk, {each}")


def read(options: argparse.Namespace, dialect: Dialect) -> None:
    from itool_jax.training.dataset import SftRows, batched

    print(f"before opening: {_peak():.0f} MB")
    with _timed("open the store and read its columns"):
        store = PreparedStore(options.out, dialect)
        corpus = store.corpus()
    with _timed("put it in a seeded order", len(corpus), "examples"):
        corpus = corpus.shuffled("split 0")
    print(f"after opening: {_peak():.0f} MB")
    with _timed("plan its rows", len(corpus), "examples"):
        rows = SftRows(Chains(corpus), options.row_tokens, corpus.parts)
    filled = corpus.lengths.sum(dtype=np.int64) / len(rows)
    print(f"{len(rows)} rows of {options.row_tokens} tokens, {filled:.0f} filled; memory up to now {_peak():.0f} MB")
    places = np.random.default_rng(0).integers(0, len(store), options.reads)
    with _timed("random reads of tokens", len(places), "reads"):
        for place in places:
            store.tokens(int(place))
    with _timed("random reads of whole examples", len(places) // 4, "reads"):
        for place in places[: len(places) // 4]:
            store[int(place)]
    batches = batched(rows, epochs=1, rows_per_step=16, accumulate=1, seed=0)
    steps = min(len(batches), max(1, options.reads * len(rows) // len(corpus) // 16))
    examples = steps * 16 * len(corpus) / len(rows)
    with _timed(f"batches of 16 rows through Grain, {steps} of {len(batches)}", examples, "examples"):
        for step in range(steps):
            batches[step]


def _repeated(distinct: list[Example], count: int) -> Iterator[Example]:
    for number in range(count):
        example = distinct[number % len(distinct)]
        yield replace(example, id=f"{example.id}/{number:07d}")


@contextmanager
def _timed(what: str, count: float = 0, unit: str = "") -> Iterator[None]:
    start = time.monotonic()
    yield
    seconds = time.monotonic() - start
    rate = f", {count / seconds:,.0f} {unit}/s" if count else ""
    print(f"{what}: {seconds:.1f} s{rate}", flush=True)


def _peak() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)


if __name__ == "__main__":
    main()
