"""Greedy answers for evaluation, through the engine that the search samples with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import astuple

from itool_jax.data.prepared import Prepared
from itool_jax.parallel import processes
from itool_jax.sampling.sampler import Finished, Request, Sample, TreeSampler
from itool_jax.sampling.single import SingleBranch


def greedy_answers(
    sampler: TreeSampler,
    examples: Sequence[Prepared],
    budget: int,
    on_done: Callable[[Prepared, Sample], None] = lambda _prepared, _sample: None,
) -> list[Sample]:
    """The greedy answer of every example, in their order, each of at most `budget` tokens; on_done as each ends.

    Several processes answer together, each its share, and tell each other at the end; on_done is called for all.
    """

    def receive(finished: Sequence[Finished]) -> None:
        for branch, _, (sample,) in finished:
            branch.sample = sample
            if not processes.several():
                on_done(branch.of, sample)

    request = Request((), samples=1, budget=budget, temperature=0.0)
    answers = [SingleBranch(prepared.key, prepared.prompt, request, of=prepared) for prepared in examples]
    for _ in sampler.grow(processes.own_share(answers), receive):
        pass
    if processes.several():
        own = [astuple(answer.sample) if answer.sample else None for answer in processes.own_share(answers)]
        for number, theirs in enumerate(processes.gathered(own)):
            for answer, found in zip(answers[number :: processes.count()], theirs, strict=True):
                if found is not None:
                    answer.sample = Sample(tuple(found[0]), tuple(found[1]), found[2])
                    on_done(answer.of, answer.sample)
    samples = [answer.sample for answer in answers if answer.sample is not None]
    if len(samples) != len(answers):
        raise ValueError(f"{len(answers) - len(samples)} of {len(answers)} answers did not fit the sampler's arena")
    return samples
