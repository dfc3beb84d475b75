"""Figure 3: trees per second of a whole search, against the control flow of the reference algorithm.

The policy is checkpoints/tiny_base, which knows the tool world: random weights write no calls, end no answers, and so
grow no trees. Both sides select by PUCT, cut fragments and grade with the same code, and draw from the same engine.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
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
from itool_jax.sampling.sampler import Finished, SamplerConfig, TreeSampler, prompt_columns
from itool_jax.sampling.single import SingleBranch
from itool_jax.search.search import SamplingConfig, Search, SearchGrowth
from itool_jax.search.tree import SearchConfig, SearchTree
from search_figures.measure import alternate
from search_figures.ours import one_device

BASE = Path(__file__).parents[2] / "checkpoints" / "tiny_base"
TARGET = 4.0
SAME = 0.9  # of the trees have to be the same: rounding may turn a token here and there


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


def whole_search(task: Task, repeats: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Trees per second of both sides, and their ratio."""
    sides = {"itool_jax": Together(task), "reference control flow": OneByOne(task)}
    grown = {}
    for name, side in sides.items():
        grown[name] = {growth.key: fragments(growth) for growth in side.run()}
        say(f"{name} is warm")
    same = sum(grown["itool_jax"][key] == tree for key, tree in grown["reference control flow"].items())
    if same < SAME * len(task.examples):
        raise UserError(f"only {same} of {len(task.examples)} trees of the two sides are the same.")

    def timed(side: Together | OneByOne) -> Callable[[], float]:
        def run() -> float:
            start = time.monotonic()
            count = len(side.run())
            seconds = time.monotonic() - start
            if count != len(task.examples):
                raise UserError(f"{count} trees were grown for {len(task.examples)} examples.")
            return seconds

        return run

    times = alternate({name: timed(side) for name, side in sides.items()}, repeats, say)
    for one in times.values():
        one["trees_per_second"] = len(task.examples) / one["median"]
    ratio = times["reference control flow"]["median"] / times["itool_jax"]["median"]
    return {
        "sides": times,
        "ratios": {"reference control flow": ratio},
        "targets": {"reference control flow": TARGET},
        "same_trees": same,
        "sizes": sizes(task),
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

    def __init__(self, task: Task):
        self._task, self._search = task, task.search()
        cfg = SamplerConfig(
            trees=task.trees,
            branches=task.tree.samples,
            prompt_columns=task.columns,
            arena_columns=task.tree.iterations * task.tree.samples * task.sampling.answer_tokens,
            stop_tokens=(task.dialect.end_of_turn,),
        )
        self._sampler = TreeSampler(task.policy, cfg, seed=0, mesh=one_device())

    def run(self) -> list[SearchGrowth]:
        return list(self._search.run(self._sampler, self._task.examples))


class OneByOne:
    """The reference's control flow: threads over trees, each of which asks for one expansion at a time and waits.

    A request is a prompt with the path to its node, read anew, and its samples are drawn together. Every thread has an
    engine of its own, with room for one request, so threads compute side by side.
    """

    def __init__(self, task: Task):
        self._task, self._search, self._own = task, task.search(), local()
        self._pool = ThreadPoolExecutor(task.threads, initializer=self._make_engine)

    def run(self) -> list[SearchGrowth]:
        return list(self._pool.map(self._grow, self._task.examples))

    def _make_engine(self) -> None:
        task = self._task
        cfg = SamplerConfig(
            trees=1,
            branches=task.tree.samples,
            prompt_columns=prompt_columns(task.columns + task.sampling.answer_tokens),
            arena_columns=task.tree.samples * task.sampling.answer_tokens,
            stop_tokens=(task.dialect.end_of_turn,),
        )
        self._own.sampler = TreeSampler(task.policy, cfg, seed=0, mesh=one_device())

    def _grow(self, prepared: Prepared) -> SearchGrowth:
        growth = SearchGrowth(prepared, SearchTree(self._task.tree), self._task.sampling)

        def receive(finished: Sequence[Finished]) -> None:
            self._search.receive([(one.of[0], one.of[1], samples) for one, _, samples in finished])

        while requests := growth.requests():
            for asked in requests:
                prompt, request = (*growth.prompt, *asked.path), replace(asked, path=())
                one = SingleBranch(growth.key, prompt, request, of=(growth, asked))
                for _ in self._own.sampler.grow([one], receive):
                    pass
        return growth
