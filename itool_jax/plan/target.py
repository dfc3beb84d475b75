"""The machine that a plan is for: so many devices with so much memory, or a TPU topology that its compiler knows."""

from __future__ import annotations

import functools
import importlib.util
import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from itertools import permutations
from typing import Any, NamedTuple

import jax
from jax.sharding import AbstractMesh, AxisType, Mesh
from ml_collections import ConfigDict

from itool_jax.errors import UserError
from itool_jax.parallel.mesh import AXES, AnyMesh, make_mesh, mesh_sizes
from itool_jax.training.utilization import PEAK_FLOPS

GIB = 2**30


class Chip(NamedTuple):
    """What a device of a kind has.

    hbm    GiB that its programs can use, as the TPU compiler's out-of-memory errors say
    flops  FLOP/s of bf16 products at best, as published
    clock  Hz of the cycles that the compiler counts in: `flops` over the products that its matrix units do in one
    masks  whether the compiler makes arrays, as large as attention's scores, of its mask and of the masked scores
    """

    hbm: float
    flops: float
    clock: float
    masks: bool = False


# By what JAX calls the device's kind. A v5p chip is one device.
CHIPS = {
    "TPU v5 lite": Chip(15.75, PEAK_FLOPS["TPU v5 lite"], 1.5e9),
    "TPU v5": Chip(95.74, PEAK_FLOPS["TPU v5"], 1.75e9),
    "TPU v6 lite": Chip(31.25, PEAK_FLOPS["TPU v6 lite"], 1.75e9, masks=True),
}
# libtpu asks its machine about its chips where it is not told, and says so where there are none. Any type will do.
_COMPILER_ONLY = {
    "TPU_SKIP_MDS_QUERY": "1",
    "TPU_WORKER_HOSTNAMES": "localhost",
    "TPU_ACCELERATOR_TYPE": "v5litepod-16",
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",  # no chip is touched: others may be at work
}
_EXAMPLES = "v5e:4x4, v6e:4x4, v5p:2x2x4"


@dataclass(frozen=True)
class Target:
    """Where the programs are to run.

    hbm        bytes of a device that its programs can use
    chip       what kind it is; None where only its memory is known
    bytes_of   bytes that an array of a shape, of so many bits each, takes on it
    attention  how rows are read there (`DecoderConfig.attention`) where the config leaves it open
    """

    name: str
    mesh: AnyMesh
    hbm: int
    chip: Chip | None
    bytes_of: Callable[[tuple[int, ...], int], int]
    attention: str = "blockwise"

    @property
    def compiles(self) -> bool:
        """Whether there is a compiler for it here."""
        return isinstance(self.mesh, Mesh)


def devices_target(cfg: ConfigDict, devices: int, hbm: float) -> Target:
    """So many devices of `hbm` GiB under `config.mesh`; raises UserError where they do not make that mesh."""
    sizes = mesh_sizes(cfg.data, cfg.fsdp, cfg.tensor, devices)
    mesh = AbstractMesh(sizes, AXES, axis_types=(AxisType.Auto,) * len(AXES))
    return Target(devices_in_words(devices), mesh, round(hbm * GIB), None, packed_bytes)


def topology_target(cfg: ConfigDict, topology: str, hbm: float | None) -> Target:
    """The TPU topology of this name under `config.mesh`.

    hbm  GiB of a device; None is what its kind has
    Raises UserError without the extra `tpu`, for a name that its compiler does not know, and where the devices do not
    make the mesh.
    """
    devices = topology_devices(topology)
    chip = CHIPS.get(devices[0].device_kind)
    if chip is None and hbm is None:
        raise UserError(
            f"--topology={topology}: its devices are {devices[0].device_kind!r}, whose memory this version does not "
            f"know (it knows {', '.join(CHIPS)}): give --hbm=GiB too."
        )
    mesh = make_mesh(cfg.data, cfg.fsdp, cfg.tensor, devices)
    size = hbm if hbm is not None else chip.hbm if chip else 0.0
    name = f"{topology} ({len(devices)} x {devices[0].device_kind})"
    return Target(name, mesh, round(size * GIB), chip, tiled_bytes, attention="tpu")


def devices_in_words(count: int) -> str:
    return "1 device" if count == 1 else f"{count} devices"


def packed_bytes(shape: tuple[int, ...], bits: int) -> int:
    """Bytes of an array's elements alone."""
    return math.prod(shape) * bits // 8


def tiled_bytes(shape: tuple[int, ...], bits: int) -> int:
    """Bytes of an array on a TPU, which lays two of its dimensions out in tiles of 8 x 128: those that take least so.

    Of few rows the tile has as few, but no fewer than numbers share a word of 32 bits.
    """
    if not shape:
        return 512
    packed = 32 // bits
    if len(shape) == 1:
        return _rounded(shape[0], min(max(_power_of_two(shape[0]), 128 * packed), 1024)) * bits // 8

    def tiles(rows: int, columns: int) -> int:
        return _rounded(rows, min(max(_power_of_two(rows), packed), 8)) * _rounded(columns, 128)

    tiled = (math.prod(shape) // (rows * columns) * tiles(rows, columns) for rows, columns in permutations(shape, 2))
    return min(tiled) * bits // 8


def _rounded(size: int, to: int) -> int:
    return -(-size // to) * to


def _power_of_two(size: int) -> int:
    return 1 << max(size - 1, 0).bit_length()


def topology_devices(topology: str) -> list[Any]:
    """The places of a topology; raises UserError without the extra `tpu` and where its compiler knows no such name."""
    if importlib.util.find_spec("libtpu") is None:
        raise UserError(
            f"--topology={topology} needs the TPU compiler, which is not installed: install itool-jax with the extra "
            "'tpu', or give --devices=N --hbm=GiB for a plan from shapes alone."
        )
    return _described(topology)


@functools.cache
def _described(topology: str) -> list[Any]:
    for name, value in _COMPILER_ONLY.items():
        os.environ.setdefault(name, value)
    from jax.experimental import topologies

    try:
        return list(topologies.get_topology_desc(platform="tpu", topology_name=topology).devices)
    except jax.errors.JaxRuntimeError as error:
        if "INVALID_ARGUMENT" not in str(error):
            raise UserError(f"--topology={topology}: the TPU compiler does not start: {error}") from error
        raise UserError(
            f"--topology={topology}: the TPU compiler knows no such topology ({str(error).splitlines()[0]}). Expected "
            f"a kind and its chips along each axis, such as {_EXAMPLES}."
        ) from error
