"""Rows of data files as JSON text, one at a time: JSON arrays, JSON Lines, both gzipped, and Parquet."""

from __future__ import annotations

import codecs
import json
import os
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from itool_jax.data.streams import MAX_ROW, open_data, read_lines
from itool_jax.errors import UserError

_CHUNK, _HEAD = 1 << 16, 1 << 12
_SPACE = re.compile(r"[ \t\r\n]*")
_SPLITTER = json.JSONDecoder(parse_int=str, parse_float=str)
_PARQUET_ROWS = 64


def numbered_rows(path: str | os.PathLike[str]) -> Iterator[tuple[int, bytes]]:
    """The rows' JSON text, numbered from 1 (of JSON Lines: by line).

    A syntax error inside an array makes the rest of the file unreadable, so it is a UserError, not a row to be skipped.
    """
    if os.fspath(path).endswith(".parquet"):
        yield from _parquet_rows(path)
        return
    with open_data(path) as stream:
        is_array = stream.read(_HEAD).removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"[")
    if not is_array:
        yield from read_lines(path)
        return
    with open_data(path) as stream:
        yield from _ArrayReader(path, stream).rows()


def row_text(row: Any) -> bytes:
    """A row that is at hand as values, as JSON text; what JSON has no form for, such as a date, as a string."""
    return json.dumps(row, ensure_ascii=False, default=str).encode(errors="surrogatepass")


class _ArrayReader:
    """A JSON array read in chunks: of the text there is never more at hand than a few chunks or one row."""

    def __init__(self, path: str | os.PathLike[str], stream: BinaryIO):
        self.path, self.stream = path, stream
        self.decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self.text, self.position, self.consumed = "", 0, 0

    def rows(self) -> Iterator[tuple[int, bytes]]:
        self._next()  # the opening bracket
        number = 0
        found = self._peek()
        while found != "]":
            number += 1
            yield number, self._value(number).encode(errors="surrogatepass")
            found = self._next()
            if found not in (",", "]"):
                raise self._broken(number, "is not followed by a comma or the closing bracket", back=len(found))
        if number == 0:
            self._next()
        if self._peek():
            raise self._broken(number, "is the last of the array, and more text follows")

    def _value(self, number: int) -> str:
        self._peek()
        while True:
            problem = None
            try:
                _, end = _SPLITTER.raw_decode(self.text, self.position)
            except (ValueError, RecursionError) as error:
                end, problem = self.position, error
            # What was read may end within a number, as 1. or 1e of 1.5e-7: a value counts once its end stands there.
            whole = problem is None and self.text[end : end + 1] in tuple(",] \t\r\n")
            hopeless = isinstance(problem, RecursionError) or len(self.text) - self.position > MAX_ROW
            if not whole and not hopeless and self._grow():
                continue
            if problem is not None:
                raise self._broken(number, "cannot be read as JSON") from problem
            value = self.text[self.position : end]
            self.position = end
            return value

    def _next(self) -> str:
        """The next character that is no space, which is passed; "" at the end."""
        found = self._peek()
        self.position += len(found)
        return found

    def _peek(self) -> str:
        while True:
            match = _SPACE.match(self.text, self.position)
            self.position = match.end() if match else self.position
            if self.position < len(self.text) or not self._grow():
                return self.text[self.position : self.position + 1]

    def _grow(self) -> bool:
        """Reads on by as much as is at hand, at least a chunk, so that a long row is tried a few times only."""
        rest = self.text[self.position :]
        data = self.stream.read(max(_CHUNK, len(rest)))
        try:
            more = self.decoder.decode(data, final=not data)
        except UnicodeDecodeError as error:
            place = self.consumed + error.start
            raise UserError(f"{self.path} is not UTF-8 near byte {place}. Expected a JSON array or lines.") from error
        self.consumed += len(data)
        self.text, self.position = rest + more, 0
        return bool(data)

    def _broken(self, number: int, what: str, back: int = 0) -> UserError:
        near = self.text[self.position - back :][:40]
        return UserError(
            f"{self.path} is not a whole JSON array: row {number} {what}, near {near!r}. The rows after it cannot be "
            "told apart, so none can be skipped: mend or fetch the file again."
        )


def _parquet_rows(path: str | os.PathLike[str]) -> Iterator[tuple[int, bytes]]:
    import pyarrow
    from pyarrow import parquet

    with open_data(path) as stream:
        try:
            number = 0
            for batch in parquet.ParquetFile(stream).iter_batches(batch_size=_PARQUET_ROWS):
                for row in batch.to_pylist():
                    number += 1
                    yield number, row_text(row)
        except pyarrow.ArrowException as error:
            raise UserError(f"cannot read the Parquet file {path}: {error}. Fetch or write it again.") from error
