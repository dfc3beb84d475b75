"""What to change where a plan does not fit: settings for all of its stages together, tried on the estimate.

A knob is some keys with their values in order, from the config's own to those that need least. Where a mesh fits with
every knob at its last value, each in turn gets the first value with which all still fits, the dearest knobs first.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from jax.sharding import AbstractMesh, AxisType
from ml_collections import ConfigDict

from itool_jax.parallel.mesh import AXES
from itool_jax.plan.compiler import OutOfMemory
from itool_jax.plan.layout import DIVIDED, Settings, Sizes, mesh_settings, meshes, parts_of, path_of, value_of
from itool_jax.plan.plan import Plan, ProgramPlan, make_plan
from itool_jax.rounds.base_model import base_shape

MORE = (2, 4, 8, 16)  # times as many devices
# Which of the keys below a stage's programs depend on.
_READ = {
    "sft": ("model.", "warmup."),
    "score": ("model.", "warmup."),
    "search": ("model.", "warmup.row_tokens", "round."),
    "prefer": ("model.", "round.prefer."),
}
Knob = Sequence[Settings]
Needs = Mapping[str, int]


@dataclass(frozen=True)
class Advice:
    """Settings that are to be taken together, and what a device needs with them.

    keeps_results   say how much is done at once and where: results are the same up to rounding
    changes_method  say what is trained and how
    devices         how many there have to be
    needs           bytes on each device, by stage
    """

    keeps_results: Settings
    changes_method: Settings
    devices: int
    needs: Needs
    fits: bool

    @property
    def settings(self) -> Settings:
        return {**self.keeps_results, **self.changes_method}


def advise(config: ConfigDict, plan: Plan, prompt: int | None = None) -> Advice:
    """What makes all stages of a plan fit that does not; where nothing does, what needs least on the plan's devices.

    First come settings that keep the results, then those that change the method, then more devices.
    """
    trials, devices = _Trials(config, plan, prompt), plan.target.mesh.size
    kept = trials.best(devices, method=False)
    if kept and kept.fits:
        return kept
    least = trials.best(devices, method=True)
    assert least, "the plan's own mesh can be tried"
    more = (trials.best(devices * times, method) for method in (False, True) for times in MORE)
    return least if least.fits else next((advice for advice in more if advice and advice.fits), least)


class _Trials:
    """Plans of changed configs for the stages of a plan, each made once."""

    def __init__(self, config: ConfigDict, plan: Plan, prompt: int | None):
        self._config, self._target, self._prompt = config, plan.target, prompt
        self._stages, self._limit = tuple(plan.stages), _limit(plan)
        self._made: dict[tuple, int] = {}

    def best(self, devices: int, method: bool) -> Advice | None:
        """On so many devices, the first mesh that fits, else the one that exceeds the memory least.

        None where the rows of a step lie over no mesh of them.
        """
        found: list[Advice] = []
        for sizes in self._meshes(devices):
            keeping = keeping_knobs(self._config, self._stages, sizes)
            changing = method_knobs(self._config, self._stages, self._prompt) if method else []
            if keeping is None:
                continue
            settings = self._solved(sizes, [*changing, *keeping])
            keys = {key for knob in changing for value in knob for key in value}
            changes = {key: value for key, value in settings.items() if key in keys}
            keeps = {key: value for key, value in settings.items() if key not in keys}
            found.append(self._advice(sizes, keeps, changes))
            if found[-1].fits:
                return found[-1]
        return min(found, key=lambda advice: self._excess(advice.needs), default=None)

    def _solved(self, sizes: Sizes, knobs: Sequence[Knob]) -> Settings:
        excess = lambda chosen: self._excess(self._needs(sizes, _together(chosen)))
        chosen = [knob[-1] for knob in knobs]
        for place, knob in enumerate(knobs):
            if excess(chosen):  # one value need not be better than another: accumulation has gradients twice
                with_own = [*chosen[:place], knob[0], *chosen[place + 1 :]]
                chosen = min(chosen, with_own, key=excess)
        if not excess(chosen):
            for place, knob in enumerate(knobs):
                tried = ([*chosen[:place], value, *chosen[place + 1 :]] for value in knob)
                chosen = next((other for other in tried if not excess(other)), chosen)
        return _together(chosen)

    def _advice(self, sizes: Sizes, keeps: Settings, changes: Settings) -> Advice:
        needs = self._needs(sizes, {**keeps, **changes})
        same_mesh = sizes == tuple(self._target.mesh.shape[axis] for axis in AXES)
        mesh = {} if same_mesh else mesh_settings(self._config, sizes)
        named = lambda settings: {path_of(self._config, key): value for key, value in settings.items()}
        devices = sizes[0] * sizes[1] * sizes[2]
        return Advice({**mesh, **named(keeps)}, named(changes), devices, needs, not self._excess(needs))

    def _meshes(self, devices: int) -> Iterator[Sizes]:
        """The plan's own first, then those with parameters over all devices, near its `tensor` first, wider before."""
        shape, heads = self._target.mesh.shape, base_shape(self._config.model).heads
        own, tensor = tuple(shape[axis] for axis in AXES), shape["tensor"]
        if devices == self._target.mesh.size:
            yield own
        others = [sizes for sizes in meshes(devices) if sizes[0] == 1 and (heads % sizes[2] == 0 or sizes[2] == tensor)]
        for sizes in sorted(others, key=lambda sizes: (sizes[2] < tensor, abs(sizes[2] - tensor))):
            if sizes != own:
                yield sizes

    def _excess(self, needs: Needs) -> int:
        """Bytes that the stages lack, all together."""
        return sum(max(need - self._limit, 0) for need in needs.values())

    def _needs(self, sizes: Sizes, settings: Settings) -> Needs:
        return {stage: self._of_stage(stage, sizes, settings) for stage in self._stages}

    def _of_stage(self, stage: str, sizes: Sizes, settings: Settings) -> int:
        read = {key: value for key, value in settings.items() if key.startswith(_READ[stage])}
        key = (stage, sizes, *sorted(read.items()))
        if key not in self._made:
            changed = self._config.copy_and_resolve_references()
            with changed.unlocked():
                changed.update_from_flattened_dict({path_of(changed, name): value for name, value in read.items()})
            mesh = AbstractMesh(sizes, AXES, axis_types=(AxisType.Auto,) * len(AXES))
            made = make_plan(changed, replace(self._target, mesh=mesh), self._prompt, (stage,))
            self._made[key] = max(_by_shapes(program) for program in made.stages[stage])
        return self._made[key]


def keeping_knobs(config: ConfigDict, stages: Collection[str], sizes: Sizes) -> list[Knob] | None:
    """What leaves the results as they are on a mesh, the dearest first; None where rows cannot lie over it."""
    divisor = sizes[0] * sizes[1]
    knobs = []
    if base_shape(config.model).remat != "full" and {"sft", "prefer"} & set(stages):
        knobs.append([{}, {"model.remat": "full"}])
    for group, owner, other in (("round.prefer", "prefer", "search"), ("warmup", "sft", "score")):
        if owner in stages or other in stages:
            knobs.append(_rows(config, group, divisor if owner in stages else 1))
    if "search" in stages:
        knobs.append(_trees(config, divisor * parts_of(config, DIVIDED["search"])))
    return knobs if all(knobs) else None


def _rows(config: ConfigDict, group: str, divisor: int) -> Knob:
    """Fewer rows at a time, as many in a step."""
    rows, accumulate = (value_of(config, f"{group}.{name}") for name in ("rows", "accumulate"))
    total = rows * accumulate
    sizes = [size for size in range(max(rows, divisor), 0, -1) if total % size == 0 and size % divisor == 0]
    made = {size: {f"{group}.rows": size, f"{group}.accumulate": total // size} for size in sizes}
    return [{} if size == rows else settings for size, settings in made.items()]


def _trees(config: ConfigDict, divisor: int) -> Knob:
    own = value_of(config, DIVIDED["search"])
    sizes = [-(-own // divisor) * divisor]
    while sizes[-1] > divisor:
        sizes.append(sizes[-1] // 2 // divisor * divisor)
    return [{} if size == own else {DIVIDED["search"]: size} for size in sizes]


def method_knobs(config: ConfigDict, stages: Collection[str], prompt: int | None = None) -> list[Knob]:
    """What changes the method, the dearest first; rows that still hold an answer with a prompt, if that is given."""
    model, knobs = config.model, [_weights(config.model)]
    arena, answer = (value_of(config, f"round.search.{name}") for name in ("arena_tokens", "answer_tokens"))
    for group, users in (("warmup", {"sft", "score"}), ("round.prefer", {"search", "prefer"})):
        half = value_of(config, f"{group}.row_tokens") // 2
        if users & set(stages) and half >= (prompt or answer) + answer:
            knobs.append([{}, {f"{group}.row_tokens": half}])
    if "search" in stages:
        if arena >= 4 * answer:
            knobs.append([{}, {"round.search.arena_tokens": arena // 2}])
        if value_of(config, "round.search.self_eval_weight"):
            knobs.append([{}, {"round.search.self_eval_weight": 0.0}])
    if model.dtype == "float32":
        knobs.append([{}, {"model.dtype": "bfloat16"}])
    return [knob for knob in knobs if len(knob) > 1]


def _weights(model: ConfigDict) -> Knob:
    """All weights as they are, then in bfloat16, then adapters alone, then on a quantised base."""
    knob: list[Settings] = [{}]
    lora: dict[str, Any] = {}
    if not model.lora_rank:
        lora = {"model.lora_rank": 16}
        if model.param_dtype == "float32":
            knob.append({"model.param_dtype": "bfloat16"})
        else:
            lora["model.param_dtype"] = "float32"
        knob.append(lora)
    kinds = ("int8", "nf4")
    left = kinds[kinds.index(model.quantize) + 1 :] if model.quantize else kinds
    return [*knob, *({**lora, "model.quantize": kind} for kind in left)]


def _together(chosen: Sequence[Settings]) -> Settings:
    return {key: value for settings in chosen for key, value in settings.items()}


def _limit(plan: Plan) -> int:
    """Bytes that the estimate may come to: fewer than there are where the compiler says more than the estimate did."""
    hbm = plan.target.hbm
    short = [program for of in plan.stages.values() for program in of if not program.fits(hbm)]
    return min([hbm, *(hbm * _by_shapes(program) // _found(program, hbm) for program in short)])


def _by_shapes(program: ProgramPlan) -> int:
    return program.estimate.peak + sum(program.estimate.beside.values())


def _found(program: ProgramPlan, hbm: int) -> int:
    """What a program that does not fit was found to need."""
    if isinstance(program.compiled, OutOfMemory):
        return max(program.compiled.used or 0, hbm) + sum(program.estimate.beside.values()) + 1
    return program.needs
