"""Progress of long stages on stderr: a live bar on a terminal, one line before and one after elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

_quiet = False


def be_quiet() -> None:
    """Lets this process show nothing from now on: another one of the same run does."""
    global _quiet
    _quiet = True


class Bar:
    """Counts what is done; `shown` are the latest figures that stand beside the bar, such as loss=1.23."""

    def __init__(self, done: float, live: Progress | None = None, task: TaskID | None = None):
        self.done = done
        self.shown: dict[str, str] = {}
        self._live, self._task = live, task

    def advance(self, amount: float = 1, **shown: float | str) -> None:
        """Adds `amount` to what is done. Call it from one thread, as often as you like."""
        self.done += amount
        self.shown |= {name: _figure(value) for name, value in shown.items()}
        if self._live and self._task is not None:
            self._live.update(self._task, completed=self.done, shown=_pairs(self.shown))


@contextmanager
def progress(
    title: str,
    total: float | None = None,
    unit: str = "steps",
    *,
    done: float = 0,
    cost: str = "",
    console: Console | None = None,
) -> Iterator[Bar]:
    """A bar for one stage: `with progress("Searching", total=64, unit="trees") as bar: bar.advance(1, reward=0.4)`.

    total  None where it is unknown
    done   what a resumed stage has done already; it doesn't count in the speed
    cost   what the stage will take, said beforehand
    """
    console = console or _stderr()
    started = time.monotonic()
    if console.is_terminal:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            _Count(),
            _Speed(),
            TimeElapsedColumn(),
            _Left(),
            TextColumn("{task.fields[shown]}"),
        )
        with Progress(*columns, console=console) as live:
            title = f"{title} ({cost})" if cost else title
            task = live.add_task(title, total=total, unit=unit, begun_at=done, shown="")
            live.update(task, completed=done)
            yield Bar(done, live, task)
        return
    bar = Bar(done)
    amount = "" if total is None else f"{_figure(total)} {unit}"
    amount += f" of which {_figure(done)} are done" if done else ""
    _line(console, f"{title}: {', '.join(filter(None, (amount, cost))) or 'begun'}")
    try:
        yield bar
    finally:
        stopped = sys.exc_info()[0] is not None
        of = f" of {_figure(total)}" if total is not None and bar.done != total else ""
        seconds = time.monotonic() - started
        speed = f", {_figure((bar.done - done) / seconds)} {unit}/s" if bar.done > done and seconds > 0 else ""
        figures = f"; {_pairs(bar.shown)}" if bar.shown else ""
        end = "stopped after" if stopped else "done,"
        _line(console, f"{title}: {end} {_figure(bar.done)}{of} {unit} in {seconds:.1f} s{speed}{figures}")


def note(text: str, *, console: Console | None = None) -> None:
    """One line for the person who watches, above any bar."""
    _line(console or _stderr(), text)


def _stderr() -> Console:
    return Console(stderr=True, quiet=_quiet)


class _Count(ProgressColumn):
    def render(self, task: Task) -> Text:
        total = "" if task.total is None else f"/{_figure(task.total)}"
        left = "" if task.total is None else f", {_figure(max(0, task.total - task.completed))} left"
        return Text(f"{_figure(task.completed)}{total} {task.fields['unit']}{left}")


class _Speed(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = _speed(task)
        return Text(f"{_figure(speed)} {task.fields['unit']}/s" if speed else "")


class _Left(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = _speed(task)
        if not speed or task.total is None or task.finished:
            return Text("")
        return Text(f"{timedelta(seconds=round((task.total - task.completed) / speed))} to go")


def _speed(task: Task) -> float:
    """Units a second since the stage began or was resumed: long units make rich's own window of 30 seconds empty."""
    return (task.completed - task.fields["begun_at"]) / task.elapsed if task.elapsed else 0.0


def _line(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _pairs(shown: dict[str, str]) -> str:
    return " ".join(f"{name}={value}" for name, value in shown.items())


def _figure(value: float | str) -> str:
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.4g}"
