"""Several processes: what they agree on, and how each grows trees of its own, over its own devices.

Trees share nothing, so a sampler needs no word from other processes: none waits for another's longest answers, none
has to be told that all are done, and the host of each looks after its own trees alone. Only weights have to get there,
once for a stage. Training and scoring stay one program over all devices.
"""

from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding

from itool_jax.errors import UserError
from itool_jax.parallel.mesh import AXES, shardings
from itool_jax.progress import be_quiet
from itool_jax.stopping import Stopped

T = TypeVar("T")
_HEARTBEAT = 30
WEIGHTS = ("tensor",)  # the mesh axes that weights lie over while sampling, gathered once and not at every token


def own_mesh(mesh: Mesh) -> Mesh:
    """The mesh of this process's devices in `mesh`: tensor as there, as far as it goes, and data; alone, `mesh`."""
    if not mesh.is_multi_process:
        return mesh
    return _in_order([device for device in _by_process(mesh) if device.process_index == jax.process_index()], mesh)


def own_copy(tree: Any, mesh: Mesh) -> Any:
    """Parameters or adapters that lie over all devices of `mesh`, or on this process's, as it has them on `own_mesh`.

    All processes have to call it together: it is where the weights travel.
    """
    apart, together = own_mesh(mesh), _in_order(_by_process(mesh), mesh)
    if all(leaf.is_fully_addressable for leaf in jax.tree.leaves(tree)):  # nothing is elsewhere
        return jax.device_put(tree, shardings(tree, apart, WEIGHTS))
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


def join(address: str | None = None, processes: int | None = None, process: int | None = None) -> None:
    """Makes this process one of several, before JAX is used; without arguments JAX finds the others by itself.

    A process that is gone is missed after _HEARTBEAT seconds, and ends the others. Only the first one shows progress.
    Raises UserError where they do not find each other.
    """
    if process is not None and processes is not None and process >= processes:
        raise UserError(f"--process={process}: of {processes} processes the numbers are 0 to {processes - 1}.")
    try:
        jax.distributed.initialize(address, processes, process, heartbeat_timeout_seconds=_HEARTBEAT)
    except (RuntimeError, ValueError) as error:
        raise UserError(
            f"the processes of this run do not find each other: {error}. Start the same command in each of them, with "
            "--coordinator=HOST:PORT of process 0, --processes=N and --process=I, or with --distributed where a TPU "
            "pod, SLURM or Kubernetes says who they are."
        ) from error
    if not is_first():
        be_quiet()


@contextmanager
def last_words() -> Iterator[None]:
    """Says on stderr what to do, if this process ends in here without having said it by an error of ours.

    Where another process is gone JAX ends this one from a thread of its own, past everything that Python could catch.
    So a shell waits beside it for the end of a pipe, and speaks unless a line came through it before.
    """
    text = (
        f"itool-jax: process {number()} of {count()} ended before its work was done. If no reason of its own stands "
        "above, another process of the run died or was killed, and that one's log says more. Start the same command "
        "again in every process: what is finished is kept."
    )
    shell = subprocess.Popen(
        ["sh", "-c", 'read -r _ || echo "$0" >&2', text],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        start_new_session=True,  # signals to the processes of a terminal or of a job are not for it
    )
    try:
        yield
    except (UserError, Stopped, KeyboardInterrupt):
        shell.communicate(b"\n")
        raise
    shell.communicate(b"\n")


def count() -> int:
    """How many processes there are."""
    return jax.process_count()


def number() -> int:
    """Which of them this one is, from 0."""
    return jax.process_index()


def several() -> bool:
    """Whether this process is one of several."""
    return jax.process_count() > 1


def is_first() -> bool:
    """Whether this is the process that writes what is written once."""
    return jax.process_index() == 0


def agreed(value: Any) -> Any:
    """The first process's JSON value, in all processes, which call this together."""
    return gathered(value if is_first() else None)[0]


def gathered(value: Any) -> list[Any]:
    """Every process's JSON value, in the order of the processes, which call this together."""
    if not several():
        return [value]
    packed = np.frombuffer(json.dumps(value).encode(), np.uint8)
    lengths = multihost_utils.process_allgather(np.int32(len(packed))).ravel()
    padded = np.zeros(int(lengths.max()), np.uint8)
    padded[: len(packed)] = packed
    rows = multihost_utils.process_allgather(padded)
    return [json.loads(row[:length].tobytes()) for row, length in zip(rows, lengths, strict=True)]


def together(what: str) -> None:
    """Waits until all processes are here; `what` names the place where one that is missing is looked for."""
    if several():
        multihost_utils.sync_global_devices(what)


def fetched(array: jax.Array) -> np.ndarray:
    """A global array on the host, whole in every process; all call this together."""
    if array.is_fully_addressable or array.is_fully_replicated:
        return np.asarray(array)
    return np.asarray(multihost_utils.process_allgather(array, tiled=True))
