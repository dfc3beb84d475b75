"""Meshes, and the rows and trees that divide over them: what a plan refuses, with settings that would do."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from ml_collections import ConfigDict

from itool_jax.config import round_config, round_name
from itool_jax.config_loading import flatten
from itool_jax.errors import UserError
from itool_jax.parallel.mesh import AXES, mesh_sizes
from itool_jax.plan.programs import stages_of
from itool_jax.plan.target import devices_in_words

Settings = Mapping[str, Any]
Sizes = tuple[int, ...]

# By stage; evaluations come after each of them.
DIVIDED = {
    "sft": "warmup.rows",
    "search": "round.search.trees",
    "prefer": "round.prefer.rows",
    "evaluate": "evaluate.slots",
}
_SHOWN = 3


def path_of(config: ConfigDict, key: str) -> str:
    """Where the first round has this key from: `config.round`, or what `config.round_overrides` lays over it."""
    own = key.replace("round.", f"round_overrides.{round_name(0)}.", 1)
    return own if key.startswith("round.") and own in flatten(config) else key


def value_of(config: ConfigDict, key: str) -> Any:
    """The value of a key as the first round has it."""
    if not key.startswith("round."):
        return flatten(config)[key]
    return flatten(round_config(config, 0))[key.removeprefix("round.")]


def as_flags(settings: Settings) -> str:
    """Settings as they are written on the command line."""
    return " ".join(f"--config.{key}={value}" for key, value in settings.items())


def meshes(devices: int) -> Iterator[Sizes]:
    """Every mesh of so many devices."""
    whole = [size for size in range(1, devices + 1) if devices % size == 0]
    yield from (
        (data, fsdp, devices // data // fsdp) for data in whole for fsdp in whole if devices // data % fsdp == 0
    )


def mesh_settings(config: ConfigDict, sizes: Sizes) -> Settings:
    """The fewest keys that make the config's mesh one of these sizes."""
    asked = [config.mesh[axis] for axis in AXES]
    chosen = [-1 if own == -1 and asked.count(-1) == 1 else size for size, own in zip(sizes, asked, strict=True)]
    return {f"mesh.{axis}": size for axis, size, own in zip(AXES, chosen, asked, strict=True) if size != own}


def require_layout(config: ConfigDict, devices: int, only: Collection[str] = ()) -> None:
    """Raises UserError, with settings that would do, where the mesh or what lies over it does not go with the devices.

    only  names stages, () is all
    """
    asked = [config.mesh[axis] for axis in AXES]
    stages = [*stages_of(config), "evaluate"]
    keys = [key for stage, key in DIVIDED.items() if stage in stages and (not only or stage in only)]
    others = _others(config, devices, [(value_of(config, key), parts_of(config, key)) for key in keys])
    try:
        data, fsdp, _ = mesh_sizes(asked[0], asked[1], asked[2], devices)
    except UserError:
        found = " x ".join(f"{axis} {size}" for axis, size in zip(AXES, asked, strict=True))
        raise UserError(
            f"config.mesh is {found}, which {devices_in_words(devices)} cannot make: their product must be {devices}, "
            f"where one that is -1 takes what the others leave. {_would_do(others)}"
        ) from None
    divisor = data * fsdp
    values = {path_of(config, key): (value_of(config, key), parts_of(config, key) * divisor) for key in keys}
    if wrong := {path: value for path, value in values.items() if value[0] % value[1]}:
        found = ", ".join(f"config.{path} is {value}" for path, (value, _) in wrong.items())
        multiples = {path: -(-value // least) * least for path, (value, least) in wrong.items()}
        divisor = ", ".join(map(str, dict.fromkeys(least for _, least in wrong.values())))
        raise UserError(
            f"{found}, but rows, the trees of each cohort and answers side by side lie over {data * fsdp} devices "
            f"(mesh data x fsdp): choose multiples of {divisor}, or another mesh. {_would_do([multiples, *others])}"
        )


def parts_of(config: ConfigDict, key: str) -> int:
    """What a number of rows or trees divides into before it lies over devices."""
    return value_of(config, "round.search.cohorts") if key == DIVIDED["search"] else 1


def _others(config: ConfigDict, devices: int, divided: Sequence[tuple[int, int]]) -> list[Settings]:
    """Settings of meshes over which all these (number, parts) divide; the fewest and nearest come first."""
    divides = lambda data, fsdp: not any(number % (parts * data * fsdp) for number, parts in divided)
    fitting = (sizes for sizes in meshes(devices) if divides(*sizes[:2]))
    nearest = sorted(fitting, key=lambda sizes: abs(sizes[2] - config.mesh.tensor))
    return sorted((mesh_settings(config, sizes) for sizes in nearest), key=len)[:_SHOWN]


def _would_do(choices: Sequence[Settings]) -> str:
    if not choices:
        return ""
    return f"{'One of these' if len(choices) > 1 else 'This'} would do: {'; or '.join(map(as_flags, choices))}"
