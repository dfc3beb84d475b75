"""What a data set is made of, for `data check` and `data convert`: counted as it passes, never held as a whole."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.table import Table

from itool_jax.data.difficulty import DIFFICULTIES, difficulty, tool_set_text
from itool_jax.data.example import Example
from itool_jax.data.jsonl import content_digest
from itool_jax.data.problems import Problem

_PARTS = ("tools", "messages", "answer")


@dataclass(frozen=True)
class Lengths:
    """How long something is over all examples: 0 throughout where there are none."""

    median: int
    p90: int
    p99: int
    longest: int


@dataclass(frozen=True)
class Summary:
    """Counts over a data set.

    examples    number of examples; `calling` of them make calls, `prose` answer in words, `multi_turn` come after an
                earlier answer or a tool's result, `after_results` directly after a tool's result
    duplicates  examples equal to an earlier one in all but id, source and meta
    difficulty  examples by difficulty; likewise `tools` and `calls` by number of candidates and of calls
    characters  lengths of the candidate tools as compact JSON, of the messages and of the answer
    tokens      the same in tokens, without those of a chat template; empty where no tokenizer was given
    notes       doubtful labels by kind, as the importers note them in `meta["notes"]`
    problems    bad rows by field
    """

    examples: int
    calling: int
    prose: int
    multi_turn: int
    after_results: int
    duplicates: int
    difficulty: Mapping[str, int]
    tools: Mapping[int, int]
    calls: Mapping[int, int]
    characters: Mapping[str, Lengths]
    tokens: Mapping[str, Lengths]
    notes: Mapping[str, int]
    problems: Mapping[str, int]


class Inspector:
    """Counts examples one at a time; some 100 bytes of each example are kept."""

    def __init__(self, count_tokens: Callable[[str], int] | None = None):
        self._count_tokens = count_tokens
        self._counts: Counter[str] = Counter()
        self._levels: Counter[str] = Counter()
        self._tools: Counter[int] = Counter()
        self._calls: Counter[int] = Counter()
        self._notes: Counter[str] = Counter()
        self._seen: set[bytes] = set()
        self._characters = {part: array("q") for part in _PARTS}
        self._tokens = {part: array("q") for part in _PARTS if count_tokens}

    def add(self, item: Example) -> None:
        roles = {message.role for message in item.messages}
        self._counts["examples"] += 1
        self._counts["calling"] += bool(item.calls)
        self._counts["multi_turn"] += bool(roles & {"assistant", "tool"})
        self._counts["after_results"] += item.messages[-1].role == "tool"
        self._levels[difficulty(item)] += 1
        self._tools[len(item.tools)] += 1
        self._calls[len(item.calls)] += 1
        notes = item.meta.get("notes")
        self._notes.update(str(note).partition(" ")[0] for note in (notes if isinstance(notes, list) else ()))
        self._seen.add(content_digest(item))
        texts = (tool_set_text(item.tools), "\n".join(message.content for message in item.messages), item.answer)
        for part, text in zip(_PARTS, texts, strict=True):
            self._characters[part].append(len(text))
            if self._count_tokens:
                self._tokens[part].append(self._count_tokens(text))

    def summary(self, problems: Mapping[str, int] | None = None) -> Summary:
        """What was added so far; `problems` are the bad rows by field."""
        counts = self._counts
        return Summary(
            examples=counts["examples"],
            calling=counts["calling"],
            prose=counts["examples"] - counts["calling"],
            multi_turn=counts["multi_turn"],
            after_results=counts["after_results"],
            duplicates=counts["examples"] - len(self._seen),
            difficulty={level: self._levels[level] for level in DIFFICULTIES},
            tools=dict(sorted(self._tools.items())),
            calls=dict(sorted(self._calls.items())),
            characters={part: _lengths(values) for part, values in self._characters.items()},
            tokens={part: _lengths(values) for part, values in self._tokens.items()},
            notes=dict(self._notes.most_common()),
            problems=dict(Counter(problems or {}).most_common()),
        )


def summarize(examples: Iterable[Example], problems: Iterable[Problem] = ()) -> Summary:
    """Counts the examples that could be read and the problems of the rows that could not."""
    inspector = Inspector()
    for example in examples:
        inspector.add(example)
    return inspector.summary(Counter(problem.kind for problem in problems))


def show_summary(summary: Summary, console: Console | None = None) -> None:
    """Prints the summary as two tables and two lines."""
    table = Table("", "examples", "share", title=f"{summary.examples} examples", title_justify="left")
    table.columns[1].justify = table.columns[2].justify = "right"

    def section(counts: Mapping[str, int]) -> None:
        for name, count in counts.items():
            table.add_row(name, str(count), f"{count / summary.examples:.1%}" if summary.examples else "-")
        table.add_section()

    section({"with calls": summary.calling, "in prose": summary.prose})
    section({"later turns": summary.multi_turn, "after a tool's result": summary.after_results})
    section(summary.difficulty)
    section({f"{number} candidate tool{'s' * (number != 1)}": count for number, count in summary.tools.items()})
    section({f"{number} call{'s' * (number != 1)}": count for number, count in summary.calls.items()})
    section({"exact duplicates": summary.duplicates})
    console = console or Console()
    console.print(table)
    lengths = Table("", "median", "90 %", "99 %", "longest", title="Lengths", title_justify="left")
    for unit, parts in (("characters", summary.characters), ("tokens", summary.tokens)):
        for part, found in parts.items():
            numbers = (found.median, found.p90, found.p99, found.longest)
            lengths.add_row(f"{unit} of {part}", *(f"{number:,}" for number in numbers))
    console.print(lengths)
    console.print(_line("Doubtful labels", summary.notes), markup=False)
    console.print(_line("Bad rows", summary.problems), markup=False)


def _line(title: str, counts: Mapping[str, int]) -> str:
    return f"{title}: {', '.join(f'{count} {name}' for name, count in counts.items()) or 'none'}."


def _lengths(values: array[int]) -> Lengths:
    if not values:
        return Lengths(0, 0, 0, 0)
    found = np.percentile(np.frombuffer(values, np.int64), [50, 90, 99, 100], method="higher")
    return Lengths(*(int(number) for number in found))
