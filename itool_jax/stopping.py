"""Stopping when asked to: SIGTERM (preemption of a cloud machine, `kill`), SIGUSR1 (SLURM's --signal before the end).

What a stage has finished is always on disk, so most of the work can be stopped anywhere. Training stops between steps,
so that it can save where it is.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGTERM, signal.SIGUSR1)


class Stopped(BaseException):
    """A signal asked to stop, by name; like KeyboardInterrupt, nothing on the way catches it by chance."""


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """A signal raises Stopped wherever the main thread is; further ones are ignored, so that it can tidy up."""

    def stop(number: int, frame: FrameType | None) -> None:
        for other in SIGNALS:
            signal.signal(other, signal.SIG_IGN)
        raise Stopped(signal.Signals(number).name)

    with _handling(stop, _own_signals()):
        yield


class StopRequest:
    """A wish to stop that is granted when it suits: entered as a context, it notes signals instead of raising.

    Where JAX is distributed, SIGTERM belongs to its preemption service, which tells all processes of it and names a
    step that each of them comes to; SIGUSR1 is passed on to it. The steps that it knows are the questions of the
    process's life, and not of one request's, of which later ones would pass it by. It names the step after the last
    one that it was asked for, so nobody else may ask it (see `training.checkpoints`).
    """

    _asked = itertools.count()

    def __init__(self) -> None:
        self._noted = ""
        self._interrupts = False
        self._shared = _distributed()

    def reached(self) -> str:
        """The name of the signal if the work is to stop now, else ""; all processes ask after every step of theirs."""
        if self._shared:
            from orbax.checkpoint import multihost

            return "SIGTERM" if multihost.reached_preemption(next(self._asked)) else ""
        return self._noted

    @contextmanager
    def raising(self, wish: str) -> Iterator[None]:
        """Signals raise Stopped in here, as the wish that `reached` told does; where JAX is distributed only that.

        Several processes could not leave a computation of all of them at one place, so there it lasts to its end.
        """
        try:
            self._interrupts = True
            if wish or self._noted:
                raise Stopped(wish or self._noted)
            yield
        finally:
            self._interrupts = False

    def __enter__(self) -> StopRequest:
        self._handlers = _handling(self._note, _own_signals())
        self._handlers.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: Any) -> None:
        self._handlers.__exit__(None, None, None)
        if self._noted and kind is None:
            raise Stopped(self._noted)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self._shared:
            os.kill(os.getpid(), signal.SIGTERM)
            return
        self._noted = signal.Signals(number).name
        if self._interrupts:
            self._interrupts = False  # a second one must not break off the save that follows
            raise Stopped(self._noted)


def _distributed() -> bool:
    """Whether this process is one of several that JAX has joined (or the only one, joined all the same)."""
    jax = sys.modules.get("jax")
    return jax is not None and jax.distributed.is_initialized()


def _own_signals() -> Sequence[signal.Signals]:
    """Those that are not JAX's."""
    return SIGNALS[1:] if _distributed() else SIGNALS


@contextmanager
def _handling(handler: Any, signals: Sequence[signal.Signals]) -> Iterator[None]:
    """Python lets the main thread alone handle signals; on another one this does nothing."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in signals}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, signal.SIG_DFL if old is None else old)
