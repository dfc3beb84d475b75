"""The importer of API-Bank's training rows, on rows in the true layout."""

import json

import pytest

from itool_jax.data.example import Message
from itool_jax.data.sources import read_source
from itool_jax.toolcall.types import ToolCall
from tests.source_rows import bad, read, roles

SEARCHER = {
    "apiCode": "ToolSearcher",
    "description": "Finds tools",
    "parameters": {"keywords": {"type": "str", "description": "Words"}},
    "response": {},
}
FOUND = (
    "{'name': 'Finder', 'description': 'Finds doctors', "
    "'input_parameters': {'kind': {'type': 'str', 'description': 'x'}, "
    "'day': {'type': 'str', 'description': 'y'}}, 'output_parameters': {}}"
)
SEARCH = f"API-Request: [ToolSearcher(keywords='find doctors')]->{FOUND}\n"


def api_row(output, *steps, request="A doctor?TIME: 2034-04-15 10:00:00", goal="Generate API Request: "):
    lines = f"{json.dumps(SEARCHER)}\nUser: {request}\n{''.join(steps)}{goal}"
    return {"instruction": "\nGenerate an API request ...", "input": lines, "output": output}


def test_api_bank_steps(tmp_path):
    search = api_row("API-Request: [ToolSearcher(keywords='find doctors')]")
    ask = api_row("API-Request: [Finder(kind='eye', day='2034-04-16')]", SEARCH)
    tell = api_row(
        "AI: Dr. Who.\n",
        SEARCH,
        "API-Request: [Finder(kind='eye', day='2034-04-16')]->{'name': 'Dr. Who'}\n",
        goal="Generate AI Response: ",
    )
    first, second, third = read(tmp_path, "api_bank", search, ask, tell, name="lv3.json").items
    assert [example.id for example in (first, second, third)] == [f"api_bank/lv3/{row}" for row in (1, 2, 3)]
    assert first.messages == (
        Message("system", "The current time is 2034-04-15 10:00:00."),
        Message("user", "A doctor?"),
    )
    assert [tool.name for tool in first.tools] == ["ToolSearcher"]
    assert [tool.name for tool in second.tools] == ["ToolSearcher", "Finder"]
    assert second.calls == (ToolCall("Finder", {"kind": "eye", "day": "2034-04-16"}),)
    assert second.messages[2:] == (Message("assistant", first.answer, first.calls), Message("tool", FOUND))
    assert (third.answer, roles(third)[2:]) == ("Dr. Who.", ["assistant", "tool"] * 2)
    assert third.messages[-1].content == "{'name': 'Dr. Who'}"


def test_api_bank_folder_is_read_without_the_file_that_holds_all_rows_again(tmp_path):
    rows = [api_row(f"API-Request: [ToolSearcher(keywords='{word}')]") for word in ("one", "two")]
    files = {"lv3-api-train.json": rows[:1], "lv3-response-train.json": rows[1:], "lv3-train.json": rows}
    for name, held in files.items():
        (tmp_path / name).write_text(json.dumps(held))
    ids = [example.id for example in read_source("api_bank", tmp_path).items]
    assert ids == ["api_bank/lv3-api-train/1", "api_bank/lv3-response-train/1"]
    assert len(read_source("api_bank", tmp_path / "lv3-train.json").items) == 2


@pytest.mark.parametrize(
    ("written", "arguments", "notes"),
    [
        ("kind=eye, day=2034-04-16", {"kind": "eye", "day": "2034-04-16"}, ["unquoted kind", "unquoted day"]),
        ("kind='eye', day=next day, at 9", {"kind": "eye", "day": "next day, at 9"}, ["unquoted day"]),
        ('day="Tue", kind=Dr. Who\'s', {"day": "Tue", "kind": "Dr. Who's"}, ["unquoted kind"]),
    ],
)
def test_api_bank_values_without_quotes(tmp_path, written, arguments, notes):
    row = api_row(f"API-Request: [Finder({written})]", SEARCH, request="A doctor?")
    [example] = read(tmp_path, "api_bank", row, name="lv3.json").items
    assert example.calls == (ToolCall("Finder", arguments),)
    assert example.meta["notes"] == notes
    assert example.messages[0] == Message("user", "A doctor?")


@pytest.mark.parametrize(
    ("row", "field", "message"),
    [
        (api_row("Sure"), "output", "expected API-Request: or AI:"),
        (api_row("API-Request: [Finder(kind='eye')]"), "output[0].name", "not among the candidate tools"),
        (api_row("API-Request: [Finder(kind=eye)]"), "output", "of no tool found so far"),
        (api_row("API-Request: [Finder(colour=red)]", SEARCH), "output", "arguments that cannot be read"),
        (api_row("API-Request: [Finder(kind=eye, kind=ear)]", SEARCH), "output", "'kind' twice"),
        (api_row("AI: Hi", "API-Request: Nothing\n"), "input", "expected a call, -> and its result"),
        (api_row("AI: Hi", SEARCH.replace("doctors'", "one's doctor'")), "input", "a tool that was found"),
        (api_row("AI: Hi", goal=""), "input", "expected User: and at its end Generate"),
    ],
)
def test_api_bank_bad_rows(tmp_path, row, field, message):
    found = bad(tmp_path, "api_bank", api_row("API-Request: [ToolSearcher(keywords='x')]"), row)
    assert found[0] == field and message in found[1]
