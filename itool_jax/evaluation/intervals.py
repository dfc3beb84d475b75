"""95 % intervals for shares of right answers and for their change."""

from __future__ import annotations

import math
from collections.abc import Sequence

Z = 1.959963984540054  # 97.5 % quantile of the normal distribution


def wilson(right: int, count: int) -> tuple[float, float]:
    """95 % interval of a share right/count in [0, 1]; (0, 1) where nothing was counted.

    Wilson's score interval rather than a bootstrap: it is exact arithmetic that needs no seed, stays inside [0, 1], and
    keeps a sensible width at shares of 0 and 1, where a bootstrap's width is 0 (Wilson 1927; Newcombe 1998, method 3).
    """
    if count == 0:
        return 0.0, 1.0
    share = right / count
    centre = share + Z * Z / (2 * count)
    half = Z * math.sqrt(share * (1 - share) / count + (Z / (2 * count)) ** 2)
    scale = 1 + Z * Z / count
    low = 0.0 if right == 0 else (centre - half) / scale
    high = 1.0 if right == count else (centre + half) / scale
    return low, high


def mean_of_shares(groups: Sequence[tuple[int, int]]) -> tuple[float, float]:
    """95 % interval of the mean of several groups' shares, each group (right, count), count > 0; of one group Wilson's.

    Price and Bonett's adjusted Wald interval for a linear function of binomial shares (Computational Statistics & Data
    Analysis 45, 449, 2004): of m groups, each gets 2/m right answers and 4/m answers more. Groups that are all right or
    all wrong still count with a width, where a bootstrap of their answers has none. Joining the groups' Wilson
    intervals (MOVER) was tried too: of many groups with shares near 0 or 1 it covers 88 % instead of 95.
    """
    if len(groups) == 1:
        return wilson(*groups[0])
    m = len(groups)
    adjusted = [((right + 2 / m) / (count + 4 / m), count + 4 / m) for right, count in groups]
    centre = sum(share for share, _ in adjusted) / m
    half = Z / m * math.sqrt(sum(share * (1 - share) / count for share, count in adjusted))
    return max(0.0, centre - half), min(1.0, centre + half)


def paired_change(both: int, gained: int, lost: int, neither: int) -> tuple[float, float]:
    """95 % interval of the change of a share when the same examples are answered twice.

    both, neither  examples answered right both times, neither time
    gained, lost   examples right only after, only before

    Newcombe's hybrid score interval for paired shares (Statistics in Medicine 17, 2635, 1998, method 10): the Wilson
    intervals of the two shares, joined through the correlation of the two answers. At least one example is needed.
    """
    count = both + gained + lost + neither
    after, before = (both + gained) / count, (both + lost) / count
    after_low, after_high = wilson(both + gained, count)
    before_low, before_high = wilson(both + lost, count)
    correlation = _correlation(both, gained, lost, neither)

    def distance(a: float, b: float) -> float:
        return math.sqrt(max(0.0, a * a - 2 * correlation * a * b + b * b))

    change = after - before
    return (
        max(-1.0, change - distance(after - after_low, before_high - before)),
        min(1.0, change + distance(before - before_low, after_high - after)),
    )


def _correlation(both: int, gained: int, lost: int, neither: int) -> float:
    """Phi with the continuity correction of Newcombe's method 10; 0 where a margin is empty."""
    margins = (both + gained) * (lost + neither) * (both + lost) * (gained + neither)
    if margins == 0:
        return 0.0
    product = both * neither - gained * lost
    if product > 0:
        product = max(0.0, product - (both + gained + lost + neither) / 2)
    return product / math.sqrt(margins)
