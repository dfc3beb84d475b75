"""A file of figures as TensorBoard reads them. To import this takes seconds where torch is: tensorboardX imports it."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Mapping

from etils import epath
from tensorboardX import summary
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.record_writer import masked_crc32c

from itool_jax.growing import AppendedFile


class EventFile:
    """Figures by step, in a new file of a folder. As with every `AppendedFile`, in an object store they wait for
    `flush`.

    tensorboardX's own writer has a queue that cannot be waited for, so a kill would take what is in it along.
    """

    def __init__(self, folder: epath.Path):
        now = time.time()
        self._file = AppendedFile(folder / f"events.out.tfevents.{int(now)}.{socket.gethostname()}")
        self._file.append(_record(Event(wall_time=now, file_version="brain.Event:2")))

    def show(self, step: int, at: float, values: Mapping[str, float]) -> None:
        """Appends the figures of a step, reached `at` so many Unix seconds."""
        events = [Event(wall_time=at, step=step, summary=summary.scalar(name, value)) for name, value in values.items()]
        self._file.append(b"".join(map(_record, events)))

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def _record(event: Event) -> bytes:
    """A TFRecord: the length and its checksum, the event and its checksum."""
    data = event.SerializeToString()
    length = struct.pack("<Q", len(data))
    return b"".join((length, _checksum(length), data, _checksum(data)))


def _checksum(data: bytes) -> bytes:
    return struct.pack("<I", masked_crc32c(data))
