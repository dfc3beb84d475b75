"""The device mesh ("data", "fsdp", "tensor") and the one table that maps logical axes of parameters onto it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.experimental.mesh_utils import create_device_mesh
from jax.sharding import AbstractMesh, AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from itool_jax.errors import UserError

AXES = ("data", "fsdp", "tensor")
BATCH = ("data", "fsdp")
AnyMesh = Mesh | AbstractMesh  # of devices, or of places for them

# Which mesh axis each logical axis lies over; None is replicated.
RULES: dict[str, str | None] = {
    "layer": None,
    "vocab": "tensor",
    "embed": "fsdp",
    "heads": "tensor",
    "kv_heads": "tensor",
    "head": None,
    "ffn": "tensor",
    "rank": None,
    "norm": None,
}

# Logical axes of every parameter by its name in the tree; adapters and biases derive theirs from the kernel's.
LOGICAL: dict[str, tuple[str, ...]] = {
    "embedding": ("vocab", "embed"),
    "head": ("embed", "vocab"),
    "q": ("layer", "embed", "heads", "head"),
    "k": ("layer", "embed", "kv_heads", "head"),
    "v": ("layer", "embed", "kv_heads", "head"),
    "o": ("layer", "heads", "head", "embed"),
    "gate": ("layer", "embed", "ffn"),
    "up": ("layer", "embed", "ffn"),
    "down": ("layer", "ffn", "embed"),
    "attention_norm": ("layer", "norm"),
    "ffn_norm": ("layer", "norm"),
    "q_norm": ("layer", "norm"),
    "k_norm": ("layer", "norm"),
    "final_norm": ("norm",),
}


def make_mesh(data: int = -1, fsdp: int = 1, tensor: int = 1, devices: Sequence[Any] | None = None) -> Mesh:
    """A mesh over all devices, or these; one size may be -1 and takes what is left."""
    devices = jax.devices() if devices is None else devices
    sizes = mesh_sizes(data, fsdp, tensor, len(devices))
    # A slice's own axes may be split: tensor = 2 on a 4x4 is two chips side by side.
    placed = create_device_mesh(sizes, devices, allow_split_physical_axes=True)
    return Mesh(placed, AXES, axis_types=(AxisType.Auto,) * len(AXES))


def mesh_sizes(data: int, fsdp: int, tensor: int, devices: int) -> tuple[int, ...]:
    """The sizes with -1 filled in; raises UserError where no mesh of them takes just so many devices."""
    sizes = [data, fsdp, tensor]
    if sizes.count(-1) > 1 or any(size == 0 or size < -1 for size in sizes):
        raise UserError(f"mesh sizes {dict(zip(AXES, sizes, strict=True))}: each is at least 1, and one may be -1")
    if -1 in sizes:
        sizes[sizes.index(-1)] = max(1, devices // int(np.prod([s for s in sizes if s != -1])))
    if int(np.prod(sizes)) != devices:
        raise UserError(
            f"a mesh of {' x '.join(f'{a}={s}' for a, s in zip(AXES, sizes, strict=True))} needs {int(np.prod(sizes))} "
            f"devices, found {devices}: set config.mesh so that the product is {devices}"
        )
    return tuple(sizes)


def logical_axes(path: tuple[Any, ...]) -> tuple[str, ...]:
    """Logical axis names of the parameter or adapter at this path of a policy's tree."""
    names = [str(getattr(key, "key", getattr(key, "name", key))) for key in path]
    owner = next((name for name in reversed(names) if name in LOGICAL), None)
    if owner is None:
        raise KeyError(f"no logical axes for parameter {'/'.join(names)}: add it to LOGICAL in parallel/mesh.py")
    axes = LOGICAL[owner]
    contract = 2 if owner == "o" else 1
    if names[-1] == "a":
        return (*axes[: 1 + contract], "rank")
    if names[-1] == "b":
        return ("layer", "rank", *axes[1 + contract :])
    if names[-1] == "bias":
        return ("layer", *axes[1 + contract :])
    return axes


def partition_spec(axes: tuple[str, ...], shape: tuple[int, ...], mesh: AnyMesh) -> P:
    """Mesh axes for a parameter; an axis whose size does not divide is replicated (KV heads on a wide tensor axis).

    Raises ValueError where two axes of one parameter fall on the same mesh axis, or where the ranks differ.
    """
    if len(axes) != len(shape):
        raise ValueError(f"axes {axes} do not name the dimensions of shape {shape}")
    chosen = [RULES[axis] for axis in axes]
    used = [axis for axis in chosen if axis is not None]
    if len(used) != len(set(used)):
        raise ValueError(f"two of the axes {axes} map to one mesh axis: {chosen}")
    return P(*(m if m and size % mesh.shape[m] == 0 else None for m, size in zip(chosen, shape, strict=True)))


def shardings(tree: Any, mesh: AnyMesh, only: tuple[str, ...] = AXES) -> Any:
    """NamedSharding of every leaf of a tree whose paths end in parameter names (parameters, adapters, moments).

    Mesh axes that are not in `only` are left out: a search keeps its weights on ("tensor",), gathered once per stage.
    Sums of Adafactor are a small part of their parameter, with other dimensions: every device has them whole.
    """

    def one(path, leaf):
        if leaf.ndim == 0 or _is_factored(path, leaf.shape):
            return NamedSharding(mesh, P())
        spec = partition_spec(logical_axes(path), leaf.shape, mesh)
        return NamedSharding(mesh, P(*(axis if axis in only else None for axis in spec)))

    return jax.tree_util.tree_map_with_path(one, tree)


def _is_factored(path: tuple[Any, ...], shape: tuple[int, ...]) -> bool:
    """Whether a leaf is a sum in optax's FactoredState, or the (1,) that stands there for what is not kept."""
    names = {str(getattr(key, "name", "")) for key in path}
    return bool(names & {"v_row", "v_col"}) or ("v" in names and shape == (1,))


def shard(tree: Any, mesh: Mesh, only: tuple[str, ...] = AXES) -> Any:
    """Lays a tree of parameters out over the mesh, or over some of its axes."""
    return jax.device_put(tree, shardings(tree, mesh, only))


def shard_batch(batch: Any, mesh: Mesh, axis: int = 0) -> Any:
    """Puts host arrays on the mesh with dimension `axis` over (data, fsdp); every process gives its own rows."""

    def put(x):
        sharding = NamedSharding(mesh, P(*([None] * axis), BATCH))
        return jax.make_array_from_process_local_data(sharding, np.asarray(x))

    return jax.tree.map(put, batch)


def row_share(mesh: Mesh) -> tuple[int, int]:
    """Which part of a batch's rows this process has on its devices, and of how many parts.

    Processes that share a tensor axis have the same part. Raises UserError where parts overlap.
    """
    if not mesh.is_multi_process:
        return 0, 1
    held: dict[int, set[int]] = {}
    for place, devices in enumerate(mesh.devices.reshape(batch_divisor(mesh), -1)):
        for device in devices:
            held.setdefault(device.process_index, set()).add(place)
    parts = sorted({tuple(sorted(places)) for places in held.values()})
    if sum(map(len, parts)) != batch_divisor(mesh) or len({len(part) for part in parts}) > 1:
        raise UserError(
            f"the {batch_divisor(mesh)} parts of a batch (mesh data x fsdp) lie over processes as {parts}: expected "
            "each process to share all or none of its parts with another. Choose a tensor axis that divides a "
            "process's devices, or that they divide."
        )
    return parts.index(tuple(sorted(held[jax.process_index()]))), len(parts)


def shard_rows(batch: Any, mesh: Mesh) -> Any:
    """`shard_batch` where every process gives the whole batch."""
    sharding = NamedSharding(mesh, P(BATCH))
    put = lambda x: jax.make_array_from_callback(x.shape, sharding, lambda index: np.asarray(x[index]))
    return jax.tree.map(put, batch)


def rows_apart(x: jax.Array, *, tokens_too: bool = False) -> jax.Array:
    """Activations [B, ...] with their rows over (data, fsdp) of the mesh that is set, if one is and they divide.

    With `tokens_too`, those of [B, S, ...] lie over tensor by S, if that divides.
    Without a word about it the compiler may take the layout of activations from the weights': embed over fsdp, and all
    rows on every device.
    """
    mesh = jax.sharding.get_abstract_mesh()
    if mesh.empty or x.shape[0] % batch_divisor(mesh):
        return x
    over_tensor = tokens_too and x.shape[1] % mesh.shape["tensor"] == 0
    return jax.lax.with_sharding_constraint(x, P(BATCH, "tensor") if over_tensor else P(BATCH))


def mesh_of(tree: Any) -> Mesh | None:
    """The mesh that the first leaf of a tree lies over; None where it lies on one device."""
    return getattr(jax.tree.leaves(tree)[0].sharding, "mesh", None)


def batch_divisor(mesh: AnyMesh) -> int:
    """Rows of a batch must be a multiple of this."""
    return mesh.shape["data"] * mesh.shape["fsdp"]
