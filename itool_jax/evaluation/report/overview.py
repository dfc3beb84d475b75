"""The table of whole benchmarks, and of all held-out sets together: what the terminal and the page both show."""

from __future__ import annotations

from dataclasses import dataclass

from itool_jax.data.difficulty import DIFFICULTIES
from itool_jax.evaluation.intervals import wilson
from itool_jax.evaluation.report import wording
from itool_jax.evaluation.report.results import Overall, RunResults

HEADS = ("Sets", "Stage", "Answers", "Per answer", "Per set", *map(str.capitalize, DIFFICULTIES))
NOTE = (
    "Right answers in per cent with 95\u00a0% intervals: of all answers together (Wilson), the mean of the sets' "
    "shares (Price and Bonett), and by difficulty (Wilson)."
)
Cell = tuple[str, str]


@dataclass(frozen=True)
class OverviewRow:
    """One benchmark at one stage. Each of `cells` is a share, and what stands below it: its interval, of how many."""

    sets: str
    stage: str
    answers: str
    cells: tuple[Cell, ...]


def overview(results: RunResults) -> list[OverviewRow]:
    """A row for each benchmark and stage that has answers."""
    found = [(family, stage, results.overall(family, stage)) for family in results.families for stage in results.stages]
    return [
        OverviewRow(wording.family_label(family), wording.stage_label(stage), f"{overall.count:,}", _cells(overall))
        for family, stage, overall in found
        if overall
    ]


def _cells(overall: Overall) -> tuple[Cell, ...]:
    return (
        (wording.percent(overall.share), wording.span(overall.interval)),
        (wording.percent(overall.mean), wording.span(overall.mean_interval)),
        *(_level(overall.difficulties.get(level)) for level in DIFFICULTIES),
    )


def _level(found: tuple[int, int] | None) -> Cell:
    if found is None:
        return "–", ""
    right, count = found
    return wording.percent(right / count), f"of {count:,}, {wording.span(wilson(right, count))}"
