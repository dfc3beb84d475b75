"""Search trees as JSON lines, for people, the report and tools; each line is a zstd frame of its own.

A folder holds them in files of bounded size, 00000.jsonl.zst and so on, in the order of the trees.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any

import zstandard
from etils import epath

from itool_jax import files

if TYPE_CHECKING:
    from itool_jax.data.prepared import Dialect
    from itool_jax.search.pairs import Preference
    from itool_jax.search.search import SearchGrowth

FILE_BYTES = 64 << 20  # a file is full when it holds as many
_LINE_BYTES = 16 << 20


def tree_record(growth: SearchGrowth, pairs: Sequence[Preference], dialect: Dialect) -> dict[str, Any]:
    """One tree with its nodes' statistics and the forks that became pairs or lists.

    Of a finished leaf `reward` is R = O + w_C C, `score` O, and `self_evaluation` C, null where it was not asked for.
    """
    tree, values = growth.tree, growth.tree.action_values()
    nodes = []
    for index, node in enumerate(tree.nodes):
        answer = tree.path(index)
        grade, opinion = (
            (growth.grades.get(answer), growth.opinions.get(answer)) if node.end == "stop" else (None, None)
        )
        nodes.append(
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
                "score": None if grade is None else round(grade.score, 6),
                "self_evaluation": None if opinion is None else round(opinion, 6),
                "end": node.end,
            }
        )
    forks = [
        {
            "parent": pair.node,
            "chosen": pair.children[0],
            "rejected": pair.children[-1],
            "ranked": pair.children,
            "gap": round(pair.gap, 6),
            "source": pair.source,
        }
        for pair in pairs
    ]
    example = growth.prepared.example
    prompt = dialect.chat.render_prompt(example)
    return {"id": example.id, "prompt": prompt, "expected": example.answer, "nodes": nodes, "pairs": forks}


def compress_line(record: dict[str, Any]) -> bytes:
    """A record as one zstd frame, so that files of them can be appended to and concatenated."""
    return zstandard.compress(json.dumps(record, ensure_ascii=False).encode() + b"\n")


def expand_line(frame: bytes) -> dict[str, Any]:
    """The record of one frame."""
    return json.loads(zstandard.decompress(frame))


def file_name(number: int) -> str:
    return f"{number:05d}.jsonl.zst"


def read_records(path: epath.PathLike) -> Iterator[dict[str, Any]]:
    """Records of a .jsonl.zst file, or of all such files of a folder, one by one.

    Raises zstandard.ZstdError or ValueError where a file holds something else.
    """
    path = epath.Path(path)
    if path.is_dir():
        for file in sorted(path.glob("*.jsonl.zst"), key=lambda file: file.name):
            yield from read_records(file)
        return
    with path.open("rb") as raw:
        stream = io.BufferedReader(zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True))
        while line := stream.readline(_LINE_BYTES):
            if len(line) == _LINE_BYTES:
                raise ValueError(f"a line of more than {_LINE_BYTES >> 20} MiB")
            yield json.loads(line)


class RecordWriter:
    """Writes records to a new folder, file after file; holds none of them."""

    def __init__(self, folder: epath.Path, file_bytes: int = FILE_BYTES):
        files.make_folder(folder)
        self._folder, self._file_bytes = folder, file_bytes
        self._number = 0
        self._file = self._open()  # also for no records: in an object store there are no empty folders

    def write(self, record: dict[str, Any]) -> None:
        if self._size >= self._file_bytes:
            self._file.close()
            self._file = self._open()
        frame = compress_line(record)
        self._file.write(frame)
        self._size += len(frame)

    def close(self) -> None:
        self._file.close()

    def _open(self) -> IO[Any]:
        file = (self._folder / file_name(self._number)).open("wb")
        self._number, self._size = self._number + 1, 0
        return file

    def __enter__(self) -> RecordWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        self.close()
