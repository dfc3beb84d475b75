"""Importers of third-party data: `read_source(name, path)` for each name in SOURCES."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from itool_jax.data.example import Example
from itool_jax.data.jsonl import scan_examples
from itool_jax.data.problems import Rows, refuse
from itool_jax.data.sources import seal_tools, toolace
from itool_jax.errors import UserError

SOURCES: Mapping[str, Callable[..., Rows[Example]]] = {
    "jsonl": scan_examples,
    "seal_tools": seal_tools.read,
    "toolace": toolace.read,
}


def read_source(name: str, path: str | os.PathLike[str], *, skip_bad: bool = False) -> Rows[Example]:
    """Examples of a file in the named form, in its order, with the problems of its bad rows.

    Raises UserError for an unknown name, a missing or broken file, a file without one good row, and, unless
    `skip_bad`, for any bad row.
    """
    if name not in SOURCES:
        raise UserError(f"no data source is named {name!r}; there are {', '.join(SOURCES)}.")
    rows = SOURCES[name](path, skip_bad=skip_bad)
    if not rows.items:
        refuse(rows.problems)
        raise UserError(f"{path} holds no examples; expected a JSON array or JSON Lines in the form of {name}.")
    return rows
