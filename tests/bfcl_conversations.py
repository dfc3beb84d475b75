"""The ground truth of BFCL's multi-turn entries as what a perfect model would say."""

import ast
import importlib
import inspect

from itool_jax.evaluation.bfcl.entries import Entry
from itool_jax.evaluation.bfcl.official import official
from itool_jax.toolcall import ToolCall, write_calls

Turns = list[list[ToolCall]]


def true_calls(entry: Entry) -> Turns:
    """The right calls of every turn, with the names of arguments that the ground truth leaves positional."""
    names = _parameter_names(entry)
    return [[_call(text, names) for text in turn] for turn in entry.raw["ground_truth"]]


def as_texts(turns: Turns) -> list[list[str]]:
    """Each turn's calls as one answer, and then prose."""
    return [[write_calls(calls)] * bool(calls) + ["That is done."] for calls in turns]


def _call(text: str, names: dict[str, list[str]]) -> ToolCall:
    call = ast.parse(text, mode="eval").body
    assert isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
    arguments = dict(zip(names[call.func.id], map(ast.literal_eval, call.args), strict=False))
    return ToolCall(call.func.id, arguments | {str(word.arg): ast.literal_eval(word.value) for word in call.keywords})


def _parameter_names(entry: Entry) -> dict[str, list[str]]:
    modules = official().multi_turn_utils.CLASS_FILE_PATH_MAPPING
    names = {}
    for class_name in entry.raw["involved_classes"]:
        back_end = getattr(importlib.import_module(modules[class_name]), class_name)
        for name, function in inspect.getmembers(back_end, inspect.isfunction):
            names[name] = list(inspect.signature(function).parameters)[1:]
    return names
