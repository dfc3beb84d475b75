"""What a data set is made of, for `data check` and `data convert`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from rich.console import Console
from rich.table import Table

from itool_jax.data.difficulty import DIFFICULTIES, difficulty, tool_set_text
from itool_jax.data.example import Example
from itool_jax.data.jsonl import example_to_json
from itool_jax.data.problems import Problem, tally


@dataclass(frozen=True)
class Summary:
    """Counts over a data set.

    examples           number of examples; `calling` of them make calls, `prose` answer in words, `multi_turn` come
                       after an earlier answer or a tool's result
    duplicates         examples equal to an earlier one in all but id, source and meta
    difficulty         examples by difficulty; likewise `tools` and `calls` by number of candidates and of calls
    tool_characters    median length of the candidate tools as compact JSON
    prompt_characters  median length of those and the messages
    notes              doubtful labels by kind, as the importers note them in `meta["notes"]`
    problems           bad rows by field
    """

    examples: int
    calling: int
    prose: int
    multi_turn: int
    duplicates: int
    difficulty: Mapping[str, int]
    tools: Mapping[int, int]
    calls: Mapping[int, int]
    tool_characters: float
    prompt_characters: float
    notes: Mapping[str, int]
    problems: Mapping[str, int]


def summarize(examples: Sequence[Example], problems: Sequence[Problem] = ()) -> Summary:
    """Counts the examples that could be read and the problems of the rows that could not."""
    calling = sum(1 for example in examples if example.calls)
    tool_lengths = [len(tool_set_text(example.tools)) for example in examples]
    message_lengths = [sum(len(message.content) for message in example.messages) for example in examples]
    levels = Counter(difficulty(example) for example in examples)
    return Summary(
        examples=len(examples),
        calling=calling,
        prose=len(examples) - calling,
        multi_turn=sum(any(m.role in ("assistant", "tool") for m in example.messages) for example in examples),
        duplicates=len(examples) - len({_content(example) for example in examples}),
        difficulty={level: levels[level] for level in DIFFICULTIES},
        tools=_histogram(len(example.tools) for example in examples),
        calls=_histogram(len(example.calls) for example in examples),
        tool_characters=median(tool_lengths or [0]),
        prompt_characters=median([a + b for a, b in zip(tool_lengths, message_lengths, strict=True)] or [0]),
        notes=dict(Counter(kind for example in examples for kind in _note_kinds(example)).most_common()),
        problems=tally(problems),
    )


def show_summary(summary: Summary, console: Console | None = None) -> None:
    """Prints the summary as a table."""
    table = Table("", "examples", "share", title=f"{summary.examples} examples", title_justify="left")
    table.columns[1].justify = table.columns[2].justify = "right"

    def section(counts: Mapping[str, int]) -> None:
        for name, count in counts.items():
            table.add_row(name, str(count), f"{count / summary.examples:.1%}" if summary.examples else "-")
        table.add_section()

    section({"with calls": summary.calling, "in prose": summary.prose, "later turns": summary.multi_turn})
    section(summary.difficulty)
    section({f"{number} candidate tool{'s' * (number != 1)}": count for number, count in summary.tools.items()})
    section({f"{number} call{'s' * (number != 1)}": count for number, count in summary.calls.items()})
    section({"exact duplicates": summary.duplicates})
    console = console or Console()
    console.print(table)
    console.print(
        f"Median characters: {summary.tool_characters:,.0f} of tools, {summary.prompt_characters:,.0f} of prompt."
    )
    console.print(_line("Doubtful labels", summary.notes), markup=False)
    console.print(_line("Bad rows", summary.problems), markup=False)


def _line(title: str, counts: Mapping[str, int]) -> str:
    return f"{title}: {', '.join(f'{count} {name}' for name, count in counts.items()) or 'none'}."


def _note_kinds(example: Example) -> list[str]:
    notes = example.meta.get("notes")
    return [str(note).partition(" ")[0] for note in notes] if isinstance(notes, list) else []


def _histogram(numbers: Iterable[int]) -> dict[int, int]:
    return dict(sorted(Counter(numbers).items()))


def _content(example: Example) -> str:
    row = example_to_json(example)
    return json.dumps([row["tools"], row["messages"], row["answer"]], sort_keys=True)
