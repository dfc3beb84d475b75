"""Writing a prepared store: a tensorflow-datasets builder that streams, without TensorFlow.

tensorflow-datasets' own generator-based builder keeps up to 1 GB of records in memory, then goes on with TensorFlow's
file functions or, where that is not installed, fails. This one writes each record as it comes, so its memory does not
grow with the data but for eight bytes an example.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow_datasets as tfds
from array_record.python.array_record_module import ArrayRecordWriter
from etils import epath
from tensorflow_datasets.core.example_serializer import ExampleSerializer

from itool_jax import files
from itool_jax.data.difficulty import DIFFICULTIES, difficulty
from itool_jax.data.example import Example, is_variant
from itool_jax.data.jsonl import example_to_json
from itool_jax.data.prepared import Dialect, Prepared
from itool_jax.data.store import FORMAT, INDEX, MANIFEST, SPLIT, TOKENIZER, Manifest
from itool_jax.data.tally import REMOVED, Tally
from itool_jax.errors import UserError

SHARD_EXAMPLES = 50_000
_INDEX_ROWS = 1 << 15
_INDEX_SCHEMA = pa.schema(
    {
        "id": pa.string(),
        "source": pa.string(),
        "level": pa.int8(),
        "prompt_tokens": pa.int32(),
        "answer_tokens": pa.int32(),
        "calls": pa.int32(),
        "variant": pa.bool_(),
    }
)


def write_store(
    path: str | os.PathLike[str],
    examples: Iterable[Prepared],
    dialect: Dialect,
    *,
    data: Mapping[str, Any] | None = None,
    tally: Tally | None = None,
) -> Manifest:
    """Writes a store to `path`, whole or not at all, in the order of `examples`; returns its manifest.

    `data` are the settings that decide the examples, by their keys below config.data; `tally` counts, once `examples`
    are at their end, what was left out of them. Raises UserError where `path` is taken or no local path, where there
    are no examples, and where two have one id.
    """
    target = epath.Path(path)
    if not files.is_local(target):
        raise UserError(f"{path}: ArrayRecord files lie on mounted file systems only; give a local folder.")
    if target.exists():
        raise UserError(f"{path} exists: give a new folder, or remove it if it is a store that you no longer need.")
    temporary = target.with_name(f".{target.name}.tmp")
    files.remove(temporary)  # of an attempt that was killed
    try:
        builder = PreparedExamples(examples, dialect, data=data, tally=tally, data_dir=temporary)
        with contextlib.redirect_stdout(io.StringIO()):  # the library tells of a download that there is not
            builder.download_and_prepare(file_format="array_record")
        files.move(epath.Path(builder.data_dir), target)
    finally:
        files.remove(temporary)
    return builder.manifest


class PreparedExamples(tfds.core.DatasetBuilder):
    """A tensorflow-datasets builder of prepared examples as ArrayRecord, written as they come."""

    VERSION = tfds.core.Version(f"{FORMAT}.0.0")

    def __init__(
        self,
        examples: Iterable[Prepared],
        dialect: Dialect,
        *,
        data: Mapping[str, Any] | None = None,
        tally: Tally | None = None,
        **options: Any,
    ):
        self._examples, self._dialect = examples, dialect
        self._data, self._left_out = data or {}, tally or Tally()
        super().__init__(**options)

    def _info(self) -> tfds.core.DatasetInfo:
        text = tfds.features.Text
        features = tfds.features.FeaturesDict(
            {
                "id": text(),
                "source": text(),
                "difficulty": text(),
                "prompt": tfds.features.Tensor(shape=(None,), dtype=np.int32),
                "answer": tfds.features.Tensor(shape=(None,), dtype=np.int32),
                "example": text(),
            }
        )
        about = "Examples of tool calling as token ids of one tokenizer and chat format; store.json says which."
        return tfds.core.DatasetInfo(builder=self, features=features, description=about, disable_shuffling=True)

    def _download_and_prepare(self, dl_manager: Any, download_config: Any = None) -> None:
        folder = epath.Path(self.data_dir)
        shards, index, tally = _Shards(folder), _IndexFile(folder / INDEX), _Tally()
        serializer = ExampleSerializer(self.info.features.get_serialized_info())
        with shards, index:
            for prepared in self._examples:
                row = tally.add(prepared)
                shards.write(serializer.serialize_example(self.info.features.encode_example(row)))
                index.write(row, prepared.example)
        self._refuse_bad(tally, folder)
        template = tfds.core.ShardedFileTemplate(
            data_dir=folder, dataset_name=self.name, split=SPLIT, filetype_suffix="array_record"
        )
        names = shards.rename(template)
        split = tfds.core.SplitInfo(
            name=SPLIT, shard_lengths=shards.lengths, num_bytes=shards.bytes, filename_template=template
        )
        self.info.set_splits(tfds.core.splits.SplitDict([split]))
        self._dialect.tokenizer.save(folder / TOKENIZER)
        self.manifest = tally.manifest(
            tokenizer=self._dialect.tokenizer.digest,
            chat=self._dialect.chat.identity,
            data=self._data,
            left_out=self._left_out.to_json(),
            shards={name: (folder / name).stat().length for name in names},
        )
        if self._left_out.compared:
            (folder / REMOVED).write_bytes(self._left_out.removed_lines())
        files.write_json(folder / MANIFEST, self.manifest.to_json())

    def _refuse_bad(self, tally: _Tally, folder: epath.Path) -> None:
        if not tally.examples:
            raise UserError("there are no examples to prepare: check config.data.")
        if repeated := tally.repeated_ids:
            ids = Counter(pq.read_table(folder / INDEX, columns=["id"]).column("id").to_pylist())
            raise UserError(
                f"{repeated} of {tally.examples} examples repeat another's id, such as {ids.most_common(1)[0][0]!r}: "
                "make the ids unique."
            )

    def _as_dataset(self, *arguments: Any, **options: Any):
        raise NotImplementedError("ArrayRecord is read by as_data_source, without TensorFlow")


@dataclass
class _Tally:
    """What the manifest counts, and eight bytes of a hash of each id."""

    examples: int = 0
    prompt_tokens: int = 0
    answer_tokens: int = 0
    sources: Counter[str] = field(default_factory=Counter)
    levels: Counter[str] = field(default_factory=Counter)
    ids: array[int] = field(default_factory=lambda: array("Q"))
    records: Any = field(default_factory=hashlib.sha256)

    def add(self, prepared: Prepared) -> dict[str, Any]:
        """Counts an example and returns its record."""
        example = prepared.example
        row = {
            "id": example.id,
            "source": example.source,
            "difficulty": difficulty(example),
            "prompt": np.asarray(prepared.prompt, np.int32),
            "answer": np.asarray(prepared.answer, np.int32),
            "example": json.dumps(example_to_json(example), ensure_ascii=False, separators=(",", ":"), allow_nan=False),
        }
        self.examples += 1
        self.prompt_tokens += len(prepared.prompt)
        self.answer_tokens += len(prepared.answer)
        self.sources[row["source"]] += 1
        self.levels[row["difficulty"]] += 1
        self.ids.append(int.from_bytes(hashlib.blake2b(example.id.encode(), digest_size=8).digest()))
        for part in (
            row["example"].encode(),
            row["prompt"].astype("<i4").tobytes(),
            row["answer"].astype("<i4").tobytes(),
        ):
            self.records.update(len(part).to_bytes(8))
            self.records.update(part)
        return row

    @property
    def repeated_ids(self) -> int:
        return self.examples - len(np.unique(np.frombuffer(self.ids, np.uint64)))

    def manifest(self, **made_with: Any) -> Manifest:
        return Manifest(
            format=FORMAT,
            examples=self.examples,
            prompt_tokens=self.prompt_tokens,
            answer_tokens=self.answer_tokens,
            sources=dict(self.sources.most_common()),
            difficulties={level: self.levels[level] for level in DIFFICULTIES},
            records=self.records.hexdigest(),
            **made_with,
        )


class _Shards:
    """Record files of SHARD_EXAMPLES each; their names say how many there are, so they are named at the end."""

    def __init__(self, folder: epath.Path):
        self.lengths: list[int] = []
        self.bytes = 0
        self._folder, self._writer = folder, None

    def write(self, record: bytes) -> None:
        if self._writer is None or self.lengths[-1] == SHARD_EXAMPLES:
            self._close()
            # One record a group: records are read one by one, in any order.
            self._writer = ArrayRecordWriter(str(self._unnamed(len(self.lengths))), "group_size:1")
            self.lengths.append(0)
        self._writer.write(record)
        self.lengths[-1] += 1
        self.bytes += len(record)

    def rename(self, template: tfds.core.ShardedFileTemplate) -> list[str]:
        count = len(self.lengths)
        paths = [template.sharded_filepath(shard_index=shard, num_shards=count) for shard in range(count)]
        for shard, path in enumerate(paths):
            self._unnamed(shard).rename(path)
        return [path.name for path in paths]

    def _unnamed(self, shard: int) -> epath.Path:
        return self._folder / f"shard-{shard:05d}"

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def __enter__(self) -> _Shards:
        return self

    def __exit__(self, *_: Any) -> None:
        self._close()


class _IndexFile:
    """index.parquet, written in groups of rows."""

    def __init__(self, path: epath.Path):
        self._file = pq.ParquetWriter(path, _INDEX_SCHEMA, compression="zstd")
        self._rows: list[tuple[Any, ...]] = []

    def write(self, record: Mapping[str, Any], example: Example) -> None:
        level = DIFFICULTIES.index(record["difficulty"])
        lengths = len(record["prompt"]), len(record["answer"]), len(example.calls)
        self._rows.append((record["id"], record["source"], level, *lengths, is_variant(example)))
        if len(self._rows) == _INDEX_ROWS:
            self._flush()

    def _flush(self) -> None:
        columns = list(zip(*self._rows, strict=True)) or [()] * len(_INDEX_SCHEMA)
        arrays = [pa.array(column, kind) for column, kind in zip(columns, _INDEX_SCHEMA.types, strict=True)]
        self._file.write_table(pa.table(arrays, _INDEX_SCHEMA))
        self._rows.clear()

    def __enter__(self) -> _IndexFile:
        return self

    def __exit__(self, *_: Any) -> None:
        self._flush()
        self._file.close()
