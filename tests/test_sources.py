"""Importers of third-party data: on small files in the true layout, and on the real files where they are at hand."""

import io
import json
import re

import pytest
from rich.console import Console

from itool_jax.data.difficulty import tool_set_text
from itool_jax.data.example import Message
from itool_jax.data.inspect import show_summary, summarize
from itool_jax.data.jsonl import example_from_json, example_to_json, write_examples
from itool_jax.data.sources import read_source
from itool_jax.errors import UserError
from itool_jax.toolcall import compare, parse_calls
from itool_jax.toolcall.types import ToolCall
from tests.assets import asset

PRICE = {
    "api_name": "getPrice",
    "api_description": "Price of a product.",
    "field": "Trade",
    "parameters": {
        "product": {"type": "str", "description": "its name"},
        "discount": {"type": "float", "description": "in percent", "default": 0.5},
    },
    "required": ["product"],
    "responses": {"price": {"type": "float"}, "currency": {"type": "str"}},
}
SHIP = {
    "api_name": "ship",
    "api_description": "Ship it",
    "field": "Trade",
    "parameters": {"cost": {"type": "int", "description": "cost"}, "fast": {"type": "bool", "description": "hurry"}},
    "required": [],
    "responses": {},
}


def seal_row(name="dev-easy-0", query='Price of "salt"?', tools=(PRICE, SHIP), calls=None):
    calls = [call("getPrice", product="salt")] if calls is None else calls
    human = f'Choose.\nInput:\napi_list = {list(tools)}\ntask_instruction = "{query}"\nOutput:\n'
    return {"id": name, "conversations": [{"from": "human", "value": human}, {"from": "gpt", "value": str(calls)}]}


def call(api, *, responses=("API_call_0", "API_call_1"), **parameters):
    return {"api": api, "parameters": parameters, "responses": list(responses)}


MARKET = {
    "name": "Market Trends API",
    "description": "Trends.",
    "parameters": {
        "type": "dict",
        "properties": {"country": {"type": "string"}, "top": {"type": "int"}, "open": {"type": "bool"}},
        "required": ["country"],
    },
    "required": None,
}
SONGS = {"name": "Croatia Songs API", "description": "Songs.", "parameters": {"type": "dict", "properties": {}}}
MOBILITY = SONGS | {"name": "Dutch Songs API"}


def toolace_row(*turns, tools=(MARKET, SONGS, MOBILITY), extra=""):
    system = (
        "You are an expert in composing functions. You are given a question and a set of possible functions. \n"
        f"Here is a list of functions in JSON format that you can invoke:\n{json.dumps(list(tools))}. \n"
        f"Should you decide to return the function call(s). \n{extra}\n\nNO other text MUST be included."
    )
    return {"system": system, "conversations": [{"from": role, "value": value} for role, value in turns], "tools": []}


def written(tmp_path, rows, name="rows.json"):
    path = tmp_path / name
    path.write_text(json.dumps(rows), encoding="utf-8")
    return path


def test_seal_tools_row(tmp_path):
    calls = [call("getPrice", product="salt", discount="40.7"), call("ship", cost="API_call_0", responses=())]
    [example] = read_source("seal_tools", written(tmp_path, [seal_row(calls=calls)])).items
    assert example.id == "seal_tools/dev-easy-0"
    assert example.messages == (Message("user", 'Price of "salt"?'),)
    assert example.calls == (
        ToolCall("getPrice", {"product": "salt", "discount": 40.7}),
        ToolCall("ship", {"cost": "API_call_0"}),
    )
    assert parse_calls(example.answer).calls == example.calls
    assert example.meta == {"level": "easy", "nested": True, "notes": ["retyped discount"]}
    price, ship = example.tools
    assert (price.name, ship.name) == ("getPrice", "ship")
    assert [(p.name, p.type, p.required) for p in price.parameters] == [
        ("product", "string", True),
        ("discount", "number", False),
    ]
    assert price.parameters[1].schema["default"] == 0.5
    assert price.description == "Price of a product. Returns price, currency."
    assert [p.type for p in ship.parameters] == ["integer", "boolean"]


@pytest.mark.parametrize(
    ("parameters", "values", "notes"),
    [
        ({"cost": "85", "fast": "True"}, {"cost": 85, "fast": True}, ["retyped cost", "retyped fast"]),
        ({"cost": "007"}, {"cost": "007"}, ["off_type cost"]),
        ({"cost": True}, {"cost": True}, ["off_type cost"]),
        ({"cost": "API_call_9"}, {"cost": "API_call_9"}, ["dangling_reference cost"]),
    ],
)
def test_doubtful_values_are_noted(tmp_path, parameters, values, notes):
    row = seal_row(calls=[call("ship", **parameters)])
    [example] = read_source("seal_tools", written(tmp_path, [row])).items
    assert example.calls[0].arguments == values
    assert example.meta["notes"] == notes


def test_a_query_that_looks_like_the_prompt_is_kept_whole(tmp_path):
    query = 'api_list = [] "\ntask_instruction = "deep"\nOutput: yes'
    [example] = read_source("seal_tools", written(tmp_path, [seal_row(query=query)])).items
    assert example.messages[0].content == query


def bad_seal_rows():
    turn = "conversations[1].value"
    executable = seal_row()
    executable["conversations"][1]["value"] = "__import__('os').system('true')"
    deep = seal_row()
    deep["conversations"][1]["value"] = "[" * 100_000
    alone = seal_row()
    alone["conversations"].pop()
    broken = seal_row()
    broken["conversations"][0]["value"] = broken["conversations"][0]["value"].replace("api_list", "apis")
    unquoted = seal_row()
    unquoted["conversations"][0]["value"] = unquoted["conversations"][0]["value"].replace("task_instruction", "task")
    return [
        (["no", "row"], ""),
        ({"id": "a", "query": "q", "calling": []}, "conversations"),
        ({"id": 7, "conversations": []}, "id"),
        (alone, "conversations"),
        (broken, "conversations[0].value"),
        (unquoted, "conversations[0].value.task_instruction"),
        (seal_row(query=" "), "conversations[0].value.task_instruction"),
        (seal_row(tools=[PRICE, PRICE]), "conversations[0].value.api_list"),
        (seal_row(tools=[PRICE | {"required": ["colour"]}]), "conversations[0].value.api_list[0].required"),
        (seal_row(tools=[PRICE | {"parameters": {"product": "str"}}]), "conversations[0].value.api_list"),
        (executable, turn),
        (deep, turn),
        (seal_row(calls=[]), turn),
        (seal_row(calls=[call("getPrices")]), f"{turn}[0].name"),
        (seal_row(calls=[call("getPrice", product="a"), call("getPrice", colour="red")]), f"{turn}[1].colour"),
        (seal_row(calls=[{"api": "getPrice"}]), f"{turn}[0].parameters"),
    ]


@pytest.mark.parametrize(("row", "field"), bad_seal_rows())
def test_malformed_seal_tools_row_is_named_counted_and_skipped_only_on_request(tmp_path, row, field):
    path = written(tmp_path, [seal_row("dev-easy-1"), row, seal_row("dev-easy-2")])
    with pytest.raises(UserError, match=rf"^1 bad row: {re.escape(str(path))}, row 2"):
        read_source("seal_tools", path)
    rows = read_source("seal_tools", path, skip_bad=True)
    assert [example.id for example in rows.items] == ["seal_tools/dev-easy-1", "seal_tools/dev-easy-2"]
    [problem] = rows.problems
    assert (problem.row, problem.file) == (2, str(path))
    assert problem.field.startswith(field) and problem.message


def test_ids_must_differ(tmp_path):
    path = written(tmp_path, [seal_row(), seal_row()])
    [problem] = read_source("seal_tools", path, skip_bad=True).problems
    assert (problem.row, problem.field) == (2, "id")


def test_toolace_sharegpt_conversation(tmp_path):
    row = toolace_row(
        ("human", "Trends?"),
        ("function_call", json.dumps({"name": "API", "arguments": {"country": "us", "top": "3"}})),
        ("observation", '[{"name": "Market Trends API", "results": {}}]'),
        ("gpt", "Up."),
        ("human", "Songs?"),
        ("function_call", json.dumps([{"name": "API", "arguments": {}}] * 2)),
        ("observation", '[{"name": "Dutch Songs API"}, {"name": "Croatia Songs API"}]'),
        extra="Today is Monday.",
    )
    first, second, third = read_source("toolace", written(tmp_path, [row])).items
    assert [example.id for example in (first, second, third)] == [f"toolace/rows/1/{turn}" for turn in (1, 2, 3)]
    trends = ToolCall("Market Trends API", {"country": "us", "top": 3})
    assert first.calls == (trends,)
    assert first.messages == (Message("system", "Today is Monday."), Message("user", "Trends?"))
    assert [p.type for p in first.tools[0].parameters] == ["string", "integer", "boolean"]
    assert (second.answer, second.calls) == ("Up.", ())
    assert second.messages == (
        *first.messages,
        Message("assistant", first.answer, (trends,)),
        Message("tool", '[{"name": "Market Trends API", "results": {}}]'),
    )
    assert [made.name for made in third.calls] == ["Dutch Songs API", "Croatia Songs API"]


def test_original_toolace_layout(tmp_path):
    row = toolace_row(
        ("user", "Trends?"),
        ("assistant", '[Market Trends API(country="us", open=True), Croatia Songs API()]'),
        ("tool", '[{"name": "Market Trends API", "results": {}}, {"name": "Croatia Songs API", "results": {}}]'),
        ("assistant", "Up. [1]"),
    )
    path = tmp_path / "data.jsonl"
    path.write_text("\n" + json.dumps(row | {"tools": None}) + "\n")
    first, second = read_source("toolace", path).items
    assert first.calls == (
        ToolCall("Market Trends API", {"country": "us", "open": True}),
        ToolCall("Croatia Songs API"),
    )
    assert first.id == "toolace/data/2/1"
    assert first.messages == (Message("user", "Trends?"),)
    assert [message.role for message in second.messages] == ["user", "assistant", "tool"]


def test_tools_field_is_read_before_system(tmp_path):
    row = {
        "tools": json.dumps([{"type": "function", "function": MARKET}]),
        "conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}],
        "system": "Be brief.",
    }
    [example] = read_source("toolace", written(tmp_path, [row])).items
    assert [tool.name for tool in example.tools] == ["Market Trends API"]
    assert example.messages == (Message("system", "Be brief."), Message("user", "Hi"))


def bad_toolace_rows():
    ask, answer = ("human", "?"), ("gpt", "Up.")
    no_list = toolace_row(ask, answer)
    no_list["system"] = "functions: [{'name': 'single quotes'}] [1]"
    lost = ("observation", '[{"name": "Market Trends API"}, {"name": "Croatia Songs API"}]')

    def made(*calls):
        return "function_call", json.dumps([{"name": name, "arguments": arguments} for name, arguments in calls])

    turn = "conversations[1].value"
    return [
        (toolace_row(ask), ""),
        (toolace_row(), ""),
        (toolace_row(answer), "conversations[0].value"),
        (toolace_row(ask, answer, answer), "conversations[2].value"),
        (toolace_row(("alien", "?"), answer), "conversations[0].from"),
        (toolace_row(("human", " "), answer), "conversations[0].value"),
        (toolace_row(ask, ("gpt", 7)), turn),
        (no_list, "system"),
        (toolace_row(ask, answer, tools=[SONGS, SONGS]), "system[1].name"),
        (toolace_row(ask, answer, tools=[SONGS | {"parameters": [1]}]), "system"),
        (toolace_row(ask, ("function_call", "{")), turn),
        (toolace_row(ask, made()), turn),
        (toolace_row(ask, made(("API", {}))), f"{turn}[0].name"),
        (toolace_row(ask, made(("Radio", {}))), f"{turn}[0].name"),
        (toolace_row(ask, made(("Market Trends API", {"colour": 1}))), f"{turn}[0].colour"),
        (toolace_row(ask, made(("API", {"country": "us"})), lost), turn),
        (toolace_row(ask, ("assistant", "[]"), lost), turn),
        (toolace_row(ask, ("assistant", "[Market Trends API(country='us'")), turn),
        (toolace_row(ask, ("assistant", "[Market Trends API('us')]")), f"{turn}[0]"),
    ]


@pytest.mark.parametrize(("row", "field"), bad_toolace_rows())
def test_malformed_toolace_row_is_named_counted_and_skipped_only_on_request(tmp_path, row, field):
    good = toolace_row(("human", "Hi"), ("gpt", "Hello"))
    path = written(tmp_path, [good, row, good])
    with pytest.raises(UserError, match=rf"^1 bad row: {re.escape(str(path))}, row 2"):
        read_source("toolace", path)
    rows = read_source("toolace", path, skip_bad=True)
    assert [example.id for example in rows.items] == ["toolace/rows/1/1", "toolace/rows/3/1"]
    assert [(problem.row, problem.field) for problem in rows.problems] == [(2, field)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no examples"),
        ("[]", "holds no examples"),
        ('[{"id": "a"}, {"id": ', "row 2 cannot be read"),
        ('[{"id": "a"} {"id": "b"}]', "row 1 is not followed by a comma"),
        ('[{"id": "a"}] x', "more text follows"),
        ("[" * 100_000, "row 1 cannot be read"),
    ],
)
@pytest.mark.parametrize("name", ["seal_tools", "toolace"])
def test_broken_file_is_refused_even_where_rows_may_be_skipped(tmp_path, name, text, message):
    path = tmp_path / "rows.json"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        read_source(name, path, skip_bad=True)


def test_missing_file_and_unknown_source(tmp_path):
    with pytest.raises(UserError, match="cannot read the data file"):
        read_source("toolace", tmp_path / "absent.json")
    with pytest.raises(UserError, match="there are toolace, xlam, glaive"):
        read_source("seals", tmp_path)


def test_summary(tmp_path):
    rows = [seal_row("dev-easy-1"), seal_row("dev-difficult-2"), seal_row("dev-easy-3", query="?"), {"id": "x"}]
    rows[2]["conversations"][1]["value"] = str([call("ship", cost="1"), call("ship", cost="x")])
    seal = read_source("seal_tools", written(tmp_path, rows), skip_bad=True)
    turns = [("human", "a"), ("gpt", "b"), ("human", "c"), ("gpt", "d")]
    talk = read_source("toolace", written(tmp_path, [toolace_row(*turns)]))
    summary = summarize(seal.items + talk.items, seal.problems)
    assert (summary.examples, summary.calling, summary.prose, summary.multi_turn) == (5, 3, 2, 1)
    assert summary.duplicates == 1
    assert summary.tools == {2: 3, 3: 2}
    assert summary.calls == {0: 2, 1: 2, 2: 1}
    assert summary.difficulty == {"easy": 0, "medium": 5, "hard": 0}
    assert summary.notes == {"retyped": 1, "off_type": 1}
    assert summary.problems == {"conversations": 1}
    assert summary.after_results == 0 and summary.tokens == {}
    assert (summary.characters["messages"].median, summary.characters["messages"].longest) == (5, 16)
    lengths = sorted(len(tool_set_text(example.tools)) for example in seal.items + talk.items)
    assert (summary.characters["tools"].median, summary.characters["tools"].longest) == (lengths[2], lengths[4])

    console = Console(record=True, width=100, file=io.StringIO())
    show_summary(summary, console)
    shown = console.export_text()
    assert "5 examples" in shown and "60.0%" in shown
    assert "Bad rows: 1 conversations." in shown and "1 retyped" in shown


def test_summary_of_nothing():
    show_summary(summarize([]), Console(quiet=True))
    assert summarize([]).examples == 0


def usable(example):
    """The label is right by the project's own judgement, and survives our own file form."""
    again = example_from_json(json.loads(json.dumps(example_to_json(example))))
    return again == example and compare(parse_calls(example.answer), example.calls, example.tools).right


@pytest.mark.parametrize(
    ("split", "rows", "bad"), [("dev", 700, 3), ("test_in_domain", 700, 2), ("test_out_domain", 654, 3)]
)
def test_real_seal_tools(split, rows, bad):
    read = read_source("seal_tools", asset(f"seal_tools/finetune_{split}.json"), skip_bad=True)
    assert (len(read.items), len(read.problems)) == (rows - bad, bad)
    assert all("is not among the candidate tools" in problem.message for problem in read.problems)
    originals = [json.loads(line) for line in asset(f"seal_tools/{split}.jsonl").read_text().splitlines()]
    queries = {f"seal_tools/{row['id']}": row for row in originals}
    for example in read.items:
        original = queries[example.id]
        assert example.messages == (Message("user", original["query"]),)
        assert [made.name for made in example.calls] == [made["api"] for made in original["calling"]]
        assert len(example.tools) == 5
        changed = sum(
            made.arguments[name] != value
            for made, source in zip(example.calls, original["calling"], strict=True)
            for name, value in source["parameters"].items()
        )
        assert changed == sum(note.startswith("retyped ") for note in example.meta["notes"])
    assert all(map(usable, read.items))


def test_real_seal_tools_without_candidates_is_refused_with_the_remedy():
    with pytest.raises(UserError, match=r"take the finetune_\*\.json beside it"):
        read_source("seal_tools", asset("seal_tools/dev.jsonl"))


def test_real_toolace(tmp_path):
    path = asset("toolace_subset/toolace_100_sharegpt_fixed.json")
    read = read_source("toolace", path, skip_bad=True)
    assert [(problem.row, problem.field) for problem in read.problems] == [
        (28, "conversations[1].value"),
        (31, "conversations[1].value"),
        (75, "conversations[9].value[0].name"),
        (82, "conversations[7].value"),
        (86, "conversations[3].value"),
    ]
    assert all(map(usable, read.items))
    names = {tool.name for example in read.items for tool in example.tools}
    assert "Market Trends API" in names
    assert read.items[0].calls[0] == ToolCall("Market Trends API", {"trend_type": "MARKET_INDEXES", "country": "us"})
    kept = tmp_path / "toolace.jsonl"
    assert write_examples(kept, read.items) == len(read.items)
    assert read_source("jsonl", kept).items == read.items


def test_real_glaive_with_tools_in_their_own_field():
    read = read_source("toolace", asset("glaive_demo/glaive_toolcall_en_demo.json"), skip_bad=True)
    [problem] = read.problems
    assert (problem.row, problem.field) == (79, "conversations[1].value")  # cut-off JSON as an answer in words
    summary = summarize(read.items)
    assert (summary.examples, summary.calling, summary.tools) == (952, 211, {0: 392, 1: 463, 2: 97})
    assert all(map(usable, read.items))
