"""The language of tool calls on real data: ToolACE, ToolRL, API-Bank, Glaive, Seal-Tools."""

import importlib.util
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from itool_jax.toolcall import (
    ToolCall,
    compare,
    fragment_ends,
    parse_calls,
    tool_to_json,
    tools_from_json,
    tools_from_text,
    write_calls,
)
from tests.assets import asset


def _load(name: str) -> list[dict]:
    return json.loads(Path(asset(name)).read_text("utf-8"))


def _turns(rows: Iterable[dict], speaker: str) -> list[str]:
    return [turn["value"] for row in rows for turn in row["conversations"] if turn["from"] == speaker]


def _kinds(texts: Iterable[str]) -> Counter:
    kinds = Counter()
    for text in texts:
        answer = parse_calls(text)
        kinds[answer.kind] += 1
        if answer.calls:
            written = parse_calls(write_calls(answer.calls))
            assert repr(written.calls) == repr(answer.calls)
            assert compare(answer, written.calls, ()).right
    return kinds


def test_toolace_conversations():
    rows = _load("toolace_subset/toolace_100_sharegpt_fixed.json")
    assert _kinds(_turns(rows, "function_call")) == {"calls": 180, "prose": 1}
    assert _kinds(_turns(rows, "gpt")) == {"prose": 297}


def test_toolace_schemas_and_names():
    names = set()
    for row in _load("toolace_subset/toolace_100_sharegpt_fixed.json"):
        start = row["system"].index('[{"name"')
        for tool in tools_from_json(json.JSONDecoder().raw_decode(row["system"], start)[0]):
            names.add(tool.name)
            known = {"string", "integer", "number", "boolean", "array", "object", None}
            assert {parameter.type for parameter in tool.parameters} <= known
    assert len(names) > 400
    calls = tuple(ToolCall(name, {"a": 1}) for name in sorted(names))
    for call in calls:
        assert parse_calls(f"[{call.name}(a=1)]").calls == (call,)
    assert parse_calls(write_calls(calls[:200])).calls == calls[:200]


def test_toolace_system_prompts():
    for row in _load("toolace_subset/toolace_100_sharegpt_fixed.json"):
        start = row["system"].index('[{"name"')
        expected = tools_from_json(json.JSONDecoder().raw_decode(row["system"], start)[0])
        assert expected
        assert tools_from_text(row["system"]) == expected
        assert tools_from_json(tool_to_json(tool) for tool in expected) == expected


def test_bfcl_function_lists():
    """Types come out as JSON-Schema's names; what BFCL leaves untyped is `any`, or an empty name in one place."""
    package = importlib.util.find_spec("bfcl_eval")
    if package is None:
        pytest.skip("no bfcl_eval: install it with --no-deps to run this test")
    (root,) = map(Path, package.submodule_search_locations or ())
    types = Counter()
    for path in sorted((root / "data").glob("BFCL_v4_*.json")):
        if path.name == "BFCL_v4_format_sensitivity.json":
            continue
        for line in path.read_text("utf-8").splitlines():
            functions = json.loads(line).get("function") or []
            tools = tools_from_json(functions)
            assert [tool.name for tool in tools] == [function["name"] for function in functions]
            assert [[p.name for p in tool.parameters] for tool in tools] == [
                list(function["parameters"]["properties"]) for function in functions
            ]
            assert tools_from_json(map(tool_to_json, tools)) == tools
            assert tools_from_text(json.dumps(functions, indent=4)) == tools
            types.update(parameter.type for tool in tools for parameter in tool.parameters)
    assert set(types) <= {"string", "integer", "number", "boolean", "array", "object", None}
    assert types[None] < 0.01 * types.total()


def test_toolrl_answers_with_reasoning_and_tags():
    rows = _load("toolace_subset/toolrl_rlla_sft_400.json")
    assert _kinds(row["output"] for row in rows if "<tool_call>" in row["output"]) == {"calls": 346}
    assert _kinds(row["output"] for row in rows if "<tool_call>" not in row["output"]) == {"prose": 54}


@pytest.mark.parametrize(("language", "calls", "prose"), [("en", 211, 745), ("zh", 216, 724)])
def test_glaive_conversations(language: str, calls: int, prose: int):
    rows = _load(f"glaive_demo/glaive_toolcall_{language}_demo.json")
    assert _kinds(_turns(rows, "function_call")) == {"calls": calls}
    kinds = _kinds(_turns(rows, "gpt"))
    assert kinds["prose"] == prose
    assert kinds["malformed"] <= 1, "one answer is a JSON document that breaks off"
    assert all(tools_from_json(json.loads(row["tools"] or "[]")) is not None for row in rows)


def test_api_bank_answers():
    """What cannot be read has a quoted list inside quotes of the same kind, `attendees='['John']'`."""
    for level, calls in ((1, 368), (2, 125)):
        texts = [row["expected_output"] for row in _load(f"api_bank/level-{level}-api.json")]
        assert _kinds(texts)["calls"] == calls
        assert all("'[" in text for text in texts if parse_calls(text).kind != "calls")


def test_seal_tools_calls_are_cut_into_names_and_arguments():
    for name in ("dev", "test_in_domain", "test_out_domain"):
        for line in Path(asset(f"seal_tools/{name}.jsonl")).read_text("utf-8").splitlines():
            calls = tuple(ToolCall(call["api"], call["parameters"]) for call in json.loads(line)["calling"])
            text = write_calls(calls)
            assert parse_calls(text).calls == calls
            assert len(fragment_ends(text.encode())) == 1 + sum(1 + max(1, len(call.arguments)) for call in calls)


def test_seal_tools_schemas():
    lines = Path(asset("seal_tools/tool.jsonl")).read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    tools = tools_from_json({**row, "name": row["api_name"]} for row in rows)
    assert [len(tool.parameters) for tool in tools] == [len(row["parameters"]) for row in rows]
    assert {p.type for tool in tools for p in tool.parameters} == {"string", "integer", "number", "boolean"}
    assert tools_from_json(map(tool_to_json, tools)) == tools
