"""The importer of Hermes function calling and xLAM, on rows in the true layout."""

import json

import pytest

from itool_jax.data.example import Message
from itool_jax.toolcall.types import ToolCall
from tests.source_rows import FRANCE, NEWS, PASSWORD, bad, read


def hermes_row(*turns, tools=(NEWS, PASSWORD), column=False):
    listed = [{"type": "function", "function": tool} for tool in tools]
    system = (
        "You are a function calling AI model. You are provided with function signatures within <tools> </tools> XML "
        f"tags.\n<tools>\n{listed if not column else ''}\n</tools>\nFor each function call return a json object within "
        '<tool_call> </tool_call> tags:\n<tool_call>\n{"name": <function-name>, "arguments": <args-dict>}\n</tool_call>'
    )
    said = [{"from": "system", "value": system}, *({"from": who, "value": text} for who, text in turns)]
    return {"id": "0f3c", "conversations": said} | ({"tools": json.dumps(listed)} if column else {})


HERMES = hermes_row(
    ("human", "News of France, and a password?"),
    (
        "gpt",
        "<tool_call>\n{'arguments': {'country': 'France'}, 'name': 'get_news'}\n</tool_call>\n"
        '<tool_call>\n{"name": "make_password", "arguments": {}}\n</tool_call>\n',
    ),
    (
        "tool",
        '<tool_response>\n{"name": "get_news", "content": ["A"]}\n</tool_response>\n'
        "<tool_response>\nxyz\n</tool_response>\n",
    ),
    ("gpt", "<think>\nDone.\n</think>\nA. Your password is xyz."),
)


def test_hermes_conversation(tmp_path):
    first, second = read(tmp_path, "hermes", HERMES).items
    assert [example.id for example in (first, second)] == ["hermes/rows/1/1", "hermes/rows/1/2"]
    assert first.calls == (FRANCE, ToolCall("make_password"))
    assert first.messages == (Message("user", "News of France, and a password?"),)
    assert second.messages[2:] == (
        Message("tool", '{"name": "get_news", "content": ["A"]}'),
        Message("tool", "xyz"),
    )
    assert second.answer == "A. Your password is xyz."


def test_hermes_tools_in_their_own_column_and_prose_beside_a_call(tmp_path):
    call = 'Let me see.\n<tool_call>\n{"name": "make_password", "arguments": {}}\n</tool_call>'
    row = hermes_row(("human", "?"), ("gpt", call), column=True)
    row["conversations"][0]["value"] = "Be kind."
    [example] = read(tmp_path, "hermes", row).items
    assert [tool.name for tool in example.tools] == ["get_news", "make_password"]
    assert example.meta["notes"] == ["prose_beside_calls"]
    assert example.messages[0] == Message("system", "Be kind.")


@pytest.mark.parametrize(
    ("row", "field", "message"),
    [
        (
            hermes_row(("human", "?"), ("gpt", "<tool_call>\n{'name'\n</tool_call>")),
            "conversations[2].value",
            "not JSON",
        ),
        (hermes_row(("human", "?"), ("gpt", "<tool_call>\n</tool_call>")), "conversations[2].value", "empty list"),
        (hermes_row(("human", "?"), ("gpt", "<tool_call>")), "conversations[2].value", "reads as calls"),
        (hermes_row(("human", "?"), ("gpt", "Hi"), column=True) | {"tools": ""}, "conversations", "no system turn"),
        (hermes_row(("human", "?"), ("bot", "Hi")), "conversations[2].from", "expected one of human"),
        ({"id": "x", "conversations": "no"}, "conversations", "expected a list"),
    ],
)
def test_hermes_bad_rows(tmp_path, row, field, message):
    found = bad(tmp_path, "hermes", HERMES, row)
    assert found[0] == field and message in found[1]


# xLAM


def xlam_row(answers, tools=None):
    tool = {
        "name": "live_giveaways",
        "description": "Giveaways by type",
        "parameters": {
            "type": {"description": "Of what", "type": "str", "default": "game"},
            "limit": {"description": "How many", "type": "int, optional"},
            "where": {"description": "Place", "type": "str"},
        },
    }
    tools = json.dumps([tool] if tools is None else tools)
    return {"id": 7, "query": "Beta giveaways in Rome?", "answers": json.dumps(answers), "tools": tools}


BETA = {"name": "live_giveaways", "arguments": {"type": "beta", "where": "Rome"}}


def test_xlam_row(tmp_path):
    [example] = read(tmp_path, "xlam", xlam_row([BETA, BETA])).items
    call = ToolCall("live_giveaways", {"type": "beta", "where": "Rome"})
    assert (example.id, example.calls) == ("xlam/rows/1", (call, call))
    assert [(p.name, p.type, p.required) for p in example.tools[0].parameters] == [
        ("type", "string", False),
        ("limit", "integer", False),
        ("where", "string", True),
    ]
    as_values = xlam_row([BETA, BETA]) | {"answers": [BETA, BETA]}
    assert read(tmp_path, "xlam", as_values).items == (example,)


@pytest.mark.parametrize(
    ("row", "field", "message"),
    [
        (xlam_row([]), "answers", "empty list"),
        (xlam_row([BETA]) | {"answers": "[{"}, "answers", "not JSON"),
        (xlam_row([BETA]) | {"query": 3}, "query", "expected a string"),
        (xlam_row([BETA | {"arguments": 3}]), "answers[0].arguments", "expected an object"),
        (xlam_row([BETA | {"arguments": {"a\nb" * 40: 1}}]), "answers[0]['a\\nba\\nb", "no such parameter"),
        (xlam_row([BETA], tools=[{"description": "x"}]), "tools", "name"),
    ],
)
def test_xlam_bad_rows(tmp_path, row, field, message):
    found = bad(tmp_path, "xlam", xlam_row([BETA]), row)
    assert found[0].startswith(field) and len(found[0]) < 90 and message in found[1]
