"""Finished trees of a search that is under way, on disk as they come: what a killed search goes on from."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any

import zstandard
from etils import epath

from itool_jax import files
from itool_jax.errors import UserError
from itool_jax.search.records import FILE_BYTES, compress_line, expand_line, file_name

_INDEX = "index.jsonl"


class KeptTrees:
    """Rows with an `id`, appended to files of bounded size; only where each of them lies is held in memory.

    A row counts from when its line stands in the index, which is written after the row is on disk. What a kill cut off
    before that is passed over, and its tree is grown again. Each process of a run appends in a folder of its own, and
    reads what all had when it began.
    """

    def __init__(self, folder: epath.Path, file_bytes: int = FILE_BYTES, process: int = 0):
        self._top, self._own, self._file_bytes = folder, f"{process:03d}", file_bytes
        self._folder = folder / self._own
        self._places: dict[str, dict[str, Any]] = {}
        for index in sorted(folder.glob(f"*/{_INDEX}")):
            places = files.kept_rows(index).items()
            self._places |= {id: {**place, "folder": index.parent.name} for id, place in places}
        own = (place["file"] for place in self._places.values() if place["folder"] == self._own)
        self._number = max(own, default=0)

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
        files.make_folder(self._folder)
        path = self._folder / file_name(self._number)
        if path.exists() and path.stat().length >= self._file_bytes:
            self._number += 1
            path = self._folder / file_name(self._number)
        with path.open("ab") as file:
            offset = file.seek(0, os.SEEK_END)
            file.write(frame)
            file.flush()
            if files.is_local(path):
                os.fsync(file.fileno())
        place = {"file": self._number, "offset": offset, "size": len(frame), "pairs": len(row["pairs"])}
        self._places[row["id"]] = {**place, "folder": self._own}
        files.keep_row(self._folder / _INDEX, {"id": row["id"], **place})

    def rows(self, ids: Iterable[str]) -> Iterator[dict[str, Any]]:
        """The rows of these ids in their order, one at a time."""
        for id in ids:
            place = self._places[id]
            path = self._top / place["folder"] / file_name(place["file"])
            with path.open("rb") as file:
                file.seek(place["offset"])
                frame = file.read(place["size"])
            try:
                yield expand_line(frame)
            except (zstandard.ZstdError, ValueError) as error:
                raise UserError(
                    f"{path} cannot be read at byte {place['offset']}, where the tree of {id!r} lies "
                    f"({type(error).__name__}: {error}). Something else changed it: delete {self._top}, and the "
                    "search begins anew."
                ) from error
