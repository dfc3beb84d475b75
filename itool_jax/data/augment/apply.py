"""Which examples are augmented how, and the counts of what was made and what was not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random

from itool_jax.data.augment.candidates import add_distractors, shuffle_tools
from itool_jax.data.augment.masking import mask_functions, mask_parameters
from itool_jax.data.augment.negatives import give_parameter, miss_parameter, take_tools_away
from itool_jax.data.augment.refusal import Refusal
from itool_jax.data.example import VARIANT, Example
from itool_jax.data.tally import Tally
from itool_jax.toolcall.types import Tool

Augmentation = Callable[[Example, Random, Sequence[Tool]], Example | Refusal]
KINDS: Mapping[str, Augmentation] = {
    "function_names": lambda example, rng, pool: mask_functions(example, rng),
    "parameter_names": lambda example, rng, pool: mask_parameters(example, rng),
    "shuffled_tools": lambda example, rng, pool: shuffle_tools(example, rng),
    "distractors": add_distractors,
    "irrelevant_tools": take_tools_away,
    "missing_parameter": lambda example, rng, pool: miss_parameter(example, rng),
    "given_parameter": lambda example, rng, pool: give_parameter(example, rng),
}
MASKS = ("function_names", "parameter_names")
NEED_POOL = ("distractors", "irrelevant_tools")


def augment(example: Example, kind: str, *, seed: int = 0, pool: Sequence[Tool] = ()) -> Example | Refusal:
    """The example augmented by one of KINDS, or why it cannot be; a function of its arguments alone.

    The new id is the old one with the kind behind a mark (`example.VARIANT`), and `meta["augmented"]` names the kind.
    """
    made = KINDS[kind](example, Random(f"{seed} {kind} {example.id}"), pool)
    if isinstance(made, Refusal):
        return made
    return replace(made, id=f"{example.id}{VARIANT}{kind}", meta={**example.meta, "augmented": kind})


@dataclass
class Augmenter:
    """Makes variants of a share of the examples, by kind.

    shares   by kind, the share of examples that get such a variant, from 0 to 1
    tally    counts the variants made, by kind, and by (kind, reason) those that could not be
    """

    shares: Mapping[str, float]
    seed: int = 0
    pool: Sequence[Tool] = ()
    tally: Tally = field(default_factory=Tally)

    def variants(self, example: Example) -> Iterator[Example]:
        """The variants of one example; which kinds it gets is decided by the seed and its id."""
        for kind, share in self.shares.items():
            if Random(f"{self.seed} share {kind} {example.id}").random() >= share:
                continue
            variant = augment(example, kind, seed=self.seed, pool=self.pool)
            if isinstance(variant, Refusal):
                self.tally.refused[kind, variant.reason] += 1
            else:
                self.tally.made[kind] += 1
                yield variant
