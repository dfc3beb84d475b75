"""Examples in a fixed order with what is known of each without reading it: its id, its lengths, its difficulty.

A corpus lies over examples in memory or over a store on disk (store.py). It is split, filtered and ordered by these
columns alone; the tokens of an example are read when they are asked for.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from itool_jax.data.difficulty import DIFFICULTIES, Difficulty, difficulty
from itool_jax.data.example import base_id, is_variant
from itool_jax.data.prepared import Prepared
from itool_jax.forest import TokenTree, chain

Ids = tuple[int, ...]


class Source(Protocol):
    """Random access to prepared examples, whole or their tokens alone."""

    def __getitem__(self, place: int, /) -> Prepared: ...

    def tokens(self, place: int, /) -> tuple[Ids, Ids]: ...


@dataclass(frozen=True)
class Columns:
    """One value per example, N in all.

    ids            pyarrow strings: a tenth of the memory of Python's
    levels         int8, position in DIFFICULTIES
    prompt_tokens  int32; likewise `answer_tokens`, with the end-of-turn token
    calls          int32, calls of the right answer; 0 where it is prose
    variants       bool, whether an augmentation made it of another example
    """

    ids: pa.Array
    levels: np.ndarray
    prompt_tokens: np.ndarray
    answer_tokens: np.ndarray
    calls: np.ndarray
    variants: np.ndarray

    def __len__(self) -> int:
        return len(self.levels)

    def take(self, places: np.ndarray) -> Columns:
        numbers = (self.levels, self.prompt_tokens, self.answer_tokens, self.calls, self.variants)
        return Columns(self.ids.take(pa.array(places)), *(column[places] for column in numbers))


class Corpus(Sequence[Prepared]):
    """Some of a source's examples, in an order; item i is read from the source when it is asked for."""

    def __init__(self, source: Source, columns: Columns, places: np.ndarray | None = None):
        """`columns` describe the corpus, in its order; `places` says where in the source each example lies."""
        self.columns = columns
        self._source = source
        self._places = np.arange(len(columns)) if places is None else places

    @classmethod
    def of(cls, examples: Iterable[Prepared]) -> Corpus:
        """A corpus over examples in memory."""
        held = tuple(examples)
        return cls(_Memory(held), _columns_of(held))

    def __len__(self) -> int:
        return len(self.columns)

    @overload
    def __getitem__(self, item: int) -> Prepared: ...
    @overload
    def __getitem__(self, item: slice) -> Corpus: ...
    def __getitem__(self, item: int | slice) -> Prepared | Corpus:
        if isinstance(item, slice):
            return self.take(np.arange(len(self))[item])
        return self._source[int(self._places[item])]

    def tokens(self, item: int) -> tuple[Ids, Ids]:
        """Prompt and answer of an example, without reading the rest of it."""
        return self._source.tokens(int(self._places[item]))

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of prompt and answer together, int32 [N]."""
        return self.columns.prompt_tokens + self.columns.answer_tokens

    @property
    def parts(self) -> tuple[np.ndarray, np.ndarray]:
        """Tokens of each prompt and of each answer."""
        return self.columns.prompt_tokens, self.columns.answer_tokens

    @property
    def ids(self) -> list[str]:
        return self.columns.ids.to_pylist()

    @property
    def base_ids(self) -> Iterator[str]:
        """For each example the id of the one that it is a variant of, or its own."""
        return (
            base_id(id.as_py(), bool(made)) for id, made in zip(self.columns.ids, self.columns.variants, strict=True)
        )

    def take(self, places: Sequence[int] | np.ndarray) -> Corpus:
        """The examples at these places, in this order."""
        places = np.asarray(places, np.int64)
        return Corpus(self._source, self.columns.take(places), self._places[places])

    def where(self, mask: np.ndarray) -> Corpus:
        """The examples at which the mask, bool [N], is true."""
        return self.take(np.flatnonzero(mask))

    def shuffled(self, seed: str) -> Corpus:
        """The examples in the order of a hash of seed and id, the same whatever else the corpus holds.

        Variants come behind the example that they are of, so that a cut through the order parts one such group at most.
        """
        crc = np.fromiter((zlib.crc32(f"{seed} {id}".encode()) for id in self.base_ids), np.uint32, len(self))
        keys = pa.table({"crc": crc, "id": self.columns.ids})
        return self.take(pc.sort_indices(keys, [("crc", "ascending"), ("id", "ascending")]).to_numpy())

    def of_level(self, level: Difficulty) -> Corpus:
        return self.where(self.columns.levels == DIFFICULTIES.index(level))


class Chains(Sequence[TokenTree]):
    """A corpus as the token trees of SFT: prompt, then answer; each is built when it is asked for."""

    def __init__(self, corpus: Corpus):
        self._corpus = corpus

    def __len__(self) -> int:
        return len(self._corpus)

    def __getitem__(self, item):
        if isinstance(item, slice):
            return Chains(self._corpus[item])
        return chain(*self._corpus.tokens(item))


class _Memory:
    def __init__(self, examples: Sequence[Prepared]):
        self._examples = examples

    def __getitem__(self, place: int) -> Prepared:
        return self._examples[place]

    def tokens(self, place: int) -> tuple[Ids, Ids]:
        return self._examples[place].prompt, self._examples[place].answer


def _columns_of(examples: Sequence[Prepared]) -> Columns:
    return Columns(
        ids=pa.array([p.id for p in examples], pa.string()),
        levels=np.array([DIFFICULTIES.index(difficulty(p.example)) for p in examples], np.int8),
        prompt_tokens=np.array([len(p.prompt) for p in examples], np.int32),
        answer_tokens=np.array([len(p.answer) for p in examples], np.int32),
        calls=np.array([len(p.example.calls) for p in examples], np.int32),
        variants=np.array([is_variant(p.example) for p in examples], bool),
    )
