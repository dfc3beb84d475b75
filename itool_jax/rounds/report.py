"""The report of a run: a table in the terminal, report.html in the run directory, or the figures as JSON."""

from __future__ import annotations

import json as json_format

from rich.console import Console

from itool_jax.evaluation import report
from itool_jax.parallel import processes
from itool_jax.progress import note
from itool_jax.rounds.run_directory import RunDirectory


def command(run: RunDirectory, json: bool) -> None:
    if json:
        print(json_format.dumps(report.to_json(report.collect(run.path)), indent=1))
    else:
        write(run)


def write(run: RunDirectory) -> None:
    """Prints the table and writes report.html, in one process of a run."""
    if not processes.is_first():
        return
    results = report.collect(run.path)
    report.show(results, Console())
    report.write_html(results, run.path / "report.html")
    note(f"the report is {run.path / 'report.html'}")
