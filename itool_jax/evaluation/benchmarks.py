"""Benchmarks by name, as `bfcl:simple_python,multiple` or `toolworld:tasks`: what to ask, with their own grading."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from itool_jax.data.difficulty import difficulty
from itool_jax.data.example import Example
from itool_jax.data.jsonl import example_to_json
from itool_jax.errors import UserError
from itool_jax.evaluation import api_bank, tool_tasks
from itool_jax.evaluation.bfcl import entries as bfcl_entries
from itool_jax.evaluation.bfcl.multi_turn import script
from itool_jax.evaluation.bfcl.prompts import example
from itool_jax.evaluation.bfcl.scoring import error_kind
from itool_jax.evaluation.dialogue import Dialogue, Script
from itool_jax.evaluation.exact_match import Graded

_PARTS: Mapping[str, Mapping[str, Sequence[str]]] = {
    "bfcl": {**bfcl_entries.GROUPS, **{name: (name,) for name in bfcl_entries.CATEGORIES}},
    "api_bank": {name: (name,) for name in api_bank.LEVELS},
    "toolworld": {name: (name,) for name in tool_tasks.CATEGORIES},
}
_WHOLE = {
    "bfcl": bfcl_entries.SINGLE_TURN,
    "api_bank": tuple(api_bank.LEVELS),
    "toolworld": tuple(tool_tasks.CATEGORIES),
}
Item = TypeVar("Item", Example, bfcl_entries.Entry, Script)


@dataclass(frozen=True)
class Benchmark:
    """One category of a benchmark, whole or a sample.

    family, category  as in `bfcl:simple_python`; both make the name of the set, `bfcl_simple_python`
    examples          what to ask, once each; empty where there are scripts
    scripts           dialogues, which are asked step by step
    total             how many the category has
    """

    family: str
    category: str
    total: int
    examples: tuple[Example, ...] = ()
    scripts: tuple[Script, ...] = ()
    _error: Callable[[Example, str], tuple[str | None, float | None]] = field(
        default=lambda _example, _text: (None, None), repr=False
    )

    @property
    def name(self) -> str:
        return f"{self.family}_{self.category}"

    def contents(self) -> list[Any]:
        """All that the answers depend on, as JSON values."""
        return [*map(example_to_json, self.examples), *(script.content for script in self.scripts)]

    def grade(self, example: Example, text: str, *, finished: bool = True) -> Graded:
        """The benchmark's own verdict on one raw answer; never raises on what a model wrote.

        An answer that ran into its token limit (`finished` False) is judged by what it says so far, and counted.
        """
        error, slot_f1 = self._error(example, text)
        return Graded(example.id, difficulty(example), text, example.answer, error is None, error, slot_f1, finished)


def benchmark_names(specs: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """(family, category) of every category that the specs name, each once; UserError for an unknown one."""
    found: dict[tuple[str, str], None] = {}
    for spec in specs:
        family, _, parts = spec.partition(":")
        if family not in _PARTS:
            raise UserError(f"there is no benchmark {family!r}: give {' or '.join(_PARTS)}, as in bfcl:simple_python.")
        known = _PARTS[family]
        for part in parts.split(",") if parts else _WHOLE[family]:
            if part not in known:
                raise UserError(f"{family} has no category {part!r}: give some of {', '.join(known)}.")
            found |= dict.fromkeys((family, category) for category in known[part])
    return tuple(found)


def load_benchmark(family: str, category: str, limit: int = 0, api_bank_folder: str = "") -> Benchmark:
    """One category. `limit` examples at most (0: all), those whose ids come first in a fixed shuffle, in file order."""
    if family == "api_bank":
        examples = api_bank.read_level(api_bank_folder, category)
        return Benchmark(family, category, len(examples), sample(examples, limit), _error=_api_bank_error)
    if family == "toolworld":
        scripts = tool_tasks.scripts(category)
        return Benchmark(family, category, len(scripts), scripts=sample(scripts, limit))
    entries = bfcl_entries.read_entries(category)
    chosen = sample(entries, limit)
    if category in bfcl_entries.MULTI_TURN:
        return Benchmark(family, category, len(entries), scripts=tuple(map(script, chosen)))
    by_id = {entry.id: entry for entry in chosen}

    def error(example: Example, text: str) -> tuple[str | None, float | None]:
        kind = error_kind(by_id[example.id], text)
        return (kind.value if kind else None), None

    return Benchmark(family, category, len(entries), tuple(map(example, chosen)), _error=error)


def benchmark_questions(specs: Sequence[str], api_bank_folder: str) -> dict[str, tuple[Example, ...]]:
    """What users say in the named benchmarks, by the name of the set: to look for in training data, not to be answered.

    Dialogues give an example for each turn, with the users' turns up to it; API-Bank's own last line, which asks for
    the request, is left out. Raises UserError as `benchmark_names` and `load_benchmark` do.
    """
    loaded = [
        load_benchmark(family, category, api_bank_folder=api_bank_folder) for family, category in benchmark_names(specs)
    ]
    return {
        benchmark.name: (
            *map(_without_ask, benchmark.examples),
            *(question for script in benchmark.scripts for question in script.questions),
        )
        for benchmark in loaded
    }


def _without_ask(example: Example) -> Example:
    return replace(example, messages=tuple(one for one in example.messages if one.content != api_bank.ASK))


def sample(items: Sequence[Item], limit: int) -> tuple[Item, ...]:
    """`limit` items by a shuffle that depends on their ids alone, in their order; all where limit is 0."""
    if not 0 < limit < len(items):
        return tuple(items)
    chosen = sorted(range(len(items)), key=lambda i: (zlib.crc32(f"sample {items[i].id}".encode()), i))[:limit]
    return tuple(items[i] for i in sorted(chosen))


def grade_dialogue(script: Script, dialogue: Dialogue, *, finished: bool = True) -> Graded:
    """The script's verdict on a dialogue that is done; one that the caller gave up is wrong.

    finished   False where some answer of it ran into its token limit; each is judged by what it says so far
    """
    error = "context_full" if dialogue.ending == "context" else script.judge(dialogue.texts)
    answer = "\n".join(f"turn {turn}: {text}" for turn, steps in enumerate(dialogue.texts) for text in steps)
    level = difficulty(script.example)
    return Graded(script.id, level, answer, script.expected, error is None, error, None, finished)


def _api_bank_error(example: Example, text: str) -> tuple[str | None, float | None]:
    comparison = api_bank.grade(example, text)
    return (comparison.error.value if comparison.error else None), comparison.slot_f1
