"""Which training examples repeat an evaluation set: exactly, or nearly.

Two examples are compared by what their users say, all user turns so far as one text: lower case, words and digits
only, each Chinese, Japanese or Korean character a word. Equal texts are exact repetitions. Others are near where the
runs of three words that they share, counted once each, make up `threshold` of the shorter text's: so the first half of
an evaluation conversation is found in training data too. Texts of less than MIN_RUNS runs share too little to be judged
so, and are near by Jaccard similarity, the shared runs over those of either.

The search is exact, no hashing into bands: a pair that reaches the threshold must share one of the rarest runs of its
shorter text (prefix filtering, Chaudhuri et al. 2006), so only texts that do are compared.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Literal

from itool_jax.data.example import Example

DEFAULT_THRESHOLD = 0.7
MIN_RUNS = 8
_RUN = 3
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]|[^\W_]+")


@dataclass(frozen=True)
class Repetition:
    """A training example that repeats an evaluation example.

    kind        exact: the same words; near: at least the threshold of them
    evaluation  the evaluation example, of set `against`, that is most similar (of several, the first)
    similarity  1 for exact; for near the shared part of the shorter text, or Jaccard similarity of short ones
    """

    id: str
    kind: Literal["exact", "near"]
    evaluation: str
    against: str
    similarity: float


class EvaluationIndex:
    """Evaluation examples, made ready to be searched for repetitions."""

    def __init__(self, sets: Mapping[str, Iterable[Example]], threshold: float = DEFAULT_THRESHOLD):
        """`sets` by name; `threshold` from above 0 to 1: 1 finds what is contained whole."""
        if not 0 < threshold <= 1:
            raise ValueError(f"threshold {threshold}: expected a share above 0 and at most 1")
        self.threshold = threshold
        self._exact: dict[str, int] = {}
        self._names: list[tuple[str, str]] = []
        for against, examples in sets.items():
            for example in examples:
                words = " ".join(user_words(example))
                if words and words not in self._exact:
                    self._exact[words] = len(self._names)
                    self._names.append((example.id, against))
        self._runs = [_runs(text.split(" ")) for text in self._exact]
        self._frequency = Counter(run for runs in self._runs for run in runs)
        self._whole: defaultdict[int, list[int]] = defaultdict(list)
        self._rare: defaultdict[int, list[int]] = defaultdict(list)
        for number, runs in enumerate(self._runs):
            for run in runs:
                self._whole[run].append(number)
            for run in self._rarest(runs):
                self._rare[run].append(number)

    def __len__(self) -> int:
        """Number of different texts; 0 where no user of the evaluation examples says anything."""
        return len(self._names)

    def repetition(self, example: Example) -> Repetition | None:
        """What the example repeats; None where it repeats nothing, or its users say nothing."""
        words = user_words(example)
        same = self._exact.get(" ".join(words))
        if same is not None:
            return Repetition(example.id, "exact", *self._names[same], 1.0)
        runs = _runs(words)
        best, similarity = -1, 0.0
        for number in sorted(self._candidates(runs)):
            found = similarity_of(runs, self._runs[number])
            if found > similarity:
                best, similarity = number, found
        if similarity < self.threshold:
            return None
        return Repetition(example.id, "near", *self._names[best], similarity)

    def _candidates(self, runs: Set[int]) -> set[int]:
        """Numbers of all evaluation texts that may reach the threshold, whichever of the two is the shorter."""
        rarest = [self._whole.get(run, ()) for run in self._rarest(runs)]
        rare = [self._rare.get(run, ()) for run in runs]
        return {number for numbers in (*rarest, *rare) for number in numbers}

    def _rarest(self, runs: Set[int]) -> Sequence[int]:
        """So many of the rarest runs that a text with none of them has less than the threshold of all."""
        count = len(runs) - math.ceil(self.threshold * len(runs) - 1e-9) + 1
        return sorted(runs, key=lambda run: (self._frequency[run], run))[:count]


def decontaminated(examples: Iterable[Example], index: EvaluationIndex, removed: list[Repetition]) -> Iterator[Example]:
    """The examples that repeat nothing of the index; what the others repeat is appended to `removed`."""
    for example in examples:
        found = index.repetition(example)
        if found is None:
            yield example
        else:
            removed.append(found)


def user_words(example: Example) -> list[str]:
    """What the users of an example say, as normalised words."""
    text = "\n".join(message.content for message in example.messages if message.role == "user")
    return _WORD.findall(unicodedata.normalize("NFKC", text).lower())


def similarity_of(first: Set[int], second: Set[int]) -> float:
    """How near two texts are, by their runs: see the module's docstring."""
    shared, shorter = len(first & second), min(len(first), len(second))
    if shorter < MIN_RUNS:
        return shared / max(1, len(first | second))
    return shared / shorter


def _runs(words: Sequence[str]) -> frozenset[int]:
    """Hashes of the runs of three words, of all the words where there are fewer; good within this process only."""
    count = max(1, len(words) - _RUN + 1) if words else 0
    return frozenset(hash(tuple(words[start : start + _RUN])) for start in range(count))
