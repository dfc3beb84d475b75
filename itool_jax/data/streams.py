"""Data files as bytes: gzipped ones unpacked on the way, JSON Lines one line at a time, in bounded memory."""

from __future__ import annotations

import gzip
import io
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

from etils import epath

from itool_jax.errors import UserError

MAX_ROW = 1 << 26
"""Bytes of one row at most: what is longer is a broken file, and is not read into memory."""


@contextmanager
def open_data(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """The file's bytes, unpacked where its name ends in .gz; raises UserError where they cannot be read."""
    try:
        with epath.Path(path).open("rb") as file:
            buffered = isinstance(file, io.BufferedIOBase)  # gcsfs' files are not: they read no lines of bounded size
            stream = cast(BinaryIO, file if buffered else io.BufferedReader(cast(io.RawIOBase, file)))
            if os.fspath(path).endswith(".gz"):
                with gzip.open(stream) as unpacked:
                    yield cast(BinaryIO, unpacked)
            else:
                yield stream
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise UserError(f"cannot read the data file {path}: {reason}. Check the path and the file.") from error


def read_lines(path: str | os.PathLike[str]) -> Iterator[tuple[int, bytes]]:
    """The file's non-blank lines, numbered from 1; raises UserError where the file cannot be read."""
    with open_data(path) as stream:
        number = 0
        while line := stream.readline(MAX_ROW + 1):
            number += 1
            if len(line) > MAX_ROW:
                raise UserError(f"{path}, line {number} is longer than {MAX_ROW:,} bytes. Expected one row a line.")
            if line.strip():
                yield number, line
