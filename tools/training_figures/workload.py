"""What is trained on: trees of pairs right below random prompts, or rows of real conversations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from itool_jax.data.chat import format_for
from itool_jax.data.prepared import Dialect
from itool_jax.data.sources import read_source
from itool_jax.data.tokenizer import Tokenizer
from itool_jax.forest import TokenTree, chain
from itool_jax.training.preference_data import PairGroup, TokenPreference


@dataclass(frozen=True)
class Pairs:
    """Trees of random tokens: a prompt, and pairs of fragments below it that share no beginning. Sizes are counts."""

    prompt: int
    trees: int = 4
    pairs: int = 8
    fragment: int = 24

    def groups(self, vocabulary: int) -> list[PairGroup]:
        """The trees, with references of 0."""
        rng, nothing = np.random.default_rng(0), ((0.0,) * self.fragment,) * 2
        groups = []
        for tree in range(self.trees):
            prompt = tuple(rng.integers(1, vocabulary, self.prompt).tolist())
            sides = rng.integers(1, vocabulary, (2 * self.pairs, self.fragment))
            sides[:, 0] = rng.choice(np.arange(1, vocabulary), len(sides), replace=False)
            ids = [tuple(side) for side in sides.tolist()]
            pairs = [TokenPreference((), pair, reference=nothing) for pair in zip(ids[::2], ids[1::2], strict=True)]
            groups.append(PairGroup(str(tree), prompt, tuple(pairs)))
        return groups

    @property
    def count(self) -> int:
        return self.trees * self.pairs

    @property
    def row_tokens(self) -> int:
        """Of a row that one tree fills."""
        return self.prompt + 2 * self.pairs * self.fragment

    def sizes(self) -> dict[str, int]:
        return asdict(self)


CASES = {"B": Pairs(512), "B2048": Pairs(2048)}
SMALL = Pairs(prompt=24, trees=2, pairs=3, fragment=4)


def conversations(folder: Path, tokenizer: Path, vocabulary: int, longest: int) -> list[TokenTree]:
    """Seal-Tools' conversations as a real tokenizer cuts them, prompt and answer; ids are folded into the vocabulary.

    Those of more than `longest` tokens are left out: neither side trains on them.
    """
    cutter = Tokenizer.load(tokenizer)
    dialect = Dialect(cutter, format_for(cutter))
    trees = []
    for example in read_source("seal_tools", folder, skip_bad=True).items:
        prepared = dialect.prepare(example)
        if len(prepared.prompt) + len(prepared.answer) <= longest:
            trees.append(chain(_folded(prepared.prompt, vocabulary), _folded(prepared.answer, vocabulary)))
    return trees


def random_conversations(count: int, prompt: int, answer: int, vocabulary: int) -> list[TokenTree]:
    """Conversations of random tokens and about these lengths."""
    rng = np.random.default_rng(0)
    part = lambda tokens: rng.integers(1, vocabulary, rng.integers(tokens // 2, tokens + 1)).tolist()
    return [chain(part(prompt), part(answer)) for _ in range(count)]


def _folded(ids: Sequence[int], vocabulary: int) -> list[int]:
    return [1 + token % (vocabulary - 1) for token in ids]
