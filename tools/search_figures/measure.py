"""Tokens per second of sides that sample, and that they compute the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import jax.numpy as jnp
import numpy as np

from itool_jax.errors import UserError
from itool_jax.models.generate import all_logits
from itool_jax.models.policy import Policy
from search_figures.workload import Samples, Workload
from side_by_side import alternate

NEAR = 1e-3  # logits this close to the largest may be the greedy choice of another order of summation


class Side(Protocol):
    """An engine that can compute a workload."""

    name: str

    def warm_up(self, workload: Workload) -> None: ...

    def run(self, workload: Workload) -> tuple[Samples, float]:
        """Every sample, and the seconds that they took."""
        ...


def tokens_per_second(
    sides: Sequence[Side], policy: Policy, workload: Workload, repeats: int, say: Callable[[str], None]
) -> dict[str, Any]:
    """Warms up, checks that the sides agree, then times them; ratios are the first side's speed over each other's."""
    for side in sides:
        side.warm_up(workload)
        say(f"{side.name} is warm")
    agreement = greedy_agreement(sides, policy, workload.sample(prompts=2))

    def timed(side: Side) -> Callable[[], float]:
        def run() -> float:
            samples, seconds = side.run(workload)
            count = sum(len(tokens) for tree in samples for branches in tree for tokens in branches)
            if count != workload.generated:
                raise UserError(f"{side.name} generated {count} tokens of the {workload.generated} asked for.")
            return seconds

        return run

    times = alternate({side.name: timed(side) for side in sides}, repeats, say)
    for one in times.values():
        one["tokens_per_second"] = workload.generated / one["median"]
    ours = times[sides[0].name]["median"]
    ratios = {side.name: times[side.name]["median"] / ours for side in sides[1:]}
    return {"sides": times, "ratios": ratios, "greedy": agreement, "sizes": workload.sizes(), "repeats": repeats}


def greedy_agreement(sides: Sequence[Side], policy: Policy, workload: Workload) -> dict[str, Any]:
    """Checks every greedy token of every side: given what that side wrote before, it has the largest logit, or nearly.

    The judge is the plain forward over the whole sequence. Raises UserError where a side takes another token. Returns
    how many tokens are those of the first side, and how far below the largest logit any token is.
    """
    answers = {side.name: _flat(side.run(workload)[0], workload) for side in sides}
    first = [token for _, tokens in answers[sides[0].name] for token in tokens]
    report = {}
    for name, sequences in answers.items():
        below = max(shortfall(policy, context, tokens) for context, tokens in sequences)
        if below > NEAR:
            raise UserError(
                f"{name} does not compute what this model computes: a greedy token's logit is {below:.3g} below the "
                f"largest (at most {NEAR} is rounding)."
            )
        own = [token for _, tokens in sequences for token in tokens]
        equal = sum(a == b for a, b in zip(first, own, strict=True))
        report[name] = {"equal": equal, "of": len(first), "below_largest": below}
    return report


def shortfall(policy: Policy, context: Sequence[int], tokens: Sequence[int]) -> float:
    """The most by which the logit of any of `tokens` after `context` falls short of the largest one there."""
    sequence = jnp.asarray([[*context, *tokens]], jnp.int32)
    logits = np.asarray(all_logits(policy, sequence)[0, len(context) - 1 : -1])
    return float(np.max(logits.max(-1) - logits[np.arange(len(tokens)), list(tokens)]))


def _flat(samples: Samples, workload: Workload) -> list[tuple[list[int], list[int]]]:
    """What each sample followed, and its tokens."""
    flat = []
    for prompt, expansions in zip(workload.prompts, samples, strict=True):
        context = list(prompt)
        for branches in expansions:
            flat += [(list(context), tokens) for tokens in branches]
            context += branches[0][: workload.stride]
    return flat
