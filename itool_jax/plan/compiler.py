"""What the TPU compiler says of a program: its memory and time, its collectives, or that it does not fit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import jax

from itool_jax.plan.hlo import Collective, ProgramText
from itool_jax.plan.target import Target

_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_USED = re.compile(r"Used ([\d.]+)([KMGT]?) of|required for HLO temporaries \(([\d.]+)([KMGT]?)\)")


@dataclass(frozen=True)
class Compiled:
    """A program that the compiler took; sizes in bytes on each device.

    peak         most that is held at once, arguments included: what has to be less than the memory
    seconds      its own estimate of a call, of the cycles of every operation, loops as often as they run
    looped       those of `seconds` inside loops: a step of a decode round, whose loop counts as one turn
    untimed      calls of kernels and other operations that it has no estimate of, and that `seconds` is without
    collectives  by kind, of one call
    """

    arguments: int
    peak: int
    seconds: float | None
    looped: float | None
    untimed: int
    collectives: Mapping[str, Collective]


@dataclass(frozen=True)
class OutOfMemory:
    """A program that the compiler refused.

    used     bytes that it would need, where the compiler says
    message  the compiler's own words
    """

    used: int | None
    message: str


def compile_program(traced: jax.stages.Traced, target: Target) -> Compiled | OutOfMemory:
    """Compiles a traced program for the target's devices, which need not be there."""
    try:
        compiled = traced.lower().compile()
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        return OutOfMemory(_used(str(error)), str(error))
    memory, text = compiled.memory_analysis(), ProgramText(compiled.as_text() or "")
    assert memory is not None, "the TPU compiler tells what memory its programs take"
    if target.chip is None or not text.cycles:
        seconds = looped = None
    else:
        seconds, looped = text.cycles / target.chip.clock, text.loop_cycles / target.chip.clock
    return Compiled(
        memory.argument_size_in_bytes, memory.peak_memory_in_bytes, seconds, looped, text.untimed, text.collectives
    )


def _used(message: str) -> int | None:
    if (match := _USED.search(message)) is None:
        return None
    number, unit = match[1] or match[3], match[2] or match[4] or ""
    return round(float(number) * _UNITS[unit])
