"""The official simulated back ends of multi-turn entries: calls executed on them, and the official verdict.

The official code executes a call by `eval` of its text in its own module. No text of a model gets there: call strings
are built from parsed calls, of methods that the entry's back ends have, with values that are JSON and written by repr.
"""

from __future__ import annotations

import importlib
import inspect
import itertools
import keyword
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

from itool_jax.evaluation.bfcl.entries import Entry
from itool_jax.evaluation.bfcl.official import official
from itool_jax.toolcall import ToolCall
from itool_jax.toolcall.literals import MAX_DIGITS

_UNKNOWN = "itool_jax_unknown_function()"  # fails where it is executed, as a call of an unknown function does
_KEY = re.compile(r"[\w ./-]*")
_COUNT = itertools.count()
_MOST = 10**18  # greatest number that goes into these methods, and
_MOST_DIGITS = 10_000  # greatest exponent or precision: without bounds they compute for hours
_TOO_LARGE = 10**MAX_DIGITS
_COSTLY = ("power", "logarithm", "square_root", "multiply", "round_number")

Steps = Sequence[Sequence[ToolCall]]


class BackEnds:
    """The back ends of one conversation, with their state."""

    def __init__(self, entry: Entry, name: str):
        self.entry, self.name = entry, name

    def execute(self, calls: Sequence[ToolCall]) -> list[str]:
        """The results of calls, in order, as the text that a model is shown."""
        return [self._result(call) for call in calls]

    def _result(self, call: ToolCall) -> str:
        methods = _methods(self.entry)
        text = call_string(call, methods)
        if text == _UNKNOWN:
            known = call.name in methods
            problem = "arguments that cannot be executed" if known else f"name {call.name!r} is not defined"
            return f"Error during execution: {problem}"
        raw = self.entry.raw
        results, _ = official().multi_turn_utils.execute_multi_turn_func_call(
            [text],
            raw["initial_config"],
            raw["involved_classes"],
            self.name,
            self.entry.id,
            long_context="long_context" in self.entry.category,
        )
        return results[0]


@contextmanager
def back_ends(entry: Entry) -> Iterator[BackEnds]:
    """Fresh back ends of an entry. The official module keeps instances by name for ever: they go at the end."""
    name = f"itool_jax_{next(_COUNT)}"
    try:
        yield BackEnds(entry, name)
    finally:
        _forget(name)


def official_error(entry: Entry, turns: Sequence[Steps]) -> str | None:
    """The official error type of a conversation's calls (turns, steps, calls), None if it is right."""
    truth = entry.raw["ground_truth"]
    if len(turns) != len(truth):
        return "multi_turn:force_terminated"
    name = f"itool_jax_{next(_COUNT)}"
    methods = _methods(entry)
    texts = [[[call_string(call, methods) for call in step] for step in steps if step] for steps in turns]
    try:
        verdict = official().multi_turn_checker.multi_turn_checker(texts, truth, dict(entry.raw), entry.category, name)
    finally:
        _forget(name)
    return None if verdict["valid"] else verdict["error_type"]


def call_string(call: ToolCall, methods: Collection[str]) -> str:
    """The call as Python source of literals, positional arguments left out as BFCL's decoder does.

    What is no method of the back ends, or has a value that is no JSON, becomes a call that fails.
    """
    named = all(name.isidentifier() and not keyword.iskeyword(name) for name in call.arguments)
    plain = all(is_json(value) and _is_safe(value) for value in call.arguments.values())
    if call.name not in methods or not named or not plain or _is_costly(call):
        return _UNKNOWN
    return f"{call.name}({', '.join(f'{name}={value!r}' for name, value in call.arguments.items())})"


def is_executable(call: ToolCall, entry: Entry) -> bool:
    """Whether the entry's back ends can execute the call."""
    return call_string(call, _methods(entry)) != _UNKNOWN


def forget_all() -> None:
    """Lets all back ends go, those that the official runner made as well."""
    module = vars(official().multi_turn_utils)
    for instance in [key for key in module if key.endswith("_instance")]:
        del module[instance]


def is_json(value: Any) -> bool:
    """Whether the value is made of JSON's types only."""
    if isinstance(value, dict):
        return all(type(key) is str and is_json(item) for key, item in value.items())
    if isinstance(value, list):
        return all(map(is_json, value))
    return value is None or type(value) in (str, int, float, bool)


def _is_safe(value: Any) -> bool:
    """Whether the official decoder, which reads our result files, writes the value down again as a value.

    It executes a dict of nothing but dicts as a call, and does not escape quotes in a dict's keys. Integers of more
    than MAX_DIGITS digits, which it reads in hexadecimal, Python refuses to write.
    """
    if isinstance(value, dict):
        all_dicts = all(isinstance(item, dict) for item in value.values())
        return not all_dicts and all(_KEY.fullmatch(key) and _is_safe(item) for key, item in value.items())
    if isinstance(value, list):
        return all(map(_is_safe, value))
    return not isinstance(value, int) or abs(value) < _TOO_LARGE


def _is_costly(call: ToolCall) -> bool:
    """Whether the call could keep MathAPI busy without end: it takes numbers of any size, and multiplies texts."""
    if call.name not in _COSTLY:
        return False
    if not all(isinstance(number, int | float) and abs(number) <= _MOST for number in call.arguments.values()):
        return True
    sizes = (call.arguments.get(name, 0) for name in ("exponent", "precision", "decimal_places"))
    return any(abs(size) > _MOST_DIGITS for size in sizes)


def _methods(entry: Entry) -> frozenset[str]:
    return _methods_of(tuple(entry.raw["involved_classes"]))


@cache
def _methods_of(class_names: tuple[str, ...]) -> frozenset[str]:
    modules = official().multi_turn_utils.CLASS_FILE_PATH_MAPPING
    classes = [getattr(importlib.import_module(modules[name]), name) for name in class_names]
    members = [name for one in classes for name, _ in inspect.getmembers(one, predicate=inspect.isfunction)]
    return frozenset(name for name in members if not name.startswith("_"))


def _forget(name: str) -> None:
    module = vars(official().multi_turn_utils)
    for instance in [key for key in module if key.startswith(f"{name}_")]:
        del module[instance]
