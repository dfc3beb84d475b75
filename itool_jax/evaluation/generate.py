"""Greedy answers for evaluation, through the engine that the search samples with."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from itool_jax.data.prepared import Prepared
from itool_jax.sampling.sampler import Finished, Request, Sample, TreeSampler
from itool_jax.sampling.single import SingleBranch


def greedy_answers(
    sampler: TreeSampler,
    examples: Sequence[Prepared],
    budget: int,
    on_done: Callable[[Prepared, Sample], None] = lambda _prepared, _sample: None,
) -> list[Sample]:
    """The greedy answer of every example, in their order, each of at most `budget` tokens; on_done as each ends."""

    def receive(finished: Sequence[Finished]) -> None:
        for branch, _, (sample,) in finished:
            branch.sample = sample
            on_done(branch.of, sample)

    request = Request((), samples=1, budget=budget, temperature=0.0)
    answers = [SingleBranch(prepared.key, prepared.prompt, request, of=prepared) for prepared in examples]
    for _ in sampler.grow(answers, receive):
        pass
    samples = [answer.sample for answer in answers if answer.sample is not None]
    if len(samples) != len(answers):
        raise ValueError(f"{len(answers) - len(samples)} of {len(answers)} answers did not fit the sampler's arena")
    return samples
