"""Preference pairs as packed forests: all pairs of a prompt share one tree, and one tree lies in one row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from itool_jax.forest import TokenTree, batches, branch, build_row, capacity_for, pack
from itool_jax.models.policy import Policy
from itool_jax.training.logprobs import score_rows
from itool_jax.training.objectives import PreferenceBatch


@dataclass(frozen=True)
class TokenPair:
    """`chosen` and `rejected` continue the group's prompt and `prefix`; all are token ids.

    reference  summed log-probs of the two sides under the reference policy; None until they are known
    """

    prefix: tuple[int, ...]
    chosen: tuple[int, ...]
    rejected: tuple[int, ...]
    reference: tuple[float, float] | None = None


@dataclass(frozen=True)
class PairGroup:
    """The pairs of one prompt, and its ground-truth answer where that is trained on beside them.

    anchor  token ids of the answer; () for none
    """

    id: str
    prompt: tuple[int, ...]
    pairs: tuple[TokenPair, ...]
    anchor: tuple[int, ...] = ()

    def tree(self) -> TokenTree:
        """Completion 2 i is the chosen side of pair i, 2 i + 1 its rejected side; the anchor, if any, comes last."""
        paths = []
        for pair in self.pairs:
            paths.extend(((*self.prompt, *pair.prefix), side) for side in (pair.chosen, pair.rejected))
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
            pairs = tuple(
                replace(pair, reference=(float(sums[row, first + 2 * i]), float(sums[row, first + 2 * i + 1])))
                for i, pair in enumerate(groups[g].pairs)
            )
            known[g] = replace(groups[g], pairs=pairs)
    return known


class PreferenceRows:
    """Random access to rows of pair trees: item r is the PreferenceBatch of row r, without the B axis."""

    def __init__(self, groups: Sequence[PairGroup], row_tokens: int):
        """Raises ValueError where a group's tree is longer than a row, or lacks reference log-probs."""
        self._groups = groups
        self._trees = [group.tree() for group in groups]
        self._rows = pack([len(tree) for tree in self._trees], row_tokens)
        self._capacity = capacity_for(self._trees, self._rows, row_tokens)
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
        C = self._capacity.completions
        pairs = np.zeros((max(1, C // 2), 2), np.int32)
        weight = np.zeros(len(pairs), np.float32)
        reference, anchor = np.zeros(C, np.float32), np.zeros(C, np.float32)
        completion = count = 0
        for group in (self._groups[t] for t in trees):
            for pair in group.pairs:
                pairs[count], weight[count] = (completion, completion + 1), 1.0
                reference[completion : completion + 2] = pair.reference
                completion, count = completion + 2, count + 1
            if group.anchor:
                anchor[completion] = 1.0
                completion += 1
        forest = build_row([self._trees[t] for t in trees], self._capacity)
        return PreferenceBatch(forest, pairs, weight, reference, anchor)
