"""Measuring sides against each other: in one run, in alternating order, medians; and what a report says of it all."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Callable, Mapping
from importlib.metadata import version
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
