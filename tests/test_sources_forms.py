"""Importers of third-party data: each on rows in its source's true layout, and on the real files where they are."""

import gzip
import json
import re

import pytest

from itool_jax.data.example import Message
from itool_jax.data.jsonl import example_from_json, example_to_json
from itool_jax.data.sources import SOURCES, read_source
from itool_jax.errors import UserError
from itool_jax.toolcall import compare, parse_calls
from itool_jax.toolcall.types import ToolCall
from tests.assets import asset

NEWS = {
    "name": "get_news",
    "description": "News of a country",
    "parameters": {
        "type": "object",
        "properties": {"country": {"type": "string"}, "count": {"type": "integer"}},
        "required": ["country"],
    },
}
PASSWORD = {"name": "make_password", "description": "A new one", "parameters": {"type": "object", "properties": {}}}
FRANCE = ToolCall("get_news", {"country": "France"})


def read(tmp_path, source, *rows, name="rows.jsonl", skip_bad=False):
    path = tmp_path / name
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return read_source(source, path, skip_bad=skip_bad)


def bad(tmp_path, source, good, row):
    """Field and message of a bad row between two good ones, which are read; without leave to skip it is an error."""
    rows = read(tmp_path, source, good, row, good, skip_bad=True)
    count = len(read(tmp_path, source, good).items)
    assert len(rows.items) == (count if SOURCES[source].repeats else 2 * count)
    [problem] = rows.problems
    assert problem.row == 2
    with pytest.raises(UserError, match=rf"^1 bad row: {re.escape(str(problem))}"):
        read(tmp_path, source, good, row, good)
    return problem.field, problem.message


def roles(example):
    return [message.role for message in example.messages]


def usable(example):
    """The label is right by the project's own judgement, and survives our own file form."""
    again = example_from_json(json.loads(json.dumps(example_to_json(example))))
    right = not example.calls or compare(parse_calls(example.answer), example.calls, example.tools).right
    contexts = all(parse_calls(m.content).calls == m.calls for m in example.messages if m.role == "assistant")
    return again == example and right and contexts


# Glaive


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


# Hermes


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


# SGD


def slot(name, *values):
    return {"name": name, "description": f"the {name}", "is_categorical": bool(values), "possible_values": list(values)}


def service(name, intent="FindBus"):
    slots = [slot("to_city"), slot("seats", "1", "2"), slot("direct", "True", "False"), slot("fare", "low", "high")]
    optional = {"seats": "1", "direct": "dontcare", "fare": "low"}
    found = {"name": intent, "description": "Find", "required_slots": ["to_city"], "optional_slots": optional}
    return {"service_name": name, "slots": slots, "intents": [found]}


def says(speaker, text, *frames):
    return {"speaker": speaker, "utterance": text, "frames": list(frames)}


def calls(name, results=(), method="FindBus", **parameters):
    return {
        "service": name,
        "service_call": {"method": method, "parameters": parameters},
        "service_results": list(results),
    }


DIALOGUE = {
    "dialogue_id": "1_00000",
    "services": ["Buses_1"],
    "turns": [
        says("USER", "A bus, please."),
        says("SYSTEM", "Where to?", {"service": "Buses_1"}),
        says("USER", "Rome, two seats, direct."),
        says("SYSTEM", "At nine.", calls("Buses_1", [{"leaves": "9"}], to_city="Rome", seats="2", direct="True")),
    ],
}


@pytest.fixture
def sgd(tmp_path):
    """Writes splits in SGD's layout: `sgd(test=[dialogue, ...])`, "train" knowing Buses_1 only; returns the folder."""

    def write(**splits):
        for split, dialogues in {"train": [], **splits}.items():
            folder = tmp_path / split
            folder.mkdir(exist_ok=True)
            names = ["Buses_1"] if split == "train" else ["Buses_1", "Buses_2", "Planes_1"]
            known = [service(name, "FindPlane" if name == "Planes_1" else "FindBus") for name in names]
            (folder / "schema.json").write_text(json.dumps(known))
            (folder / "dialogues_001.json.gz").write_bytes(gzip.compress(json.dumps(dialogues).encode()))
        return tmp_path

    return write


def test_sgd_dialogue(sgd):
    first, second, third = read_source("sgd", sgd(test=[DIALOGUE]) / "test").items
    assert [example.id for example in (first, second, third)] == [f"sgd/test/1_00000/{turn}" for turn in (1, 2, 3)]
    assert (first.answer, first.calls) == ("Where to?", ())
    assert second.calls == (ToolCall("FindBus", {"to_city": "Rome", "seats": 2, "direct": True}),)
    assert roles(second) == ["system", "user", "assistant", "user"]
    assert second.messages[0].content == "Today is Friday, 2019-03-01."
    assert third.messages[4:] == (
        Message("assistant", second.answer, second.calls),
        Message("tool", '[{"leaves": "9"}]'),
    )
    assert (third.answer, third.meta) == (
        "At nine.",
        {"conversation": "1_00000", "unseen_services": [], "notes": []},
    )
    [tool] = second.tools
    assert [(p.name, p.type, p.required, p.enum, p.schema.get("default")) for p in tool.parameters] == [
        ("to_city", "string", True, None, None),
        ("seats", "integer", False, (1, 2), 1),
        ("direct", "boolean", False, None, None),
        ("fare", "string", False, ("low", "high"), "low"),
    ]


def test_sgd_unseen_services_and_intents_of_one_name(sgd):
    frames = calls("Buses_2", to_city="Bari"), calls("Planes_1", method="FindPlane", to_city="Oslo")
    turns = [says("USER", "Bari by bus, then Oslo."), says("SYSTEM", "Done.", *frames)]
    dialogue = {"dialogue_id": "a", "services": ["Buses_1", "Buses_2", "Planes_1"], "turns": turns}
    folder = sgd(test=[dialogue], train=[DIALOGUE])
    first, second = read_source("sgd", folder / "test" / "dialogues_001.json.gz").items
    assert [tool.name for tool in first.tools] == ["Buses_1.FindBus", "Buses_2.FindBus", "FindPlane"]
    assert first.meta["unseen_services"] == ["Buses_2", "Planes_1"]
    assert [call.name for call in first.calls] == ["Buses_2.FindBus", "FindPlane"]
    assert roles(second) == ["system", "user", "assistant", "tool", "tool"]
    assert read_source("sgd", folder / "train").items[0].meta["unseen_services"] == []
    (folder / "train" / "schema.json").unlink()
    assert "unseen_services" not in read_source("sgd", folder / "test").items[0].meta


def test_sgd_values_that_nobody_said_are_noted(sgd):
    turns = [
        says("USER", "To NYC, cheaply."),
        says("SYSTEM", "Found.", calls("Buses_1", [{"stop": "Penn Station"}], to_city="New York", fare="low")),
        says("USER", "And from there?"),
        says("SYSTEM", "Found.", calls("Buses_1", to_city="penn station")),
    ]
    examples = read_source("sgd", sgd(test=[DIALOGUE | {"turns": turns}]) / "test").items
    assert [example.meta["notes"] for example in examples] == [["not_said to_city"], [], [], []]


def changed(**fields):
    return DIALOGUE | {"dialogue_id": "2", **fields}


@pytest.mark.parametrize(
    ("dialogue", "field"),
    [
        (changed(services=["Trains_1"]), "services"),
        (changed(dialogue_id="1_00000"), "id"),
        (changed(turns=[says("USER", "?")]), ""),
        (changed(turns=[says("SYSTEM", "?")]), "turns[0].utterance"),
        (changed(turns=[says("USER", "")]), "turns[0].utterance"),
        (changed(turns=[says("GUEST", "?")]), "turns[0].speaker"),
        (
            changed(turns=[says("USER", "?"), says("SYSTEM", "!", {"service_call": {}})]),
            "turns[1].frames[0].service_call.method",
        ),
        (
            changed(turns=[says("USER", "?"), says("SYSTEM", "!", calls("Planes_1", to_city="x"))]),
            "turns[1].frames[0].service_call.method",
        ),
        (
            changed(turns=[says("USER", "?"), says("SYSTEM", "!", calls("Buses_1", colour="x"))]),
            "turns[1].service_call[0].colour",
        ),
    ],
)
def test_sgd_bad_dialogues(sgd, dialogue, field):
    rows = read_source("sgd", sgd(test=[DIALOGUE, dialogue]) / "test", skip_bad=True)
    [problem] = rows.problems
    assert (problem.row, problem.field, len(rows.items)) == (2, field, 3)
    assert problem.file.endswith("dialogues_001.json.gz")


def test_sgd_needs_its_schema(sgd, tmp_path):
    folder = sgd(test=[DIALOGUE]) / "test"
    (folder / "schema.json").write_text('[{"service_name": "Buses_1", "slots": [{}]}]')
    with pytest.raises(UserError, match=r"schema\.json, service 1: slots\.name: missing"):
        read_source("sgd", folder)
    (folder / "schema.json").unlink()
    with pytest.raises(UserError, match=r"has no schema\.json"):
        read_source("sgd", folder)
    with pytest.raises(
        UserError, match=r"the folder .* has no file of sgd: expected dialogues_\*\.json, found test, train"
    ):
        read_source("sgd", tmp_path)


# API-Bank

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


# ToolRL


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


# The real files


@pytest.mark.parametrize(
    ("source", "path", "examples", "calling", "bad_rows"),
    [
        ("glaive", "glaive_demo/glaive_toolcall_en_demo.json", 952, 211, 1),
        ("glaive", "glaive_demo/glaive_toolcall_zh_demo.json", 940, 216, 0),
        ("api_bank", "api_bank_train/lv3-api-train.json", 874, 874, 33),
        ("api_bank", "api_bank_train/lv3-response-train.json", 319, 0, 19),
        ("api_bank", "api_bank_train", 1193, 874, 52),
        ("toolrl", "toolace_subset/toolrl_rlla_sft_400.json", 461, 364, 29),
        ("toolrl", "toolace_subset/toolrl_rlla_test_80.parquet", 86, 72, 8),
        ("sgd", "sgd/dev/dialogues_001.json.gz", 1034, 209, 0),
    ],
)
def test_real_files(source, path, examples, calling, bad_rows):
    rows = read_source(source, asset(path), skip_bad=True)
    found = len(rows.items), sum(bool(example.calls) for example in rows.items), len(rows.problems)
    assert found == (examples, calling, bad_rows)
    assert len({example.id for example in rows.items}) == examples
    assert all(map(usable, rows.items))


def test_real_sgd_calls_are_those_of_the_file():
    path = asset("sgd/test/dialogues_001.json.gz")
    dialogues = json.loads(gzip.decompress(path.read_bytes()))
    turns = [turn for dialogue in dialogues for turn in dialogue["turns"] if turn["speaker"] == "SYSTEM"]
    asked = [frame["service_call"] for turn in turns for frame in turn["frames"] if "service_call" in frame]
    wanted = [(call["method"], call["parameters"]) for call in asked]
    examples = read_source("sgd", path).items
    made = [(call.name, {k: str(v) for k, v in call.arguments.items()}) for e in examples for call in e.calls]
    assert made == wanted and len(made) > 100
    assert [e.answer for e in examples if not e.calls] == [turn["utterance"] for turn in turns]
    known = json.loads(gzip.decompress(asset("sgd/train/schema.json.gz").read_bytes()))
    unseen = {name for d in dialogues for name in d["services"]} - {service["service_name"] for service in known}
    assert {name for e in examples for name in e.meta["unseen_services"]} == unseen != set()
