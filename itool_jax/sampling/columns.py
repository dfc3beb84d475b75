"""The host's book of one tree's arena: a trie from grown tokens to the columns that hold their keys and values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


class TreeColumns:
    """Which columns of a tree are live, reserved or free, and where each grown token is stored."""

    def __init__(self, columns: int):
        self._free = np.ones(columns, bool)
        self._children: dict[tuple[int, int], int] = {}
        self._column: list[int] = [-1]  # by trie node; node 0 is the prompt's end

    def find(self, path: Sequence[int]) -> list[int]:
        """Columns of the tokens of `path` below the prompt; raises KeyError where one was never stored."""
        node, found = 0, []
        for token in path:
            node = self._children[node, token]
            found.append(self._column[node])
        return found

    def reserve(self, count: int) -> int | None:
        """First of `count` free columns in a run, now taken; None where there is no such run."""
        taken = np.concatenate([[0], np.cumsum(~self._free)])
        if count > len(self._free):
            return None
        runs = np.flatnonzero(taken[count:] == taken[:-count])
        if not len(runs):
            return None
        self._free[runs[0] : runs[0] + count] = False
        return int(runs[0])

    def store(self, path: Sequence[int], tokens: Sequence[int], base: int, reserved: int) -> None:
        """Enters a finished sample: `tokens` below `path` stand in columns base, base + 1, ...

        Tokens that another sample brought before keep their first columns. What is not kept of the reserved columns
        becomes free, among them the last token's, which was sampled but never fed.
        """
        node = 0
        for token in path:
            node = self._children[node, token]
        self._free[base : base + reserved] = True
        for column, token in enumerate(tokens[:-1], base):
            child = self._children.get((node, token))
            if child is None:
                child = self._children[node, token] = len(self._column)
                self._column.append(column)
                self._free[column] = False
            node = child

    def compact(self) -> np.ndarray:
        """Moves live columns to the front; returns for each column the one whose content it takes.

        Only while no columns are reserved.
        """
        live = sorted(self._column[1:])
        order = np.concatenate([live, np.setdiff1d(np.arange(len(self._free)), live)]).astype(np.int32)
        place = {column: new for new, column in enumerate(live)}
        self._column = [-1, *(place[column] for column in self._column[1:])]
        self._free[:] = np.arange(len(self._free)) >= len(live)
        return order
