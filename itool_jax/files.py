"""Files that are there whole or not at all: atomic writes, flushed trees, digests. Paths are etils.epath Paths."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from etils import epath

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


def write_atomic(path: epath.Path, content: bytes) -> None:
    """Writes a file by way of a temporary name beside it; after a crash the path holds the old content or the new."""
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_bytes(content)
    if is_local(path):
        _sync(temporary)
    temporary.replace(path)
    if is_local(path):
        _sync(path.parent)


def write_json(path: epath.Path, value: Any) -> None:
    """Writes JSON atomically, indented, keys in the order given."""
    write_atomic(path, (json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode())


def keep_row(path: epath.Path, row: Mapping[str, Any]) -> None:
    """Appends a row, with its `id`, to a file of JSON lines."""
    with path.open("a") as file:
        file.write(json.dumps(row) + "\n")


def kept_rows(path: epath.Path) -> dict[str, dict[str, Any]]:
    """The rows that `keep_row` has written, by id, the last one of an id; none where there is no file.

    A last line that a kill cut off is dropped from the file. UserError for any other line that cannot be read.
    """
    if not path.exists():
        return {}
    whole, _, cut_off = path.read_bytes().rpartition(b"\n")
    if cut_off:
        write_atomic(path, whole + b"\n" if whole else b"")
    rows = {}
    for number, line in enumerate(whole.split(b"\n") if whole else (), 1):
        try:
            row = json.loads(line)
            rows[row["id"]] = row
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise UserError(
                f"{path}, line {number} cannot be read ({type(error).__name__}: {error}): expected a JSON object with "
                "an id. Only a last line can be cut off by a kill, so something else changed it: delete that line, and "
                "what it held is made again."
            ) from error
    return rows


def move(source: epath.Path, target: epath.Path) -> None:
    """Flushes a file or folder to disk and renames it to `target`, replacing what is there."""
    if is_local(source):
        for path in (source, *_descendants(source)):
            _sync(path)
    make_folder(target.parent)
    remove(target)
    source.rename(target)
    if is_local(target):
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
    path.mkdir(parents=True, exist_ok=True)


def remove(path: epath.Path) -> None:
    """Removes a file or a folder with all that is in it; nothing there is no error."""
    if path.is_dir():
        path.rmtree()
    else:
        path.unlink(missing_ok=True)


def digest(path: epath.Path) -> Digest:
    """Reads a file, or every file of a folder."""
    if not path.is_dir():
        return Digest(_sha256(path), path.stat().length, 1, stamp(path))
    names = hashlib.sha256()
    files = [file for file in _descendants(path) if not file.is_dir()]
    for file in files:
        names.update(f"{file.relative_to(path).as_posix()}\0{_sha256(file)}\n".encode())
    return Digest(names.hexdigest(), sum(file.stat().length for file in files), len(files), stamp(path))


def stamp(path: epath.Path) -> str:
    """A hash of names, sizes and times of last change, without reading any content."""
    text = hashlib.sha256()
    for file in (path, *_descendants(path)):
        if not file.is_dir():
            text.update(f"{file.relative_to(path).as_posix()}\0{_size_and_time(file)}\n".encode())
    return text.hexdigest()[:32]


def _descendants(path: epath.Path) -> Iterator[epath.Path]:
    """All files and folders below a folder, sorted by name at each level; none below a file."""
    if path.is_dir():
        for child in sorted(path.iterdir(), key=lambda child: child.name):
            yield child
            yield from _descendants(child)


def _sha256(file: epath.Path) -> str:
    total = hashlib.sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            total.update(chunk if isinstance(chunk, bytes) else chunk.encode())
    return total.hexdigest()


def _size_and_time(file: epath.Path) -> str:
    if is_local(file):
        found = os.stat(file)
        return f"{found.st_size} {found.st_mtime_ns}"
    status = file.stat()
    return f"{status.length} {status.mtime}"


def _sync(path: epath.Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
