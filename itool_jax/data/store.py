"""The prepared store: examples as token ids on disk, read at random without holding them in memory.

    DIR/dataset_info.json, features.json   what tensorflow-datasets knows of it: `tfds.builder_from_directory(DIR)`
        prepared_examples-train.array_record-00000-of-000NN   the records, one tf.train.Example each: id, source,
                        difficulty, prompt and answer (int32 token ids, as in Prepared), example (JSON, as in jsonl.py)
        index.parquet   one row per record: id, source, level, prompt_tokens, answer_tokens, calls, variant
        store.json      the manifest: what the token ids were made with, and the digest of all records
        tokenizer/      the tokenizer that made them
        removed.jsonl   where training examples were compared with held-out ones: those that were left out, and why

Token ids mean something to one tokenizer and one chat format only, so a store is opened for a dialect and refuses any
other. It is written by `store_writer.write_store`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from etils import epath

from itool_jax import files
from itool_jax.data.corpus import Columns, Corpus, Ids
from itool_jax.data.jsonl import example_from_json, parse_json
from itool_jax.data.prepared import Dialect, Prepared
from itool_jax.data.problems import RowError
from itool_jax.data.tally import REMOVED
from itool_jax.errors import UserError

FORMAT = 3  # of records, index and manifest; a change that older readers cannot follow makes it one more
SPLIT = "train"
MANIFEST, INDEX, TOKENIZER = "store.json", "index.parquet", "tokenizer"


@dataclass(frozen=True)
class Manifest:
    """What a store holds and what it was made with.

    format         FORMAT of the writer
    examples       number of records; `prompt_tokens` and `answer_tokens` in all
    sources        examples by source; likewise `difficulties`
    tokenizer      digest of the tokenizer
    chat           what decides how the chat format writes: `ChatFormat.identity`
    data           the settings that decided what the examples are, by their keys below config.data
    left_out       what was left out and added on the way, counted: `Tally.to_json`
    records        SHA-256 over all records in their order
    shards         bytes of each record file by name
    """

    format: int
    examples: int
    prompt_tokens: int
    answer_tokens: int
    sources: Mapping[str, int]
    difficulties: Mapping[str, int]
    tokenizer: str
    chat: Mapping[str, str]
    data: Mapping[str, Any]
    left_out: Mapping[str, Any]
    records: str
    shards: Mapping[str, int]

    @property
    def digest(self) -> str:
        """What a run names as its data: equal for equal records made by equal tokenizers."""
        return self.records

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def read_manifest(path: str | os.PathLike[str]) -> Manifest:
    """The manifest of a store; raises UserError where there is none, or one of another format."""
    file = epath.Path(path) / MANIFEST
    if not files.is_local(file):
        raise UserError(
            f"{path}: ArrayRecord files are read from mounted file systems only. Copy the store to a disk of each "
            "machine and name that folder."
        )
    if not file.exists():
        raise UserError(
            f"{path} is no prepared store: it has no {MANIFEST}. Make one with `itool-jax data prepare --out={path}`."
        )
    try:
        row = json.loads(file.read_text())
        if row["format"] != FORMAT:
            raise UserError(
                f"the store {path} has format {row['format']}, this version reads {FORMAT}: prepare it again."
            )
        for name in ("chat", "data", "left_out", "shards"):
            if not isinstance(row[name], dict):
                raise TypeError(f"{name} is no object")
        return Manifest(**{field.name: row[field.name] for field in fields(Manifest)})
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{file} is damaged ({type(error).__name__}: {error}): prepare the store again.") from error


def read_removed(path: str | os.PathLike[str]) -> bytes:
    """The store's list of the training examples that repeat held-out ones; raises UserError where there is none."""
    file = epath.Path(path) / REMOVED
    if not file.exists():
        raise UserError(f"{file} is missing: the store is damaged. Prepare it again.")
    return file.read_bytes()


class PreparedStore:
    """Random access to the examples of a store: item i is record i, in the order in which they were written."""

    def __init__(self, path: str | os.PathLike[str], dialect: Dialect):
        """Opens a store; raises UserError where it is damaged, or was made for another tokenizer or chat format."""
        self.path, self.manifest = epath.Path(path), read_manifest(path)
        self._refuse_other(dialect)
        self._refuse_damaged()
        self._records = _open_records(self.path)
        self._refuse_stale(dialect)

    def __len__(self) -> int:
        return self.manifest.examples

    def __getitem__(self, place: int) -> Prepared:
        record = self._records[range(len(self))[place]]
        try:
            example = example_from_json(parse_json(record["example"]))
        except RowError as error:
            raise UserError(
                f"record {place} of the store {self.path} cannot be read: {error}. Prepare it again."
            ) from error
        return Prepared(example, *_token_ids(record))

    def tokens(self, place: int) -> tuple[Ids, Ids]:
        """Prompt and answer of record `place`, without reading its JSON."""
        return _token_ids(self._records[place])

    @cached_property
    def columns(self) -> Columns:
        """Ids, difficulty and lengths of all records: about 50 bytes each."""
        table = pq.read_table(self.path / INDEX).combine_chunks()
        numbers = (
            table.column(name).to_numpy() for name in ("level", "prompt_tokens", "answer_tokens", "calls", "variant")
        )
        return Columns(table.column("id").chunk(0), *numbers)

    def corpus(self) -> Corpus:
        """All records, in their order."""
        return Corpus(self, self.columns)

    def _refuse_other(self, dialect: Dialect) -> None:
        made = {"tokenizer": self.manifest.tokenizer, **self.manifest.chat}
        asked = {"tokenizer": dialect.tokenizer.digest, **dialect.chat.identity}
        for what in made | asked:
            found, wanted = made.get(what, "none"), asked.get(what, "none")
            if found != wanted:
                raise UserError(
                    f"the store {self.path} was prepared with another {what}: it has {found[:16]}, the run asks for "
                    f"{wanted[:16]}. Prepare it again with this config, or set config.data.prepared to a store made "
                    "for it."
                )

    def _refuse_damaged(self) -> None:
        for name, size in self.manifest.shards.items():
            file = self.path / name
            found = file.stat().length if file.exists() else None
            if found != size:
                state = "is missing" if found is None else f"has {found} bytes"
                raise UserError(f"{file} {state}, expected {size} bytes: the store is damaged. Prepare it again.")
        rows = pq.read_metadata(self.path / INDEX).num_rows if (self.path / INDEX).exists() else 0
        if rows != len(self):
            raise UserError(f"{self.path / INDEX} describes {rows} of {len(self)} examples: prepare the store again.")

    def _refuse_stale(self, dialect: Dialect) -> None:
        """Today's code must write the first record's tokens as they were written: its chat format may have changed."""
        first = self[0]
        if dialect.prepare(first.example) != first:
            raise UserError(
                f"the store {self.path} was written by another version: its first example has other token ids than the "
                f"chat format {dialect.chat.name} gives now. Prepare it again."
            )


def _open_records(path: epath.Path):
    import tensorflow_datasets as tfds

    return tfds.builder_from_directory(path).as_data_source(SPLIT)


def _token_ids(record: Mapping[str, np.ndarray]) -> tuple[Ids, Ids]:
    return tuple(record["prompt"].tolist()), tuple(record["answer"].tolist())
