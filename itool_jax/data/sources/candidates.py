"""Candidate tools of a row, each problem at its place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from itool_jax.data.problems import RowError
from itool_jax.errors import UserError
from itool_jax.toolcall import tools_from_json
from itool_jax.toolcall.types import Tool


def read_candidates(rows: Sequence[Any], field: str) -> tuple[Tool, ...]:
    """Tools from function descriptions in any form that `tools_from_json` knows; RowError names a bad one.

    Names must differ, and a required parameter must be described.
    """
    try:
        tools = tools_from_json(rows)
    except UserError as error:
        raise RowError(field, str(error)) from error
    names = [tool.name for tool in tools]
    for i, tool in enumerate(tools):
        if tool.name in names[:i]:
            raise RowError(f"{field}[{i}].name", f"a second candidate tool is named {tool.name!r}")
        bare = next((p.name for p in tool.parameters if p.required and not p.schema), None)
        if bare is not None:
            raise RowError(f"{field}[{i}].required", f"the parameter {bare!r} is required and not described")
    return tools
