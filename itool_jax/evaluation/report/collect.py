"""collect: reads a run directory into RunResults, from its files alone."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from etils import epath

from itool_jax import files
from itool_jax.errors import UserError
from itool_jax.evaluation.exact_match import SetSummary
from itool_jax.evaluation.records import read_graded, read_summaries
from itool_jax.evaluation.report.results import (
    BASE,
    FAMILIES,
    OWN_PAIRS,
    WARMUP,
    Points,
    RunResults,
    SetResult,
    StageCost,
)
from itool_jax.evaluation.report.tree import DrawnTree, pick_tree
from itool_jax.metrics import read_metrics

MANIFEST, CONFIG, STATS = "manifest.json", "config.json", "stats.json"
_ROUND = re.compile(r"round_\d{3,}")
_SETS_FIRST = ("easy", "medium", "hard", "unseen_tools")
_DRAWN = (
    *("loss", "accuracy", "margin", "chosen_logprob", "rejected_logprob", "chosen_drift", "rejected_drift"),
    *("anchor_logprob", "kl", "out_of_clip"),
    *("grad_norm", "learning_rate", "tokens_per_s", "mfu", "memory_gib", "peak_memory_gib"),
    *("score", "self_evaluation"),
)
_BENCHMARKS = "benchmarks"
_HELDOUT = "heldout"  # metrics of the stage X/heldout are exact-match shares by set while X was training


def collect(run_dir: str | os.PathLike[str]) -> RunResults:
    """All that the run has so far; what is not there yet is left empty.

    Raises UserError where the directory holds no run, and for a file of it that cannot be read.
    """
    run = files.absolute(run_dir)
    if not any((run / name).exists() for name in (MANIFEST, CONFIG)):
        found = "is no folder" if not run.is_dir() else f"has neither {MANIFEST} nor {CONFIG}"
        raise UserError(f"{run} {found}: expected the directory of a run. Check --workdir, or start a run there first.")
    rounds = sorted(path.name for path in files.children(run) if _ROUND.fullmatch(path.name) and path.is_dir())
    stages = (BASE, WARMUP, *rounds, OWN_PAIRS)
    found = {stage: _evaluation(run / stage / "eval") | _benchmarks(run / stage) for stage in stages}
    evaluated = {stage: sets for stage, sets in found.items() if sets}
    tree_round, tree = _last_tree(run, rounds)
    return RunResults(
        name=run.name,
        stages=tuple(evaluated),
        sets=_by_set(evaluated),
        curves=_curves(run),
        costs=_costs(run),
        stats={name: stats for name in rounds if (stats := _read_object(run / name / STATS))},
        tree=tree,
        tree_round=tree_round,
        config=_read_object(run / CONFIG),
    )


def _evaluation(folder: epath.Path) -> dict[str, SetResult]:
    return {
        name: SetResult(summary, _outcomes(folder / f"{name}.jsonl", summary))
        for name, summary in read_summaries(folder).items()
    }


def _benchmarks(stage: epath.Path) -> dict[str, SetResult]:
    """Evaluations below stage/benchmarks, one folder a set; the official result files beside them are no set."""
    folder = stage / _BENCHMARKS
    found = [path for path in files.children(folder) if path.is_dir()]
    sets = [(path.name, result) for path in found for name, result in _evaluation(path).items() if name == path.name]
    return {name: replace(result, family=_family(name)) for name, result in sets}


def _family(name: str) -> str:
    return next((family for family in FAMILIES if name.startswith(f"{family}_")), "")


def _outcomes(path: epath.Path, summary: SetSummary) -> dict[str, bool] | None:
    if not path.exists():
        return None
    outcomes = {one.id: one.right for one in read_graded(path)}
    if (len(outcomes), sum(outcomes.values())) != (summary.count, summary.right):
        raise UserError(
            f"{path} has {sum(outcomes.values())} right answers of {len(outcomes)}, the summary.json beside it "
            f"{summary.right} of {summary.count}. They are written together, so one was changed: evaluate again."
        )
    return outcomes


def _by_set(evaluated: Mapping[str, Mapping[str, SetResult]]) -> dict[str, dict[str, SetResult]]:
    names = dict.fromkeys(name for sets in evaluated.values() for name in sets)
    known = [name for name in _SETS_FIRST if name in names]
    ordered = [*known, *(name for name in names if name not in known)]
    return {name: {stage: sets[name] for stage, sets in evaluated.items() if name in sets} for name in ordered}


def _curves(run: epath.Path) -> dict[str, dict[str, Points]]:
    points: dict[str, dict[str, list[tuple[int, float]]]] = {}
    for row in read_metrics(run):
        stage, _, last = str(row["stage"]).rpartition("/")
        heldout = last == _HELDOUT
        into = points.setdefault(stage if heldout else str(row["stage"]), {})
        for name, value in row.items():
            drawn = name not in ("stage", "step", "time") if heldout else name in _DRAWN
            if drawn and isinstance(value, int | float):
                into.setdefault(f"{_HELDOUT}/{name}" if heldout else name, []).append((int(row["step"]), float(value)))
    return {stage: {name: tuple(sorted(found)) for name, found in names.items()} for stage, names in points.items()}


def _costs(run: epath.Path) -> tuple[StageCost, ...]:
    stages = _read_object(run / MANIFEST).get("stages")
    costs = []
    for name, record in stages.items() if isinstance(stages, dict) else ():
        if isinstance(record, dict) and isinstance(seconds := record.get("seconds"), int | float):
            summary = record.get("summary")
            costs.append(StageCost(name, float(seconds), summary if isinstance(summary, dict) else {}))
    return tuple(costs)


def _last_tree(run: epath.Path, rounds: list[str]) -> tuple[str, DrawnTree | None]:
    for name in reversed(rounds):
        if (run / name / "trees").is_dir() and (tree := pick_tree(run / name / "trees")):
            return name, tree
    return "", None


def _read_object(path: epath.Path) -> dict[str, Any]:
    """The JSON object of a file, {} where there is none."""
    if not path.exists():
        return {}
    try:
        value = json.loads(path.read_bytes())
        if not isinstance(value, dict):
            raise ValueError(f"it holds {type(value).__name__}")
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is no JSON object ({error}): restore it, or give another --workdir.") from error
    return value
