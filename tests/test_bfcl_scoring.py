"""Raw answers of models: read, scored by ours and by the official code, and written for the official runner."""

import json
import time
from importlib.util import find_spec
from random import Random

import pytest

from itool_jax.errors import UserError
from itool_jax.evaluation import bfcl
from itool_jax.evaluation.bfcl import official as official_code
from itool_jax.evaluation.bfcl.answers import read_answer
from itool_jax.evaluation.bfcl.arithmetic import bounded_arithmetic
from itool_jax.evaluation.bfcl.entries import PROSE, language_of
from itool_jax.evaluation.bfcl.official import has_tree_sitter
from itool_jax.evaluation.bfcl.results import evaluate_officially, official_result, result_path, write_results
from itool_jax.evaluation.bfcl.scoring import error_kind
from itool_jax.toolcall import ErrorKind, ToolCall, write_calls
from tests.bfcl_conversations import as_texts, true_calls
from tests.bfcl_mutations import mutated_answers

needs_bfcl = pytest.mark.skipif(
    find_spec("bfcl_eval") is None, reason="needs bfcl-eval, installed with --no-deps (docs/bfcl.md)"
)


def arguments(text, language="python"):
    answer = read_answer(text, language)
    return answer.calls[0].arguments if answer.calls else answer.kind


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[f(x=1, y="a")]', {"x": 1, "y": "a"}),
        ("[f(x=2 * (3 + 4), y=-1 / 2)]", {"x": 14, "y": -0.5}),
        ("f(x=data, y=d['a'], z=g(1), w=(1, 2))", {"x": "data", "y": "d['a']", "z": "g(1)", "w": (1, 2)}),
        ("[f(x=true, y=null)]", {"x": "true", "y": "null"}),  # names to Python, as officially
        ('{"name": "f", "arguments": {"x": true, "y": null}}', {"x": True, "y": None}),
        ("[f(x=+5, y=g(a=1), z={1: 2})]", {"x": -5, "y": {"g": {"a": 1}}, "z": {1: 2}}),
        ("f(a)", {}),
        ("[f(**d)]", {"**": "d"}),
        ("[f(x=a.b)]", "malformed"),
        ("[f(x=lambda y: y)]", "malformed"),
        ("[f(x=9**9**9)]", "malformed"),
        ("[f(x=1/0, y=z)]", "malformed"),
        ("[f(x=0xff, y=0o17, z=0b11, w=1_000)]", {"x": 255, "y": 15, "z": 3, "w": 1000}),
        (f"[f(x={'9' * 1000})]", {"x": 10**1000 - 1}),
        (f"[f(x={'9' * 1002})]", "malformed"),
        (f"[f(x=0x{'f' * 5000})]", "malformed"),
        (f"[f(x=[{{'a': (1, -0x{'f' * 5000})}}], y=z)]", "malformed"),
        (f"[f(x=g(a=0b{'1' * 9000}), y=z)]", "malformed"),
        ("[f(x=" + "[" * 5000, "malformed"),
        ("[f(x=z+" + "-" * 19_000 + "1)]", "malformed"),
        ("no call", "prose"),
    ],
)
def test_python_answers(text, expected):
    assert arguments(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[f(x="5L", y="true")]', {"x": "5L", "y": "true"}),
        ('[f(x="a\\"b")]', {"x": 'a"b'}),
        ("[f(x=5L, y=true, z='a')]", {"x": "5L", "y": "true", "z": "a"}),
        (
            "[f(m=new HashMap<String, Integer>(), x=g(a, b=1))]",
            {"m": "new HashMap<String, Integer>()", "x": "g(a, b=1)"},
        ),
        ('[f(x={"a": "b, c=1"}, y=[1, 2])]', {"x": '{"a": "b, c=1"}', "y": "[1, 2]"}),
        ("[f(x=(1]", "malformed"),
        ("[f(x='a", "malformed"),
    ],
)
def test_java_and_javascript_answers_are_source_text(text, expected):
    assert arguments(text, "java") == expected


@pytest.mark.parametrize("text", ["__import__('os')", "(lambda: 1)()", "[1] * 10**9", "'a' * 10**12", "2**100000", "x"])
def test_only_arithmetic_is_computed(text):
    with pytest.raises(ValueError):
        bounded_arithmetic(text)
    assert bounded_arithmetic("'a' + 'b'") == "ab"


def test_hostile_java_answers_take_linear_time():
    """Four times the text takes about four times the CPU time; sixteen times, where a pattern is quadratic."""

    def seconds(text):
        spent = []
        for _ in range(5):
            started = time.process_time()
            read_answer(text, "java")
            spent.append(time.process_time() - started)
        return min(spent)

    call = '{"name": "f", "arguments": {'
    for before, filler, after in [
        ("", "\t", call),
        ("[", "\t", call),
        ("[f(x", "\t", call),
        ("[f(x=1,", "\t", call),
        ("[f(x=a", ",\t", call),
        ("[f(x=a", ",b\t", call),
        ("[f(x=", "a", call),
        ("[", "f", call),
        ("[f(x=", "'\\\\", call),
        ("[f(x=", "([{", call),
    ]:
        small, large = (before + filler * (size // len(filler)) + after for size in (4_500, 18_000))
        assert seconds(large) < 9 * seconds(small) + 0.002, (before, filler)
    assert read_answer("[f(x=" + "a" * 30_000 + ")]", "java").kind == "malformed"


@needs_bfcl
def test_score_by_both():
    answers = {
        "simple_python_0": "[calculate_triangle_area(base=10, height=5)]",
        "simple_python_1": "[math.factorial(number=6)]",
        "simple_python_2": "I cannot do that.",
    }
    expected = {"simple_python_0": True, "simple_python_1": False, "simple_python_2": False}
    assert bfcl.score("simple_python", answers) == expected
    assert bfcl.score("simple_python", answers, official=True) == expected
    assert list(bfcl.error_kinds("simple_python", answers).values()) == [
        None,
        ErrorKind.PARAMETER_VALUE,
        ErrorKind.MISSING_CALL,
    ]
    underscores = {"simple_python_1": "[math_factorial(number=5)]"}
    for official in (False, True):
        assert not bfcl.score("simple_python", underscores, official)["simple_python_1"]
        assert bfcl.score("simple_python", underscores, official, dots_as_underscores=True)["simple_python_1"]


@needs_bfcl
def test_prose_categories():
    said = ["[f(x=1)]", "No function fits.", "[f(x=", "[]"]
    for category, expected in {
        "irrelevance": [False, True, True, True],
        "live_relevance": [True, False, False, False],
    }.items():
        ids = [entry.id for entry in bfcl.read_entries(category)][:4]
        answers = dict(zip(ids, said, strict=True))
        for official in (False, True):
            assert list(bfcl.score(category, answers, official).values()) == expected


@needs_bfcl
def test_unknown_ids_are_named():
    with pytest.raises(UserError, match=r"no entry 'simple_python_400'.* simple_python_0 to simple_python_399"):
        bfcl.score("simple_python", {"simple_python_400": ""})


def texts_of(calls, rng):
    """An answer in one of the forms that models write."""
    try:
        text = write_calls(calls)
    except ValueError:
        return "[f(x="
    try:
        as_json = json.dumps([{"name": call.name, "arguments": dict(call.arguments)} for call in calls])
    except ValueError:
        as_json = text
    fenced, unquoted = f"```python\n{text}\n```", text.replace('"', "")
    return rng.choice([text] * 4 + [as_json, f"Sure! {text}", text[:-3], unquoted, text[1:-1], fenced, f"{text} done"])


def answers_of(category, rng, count=100):
    entries = bfcl.read_entries(category)[:count]
    if category in PROSE:
        source = [calls for _, calls in mutated_answers(bfcl.read_entries("simple_python")[: len(entries)], 1, seed=1)]
        said = [texts_of(calls, rng) if rng.random() < 0.7 else "None of them fits." for calls in source]
        return {entry.id: text for entry, text in zip(entries, said, strict=False)}
    return {entry.id: texts_of(calls, rng) for entry, calls in mutated_answers(entries, 1, seed=1)}


@needs_bfcl
def test_the_official_runner_gives_the_same_figures(tmp_path):
    rng = Random(0)
    readable = [c for c in bfcl.SINGLE_TURN if language_of(c) == "python" or has_tree_sitter()]
    answers = {category: answers_of(category, rng) for category in readable}
    for category in bfcl.MULTI_TURN:
        answers[category] = {}
        for entry in bfcl.read_entries(category)[:8]:
            turns = true_calls(entry)
            unknown = ToolCall("open", {"file": str(tmp_path / "made"), "mode": "w"})
            changes = [turns, turns, [[unknown, *calls] for calls in turns], [calls[:1] for calls in turns], turns[:-1]]
            answers[category][entry.id] = as_texts(rng.choice(changes))
    write_results(tmp_path, "our/model", answers)
    ours = {category: list(bfcl.score(category, texts).values()) for category, texts in answers.items()}
    official = evaluate_officially(tmp_path, "our/model", list(answers))
    assert official == {category: pytest.approx(sum(right) / len(right)) for category, right in ours.items()}
    assert not (tmp_path / "made").exists()  # a name that the back ends do not know is not executed
    assert all(0 < share < 1 for category, share in official.items() if category not in bfcl.MULTI_TURN)
    assert (
        evaluate_officially(tmp_path, "our/model", ["multi_turn_base"])["multi_turn_base"]
        == official["multi_turn_base"]
    )


@needs_bfcl
def test_what_the_official_decoder_reads_we_read_alike():
    rng, read = Random(1), 0
    for category in ("simple_python", "parallel_multiple", "live_simple", "irrelevance"):
        by_id = {entry.id: entry for entry in bfcl.read_entries(category)}
        said = answers_of(category, rng)
        texts = {key: text for key, text in said.items() if official_code.decode(text, by_id[key]) is not None}
        assert bfcl.score(category, texts) == bfcl.score(category, texts, official=True)
        read += len(texts)
    assert read > 150


@needs_bfcl
def test_result_files_have_the_official_layout(tmp_path):
    answers = {"live_simple": {"live_simple_0-0-0": '{"name": "get_user_info", "arguments": {"user_id": 7890}}'}}
    path = write_results(tmp_path, "our/model", answers)["live_simple"]
    assert path == tmp_path / "result" / "our_model" / "live" / "BFCL_v4_live_simple_result.json"
    row = json.loads(path.read_text())
    assert row["result"] == "[get_user_info(user_id=7890)]"
    assert row["raw_answer"] == answers["live_simple"]["live_simple_0-0-0"]
    with pytest.raises(UserError, match="does not exist"):
        evaluate_officially(tmp_path, "our/model", ["multiple"])
    assert result_path(tmp_path, "m", "irrelevance").parent.name == "non_live"
    huge = official_result(bfcl.read_entries("simple_python")[0], f"[f(x={10**400})]")
    assert huge == f'[f(x="{10**400}")]'  # as a number it stops the official runner where a float is expected


@needs_bfcl
@pytest.mark.skipif(not has_tree_sitter(), reason="needs tree-sitter 0.21 (Python 3.12 or older)")
def test_values_that_a_result_file_cannot_hold_are_those_of_the_docs():
    entries = {name: bfcl.read_entries(f"simple_{name}")[0] for name in ("java", "javascript")}
    for text, java, javascript in [
        ('[f(w="a", h="ab")]', {"f": {"w": "a", "h": "ab"}}, {"f": {"w": "a", "h": "ab"}}),
        ('[f(w="é", h="ab")]', {"f": {"w": 'é"', "=": 'b"'}}, {"f": {"w": "é", "h": "ab"}}),
        ('[f(w="a\'b\\"c", h="d")]', None, None),
        ('[f(w="a\\nb", h="d")]', None, None),
    ]:
        for (language, entry), expected in zip(entries.items(), (java, javascript), strict=True):
            decoded = official_code.decode(official_result(entry, text), entry)
            assert (decoded and decoded[0]) == expected, (language, text)
            assert set(arguments(text, language)) == {"w", "h"}


@needs_bfcl
def test_what_is_no_call_for_us_is_none_in_a_result_file():
    entry = bfcl.read_entries("irrelevance")[0]
    for text in ("sum(a) would do.", "[f(x=2**100)]", "[f(x=__import__('os').getcwd() + 'a')]"):
        assert error_kind(entry, text) is None
        result = official_result(entry, text)
        assert bfcl.score("irrelevance", {entry.id: result}, official=True)[entry.id], (text, result)
    assert result == ""  # no text that the official decoder would execute stands in a result file


@needs_bfcl
def test_without_tree_sitter_the_official_decoder_is_missed_and_not_wrong(tmp_path, monkeypatch):
    monkeypatch.setattr(official_code, "has_tree_sitter", lambda: False)
    answers = {"simple_java_0": "[f()]"}
    write_results(tmp_path, "m", {"simple_java": answers})
    for ask in (
        lambda: bfcl.score("simple_java", answers, official=True),
        lambda: evaluate_officially(tmp_path, "m", ["simple_java"]),
    ):
        with pytest.raises(UserError, match="needs tree-sitter"):
            ask()
    assert not bfcl.score("simple_java", answers)["simple_java_0"]


@needs_bfcl
def test_no_answer_raises():
    rng, pieces = (
        Random(0),
        ["(", "[", "{", "'", '"', "\\", "\n", ",", "=", "\x00", "\ud800", "é", "9" * 50, "-", "**", "lambda:"],
    )
    entries = [bfcl.read_entries(category)[0] for category in ("simple_python", "simple_java", "simple_javascript")]
    conversation = bfcl.read_entries("multi_turn_base")[0]
    right = [bfcl.example(entry).answer for entry in entries]
    for _ in range(300):
        text = rng.choice(right)
        for _ in range(rng.randint(1, 5)):
            start = rng.randint(0, len(text))
            text = text[:start] + rng.choice(pieces) * rng.choice((1, 2, 500)) + text[start + rng.choice((0, 0, 3)) :]
        for entry in entries:
            error_kind(entry, text)
            json.dumps(official_result(entry, text))
        json.dumps(official_result(conversation, [[text]]))
    for digits in ("0x" + "f" * 5000, "0o" + "7" * 6000, "0b" + "1" * 16000, "1_0" * 3000, "9" * 4200):
        for value in (digits, f"-{digits}", f"[{{'a': {digits}}}]", f"g({digits})"):
            text = f"[cd(folder={value})]"
            for entry in entries:
                error_kind(entry, text)
                json.dumps(official_result(entry, text))
            json.dumps(official_result(conversation, [[text]]))
            with bfcl.Conversation(conversation) as asked:
                asked.receive(text)
            for official in (False, True):
                assert bfcl.judge(conversation, [[text]], official=official)
