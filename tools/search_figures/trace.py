"""What a profiler's trace says of the time in which no program ran on any device."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import jax

from itool_jax.errors import UserError

_MARK = "measured"
_CPU_PROGRAM = "ThunkExecutor::Execute"  # on CPUs, where a device is threads of this process
_DEVICE_PROGRAMS = "XLA Modules"  # the line of an accelerator's programs

Interval = tuple[float, float]


def idle_seconds(run: Callable[[], object]) -> tuple[float, float]:
    """Runs something under the profiler; returns the seconds in which no device ran a program, and all seconds."""
    with tempfile.TemporaryDirectory() as folder:
        options = jax.profiler.ProfileOptions()
        options.python_tracer_level = 0
        options.host_tracer_level = 1
        jax.profiler.start_trace(folder, profiler_options=options)
        try:
            with jax.profiler.TraceAnnotation(_MARK):
                run()
        finally:
            jax.profiler.stop_trace()
        (file,) = Path(folder).rglob("*.xplane.pb")
        profile = jax.profiler.ProfileData.from_file(str(file))
        marks, programs = [], []
        for plane in profile.planes:
            for line in plane.lines:
                device = plane.name.startswith("/device:") and line.name == _DEVICE_PROGRAMS
                for event in line.events:
                    interval = (event.start_ns, event.start_ns + event.duration_ns)
                    if event.name == _MARK:
                        marks.append(interval)
                    elif device or event.name.startswith(_CPU_PROGRAM):
                        programs.append(interval)
    if len(marks) != 1 or not programs:
        raise UserError(
            f"the profiler's trace has {len(marks)} marks and {len(programs)} programs: nothing to measure."
        )
    (start, end) = marks[0]
    inside = [(max(a, start), min(b, end)) for a, b in programs if a < end and b > start]
    return (end - start - covered(inside)) / 1e9, (end - start) / 1e9


def covered(intervals: Iterable[Interval]) -> float:
    """Length of the union of intervals."""
    length, reached = 0.0, float("-inf")
    for start, end in sorted(intervals):
        length += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return length
