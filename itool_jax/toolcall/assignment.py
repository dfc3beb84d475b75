"""Exact assignment of a few rows to columns, the Hungarian method on integers."""

from __future__ import annotations

from collections.abc import Sequence


def best_assignment(weights: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
    """Pairs (row, column) of the greatest total weight, every row or every column used, sorted by row.

    Exact for integers of any size and deterministic; O(n^2 m) for n <= m rows and columns.
    """
    if not weights or not weights[0]:
        return []
    if len(weights) > len(weights[0]):
        transposed = [list(column) for column in zip(*weights, strict=True)]
        return sorted((row, column) for column, row in best_assignment(transposed))
    return sorted(_cheapest([[-weight for weight in row] for row in weights]))


def _cheapest(costs: list[list[int]]) -> list[tuple[int, int]]:
    """Shortest augmenting paths with row and column potentials; row and column 0 are sentinels."""
    rows, columns = len(costs), len(costs[0])
    row_potential, column_potential = [0] * (rows + 1), [0] * (columns + 1)
    row_of = [0] * (columns + 1)
    for row in range(1, rows + 1):
        row_of[0], column = row, 0
        slack: list[int | None] = [None] * (columns + 1)
        previous, used = [0] * (columns + 1), [False] * (columns + 1)
        while row_of[column]:
            used[column] = True
            here, step, nearest = row_of[column], None, 0
            for other in range(1, columns + 1):
                if used[other]:
                    continue
                reduced = costs[here - 1][other - 1] - row_potential[here] - column_potential[other]
                known = slack[other]
                if known is None or reduced < known:
                    slack[other], previous[other] = reduced, column
                    known = reduced
                if step is None or known < step:
                    step, nearest = known, other
            assert step is not None
            for other in range(columns + 1):
                known = slack[other]
                if used[other]:
                    row_potential[row_of[other]] += step
                    column_potential[other] -= step
                elif known is not None:
                    slack[other] = known - step
            column = nearest
        while column:
            row_of[column] = row_of[previous[column]]
            column = previous[column]
    return [(row_of[column] - 1, column - 1) for column in range(1, columns + 1) if row_of[column]]
