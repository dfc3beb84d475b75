"""A reward of the user's own: the example of the docs in a search, and what is said where a function cannot be used."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from itool_jax.config import default_config
from itool_jax.errors import UserError
from itool_jax.rounds.settings import reward_function
from itool_jax.search.rewards import grade_answer
from itool_jax.search.user_reward import load_reward
from tests.test_pairs import TRUTH, example

DOCS = Path(__file__).parents[1] / "docs" / "search.md"


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Writes a module `my_reward` of the given source to the Python path."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(source: str) -> Path:
        sys.modules.pop("my_reward", None)
        path = tmp_path / "my_reward.py"
        path.write_text(source)
        return path

    yield write
    sys.modules.pop("my_reward", None)


def documented() -> str:
    return next(code for code in re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.S) if "my_reward" in code)


def test_the_documented_reward_grades_by_the_names(module):
    module(documented())
    reward = load_reward("my_reward:names_only")
    graded = {
        text: (reward(example(), text)) for text in (TRUTH, '[weather(city="Rome")]', "[f(), weather()]", "[f(", "")
    }
    assert [(grade.score, grade.right) for grade in graded.values()] == [
        (1.0, True),
        (1.0, True),
        (0.9, False),
        (0.0, False),
        (0.0, False),
    ]
    assert load_reward("my_reward.names_only").function is reward.function


def test_the_config_chooses_the_reward_and_only_then_a_module_is_imported(module):
    cfg = default_config().round.search
    module("raise RuntimeError('imported')")
    assert reward_function(cfg) is grade_answer
    with cfg.unlocked():
        cfg.reward = "my_reward:f"
    with pytest.raises(UserError, match="importing it failed with RuntimeError: imported"):
        reward_function(cfg)


def test_the_digest_is_of_the_name_and_the_source(module):
    digests = []
    for source in ("f = g = lambda *_: (1.0, True)", "f = g = lambda *_: (0.5, True)"):
        for name in "fg":
            module(source)
            digests.append(load_reward(f"my_reward:{name}").digest)
    assert len(set(digests)) == 4
    module("f = g = lambda *_: (0.5, True)")
    assert load_reward("my_reward:g").digest == digests[-1]


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("my_reward", "expected package.module:function"),
        ("my_reward:", "expected package.module:function"),
        ("no_such_package.rewards:f", "there is no module 'no_such_package' on the Python path"),
        ("my_reward:nothing", "my_reward has nothing of the name 'nothing'; expected a function of (example, answer"),
        ("my_reward:number", "my_reward has int of the name 'number'"),
    ],
)
def test_what_cannot_be_imported_is_named(module, path, says):
    module("number = 3")
    with pytest.raises(UserError) as caught:
        load_reward(path)
    assert says in str(caught.value) and repr(path) in str(caught.value)


def test_a_module_that_the_reward_needs_is_told_from_the_reward(module):
    module("import no_such_package\n")
    with pytest.raises(UserError, match="my_reward imports 'no_such_package', which is not installed"):
        load_reward("my_reward:f")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("1 / 0", "raised ZeroDivisionError: division by zero"),
        ("float('nan'), True", "returned the number nan"),
        ("1.5, True", "returned the number 1.5"),
        ("-0.1, False", "returned the number -0.1"),
        ("'high', True", "returned the number 'high'"),
        ("True, True", "returned the number True"),
        ("0.5", "returned 0.5"),
        ("None", "returned None"),
        ("0.5, 1", "returned 1 for whether the answer is right"),
    ],
)
def test_what_a_function_may_not_do_is_told_with_the_example(module, body, says):
    path = module(f"def f(example, answer, parsed):\n    return {body}\n")
    with pytest.raises(UserError) as caught:
        load_reward("my_reward:f")(example(), TRUTH)
    message = str(caught.value)
    assert message.startswith(f"config.round.search.reward = 'my_reward:f' {says}")
    assert "example 'w'" in message and TRUTH in message and "number in [0, 1]" in message
    assert (f"{path}, line 2" in message) == ("raised" in says)


def test_numpy_numbers_will_do(module):
    module("import numpy\ndef f(*_):\n    return numpy.float32(0.25), numpy.bool_(False)\n")
    grade = load_reward("my_reward:f")(example(), TRUTH)
    assert (grade.score, grade.right) == (0.25, False) and type(grade.score) is float and type(grade.right) is bool
