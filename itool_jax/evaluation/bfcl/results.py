"""Answers in the official result-file layout, written so that the official decoder reads what our parser read.

    FOLDER/result/MODEL/non_live/BFCL_v4_simple_python_result.json    one {"id", "result", "raw_answer"} a line

`result` is what `bfcl evaluate` decodes: the calls in Python style, or the answer as it is where it makes none.
`raw_answer` is what the model wrote. The official decoder takes the model's registered name from the folder's.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import io
import json
import keyword
import os
import re
import sys
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from etils import epath

from itool_jax import files
from itool_jax.errors import UserError
from itool_jax.evaluation.bfcl.answers import read_answer, read_as_official
from itool_jax.evaluation.bfcl.back_ends import forget_all, is_executable
from itool_jax.evaluation.bfcl.entries import GROUPS, MULTI_TURN, VERSION, Entry, language_of
from itool_jax.evaluation.bfcl.multi_turn import read_step
from itool_jax.evaluation.bfcl.official import importing, official, register, require_decoder
from itool_jax.evaluation.bfcl.scoring import select
from itool_jax.toolcall import ToolCall, write_literal

RESULT, SCORE = "result", "score"
_NAME = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")


def write_results(
    folder: str | os.PathLike[str], model: str, answers: Mapping[str, Mapping[str, Any]]
) -> dict[str, epath.Path]:
    """Writes the result files of a model and returns their paths by category.

    model    name of the model; `/` becomes `_` in the folder's name, as officially
    answers  by category, as `score` takes them: raw texts by entry id, or turns of steps of texts
    """
    paths = {}
    for category, texts in answers.items():
        rows = [
            {"id": entry.id, "result": official_result(entry, texts[entry.id]), "raw_answer": texts[entry.id]}
            for entry in select(category, texts)
        ]
        path = result_path(folder, model, category)
        files.make_folder(path.parent)
        lines = (json.dumps(row) + "\n" for row in rows)
        files.write_atomic(path, "".join(lines).encode())
        paths[category] = path
    return paths


def result_path(folder: str | os.PathLike[str], model: str, category: str) -> epath.Path:
    """Where the official runner looks for a category's answers."""
    group = next(name for name, members in GROUPS.items() if category in members)
    return epath.Path(folder) / RESULT / model.replace("/", "_") / group / f"{VERSION}_{category}_result.json"


def official_result(entry: Entry, answer: Any) -> Any:
    """A raw answer in the form that the official decoder reads as our parser read it."""
    if entry.category in MULTI_TURN:
        return [[_as_python(read_step(text), text, entry) for text in steps] for steps in answer]
    calls = read_answer(answer, entry.language).calls
    if entry.language != "python":
        return _as_source(calls)
    as_is = read_as_official(answer) and not any(map(_has_huge, calls))
    return answer if as_is else _as_python(calls, answer, None)


def evaluate_officially(folder: str | os.PathLike[str], model: str, categories: Sequence[str]) -> dict[str, float]:
    """The official runner's accuracy by category on the result files in a folder; its score files go to FOLDER/score.

    Entries that are not answered do not count (`--partial-eval`). UserError where a category has no result file.
    """
    for category in categories:
        require_decoder(language_of(category))
        if not (path := result_path(folder, model, category)).exists():
            raise UserError(f"{path} does not exist: write the answers of {category} there first (write_results).")
    root = epath.Path(folder).expanduser().resolve()
    name = model.replace("/", "_")
    official()
    register(name.replace("_", "/"))
    with importing():
        runner = importlib.import_module("bfcl_eval.eval_checker.eval_runner")
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            result, score = os.fspath(root / RESULT), os.fspath(root / SCORE)
            runner.main([name.replace("_", "/")], list(categories), result, score, partial_eval=True)
    finally:
        forget_all()
    return {category: _accuracy(root, name, category) for category in categories}


def _accuracy(root: epath.Path, name: str, category: str) -> float:
    path = result_path(root, name, category)
    path = root / SCORE / name / path.parent.name / path.name.replace("_result", "_score")
    return json.loads(path.read_text().partition("\n")[0])["accuracy"]


def _as_python(calls: Sequence[ToolCall], text: str, entry: Entry | None) -> str:
    """Calls as Python source; text without calls as it is, unless the official decoder would read some in it.

    entry   of a multi-turn category: what its back ends cannot execute gets a name that they do not know
    """
    if not calls:
        return "" if _looks_like_calls(text) else text
    return "[" + ", ".join(_python_call(call, entry is None or is_executable(call, entry)) for call in calls) + "]"


def _python_call(call: ToolCall, keep_name: bool) -> str:
    name = call.name if keep_name and _NAME.fullmatch(call.name) else _stand_in(call.name)
    arguments = ", ".join(f"{_key(key)}={_literal(value)}" for key, value in call.arguments.items())
    return f"{name}({arguments})"


def _literal(value: Any) -> str:
    try:
        return write_literal(str(value) if _is_huge(value) else value)
    except ValueError:  # beside a huge number, what only Python can write: such a call is wrong in any case
        return write_literal(str(value))


def _has_huge(call: ToolCall) -> bool:
    return any(map(_is_huge, call.arguments.values()))


def _is_huge(value: Any) -> bool:
    """Whether the official checker raises on the value where it expects a float, and its runner stops."""
    return isinstance(value, int) and abs(value) > sys.float_info.max


def _key(key: str) -> str:
    return key if key.isidentifier() and not keyword.iskeyword(key) else _stand_in(key)


def _stand_in(name: str) -> str:
    """A name that Python can write and that no function or parameter of BFCL has."""
    return f"unknown__{re.sub(r'[^A-Za-z0-9_]', '_', name)}__"


def _looks_like_calls(text: str) -> bool:
    """Whether the official decoder might read calls in the text, which it puts between brackets."""
    text = text.strip("`\n ").strip("'")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            body = ast.parse(f"[{text.removeprefix('[').removesuffix(']')}]", mode="eval").body
    except (SyntaxError, ValueError):
        return False
    except (RecursionError, MemoryError):
        return True
    return isinstance(body, ast.List) and bool(body.elts) and all(isinstance(node, ast.Call) for node in body.elts)


def _as_source(calls: Sequence[ToolCall]) -> str:
    """One call as Java or JavaScript source; "" for any other answer, which is wrong in these categories."""
    if len(calls) != 1 or not all(isinstance(value, str) for value in calls[0].arguments.values()):
        return ""
    return f"[{calls[0].name}({', '.join(f'{key}={_quoted(value)}' for key, value in calls[0].arguments.items())})]"


def _quoted(text: str) -> str:
    """Text in quotes that it does not contain; bare where there are none, as the decoder takes escapes as they are."""
    plain = "\\" not in text and "\n" not in text
    return next((f"{quote}{text}{quote}" for quote in "\"'" if plain and quote not in text), text)
