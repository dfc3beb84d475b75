"""Files of an object store (gs://): it has objects by name, whole or not at all, and no folders, renames or appends.

A folder is there while some object has a name below it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from etils import epath
from fsspec.config import conf
from fsspec.core import url_to_fs

from itool_jax.errors import UserError

_CHUNK = 64 << 20

# Orbax and other processes write beside gcsfs, which would never learn of it: it is to list anew every time.
conf.setdefault("gs", {})["use_listings_cache"] = False


class Object(NamedTuple):
    """What the store says of an object: its bytes, and a number that changes when it is written."""

    size: int
    generation: str


def require_reachable(path: epath.Path) -> None:
    """Raises UserError where the bucket of a path is not there or cannot be read."""
    scheme, _, rest = os.fspath(path).partition("://")
    bucket = rest.partition("/")[0]
    if scheme != "gs" or not bucket:
        raise UserError(f"{path}: expected a local folder or gs://BUCKET/NAME")
    try:
        from gcsfs.retry import HttpError
    except ImportError as error:
        raise UserError(f"{path}: gs:// needs the extra gcs: pip install 'itool-jax[gcs]'") from error
    try:
        there = _system(path)[0].exists(bucket)
    except (OSError, HttpError) as error:
        told = " ".join(str(error).split())
        raise UserError(
            f"the bucket {bucket} of {path} cannot be read ({told}): log in with `gcloud auth application-default "
            "login`, or let this machine's service account read and write it."
        ) from error
    if not there:
        raise UserError(f"there is no bucket {bucket}: check {path}, or `gcloud storage buckets create gs://{bucket}`.")


def objects(path: epath.Path) -> dict[str, Object]:
    """The objects at and below a path by their names relative to it, "." for one of that very name.

    Without the empty ones, with names that end in "/", by which some tools mark folders.
    """
    system, name = _system(path)
    found: dict[str, dict[str, Any]] = system.find(name, detail=True)
    files = {key: info for key, info in found.items() if info["type"] == "file" and not key.endswith("/")}
    return {
        key[len(name) + 1 :] or ".": Object(int(info["size"]), str(info["generation"])) for key, info in files.items()
    }


def children(path: epath.Path) -> list[epath.Path]:
    """Objects and folders right below a path."""
    system, name = _system(path)
    try:
        found = system.ls(name, detail=False)
    except FileNotFoundError:
        return []
    return [path / one[len(name) + 1 :] for one in found if one.startswith(f"{name}/")]


def write(path: epath.Path, content: bytes) -> None:
    """Writes an object, in one request where it is not large."""
    system, name = _system(path)
    system.pipe_file(name, content)


def remove(path: epath.Path) -> None:
    """Deletes the objects at and below a path, in no order."""
    system, name = _system(path)
    try:
        system.rm(name, recursive=True)
    except FileNotFoundError:
        return


def move(source: epath.Path, target: epath.Path) -> None:
    """Copies the objects of `source` within the store, then deletes them. A kill leaves some here and some there."""
    system, old = _system(source)
    _, new = _system(target)
    names = [f"/{name}" if name != "." else "" for name in objects(source)]
    if not names:
        raise FileNotFoundError(f"there is no object at or below {source}")
    system.copy([old + name for name in names], [new + name for name in names])
    remove(source)


def chunks(path: epath.Path) -> Iterator[bytes]:
    """The content of an object, in few requests."""
    system, name = _system(path)
    size = system.size(name)
    for start in range(0, size, _CHUNK):
        yield system.cat_file(name, start=start, end=min(start + _CHUNK, size))


def read_spans(spans: Sequence[tuple[epath.Path, int, int]]) -> list[bytes]:
    """Parts of objects by path, offset and size, many at a time."""
    if not spans:
        return []
    system = _system(spans[0][0])[0]
    paths, starts, sizes = zip(*spans, strict=True)
    ends = [start + size for start, size in zip(starts, sizes, strict=True)]
    return system.cat_ranges([os.fspath(path) for path in paths], list(starts), ends, on_error="raise")


def _system(path: epath.Path) -> tuple[Any, str]:
    """The file system of a path, and its name there."""
    return url_to_fs(os.fspath(path))
