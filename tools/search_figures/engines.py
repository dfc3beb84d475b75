"""Figures 1 and 2: tokens per second against other libraries, and against this engine with its sharing off."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from etils import epath

from itool_jax.models.hf import save_hf
from search_figures.measure import tokens_per_second
from search_figures.ours import TreeSide, UnsharedSide
from search_figures.served import ServedSide
from search_figures.workload import case

# Ratios to reach, by figure, case and side.
LIBRARY_TARGETS = {"A": {"transformers": 4.0, "tunix": 6.0}, "A2048": {"transformers": 6.0}}
UNSHARED_TARGETS = {"A": {"dense cache per branch": 3.0}, "A2048": {"dense cache per branch": 5.5}}


def libraries(
    cases: Sequence[str], repeats: int, transformers: str, tunix: str, say: Callable[[str], None]
) -> dict[str, Any]:
    """Figure 1. `transformers` and `tunix` are interpreters; without the latter Tunix is left out, and that is said."""
    return {name: _against_libraries(name, repeats, transformers, tunix, say) for name in cases}


def _against_libraries(
    name: str, repeats: int, transformers: str, tunix: str, say: Callable[[str], None]
) -> dict[str, Any]:
    one = case(name, repeats)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        save_hf(epath.Path(folder), one.policy)
        others = [ServedSide("transformers", transformers or sys.executable, folder, compiles=False)]
        if tunix:
            others.append(ServedSide("tunix", tunix, folder, compiles=True))
        for other in others:
            stack.enter_context(other)
        sides = [TreeSide(one.policy, one.workload), *others]
        result = tokens_per_second(sides, one.policy, one.workload, one.repeats, say)
    left_out = {} if tunix else {"tunix": "left out: --tunix-python names no environment with google-tunix==0.1.7"}
    versions = {other.name: other.versions for other in others}
    return {**result, "targets": LIBRARY_TARGETS.get(name, {}), "versions": versions, "left_out": left_out}


def unshared(cases: Sequence[str], repeats: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Figure 2."""
    return {name: _against_ourselves(name, repeats, say) for name in cases}


def _against_ourselves(name: str, repeats: int, say: Callable[[str], None]) -> dict[str, Any]:
    one = case(name, repeats)
    sides = [
        TreeSide(one.policy, one.workload),
        UnsharedSide(one.policy, per_branch=True),
        UnsharedSide(one.policy, per_branch=False),
    ]
    result = tokens_per_second(sides, one.policy, one.workload, one.repeats, say)
    return {**result, "targets": UNSHARED_TARGETS.get(name, {})}
