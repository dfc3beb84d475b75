"""Files that are there whole or not at all: atomic writes, flushed trees, digests. Paths are etils.epath Paths.

What differs between a mounted file system and an object store (gs://) is decided here, in `itool_jax.growing` for files
that grow, and in `itool_jax.rounds.lock`. What has to lie on a mounted one is refused elsewhere: prepared stores by
`itool_jax.data.store` and `store_writer`, exported weights by `itool_jax.models.export`.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from etils import epath

from itool_jax import object_store
from itool_jax.errors import UserError

_CHUNK = 1 << 20


@dataclass(frozen=True)
class Digest:
    """Content of a file or folder.

    sha256  of a file: of its bytes; of a folder: of the sorted list of relative names and their digests
    size    bytes in all
    files   number of files
    stamp   changes when a file is written, added or removed; equal stamps let a check skip reading the content
    """

    sha256: str
    size: int
    files: int
    stamp: str


def is_local(path: epath.Path) -> bool:
    """Whether the path is on a mounted file system: only there are renames atomic, and are there locks and appends."""
    return "://" not in os.fspath(path)


def absolute(path: epath.PathLike) -> epath.Path:
    """The path from the root of its file system."""
    path = epath.Path(path)
    return path.expanduser().resolve() if is_local(path) else path


def require_reachable(path: epath.Path) -> None:
    """Raises UserError where a path lies in an object store that cannot be used."""
    if not is_local(path):
        object_store.require_reachable(path)


def write_atomic(path: epath.Path, content: bytes) -> None:
    """Writes a file that after a crash holds the old content or the new: by way of a temporary name beside it, where
    it would else be seen half-written."""
    if not is_local(path):
        object_store.write(path, content)
        return
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_bytes(content)
    _sync(temporary)
    temporary.replace(path)
    _sync(path.parent)


def write_json(path: epath.Path, value: Any) -> None:
    """Writes JSON atomically, indented, keys in the order given."""
    write_atomic(path, (json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode())


def move(source: epath.Path, target: epath.Path) -> None:
    """Flushes a file or folder to disk and renames it to `target`, replacing what is there.

    In an object store a kill may leave a part of it at `target`, which the next `move` there replaces.
    """
    if not is_local(source):
        remove(target)
        object_store.move(source, target)
        return
    for path in (source, *_descendants(source)):
        _sync(path)
    make_folder(target.parent)
    remove(target)
    source.rename(target)
    _sync(target.parent)


@contextmanager
def new_folder(path: epath.Path) -> Iterator[epath.Path]:
    """A temporary folder beside `path` that takes its name when the block ends, and is removed when it fails.

    Raises UserError where `path` holds anything.
    """
    refuse_filled(path)
    temporary = path.with_name(f".{path.name}.tmp")
    remove(temporary)  # of an attempt that was killed
    make_folder(temporary)
    try:
        yield temporary
        refuse_filled(path)  # meanwhile
        move(temporary, path)
    finally:
        remove(temporary)


def refuse_filled(path: epath.Path) -> None:
    """Raises UserError unless `path` is free or an empty folder."""
    if path.exists() and not path.is_dir():
        raise UserError(f"{path} is a file; expected a new folder: give another name.")
    if path.is_dir() and (found := sorted(child.name for child in path.iterdir())):
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        raise UserError(
            f"{path} is not empty: it holds {', '.join(found[:3])}{more}. Give a new folder, or remove it first."
        )


def share(path: epath.Path) -> None:
    """Gives a local file the mode that new files have: what writes by way of a temporary file may leave it 0600."""
    mask = os.umask(0)
    os.umask(mask)
    os.chmod(path, 0o666 & ~mask)


def make_folder(path: epath.Path) -> None:
    """Makes a folder; in an object store the first file below it does."""
    if is_local(path):
        path.mkdir(parents=True, exist_ok=True)


def children(path: epath.Path) -> list[epath.Path]:
    """Files and folders of a folder, sorted by name; none where there is no folder."""
    if is_local(path) and not path.is_dir():
        return []
    return sorted(path.iterdir() if is_local(path) else object_store.children(path), key=lambda child: child.name)


def remove(path: epath.Path) -> None:
    """Removes a file or a folder with all that is in it; nothing there is no error."""
    if not is_local(path):
        object_store.remove(path)
    elif path.is_dir():
        path.rmtree()
    else:
        path.unlink(missing_ok=True)


def remove_empty(path: epath.Path) -> None:
    """Removes a folder that nothing is in; in an object store there is none."""
    if is_local(path) and path.is_dir() and not any(path.iterdir()):
        path.rmdir()


def read_spans(spans: Sequence[tuple[epath.Path, int, int]]) -> list[bytes]:
    """Parts of files that are all local or all in one store, by path, offset and size."""
    if spans and not is_local(spans[0][0]):
        return object_store.read_spans(spans)
    parts = []
    for path, offset, size in spans:
        with path.open("rb") as file:
            file.seek(offset)
            parts.append(file.read(size))
    return parts


def digest(path: epath.Path) -> Digest:
    """Reads a file, or every file of a folder."""
    contents = _contents(path)
    size = sum(size for size, _ in contents.values())
    if "." in contents:
        return Digest(_sha256(path), size, 1, _stamp(contents))
    names = hashlib.sha256()
    for name in contents:
        names.update(f"{name}\0{_sha256(path / name)}\n".encode())
    return Digest(names.hexdigest(), size, len(contents), _stamp(contents))


def stamp(path: epath.Path) -> str:
    """A hash of names, sizes and times of last change, without reading any content."""
    return _stamp(_contents(path))


def _stamp(contents: Mapping[str, tuple[int, str]]) -> str:
    text = hashlib.sha256()
    for name, (size, changed) in contents.items():
        text.update(f"{name}\0{size} {changed}\n".encode())
    return text.hexdigest()[:32]


def _contents(path: epath.Path) -> dict[str, tuple[int, str]]:
    """Size and mark of the last change of each file of a folder, by relative name, folder by folder; "." for a file."""
    if not is_local(path):
        found = object_store.objects(path)
        return {name: (found[name].size, found[name].generation) for name in sorted(found, key=lambda n: n.split("/"))}
    contents = {}
    for file in (path, *_descendants(path)):
        if not file.is_dir():
            status = os.stat(file)
            contents[file.relative_to(path).as_posix()] = status.st_size, str(status.st_mtime_ns)
    return contents


def _descendants(path: epath.Path) -> Iterator[epath.Path]:
    """All files and folders below a local folder, sorted by name at each level; none below a file."""
    for child in children(path):
        yield child
        yield from _descendants(child)


def _sha256(file: epath.Path) -> str:
    total = hashlib.sha256()
    for chunk in _chunks(file) if is_local(file) else object_store.chunks(file):
        total.update(chunk)
    return total.hexdigest()


def _chunks(file: epath.Path) -> Iterator[bytes]:
    with open(file, "rb") as stream:
        while chunk := stream.read(_CHUNK):
            yield chunk


def _sync(path: epath.Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
