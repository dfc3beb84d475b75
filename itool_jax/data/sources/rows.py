"""Rows of a third-party file: a JSON array or JSON Lines, as one numbered piece of text each."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator

from itool_jax.data.jsonl import read_lines
from itool_jax.errors import UserError

_SPACE = re.compile(r"[ \t\r\n]*")
_SPLITTER = json.JSONDecoder(parse_int=str, parse_float=str)


def numbered_rows(path: str | os.PathLike[str]) -> Iterator[tuple[int, bytes]]:
    """The rows' JSON text, numbered from 1 (of JSON Lines: by line).

    A syntax error inside an array makes the rest of the file unreadable, so it is a UserError, not a row to be skipped.
    """
    lines = list(read_lines(path))
    if not lines or not lines[0][1].removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"["):
        yield from lines
        return
    try:
        text = b"".join(line for _, line in lines).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 at byte {error.start}. Expected a JSON array or JSON Lines.") from error
    yield from _array_rows(path, text)


def _array_rows(path: str | os.PathLike[str], text: str) -> Iterator[tuple[int, bytes]]:
    number, position = 0, _skip(text, text.index("[") + 1)
    closed = text[position : position + 1] == "]"
    while not closed:
        number += 1
        try:
            _, end = _SPLITTER.raw_decode(text, position)
        except (ValueError, RecursionError) as error:
            raise _broken(path, number, text, position, "cannot be read as JSON") from error
        yield number, text[position:end].encode()
        position = _skip(text, end)
        closed = text[position : position + 1] == "]"
        if not closed and text[position : position + 1] != ",":
            raise _broken(path, number, text, position, "is not followed by a comma or the closing bracket")
        position = position if closed else _skip(text, position + 1)
    if text[position + 1 :].strip():
        raise _broken(path, number, text, position + 1, "is the last of the array, and more text follows")


def _skip(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position


def _broken(path: str | os.PathLike[str], number: int, text: str, position: int, what: str) -> UserError:
    near = text[position : position + 40]
    return UserError(
        f"{path} is not a whole JSON array: row {number} {what}, near {near!r}. The rows after it cannot be told "
        "apart, so none can be skipped: mend or fetch the file again."
    )
