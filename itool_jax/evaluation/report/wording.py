"""How names and figures are written in a report."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from itool_jax.evaluation.exact_match import SetSummary
from itool_jax.evaluation.report.results import BASE, FAMILIES, WARMUP, Change, RunResults, StageCost

_UNSAFE = {code: chr(0x2400 + code) for code in range(32) if code not in (9, 10)} | {0x7F: "\u2421"}
_UNSAFE |= dict.fromkeys(
    [*range(0x80, 0xA0), 0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)], "\ufffd"
)
_UNSAFE |= dict.fromkeys([0x2028, 0x2029, 0xFEFF, 0xFFFE, 0xFFFF, *range(0xD800, 0xE000)], "\ufffd")
_ROUND = re.compile(r"round_0*(\d+)")
_NESTING = 6


def clean(text: str) -> str:
    """Text of unknown origin made safe to show: control, direction and half characters become visible signs."""
    return text.translate(_UNSAFE)


def stage_label(stage: str) -> str:
    """`round_000/search` as `round 0 · search`."""
    parts = [_ROUND.sub(r"round \1", part) if part != WARMUP else "warm-up" for part in stage.split("/")]
    return " · ".join(part.replace("_", " ") for part in parts)


def set_label(name: str) -> str:
    return name.replace("_", " ")


def family_label(family: str) -> str:
    """A benchmark's name; the held-out sets are the family ""."""
    return FAMILIES.get(family, "held-out sets")


def percent(share: float | None) -> str:
    """A share as per cent with one digit, without the sign."""
    return "–" if share is None else f"{100 * share:.1f}"


def points(share: float) -> str:
    """A difference of shares in percentage points, always with a sign."""
    text = f"{abs(100 * share):.1f}"
    return ("±" if text == "0.0" else "+" if share > 0 else "−") + text


def span(interval: tuple[float, float]) -> str:
    return f"{percent(interval[0])}–{percent(interval[1])}"


def cut_off(summary: SetSummary) -> str:
    """How many answers ran into their token limit; "" for none."""
    return f"{summary.unfinished:,} cut off" if summary.unfinished else ""


def points_span(interval: tuple[float, float]) -> str:
    return f"{points(interval[0])} to {points(interval[1])}"


def duration(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def figure(value: Any) -> str:
    """A count, number or other JSON value of a table."""
    if value is None or isinstance(value, str):
        return value or "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if value.is_integer() else f"{value:,.4g}"
    return json.dumps(value, ensure_ascii=False)


def flatten(values: Mapping[str, Any], prefix: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    """Every leaf of nested mappings by its path; what is nested very deeply stays one leaf."""
    leaves: dict[tuple[str, ...], Any] = {}
    for name, value in values.items():
        path = (*prefix, str(name))
        if isinstance(value, Mapping) and value and len(path) < _NESTING:
            leaves |= flatten(value, path)
        else:
            leaves[path] = value
    return leaves


def cost_note(cost: StageCost) -> str:
    """What a stage says of itself, on one line; its nested counts stand elsewhere."""
    plain = {name: value for name, value in cost.summary.items() if not isinstance(value, Mapping | list)}
    return " · ".join(f"{name.replace('_', ' ')} {figure(value)}" for name, value in plain.items())


def verdict(results: RunResults) -> str:
    """The run in one or two sentences."""
    if not results.sets:
        return "Nothing has been evaluated yet."
    name = "hard" if "hard" in results.sets else list(results.sets)[-1]
    stages = list(results.sets[name])
    first, last = stages[0], stages[-1]
    before = results.reference if results.reference in stages[:-1] else first
    change = results.change(name, before, last) if before != last else None
    end = results.sets[name][last].summary.exact_match
    if change is None:
        return f"On {set_label(name)}, exact match is {percent(end)}\u00a0% {_after(last)}."
    start = results.sets[name][before].summary.exact_match
    way = f"from {percent(start)}\u00a0% {_after(before)} to {percent(end)}\u00a0% {_after(last)}"
    return f"On {set_label(name)}, exact match went {way}: {points(change.share)} points{_evidence(change)}."


def _after(stage: str) -> str:
    return (
        "for the base model"
        if stage == BASE
        else "after the warm-up"
        if stage == WARMUP
        else f"after {stage_label(stage)}"
    )


def _evidence(change: Change) -> str:
    if change.interval is None:
        return ""
    return (
        f" (95\u00a0% interval {points_span(change.interval)}; "
        f"{change.gained} answers newly right, {change.lost} newly wrong)"
    )
