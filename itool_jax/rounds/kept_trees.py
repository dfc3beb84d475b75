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
    before that is passed over, and its tree is grown again.
    """

    def __init__(self, folder: epath.Path, file_bytes: int = FILE_BYTES):
        self._folder, self._file_bytes = folder, file_bytes
        self._places = files.kept_rows(folder / _INDEX)
        self._number = max((place["file"] for place in self._places.values()), default=0)

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
        self._places[row["id"]] = {"id": row["id"], **place}
        files.keep_row(self._folder / _INDEX, self._places[row["id"]])

    def rows(self, ids: Iterable[str]) -> Iterator[dict[str, Any]]:
        """The rows of these ids in their order, one at a time."""
        for id in ids:
            place = self._places[id]
            path = self._folder / file_name(place["file"])
            with path.open("rb") as file:
                file.seek(place["offset"])
                frame = file.read(place["size"])
            try:
                yield expand_line(frame)
            except (zstandard.ZstdError, ValueError) as error:
                raise UserError(
                    f"{path} cannot be read at byte {place['offset']}, where the tree of {id!r} lies "
                    f"({type(error).__name__}: {error}). Something else changed it: delete {self._folder}, and the "
                    "search begins anew."
                ) from error
