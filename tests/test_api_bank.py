"""API-Bank's levels 1 and 2: rows in its layout, and the real files where they are at hand."""

import json

import pytest

from itool_jax.data.chat import chat_format
from itool_jax.errors import UserError
from itool_jax.evaluation import api_bank
from itool_jax.toolcall import ToolCall
from tests.assets import asset

TOOL = {
    "name": "AddMeeting",
    "description": "Books a meeting.",
    "input_parameters": {
        "topic": {"type": "str", "description": "What about."},
        "people": {"type": "list(str)", "description": "Who comes."},
    },
    "output_parameters": {"status": {"type": "str", "description": "success or failed"}},
}
ROW = {
    "file": "AddMeeting-level-1-1.jsonl",
    "id": 2,
    "instruction": f"\nGenerate an API request.\nThe current year is 2023.\n\nAPI descriptions:\n{json.dumps(TOOL)}",
    "input": "User: Book a meeting.\nAI: About what?\nAPI-Request: [GetToken(user='5')]->{'token': 'a->b'}\n"
    "User: Plans, with Ann\nand Bob.\nAI: Sure.\nGenerate API Request:\n",
    "expected_output": "API-Request: [AddMeeting(topic='plans', people='['Ann', 'Bob']')]",
}


def write(tmp_path, rows, name="level-1-api.json"):
    (tmp_path / name).write_text(json.dumps(rows))
    return tmp_path / name


def test_a_row_becomes_an_example(tmp_path):
    (example,) = api_bank.read_file(write(tmp_path, [ROW])).items
    assert example.id == "api_bank/level-1-api/AddMeeting-level-1-1/2"
    assert example.calls == (ToolCall("AddMeeting", {"topic": "plans", "people": "['Ann', 'Bob']"}),)
    assert [(message.role, message.content) for message in example.messages] == [
        ("system", "The current year is 2023."),
        ("user", "Book a meeting."),
        ("assistant", "About what?"),
        ("assistant", '[GetToken(user="5")]'),
        ("tool", "{'token': 'a->b'}"),
        ("user", "Plans, with Ann\nand Bob."),
        ("assistant", "Sure."),
        ("user", "Generate API Request:"),
    ]
    people = example.tools[0].parameter("people")
    assert people is not None and people.schema["items"] == {"type": "string"}


@pytest.mark.parametrize(
    ("answer", "right", "error"),
    [
        ("API-Request: [AddMeeting(topic='plans', people='['Ann', 'Bob']')]", True, None),
        ('[AddMeeting(topic="plans", people=["Ann", "Bob"])]', True, None),
        ('{"name": "AddMeeting", "arguments": {"topic": "plans", "people": ["Ann", "Bob"]}}', True, None),
        ('[AddMeeting(topic="plans", people=["Bob", "Ann"])]', False, "parameter_value"),
        ('[AddMeeting(topic="plans")]', False, "missing_parameter"),
        ('[AddMeeting(topic="plans", people=["Ann", "Bob"], more=1)]', False, "unexpected_parameter"),
        ('[Meet(topic="plans", people=["Ann", "Bob"])]', False, "function_name"),
        ('[AddMeeting(topic="plans", people=["Ann", "Bob"]), AddMeeting()]', False, "call_count"),
        ("Sure, done.", False, "missing_call"),
        ("[AddMeeting(topic=", False, "format"),
    ],
)
def test_calls_are_matched_by_parsing(tmp_path, answer, right, error):
    (example,) = api_bank.read_file(write(tmp_path, [ROW])).items
    graded = api_bank.grade(example, answer)
    assert (graded.right, graded.error) == (right, error)
    assert api_bank.score([example], {example.id: answer}) == {example.id: right}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("5", 5, True),
        ("05", 5, False),
        ("True", True, True),
        (" a ", "a", True),
        ("A", "a", False),
        ("[1, 2]", [1, 2], True),
    ],
)
def test_values_compare_as_the_literals_that_they_are(one, other, same):
    assert (api_bank.plain_value(one) == api_bank.plain_value(other)) == same


def test_bad_rows_are_named(tmp_path):
    rows = [ROW, {**ROW, "expected_output": "none"}, {**ROW, "instruction": "API descriptions:\n{"}, 5]
    problems = api_bank.read_file(write(tmp_path, rows), skip_bad=True).problems
    assert [(problem.row, problem.field) for problem in problems] == [
        (2, "expected_output"),
        (3, "instruction"),
        (4, ""),
    ]
    with pytest.raises(UserError, match="3 bad rows"):
        api_bank.read_file(write(tmp_path, rows))
    with pytest.raises(UserError, match="no JSON list"):
        api_bank.read_file(write(tmp_path, {"a": 1}))
    with pytest.raises(UserError, match=r"level-2-api.json does not exist"):
        api_bank.read_level(tmp_path, "level_2")
    with pytest.raises(UserError, match="no level 'level_3'"):
        api_bank.read_level(tmp_path, "level_3")


def test_real_files_are_read_whole():
    folder, undescribed = asset("api_bank"), 0
    for level, count in {"level_1": 399, "level_2": 135}.items():
        examples = api_bank.read_level(folder, level)
        assert len(examples) == count
        assert len({example.id for example in examples}) == count
        for example in examples:
            assert api_bank.grade(example, example.answer).right, example.id
            assert example.calls[0].name in {tool.name for tool in example.tools} or level == "level_2"
            names = {parameter.name for tool in example.tools for parameter in tool.parameters}
            undescribed += level == "level_1" and not set(example.calls[0].arguments) <= names
            chat_format("chatml").render_prompt(example)
    assert undescribed == 8  # calls of level 1 with a parameter that their tool does not describe
