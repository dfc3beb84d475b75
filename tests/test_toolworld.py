"""The tool world: determinism, disjoint splits, and right answers that follow from tools and conversation alone."""

import hashlib
import json
import os
import re
import subprocess
import sys
from collections import Counter
from functools import lru_cache
from itertools import combinations

import pytest

from itool_jax.data.chat import COMPACT
from itool_jax.data.difficulty import DIFFICULTIES, difficulty
from itool_jax.data.example import Example, Message
from itool_jax.data.jsonl import example_to_json
from itool_jax.data.prepared import Dialect
from itool_jax.data.tokenizer import train_bpe
from itool_jax.data.toolworld import ToolWorld, split_of
from itool_jax.data.toolworld.domains import RIVALS, TRAIN, UNSEEN
from itool_jax.data.toolworld.pool import pool_of
from itool_jax.errors import UserError
from itool_jax.toolcall import Tool, compare, parse_calls, write_calls
from tests.toolworld_checker import conversation, stands_in, valid


@lru_cache
def sample(tools: str = "train", split: str = "train") -> tuple[Example, ...]:
    world = ToolWorld(11, split, tools)
    return tuple(example for level in DIFFICULTIES for example in world.examples(level, 1000))


def everything() -> tuple[Example, ...]:
    return sample() + sample("unseen", "heldout")


def test_answers_say_the_calls_and_nothing_else():
    for example in everything():
        parsed = parse_calls(example.answer)
        assert parsed.calls == example.calls
        assert parsed.kind == ("calls" if example.calls else "prose")
        if example.calls:
            assert example.answer == write_calls(example.calls)
        assert compare(parsed, example.calls, example.tools).right


def test_calls_fit_the_schemas():
    for example in everything():
        tools = {tool.name: tool for tool in example.tools}
        assert len(tools) == len(example.tools)
        for call in example.calls:
            parameters = {p.name: p for p in tools[call.name].parameters}
            assert not call.positional
            assert call.arguments.keys() >= {name for name, p in parameters.items() if p.required}
            assert list(call.arguments) == [name for name in parameters if name in call.arguments]
            for name, value in call.arguments.items():
                assert valid(value, parameters[name].schema), (example.id, name, value)


def test_every_value_of_an_answer_is_said_in_the_conversation():
    checked = Counter()
    for example in everything():
        text = conversation(example)
        for call in example.calls:
            tool = next(tool for tool in example.tools if tool.name == call.name)
            for name, value in call.arguments.items():
                parameter = tool.parameter(name)
                assert parameter and stands_in(value, parameter, text), (example.id, name, value, text)
                checked[type(value).__name__] += 1
    assert all(checked[kind] > 100 for kind in ("str", "int", "float", "bool", "list"))


def test_everything_quoted_in_a_request_is_in_its_answer():
    """Where nothing was put right and one message says it all, a title or a text is there to be used."""
    checked = 0
    for example in everything():
        text = example.messages[-1].content
        slips = any(word in text for word in (", no, ", ", sorry, ", ", I mean ", ", or rather "))
        if example.meta["scene"] in ("direct", "shared", "same_again") and not slips:
            said = json.dumps([dict(call.arguments) for call in example.calls], ensure_ascii=False).replace('\\"', '"')
            for quoted in re.findall(r'(?:^|[ (])"([^"]+)"(?=[ .,;?!]|$)', text):
                assert quoted in said, (example.id, quoted)
                checked += 1
    assert checked > 300


def test_what_is_asked_for_is_required_by_one_of_the_tools():
    checked = 0
    for example in everything():
        if example.meta["scene"] == "missing":
            names = example.answer.removeprefix("Please tell me: ").removesuffix(".").split(", ")
            owners = [tool for tool in example.tools if {p.name for p in tool.parameters if p.required} >= set(names)]
            assert owners, example.id
            checked += 1
    assert checked > 150


def test_one_prompt_has_one_answer():
    answers: dict[str, str] = {}
    for example in everything():
        row = example_to_json(example)
        prompt = json.dumps([row["tools"], row["messages"]])
        assert answers.setdefault(prompt, example.answer) == example.answer


def test_concepts_can_be_told_apart():
    concepts = TRAIN + UNSEEN
    names = Counter(name for concept in concepts for name in concept.names)
    assert [name for name, count in names.items() if count > 1] == []
    for one, other in combinations(concepts, 2):
        same = set(one.asks) & set(other.asks)
        assert not same or any({one.key, other.key} <= group for group in RIVALS), same
    keys = {concept.key for concept in concepts}
    assert all(group <= keys for group in RIVALS)


def test_slots_of_a_concept_can_be_told_apart():
    for concept in TRAIN + UNSEEN:
        assert len(concept.slots) <= 6
        assert len({slot.key for slot in concept.slots}) == len(concept.slots), concept.key
        for one, other in combinations(concept.slots, 2):
            assert not (set(one.phrases) & set(other.phrases)) - {"{}"}, (concept.key, one.key, other.key)
            assert len(one.names) > 1 or one.names != other.names
        for slot in concept.slots:
            closed = all("enum" in kind.schema or kind.schema["type"] == "boolean" for kind in slot.kinds)
            assert slot.leads or closed or "{}" not in slot.phrases, (concept.key, slot.key)
            assert all("{}" in phrase for phrase in slot.phrases)


def test_the_world_is_large_enough():
    assert len(TRAIN) >= 60
    assert len({concept.domain for concept in TRAIN}) >= 10
    assert len(UNSEEN) >= 20
    assert len({concept.domain for concept in UNSEEN} - {concept.domain for concept in TRAIN}) >= 3
    for tools in ("train", "unseen"):
        assert len(pool_of(tools).links) > 20
        assert len(pool_of(tools).sharing) >= 10


def test_everything_that_the_world_promises_occurs():
    examples = sample()
    assert {len(example.tools) for example in examples} == set(range(1, 9))
    assert {len(example.calls) for example in examples} == set(range(5))
    parameters = [tool.parameters for example in examples for tool in example.tools]
    assert {len(group) for group in parameters} == set(range(7))
    kinds = {p.schema["type"] for group in parameters for p in group}
    assert kinds == {"string", "integer", "number", "boolean", "array"}
    assert any(p.enum for group in parameters for p in group)
    assert any(not p.required and "default" in p.schema for group in parameters for p in group)
    scenes = Counter(example.meta["scene"] for example in examples)
    assert set(scenes) == {
        *("direct", "shared", "chain_start", "clarified", "reference", "pick", "chain_end", "same_again"),
        *("new_request", "missing", "no_tool", "abilities", "report", "failure", "recall"),
    }
    parallel = [e for e in examples if len(e.calls) > 1 and len({call.name for call in e.calls}) == 1]
    assert len(parallel) > 50


@pytest.mark.parametrize("level", DIFFICULTIES)
def test_difficulty_is_the_methods(level):
    for tools, split in (("train", "train"), ("unseen", "heldout")):
        examples = [example for example in sample(tools, split) if example.meta["difficulty"] == level]
        assert len(examples) == 1000
        assert all(difficulty(example) == level for example in examples)


def test_difficulty_at_its_thresholds():
    def graded(tools: int, characters: int, calls: int) -> str:
        empty = len('[{"name":"f0","description":"","parameters":{"type":"object","properties":{},"required":[]}}]')
        one = Tool("f0", "x" * (characters - empty))
        others = tuple(Tool(f"f{i}") for i in range(1, tools))
        calls_ = parse_calls(f"[{', '.join(['f0()'] * calls)}]").calls if calls else ()
        return difficulty(Example("x", (one, *others), (Message("user", "x"),), "", calls_))

    assert [graded(1, 999, 1), graded(1, 1000, 1), graded(1, 2000, 1), graded(1, 2001, 1)] == [
        *("easy", "medium", "medium", "hard")
    ]
    assert [graded(2, 300, 1), graded(3, 300, 3), graded(4, 300, 1)] == ["medium", "medium", "hard"]
    assert [graded(1, 300, 0), graded(1, 300, 2), graded(1, 300, 3), graded(1, 300, 4)] == [
        *("easy", "medium", "medium", "hard")
    ]


def test_an_example_depends_on_nothing_but_its_number():
    world = ToolWorld(5)
    assert list(world.examples("hard", 9))[6] == world.example("hard", 6) == next(world.examples("hard", 1, start=6))
    assert world.example("hard", 6).id == "toolworld/train/s5/hard/000006"
    assert ToolWorld(6).example("hard", 6).messages != world.example("hard", 6).messages
    unseen = ToolWorld(5, "heldout", "unseen").example("easy", 0)
    assert (unseen.id, unseen.meta["unseen_tools"]) == ("toolworld/unseen-heldout/s5/easy/000000", True)


def test_a_mixture_keeps_to_its_shares():
    world = ToolWorld(5)
    examples = list(world.mixture({"easy": 1, "hard": 3}, 600))
    levels = Counter(example.meta["difficulty"] for example in examples)
    assert levels.keys() == {"easy", "hard"}
    assert 400 < levels["hard"] < 500
    assert len({example.id for example in examples}) == 600
    assert list(world.mixture({"easy": 1, "hard": 3}, 5, start=595)) == examples[595:]


def test_other_processes_make_the_same_examples():
    code = (
        "import hashlib, json; from itool_jax.data.toolworld import ToolWorld;"
        "from itool_jax.data.jsonl import example_to_json;"
        "rows = [example_to_json(e) for l in ('easy', 'medium', 'hard') for e in ToolWorld(1).examples(l, 60)];"
        "print(hashlib.sha256(json.dumps(rows).encode()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    rows = [example_to_json(e) for level in DIFFICULTIES for e in ToolWorld(1).examples(level, 60)]
    assert digests == {hashlib.sha256(json.dumps(rows).encode()).hexdigest() + "\n"}


def test_train_and_heldout_share_no_conversation_whatever_the_seeds():
    def first_messages(split, seeds, counts):
        return {
            " ".join(example.messages[0].content.lower().split())
            for seed in seeds
            for level, count in counts.items()
            for example in ToolWorld(seed, split).examples(level, count)
        }

    train = first_messages("train", (0, 1, 2), {"easy": 7000, "medium": 1500, "hard": 500})
    heldout = first_messages("heldout", (0, 3), {"easy": 2000, "medium": 300, "hard": 200})
    assert len(train) > 20_000
    assert len(heldout) > 3_500
    assert not train & heldout


def test_turns_of_a_conversation_stay_in_one_split():
    first = Message("user", "Book a hotel in Rome.")
    later = (Message("assistant", "[f()]"), Message("tool", "{}"), Message("user", "Thanks!"))
    assert split_of((first,)) == split_of((first, *later)) == split_of((Message("user", " book  a HOTEL in Rome. "),))


def test_unseen_tools_are_unseen():
    unseen = {name for concept in UNSEEN for name in concept.names}
    assert not unseen & {tool.name for example in sample() for tool in example.tools}
    heldout = sample("unseen", "heldout")
    assert {call.name for example in heldout for call in example.calls} <= unseen
    assert len({call.name for example in heldout for call in example.calls}) > 40
    lesson = sample("unseen", "train")  # to teach them is another thing, and shares no conversation with asking
    assert {call.name for example in lesson for call in example.calls} <= unseen
    assert not {example.id for example in lesson} & {example.id for example in heldout}
    assert not {str(example.messages) for example in lesson} & {str(example.messages) for example in heldout}


def test_shares_are_kept():
    def share(predicate, **shares) -> float:
        examples = list(ToolWorld(2, **shares).examples("medium", 800))
        return sum(map(predicate, examples)) / len(examples)

    def prose(example: Example) -> bool:
        return not example.calls

    def after_a_result(example: Example) -> bool:
        return any(message.role == "tool" for message in example.messages)

    assert share(prose, no_call_share=0.0) == 0
    assert share(prose, no_call_share=1.0) == 1
    assert 0.25 < share(prose, no_call_share=0.3) < 0.35
    assert share(after_a_result, follow_up_share=0.0) == 0
    assert share(after_a_result, follow_up_share=1.0) == 1
    assert 0.35 < share(after_a_result, follow_up_share=0.4) < 0.45


def test_prompts_and_answers_fit_a_row_of_256_tokens():
    texts = [COMPACT.render_prompt(example) + example.answer for example in sample()[::2]]
    tokenizer = train_bpe(texts, 768, COMPACT.special_tokens, COMPACT.end_of_turn)
    for tools, split in (("train", "heldout"), ("unseen", "heldout")):
        examples = list(ToolWorld(4, split, tools).examples("hard", 300))
        prepared = [Dialect(tokenizer, COMPACT).prepare(example) for example in examples]
        prompts, answers = [len(p.prompt) for p in prepared], [len(p.answer) for p in prepared]
        fit = [prompt + answer <= 256 for prompt, answer in zip(prompts, answers, strict=True)]
        assert sum(fit) / len(fit) >= 0.97
        assert 120 < sum(prompts) / len(prompts) < 200
        assert 15 < sum(answers) / len(answers) < 60


def test_bad_settings_are_errors_for_people():
    with pytest.raises(UserError, match=r"unknown split 'test'.*train, heldout"):
        ToolWorld(0, "test")
    with pytest.raises(UserError, match=r"unknown tool set 'new'.*train, unseen"):
        ToolWorld(0, tools="new")
    with pytest.raises(UserError, match=r"no_call_share.*1\.5.*from 0 to 1"):
        ToolWorld(0, no_call_share=1.5)
    with pytest.raises(UserError, match=r"unknown difficulty 'harder'.*easy, medium, hard"):
        ToolWorld(0).example("harder", 0)
