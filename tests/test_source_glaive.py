"""The importer of Glaive, on rows in the true layout."""

import json

import pytest

from itool_jax.data.example import Message
from itool_jax.toolcall.types import ToolCall
from tests.source_rows import FRANCE, NEWS, PASSWORD, bad, read, roles


def glaive_row(*turns, functions=(NEWS, PASSWORD), system=None):
    listing = "\n\n".join(json.dumps(function, indent=4) for function in functions)
    instruction = "You are a helpful assistant with access to the following functions. Use them if required -"
    chat = "".join(f"{who}: {text}{' <|endoftext|>' * (who == 'ASSISTANT')}\n\n\n" for who, text in turns)
    return {"system": system or f"SYSTEM: {instruction}\n{listing}\n", "chat": chat}


GLAIVE = glaive_row(
    ("USER", "News of France?"),
    ("ASSISTANT", '<functioncall> {"name": "get_news", "arguments": \'{"country": "France"}\'}'),
    ("FUNCTION RESPONSE", '{"news": ["A", "B"]}'),
    ("ASSISTANT", "A, and:\n\nB."),
    ("USER", "Thanks!"),
    ("ASSISTANT", "You're welcome!"),
)


def test_glaive_text(tmp_path):
    first, second, third = read(tmp_path, "glaive", GLAIVE).items
    assert [example.id for example in (first, second, third)] == [f"glaive/rows/1/{turn}" for turn in (1, 2, 3)]
    assert (first.calls, first.messages) == ((FRANCE,), (Message("user", "News of France?"),))
    assert [tool.name for tool in first.tools] == ["get_news", "make_password"]
    assert second.messages[1:] == (
        Message("assistant", '[get_news(country="France")]', (FRANCE,)),
        Message("tool", '{"news": ["A", "B"]}'),
    )
    assert second.answer == "A, and:\n\nB."
    assert (third.answer, roles(third)) == ("You're welcome!", ["user", "assistant", "tool", "assistant", "user"])


@pytest.mark.parametrize(
    ("arguments", "country"),
    [
        ('\'{"country": "Côte d\'Ivoire"}\'', "Côte d'Ivoire"),
        ('\'{"country": "Côte d\\\'Ivoire"}\'', "Côte d'Ivoire"),
        ('{"country": "France"}', "France"),
        ('\'{"country": "a}\\"b"}\'', 'a}"b'),
    ],
)
def test_glaive_arguments(tmp_path, arguments, country):
    call = f'<functioncall> {{"name": "get_news", "arguments": {arguments}}}'
    [example] = read(tmp_path, "glaive", glaive_row(("USER", "?"), ("ASSISTANT", call))).items
    assert example.calls == (ToolCall("get_news", {"country": country}),)


def test_glaive_prose_beside_a_call_is_noted_and_other_instructions_stay(tmp_path):
    call = 'One moment. <functioncall> {"name": "make_password", "arguments": \'{}\'}'
    row = glaive_row(("USER", "?"), ("ASSISTANT", call), system="SYSTEM: Be brief.\n" + json.dumps(PASSWORD))
    [example] = read(tmp_path, "glaive", row).items
    assert (example.answer, example.meta["notes"]) == ("[make_password()]", ["prose_beside_calls"])
    assert example.messages[0] == Message("system", "Be brief.")
    none = glaive_row(
        ("USER", "Hi"),
        ("ASSISTANT", "Hello!"),
        system="SYSTEM: You are a helpful assistant, with no access to external functions.\n\n",
    )
    [example] = read(tmp_path, "glaive", none).items
    assert (example.tools, example.messages) == ((), (Message("user", "Hi"),))


def test_glaive_sharegpt(tmp_path):
    row = {
        "conversations": [
            {"from": "human", "value": "News?"},
            {"from": "function_call", "value": '{"name": "get_news", "arguments": {"country": "France"}}'},
            {"from": "observation", "value": "{}"},
            {"from": "gpt", "value": "None."},
        ],
        "tools": json.dumps([NEWS]),
    }
    first, second = read(tmp_path, "glaive", row).items
    assert (first.calls, second.answer) == ((FRANCE,), "None.")
    [example] = read(tmp_path, "glaive", {"conversations": row["conversations"][:1] + row["conversations"][3:]}).items
    assert example.tools == ()


@pytest.mark.parametrize(
    ("row", "field", "message"),
    [
        (GLAIVE | {"system": "SYSTEM: -\n{broken"}, "system", "no JSON"),
        (GLAIVE | {"system": None}, "system", "expected a string, found null"),
        (GLAIVE | {"chat": "Hello"}, "chat", "expected USER:"),
        (glaive_row(("USER", "?"), ("USER", "?")), "", "no assistant's turn"),
        (glaive_row(("ASSISTANT", "Hi")), "chat.turns[0]", "answers neither a user nor a tool"),
        (glaive_row(("USER", "?"), ("ASSISTANT", "")), "chat.turns[1]", "empty"),
        (glaive_row(("USER", "?"), ("ASSISTANT", "<functioncall> {")), "chat.turns[1]", "not JSON"),
        (
            glaive_row(("USER", "?"), ("ASSISTANT", '<functioncall> {"name": "f", "arguments": \'{}\'}')),
            "chat.turns[1][0].name",
            "not among the candidate tools",
        ),
        (
            glaive_row(("USER", "?"), ("ASSISTANT", '<functioncall> {"name": "f", "arguments": \'[]\'}')),
            "chat.turns[1].arguments",
            "expected an object",
        ),
        (glaive_row(("USER", "?"), ("ASSISTANT", "[get_news(country=1)]")), "chat.turns[1]", "reads as calls"),
    ],
)
def test_glaive_bad_rows(tmp_path, row, field, message):
    found = bad(tmp_path, "glaive", GLAIVE, row)
    assert found[0] == field and message in found[1]
