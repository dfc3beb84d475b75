"""Examples as JSONL: round trips, and every kind of malformed line named by file, row and field."""

import json

import pytest

from itool_jax.data.example import Example, Message
from itool_jax.data.jsonl import example_from_json, example_to_json, write_examples
from itool_jax.data.problems import Problem, RowError, expect, read_rows, refuse
from itool_jax.data.sources import read_source
from itool_jax.data.toolworld import ToolWorld
from itool_jax.errors import UserError
from itool_jax.toolcall import Tool, ToolCall
from tests.worlds import read_examples

GOOD = {
    "id": "a",
    "tools": [
        {"name": "f", "description": "", "parameters": {"type": "object", "properties": {"a": {}}, "required": []}}
    ],
    "messages": [{"role": "user", "content": "hi"}],
    "answer": "[f(a=1)]",
}


def changed(**fields) -> str:
    return json.dumps({key: value for key, value in {**GOOD, **fields}.items() if value is not ...})


def write(tmp_path, *lines: str | bytes):
    path = tmp_path / "data.jsonl"
    path.write_bytes(b"\n".join(line if isinstance(line, bytes) else line.encode() for line in lines))
    return path


def test_round_trip_of_the_tool_world(tmp_path):
    examples = [example for level in ("easy", "medium", "hard") for example in ToolWorld(3).examples(level, 60)]
    path = tmp_path / "new" / "folder" / "data.jsonl"
    assert write_examples(path, iter(examples)) == 180
    assert read_examples(path) == examples
    assert [file.name for file in path.parent.iterdir()] == ["data.jsonl"]


def test_round_trip_of_awkward_values(tmp_path):
    calls = (ToolCall("f", {"a": 'q"\\\n\u2028 世界', "b": [1, 1.5, None, True, {"c": []}]}, (3, "x")),)
    answer = '[f(3, "x", a="q\\"\\\\\\n\u2028 世界", b=[1, 1.5, None, True, {"c": []}])]'
    messages = (Message("system", "\t"), Message("tool", ""))
    example = Example("é/1", (), messages, answer, calls, "mine", {"n": 1, "deep": {"x": [None]}})
    assert write_examples(tmp_path / "x.jsonl", [example]) == 1
    assert read_examples(tmp_path / "x.jsonl") == [example]


def test_names_of_results_come_back():
    tools = (Tool("f", "Returns x.", results=("x",)), Tool("g"))
    example = Example("a", tools, (Message("user", "Go"),), "[f()]", (ToolCall("f"),))
    row = example_to_json(example)
    assert ["results" in tool for tool in row["tools"]] == [True, False]
    assert example_from_json(row) == example


def test_calls_source_and_meta_may_be_left_out():
    example = example_from_json(GOOD)
    assert example.calls == (ToolCall("f", {"a": 1}),)
    assert (example.source, example.meta) == ("", {})
    assert example_from_json(example_to_json(example)) == example


def test_blank_lines_and_a_byte_order_mark_are_no_rows(tmp_path):
    path = write(tmp_path, b"\xef\xbb\xbf" + changed().encode(), "", "  ", changed(id="b"), "")
    assert [example.id for example in read_examples(path)] == ["a", "b"]


BAD = [
    ("{", "", "not JSON"),
    ("[1]", "", "expected an object, found a list"),
    (b'{"id": "\xff"}', "", "not UTF-8 at byte 8"),
    ('{"id": NaN}', "", "NaN is no JSON number"),
    ('{"id": "a", "id": "b"}', "id", "stands twice"),
    ('{"id": "\\ud800"}', "", "surrogate"),
    ("[" * 100_000, "", "nested too deeply"),
    ('{"n": ' + "9" * 5000 + "}", "", "not JSON that can be read"),
    (changed(id=...), "id", "missing; the row has tools, messages, answer"),
    (changed(id=7), "id", "expected a string, found an integer 7"),
    (changed(id=""), "id", "empty"),
    (changed(anwser="x"), "anwser", "unknown field; known are id, tools"),
    (changed(tools={}), "tools", "expected a list"),
    (changed(tools=[1]), "tools[0]", "expected an object"),
    (changed(tools=[{}]), "tools[0]", "name"),
    (changed(tools=[*GOOD["tools"], *GOOD["tools"]]), "tools[1]", "a second tool named"),
    (changed(messages=[]), "messages", "found none"),
    (changed(messages=[{"role": "assistant", "content": "x"}]), "messages", "found one of the assistant"),
    (changed(messages=[{"role": "bot", "content": "x"}]), "messages[0].role", "expected one of system, user"),
    (changed(messages=[{"role": "user"}]), "messages[0].content", "missing"),
    (changed(messages=[{"role": "user", "content": None}]), "messages[0].content", "expected a string, found null"),
    (
        changed(messages=[{"role": "assistant", "content": "[f("}, {"role": "tool", "content": "1"}]),
        "messages[0].content",
        "calls that cannot be read",
    ),
    (
        changed(messages=[{"role": "assistant", "content": "[f()]", "calls": []}, {"role": "tool", "content": "1"}]),
        "messages[0].calls",
        "differ from the calls in the content",
    ),
    (changed(answer="[f(a=1"), "answer", "calls that cannot be read"),
    (changed(calls=[{"name": "f", "arguments": {"a": True}}]), "calls", "differ from the calls in the answer"),
    (changed(calls=[]), "calls", "differ"),
    (changed(calls=[{"name": "f"}]), "calls[0].arguments", "missing"),
    (changed(meta=[]), "meta", "expected an object"),
]


@pytest.mark.parametrize(("line", "field", "message"), BAD)
def test_a_malformed_line_is_named_by_file_row_and_field(tmp_path, line, field, message):
    path = write(tmp_path, changed(id="first"), line, changed(id="last"))
    rows = read_source("jsonl", path, skip_bad=True)
    assert [example.id for example in rows.items] == ["first", "last"]
    (problem,) = rows.problems
    assert (problem.file, problem.row, problem.field) == (str(path), 2, field)
    assert message in problem.message
    with pytest.raises(UserError) as error:
        read_examples(path)
    assert str(error.value).startswith("1 bad row: ")
    assert str(problem) in str(error.value)


def test_ids_must_be_unique(tmp_path):
    path = write(tmp_path, changed(), changed(id="b"), changed())
    (problem,) = read_source("jsonl", path, skip_bad=True).problems
    assert (problem.row, problem.field) == (3, "id")
    assert "earlier row" in problem.message


def test_many_bad_rows_show_the_first_and_the_count(tmp_path):
    with pytest.raises(UserError, match=r"^5 bad rows: .*row 1.*row 2.*row 3.*; and 2 more\. Mend") as error:
        read_examples(write(tmp_path, *["{"] * 5))
    assert "row 4" not in str(error.value)


def test_missing_empty_and_all_bad_files_are_errors(tmp_path):
    with pytest.raises(UserError, match=r"cannot read the data file .*none\.jsonl: No such file"):
        read_examples(tmp_path / "none.jsonl")
    with pytest.raises(UserError, match=r"has no file of jsonl: expected \*\.jsonl, found nothing"):
        read_examples(tmp_path)
    with pytest.raises(UserError, match="holds no examples"):
        read_examples(write(tmp_path, "", " "))
    with pytest.raises(UserError, match="1 bad row"):
        read_source("jsonl", write(tmp_path, "{"), skip_bad=True)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "data.jsonl"
    write_examples(path, [example_from_json(GOOD)])
    before = path.read_bytes()

    def failing():
        yield example_from_json(GOOD)
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        write_examples(path, failing())
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_problems_are_counted_by_field():
    problems = [
        Problem("f", 1, "messages[0].role", "x"),
        Problem("f", 2, "messages[12].role", "y"),
        Problem("f", 3, "", "z"),
    ]
    assert str(Problem("f", 1, "a", "a\x1b[31m\nb")) == "f, row 1, field a: a\\x1b[31m\\x0ab"
    assert [problem.kind for problem in problems] == ["messages[].role", "messages[].role", "row"]
    refuse([])


def test_rows_that_parse_are_kept_in_order():
    rows = read_rows(
        "f",
        enumerate("12x4", 1),
        lambda text: expect(json.loads(text) if text != "x" else None, int, "n"),
        skip_bad=True,
    )
    assert rows.items == (1, 2, 4)
    assert rows.problems == (Problem("f", 3, "n", "expected an integer, found null"),)
    with pytest.raises(RowError, match="n: expected an integer, found true or false True"):
        expect(True, int, "n")
