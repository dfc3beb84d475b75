"""Conversations with the official back ends of BFCL's multi-turn entries."""

import json
from importlib.util import find_spec
from random import Random

import pytest

from itool_jax.evaluation import bfcl
from itool_jax.evaluation.bfcl.back_ends import back_ends, call_string
from itool_jax.evaluation.bfcl.multi_turn import MORE_FUNCTIONS
from itool_jax.evaluation.bfcl.official import official
from itool_jax.evaluation.dialogue import STEPS_MAX
from itool_jax.toolcall import ToolCall, write_calls
from tests.bfcl_conversations import as_texts, true_calls

pytestmark = pytest.mark.skipif(
    find_spec("bfcl_eval") is None, reason="needs bfcl-eval, installed with --no-deps (docs/bfcl.md)"
)

# The dropped call was made in an earlier turn with the same result, so that BFCL does not ask for it again.
NOT_MISSED = {"multi_turn_base_113", "multi_turn_miss_func_113", "multi_turn_miss_param_113"}


@pytest.mark.parametrize("category", bfcl.MULTI_TURN)
def test_ground_truth_as_a_model_is_right_and_is_wrong_when_corrupted(category):
    rng, answers, not_missed = Random(0), {}, set()
    for entry in bfcl.read_entries(category):
        turns = true_calls(entry)
        texts = as_texts(turns)
        said = iter([text for steps in texts for text in steps])
        conversation = bfcl.converse(entry, lambda messages, tools, said=said: next(said))
        assert conversation.texts == texts and next(said, None) is None
        answers[entry.id] = conversation.texts

        turn = rng.choice([place for place, calls in enumerate(turns) if calls])
        left_out = rng.randrange(len(turns[turn]))
        fewer = [*turns[turn][:left_out], *turns[turn][left_out + 1 :]]
        if bfcl.judge(entry, as_texts([*turns[:turn], fewer, *turns[turn + 1 :]])) is None:
            not_missed.add(entry.id)
        assert bfcl.judge(entry, as_texts([*turns[:turn], [], *turns[turn + 1 :]])) == "missing_call"
        assert bfcl.judge(entry, texts[:-1]) == "too_many_steps"
    assert not_missed <= NOT_MISSED
    assert len(answers) == 200
    assert all(bfcl.score(category, answers).values())
    kept = [name for name in vars(official().multi_turn_utils) if name.startswith("itool_jax_")]
    assert not kept  # the official module would keep every instance, and its state, for ever


def test_the_official_decoder_reads_the_same_of_calls_in_its_own_form():
    sample = {entry.id: as_texts(true_calls(entry)) for entry in bfcl.read_entries("multi_turn_base")[:20]}
    assert all(bfcl.score("multi_turn_base", sample, official=True).values())


def test_a_model_sees_results_and_the_functions_that_join():
    entry = next(e for e in bfcl.read_entries("multi_turn_miss_func") if e.held_back)
    (turn, joining), *_ = entry.held_back.items()
    names = {function["name"] for function in joining}
    with bfcl.Conversation(entry) as conversation:
        for steps in as_texts(true_calls(entry))[:turn]:
            assert not names & {tool.name for tool in conversation.prompt.tools}
            for text in steps:
                conversation.receive(text)
        prompt = conversation.prompt
    assert names <= {tool.name for tool in prompt.tools}
    assert prompt.messages[-1].content == MORE_FUNCTIONS
    roles = [message.role for message in prompt.messages]
    assert roles[0] == "user" and "tool" in roles
    first = prompt.messages[1]
    assert write_calls(first.calls) == first.content


def test_a_model_that_never_stops_calling_is_stopped():
    entry = bfcl.read_entries("multi_turn_base")[0]
    conversation = bfcl.converse(entry, lambda messages, tools: "[pwd()]")
    assert conversation.ending == "steps"
    assert [len(steps) for steps in conversation.texts] == [STEPS_MAX + 1]
    assert bfcl.judge(entry, conversation.texts) == "too_many_steps"


def test_state_is_kept_within_a_conversation_and_not_beyond():
    entry = bfcl.read_entries("multi_turn_base")[0]
    make, look = ToolCall("mkdir", {"dir_name": "made_here"}), ToolCall("ls")
    with back_ends(entry) as first, back_ends(entry) as second:
        first.execute([make])
        assert "made_here" in first.execute([look])[0]
        assert "made_here" not in second.execute([look])[0]


@pytest.mark.parametrize(
    "call",
    [
        ToolCall("__import__", {"name": "os"}),
        ToolCall("print", {"x": 1}),
        ToolCall("_load_scenario", {"scenario": {}}),
        ToolCall("GorillaFileSystem.ls"),
        ToolCall("ls(), open('x', 'w').write"),
        ToolCall("ls", {"a=open('x')": 1}),
        ToolCall("ls", {"lambda": 1}),
        ToolCall("ls", {"a": object()}),
        ToolCall("ls", {"a": {"open": {"file": "x", "mode": "w"}}}),  # the official decoder would make it a call
        ToolCall("ls", {"a": {"b': 1}, open('x', 'w') #": 1}}),  # and would not escape this key
        ToolCall("power", {"base": 10, "exponent": 10**9}),
        ToolCall("multiply", {"a": "x", "b": 10**12}),
        ToolCall("square_root", {"number": 2, "precision": 10**8}),
    ],
)
def test_only_known_methods_with_plain_values_are_executed(call):
    methods = {"ls", "power", "multiply", "square_root"}
    assert call_string(call, methods) == "itool_jax_unknown_function()"


def test_values_stay_literals():
    value = "'); open('x', 'w') #\n\\"
    text = call_string(ToolCall("echo", {"content": value}), {"echo"})
    assert text == f"echo(content={value!r})"
    with back_ends(bfcl.read_entries("multi_turn_base")[0]) as backs:
        assert backs.execute([ToolCall("no_such", {})]) == ["Error during execution: name 'no_such' is not defined"]
        assert backs.execute([ToolCall("echo", {"content": value})]) == [json.dumps({"terminal_output": value})]
