"""95 % intervals for shares of right answers and for their change."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

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


def bootstrap_mean(groups: Sequence[tuple[int, int]], resamples: int = 10_000, seed: int = 0) -> tuple[float, float]:
    """95 % percentile bootstrap interval of the mean of several groups' shares, each group (right, count), count > 0.

    Every resample draws each group's answers anew, with replacement and as many as there are. Of answers that are right
    or wrong that is a binomial number of right ones, so no answer is drawn by itself.
    """
    right, count = np.asarray(groups, float).T
    drawn = np.random.default_rng(seed).binomial(count.astype(int), right / count, (resamples, len(groups)))
    low, high = np.quantile((drawn / count).mean(axis=1), (0.025, 0.975))
    return float(low), float(high)


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
