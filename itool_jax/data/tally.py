"""What the way from the sources to the training examples left out and added: counted, named, and told."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from itool_jax.data.decontaminate import Repetition
from itool_jax.data.problems import Problem

REMOVED = "removed.jsonl"  # name of the file that `removed_lines` is written to


@dataclass
class Tally:
    """Counts of one pass over the data; each step of the way adds its own.

    malformed      rows that were skipped, by path: how many, and the first of them
    compared       training examples compared with held-out ones; `removed` are those that repeat one
    made, refused  variants by kind, and by (kind, reason) those that could not be
    said           what the sources themselves had to tell
    """

    malformed: dict[str, tuple[int, Problem]] = field(default_factory=dict)
    compared: int = 0
    removed: list[Repetition] = field(default_factory=list)
    made: Counter[str] = field(default_factory=Counter)
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    said: list[str] = field(default_factory=list)

    def notes(self) -> Iterator[str]:
        """What there is to tell, a line each."""
        yield from self.said
        for path, (count, first) in self.malformed.items():
            yield f"{path}: skipped {count} malformed rows, the first: {first}"
        if self.removed:
            first = self.removed[0]
            yield (
                f"{len(self.removed)} of {self.compared} training examples repeat a held-out one, {self._exact} "
                f"exactly, and are left out; the first is {first.id}, {first.similarity:.0%} {first.evaluation} of "
                f"{first.against}"
            )
        if self.made or self.refused:
            made = ", ".join(f"{count} {kind}" for kind, count in self.made.items()) or "nothing"
            refused = ", ".join(f"{count} {kind} ({reason})" for (kind, reason), count in self.refused.most_common())
            yield f"augmentation added {made}" + (f"; not possible were {refused}" if refused else "")

    def to_json(self) -> dict[str, Any]:
        """The counts as JSON values; `removed_lines` has the names of what was removed."""
        return {
            "malformed": {path: count for path, (count, _) in self.malformed.items()},
            "compared": self.compared,
            "removed_exact": self._exact,
            "removed_near": len(self.removed) - self._exact,
            "variants": dict(self.made),
            "variants_refused": {f"{kind}: {reason}": count for (kind, reason), count in self.refused.items()},
        }

    def removed_lines(self) -> bytes:
        """JSON lines: id, kind, evaluation, against and similarity of each removed example."""
        return removed_lines(self.removed)

    @property
    def _exact(self) -> int:
        return sum(found.kind == "exact" for found in self.removed)


def removed_lines(removed: list[Repetition]) -> bytes:
    """JSON lines, one for each repetition."""
    return "".join(json.dumps(asdict(found), ensure_ascii=False) + "\n" for found in removed).encode()
