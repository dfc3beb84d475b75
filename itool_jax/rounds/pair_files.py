"""pairs.jsonl: the preferences of a search as token ids, with their text for people and their reference log-probs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from etils import epath

from itool_jax.data.prepared import Dialect, Prepared
from itool_jax.data.streams import read_lines
from itool_jax.models.policy import Policy
from itool_jax.search.pairs import Preference
from itool_jax.training.preference_data import PairGroup, TokenPreference, with_reference

Row = dict[str, Any]


def pair_row(prepared: Prepared, pair: Preference, dialect: Dialect) -> Row:
    """One pair or list as a JSON object, its sides best first; its prompt is the example's."""
    return {
        "id": prepared.id,
        "prefix": pair.prefix,
        "sides": pair.sides,
        "values": [round(value, 6) for value in pair.values],
        "weight": pair.weight,
        "source": pair.source,
        "text": {"prefix": dialect.text(pair.prefix), "sides": [dialect.text(side) for side in pair.sides]},
    }


def add_references(
    policy: Policy, rows: Sequence[Row], prompts: Mapping[str, tuple[int, ...]], row_tokens: int, batch_rows: int
) -> None:
    """Puts the log-probs of the sides' tokens under `policy` into the rows, as "reference".

    Those whose tree is longer than `row_tokens` get none: they cannot be trained on either.
    """
    groups = [group for group in _groups(rows, prompts) if len(group.tree()) <= row_tokens]
    known = {group.id: iter(group.pairs) for group in with_reference(policy, groups, row_tokens, batch_rows)}
    for row in rows:
        reference = next(known[row["id"]]).reference if row["id"] in known else None
        row["reference"] = reference and [plain_logprobs(side) for side in reference]


def plain_logprobs(logprobs: Iterable[float]) -> list[float]:
    """Log-probs as they are written: nine digits are all that a float32 has."""
    return [float(f"{x:.9g}") for x in logprobs]


def pair_line(row: Row) -> str:
    """The row as a line of pairs.jsonl."""
    return json.dumps(row, ensure_ascii=False) + "\n"


def read_pairs(path: epath.Path, prompts: Mapping[str, tuple[int, ...]]) -> list[PairGroup]:
    """The preferences by prompt, in the order of the file."""
    return _groups((json.loads(line) for _, line in read_lines(path)), prompts)


def _groups(rows: Iterable[Row], prompts: Mapping[str, tuple[int, ...]]) -> list[PairGroup]:
    groups: dict[str, list[TokenPreference]] = {}
    for row in rows:
        reference = tuple(map(tuple, row["reference"])) if row.get("reference") else None
        sides, values = tuple(map(tuple, row["sides"])), row["values"]
        # a pair is one also where the values of its sides are equal
        ranks = (0, 1) if len(sides) == 2 else tuple(sorted(set(values), reverse=True).index(v) for v in values)
        groups.setdefault(row["id"], []).append(
            TokenPreference(tuple(row["prefix"]), sides, ranks, reference, row["weight"], tuple(values))
        )
    return [PairGroup(id, prompts[id], tuple(group)) for id, group in groups.items()]
