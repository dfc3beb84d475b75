"""The search tree that a report draws: chosen among a round's tree files, checked, and as plain data."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import zstandard
from etils import epath

from itool_jax.errors import UserError
from itool_jax.search.records import read_records

_LOOKED_AT = 300
_READABLE = 40  # a tree of more nodes is drawn only where none is smaller


@dataclass(frozen=True)
class DrawnNode:
    """A fragment and its statistics: `visits` N, `value` Q; at leaves `end` ("stop", "budget") and the `reward` R.

    Of finished leaves `score` is O and `self_evaluation` C, None where it was not asked for.
    """

    id: int
    parent: int
    text: str
    visits: int
    value: float
    prior: float | None = None
    reward: float | None = None
    score: float | None = None
    self_evaluation: float | None = None
    end: str | None = None
    right: bool = False


@dataclass(frozen=True)
class DrawnPair:
    """A fork that became a preference; `chosen` is None where the ground truth stood in for a sampled child.

    `ranked` are all sides of a list, best first; of a pair the two.
    """

    parent: int
    chosen: int | None
    rejected: int | None
    gap: float
    ranked: tuple[int | None, ...] = ()


@dataclass(frozen=True)
class DrawnTree:
    """One tree; `children` by node id lists them best value first, and `root` is the node of the prompt."""

    id: str
    prompt: str
    expected: str
    nodes: Mapping[int, DrawnNode]
    pairs: tuple[DrawnPair, ...]
    root: int
    children: Mapping[int, tuple[int, ...]]

    def path_text(self, node: int) -> str:
        """The answer's text from the root to a node, the node's own fragment included."""
        texts = []
        while node != self.root:
            texts.append(self.nodes[node].text)
            node = self.nodes[node].parent
        return "".join(reversed(texts))


def pick_tree(path: epath.Path) -> DrawnTree | None:
    """The tree of a round that shows most: of readable size with the most pairs, or else the smallest.

    `path` is as in `read_trees`, of which the first 300 are looked at.
    """
    return min(itertools.islice(read_trees(path), _LOOKED_AT), key=_rank, default=None)


def _rank(tree: DrawnTree) -> tuple[bool, int, int, str]:
    nodes = len(tree.nodes)
    if nodes > _READABLE:
        return True, nodes, 0, tree.id
    return False, -len(tree.pairs), -nodes, tree.id


def read_trees(path: epath.Path) -> Iterator[DrawnTree]:
    """The trees of a .jsonl.zst file, or of all such files of a folder; raises UserError for one that has others."""
    found = sorted(path.glob("*.jsonl.zst"), key=lambda file: file.name) if path.is_dir() else [path]
    for file in found:
        try:
            yield from map(tree_from_json, read_records(file))
        except (zstandard.ZstdError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise UserError(
                f"{file} cannot be read as search trees ({type(error).__name__}: {error}). Stages write their files "
                "whole or not at all, so something else changed it: restore it, or do that round's search again."
            ) from error


def tree_from_json(row: Mapping[str, Any]) -> DrawnTree:
    """Checks one line of a tree file; raises ValueError, KeyError or TypeError where it is no tree."""
    listed = [_node(node) for node in row["nodes"]]
    nodes = {node.id: node for node in listed}
    roots = [node.id for node in listed if node.parent == -1]
    if len(nodes) != len(listed) or len(roots) != 1:
        raise ValueError(f"{len(listed)} nodes with {len(nodes)} ids and {len(roots)} roots; expected one root")
    children: dict[int, list[int]] = {node: [] for node in nodes}
    for node in listed:
        if node.parent != -1:
            children[node.parent].append(node.id)
    ordered = {node: tuple(sorted(below, key=lambda id: (-nodes[id].value, id))) for node, below in children.items()}
    reached, waiting = 0, [roots[0]]
    while waiting:
        reached += 1
        waiting.extend(ordered[waiting.pop()])
    if reached != len(nodes):
        raise ValueError(f"{len(nodes) - reached} nodes hang on no root")
    pairs = tuple(_pair(pair, nodes) for pair in row.get("pairs", ()))
    return DrawnTree(str(row["id"]), str(row["prompt"]), str(row["expected"]), nodes, pairs, roots[0], ordered)


def _node(row: Mapping[str, Any]) -> DrawnNode:
    return DrawnNode(
        id=int(row["id"]),
        parent=int(row["parent"]),
        text=str(row["text"]),
        visits=int(row["visits"]),
        value=float(row["value"]),
        prior=_number(row.get("prior")),
        reward=_number(row.get("reward")),
        score=_number(row.get("score")),
        self_evaluation=_number(row.get("self_evaluation")),
        end=row.get("end"),
        right=bool(row.get("right")),
    )


def _pair(row: Mapping[str, Any], nodes: Mapping[int, DrawnNode]) -> DrawnPair:
    parent = int(row["parent"])
    if parent not in nodes:
        raise ValueError(f"a pair at node {parent}, which the tree has not")
    ends = (row.get("chosen"), row.get("rejected"))
    chosen, rejected, *ranked = (
        side if isinstance(side, int) and side in nodes else None for side in (*ends, *row.get("ranked", ends))
    )
    return DrawnPair(parent, chosen, rejected, float(row.get("gap", 0.0)), tuple(ranked))


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
