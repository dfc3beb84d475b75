"""Preferences as packed forests: all pairs or lists of a prompt share one tree, and one tree lies in one row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from itool_jax.forest import TokenTree, batches, branch, build_row, capacity_for, completion_places, pack
from itool_jax.models.policy import Policy
from itool_jax.training.logprobs import logprob_rows
from itool_jax.training.objectives import PreferenceBatch


@dataclass(frozen=True)
class TokenPreference:
    """`sides` continue the group's prompt and `prefix`, best first; all are token ids.

    ranks      of the sides: 0 for the best, the same for sides that are not compared with each other
    reference  log-probs of the sides' tokens under the reference policy; None until they are known
    weight     what it counts in the loss
    values     of the sides, Q or rewards; () where nobody has valued them
    """

    prefix: tuple[int, ...]
    sides: tuple[tuple[int, ...], ...]
    ranks: tuple[int, ...] = (0, 1)
    reference: tuple[tuple[float, ...], ...] | None = None
    weight: float = 1.0
    values: tuple[float, ...] = ()


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
        logprobs = logprob_rows(policy, forest)
        for g, row, first in placements:
            pairs = []
            for pair in groups[g].pairs:
                stop = first + len(pair.sides)
                places = [completion_places(forest.node[row], forest.select[row], c) for c in range(first, stop)]
                pairs.append(replace(pair, reference=tuple(tuple(logprobs[row, at].tolist()) for at in places)))
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
        self._most_pairs = max((sum(len(groups[t].pairs) for t in row) for row in self._rows), default=0) or 1
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
        forest = build_row([self._trees[t] for t in trees], self._capacity)
        sides = np.zeros((self._most_pairs, self._most_sides), np.int32)
        ranks, values = np.full_like(sides, -1), np.zeros(sides.shape, np.float32)
        weight = np.zeros(len(sides), np.float32)
        counts, reference = np.zeros_like(forest.weight), np.zeros_like(forest.weight)
        anchor = np.zeros(self._capacity.completions, np.float32)
        completion = count = 0
        for group in (self._groups[t] for t in trees):
            for pair in group.pairs:
                own = count, slice(len(pair.sides))
                sides[own] = range(completion, completion + len(pair.sides))
                ranks[own], values[own], weight[count] = pair.ranks, pair.values or 0.0, pair.weight
                for logprobs in pair.reference or ():
                    places = completion_places(forest.node, forest.select, completion)
                    counts[places] += 1.0
                    reference[places] = logprobs
                    completion += 1
                count += 1
            if group.anchor:
                anchor[completion] = 1.0
                completion += 1
        return PreferenceBatch(forest._replace(weight=counts), sides, ranks, values, weight, reference, anchor)
