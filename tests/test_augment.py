"""Augmentations: whatever they change, the answer stays right, and values stay what they are."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from itool_jax.config import AUGMENTATIONS, default_config
from itool_jax.data.augment import KINDS, Augmenter, Refusal, augment, tool_pool
from itool_jax.data.augment.candidates import about, words
from itool_jax.data.chat import COMPACT, chat_format, chat_template, format_for
from itool_jax.data.example import Example, Message
from itool_jax.data.jsonl import example_from_json, example_to_json
from itool_jax.data.sources import read_source
from itool_jax.data.tally import Tally
from itool_jax.data.toolworld import ToolWorld
from itool_jax.errors import UserError
from itool_jax.rounds.inputs import check_masks, stream_training_examples, training_examples
from itool_jax.toolcall import compare, parse_calls, tools_from_json, write_calls
from itool_jax.toolcall.types import ToolCall
from tests.assets import asset
from tests.worlds import dialect

MIX = {"easy": 1, "medium": 1, "hard": 1}
TEXT = {"type": "string"}
TOOLS = tools_from_json(
    [
        {
            "name": "book_flight",
            "description": "Books a seat on a plane. Ask list_flights for the flight_code first.",
            "parameters": {
                "type": "object",
                "properties": {
                    "flight_code": {**TEXT, "description": "What list_flights gives for a connection"},
                    "seat": {**TEXT, "description": "Row and letter; needs a flight_code", "default": "flight_code"},
                    "extras": {
                        "type": "object",
                        "description": "Wishes by flight_code",
                        "default": {"description": "list_flights"},
                        "properties": {"meal": {**TEXT, "description": "as list_flights names it", "enum": ["seat"]}},
                    },
                },
                "required": ["flight_code"],
            },
        },
        {
            "name": "list_flights",
            "description": "Connections between two airports",
            "parameters": {
                "type": "object",
                "properties": {"origin": TEXT, "target": {**TEXT, "description": "Airport"}},
                "required": ["origin", "target"],
            },
        },
        {"name": "water_plants", "description": "Opens the garden valve", "parameters": {}},
    ]
)
OTHER_TOOLS = tools_from_json(
    [
        {"name": "paint_fence", "description": "Covers wood with colour", "parameters": {}},
        {"name": "charter_plane", "description": "Rents a whole plane", "parameters": {}},
        {"name": "google_search", "description": "Looks it up", "parameters": {}},
    ]
)


def asking(text: str, *calls: ToolCall, earlier: tuple[Message, ...] = (), tools=TOOLS) -> Example:
    return Example("hand/1", tools, (*earlier, Message("user", text)), write_calls(calls), calls, "hand")


def answered(call: ToolCall, result: str) -> tuple[Message, ...]:
    return (
        Message("user", "Which planes go to Oslo from Rome?"),
        Message("assistant", write_calls([call]), (call,)),
        Message("tool", result),
    )


LISTED = ToolCall("list_flights", {"origin": "Rome", "target": "Oslo"})
BOOKED = ToolCall("book_flight", {"flight_code": "list_flights", "extras": {"seat": ["book_flight", 7]}})
TWO_STEPS = asking("Take the first one.", BOOKED, earlier=answered(LISTED, '{"code": "list-flights"}'))
ONE_STEP = asking("I want the plane of that name, please.", BOOKED)


def toolworld(count: int) -> list[Example]:
    return list(ToolWorld(5, no_call_share=0.2, follow_up_share=0.3).mixture(MIX, count))


def assert_right(old: Example, new: Example, kind: str) -> None:
    """What every augmentation promises."""
    assert compare(parse_calls(new.answer), new.calls, new.tools).right
    assert parse_calls(new.answer).calls == new.calls
    names = [tool.name for tool in new.tools]
    assert len(set(names)) == len(names)
    for call in (*new.calls, *(call for message in new.messages for call in message.calls)):
        assert call.name in names
    for message in new.messages:
        assert message.role != "assistant" or parse_calls(message.content).calls == message.calls
    assert (new.id, new.source) == (f"{old.id}~{kind}", old.source)
    assert dict(new.meta) == {**old.meta, "augmented": kind}
    assert example_from_json(example_to_json(new)) == new


def values(example: Example) -> list:
    return [list(call.arguments.values()) for m in example.messages for call in m.calls] + [
        list(call.arguments.values()) for call in example.calls
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_answers_stay_right(kind):
    examples = [*toolworld(150), TWO_STEPS, ONE_STEP]
    pool = tool_pool(examples)
    made = 0
    for example in examples:
        before = example_to_json(example)
        new = augment(example, kind, seed=3, pool=pool)
        assert example_to_json(example) == before
        assert new == augment(example, kind, seed=3, pool=pool)
        if isinstance(new, Example):
            made += 1
            assert_right(example, new, kind)
            assert new.tools != example.tools
    assert made > (1 if kind == "parameter_names" else 40)  # the tool world describes no parameters


NAMES = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=12).filter(str.strip)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-1000, 1000)
    | st.text(st.characters(exclude_categories=("Cs",)), max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=2),
    max_leaves=4,
)


@st.composite
def examples_of_any_names(draw) -> Example:
    """Names and values with spaces, quotes, brackets and letters of any script, of which some are the same."""
    names = draw(st.lists(NAMES, min_size=4, max_size=8, unique=True))
    tools = []
    for name in names[: draw(st.integers(1, 3))]:
        own = draw(st.lists(st.sampled_from(names), max_size=3, unique=True))
        described = {key: {"description": draw(NAMES | st.sampled_from(names))} for key in own}
        schema = {"type": "object", "properties": described, "required": own}
        tools += tools_from_json([{"name": name, "description": draw(NAMES), "parameters": schema}])
    calls = []
    for tool in draw(st.lists(st.sampled_from(tools), min_size=1, max_size=2)):
        calls.append(ToolCall(tool.name, {p.name: draw(VALUES | st.sampled_from(names)) for p in tool.parameters}))
    return asking(draw(NAMES), *calls, tools=tuple(tools))


@settings(max_examples=150)
@given(examples_of_any_names(), st.sampled_from(sorted(KINDS)))
def test_whatever_the_names_and_values_answers_stay_right(example, kind):
    new = augment(example, kind, pool=OTHER_TOOLS)
    if isinstance(new, Refusal):
        return
    assert_right(example, new, kind)
    if kind == "function_names":
        assert not {call.name for call in new.calls} & {call.name for call in example.calls}
    if kind == "parameter_names":
        assert not {key for call in new.calls for key in call.arguments} & {
            key for call in example.calls for key in call.arguments
        }
    if kind not in ("irrelevant_tools", "missing_parameter", "given_parameter"):
        assert values(new) == values(example)


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("toolace", "toolace_subset/toolace_100_sharegpt_fixed.json"),
        ("seal_tools", "seal_tools/finetune_dev.json"),
    ],
)
def test_answers_of_real_data_stay_right(source, path):
    examples = read_source(source, asset(path), skip_bad=True).items[:200]
    augmenter = Augmenter(dict.fromkeys(KINDS, 1.0), seed=1, pool=tool_pool(examples))
    for example in examples:
        for new in augmenter.variants(example):
            assert_right(example, new, new.meta["augmented"])
    made = augmenter.tally.made
    assert set(made) == set(KINDS) and min(made.values()) > 20
    assert made.total() + augmenter.tally.refused.total() == len(KINDS) * len(examples)


@pytest.mark.parametrize("example", [TWO_STEPS, ONE_STEP], ids=["two steps", "one step"])
def test_masked_function_names_are_gone_from_tools_calls_and_descriptions(example):
    new = augment(example, "function_names")
    assert isinstance(new, Example)
    masks = {old.name: tool.name for old, tool in zip(example.tools, new.tools, strict=True)}
    assert not set(masks) & set(masks.values())
    listing = masks["list_flights"]
    assert new.tools[0].description == f"Books a seat on a plane. Ask {listing} for the flight_code first."
    assert new.tools[0].parameters[0].schema["description"] == f"What {listing} gives for a connection"
    meal = new.tools[0].parameters[2].schema["properties"]["meal"]
    assert meal == {**TEXT, "description": f"as {listing} names it", "enum": ["seat"]}
    assert new.tools[0].parameters[2].schema["default"] == {"description": "list_flights"}  # a value
    for old, call in zip(example.calls, new.calls, strict=True):
        assert call == replace(old, name=masks[old.name])
    if example is TWO_STEPS:
        assert new.messages[1].calls == (replace(LISTED, name=masks["list_flights"]),)
        assert new.messages[1].content == write_calls(new.messages[1].calls)
    assert values(new) == values(example)  # where a value is a tool's name, too
    assert [m.content for m in new.messages if m.role != "assistant"] == [
        m.content for m in example.messages if m.role != "assistant"
    ]


def test_masked_parameter_names_are_gone_and_values_and_what_is_not_described_stay():
    new = augment(TWO_STEPS, "parameter_names")
    assert isinstance(new, Example)
    book, flights, _ = new.tools
    code, seat, extras = (parameter.name for parameter in book.parameters)
    assert not {code, seat, extras} & {"flight_code", "seat", "extras"}
    assert flights.parameters[0].name == "origin"  # it has no description
    assert book.description.endswith(f"for the {code} first.")
    assert book.parameters[1].schema["description"] == f"Row and letter; needs a {code}"
    assert book.parameters[1].schema["default"] == "flight_code"  # a value, not a name
    assert dict(new.calls[0].arguments) == {code: "list_flights", extras: {"seat": ["book_flight", 7]}}
    assert dict(new.messages[1].calls[0].arguments) == {"origin": "Rome", flights.parameters[1].name: "Oslo"}
    assert [p.required for p in book.parameters] == [True, False, False]


def test_a_name_that_several_tools_share_gets_one_mask():
    described = {"x": {**TEXT, "description": "where"}}
    tools = tools_from_json([{"name": f"f{i}", "parameters": {"properties": described}} for i in range(2)])
    new = augment(asking("Go.", ToolCall("f1", {"x": "here"}), tools=tools), "parameter_names")
    assert isinstance(new, Example)
    (name,) = {tool.parameters[0].name for tool in new.tools}
    assert name != "x" and new.calls == (ToolCall("f1", {name: "here"}),)


@pytest.mark.parametrize(
    ("kind", "example", "reason"),
    [
        ("function_names", asking("Use book_flight for it.", BOOKED), "speaks of a name"),
        ("function_names", replace(ONE_STEP, answer="I can book_flight.", calls=()), "speaks of a name"),
        ("parameter_names", replace(ONE_STEP, answer="Please tell me: seat.", calls=()), "speaks of a name"),
        ("parameter_names", asking("With the flight_code X1.", BOOKED), "speaks of a name"),
        ("function_names", replace(ONE_STEP, answer=f"Of course! {ONE_STEP.answer}"), "among prose"),
        ("parameter_names", asking("Go.", ToolCall("list_flights", {"via": "Bonn"})), "its tool lacks"),
        ("function_names", asking("Go.", ToolCall("dance")), "no candidate tool"),
        ("distractors", replace(ONE_STEP, answer="No.", calls=()), "prose"),
        ("shuffled_tools", replace(ONE_STEP, tools=TOOLS[:1]), "fewer than two"),
        ("irrelevant_tools", TWO_STEPS, "earlier turns"),
        ("irrelevant_tools", replace(ONE_STEP, tools=TOOLS[:2]), "sure to be unrelated"),
        ("missing_parameter", asking("Both.", BOOKED, LISTED), "several calls"),
        ("function_names", replace(ONE_STEP, tools=tuple(replace(t, description="") for t in TOOLS)), "must stay"),
    ],
)
def test_what_could_become_wrong_is_refused(kind, example, reason):
    refused = augment(example, kind)
    assert isinstance(refused, Refusal) and reason in refused.reason


def test_a_plain_word_in_a_request_does_not_stop_masking():
    tools = tools_from_json([{"name": "weather", "description": "Forecast of a place", "parameters": {}}])
    example = asking("How is the weather?", ToolCall("weather"), tools=tools)
    assert isinstance(augment(example, "function_names"), Example)


def test_taking_tools_away_leaves_none_like_them():
    new = augment(ONE_STEP, "irrelevant_tools", pool=OTHER_TOOLS)
    assert isinstance(new, Example) and not new.calls
    # list_flights and charter_plane share words with book_flight or the request; google_search could do anything
    assert {tool.name for tool in new.tools} == {"water_plants", "paint_fence"}
    examples = toolworld(100)
    pool = tool_pool(examples)
    for example in examples:
        new = augment(example, "irrelevant_tools", pool=pool)
        if isinstance(new, Example):
            called = [tool for tool in example.tools if tool.name in {call.name for call in example.calls}]
            asked = words(example.messages[-1].content)
            assert all(not about(tool) & about(old).union(asked) for tool in new.tools for old in called)


def test_distractors_keep_the_candidates_and_their_order():
    new = augment(ONE_STEP, "distractors", pool=OTHER_TOOLS)
    assert isinstance(new, Example)
    assert [tool for tool in new.tools if tool in TOOLS] == list(TOOLS)
    assert {tool.name for tool in new.tools} - {tool.name for tool in TOOLS} == {"paint_fence"}
    assert (new.messages, new.answer, new.calls) == (ONE_STEP.messages, ONE_STEP.answer, ONE_STEP.calls)


def test_a_missing_parameter_is_required_and_spoken_of_nowhere():
    labels = set()
    for example in toolworld(150):
        asked, told = (augment(example, kind, seed=2) for kind in ("missing_parameter", "given_parameter"))
        if isinstance(asked, Refusal) or isinstance(told, Refusal):
            assert asked == told
            continue
        for new in (asked, told):
            (new_tool,) = (tool for tool in new.tools if tool not in example.tools)
            (added,) = [p for p in new_tool.parameters if p not in old_tool(example).parameters]
            assert added.required and not words(added.name) & words(example.messages[-1].content)
            labels.add(added.name)
            if new is asked:
                assert not new.calls and added.name.replace("_", " ") in new.answer
                assert new.messages == example.messages
            else:
                (old,), (call,) = example.calls, new.calls
                assert dict(call.arguments) == {**old.arguments, added.name: call.arguments[added.name]}
                assert call.arguments[added.name] in new.messages[-1].content
                assert new.messages[-1].content.endswith(example.messages[-1].content)
    assert len(labels) > 5


def test_no_parameter_is_added_that_the_conversation_speaks_of():
    spoken = "My membership, passport, licence plate, badge, voucher, pin, insurance, loyalty card and case are known."
    for number in range(20):
        example = replace(asking(spoken, BOOKED), id=str(number))
        new = augment(example, "missing_parameter")
        assert isinstance(new, Example) and "serial number" in new.answer
        refused = augment(replace(example, messages=(Message("user", f"{spoken} Serial?"),)), "missing_parameter")
        assert isinstance(refused, Refusal) and "spoken of" in refused.reason


def old_tool(example: Example):
    return next(tool for tool in example.tools if tool.name == example.calls[0].name)


def test_shares_seeds_and_counts():
    examples = toolworld(400)
    pool = tool_pool(examples)

    def run(seed, **shares):
        augmenter = Augmenter(shares, seed, pool)
        return augmenter, [new for example in examples for new in augmenter.variants(example)]

    augmenter, new = run(0, shuffled_tools=0.3, distractors=0.0)
    made, refused = augmenter.tally.made, augmenter.tally.refused
    tried = made.total() + refused.total()
    assert 0.22 < tried / len(examples) < 0.38 and set(made) == {"shuffled_tools"}
    assert len({e.id for e in new}) == len(new) == made["shuffled_tools"]
    assert refused["shuffled_tools", "fewer than two candidate tools"] > 0
    (told,) = augmenter.tally.notes()
    assert f"augmentation added {len(new)} shuffled_tools" in told and "fewer than two" in told
    assert run(0, shuffled_tools=0.3)[1] == new and run(1, shuffled_tools=0.3)[1] != new
    assert [e for e in run(0, function_names=1.0, shuffled_tools=0.3)[1] if e.id.endswith("~shuffled_tools")] == new


def test_the_pool_is_bounded_and_does_not_depend_on_the_order():
    examples = toolworld(60)
    pool = tool_pool(examples, seed=4, size=20)
    assert len(pool) == 20 and pool == tool_pool(examples[::-1], seed=4, size=20)
    assert pool != tool_pool(examples, seed=5, size=20)
    everything = tool_pool(examples, size=10_000)
    assert len(everything) == len({repr(tool) for e in examples for tool in e.tools})


def test_a_run_trains_on_the_variants():
    config = default_config()
    config.data.toolworld.train.update(easy=20, medium=20, hard=20)
    plain = training_examples(config)
    config.data.augment.update(missing_parameter=0.5, irrelevant_tools=0.5, shuffled_tools=0.25)
    tally = Tally()
    augmented = training_examples(config, tally)
    assert [e for e in augmented if "augmented" not in e.meta] == plain and len(augmented) > len(plain) + 20
    assert any("augmentation added" in line for line in tally.notes())
    assert list(stream_training_examples(config, Tally(), None)) == augmented
    config.data.limit = 30
    limited = training_examples(config)
    assert len([e for e in limited if "augmented" not in e.meta]) == 30
    assert list(stream_training_examples(config, Tally(), None)) == limited


def test_masks_need_a_chat_format_that_shows_descriptions():
    config = default_config()
    config.data.toolworld.train.update(easy=2, medium=0, hard=0)
    config.data.augment.function_names = 0.5
    check_masks(config, chat_format("chatml"))
    exported = dialect().tokenizer.with_templates({"default": chat_template(COMPACT)})
    for chat in (chat_format("compact"), format_for(exported)):
        with pytest.raises(UserError, match=rf"augment\.function_names .* '{chat.name}' shows no descriptions"):
            check_masks(config, chat)
    config.data.augment.function_names = 0.0
    check_masks(config, chat_format("compact"))


def test_the_config_names_every_kind():
    assert set(AUGMENTATIONS) == set(KINDS) == set(default_config().data.augment) - {"seed"}
