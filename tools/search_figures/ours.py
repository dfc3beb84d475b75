"""The sides of this project: the tree sampler as searches use it, and the same engine with its sharing off."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import jax
from jax.sharding import Mesh

from itool_jax.models.policy import Policy
from itool_jax.parallel.mesh import make_mesh
from itool_jax.sampling.sampler import Finished, Request, SamplerConfig, TreeSampler
from search_figures.workload import Samples, Tokens, Workload, expand


@dataclass
class Expansions:
    """A growth that asks for the expansions of a workload one after another."""

    key: int
    prompt: Sequence[int]
    workload: Workload
    path: Tokens = field(default_factory=list)
    samples: list[list[Tokens]] = field(default_factory=list)

    def requests(self) -> Sequence[Request]:
        w, number = self.workload, len(self.samples)
        if number == w.expansions:
            return ()
        return (Request(tuple(self.path), w.branches, w.tokens, number, 0, w.temperature),)

    def take(self, drawn: list[Tokens]) -> None:
        self.samples.append(drawn)
        self.path.extend(drawn[0][: self.workload.stride])


def one_device() -> Mesh:
    """The first device: all sides compute on one."""
    return make_mesh(devices=jax.devices()[:1])


def sampler_for(policy: Policy, workload: Workload) -> TreeSampler:
    """A sampler just large enough for all trees of the workload at once."""
    cfg = SamplerConfig(
        trees=len(workload.prompts),
        branches=workload.branches,
        prompt_columns=workload.prompt_tokens,
        arena_columns=workload.expansions * workload.branches * workload.tokens,
        stop_tokens=(),
    )
    return TreeSampler(policy, cfg, seed=0, mesh=one_device())


def grow(sampler: TreeSampler, workload: Workload) -> tuple[Samples, float]:
    """Every sample of the workload, and the seconds that they took."""

    def receive(finished: Sequence[Finished]) -> None:
        for growth, _, samples in finished:
            growth.take([list(sample.tokens) for sample in samples])

    growths = [Expansions(key, prompt, workload) for key, prompt in enumerate(workload.prompts)]
    start = time.monotonic()
    for _ in sampler.grow(growths, receive):
        pass
    return [growth.samples for growth in growths], time.monotonic() - start


class TreeSide:
    """The tree sampler: a prompt is read once, and every expansion finds its path in the tree's arena."""

    name = "itool_jax"

    def __init__(self, policy: Policy, workload: Workload):
        self._sampler = sampler_for(policy, workload)

    def warm_up(self, workload: Workload) -> None:
        self.run(workload)

    def run(self, workload: Workload) -> tuple[Samples, float]:
        return grow(self._sampler, workload)


class UnsharedSide:
    """The engine with sharing off: no expansion knows of another, so each reads the prompt and its path again.

    per_branch  every branch has a tree of its own, which is a dense cache, and reads the prompt itself, as the rows of
                transformers' generate do; else the branches of an expansion share one reading and one arena
    There is a sampler for each depth, just as wide as the expansions there need, so that nothing is padded.
    """

    def __init__(self, policy: Policy, per_branch: bool):
        self.name = "dense cache per branch" if per_branch else "prompt read per expansion"
        self._policy, self._per_branch, self._seconds = policy, per_branch, 0.0
        self._samplers: dict[int, TreeSampler] = {}

    def warm_up(self, workload: Workload) -> None:
        """Makes the samplers, as large as this workload."""
        self.run(workload)

    def run(self, workload: Workload) -> tuple[Samples, float]:
        self._seconds = 0.0
        return expand(self._generate, workload), self._seconds

    def _generate(
        self, sequences: Sequence[Tokens], branches: int, tokens: int, temperature: float
    ) -> list[list[Tokens]]:
        rows, together = (branches, 1) if self._per_branch else (1, branches)
        prompts = tuple(tuple(sequence) for sequence in sequences for _ in range(rows))
        one = Workload(prompts, 1, together, tokens, 0, temperature)
        if one.prompt_tokens not in self._samplers:
            self._samplers[one.prompt_tokens] = sampler_for(self._policy, one)
        samples, seconds = grow(self._samplers[one.prompt_tokens], one)
        self._seconds += seconds
        drawn = [branch for expansions in samples for branch in expansions[0]]
        return [drawn[start : start + branches] for start in range(0, len(drawn), branches)]
