"""The entries of BFCL v4, from the data files that the package bfcl-eval carries; nothing of it is imported."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from itool_jax.errors import UserError
from itool_jax.toolcall.allowed_values import AllowedCall
from itool_jax.toolcall.source_values import Language

INSTALL = "pip install 'itool-jax[bfcl]' && pip install --no-deps bfcl-eval==2026.3.23"
VERSION = "BFCL_v4"

NON_LIVE = ("simple_python", "multiple", "parallel", "parallel_multiple", "simple_java", "simple_javascript")
LIVE = ("live_simple", "live_multiple", "live_parallel", "live_parallel_multiple")
PROSE = ("irrelevance", "live_irrelevance", "live_relevance")
AST = (*NON_LIVE, *LIVE)
SINGLE_TURN = (*AST, *PROSE)
MULTI_TURN = ("multi_turn_base", "multi_turn_long_context", "multi_turn_miss_func", "multi_turn_miss_param")
CATEGORIES = (*SINGLE_TURN, *MULTI_TURN)
GROUPS = {"non_live": (*NON_LIVE, "irrelevance"), "live": (*LIVE, *PROSE[1:]), "multi_turn": MULTI_TURN}

_LANGUAGES: dict[str, Language] = {"simple_java": "java", "simple_javascript": "javascript"}
_FUNCTION_FILES = {
    "GorillaFileSystem": "gorilla_file_system",
    "MathAPI": "math_api",
    "MessageAPI": "message_api",
    "TwitterAPI": "posting_api",
    "TicketAPI": "ticket_api",
    "TradingBot": "trading_bot",
    "TravelAPI": "travel_booking",
    "VehicleControlAPI": "vehicle_control",
}


@dataclass(frozen=True)
class Entry:
    """One entry as the data files hold it.

    turns      messages of the user (and of a system or assistant before) for each turn; single-turn entries have one
    functions  descriptions of the functions that the model may call from the first turn on
    expected   the calls that are right; empty where the category asks for prose, or for any call (live_relevance)
    held_back  multi_turn_miss_func: descriptions of the functions that join at a turn, by its index
    raw        the whole row, for the official code; multi-turn ground truth is there as `ground_truth`
    """

    id: str
    category: str
    turns: tuple[tuple[Mapping[str, str], ...], ...]
    functions: tuple[Mapping[str, Any], ...]
    expected: tuple[AllowedCall, ...] = ()
    held_back: Mapping[int, tuple[Mapping[str, Any], ...]] = field(default_factory=dict)
    raw: Mapping[str, Any] = field(default_factory=dict)

    @property
    def language(self) -> Language:
        return language_of(self.category)


def language_of(category: str) -> Language:
    """The language whose types the category's functions have."""
    return _LANGUAGES.get(category, "python")


def categories(names: Sequence[str]) -> tuple[str, ...]:
    """Categories by name, or by the groups non_live, live and multi_turn; UserError on an unknown name."""
    known = {**GROUPS, **{name: (name,) for name in CATEGORIES}}
    for name in names:
        if name not in known:
            raise UserError(f"BFCL has no category {name!r} here: give some of {', '.join(known)}.")
    return tuple(dict.fromkeys(category for name in names for category in known[name]))


def read_entries(category: str) -> tuple[Entry, ...]:
    """All entries of a category, in the order of its file; UserError where the package or the category is missing."""
    if category not in CATEGORIES:
        raise UserError(f"BFCL has no category {category!r} here: give one of {', '.join(CATEGORIES)}.")
    rows = _rows(f"{VERSION}_{category}.json")
    truths = [] if category in PROSE else _rows(f"possible_answer/{VERSION}_{category}.json")
    if truths and len(truths) != len(rows):
        raise UserError(f"BFCL's {category} has {len(rows)} entries and {len(truths)} answers: {_remedy()}")
    make = _multi_turn_entry if category in MULTI_TURN else _single_turn_entry
    pairs = zip(rows, truths, strict=True) if truths else ((row, {}) for row in rows)
    return tuple(make(category, row, truth) for row, truth in pairs)  # paired by place, as BFCL pairs them


def data_folder() -> Path:
    """The data folder of the installed package; UserError where there is none."""
    found = find_spec("bfcl_eval")
    if found is None or not found.submodule_search_locations:
        raise UserError(f"BFCL needs the package bfcl-eval, which is not installed: {INSTALL}")
    folder = Path(next(iter(found.submodule_search_locations))) / "data"
    if not (folder / f"{VERSION}_simple_python.json").exists():
        raise UserError(f"{folder} does not hold the files {VERSION}_*.json: {_remedy()}")
    return folder


def _single_turn_entry(category: str, row: dict[str, Any], truth: dict[str, Any]) -> Entry:
    expected = [AllowedCall(*call) for calls in truth.get("ground_truth", ()) for call in calls.items()]
    turns = tuple(map(tuple, row["question"]))
    return Entry(row["id"], category, turns, tuple(row["function"]), tuple(expected), raw=row)


def _multi_turn_entry(category: str, row: dict[str, Any], truth: dict[str, Any]) -> Entry:
    functions = [f for name in row["involved_classes"] for f in _functions(name)]
    held_back = {}
    for turn, names in row.get("missed_function", {}).items():
        held_back[int(turn)] = tuple(f for f in functions if f["name"] in names)
        functions = [f for f in functions if f["name"] not in names]
    turns = tuple(map(tuple, row["question"]))
    raw = {**row, "ground_truth": truth["ground_truth"]}
    return Entry(row["id"], category, turns, tuple(functions), held_back=held_back, raw=raw)


@cache
def _functions(class_name: str) -> tuple[dict[str, Any], ...]:
    if class_name not in _FUNCTION_FILES:
        raise UserError(f"BFCL's back end {class_name!r} is unknown: {_remedy()}")
    return tuple(_rows(f"multi_turn_func_doc/{_FUNCTION_FILES[class_name]}.json"))


def _rows(name: str) -> list[dict[str, Any]]:
    path = data_folder() / name
    try:
        return [json.loads(line) for line in path.read_text("utf-8").split("\n") if line.strip()]
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}): {_remedy()}") from error


def _remedy() -> str:
    return f"install the version that this project reads: {INSTALL}"
