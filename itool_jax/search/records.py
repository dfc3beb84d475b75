"""Search trees as JSON lines, for people, the report and tools; each line is a zstd frame of its own."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import zstandard
from etils import epath

if TYPE_CHECKING:
    from itool_jax.data.prepared import Dialect
    from itool_jax.search.pairs import Pair
    from itool_jax.search.search import SearchGrowth

_LINE_BYTES = 16 << 20


def tree_record(growth: SearchGrowth, pairs: Sequence[Pair], dialect: Dialect) -> dict[str, Any]:
    """One tree with its nodes' statistics and the forks that became pairs."""
    tree, values = growth.tree, growth.tree.action_values()
    nodes = [
        {
            "id": index,
            "parent": node.parent,
            "text": dialect.text(node.tokens),
            "tokens": len(node.tokens),
            "visits": node.visits,
            "value": round(values[index], 6),
            "prior": round(node.prior, 6),
            "expansions": node.expansions,
            "right": node.right,
            "reward": None if node.end is None else round(node.reward, 6),
            "end": node.end,
        }
        for index, node in enumerate(tree.nodes)
    ]
    forks = [
        {
            "parent": p.node,
            "chosen": p.children[0],
            "rejected": p.children[1],
            "gap": round(p.gap, 6),
            "source": p.source,
        }
        for p in pairs
    ]
    example = growth.prepared.example
    prompt = dialect.chat.render_prompt(example)
    return {"id": example.id, "prompt": prompt, "expected": example.answer, "nodes": nodes, "pairs": forks}


def compress_line(record: dict[str, Any]) -> bytes:
    """A record as one zstd frame, so that files of them can be appended to and concatenated."""
    return zstandard.compress(json.dumps(record, ensure_ascii=False).encode() + b"\n")


def read_records(path: epath.PathLike) -> Iterator[dict[str, Any]]:
    """Records of a .jsonl.zst file; raises zstandard.ZstdError or ValueError where it holds something else."""
    with epath.Path(path).open("rb") as raw:
        stream = io.BufferedReader(zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True))
        while line := stream.readline(_LINE_BYTES):
            if len(line) == _LINE_BYTES:
                raise ValueError(f"a line of more than {_LINE_BYTES >> 20} MiB")
            yield json.loads(line)
