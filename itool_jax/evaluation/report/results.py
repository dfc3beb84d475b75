"""RunResults: all that a report shows of a run, as plain data."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from itool_jax.data.difficulty import DIFFICULTIES
from itool_jax.evaluation.exact_match import SetSummary
from itool_jax.evaluation.intervals import mean_of_shares, paired_change, wilson
from itool_jax.evaluation.report.tree import DrawnTree

BASE, WARMUP, OWN_PAIRS = "base", "warmup", "own_pairs"
Points = tuple[tuple[int, float], ...]
# Benchmarks, whose categories are sets: bfcl_simple_python, ...
FAMILIES = {"bfcl": "BFCL", "api_bank": "API-Bank", "toolworld": "Tool world"}


@dataclass(frozen=True)
class SetResult:
    """One set at one stage.

    outcomes  whether each example was answered right, by id; None where no file says so
    family    of a benchmark's category: the benchmark, a key of FAMILIES; "" for a held-out set
    """

    summary: SetSummary
    outcomes: Mapping[str, bool] | None = None
    family: str = ""


@dataclass(frozen=True)
class Overall:
    """All evaluated categories of a benchmark, or all held-out sets, together at one stage.

    right, count         answers
    interval             95 % Wilson interval of right / count
    mean, mean_interval  mean of the sets' shares, each counting the same, and its 95 % interval (Price and Bonett)
    difficulties         (right, count) by difficulty
    """

    right: int
    count: int
    interval: tuple[float, float]
    mean: float
    mean_interval: tuple[float, float]
    difficulties: Mapping[str, tuple[int, int]]

    @property
    def share(self) -> float:
        return self.right / self.count


@dataclass(frozen=True)
class Change:
    """How a set's exact match changed between two stages, as shares.

    interval      95 % paired interval; it and the next are None where the two stages answered different examples
    gained, lost  examples right only after, only before
    """

    share: float
    interval: tuple[float, float] | None = None
    gained: int | None = None
    lost: int | None = None

    @property
    def direction(self) -> int:
        """1 or -1 where the interval leaves out zero, else 0."""
        low, high = self.interval or (0.0, 0.0)
        return (low > 0) - (high < 0)


@dataclass(frozen=True)
class StageCost:
    """A finished stage of the manifest: wall-clock seconds, and what the stage says of itself."""

    name: str
    seconds: float
    summary: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class RunResults:
    """A run as far as it has got.

    name    of its directory
    stages  evaluated stages in order: "base", "warmup", "round_000", ..., "own_pairs"
    sets    by set name, by stage
    curves  training metrics by stage name of metrics.jsonl ("round_000/prefer"), by metric: (step, value) ascending;
            the metric "heldout/<set>" is that set's exact match while the stage was training
    costs   finished stages in order of completion
    stats   nested counts of each round that left some
    tree    one search tree of the last round that grew any, and the name of that round
    config  of the run, as JSON values
    """

    name: str
    stages: tuple[str, ...] = ()
    sets: Mapping[str, Mapping[str, SetResult]] = field(default_factory=dict)
    curves: Mapping[str, Mapping[str, Points]] = field(default_factory=dict)
    costs: tuple[StageCost, ...] = ()
    stats: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    tree: DrawnTree | None = None
    tree_round: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)

    def summary(self, name: str, stage: str) -> SetSummary | None:
        result = self.sets[name].get(stage)
        return result.summary if result else None

    @property
    def families(self) -> tuple[str, ...]:
        """The benchmarks of which some category was evaluated; "" first where held-out sets were."""
        found = {result.family for stages in self.sets.values() for result in stages.values()}
        return tuple(family for family in ("", *FAMILIES) if family in found)

    def overall(self, family: str, stage: str) -> Overall | None:
        """A benchmark's sets together (the held-out ones for ""); None where the stage answered none of them."""
        found = [stages[stage] for stages in self.sets.values() if stage in stages]
        summaries = [result.summary for result in found if result.family == family and result.summary.count]
        if not summaries:
            return None
        groups = [(summary.right, summary.count) for summary in summaries]
        right, count = (sum(column) for column in zip(*groups, strict=True))
        levels = {
            level: [s.difficulties[level] for s in summaries if level in s.difficulties] for level in DIFFICULTIES
        }
        return Overall(
            right=right,
            count=count,
            interval=wilson(right, count),
            mean=sum(r / c for r, c in groups) / len(groups),
            mean_interval=mean_of_shares(groups),
            difficulties={level: (sum(r for r, _ in g), sum(c for _, c in g)) for level, g in levels.items() if g},
        )

    def change(self, name: str, before: str, after: str) -> Change | None:
        """The change of a set from one stage to another; None where either has no figure."""
        first, second = self.sets[name].get(before), self.sets[name].get(after)
        if not first or not second or first.summary.exact_match is None or second.summary.exact_match is None:
            return None
        share = second.summary.exact_match - first.summary.exact_match
        if first.outcomes is None or second.outcomes is None or first.outcomes.keys() != second.outcomes.keys():
            return Change(share)
        pairs = [(right, second.outcomes[key]) for key, right in first.outcomes.items()]
        both, gained, lost = pairs.count((True, True)), pairs.count((False, True)), pairs.count((True, False))
        interval = paired_change(both, gained, lost, len(pairs) - both - gained - lost)
        return Change(share, interval, gained, lost)

    @property
    def reference(self) -> str | None:
        """The stage that later ones are held against: the warm-up once a round stands after it, else the first."""
        if WARMUP in self.stages[:-1]:
            return WARMUP
        return self.stages[0] if len(self.stages) > 1 else None

    def ends(self, name: str) -> tuple[str | None, str]:
        """The reference, where the set has it and a later stage, and the last stage that the set has."""
        last = [stage for stage in self.stages if stage in self.sets[name]][-1]
        return (self.reference if self.reference in self.sets[name] and self.reference != last else None), last

    @property
    def later(self) -> tuple[str, ...]:
        """The stages after the reference."""
        return self.stages[self.stages.index(self.reference) + 1 :] if self.reference else ()


def to_json(results: RunResults) -> dict[str, Any]:
    """The figures as JSON values, by set and stage, and for whole benchmarks by stage.

    sets          exact-match share
    errors        wrong answers by error kind
    intervals     95 % interval of the share
    difficulties  [right, count] by difficulty
    unfinished    answers that ran into their token limit
    overall       by benchmark ("heldout" for the held-out sets): share and mean over categories, with intervals
    """
    summaries = {
        name: {stage: result.summary for stage, result in stages.items()} for name, stages in results.sets.items()
    }

    def each(value: Callable[[SetSummary], Any]) -> dict[str, dict[str, Any]]:
        return {name: {stage: value(s) for stage, s in stages.items()} for name, stages in summaries.items()}

    figures = {
        "sets": each(lambda summary: summary.exact_match),
        "errors": each(lambda summary: dict(summary.errors)),
        "intervals": each(lambda summary: summary.interval),
        "difficulties": each(lambda summary: dict(summary.difficulties)),
        "unfinished": each(lambda summary: summary.unfinished),
        "overall": {
            family or "heldout": {
                stage: {**asdict(overall), "share": overall.share}
                for stage in results.stages
                if (overall := results.overall(family, stage))
            }
            for family in results.families
        },
    }
    return json.loads(json.dumps(figures))  # tuples as lists
