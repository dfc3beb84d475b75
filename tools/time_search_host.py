"""CPU time of the search on the host per sample, without a model: cutting, grading and the trees' statistics.

    python tools/time_search_host.py --trees=256 --examples=256 --repeats=5

Answers are drawn from a few variants of each example's ground truth, one argument's value changed in some, so that
they merge, fork and repeat as a policy's do. A policy's own time per sample is printed by the search stage.
"""

from __future__ import annotations

import argparse
import cProfile
import itertools
import pstats
import random
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from itool_jax.data.chat import chat_format
from itool_jax.data.difficulty import Difficulty
from itool_jax.data.prepared import Dialect, Prepared
from itool_jax.data.tokenizer import train_bpe
from itool_jax.data.toolworld import ToolWorld
from itool_jax.sampling.sampler import Request, Sample
from itool_jax.search.search import SamplingConfig, Search
from itool_jax.search.tree import SearchConfig
from itool_jax.toolcall import write_calls

MIX: dict[Difficulty, float] = {"easy": 1, "medium": 1, "hard": 1}


def world(count: int) -> tuple[Dialect, list[Prepared]]:
    """A dialect of 2,000 tokens and conversations of the small tool world."""
    chat = chat_format("compact")
    texts = [
        text
        for example in ToolWorld(3).mixture(MIX, 600)
        for text in (*(part.text for part in chat.segments(example) if not part.special), example.answer)
    ]
    dialect = Dialect(train_bpe(texts, 2000, chat.special_tokens, chat.end_of_turn), chat)
    return dialect, [dialect.prepare(example) for example in ToolWorld(4).mixture(MIX, count)]


class DrawnAnswers:
    """Stands in for the tree sampler: `trees` places, and in each of them every request is answered at once."""

    def __init__(self, dialect: Dialect, trees: int, seed: int):
        self.dialect, self.trees, self.rng = dialect, trees, random.Random(seed)
        self.samples = self.tokens = 0
        self.seconds = 0.0
        self._answers: dict[int, list[tuple[int, ...]]] = {}

    def grow(self, growths, receive) -> Iterator:
        """As `TreeSampler.grow`; `seconds` counts what the search takes, and not the drawing."""
        queue, alive = iter(growths), []
        while True:
            started = time.process_time()
            asked, ended = [], []
            for growth in alive:
                requests = growth.requests()
                (asked if requests else ended).append((growth, requests))
            for growth in itertools.islice(queue, self.trees - len(asked)):
                asked.append((growth, growth.requests()))
            self.seconds += time.process_time() - started
            yield from (growth for growth, _ in ended)
            if not asked:
                return
            finished = [(growth, request, self._draw(growth, request)) for growth, (request,) in asked]
            started = time.process_time()
            receive(finished)
            self.seconds += time.process_time() - started
            alive = [growth for growth, _ in asked]

    def _draw(self, growth, request: Request) -> list[Sample]:
        answers = self._answers.get(id(growth)) or self._variants(growth.prepared)
        self._answers[id(growth)] = answers
        fitting = [a for a in answers if a[: len(request.path)] == request.path and len(a) > len(request.path)]
        samples = []
        for _ in range(request.samples):
            tokens = self.rng.choice(fitting)[len(request.path) :]
            samples.append(Sample(tokens, tuple(-self.rng.random() for _ in tokens), "stop"))
        self.samples += len(samples)
        self.tokens += sum(len(sample.tokens) for sample in samples)
        return samples

    def _variants(self, prepared: Prepared) -> list[tuple[int, ...]]:
        texts = [prepared.example.answer, "Which one do you mean? Please tell me."]
        for _ in range(10):
            calls = list(prepared.example.calls)
            if calls:
                place = self.rng.randrange(len(calls))
                arguments = dict(calls[place].arguments)
                if arguments:
                    arguments[self.rng.choice(list(arguments))] = self.rng.choice(["x", 7, "Berlin", True])
                calls[place] = replace(calls[place], arguments=arguments)
                texts.append(write_calls(calls))
        encode, end = self.dialect.tokenizer.encode, self.dialect.end_of_turn
        return [(*encode(text), end) for text in texts]


def once(dialect: Dialect, examples: Sequence[Prepared], trees: int, seed: int) -> DrawnAnswers:
    policy: Any = None  # self-evaluation is off, so nothing asks it
    search = Search(policy, dialect, SearchConfig(), SamplingConfig(answer_tokens=512))
    sampler = DrawnAnswers(dialect, trees, seed)
    for _ in search.run(sampler, examples):  # pyright: ignore[reportArgumentType]
        pass
    return sampler


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trees", type=int, default=256, help="trees that grow side by side")
    parser.add_argument("--examples", type=int, default=256, help="trees in all")
    parser.add_argument("--repeats", type=int, default=5, help="the median of so many is printed")
    parser.add_argument("--profile", action="store_true", help="also print where the time goes")
    args = parser.parse_args()
    dialect, examples = world(args.examples)
    profile = cProfile.Profile()
    if args.profile:
        profile.runcall(once, dialect, examples, args.trees, 0)
        pstats.Stats(profile).sort_stats("cumulative").print_stats(45)
    runs = [once(dialect, examples, args.trees, seed) for seed in range(args.repeats)]
    each = statistics.median(run.seconds / run.samples for run in runs)
    tokens = runs[0].tokens / runs[0].samples
    print(f"{args.trees} trees, {runs[0].samples} samples of {tokens:.0f} tokens: {each * 1e6:.0f} us of the host each")


if __name__ == "__main__":
    main()
