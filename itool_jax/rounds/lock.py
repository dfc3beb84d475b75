"""One process at a time in a run directory."""

from __future__ import annotations

import fcntl
import os
import socket
import time
from types import TracebackType

from etils import epath

from itool_jax.errors import UserError
from itool_jax.files import is_local

LOCK_NAME = ".lock"


class Lock:
    """An advisory lock on a local folder that vanishes with the process that holds it, however that ends.

    Remote folders (gs://) have no locks: there it does nothing.
    """

    def __init__(self, folder: epath.Path):
        self._path = folder / LOCK_NAME
        self._descriptor: int | None = None

    def take(self) -> None:
        """Raises UserError that names the process where another one holds the lock."""
        if not is_local(self._path):
            return
        while self._descriptor is None:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.read(descriptor, 1000).decode(errors="replace").strip()
                os.close(descriptor)
                raise UserError(
                    f"another process works in {self._path.parent}: {holder or 'it has just started'}. "
                    "Wait until it ends or stop it, or give another --workdir."
                ) from None
            if self._is_current(descriptor):
                self._descriptor = descriptor
            else:  # its last holder removed the file between our opening and our locking it
                os.close(descriptor)
        os.ftruncate(self._descriptor, 0)
        since = time.strftime("%Y-%m-%d %H:%M:%S")
        os.write(self._descriptor, f"process {os.getpid()} on {socket.gethostname()} since {since}\n".encode())

    def release(self, *, and_remove: bool = False) -> None:
        if self._descriptor is not None:
            if and_remove:
                self._path.unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = None

    def _is_current(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), os.stat(self._path))
        except FileNotFoundError:
            return False

    def __enter__(self) -> Lock:
        self.take()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        self.release()
