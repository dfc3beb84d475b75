"""The large world: right answers that follow from the conversation, its splits, its variety and its sizes."""

import hashlib
import json
import os
import re
import subprocess
import sys
from collections import Counter
from datetime import date
from functools import lru_cache
from itertools import combinations, pairwise
from random import Random

import pytest

from itool_jax.config import default_config
from itool_jax.data.difficulty import DIFFICULTIES, difficulty, tool_set_text
from itool_jax.data.example import Example
from itool_jax.data.jsonl import example_from_json, example_to_json
from itool_jax.data.tally import Tally
from itool_jax.data.toolworld import LargeWorld, ToolWorld, split_of
from itool_jax.data.toolworld.large.catalog import catalog_of, linkable
from itool_jax.data.toolworld.large.clock import Day
from itool_jax.data.toolworld.large.domains import CONCEPTS, RIVALS, TRAIN, UNSEEN
from itool_jax.data.toolworld.tasks.families import TRAIN as TASKS
from itool_jax.data.toolworld.tasks.families import UNSEEN as UNSEEN_TASKS
from itool_jax.errors import UserError
from itool_jax.rounds.inputs import heldout_examples, tool_world
from itool_jax.toolcall import compare, parse_calls, write_calls
from tests.toolworld_checker import fits, heard, is_said

REFERENCE = re.compile(r"API_call_(\d+)")


@lru_cache
def sample(tools: str = "train", split: str = "train", count: int = 260) -> tuple[Example, ...]:
    world = LargeWorld(11, split, tools, typo_share=0.3)
    return tuple(example for level in DIFFICULTIES for example in world.examples(level, count))


def everything() -> tuple[Example, ...]:
    return sample() + sample("unseen", "heldout")


def test_there_are_many_concepts_of_many_domains():
    assert len(CONCEPTS) >= 300 and len({concept.domain for concept in CONCEPTS}) >= 20
    assert len(TRAIN) >= 300 and len(UNSEEN) >= 75 and not {c.key for c in TRAIN} & {c.key for c in UNSEEN}
    assert len({c.domain for c in UNSEEN} - {c.domain for c in TRAIN}) >= 5
    kinds = Counter(kind for concept in CONCEPTS for slot in concept.slots for kind in _kinds(slot.kind.schema))
    wanted = {"string", "integer", "number", "boolean", "enum", "array", "object", "array of object", "date", "time"}
    assert all(kinds[kind] >= 10 for kind in wanted), kinds
    assert sum(not slot.required for concept in CONCEPTS for slot in concept.slots) > 300


def _kinds(schema):
    yield schema["type"]
    if "enum" in schema:
        yield "enum"
    if schema.get("format") in ("date", "time", "date-time"):
        yield schema["format"][:4]
    if schema["type"] == "array":
        yield f"array of {schema['items']['type']}"


def test_concepts_can_be_told_apart():
    names = Counter(name for concept in CONCEPTS for name in concept.names)
    asks = Counter(ask for concept in CONCEPTS for ask in concept.asks)
    abouts = Counter(concept.about for concept in CONCEPTS)
    assert [text for counts in (names, asks, abouts) for text, count in counts.items() if count > 1] == []
    keys = {concept.key for concept in CONCEPTS}
    assert all(group <= keys for group in RIVALS)
    assert all(any(not ask.startswith("?") for ask in concept.asks) for concept in CONCEPTS)


def test_slots_of_a_concept_can_be_told_apart():
    for concept in CONCEPTS:
        assert len({slot.key for slot in concept.slots}) == len(concept.slots), concept.key
        assert len({slot.label for slot in concept.slots}) == len(concept.slots), concept.key
        assert sum(slot.leads for slot in concept.slots) <= 1, concept.key
        for one, other in combinations(concept.slots, 2):
            assert not set(one.names) & set(other.names), (concept.key, one.key, other.key)
            # the same words may lead to two values only where the values themselves tell which is which
            if (set(one.says) & set(other.says)) - {"{}"} and not (one.kind.closed or other.kind.closed):
                first, second = ({k: s.kind.schema.get(k) for k in ("type", "format")} for s in (one, other))
                assert first != second, (concept.key, one.key, other.key)
        for slot in concept.slots:
            assert slot.kind.phrase or slot.leads or "{}" not in slot.says, (concept.key, slot.key)
            assert slot.kind.phrase or all("{}" in said for said in slot.says), (concept.key, slot.key)


def test_what_closed_values_are_called_is_unique():
    for concept in CONCEPTS:
        for slot in concept.slots:
            if not slot.kind.closed:
                continue
            day, rng = Day(date(2026, 1, 1), False), Random(0)
            said = {}
            for _ in range(80):
                value = slot.kind.draw(rng, day)
                text = slot.kind.say(value, rng, day)
                assert said.setdefault(text, value) == value, (concept.key, slot.key, text)


def test_answers_say_the_calls_and_nothing_else():
    for example in everything():
        parsed = parse_calls(example.answer)
        assert parsed.calls == example.calls and parsed.kind == ("calls" if example.calls else "prose"), example.answer
        if example.calls:
            assert example.answer == write_calls(example.calls)
        assert compare(parsed, example.calls, example.tools).right
        assert "\x02" not in str(example.messages) and "\x03" not in str(example.messages)
        assert "{" not in example.messages[-1].content or example.messages[-1].role != "user"
        assert example_from_json(example_to_json(example)).calls == example.calls


def test_calls_fit_the_schemas():
    for example in everything():
        tools = {tool.name: tool for tool in example.tools}
        assert len(tools) == len(example.tools)
        for call in (*example.calls, *(call for message in example.messages for call in message.calls)):
            parameters = {p.name: p for p in tools[call.name].parameters}
            assert not call.positional
            assert call.arguments.keys() >= {name for name, p in parameters.items() if p.required}
            for name, value in call.arguments.items():
                assert fits(value, parameters[name].schema), (example.id, name, value)


def said_values(example: Example) -> Counter:
    """Types of the values of an answer, each of which must be said in the conversation."""
    text, said = heard(example), Counter()
    for call in example.calls:
        tool = next(tool for tool in example.tools if tool.name == call.name)
        for name, value in call.arguments.items():
            if isinstance(value, str) and REFERENCE.fullmatch(value):
                continue
            parameter = tool.parameter(name)
            assert parameter and is_said(value, name, parameter.schema, example, text), (name, value, text)
            said[type(value).__name__] += 1
    return said


def test_every_value_of_an_answer_is_said_in_the_conversation():
    checked = sum(map(said_values, everything()), Counter())
    assert all(checked[kind] > 50 for kind in ("str", "int", "float", "bool", "list", "dict")), checked


def test_the_reader_finds_no_value_that_was_not_said():
    """The check above is worth something: with values of other conversations it fails."""
    examples = [e for e in sample() if e.calls and e.meta["scene"] == "direct" and len(e.calls) == 1]
    fooled = total = 0
    for example, other in pairwise(examples):
        tool = next(tool for tool in example.tools if tool.name == example.calls[0].name)
        for name, value in example.calls[0].arguments.items():
            parameter = tool.parameter(name)
            if parameter and not isinstance(value, bool):
                total += 1
                fooled += is_said(value, name, parameter.schema, other, heard(other))
    assert total > 300 and fooled / total < 0.1


def test_what_is_quoted_in_a_request_is_in_its_answer():
    checked = 0
    for example in everything():
        text = example.messages[-1].content
        if example.meta["scene"] in ("direct", "repeated") and not re.search(
            r", no, |sorry|I mean|rather|wait|scratch", text
        ):
            arguments = json.dumps([dict(call.arguments) for call in example.calls], ensure_ascii=False)
            for quoted in re.findall(r'(?:^|[ (])"([^"]+)"(?=[ .,;?!]|$)', text):
                assert quoted in arguments.replace('\\"', '"'), (example.id, quoted)
                checked += 1
    assert checked > 50


def test_a_missing_value_is_one_that_no_candidate_could_find_out():
    checked = 0
    for example in everything():
        if example.meta["scene"] == "missing":
            names = set(example.meta["missing"])
            owners = [tool for tool in example.tools if {p.name for p in tool.parameters if p.required} >= names]
            assert owners, example.id
            checked += 1
    assert checked > 60


def test_references_name_results_of_earlier_calls():
    """Results are counted over the answer, in the order in which descriptions list them; this is read off the tools."""
    checked = 0
    for example in everything():
        if example.meta["scene"] != "nested":
            continue
        assert "API_call_" in example.messages[0].content
        results: list[str] = []
        for call in example.calls:
            tool = next(tool for tool in example.tools if tool.name == call.name)
            for value in call.arguments.values():
                found = REFERENCE.fullmatch(value) if isinstance(value, str) else None
                if found:
                    assert int(found[1]) < len(results)
                    checked += 1
            listed = re.search(r"Returns (.*)\.$", tool.description)
            results += listed[1].split(", ") if listed else []
    assert checked > 60
    links = [link for tools in ("train", "unseen") for link in catalog_of(tools).links]
    assert len(links) > 300 and all(
        linkable(slot) for link in links for slot in link.first.gives if slot.key == link.key
    )


def test_every_scene_level_and_size_occurs():
    examples = everything()
    scenes = Counter(example.meta["scene"] for example in examples)
    assert set(scenes) == {
        *(
            "direct",
            "repeated",
            "nested",
            "chain_start",
            "clarified",
            "reference",
            "pick",
            "chain_end",
            "changed",
            "task",
        ),
        *("new_request", "missing", "no_tool", "small_talk", "report", "failure", "recall"),
    }
    assert {len(example.calls) for example in examples} >= set(range(5))
    assert {message.role for example in examples for message in example.messages} == {
        "system",
        "user",
        "assistant",
        "tool",
    }
    for level in DIFFICULTIES:
        graded = [example for example in examples if example.meta["difficulty"] == level]
        assert len(graded) == 520 and all(difficulty(example) == level for example in graded)
    for shape in (r"^[a-z_]+$", r"^[a-z]+[A-Z]", r"^[a-z_]+\.[a-z_]+$", r"^[A-Z][a-z]+ "):
        assert sum(bool(re.search(shape, tool.name)) for example in examples for tool in example.tools) > 100


def test_tool_sets_can_be_long_with_look_alikes_first():
    domains = {name: concept.domain for concept in CONCEPTS for name in concept.names}
    world = LargeWorld(3, long_share=1.0, tool_characters=28_000, task_share=0.0, follow_up_share=0.0)
    examples = list(world.examples("hard", 25))
    sizes = [len(tool_set_text(example.tools)) for example in examples]
    assert 20_000 < max(sizes) <= 28_000 and min(sizes) > 8_000
    called = [({domains[_snake(call.name)] for call in e.calls}, {_snake(t.name) for t in e.tools}) for e in examples]
    offered = [domains[name] in own for own, names in called for name in names]
    by_chance = sum(concept.domain in own for own, _ in called for concept in TRAIN) / (len(TRAIN) * len(called))
    assert sum(offered) / len(offered) > 2.5 * by_chance


def _snake(name: str) -> str:
    name = name.rpartition(".")[2].replace(" ", "_")
    return re.sub(r"(?<=[a-z])([A-Z])", r"_\1", name).lower().replace("__", "_")


def test_other_processes_make_the_same_examples():
    code = (
        "import hashlib, json; from itool_jax.data.toolworld import LargeWorld;"
        "from itool_jax.data.jsonl import example_to_json;"
        "rows = [example_to_json(e) for l in ('easy', 'medium', 'hard') for e in LargeWorld(1).examples(l, 40)];"
        "print(hashlib.sha256(json.dumps(rows).encode()).hexdigest())"
    )
    digests = set()
    for seed in ("1", "2"):
        env = {**os.environ, "PYTHONHASHSEED": seed}
        run = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
        digests.add(run.stdout)
    rows = [example_to_json(e) for level in DIFFICULTIES for e in LargeWorld(1).examples(level, 40)]
    assert digests == {hashlib.sha256(json.dumps(rows).encode()).hexdigest() + "\n"}


def test_an_example_depends_on_nothing_but_its_number():
    world = LargeWorld(5)
    assert list(world.examples("hard", 9))[6] == world.example("hard", 6) == next(world.examples("hard", 1, start=6))
    assert world.example("hard", 6).id == "toolworld/large-train/s5/hard/000006"
    assert LargeWorld(6).example("hard", 6).messages != world.example("hard", 6).messages
    assert LargeWorld(5, "heldout", "unseen").example("easy", 0).id == "toolworld/large-unseen-heldout/s5/easy/000000"
    mixed = list(world.mixture({"easy": 1, "hard": 3}, 40))
    assert list(world.mixture({"easy": 1, "hard": 3}, 5, start=35)) == mixed[35:]


def test_train_and_heldout_share_no_conversation_whatever_the_seeds():
    def first_requests(split, seeds):
        return {
            next(m.content for m in example.messages if m.role == "user")
            for seed in seeds
            for level in DIFFICULTIES
            for example in LargeWorld(seed, split).examples(level, 120)
        }

    train, heldout = first_requests("train", (0, 1)), first_requests("heldout", (0, 3))
    assert len(train) > 690 and len(heldout) > 690 and not train & heldout
    example = LargeWorld(0, "heldout").example("medium", 1)
    assert split_of(tuple(m for m in example.messages if m.role == "user")) == "heldout"


def test_unseen_tools_are_unseen():
    unseen = {name for concept in UNSEEN for name in concept.names}
    assert not unseen & {_snake(t.name) for e in sample() if e.meta["scene"] != "task" for t in e.tools}
    groups = TASKS, UNSEEN_TASKS
    tasks = [{function.concept.key for family in group for function in family.functions} for group in groups]
    assert not tasks[0] & unseen and not tasks[1] & {name for concept in TRAIN for name in concept.names}
    called = {_snake(c.name) for e in sample("unseen", "heldout") if e.meta["scene"] != "task" for c in e.calls}
    assert called <= unseen and len(called) > 100


def test_shares_are_kept():
    def share(predicate, level="medium", **shares) -> float:
        examples = list(LargeWorld(2, **shares).examples(level, 200))
        return sum(map(predicate, examples)) / len(examples)

    prose = lambda example: not example.calls
    after = lambda example: any(message.role == "tool" for message in example.messages)
    nested = lambda example: example.meta["scene"] == "nested"
    task = lambda example: example.meta["scene"] == "task"
    assert share(prose, no_call_share=0.0) == 0 and share(prose, no_call_share=1.0) == 1
    assert share(after, follow_up_share=0.0) == 0 and share(after, follow_up_share=1.0) == 1
    assert share(nested, nested_share=1.0, no_call_share=0.0, follow_up_share=0.0) == 1
    assert share(task, "hard", task_share=1.0) == 1 and share(task, "hard", task_share=0.0) == 0
    assert 0.2 < share(prose, "hard", task_share=1.0, no_call_share=0.3) < 0.4


def test_bad_settings_are_errors_for_people():
    with pytest.raises(UserError, match=r"unknown split 'test'.*train, heldout"):
        LargeWorld(0, "test")
    with pytest.raises(UserError, match=r"unknown tools 'new'.*train, unseen"):
        LargeWorld(0, tools="new")
    with pytest.raises(UserError, match=r"nested_share.*1\.5.*from 0 to 1"):
        LargeWorld(0, nested_share=1.5)
    with pytest.raises(UserError, match=r"tool_characters of the tool world is 500; expected at least 9000"):
        LargeWorld(0, tool_characters=500)
    with pytest.raises(UserError, match=r"unknown difficulty 'harder'.*easy, medium, hard"):
        LargeWorld(0).example("harder", 0)


def test_the_config_chooses_the_world():
    config = default_config()
    assert tool_world(config, "train", "train") == ToolWorld(0, "train", "train", 0.1, 0.1)
    config.data.toolworld.update(world="large", seed=5)
    config.data.toolworld.large.update(nested_share=0.5, typo_share=0.0)
    assert tool_world(config, "heldout", "unseen") == LargeWorld(
        5, "heldout", "unseen", 0.1, 0.1, nested_share=0.5, typo_share=0.0
    )
    config.data.toolworld.update(heldout=6)
    assert [e.meta["unseen_tools"] for e in heldout_examples(config, "unseen_tools", Tally())] == [True] * 6


@pytest.mark.slow
@pytest.mark.parametrize("tools", ["train", "unseen"])
def test_every_value_of_many_answers_is_said(tools):
    """As the test above, on 9,000 conversations, half of them misspelled."""
    checked = 0
    for level in DIFFICULTIES:
        for example in LargeWorld(21, tools=tools, typo_share=0.5, follow_up_share=0.3).examples(level, 3000):
            checked += said_values(example).total()
    assert checked > 15_000
