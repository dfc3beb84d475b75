"""The official code of BFCL (package bfcl-eval), imported without the vendors' SDKs and kept from running model text.

What is replaced while importing, and why:
- `bfcl_eval.constants.model_config`, the table of the leaderboard's models: it alone imports the SDKs (some 6 GB). In
  its place stands a table of our own. `sys.modules` is as before afterwards.
- the parsers of Java and JavaScript, where tree-sitter is not installed: they raise UserError when used.
- `eval` in the decoder: it computes arithmetic that a model writes as an argument, and would run any other expression
  too. Ours knows numbers, strings and operators only, and is bounded.
- the environment variable BFCL_PROJECT_ROOT: the package makes three folders there, now in a temporary one.
"""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from types import ModuleType, SimpleNamespace
from typing import Any, NoReturn

from itool_jax.errors import UserError
from itool_jax.evaluation.bfcl.arithmetic import bounded_arithmetic
from itool_jax.evaluation.bfcl.entries import INSTALL, Entry, data_folder
from itool_jax.toolcall.source_values import Language

MODEL = "itool-jax"
UNDERSCORES = "itool-jax-underscores"  # the same, of a model that is shown and writes `_` for `.` in names
MAX_TEXT = 100_000

_MODELS = "bfcl_eval.constants.model_config"
_PARSERS = {
    "bfcl_eval.model_handler.parser.java_parser": "parse_java_function_call",
    "bfcl_eval.model_handler.parser.js_parser": "parse_javascript_function_call",
}


@dataclass(frozen=True)
class Official:
    """The official modules that are used: of bfcl_eval.eval_checker and of bfcl_eval.model_handler."""

    ast_checker: ModuleType
    multi_turn_checker: ModuleType
    multi_turn_utils: ModuleType
    decoding: ModuleType


@cache
def official() -> Official:
    """Imports the official checkers; UserError where the package or what it needs is not installed."""
    data_folder()
    checkers = "bfcl_eval.eval_checker"
    with importing():
        found = Official(
            ast_checker=importlib.import_module(f"{checkers}.ast_eval.ast_checker"),
            multi_turn_checker=importlib.import_module(f"{checkers}.multi_turn_eval.multi_turn_checker"),
            multi_turn_utils=importlib.import_module(f"{checkers}.multi_turn_eval.multi_turn_utils"),
            decoding=importlib.import_module("bfcl_eval.model_handler.utils"),
        )
    vars(found.decoding)["eval"] = bounded_arithmetic  # a name of the module goes before the builtin
    found.ast_checker.MODEL_CONFIG_MAPPING.update(_models())  # where the real table was imported before
    return found


def decode(text: str, entry: Entry) -> list[dict[str, dict[str, Any]]] | None:
    """The calls that the official decoder of prompted models reads in a raw answer; None where it reads none."""
    require_decoder(entry.language)
    if len(text) > MAX_TEXT:
        return None
    module = official().decoding
    try:
        decoded = module.default_decode_ast_prompting(text, module.ReturnFormat(entry.language))
    except Exception:  # the official runner, too, takes whatever the decoder raises for an answer without calls
        return None
    return None if module.is_empty_output(decoded) else decoded


def check(calls: Sequence[Mapping[str, Any]], entry: Entry, *, dots_as_underscores: bool = False) -> dict[str, Any]:
    """The official checker's verdict on decoded calls of an AST category: `valid`, and `error_type` where it is not.

    What the checker raises on (a number where it expects a dict, ...) is `error_type` "checker_raised"; the official
    runner would stop there.
    """
    module = official().ast_checker
    truth = [{call.name: call.arguments} for call in entry.expected]
    name = UNDERSCORES if dots_as_underscores else MODEL
    language = module.Language(entry.language)
    try:
        return module.ast_checker(list(entry.functions), list(calls), truth, language, entry.category, name)
    except Exception as error:
        return {"valid": False, "error_type": "checker_raised", "error": [f"{type(error).__name__}: {error}"]}


@contextmanager
def importing() -> Iterator[None]:
    """While it is entered, official modules are imported with the replacements that this module's docstring lists."""
    stubs = {_MODELS: _module(_MODELS, MODEL_CONFIG_MAPPING=_models())}
    if not has_tree_sitter():
        stubs |= {name: _module(name, **{function: _no_tree_sitter}) for name, function in _PARSERS.items()}
    saved = {name: sys.modules.get(name) for name in stubs}
    root = os.environ.get("BFCL_PROJECT_ROOT")
    sys.modules.update(stubs)
    os.environ["BFCL_PROJECT_ROOT"] = _scratch().name
    try:
        yield
    except ImportError as error:
        raise UserError(f"the official code of BFCL cannot be imported ({error}): {INSTALL}") from error
    finally:
        for name, module in saved.items():
            sys.modules.pop(name, None)
            if module is not None:
                sys.modules[name] = module
        os.environ.pop("BFCL_PROJECT_ROOT")
        if root is not None:
            os.environ["BFCL_PROJECT_ROOT"] = root


@cache
def _scratch() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="itool-jax-bfcl-")


class Handler:
    """What the official runner asks of a model: its decoders, here those of prompted models."""

    def __init__(self, **settings: Any):
        pass

    def decode_ast(self, result: str, language: Any, has_tool_call_tag: bool) -> Any:
        return official().decoding.default_decode_ast_prompting(result, language, has_tool_call_tag)

    def decode_execute(self, result: str, has_tool_call_tag: bool) -> Any:
        return official().decoding.default_decode_execute_prompting(result, has_tool_call_tag)


def register(name: str) -> None:
    """Enters a model into the table that stands for the official one, so that the official runner takes its answers."""
    _models().setdefault(name, _model(name))


@cache
def _models() -> dict[str, SimpleNamespace]:
    return {name: _model(name) for name in (MODEL, UNDERSCORES)}


def _model(name: str) -> SimpleNamespace:
    texts = dict.fromkeys(("display_name", "url", "org", "license"), name)
    prices = dict.fromkeys(("input_price", "output_price"))
    dots = {"is_fc_model": False, "underscore_to_dot": name == UNDERSCORES}
    return SimpleNamespace(model_name=name, model_handler=Handler, **texts, **prices, **dots)


def _module(name: str, **contents: Any) -> ModuleType:
    module = ModuleType(name)
    vars(module).update(contents)
    return module


def has_tree_sitter() -> bool:
    """Whether what the official decoder reads Java and JavaScript with is installed."""
    return find_spec("tree_sitter") is not None


def require_decoder(language: Language) -> None:
    """Raises UserError where the official decoder cannot read the language."""
    if language != "python" and not has_tree_sitter():
        _no_tree_sitter("")


def _no_tree_sitter(text: str) -> NoReturn:
    raise UserError(
        "the official decoder of Java and JavaScript needs tree-sitter 0.21 (Python 3.12 or older): "
        "pip install 'itool-jax[bfcl]', or score without official=True."
    )
