"""Rows in the layouts of third-party sources, and what a test asks of what importers make of them."""

import json
import re

import pytest

from itool_jax.data.jsonl import example_from_json, example_to_json
from itool_jax.data.sources import SOURCES, read_source
from itool_jax.errors import UserError
from itool_jax.toolcall import compare, parse_calls
from itool_jax.toolcall.types import ToolCall

NEWS = {
    "name": "get_news",
    "description": "News of a country",
    "parameters": {
        "type": "object",
        "properties": {"country": {"type": "string"}, "count": {"type": "integer"}},
        "required": ["country"],
    },
}
PASSWORD = {"name": "make_password", "description": "A new one", "parameters": {"type": "object", "properties": {}}}
FRANCE = ToolCall("get_news", {"country": "France"})


def read(tmp_path, source, *rows, name="rows.jsonl", skip_bad=False):
    path = tmp_path / name
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return read_source(source, path, skip_bad=skip_bad)


def bad(tmp_path, source, good, row):
    """Field and message of a bad row between two good ones, which are read; without leave to skip it is an error."""
    rows = read(tmp_path, source, good, row, good, skip_bad=True)
    count = len(read(tmp_path, source, good).items)
    assert len(rows.items) == (count if SOURCES[source].repeats else 2 * count)
    [problem] = rows.problems
    assert problem.row == 2
    with pytest.raises(UserError, match=rf"^1 bad row: {re.escape(str(problem))}"):
        read(tmp_path, source, good, row, good)
    return problem.field, problem.message


def roles(example):
    return [message.role for message in example.messages]


def usable(example):
    """The label is right by the project's own judgement, and survives our own file form."""
    again = example_from_json(json.loads(json.dumps(example_to_json(example))))
    right = not example.calls or compare(parse_calls(example.answer), example.calls, example.tools).right
    contexts = all(parse_calls(m.content).calls == m.calls for m in example.messages if m.role == "assistant")
    return again == example and right and contexts
