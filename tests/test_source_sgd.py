"""The importer of Schema-Guided Dialogue, on rows in the true layout."""

import gzip
import json

import pytest

from itool_jax.data.example import Message
from itool_jax.data.sources import read_source
from itool_jax.errors import UserError
from itool_jax.toolcall.types import ToolCall
from tests.source_rows import roles


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
