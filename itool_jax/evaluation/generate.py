"""Greedy answers for evaluation, through the engine that the search samples with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from itool_jax.data.prepared import Prepared
from itool_jax.sampling.sampler import Finished, Request, Sample, TreeSampler


@dataclass
class _Answer:
    """A tree with a single greedy branch."""

    prepared: Prepared
    budget: int
    sample: Sample | None = None
    asked: bool = False

    @property
    def key(self) -> int:
        return self.prepared.key

    @property
    def prompt(self) -> Sequence[int]:
        return self.prepared.prompt

    def requests(self) -> Sequence[Request]:
        if self.asked:
            return ()
        self.asked = True
        return (Request((), samples=1, budget=self.budget, temperature=0.0),)


def greedy_answers(
    sampler: TreeSampler,
    examples: Sequence[Prepared],
    budget: int,
    on_done: Callable[[Prepared, Sample], None] = lambda _prepared, _sample: None,
) -> list[Sample]:
    """The greedy answer of every example, in their order, each of at most `budget` tokens; on_done as each ends."""

    def receive(finished: Sequence[Finished]) -> None:
        for growth, _, (sample,) in finished:
            growth.sample = sample
            on_done(growth.prepared, sample)

    answers = [_Answer(prepared, budget) for prepared in examples]
    for _ in sampler.grow(answers, receive):
        pass
    samples = [answer.sample for answer in answers if answer.sample is not None]
    if len(samples) != len(answers):
        raise ValueError(f"{len(answers) - len(samples)} of {len(answers)} answers did not fit the sampler's arena")
    return samples
