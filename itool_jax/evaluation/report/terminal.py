"""show: a run's figures as tables in the terminal."""

from __future__ import annotations

from collections.abc import Mapping

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from itool_jax.evaluation.exact_match import error_rank
from itool_jax.evaluation.report import wording
from itool_jax.evaluation.report.overview import HEADS, overview
from itool_jax.evaluation.report.results import BASE, Change, RunResults

_COLUMNS_MAX = 6  # sets that stand side by side
_COLOURS = {1: "green", 0: "dim", -1: "red"}


def show(results: RunResults, console: Console) -> None:
    """Prints exact match, its changes, error kinds before and after, and what the stages took."""
    console.print(Text(wording.clean(f"{results.name}: {wording.verdict(results)}"), style="bold"), soft_wrap=False)
    if results.sets:
        console.print(_exact_match(results))
        for before in dict.fromkeys((BASE, results.reference)):
            if before in results.stages[:-1]:
                console.print(_changes(results, before))
        console.print(_overall(results))
        console.print(_errors(results))
    if results.costs:
        total = sum(cost.seconds for cost in results.costs)
        console.print(_text(f"{len(results.costs)} finished stages took {wording.duration(total)}."))


def _exact_match(results: RunResults) -> Table:
    table = _table("Exact match in %, with 95\u00a0% intervals (Wilson)", "set", "examples", *_labels(results.stages))
    for name, stages in results.sets.items():
        summaries = [result.summary for result in stages.values()]
        skipped = max(summary.skipped_too_long for summary in summaries)
        count = f"{max(summary.count for summary in summaries):,}" + (f"\n{skipped:,} too long" if skipped else "")
        cells = []
        for stage in results.stages:
            summary = results.summary(name, stage)
            if summary is None:
                cells.append(_text("–"))
                continue
            below = "\n".join(filter(None, (wording.span(summary.interval), wording.cut_off(summary))))
            cells.append(_two_lines(wording.percent(summary.exact_match), below))
        table.add_row(_text(wording.set_label(name)), _text(count), *cells)
    return table


def _overall(results: RunResults) -> Table:
    first, _, _, *others = HEADS
    table = _table("All sets together in %, with 95\u00a0% intervals (per set: Price and Bonett)", first, *others)
    for row in overview(results):
        cells = [_two_lines(share, below.replace(", ", "\n")) for share, below in row.cells]
        table.add_row(_text(f"{row.sets}, {row.stage}\n{row.answers} answers"), *cells)
    return table


def _changes(results: RunResults, before: str) -> Table:
    later = results.stages[results.stages.index(before) + 1 :]
    title = f"Change from {wording.stage_label(before)}, in points, with 95\u00a0% paired intervals"
    table = _table(title, "set", *_labels(later))
    for name in results.sets:
        table.add_row(
            _text(wording.set_label(name)), *(_change(results.change(name, before, stage)) for stage in later)
        )
    return table


def _change(change: Change | None) -> Text:
    if change is None:
        return _text("–")
    colour = _COLOURS[change.direction]
    return _two_lines(
        wording.points(change.share), wording.points_span(change.interval) if change.interval else "", colour
    )


def _errors(results: RunResults) -> Table:
    before, after = results.reference, results.stages[-1]
    title = (
        f"Wrong answers by error kind, {wording.stage_label(before)} → {wording.stage_label(after)}"
        if before
        else "Wrong answers by error kind"
    )
    summaries = {
        _label_at_end(results, name): [results.summary(name, stage) for stage in results.ends(name) if stage]
        for name in results.sets
    }
    kinds = {kind for found in summaries.values() for summary in found if summary for kind in summary.errors}
    counts = {
        label: {
            kind: " → ".join(f"{summary.errors.get(kind, 0):,}" for summary in found if summary)
            for kind in sorted(kinds, key=error_rank)
        }
        for label, found in summaries.items()
    }
    if len(counts) > _COLUMNS_MAX:
        return _errors_in_lines(title, counts)
    table = _table(title, "error kind", *counts)
    for kind in sorted(kinds, key=error_rank):
        table.add_row(_text(wording.set_label(kind)), *(_text(of[kind]) for of in counts.values()))
    return table


def _label_at_end(results: RunResults, name: str) -> str:
    """The set, and where it was not evaluated to the end of the run, its last stage."""
    last = results.ends(name)[1]
    return wording.set_label(name) + ("" if last == results.stages[-1] else f", {wording.stage_label(last)}")


def _errors_in_lines(title: str, counts: Mapping[str, Mapping[str, str]]) -> Table:
    """A line for each set, where they are too many for columns; kinds that it does not have are left out."""
    table = Table(title=_text(title), box=box.SIMPLE_HEAD, title_justify="left", title_style="bold", pad_edge=False)
    table.add_column("set")
    table.add_column("error kinds")
    for label, of in counts.items():
        told = [f"{wording.set_label(kind)} {count}" for kind, count in of.items() if set(count) & set("123456789")]
        table.add_row(_text(label), _text(" · ".join(told) or "–"))
    return table


def _table(title: str, first: str, *others: str) -> Table:
    table = Table(title=_text(title), box=box.SIMPLE_HEAD, title_justify="left", title_style="bold", pad_edge=False)
    table.add_column(_text(first))
    for other in others:
        table.add_column(_text(other), justify="right")
    return table


def _labels(stages: tuple[str, ...]) -> list[str]:
    return [wording.stage_label(stage) for stage in stages]


def _two_lines(main: str, below: str, colour: str = "") -> Text:
    return Text.assemble((main, colour or "bold"), ("\n" + below if below else "", "dim"), justify="right")


def _text(text: str) -> Text:
    return Text(wording.clean(text))
