r"""xLAM (huggingface Salesforce/xlam-function-calling-60k): one request and its calls in a row.

    {"id": 0, "query": "...", "answers": "[{\"name\": \"f\", \"arguments\": {\"a\": 1}}]",
     "tools": "[{\"name\": \"f\", \"description\": \"...\", \"parameters\": {\"a\": {\"type\": \"int, optional\"}}}]"}

`answers` and `tools` are JSON, as text or as it is. A parameter is required unless its type says "optional" or it has a
default. The files are behind a licence to be accepted, so download them by your own account.
"""

from __future__ import annotations

from itool_jax.data.example import Example
from itool_jax.data.problems import expect, take
from itool_jax.data.sources.calls import json_calls, listed
from itool_jax.data.sources.candidates import read_candidates
from itool_jax.data.sources.conversation import Turn, conversation_examples
from itool_jax.data.sources.labels import fit_calls
from itool_jax.data.sources.source import Row, Source


def examples(row: Row) -> list[Example]:
    """One example per row, ids xlam/FILE/ROW."""
    value = expect(row.value, dict, "")
    tools = read_candidates(listed(value, "tools"), "tools")
    calls, notes = fit_calls(json_calls(listed(value, "answers"), "answers"), tools, "answers")
    turns = [
        Turn("user", take(value, "query", str), "query"),
        Turn("assistant", "", "answers", calls, tuple(notes)),
    ]
    name = f"xlam/{row.file}/{row.number}"
    return conversation_examples(turns, tools, name=name, source="xlam", meta={}, last_only=True)


SOURCE = Source(examples)
