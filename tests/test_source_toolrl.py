"""The importer of ToolRL's mix, on rows in the true layout."""

import json

import pytest

from itool_jax.data.sources import read_source
from itool_jax.toolcall.types import ToolCall
from tests.source_rows import bad, read


def toolrl_row(output, *history, tools=None):
    parameters = {
        "city name": {"description": "Where", "type": "string", "default": ""},
        "days": {"description": "How many", "type": "int", "default": 3},
        "tags": {"description": "Which", "type": "List[str]", "default": ""},
    }
    tools = tools or f"1. Name: Get Weather\nDescription: Of a city\nfor days\nParameters: {json.dumps(parameters)}"
    ping = "2. Name: /ping\nDescription: \nParameters: {}"
    instruction = f"You are helpful.\n\n**Available Tools**\nYou can use:\n{tools}\n{ping}"
    history = "\n\n".join(history or ("<user> Rome? </user>",))
    return {
        "instruction": f"{instruction}\n\n**Steps for Each Turn**\n1. **Think:** ...",
        "input": f"**Dialogue Records History**\n{history}",
        "output": output,
    }


def made(*calls, think="I call <tool_call> now."):
    lines = "\n".join(json.dumps({"name": name, "parameters": parameters}) for name, parameters in calls)
    return f"<think> {think} </think>\n<tool_call>\n{lines}\n</tool_call>"


ROME = ("Get Weather", {"city name": "Rome", "days": "2", "tags": '["a"]'})


def test_toolrl_rows(tmp_path):
    one = toolrl_row(made(ROME, ("/ping", {})))
    history = (
        "<user> Rome? </user>",
        f"{made(ROME)}\n<obs> Sun </obs>",
        "<think> x </think>\n<response> Sun. </response>",
    )
    two = toolrl_row("<think> No. </think>\n<response> Bye. </response>", *history, "<user> Bye </user>")
    first, *history, last = read(tmp_path, "toolrl", one, two).items
    call = ToolCall("Get Weather", {"city name": "Rome", "days": 2, "tags": ["a"]})
    assert (first.id, first.calls) == ("toolrl/rows/1/1", (call, ToolCall("/ping")))
    assert first.meta["notes"] == ["retyped days"]
    weather = first.tools[0]
    assert (weather.name, weather.description) == ("Get Weather", "Of a city\nfor days")
    assert [(p.name, p.type, p.required) for p in weather.parameters] == [
        ("city name", "string", False),
        ("days", "integer", False),
        ("tags", "array", False),
    ]
    assert ["default" in p.schema for p in weather.parameters] == [False, True, False]
    assert [example.id for example in (*history, last)] == [f"toolrl/rows/2/{turn}" for turn in (1, 2, 3)]
    assert [(example.calls, len(example.messages)) for example in history] == [((call,), 1), ((), 3)]
    assert (last.answer, last.meta["conversation"]) == ("Bye.", 2)
    assert last.messages[1].calls == (call,)
    assert [message.content for message in last.messages[2:]] == ["Sun", "Sun.", "Bye"]


def test_toolrl_turns_of_two_rows_come_once_and_are_counted(tmp_path, capsys):
    asked = "<user> Rome? </user>"
    talked = toolrl_row(made(ROME), asked, f"{made(ROME)}\n<response> I ask. </response>\n<obs> Sun </obs>")
    found = read(tmp_path, "toolrl", toolrl_row(made(ROME), asked), talked, talked).items
    assert [example.id for example in found] == ["toolrl/rows/1/1", "toolrl/rows/2/2"]
    assert "left out 3 turns that another row holds" in capsys.readouterr().err.replace("\n", " ")
    first, _ = read(tmp_path, "toolrl", talked).items
    assert first.meta["notes"] == ["retyped days", "prose_beside_calls"]
    assert capsys.readouterr().err == ""


def test_toolrl_parquet(tmp_path):
    import pyarrow
    from pyarrow import parquet

    row = toolrl_row(made(ROME))
    table = pyarrow.Table.from_pylist([{"data_source": "rlla", "prompt": [], "extra_info": row | {"index": 0}}])
    parquet.write_table(table, tmp_path / "test.parquet")
    [example] = read_source("toolrl", tmp_path / "test.parquet").items
    assert (example.id, example.calls[0].name) == ("toolrl/test/1/1", "Get Weather")


def with_line(line):
    return toolrl_row(
        f"<think> x </think>\n<tool_call>\n{json.dumps({'name': '/ping', 'parameters': {}})}\n{line}\n</tool_call>"
    )


@pytest.mark.parametrize(
    ("row", "field", "message"),
    [
        (with_line("and so on"), "output.tool_call", "not JSON"),
        (with_line('{"name": "/pong", "parameters": {}}'), "output.tool_call[1].name", "not among the candidate"),
        (toolrl_row(made(("Get Weather", {"tags": '["a"'}))), "output.tool_call[0].tags", "cut off"),
        (toolrl_row("<think> x </think>"), "output", "no <tool_call> or <response>"),
        (toolrl_row(made(ROME) + " and"), "output", "no <tool_call> or <response>"),
        (toolrl_row(made(ROME), "Hello"), "input", "expected <user>"),
        (toolrl_row(made(ROME), "<obs> x </obs>", "<response> y </response>", made(ROME)), "input", "answers neither"),
        (toolrl_row(made(ROME), tools="1. Name: f\nDescription: g\nParameters: {broken"), "instruction", "no JSON"),
        (toolrl_row(made(ROME)) | {"instruction": "no tools"}, "instruction", "no tools of the form"),
    ],
)
def test_toolrl_bad_rows(tmp_path, row, field, message):
    found = bad(tmp_path, "toolrl", toolrl_row(made(ROME)), row)
    assert found[0] == field and message in found[1]
