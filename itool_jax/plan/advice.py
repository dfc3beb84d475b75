"""What to change where a stage does not fit: settings that are tried, not guessed, each with what it would need then."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from jax.sharding import AbstractMesh, AxisType
from ml_collections import ConfigDict

from itool_jax.errors import UserError
from itool_jax.models.presets import preset
from itool_jax.parallel.mesh import AXES
from itool_jax.plan.plan import make_plan
from itool_jax.plan.target import Target

Settings = Mapping[str, Any]
_SHOWN = 4


@dataclass(frozen=True)
class Advice:
    """Settings of the config, and the bytes that each device would need with them, by the estimate."""

    settings: Settings
    needs: int
    fits: bool
    devices: int


def advise(config: ConfigDict, target: Target, stage: str, prompt: int | None) -> list[Advice]:
    """Single changes that make a stage fit, those that change least of the training first; else what helps together.

    The last resort is more devices. Every change is one that the run would take.
    """
    now = _needs(config, target, stage, prompt, {})
    tried = [advice for change in _changes(config, target, stage) if (advice := _try(config, target, stage, prompt, change))]
    if fitting := [advice for advice in tried if advice.fits]:
        return fitting[:_SHOWN]
    together: dict[str, Any] = {}
    best = now
    for advice in tried:
        more = _try(config, target, stage, prompt, {**together, **advice.settings})
        if more and more.needs < best:
            together, best = dict(more.settings), more.needs
            if more.fits:
                return [more]
    return _larger(config, target, stage, prompt)
