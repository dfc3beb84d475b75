"""Files that grow while a run works, and are sound at whatever moment it is killed.

An object store has no appends. There what is appended waits in memory, and goes up SECONDS after the upload before it:
with what is appended then, or by a thread where nothing is. So a kill takes the last of it along, which is made again.
The newest object is written anew with each of these uploads; rows go to numbered objects of PART_BYTES, so that an
upload stays small however many rows there are.
"""

from __future__ import annotations

import json
import math
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any

from etils import epath

from itool_jax import files
from itool_jax.errors import UserError

SECONDS = 30
PART_BYTES = 4 << 20
_BYTES_A_SECOND = 256 << 10  # a large object is written anew less often
FLUSHER = "itool-jax flusher"  # name of the threads that flush


class AppendedFile:
    """A file that bytes are appended to; they outlive the process at once, or in an object store after `flush`.

    There all of it is held in memory.
    """

    def __init__(self, path: epath.Path, full: float = math.inf):
        """`full` is how many bytes are enough for one file; in an object store that is at most PART_BYTES, if any."""
        self.path = path
        self._full = full if files.is_local(path) else min(full, PART_BYTES)
        self._file: IO[Any] | None = None
        self._content: bytearray | None = None
        self._waits = False
        self._flushed = time.monotonic()

    @property
    def is_full(self) -> bool:
        return self._end() >= self._full

    @property
    def seconds_left(self) -> float | None:
        """How long it may still wait to be flushed; None where nothing waits."""
        wait = max(SECONDS, len(self._content or b"") / _BYTES_A_SECOND)
        return self._flushed + wait - time.monotonic() if self._waits else None

    def append(self, data: bytes, *, sync: bool = False) -> int:
        """Appends, with `sync` to the disk itself, and returns where the bytes begin."""
        offset = self._end()
        if self._file is not None:
            self._file.write(data)
            self._file.flush()
            if sync:
                os.fsync(self._file.fileno())
        if self._content is not None:
            self._content += data
            self._waits = True
        return offset

    def flush(self) -> None:
        if self._content is not None and self._waits:
            files.write_atomic(self.path, bytes(self._content))
            self._waits, self._flushed = False, time.monotonic()

    def close(self) -> None:
        """Flushes. It may be appended to again, also after something else has written to it."""
        self.flush()
        if self._file is not None:
            self._file.close()
        self._file = self._content = None

    def _end(self) -> int:
        """Where it ends, after making it ready to be appended to."""
        if files.is_local(self.path):
            file = self._file = self._file or self.path.open("ab")
            return file.tell()
        if self._content is None:
            self._content = bytearray(self.path.read_bytes() if self.path.exists() else b"")
        return len(self._content)


class Flusher:
    """Flushes what waits when it is due: as `lock` is left, or by a thread that lives until `stop`."""

    def __init__(self, seconds_left: Callable[[], float | None], flush: Callable[[], None]):
        """`seconds_left` says in how long it is due, None where nothing waits; both are called with the lock held."""
        self._seconds_left, self._flush = seconds_left, flush
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._error: BaseException | None = None

    @contextmanager
    def lock(self) -> Iterator[None]:
        """To be held by what changes what is flushed. Raises afterwards the error that the thread ran into."""
        with self._changed:
            try:
                yield
                self._wake(self._flush_due())
            finally:
                error, self._error = self._error, None
                if error is not None:
                    raise error

    def stop(self) -> None:
        """Ends the thread, which the next `lock` begins anew where something waits. Not to be called within one."""
        if self._thread is not None:
            with self._changed:
                self._stopping = True
                self._changed.notify()
            self._thread.join()
            self._thread, self._stopping = None, False

    def _flush_due(self) -> float | None:
        """Flushes what is due, and returns the seconds until something will be."""
        left = self._seconds_left()
        if left is not None and left <= 0:
            self._flush()
            left = self._seconds_left()
        return left

    def _wake(self, left: float | None) -> None:
        """Has the thread look anew, and begins it where something waits."""
        if self._thread is not None:
            self._changed.notify()
        elif left is not None:
            self._thread = threading.Thread(target=self._run, name=FLUSHER, daemon=True)
            self._thread.start()

    def _run(self) -> None:
        with self._changed:
            while not self._stopping:
                try:
                    left = None if self._error else self._flush_due()
                except BaseException as error:  # whatever it is, the writer is told
                    self._error, left = error, None
                self._changed.wait(left)


class RowLog:
    """Rows with an `id`, as lines of JSON that outlive a kill; `kept_rows` reads them.

    On a mounted file system each is in the file when `keep` returns. In an object store they lie in parts below the
    file's name. One log writes to a file at a time, and others may read it meanwhile.
    """

    def __init__(self, path: epath.Path, before: Callable[[], None] = lambda: None):
        """`before` is called before rows are written: what they tell of must be there first.

        A thread of the log may call it, with `lock` held.
        """
        self._path, self._before = path, before
        self._waiting: list[bytes] = []
        self._file: AppendedFile | None = None
        self._flushed = time.monotonic()
        self._flusher = Flusher(self._seconds_left, self._write)
        self.lock = self._flusher.lock

    def keep(self, row: Mapping[str, Any]) -> None:
        with self.lock():
            self._waiting.append((json.dumps(row) + "\n").encode())

    def flush(self) -> None:
        """Writes the rows that wait."""
        with self.lock():
            self._write()

    def close(self) -> None:
        """Writes the rows that wait; more may come afterwards. Not to be called with the lock held."""
        self._flusher.stop()
        with self.lock():
            self._write()
            if self._file is not None:
                self._file.close()
                self._file = None

    def _seconds_left(self) -> float | None:
        if not self._waiting:
            return None
        return 0 if files.is_local(self._path) else self._flushed + SECONDS - time.monotonic()

    def _write(self) -> None:
        if self._waiting:
            self._before()
            if self._file is None or self._file.is_full:
                self._file = self._next()
            self._file.append(b"".join(self._waiting))
            self._file.flush()
            self._waiting.clear()
        self._flushed = time.monotonic()

    def _next(self) -> AppendedFile:
        if files.is_local(self._path):
            files.make_folder(self._path.parent)
            _remove_cut_off(self._path)
            return AppendedFile(self._path)
        return AppendedFile(self._path / f"{len(files.children(self._path)):05d}", PART_BYTES)


def kept_rows(path: epath.Path) -> dict[str, dict[str, Any]]:
    """The rows that a `RowLog` has written, by id, the last one of an id; none where there is no file.

    A last line that a kill cut off is left out. UserError for any other line that cannot be read.
    """
    rows = {}
    for file in _parts(path):
        for number, line in enumerate(file.read_bytes().split(b"\n")[:-1], 1):
            try:
                row = json.loads(line)
                rows[row["id"]] = row
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                raise UserError(
                    f"{file}, line {number} cannot be read ({type(error).__name__}: {error}): expected a JSON object "
                    "with an id. Only a last line can be cut off by a kill, so something else changed it: delete that "
                    "line, and what it held is made again."
                ) from error
    return rows


def _parts(path: epath.Path) -> list[epath.Path]:
    if not files.is_local(path):
        return files.children(path)
    return [path] if path.exists() else []


def _remove_cut_off(path: epath.Path) -> None:
    """Takes a last line that a kill cut off out of a local file, so that what is appended begins a line."""
    content = path.read_bytes() if path.exists() else b""
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        os.truncate(path, whole)
