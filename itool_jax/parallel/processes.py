"""Several processes: each grows trees of its own, over its own devices, with a copy of the weights.

Trees share nothing, so a sampler needs no word from other processes: none waits for another's longest answers, none
has to be told that all are done, and the host of each looks after its own trees alone. Only weights have to get there,
once for a stage. Training and scoring stay one program over all devices.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeVar

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding

from itool_jax.parallel.mesh import AXES, shardings

T = TypeVar("T")
WEIGHTS = ("tensor",)  # the mesh axes that weights lie over while sampling, gathered once and not at every token


def own_mesh(mesh: Mesh) -> Mesh:
    """The mesh of this process's devices in `mesh`: tensor as there, as far as it goes, and data; alone, `mesh`."""
    if not mesh.is_multi_process:
        return mesh
    return _in_order([device for device in _by_process(mesh) if device.process_index == jax.process_index()], mesh)


def own_copy(tree: Any, mesh: Mesh) -> Any:
    """Parameters or adapters that lie over all devices of `mesh`, as this process has them on its `own_mesh`.

    All processes have to call it together: it is where the weights travel.
    """
    if not mesh.is_multi_process:
        return jax.device_put(tree, shardings(tree, mesh, WEIGHTS))
    apart, together = own_mesh(mesh), _in_order(_by_process(mesh), mesh)
    laid = jax.device_put(tree, shardings(tree, together, WEIGHTS))

    def own(leaf: jax.Array) -> jax.Array:
        # A device has the same part of a leaf in both meshes, as both have their devices in the same order.
        assert isinstance(leaf.sharding, NamedSharding)
        parts = [shard.data for shard in leaf.addressable_shards]
        return jax.make_array_from_single_device_arrays(leaf.shape, NamedSharding(apart, leaf.sharding.spec), parts)

    return jax.tree.map(own, laid)


def own_share(things: Sequence[T]) -> Sequence[T]:
    """Every n-th of things, of n processes; alone, all of them."""
    return things[jax.process_index() :: jax.process_count()]


def _in_order(devices: Sequence[Any], like: Mesh) -> Mesh:
    """These devices as data x tensor, with the widest tensor axis up to that of `like` that no process shares."""
    _, counts = np.unique([device.process_index for device in devices], return_counts=True)
    tensor = math.gcd(like.shape["tensor"], *counts.tolist())
    return Mesh(np.array(devices).reshape(-1, 1, tensor), AXES, axis_types=like.axis_types)


def _by_process(mesh: Mesh) -> list[Any]:
    return sorted(mesh.devices.flat, key=lambda device: (device.process_index, device.id))
