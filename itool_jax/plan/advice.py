"""What to change where a stage does not fit: settings that are tried on the estimate, each with what it would need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from jax.sharding import AbstractMesh, AxisType
from ml_collections import ConfigDict

from itool_jax.config import round_config
from itool_jax.config_loading import flatten
from itool_jax.errors import UserError
from itool_jax.parallel.mesh import AXES
from itool_jax.plan.plan import make_plan
from itool_jax.plan.target import Target
from itool_jax.rounds.base_model import base_shape

_SHOWN = 4
_GROUPS = {"sft": "warmup", "score": "warmup", "search": "round.search", "prefer": "round.prefer"}
Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Advice:
    """Settings of the config, and the bytes that a device would need for the stage with them on so many devices."""

    settings: Settings
    devices: int
    needs: int
    fits: bool

    def __str__(self) -> str:
        chosen = " ".join(f"--config.{key}={value}" for key, value in self.settings.items())
        return f"{chosen} on {self.devices} devices"


def advise(config: ConfigDict, target: Target, stage: str, prompt: int | None) -> list[Advice]:
    """Changes that make a stage fit by the estimate: single ones, else several together, else more devices.

    The gentlest come first. Where nothing helps, what helps most.
    """

    def tried(settings: Settings) -> Advice | None:
        try:
            return _tried(config, target, stage, prompt, settings)
        except UserError:  # rows, trees or devices that do not divide, prompts longer than rows: no advice
            return None

    singles = [advice for settings in _changes(config, target, stage) if (advice := tried(settings))]
    if fitting := [advice for advice in singles if advice.fits]:
        return fitting[:_SHOWN]
    best = tried({})
    for single in singles:
        if best is not None and not best.fits:
            both = tried({**best.settings, **single.settings})
            best = both if both and both.needs < best.needs else best
    for times in (2, 4, 8, 16):
        if best is not None and not best.fits:
            more = tried({**best.settings, **_on_more(config, target, stage, times)})
            best = more if more and more.needs < best.needs else best
    return [best] if best is not None else []


def _on_more(config: ConfigDict, target: Target, stage: str, times: int) -> Settings:
    """Parameters over so many times as many devices, with as few rows or trees on each as there can be."""
    shape, cfg = target.mesh.shape, _settings_of(config, stage)
    divisor = times * shape["data"] * shape["fsdp"]
    mesh = {"mesh.data": 1, "mesh.fsdp": divisor, "mesh.tensor": shape["tensor"]}
    if stage == "search":
        return {**mesh, f"{_GROUPS[stage]}.trees": -(-cfg.trees // divisor) * divisor}
    accumulate = max(cfg.rows * cfg.accumulate // divisor, 1)
    return {**mesh, f"{_GROUPS[stage]}.rows": divisor, f"{_GROUPS[stage]}.accumulate": accumulate}


def _settings_of(config: ConfigDict, stage: str) -> ConfigDict:
    return round_config(config, 0)[stage] if _GROUPS[stage].startswith("round.") else config.warmup


def _tried(config: ConfigDict, target: Target, stage: str, prompt: int | None, settings: Settings) -> Advice:
    changed = config.copy_and_resolve_references()
    with changed.unlocked():
        changed.update_from_flattened_dict(dict(settings))
    cfg, shape = changed.mesh, target.mesh.shape
    sizes = tuple(cfg[axis] if f"mesh.{axis}" in settings else shape[axis] for axis in AXES)
    mesh = AbstractMesh(sizes, AXES, axis_types=(AxisType.Auto,) * len(AXES))
    programs = make_plan(changed, replace(target, mesh=mesh), prompt, (stage,)).stages[stage]
    needs = max(program.needs for program in programs)
    return Advice(settings, mesh.size, needs, needs <= target.hbm)


def _changes(config: ConfigDict, target: Target, stage: str) -> Iterator[Settings]:
    """Changes that could lower what a stage needs, from those that leave the training as it is to those that do not."""
    shape, model = target.mesh.shape, config.model
    divisor, names = shape["data"] * shape["fsdp"], flatten(config)
    group, cfg = _GROUPS[stage], _settings_of(config, stage)
    if stage != "search" and cfg.rows > divisor:
        yield {f"{group}.rows": divisor, f"{group}.accumulate": cfg.accumulate * cfg.rows // divisor}
    if stage in ("sft", "prefer") and base_shape(model).remat != "full":
        yield {"model.remat": "full"}
    if shape["data"] > 1:
        yield {"mesh.data": 1, "mesh.fsdp": divisor}
    for tensor in (2 * shape["tensor"], 4 * shape["tensor"]):
        if divisor % (tensor // shape["tensor"]) == 0:
            yield {"mesh.data": 1, "mesh.fsdp": divisor * shape["tensor"] // tensor, "mesh.tensor": tensor}
    if stage == "search":
        if cfg.trees // 2 >= divisor:
            yield {"round.search.trees": cfg.trees // 2 // divisor * divisor}
        if cfg.self_eval_weight:
            yield {"round.search.self_eval_weight": 0.0}
    if model.dtype == "float32":
        yield {"model.dtype": "bfloat16"}
    if names.get("model.param_dtype") == "float32" and not model.lora_rank:
        yield {"model.param_dtype": "bfloat16"}
    if stage != "search":
        yield {f"{group}.row_tokens": cfg.row_tokens // 2}
    if not model.lora_rank:
        yield {"model.lora_rank": 16, "model.dtype": "bfloat16"}
