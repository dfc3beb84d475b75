"""Tasks with a state: the back ends, the checker of the final state, and the turns as examples."""

import json
from itertools import permutations
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from itool_jax.data.toolworld import TaskWorld, check_final_state, task_examples
from itool_jax.data.toolworld.tasks import Session, Task, Turn
from itool_jax.data.toolworld.tasks.backend import execute, fresh
from itool_jax.data.toolworld.tasks.families import FAMILIES, TRAIN, UNSEEN, family_of
from itool_jax.errors import UserError
from itool_jax.toolcall import ToolCall, compare, parse_calls
from tests.toolworld_checker import fits, heard, is_said


def tasks(count: int = 120) -> list[Task]:
    worlds = TaskWorld(3, typo_share=0.3), TaskWorld(3, "heldout", "unseen")
    return [world.task(number) for world in worlds for number in range(count)]


def test_the_right_calls_are_right_and_nothing_is_wrong():
    for task in tasks():
        calls = [turn.calls for turn in task.turns]
        assert check_final_state(task, calls)
        assert not check_final_state(task, [()] * len(calls))
        session = Session(task)
        results = [json.loads(session.run(call)) for turn in calls for call in turn]
        assert not any("error" in result for result in results)


def test_ground_truth_fits_the_schemas():
    for task in tasks():
        tools = {tool.name: tool for tool in task.tools}
        for turn in task.turns:
            assert set(map(str, turn.wanted)) <= set(map(str, turn.calls))
            for call in turn.calls:
                parameters = {p.name: p for p in tools[call.name].parameters}
                assert {name for name, p in parameters.items() if p.required} <= call.arguments.keys()
                assert all(fits(value, parameters[name].schema) for name, value in call.arguments.items())


def test_calls_of_one_step_can_be_made_in_any_order():
    checked = 0
    for task in tasks():
        for place, turn in enumerate(task.turns):
            for step, made in enumerate(turn.steps):
                for order in list(permutations(made))[1:]:
                    steps = [*turn.steps[:step], order, *turn.steps[step + 1 :]]
                    other = [call for one in steps for call in one]
                    calls = [other if i == place else t.calls for i, t in enumerate(task.turns)]
                    assert check_final_state(task, calls)
                    checked += 1
    assert checked > 30


def test_what_changes_the_end_is_wrong():
    """A changed argument of the last call that changes something, unless it comes to the same."""
    caught = total = 0
    for task in tasks():
        calls = [list(turn.calls) for turn in task.turns]
        for turn in calls:
            for place, call in enumerate(turn):
                for name, value in call.arguments.items():
                    if type(value) in (int, float):
                        turn[place] = ToolCall(call.name, {**call.arguments, name: value + 1})
                        total += 1
                        caught += not check_final_state(task, calls)
                        turn[place] = call
    assert total > 150 and caught / total > 0.75  # what is set anew later does not count


def test_spurious_reading_and_failing_calls_do_no_harm():
    for task in tasks(40):
        calls = [(ToolCall("no_such_tool"), *turn.calls, ToolCall(turn.calls[0].name)) for turn in task.turns]
        reads = [c for c in calls[0] if c.name.startswith(("find_", "get_", "list_"))]
        assert check_final_state(task, [(*reads, *turn.calls, ToolCall("x", {"a": None})) for turn in task.turns])


def example_task(*turns: Turn) -> Task:
    state = {
        "accounts": {"household": 10_000, "savings": 5_000},
        "payees": {"PA-1": "Acme Foods"},
        "payments": {},
        "card": {"limit": 500, "frozen": False},
    }
    return Task("t", "bank", family_of("bank").tools, "Today is Friday, 1 May 2026.", state, turns)


def transfer(amount: float, source="household", target="savings") -> ToolCall:
    return ToolCall("transfer_money", {"account": source, "to_account": target, "amount": amount})


def test_the_final_state_by_hand():
    read = ToolCall("get_balance", {"account": "household"})
    task = example_task(Turn("Move 30 euros.", ((transfer(30.0),),)), Turn("What is left?", ((read,),), (read,)))
    assert check_final_state(task, [[transfer(30.0)], [read]])
    assert check_final_state(task, [[transfer(10.0), transfer(20.0)], [read]])  # two halves
    assert check_final_state(task, [[transfer(50.0), transfer(20.0, "savings", "household")], [read]])  # a detour
    assert check_final_state(task, [[transfer(30.0), read], []])  # read before it was asked for
    assert not check_final_state(task, [[transfer(30.0)], []])  # not read
    assert not check_final_state(task, [[read, transfer(30.0)], []])  # read when it was another
    assert check_final_state(task, [[], [transfer(30.0), read]])  # made up for in the next turn
    assert not check_final_state(task, [[transfer(31.0)], [read]])
    with pytest.raises(UserError, match="the task t has 2 turns; calls were given for 1"):
        check_final_state(task, [[]])


def test_results_by_hand():
    session = Session(example_task())
    run = lambda name, /, **arguments: json.loads(session.run(ToolCall(name, arguments)))
    assert run("get_balance", account="household") == {"balance": 100.0}
    assert run("transfer_money", account="household", to_account="savings", amount=12.5) == {"status": "transferred"}
    assert run("get_balance", account="savings") == {"balance": 62.5}
    assert run("transfer_money", account="household", to_account="savings", amount=1000.5) == {
        "error": "not enough money on the account"
    }
    assert run("find_payee", name="Acme Foods") == {"payees": [{"payee_id": "PA-1", "name": "Acme Foods"}]}
    assert run("get_balance") == {"error": "missing argument account"}
    assert run("get_balance", account=3) == {"error": "bad value for account"}
    assert run("get_balance", account="household", x=1) == {"error": "unexpected argument"}
    assert run("get_balance", account="gold") == {"error": "bad value for account"}
    assert run("set_card_limit", limit=True) == {"error": "bad value for limit"}
    assert run("eval", code="1") == {"error": "there is no such tool"}
    assert json.loads(session.run(ToolCall("freeze_card", {}, ("now",)))) == {"error": "arguments must be named"}
    assert session.state["card"] == {"limit": 500, "frozen": False}


def test_ids_do_not_depend_on_the_order():
    family = family_of("calendar")
    base = {"date": "2026-05-01", "time": "10:00", "minutes": 30}
    made = [ToolCall("create_event", {"title": title, **base}) for title in ("A", "B", "A")]
    states = []
    for order in permutations(made):
        state = {"events": {}}
        for call in order:
            assert "event_id" in execute(family, state, call)
        states.append(state)
    assert all(state == states[0] for state in states) and len(states[0]["events"]) == 3


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_call_raises_and_a_refused_call_changes_nothing(data):
    family = data.draw(st.sampled_from(FAMILIES))
    function = data.draw(st.sampled_from(family.functions))
    state = family.initial(Random(data.draw(st.integers(0, 50))))
    names = [parameter.name for parameter in function.tool.parameters] or ["x"]
    texts = st.sampled_from([key for part in state.values() if isinstance(part, dict) for key in part] or ["x"])
    value = (
        JSON | texts | st.integers(-3, 80) | st.sampled_from(["2026-02-30", "2026-05-01", "25:00", "10:00", "\ud800"])
    )
    closed = [part.kind.schema["enum"] for part in function.concept.slots if "enum" in part.kind.schema]
    value = st.sampled_from([v for values in closed for v in values]) | value if closed else value
    arguments = data.draw(st.fixed_dictionaries({name: value for name in names}))
    before = fresh(state)
    result = execute(family, state, ToolCall(function.concept.key, arguments))
    json.dumps(result)
    assert "error" not in result or state == before


def test_turns_become_examples():
    scenes = 0
    for task in tasks(40):
        examples = list(task_examples(task))
        assert len({example.id for example in examples}) == len(examples)
        assert sum(not example.calls for example in examples) == len(task.turns)
        made = tuple(call for example in examples for call in example.calls)
        assert made == tuple(call for turn in task.turns for call in turn.calls)
        for example in examples:
            text = heard(example)
            parsed = parse_calls(example.answer)
            assert compare(parsed, example.calls, example.tools).right
            for message in example.messages:
                if message.role == "assistant":
                    parsed = parse_calls(message.content)
                    assert parsed.calls == message.calls
            for call in example.calls:
                tool = next(tool for tool in example.tools if tool.name == call.name)
                for name, value in call.arguments.items():
                    parameter = tool.parameter(name)
                    assert parameter and is_said(value, name, parameter.schema, example, text), (
                        example.id,
                        name,
                    )
                    scenes += 1
    assert scenes > 300


def test_ids_of_things_come_from_results():
    """The user names things by what people know; ids that the answers use stand in tool results before."""
    for task in tasks(40):
        for example in task_examples(task):
            results = "\n".join(m.content for m in example.messages if m.role == "tool")
            for call in example.calls:
                for name, value in call.arguments.items():
                    if name.endswith("_id") or name in ("path", "booking_code"):
                        assert value in results, (example.id, name, value)


def test_families_are_many_and_split():
    assert len(TRAIN) >= 6 and len(UNSEEN) >= 2 and not {f.name for f in TRAIN} & {f.name for f in UNSEEN}
    assert {TaskWorld(1).task(n).family for n in range(60)} == {family.name for family in TRAIN}
    assert {TaskWorld(1, tools="unseen").task(n).family for n in range(20)} == {family.name for family in UNSEEN}
    with pytest.raises(UserError, match=r"unknown task family 'zoo'; known are calendar"):
        family_of("zoo")
    with pytest.raises(UserError, match=r"unknown split 'x' of the tasks"):
        TaskWorld(0, "x")


def test_a_task_depends_on_nothing_but_its_number():
    assert TaskWorld(4).task(7) == TaskWorld(4).task(7)
    assert TaskWorld(4).task(7).id == "toolworld/tasks-train/s4/000007"
    requests = [
        {TaskWorld(seed, split).task(number).turns[0].request for seed in (0, 1) for number in range(80)}
        for split in ("train", "heldout")
    ]
    assert not requests[0] & requests[1]
    first = list(TaskWorld(4).examples(2))
    assert first == [example for number in (0, 1) for example in task_examples(TaskWorld(4).task(number))]
