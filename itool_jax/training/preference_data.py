"""Preferences as packed forests: all pairs or lists of a prompt share one tree, and one tree lies in one row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from itool_jax.forest import TokenTree, batches, branch, build_row, capacity_for, pack
from itool_jax.models.policy import Policy
from itool_jax.training.logprobs import score_rows
from itool_jax.training.objectives import PreferenceBatch


@dataclass(frozen=True)
class TokenPreference:
    """`sides` continue the group's prompt and `prefix`, best first; all are token ids.

    ranks      of the sides: 0 for the best, the same for sides that are not compared with each other
    reference  summed log-probs of the sides under the reference policy; None until they are known
    weight     what it counts in the loss
    """

    prefix: tuple[int, ...]
    sides: tuple[tuple[int, ...], ...]
    ranks: tuple[int, ...] = (0, 1)
    reference: tuple[float, ...] | None = None
    weight: float = 1.0


@dataclass(frozen=True)
class PairGroup:
    """The preferences of one prompt, and its ground-truth answer where that is trained on beside them.

    pairs   pairs, or lists of more sides
    anchor  token ids of the answer; () for none
    """

    id: str
    prompt: tuple[int, ...]
    pairs: tuple[TokenPreference, ...]
    anchor: tuple[int, ...] = ()

    def tree(self) -> TokenTree:
        """The completions are the sides of the first pair, then those of the next; the anchor, if any, comes last."""
        paths = []
        for pair in self.pairs:
            paths.extend(((*self.prompt, *pair.prefix), side) for side in pair.sides)
        if self.anchor:
            paths.append((self.prompt, self.anchor))
        return branch(paths)


def fitting_rows(groups: Sequence[PairGroup], row_tokens: int) -> list[PairGroup]:
    """The groups as far as their trees fit a row: whole, else without the anchor, else the anchor alone, else not."""
    fitting = []
    for group in groups:
        for part in (group, replace(group, anchor=()), replace(group, pairs=())):
            if (part.pairs or part.anchor) and len(part.tree()) <= row_tokens:
                fitting.append(part)
                break
    return fitting


def with_reference(policy: Policy, groups: Sequence[PairGroup], row_tokens: int, rows: int) -> list[PairGroup]:
    """The groups with their log-probs under `policy`, the policy at the start of the round."""
    known = list(groups)
    for forest, placements in batches([group.tree() for group in groups], row_tokens, rows):
        sums, _ = score_rows(policy, forest)
        for g, row, first in placements:
            pairs = []
            for pair in groups[g].pairs:
                stop = first + len(pair.sides)
                pairs.append(replace(pair, reference=tuple(sums[row, first:stop].tolist())))
                first = stop
            known[g] = replace(groups[g], pairs=tuple(pairs))
    return known


class PreferenceRows:
    """Random access to rows of pair trees: item r is the PreferenceBatch of row r, without the B axis."""

    def __init__(self, groups: Sequence[PairGroup], row_tokens: int):
        """Raises ValueError where a group's tree is longer than a row, or lacks reference log-probs."""
        self._groups = groups
        self._trees = [group.tree() for group in groups]
        self._rows = pack([len(tree) for tree in self._trees], row_tokens)
        self._capacity = capacity_for(self._trees, self._rows, row_tokens)
        self._most_sides = max((len(pair.sides) for group in groups for pair in group.pairs), default=2)
        if any(pair.reference is None for group in groups for pair in group.pairs):
            raise ValueError("pairs without reference log-probs: pass them through with_reference first")

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, row) -> PreferenceBatch:
        return self._build(self._rows[row])

    @property
    def empty(self) -> PreferenceBatch:
        """A row without pairs, which pads the last batch."""
        return self._build(())

    def _build(self, trees: Sequence[int]) -> PreferenceBatch:
        C, M = self._capacity.completions, self._most_sides
        sides, ranks = np.zeros((max(1, C // 2), M), np.int32), np.full((max(1, C // 2), M), -1, np.int32)
        weight = np.zeros(len(sides), np.float32)
        reference, anchor = np.zeros(C, np.float32), np.zeros(C, np.float32)
        completion = count = 0
        for group in (self._groups[t] for t in trees):
            for pair in group.pairs:
                stop = completion + len(pair.sides)
                sides[count, : len(pair.sides)] = range(completion, stop)
                ranks[count, : len(pair.sides)], weight[count] = pair.ranks, pair.weight
                reference[completion:stop] = pair.reference
                completion, count = stop, count + 1
            if group.anchor:
                anchor[completion] = 1.0
                completion += 1
        forest = build_row([self._trees[t] for t in trees], self._capacity)
        return PreferenceBatch(forest, sides, ranks, weight, reference, anchor)
