"""A reward of the user's own: a Python function that config.round.search.reward names, in place of slot credit O.

    def reward(example: Example, answer: str, parsed: ParsedAnswer) -> tuple[float, bool]

`example` has the conversation, the tools and the ground truth; `answer` is the text of a finished answer, `parsed` what
`toolcall.parse_calls` reads in it. Returned are O in [0, 1] and whether the answer counts as right, which decides what
may be chosen and what is rejected. It is called once for every distinct finished answer of a tree, on the host.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np

from itool_jax.data.example import Example
from itool_jax.errors import UserError
from itool_jax.search.rewards import Grade
from itool_jax.toolcall import ParsedAnswer, parse_calls

UserFunction = Callable[[Example, str, ParsedAnswer], Any]
_KEY = "config.round.search.reward"
_FACE = "a function of (example, answer, parsed) that returns (number in [0, 1], right or not)"


@dataclass(frozen=True)
class UserReward:
    """The function at `path`, checked at every call; `digest` changes with its name and with its module's source."""

    path: str
    function: UserFunction
    digest: str

    def __call__(self, example: Example, text: str) -> Grade:
        """The grade of a finished answer; raises UserError where the function fails or returns something else."""
        try:
            returned = self.function(example, text, parse_calls(text))
        except Exception as error:
            at = traceback.extract_tb(error.__traceback__)[-1]
            what = f"raised {type(error).__name__}: {error} ({at.filename}, line {at.lineno})"
            raise self._fault(example, text, what) from error
        try:
            score, right = returned
        except (TypeError, ValueError):
            raise self._fault(example, text, f"returned {_shown(returned)}") from None
        if not isinstance(score, Real) or isinstance(score, bool) or not 0 <= float(score) <= 1:  # NaN is not, either
            raise self._fault(example, text, f"returned the number {_shown(score)}")
        if not isinstance(right, bool | np.bool_):
            raise self._fault(example, text, f"returned {_shown(right)} for whether the answer is right")
        return Grade(float(score), bool(right))

    def _fault(self, example: Example, text: str, what: str) -> UserError:
        return UserError(
            f"{_KEY} = {self.path!r} {what}, for example {example.id!r} with the answer {text[:200]!r}. Expected "
            f"{_FACE}. Mend the function and start the same command again: as another reward it grows the round's "
            "trees anew."
        )


def load_reward(path: str) -> UserReward:
    """Imports `package.module:function` (or `package.module.function`) from the Python path.

    Raises UserError where there is no such module or function, and where importing it fails.
    """
    module_name, colon, name = path.partition(":") if ":" in path else path.rpartition(".")
    if not module_name or not name or not colon:
        raise UserError(f"{_KEY} is {path!r}; expected package.module:function, or '' for the slot credit.")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and f"{module_name}.".startswith(f"{error.name}."):
            raise UserError(
                f"{_KEY} = {path!r}: there is no module {error.name!r} on the Python path. Put the folder that it lies "
                "in into PYTHONPATH, or install its package."
            ) from error
        raise UserError(f"{_KEY} = {path!r}: {module_name} imports {error.name!r}, which is not installed.") from error
    except Exception as error:
        raise UserError(f"{_KEY} = {path!r}: importing it failed with {type(error).__name__}: {error}") from error
    function: Any = module
    for part in name.split("."):
        function = getattr(function, part, None)
    if not callable(function):
        found = "nothing" if function is None else type(function).__name__
        raise UserError(f"{_KEY} = {path!r}: {module_name} has {found} of the name {name!r}; expected {_FACE}.")
    return UserReward(path, function, _digest(path, function))


def _digest(path: str, function: Any) -> str:
    """SHA-256 of the name and of the source file that defines the function, where it has one; not of its imports."""
    try:
        source = Path(inspect.getsourcefile(inspect.unwrap(function)) or "").read_bytes()
    except (TypeError, OSError):  # built in, or an object that is called
        source = b""
    return hashlib.sha256(path.encode() + b"\0" + source).hexdigest()


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
