"""The charts of the report, each an SVG of its own size in CSS pixels at a phone's width."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from itool_jax.evaluation.exact_match import SetSummary, error_rank
from itool_jax.evaluation.report import wording
from itool_jax.evaluation.report.axes import Scale, log_ticks, thin, tick_label, ticks
from itool_jax.evaluation.report.markup import Markup, element, join
from itool_jax.evaluation.report.results import Change, Points

WIDTH = 300


def levels(summaries: Mapping[str, SetSummary]) -> Markup:
    """Exact match of one set over the stages, on a scale from 0 to 100 %."""
    height, left, right, top, bottom = 178, 30, 14, 16, 152
    y = Scale(0, 1, bottom, top)
    stages = [(stage, summary) for stage, summary in summaries.items() if summary.exact_match is not None]
    x = Scale(0, max(1, len(stages) - 1), left + 26, WIDTH - right - 22)
    marks, places = [], []
    for index, (stage, summary) in enumerate(stages):
        share, (low, high) = summary.exact_match or 0.0, summary.interval
        at = x(index) if len(stages) > 1 else (left + WIDTH - right) / 2
        places.append((at, y(share)))
        tip = (
            f"{wording.stage_label(stage)}: {wording.percent(share)} % ({wording.span((low, high))}), "
            f"{summary.right:,} of {summary.count:,}"
        )
        value = element(
            "text",
            wording.percent(share),
            class_="value",
            x=at - (9 if index == 0 else 0),
            y=y(high) - 7,
            text_anchor="middle",
        )
        marks.append(
            element(
                "g",
                element("title", tip),
                element("line", class_="interval", x1=at, x2=at, y1=y(low), y2=y(high)),
                element("circle", class_="dot", cx=at, cy=y(share), r=4),
                value if len(stages) <= 6 or index in (0, len(stages) - 1) else None,
                _label(_short(stage, len(stages)), at, bottom + 17),
            )
        )
    grid = [_gridline(y(tick), tick_label(100 * tick), left, WIDTH - right) for tick in (0, 0.25, 0.5, 0.75, 1)]
    line = _polyline(places, "curve")
    return _svg("Exact match over the stages", height, *grid, line, *marks)


def gains(changes: Mapping[str, Change], low: float, high: float) -> Markup:
    """Changes of one set since the reference stage as dots with intervals; low and high bound all sets' charts."""
    row, left, right, top = 30, 60, 62, 8
    bottom = top + row * len(changes)
    x = Scale(low, high, left, WIDTH - right)
    grid = [
        join(
            (
                element(
                    "line", class_="zero" if abs(tick) < 1e-12 else "grid", x1=x(tick), x2=x(tick), y1=top, y2=bottom
                ),
                _label(tick_label(100 * tick), x(tick), bottom + 15),
            )
        )
        for tick in ticks(low, high, 4)
    ]
    rows = []
    for index, (stage, change) in enumerate(changes.items()):
        y = top + row * (index + 0.5)
        tip = f"{wording.stage_label(stage)}: {wording.points(change.share)} points"
        interval = None
        if change.interval:
            tip += f" ({wording.points_span(change.interval)}); {change.gained} newly right, {change.lost} newly wrong"
            interval = element(
                "line", class_="interval", x1=x(change.interval[0]), x2=x(change.interval[1]), y1=y, y2=y
            )
        rows.append(
            element(
                "g",
                element("title", tip),
                _label(wording.stage_label(stage), left - 8, y + 4, "end"),
                interval,
                element("circle", class_="dot", cx=x(change.share), cy=y, r=4),
                element("text", wording.points(change.share), class_="value", x=WIDTH - 2, y=y + 4, text_anchor="end"),
                class_=("worse", "same", "better")[change.direction + 1],
            )
        )
    return _svg("Change in points", bottom + 22, *grid, *rows)


def gain_bounds(changes: Sequence[Change]) -> tuple[float, float]:
    """Bounds of an axis that holds all changes, their intervals and zero."""
    values = [0.0, *(change.share for change in changes)]
    values += [end for change in changes if change.interval for end in change.interval]
    margin = max(0.005, 0.04 * (max(values) - min(values)))
    return min(values) - margin, max(values) + margin


def error_bars(before: Mapping[str, int] | None, after: Mapping[str, int], most: int) -> Markup:
    """Wrong answers of one set by kind, before (outlined) over after (filled); bars of length `most` fill the width."""
    kinds = sorted(set(before or ()) | set(after), key=error_rank)
    row, left, right = 46 if before is not None else 36, 1, 4
    x = Scale(0, max(most, 1), 0, WIDTH - right - left)
    rows = []
    for index, kind in enumerate(kinds):
        top = index * row
        old, new = (before or {}).get(kind, 0), after.get(kind, 0)
        counts = f"{new:,}" if before is None else f"{old:,} → {new:,}"
        bars = [] if before is None else [_bar("before", left, top + 20, x(old), 7)]
        bars.append(_bar("after", left, top + (20 if before is None else 30), x(new), 8))
        rows.append(
            element(
                "g",
                element("title", f"{wording.set_label(kind)}: {counts}"),
                _label(wording.set_label(kind), 0, top + 13, "start"),
                element("text", counts, class_="value", x=WIDTH - 2, y=top + 13, text_anchor="end"),
                *bars,
            )
        )
    return _svg("Wrong answers by error kind", max(20, len(kinds) * row), *rows)


def curves(series: Sequence[tuple[str, Points]], *, follow_on: bool = False, wide_range: bool = False) -> Markup:
    """Metrics over steps: one line for each series, side by side in time where they `follow_on` one another.

    With `wide_range` the scale is logarithmic where the values are positive and span more than one power of ten.
    """
    height, left, right, top, bottom = 172, 38, 10, 16, 148
    placed, ends = _placed(series, follow_on)
    everything = [point for _, points in placed for point in points]
    if not everything:
        return _svg("No finite figures", 24, _label("no finite figures", WIDTH / 2, 16))
    low, high = min(value for _, value in everything), max(value for _, value in everything)
    logarithmic = wide_range and low > 0 and high > 10 * low
    pad = 0 if logarithmic else 0.06 * ((high - low) or abs(high) or 1)
    y = Scale(low - pad, high + pad, bottom, top, logarithmic)
    x = Scale(0, max(step for step, _ in everything), left, WIDTH - right)
    levels = log_ticks(low, high) if logarithmic else ticks(low - pad, high + pad, 4)
    parts = [_gridline(y(tick), tick_label(tick), left, WIDTH - right) for tick in levels]
    parts += [_label(tick_label(step), x(step), bottom + 16) for step in ticks(0, x.high, 4) if step.is_integer()]
    for (name, end), (_, start) in zip(ends, [("", 0.0), *ends], strict=False):
        if len(ends) > 1:
            parts.append(_label(name, (x(start) + x(end)) / 2, top - 5))
            parts.append(element("line", class_="grid", x1=x(start), x2=x(start), y1=top, y2=bottom))
    for index, (name, points) in enumerate(placed):
        style = "curve" if follow_on else f"curve series{index % 4}"
        parts.append(element("g", element("title", name), _polyline([(x(a), y(b)) for a, b in points], style)))
    return _svg("Training curve", height, *parts)


def _placed(
    series: Sequence[tuple[str, Points]], follow_on: bool
) -> tuple[list[tuple[str, list[tuple[float, float]]]], list[tuple[str, float]]]:
    """Each series thinned out and at its place in time, and where each ends if they follow one another."""
    placed, ends, begun = [], [], 0.0
    for name, points in series:
        finite = [(begun + step, value) for step, value in points if math.isfinite(value)]
        placed.append((name, thin(finite, 140)))
        if follow_on and points:
            begun += points[-1][0]
            ends.append((name, begun))
    return placed, ends


def share_bar(share: float) -> Markup:
    """A bar for a table cell."""
    bar = element("rect", class_="after", width=max(1.0, 100 * share), height=8, rx=2)
    return element("svg", bar, class_="bar", viewBox="0 0 100 8", width=100, height=8, aria_hidden="true")


def _bar(class_: str, x: float, y: float, width: float, height: float) -> Markup | None:
    return element("rect", class_=class_, x=x, y=y, width=max(2.0, width), height=height, rx=2) if width else None


def _svg(label: str, height: float, *children: Markup | None) -> Markup:
    return element("svg", *children, viewBox=f"0 0 {WIDTH} {height:.0f}", role="img", aria_label=label, class_="chart")


def _gridline(y: float, label: str, left: float, right: float) -> Markup:
    return join((element("line", class_="grid", x1=left, x2=right, y1=y, y2=y), _label(label, left - 6, y + 4, "end")))


def _label(text: str, x: float, y: float, anchor: str = "middle") -> Markup:
    return element("text", text, class_="label", x=x, y=y, text_anchor=anchor)


def _polyline(places: Sequence[tuple[float, float]], class_: str) -> Markup:
    if len(places) == 1:
        return element("circle", class_=f"{class_} lone", cx=places[0][0], cy=places[0][1], r=2)
    return element("polyline", class_=class_, points=" ".join(f"{x:.1f},{y:.1f}" for x, y in places))


def _short(stage: str, stages: int) -> str:
    label = wording.stage_label(stage)
    return label.replace("round ", "r") if stages > 5 else label
