"""Figure 3: trees per second of a whole search, against the control flow of the reference algorithm.

Random weights write no calls and so grow no trees. The trees are those that checkpoints/tiny_base, which knows the tool
world, grows once beforehand; both sides then search anew with its answers, while the weights that are measured decode
as many tokens at the same places. Selection, fragments, grading and engine are the same code on both sides. The tool
world's prompts are short, so a second case leads each up to the length of workload A's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from threading import local
from typing import Any

from itool_jax.data.chat import chat_format
from itool_jax.data.prepared import Dialect, Prepared
from itool_jax.data.toolworld import ToolWorld
from itool_jax.errors import UserError
from itool_jax.models.loading import load
from itool_jax.models.policy import Policy
from itool_jax.sampling.sampler import Finished, Request, Sample, SamplerConfig, TreeSampler, prompt_columns
from itool_jax.sampling.single import SingleBranch
from itool_jax.search.pool import TreePool
from itool_jax.search.search import SamplingConfig, Search, SearchGrowth
from itool_jax.search.tree import SearchConfig, SearchTree
from search_figures.ours import one_device
from side_by_side import alternate

BASE = Path(__file__).parents[2] / "checkpoints" / "tiny_base"
OURS, ONE_ENGINE, ENGINE_EACH = "itool_jax", "reference, one engine", "reference, an engine for each thread"
TARGET = 4.0
PROMPT_TOKENS = 512  # of workload A


@dataclass(frozen=True)
class Task:
    """Examples to search, and how. The sizes are counts: trees at once, and threads of the reference."""

    policy: Policy
    dialect: Dialect
    examples: Sequence[Prepared]
    trees: int
    threads: int
    tree: SearchConfig
    sampling: SamplingConfig

    @property
    def columns(self) -> int:
        return prompt_columns(max(len(prepared.prompt) for prepared in self.examples))

    def search(self) -> Search:
        return Search(self.policy, self.dialect, self.tree, self.sampling)


def tool_world_task(examples: int, trees: int, threads: int, small: bool = False) -> Task:
    """Held-out conversations of the hardest kind, searched as the quickstart does."""
    loaded = load(BASE)
    dialect = Dialect(loaded.tokenizer, chat_format("compact"))
    world = ToolWorld(5, split="heldout")
    prepared = [dialect.prepare(example) for example in world.examples("easy" if small else "hard", examples)]
    tree = SearchConfig(iterations=2 if small else 5)
    sampling = SamplingConfig(answer_tokens=24 if small else 96)
    return Task(loaded.policy, dialect, prepared, min(trees, examples), threads, tree, sampling)


@dataclass
class Recorded:
    """A search that is grown again: its answers are known, and a policy of any weights decodes as many tokens.

    samples        by key of the example, node and expansion
    prompt_tokens  to which prompts that are shorter are led
    """

    task: Task
    policy: Policy
    samples: Mapping[tuple[int, int, int], Sequence[Sample]]
    prompt_tokens: int = 0

    def prompt(self, own: Sequence[int]) -> tuple[int, ...]:
        """A prompt as it is read: any tokens before it, and its own."""
        return (*range(1, 1 + max(0, self.prompt_tokens - len(own))), *own)

    @property
    def columns(self) -> int:
        return max(self.task.columns, prompt_columns(self.prompt_tokens))

    @property
    def arena(self) -> int:
        """Columns for all that a tree may grow."""
        tree = self.task.tree
        return tree.iterations * tree.samples * self.task.sampling.answer_tokens


def recorded(task: Task, policy: Policy) -> Recorded:
    """Searches with the task's own policy, and keeps what it answered."""
    search, samples = task.search(), {}

    def receive(finished: Sequence[Finished]) -> None:
        samples.update({(growth.key, r.node, r.expansion): drawn for growth, r, drawn in finished})
        search.receive(finished)

    cfg = sampler_config(task, task.trees, task.columns, Recorded(task, policy, samples).arena)
    for _ in TreeSampler(task.policy, cfg, seed=0, mesh=one_device()).grow(growths(task), receive):
        pass
    return Recorded(task, policy, samples)


def sampler_config(task: Task, trees: int, columns: int, arena: int) -> SamplerConfig:
    """Sizes of a sampler for the task's expansions."""
    return SamplerConfig(trees, task.tree.samples, columns, arena, stop_tokens=(task.dialect.end_of_turn,))


def growths(task: Task) -> list[SearchGrowth]:
    """A new tree for every example, their numbers side by side."""
    pool = TreePool(task.tree)
    return [SearchGrowth(prepared, SearchTree(task.tree, pool), task.sampling) for prepared in task.examples]


class Again:
    """A recorded tree as it grows again: asks for as many tokens as its answers had, below its own tokens.

    paths  by path of the recorded tree: the tokens that stand there now
    """

    def __init__(self, record: Recorded, growth: SearchGrowth):
        self.growth, self._samples, self._prompt = growth, record.samples, record.prompt(growth.prompt)
        self.paths: dict[tuple[int, ...], tuple[int, ...]] = {(): ()}
        self._asked: dict[tuple[int, int], Request] = {}

    @property
    def key(self) -> int:
        return self.growth.key

    @property
    def prompt(self) -> Sequence[int]:
        return self._prompt

    def requests(self) -> Sequence[Request]:
        asked = self.growth.requests()
        self._asked = {(request.node, request.expansion): request for request in asked}
        return [
            replace(
                request, path=self.paths[request.path], budget=max(map(len, self._answers(request))), stop_tokens=()
            )
            for request in asked
        ]

    def received(self, request: Request, drawn: Sequence[Sample]) -> Finished:
        """What the search receives in place of the tokens drawn."""
        original = self._asked[request.node, request.expansion]
        for answer, sample in zip(self._answers(original), drawn, strict=True):
            for n in range(1, len(answer) + 1):
                self.paths.setdefault((*original.path, *answer[:n]), (*request.path, *sample.tokens[:n]))
        return self.growth, original, list(self._samples[self.key, original.node, original.expansion])

    def _answers(self, request: Request) -> list[tuple[int, ...]]:
        return [sample.tokens for sample in self._samples[self.key, request.node, request.expansion]]


def whole_search(record: Recorded, repeats: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Trees per second of both sides and their ratio, with the prompts as they are and led to workload A's length."""
    led = replace(record, prompt_tokens=PROMPT_TOKENS)
    return {
        name: one_case(each, repeats, lambda line, name=name: say(f"{name}, {line}"))
        for name, each in {"own prompts": record, f"prompts of {PROMPT_TOKENS}": led}.items()
    }


def one_case(record: Recorded, repeats: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Trees per second of both sides, and their ratio."""
    task, known = record.task, {key for key, _, _ in record.samples}
    together = Together(record)
    sides = {OURS: together, ONE_ENGINE: OneByOne(record, threads=1), ENGINE_EACH: OneByOne(record, task.threads)}
    trees = {}
    for name, side in sides.items():
        trees[name] = {growth.key: fragments(growth) for growth in side.run()}
        say(f"{name} is warm")
    if trees[OURS].keys() != known or any(grown != trees[OURS] for grown in trees.values()):
        raise UserError("the sides have not grown the same trees, so their times cannot be compared.")

    def timed(side: Together | OneByOne) -> Callable[[], float]:
        def run() -> float:
            start = time.monotonic()
            side.run()
            return time.monotonic() - start

        return run

    times = alternate({name: timed(side) for name, side in sides.items()}, repeats, say)
    for one in times.values():
        one["trees_per_second"] = len(task.examples) / one["median"]
    times[OURS]["occupancy"] = together.occupancy
    ratios = {name: times[name]["median"] / times[OURS]["median"] for name in (ONE_ENGINE, ENGINE_EACH)}
    prompts = [len(record.prompt(prepared.prompt)) for prepared in task.examples]
    return {
        "sides": times,
        "ratios": ratios,
        "targets": dict.fromkeys(ratios, TARGET),
        "sizes": sizes(task) | {"mean_prompt_tokens": sum(prompts) / len(prompts)},
        "repeats": repeats,
    }


def sizes(task: Task) -> dict[str, Any]:
    prompts = [len(prepared.prompt) for prepared in task.examples]
    return {
        "examples": len(prompts),
        "mean_prompt_tokens": sum(prompts) / len(prompts),
        "trees_at_once": task.trees,
        "threads": task.threads,
        "iterations": task.tree.iterations,
        "samples": task.tree.samples,
        "answer_tokens": task.sampling.answer_tokens,
    }


def fragments(growth: SearchGrowth) -> list[tuple[int, tuple[int, ...], int]]:
    """Each node's parent, tokens and visits."""
    return [(node.parent, node.tokens, node.visits) for node in growth.tree.nodes]


class Together:
    """The search as runs do it: many trees in one sampler, whose arenas have room for all that a tree may grow."""

    def __init__(self, record: Recorded):
        task = record.task
        self._record, self._search = record, task.search()
        cfg = sampler_config(task, task.trees, record.columns, record.arena)
        self._sampler = TreeSampler(record.policy, cfg, seed=0, mesh=one_device())

    @property
    def occupancy(self) -> float:
        return self._sampler.stats.occupancy

    def run(self) -> list[SearchGrowth]:
        def receive(finished: Sequence[Finished]) -> None:
            self._search.receive([again.received(request, drawn) for again, request, drawn in finished])

        trees = [Again(self._record, growth) for growth in growths(self._record.task)]
        for _ in self._sampler.grow(trees, receive):
            pass
        return [again.growth for again in trees]


class OneByOne:
    """The reference's control flow: threads over trees, each of which asks for one expansion at a time and waits.

    A request is a prompt with the path to its node, read anew, and its samples are drawn together. Every thread has an
    engine of its own, with room for one request, so threads compute side by side; one thread is as good as many that
    share its engine, which serves one request after another.
    """

    def __init__(self, record: Recorded, threads: int):
        self._record, self._search, self._own = record, record.task.search(), local()
        self._pool = ThreadPoolExecutor(threads, initializer=self._make_engine)

    def run(self) -> list[SearchGrowth]:
        task = self._record.task
        alone = [SearchGrowth(p, SearchTree(task.tree), task.sampling) for p in task.examples]
        return list(self._pool.map(self._grow, alone))

    def _make_engine(self) -> None:
        task, answer = self._record.task, self._record.task.sampling.answer_tokens
        cfg = sampler_config(task, 1, prompt_columns(self._record.columns + answer), task.tree.samples * answer)
        self._own.sampler = TreeSampler(self._record.policy, cfg, seed=0, mesh=one_device())

    def _grow(self, growth: SearchGrowth) -> SearchGrowth:
        again = Again(self._record, growth)

        def receive(finished: Sequence[Finished]) -> None:
            self._search.receive([again.received(one.of, drawn) for one, _, drawn in finished])

        while requests := again.requests():
            for asked in requests:
                one = SingleBranch(again.key, (*again.prompt, *asked.path), replace(asked, path=()), of=asked)
                for _ in self._own.sampler.grow([one], receive):
                    pass
        return growth
