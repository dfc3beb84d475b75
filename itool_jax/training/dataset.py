"""Rows of forests as Grain datasets: random access, reshuffled every epoch, resumable in the middle of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import grain
import jax
import numpy as np

from itool_jax.forest import Capacity, PackedForest, TokenTree, build_row, counted_capacity, pack


class SftRows:
    """Random access to packed rows of chains: item r is the PackedForest of row r, without the B axis.

    Rows are planned from the chains' lengths alone, so that `chains` may be read from disk row by row.
    """

    def __init__(
        self, chains: Sequence[TokenTree], row_tokens: int, lengths: tuple[np.ndarray, np.ndarray] | None = None
    ):
        """`lengths` are the tokens of each chain's prompt and answer, where they are known without reading it."""
        self._chains = chains
        if lengths is None:
            sizes, counted = [len(tree) for tree in chains], np.array([tree.counted for tree in chains], np.int64)
        else:
            sizes, counted = (lengths[0] + lengths[1]).tolist(), lengths[1].astype(np.int64)
        rows = pack(sizes, row_tokens)
        self._ends = np.cumsum([len(row) for row in rows], dtype=np.int64)
        self._places = np.fromiter((place for row in rows for place in row), np.int32, len(chains))
        fullest = 1 << (max(map(len, rows), default=1) - 1).bit_length()
        most = int(np.add.reduceat(counted[self._places], [0, *self._ends[:-1]]).max()) if rows else 0
        self._capacity = Capacity(row_tokens, 2 * fullest, fullest, counted_capacity(most, row_tokens))

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, row) -> PackedForest:
        end = self._ends[row]
        start = self._ends[row - 1] if row else 0
        return build_row([self._chains[int(place)] for place in self._places[start:end]], self._capacity)

    @property
    def empty(self) -> PackedForest:
        """A row without trees, which pads the last batch."""
        return build_row((), self._capacity)


def batched(
    rows: Any,
    *,
    epochs: int,
    rows_per_step: int,
    accumulate: int,
    seed: int,
    process: tuple[int, int] | None = None,
) -> grain.MapDataset:
    """Batches [A, B, ...] over `epochs` reshuffled passes; the end of one shares a batch with the start of the next.

    rows_per_step is A * B. Batch i is a function of (seed, i, process) alone, so a restart after step s goes on with
    the batches [s:], and whatever their number and A, all processes together read the same rows in it. Only the very
    last batch can be short; it is padded with rows that weigh nothing. Of several processes each reads its own rows of
    every batch and no others; `process` is this one's index and their count (`parallel.mesh.row_share`), JAX's by
    default.
    """
    index, count = process or (jax.process_index(), jax.process_count())
    if rows_per_step % (accumulate * count):
        raise ValueError(f"{rows_per_step} rows a step do not divide into {accumulate} parts on {count} hosts")

    def read(places: Sequence[int]) -> Any:
        mine = [rows[place] for place in places[index::count]]
        mine += [rows.empty] * (rows_per_step // count - len(mine))
        return jax.tree.map(lambda *x: np.stack(x).reshape(accumulate, -1, *x[0].shape), *mine)

    places = grain.MapDataset.range(len(rows)).shuffle(seed=seed).repeat(epochs)
    return places.batch(rows_per_step, drop_remainder=False, batch_fn=list).map(read)
