"""Measuring sides against each other: in one run, in alternating order, medians; and the command that reports it."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax


def alternate(runs: Mapping[str, Callable[[], float]], repeats: int, say: Callable[[str], None]) -> dict[str, Any]:
    """By name the seconds of every repeat and their median; every other repeat takes the sides in reverse order."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for repeat in range(repeats):
        for name in list(runs)[:: -1 if repeat % 2 else 1]:
            seconds[name].append(runs[name]())
            say(f"repeat {repeat + 1} of {repeats}: {name} {seconds[name][-1]:.2f} s")
    return {name: {"seconds": values, "median": statistics.median(values)} for name, values in seconds.items()}


def report_figures(
    parser: argparse.ArgumentParser,
    arguments: Sequence[str],
    count: int,
    measured: Callable[[int, argparse.Namespace], dict[str, Any]],
) -> int:
    """Prints the figures that a command line asks for, all of 1 to `count` where it names none; returns exit status 0.

    `parser` has the tool's own options, and gets those that every tool of figures has.
    """
    parser.add_argument("--figure", type=int, action="append", choices=range(1, count + 1), help="all if none is named")
    parser.add_argument("--json", type=Path, help="also write the figures here, one after another as they are done")
    parser.add_argument("--repeats", type=int, default=5, help="of which medians are taken; SmolLM2 has 3 at most")
    parser.add_argument("--small", action="store_true", help="a tiny model and short texts, to see that all works")
    options = parser.parse_args(arguments)
    if options.repeats < 1:
        parser.error(f"--repeats is {options.repeats}, but a median needs at least 1")
    report = {"machine": machine(), "versions": versions(), "small": options.small, "figures": {}}
    for number in sorted(set(options.figure or range(1, count + 1))):
        figure = report["figures"][str(number)] = measured(number, options)
        show(number, figure)
        if options.json:
            options.json.parent.mkdir(parents=True, exist_ok=True)
            options.json.write_text(json.dumps(report, indent=1) + "\n")
    return 0


def show(number: int, figure: dict[str, Any]) -> None:
    """Every number of a figure, one a line, but for the seconds of single repeats."""
    for path, value in leaves(figure):
        if path[-1] != "seconds" or not isinstance(value, list):
            print(number, *path, f"{value:,.4g}" if isinstance(value, float) else value, flush=True)


def leaves(tree: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    if not isinstance(tree, dict):
        return [(path, tree)]
    return [leaf for key, value in tree.items() for leaf in leaves(value, (*path, str(key)))]


def versions() -> dict[str, str]:
    """Of this environment's parts that matter to speed."""
    packages = {name: version(name) for name in ("itool-jax", "jax", "jaxlib", "flax", "numpy")}
    return {"python": platform.python_version(), **packages}


def machine() -> dict[str, Any]:
    device = jax.devices()[0]
    return {
        "platform": platform.platform(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "device": device.device_kind,
        "backend": device.platform,
    }
