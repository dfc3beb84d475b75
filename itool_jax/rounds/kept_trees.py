"""Finished trees of a search that is under way, on disk as they come: what a killed search goes on from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import zstandard
from etils import epath

from itool_jax import files
from itool_jax.errors import UserError
from itool_jax.growing import AppendedFile, RowLog, kept_rows
from itool_jax.search.records import FILE_BYTES, compress_line, expand_line, file_name

_INDEX = "index.jsonl"


class KeptTrees:
    """Rows with an `id`, appended to files of bounded size; only where each of them lies is held in memory.

    A row counts from when its line stands in the index, which is written after the row is on disk. What a kill cut off
    before that is passed over, and its tree is grown again. Each process of a run appends in a folder of its own, and
    reads what all had when it began.
    """

    def __init__(
        self,
        folder: epath.Path,
        file_bytes: int = FILE_BYTES,
        process: int = 0,
        before: Callable[[], None] = lambda: None,
    ):
        """`before` is called before rows count, maybe by another thread: what must be on disk by then, it writes."""
        self._top, self._own, self._file_bytes = folder, f"{process:03d}", file_bytes
        self._folder = folder / self._own
        self._places: dict[str, dict[str, Any]] = {}
        for index in sorted(folder.glob(f"*/{_INDEX}")):
            places = kept_rows(index).items()
            self._places |= {id: {**place, "folder": index.parent.name} for id, place in places}
        own = (place["file"] for place in self._places.values() if place["folder"] == self._own)
        self._number = max(own, default=0)
        self._before = before
        self._frames: AppendedFile | None = None
        self._index = RowLog(self._folder / _INDEX, self._flush_frames)

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, id: str) -> bool:
        return id in self._places

    @property
    def pairs(self) -> int:
        """Pairs or lists of all rows."""
        return sum(place["pairs"] for place in self._places.values())

    def keep(self, row: dict[str, Any]) -> None:
        """Appends a row, with its `id` and its `pairs`."""
        frame = compress_line(row)
        with self._index.lock():  # a thread of the index flushes the frames
            frames = self._open()
            if frames.is_full:
                frames.close()
                self._number, self._frames = self._number + 1, None
                frames = self._open()
            offset = frames.append(frame, sync=True)
            place = {"file": self._number, "offset": offset, "size": len(frame), "pairs": len(row["pairs"])}
            self._places[row["id"]] = {**place, "folder": self._own}
            self._index.keep({"id": row["id"], **place})

    def close(self) -> None:
        """All rows count from here on; more may come."""
        self._index.close()
        if self._frames is not None:
            self._frames.close()

    def rows(self, ids: Iterable[str]) -> Iterator[dict[str, Any]]:
        """The rows of these ids in their order; all of them are in memory at once, compressed."""
        self._index.flush()
        ids = list(ids)
        places = [self._places[id] for id in ids]
        spans = [(self._top / p["folder"] / file_name(p["file"]), p["offset"], p["size"]) for p in places]
        for id, (path, offset, _), frame in zip(ids, spans, files.read_spans(spans), strict=True):
            try:
                yield expand_line(frame)
            except (zstandard.ZstdError, ValueError) as error:
                raise UserError(
                    f"{path} cannot be read at byte {offset}, where the tree of {id!r} lies "
                    f"({type(error).__name__}: {error}). Something else changed it: delete {self._top}, and the "
                    "search begins anew."
                ) from error

    def _open(self) -> AppendedFile:
        """The file that frames are appended to."""
        if self._frames is None:
            files.make_folder(self._folder)
            self._frames = AppendedFile(self._folder / file_name(self._number), self._file_bytes)
        return self._frames

    def _flush_frames(self) -> None:
        self._before()
        if self._frames is not None:
            self._frames.flush()
