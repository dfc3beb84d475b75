"""pairs.jsonl: the pairs of a search as token ids, with their text for people and their reference log-probs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from etils import epath

from itool_jax.data.prepared import Dialect, Prepared
from itool_jax.data.streams import read_lines
from itool_jax.models.policy import Policy
from itool_jax.search.pairs import Pair
from itool_jax.training.preference_data import PairGroup, TokenPair, with_reference

Row = dict[str, Any]


def pair_row(prepared: Prepared, pair: Pair, dialect: Dialect) -> Row:
    """One pair as a JSON object; its prompt is the example's."""
    return {
        "id": prepared.id,
        "prefix": pair.prefix,
        "chosen": pair.chosen,
        "rejected": pair.rejected,
        "gap": round(pair.gap, 6),
        "source": pair.source,
        "text": {side: dialect.text(getattr(pair, side)) for side in ("prefix", "chosen", "rejected")},
    }


def add_references(
    policy: Policy, rows: Sequence[Row], prompts: Mapping[str, tuple[int, ...]], row_tokens: int, batch_rows: int
) -> None:
    """Puts the pairs' summed log-probs under `policy` into the rows: "reference": [chosen, rejected].

    Pairs whose tree is longer than `row_tokens` get none: they cannot be trained on either.
    """
    groups = [group for group in _groups(rows, prompts) if len(group.tree()) <= row_tokens]
    known = {group.id: iter(group.pairs) for group in with_reference(policy, groups, row_tokens, batch_rows)}
    for row in rows:
        row["reference"] = next(known[row["id"]]).reference if row["id"] in known else None


def write_pairs(path: epath.Path, rows: Iterable[Row]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def read_pairs(path: epath.Path, prompts: Mapping[str, tuple[int, ...]]) -> list[PairGroup]:
    """The pairs by prompt, in the order of the file."""
    return _groups((json.loads(line) for _, line in read_lines(path)), prompts)


def _groups(rows: Iterable[Row], prompts: Mapping[str, tuple[int, ...]]) -> list[PairGroup]:
    pairs: dict[str, list[TokenPair]] = {}
    for row in rows:
        prefix, chosen, rejected = (tuple(row[name]) for name in ("prefix", "chosen", "rejected"))
        reference = tuple(row["reference"]) if row.get("reference") else None
        pairs.setdefault(row["id"], []).append(TokenPair(prefix, chosen, rejected, reference))
    return [PairGroup(id, prompts[id], tuple(group)) for id, group in pairs.items()]
