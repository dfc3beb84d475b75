"""Rows of forests as Grain datasets: random access, reshuffled every epoch, resumable in the middle of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import grain
import jax
import numpy as np

from itool_jax.forest import TokenTree, build_row, capacity_for, pack


class SftRows:
    """Random access to packed rows of trees: item r is the PackedForest of row r, without the B axis."""

    def __init__(self, trees: Sequence[TokenTree], row_tokens: int):
        self._trees = trees
        self._rows = pack([len(tree) for tree in trees], row_tokens)
        self._capacity = capacity_for(trees, self._rows, row_tokens)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, row):
        return build_row([self._trees[t] for t in self._rows[row]], self._capacity)

    @property
    def empty(self):
        """A row without trees, which pads the last batch."""
        return build_row((), self._capacity)


def batched(rows: Any, *, epochs: int, rows_per_step: int, accumulate: int, seed: int) -> grain.MapDataset:
    """Batches [A, B, ...] over `epochs` reshuffled passes; the end of one shares a batch with the start of the next.

    rows_per_step is A * B. Only the very last batch can be short; it is padded with rows that weigh nothing. Of several
    processes each reads its own part of every batch.
    """
    if rows_per_step % (accumulate * jax.process_count()):
        raise ValueError(
            f"{rows_per_step} rows a step do not divide into {accumulate} parts on {jax.process_count()} hosts"
        )

    def stack(items: Sequence[Any]) -> Any:
        items = [*items, *[rows.empty] * (rows_per_step - len(items))]
        mine = items[jax.process_index() :: jax.process_count()]
        return jax.tree.map(lambda *x: np.stack(x).reshape(accumulate, -1, *x[0].shape), *mine)

    passes = grain.MapDataset.source(rows).shuffle(seed=seed).repeat(epochs)
    return passes.batch(rows_per_step, drop_remainder=False, batch_fn=stack)
