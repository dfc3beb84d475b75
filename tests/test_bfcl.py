"""Our rules against the official checker of BFCL, on its own data."""

import json
import os
import subprocess
import sys
from collections import Counter
from importlib.util import find_spec

import pytest

from itool_jax.errors import UserError
from itool_jax.evaluation.bfcl import official
from itool_jax.evaluation.bfcl.entries import AST, CATEGORIES, PROSE, categories, read_entries
from itool_jax.evaluation.bfcl.prompts import example
from itool_jax.toolcall import parse_calls
from itool_jax.toolcall.allowed_values import compare_allowed
from tests.bfcl_mutations import mutated_answers

pytestmark = pytest.mark.skipif(
    find_spec("bfcl_eval") is None, reason="needs bfcl-eval, installed with --no-deps (docs/bfcl.md)"
)

# Entries for which the official checker lets no answer pass, or none that a model would give (docs/bfcl.md).
UNANSWERABLE = {
    "live_multiple_862-181-3",
    "live_multiple_964-207-0",
    "live_simple_106-63-0",
    "live_simple_112-68-0",
    "simple_java_36",
    "simple_java_64",
    "simple_java_65",
}
# Mutated answers on which the two disagree: none. All differences are in docs/bfcl.md.
DISAGREEMENTS = []


def both(calls, entry):
    """Whether the calls are right by our rules, and the official verdict."""
    decoded = [{call.name: dict(call.arguments)} for call in calls]  # its decoder drops positional arguments
    ours = compare_allowed(calls, entry.expected, entry.functions, entry.language) is None
    return ours, official.check(decoded, entry)


def test_sizes_of_all_categories():
    sizes = {category: len(read_entries(category)) for category in CATEGORIES}
    assert sizes == {
        "simple_python": 400,
        "multiple": 200,
        "parallel": 200,
        "parallel_multiple": 200,
        "simple_java": 100,
        "simple_javascript": 50,
        "irrelevance": 240,
        "live_simple": 258,
        "live_multiple": 1053,
        "live_parallel": 16,
        "live_parallel_multiple": 24,
        "live_irrelevance": 884,
        "live_relevance": 16,
        **dict.fromkeys(("multi_turn_base", "multi_turn_long_context"), 200),
        **dict.fromkeys(("multi_turn_miss_func", "multi_turn_miss_param"), 200),
    }


def test_every_ground_truth_has_the_official_verdict():
    wrong = set()
    for category in AST:
        for entry in read_entries(category):
            answer = example(entry)
            assert parse_calls(answer.answer).calls == answer.calls, entry.id
            ours, theirs = both(answer.calls, entry)
            assert ours == theirs["valid"], entry.id
            if not ours:
                wrong.add(entry.id)
    assert wrong == UNANSWERABLE


def test_mutated_answers_have_the_official_verdict():
    checked, right, raised, disagreements = Counter(), 0, Counter(), []
    for category in AST:
        each = {"simple_java": 40, "simple_javascript": 40}.get(category, 10)
        for entry, calls in mutated_answers(read_entries(category), each, seed=3):
            ours, theirs = both(calls, entry)
            checked[category] += 1
            right += ours
            if theirs.get("error_type") == "checker_raised":
                raised[theirs["error"][0].partition(":")[0]] += 1
            if ours != theirs["valid"]:
                disagreements.append((entry.id, calls, theirs))
    assert disagreements == DISAGREEMENTS
    assert sum(checked.values()) >= 20_000
    assert 0.2 < right / sum(checked.values()) < 0.5  # the answers try both sides of every rule
    assert set(raised) <= {"OverflowError"}  # an integer over the range of floats; ours calls it wrong


@pytest.mark.parametrize("root", [None, "elsewhere"])
def test_the_official_import_leaves_no_trace(root):
    """In a fresh process: what is new in sys.modules is the official checkers and the little that they need."""
    program = (
        "import json, os, sys\n"
        "from itool_jax.evaluation.bfcl import official\n"
        "own = sys.modules[official._MODELS] = type(sys)('own')\n"
        "before = set(sys.modules)\n"
        "official.official()\n"
        "kept = sys.modules.pop(official._MODELS) is own\n"
        "print(json.dumps([kept, os.environ.get('BFCL_PROJECT_ROOT'), sorted(set(sys.modules) - before)]))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    environment.pop("BFCL_PROJECT_ROOT", None)
    environment |= {"BFCL_PROJECT_ROOT": root} if root else {}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, check=True)
    kept, found_root, new = json.loads(done.stdout)
    assert kept and found_root == root
    needed = {"bfcl_eval", "filelock", "tenacity", "tree_sitter", "tree_sitter_java", "tree_sitter_javascript"}
    assert {name.partition(".")[0] for name in new} - sys.stdlib_module_names <= needed
    assert "bfcl_eval.eval_checker.ast_eval.ast_checker" in new
    assert not [name for name in new if "inference" in name or name == official._MODELS]
    parsers = {"bfcl_eval.model_handler.parser.java_parser", "bfcl_eval.model_handler.parser.js_parser"}
    assert parsers & set(new) == (parsers if official.has_tree_sitter() else set())


def test_the_official_decoder_computes_arithmetic_and_runs_nothing(tmp_path):
    entry = read_entries("simple_python")[0]
    assert official.decode("[f(x=2 * (3 + 4), y=-1)]", entry) == [{"f": {"x": 14, "y": -1}}]
    target = tmp_path / "made"
    assert official.decode(f"[f(x=open({str(target)!r}, 'w').write('x') + 1)]", entry) is None
    assert not target.exists()
    assert official.decode("[f(x=9**9**9)]", entry) is None
    assert official.decode("[f(x='a' * 10**12)]", entry) is None


def test_examples_hold_what_bfcl_shows():
    java = example(read_entries("simple_java")[1])
    assert {parameter.type for parameter in java.tools[0].parameters} == {"string"}
    assert java.tools[0].description.endswith("Java 8 SDK syntax.")
    by_name = {parameter.name: parameter.schema["description"] for parameter in java.tools[0].parameters}
    assert by_name["params"].endswith(" This is Java HashMap type parameter in string representation.")
    python = example(read_entries("parallel")[0])
    assert python.tools[0].description.endswith("Python 3 syntax.")
    assert len(python.calls) == 2 and python.messages[-1].role == "user"
    prose = example(read_entries("irrelevance")[0])
    assert (prose.calls, prose.answer) == ((), "")


def test_shown_functions_are_those_of_the_official_loader():
    official.official()
    with official.importing():
        from bfcl_eval.utils import load_dataset_entry
    from itool_jax.evaluation.bfcl.prompts import _described

    for category in ("simple_python", "simple_java", "simple_javascript", "live_multiple", "irrelevance"):
        theirs = {row["id"]: row["function"] for row in load_dataset_entry(category)}
        for entry in read_entries(category):
            assert [_described(function, entry.language) for function in entry.functions] == theirs[entry.id], entry.id


def test_names_of_categories():
    assert categories(["live", "multiple", "live_simple"])[:2] == ("live_simple", "live_multiple")
    assert set(PROSE) <= set(categories(["non_live", "live"]))
    with pytest.raises(UserError, match="no category 'simple'"):
        categories(["simple"])
    with pytest.raises(UserError, match="no category"):
        read_entries("web_search")
