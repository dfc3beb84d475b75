"""Continuations of prompts without a thought for trees, arenas and columns."""

from __future__ import annotations

import math
from collections.abc import Sequence

from jax.sharding import Mesh

from itool_jax.errors import UserError
from itool_jax.forest import batches, bucket, chain
from itool_jax.models.policy import Policy
from itool_jax.parallel.mesh import batch_divisor, make_mesh
from itool_jax.sampling.requests import Finished, Request, Sample
from itool_jax.sampling.sampler import SamplerConfig, TreeSampler, prompt_columns
from itool_jax.sampling.single import SingleBranch
from itool_jax.training.logprobs import score_rows

_BRANCHES = 4  # samples of one prompt in flight at once


class Sampler:
    """Samples continuations of prompts from one policy; what a call compiled serves the next ones of like sizes."""

    def __init__(
        self,
        policy: Policy,
        stop_tokens: Sequence[int] = (),
        *,
        seed: int = 0,
        trees: int = 16,
        mesh: Mesh | None = None,
    ):
        """`trees` prompts are on the devices at once, or the next multiple that divides over them."""
        self._policy, self._stops, self._seed = policy, tuple(stop_tokens), seed
        self._mesh = mesh or make_mesh()
        divisor = batch_divisor(self._mesh)
        self._trees = -(-trees // divisor) * divisor
        self._engine: TreeSampler | None = None

    def sample(self, prompts: Sequence[Sequence[int]], request: Request) -> list[list[Sample]]:
        """The samples that the request wants of every prompt, in the order of the prompts; all are token ids.

        The seed, a prompt's number, and the request's node and expansion determine the randomness: the same call gives
        the same samples. Raises UserError where a prompt is empty or leaves the model no room for its budget.
        """
        if request.path:
            raise UserError(f"a request below a path of {len(request.path)} tokens: put them at the prompts' ends.")
        self._check(prompts, [request.budget] * len(prompts))
        if not prompts:
            return []
        branches = [SingleBranch(number, prompt, request) for number, prompt in enumerate(prompts)]
        answers: dict[int, list[Sample]] = {}

        def receive(finished: Sequence[Finished]) -> None:
            answers.update((branch.key, samples) for branch, _, samples in finished)

        for _ in self._engine_for(max(map(len, prompts)), request).grow(branches, receive):
            pass
        return [answers[number] for number in range(len(prompts))]

    def perplexities(self, prompts: Sequence[Sequence[int]], answers: Sequence[Sequence[int]]) -> list[float]:
        """exp(-(1/n) sum_t log pi(answer_t | prompt, answer_<t)) of each prompt's answer.

        Nothing is sampled: packed rows are read in one forward each. Raises UserError as `sample` does.
        """
        if len(prompts) != len(answers):
            raise UserError(f"{len(prompts)} prompts and {len(answers)} answers: give each prompt one answer.")
        lengths = [len(answer) for answer in answers]
        if 0 in lengths:
            raise UserError(f"answer {lengths.index(0)} is empty: give at least one token.")
        self._check(prompts, lengths)
        if not prompts:
            return []
        trees = [chain(prompt, answer) for prompt, answer in zip(prompts, answers, strict=True)]
        found = [0.0] * len(trees)
        for forest, placements in batches(trees, bucket(max(map(len, trees))), self._trees):
            sums, counts = score_rows(self._policy, forest)
            for tree, row, completion in placements:
                found[tree] = math.exp(-sums[row, completion] / counts[row, completion])
        return found

    def _check(self, prompts: Sequence[Sequence[int]], answer_lengths: Sequence[int]) -> None:
        context = self._policy.config.context
        for number, (prompt, length) in enumerate(zip(prompts, answer_lengths, strict=True)):
            if not prompt:
                raise UserError(f"prompt {number} is empty: give at least one token.")
            if len(prompt) + length > context:
                raise UserError(
                    f"prompt {number} has {len(prompt)} tokens, which with an answer of {length} is more than the "
                    f"model's {context}."
                )

    def _engine_for(self, longest: int, request: Request) -> TreeSampler:
        """The engine there is, or a larger one."""
        needed = SamplerConfig(
            trees=self._trees,
            branches=min(request.samples, _BRANCHES),
            prompt_columns=prompt_columns(longest),
            arena_columns=request.samples * request.budget,
            stop_tokens=self._stops,
        )
        if self._engine is not None:
            has = self._engine.cfg
            sizes = ("branches", "prompt_columns", "arena_columns")
            if all(getattr(has, size) >= getattr(needed, size) for size in sizes):
                return self._engine
            self._engine = None  # so that its arena is gone before the next one is made
        self._engine = TreeSampler(self._policy, needed, seed=self._seed, mesh=self._mesh)
        return self._engine
