"""Answers to BFCL entries, right ones changed in every way that a model could get them wrong, or almost."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random
from typing import Any

from itool_jax.evaluation.bfcl.entries import Entry
from itool_jax.evaluation.bfcl.prompts import right_calls
from itool_jax.toolcall import ToolCall

Arguments = dict[str, Any]


def mutated_answers(entries: Sequence[Entry], each: int, seed: int) -> Iterator[tuple[Entry, list[ToolCall]]]:
    """`each` answers per entry, with one to three changes to a right one."""
    rng = Random(seed)
    for entry in entries:
        for _ in range(each):
            calls = [ToolCall(call.name, copy.deepcopy(dict(call.arguments))) for call in right_calls(entry)]
            for _ in range(rng.choice((1, 1, 1, 2, 3))):
                calls = rng.choice(_CALLS if rng.random() < 0.25 else [_in_a_call])(calls, entry, rng)
            yield entry, calls


def _in_a_call(calls: list[ToolCall], entry: Entry, rng: Random) -> list[ToolCall]:
    if not calls:
        return calls
    place = rng.randrange(len(calls))
    call = calls[place]
    arguments = dict(call.arguments)
    changed = rng.choice(_ARGUMENTS)(arguments, call, entry, rng)
    return [*calls[:place], ToolCall(call.name, changed, call.positional), *calls[place + 1 :]]


def _rename(calls: list[ToolCall], entry: Entry, rng: Random) -> list[ToolCall]:
    if not calls:
        return calls
    place = rng.randrange(len(calls))
    name = calls[place].name
    others = [function["name"] for function in entry.functions]
    new = rng.choice(
        [rng.choice(others), name.replace(".", "_"), name.split(".")[-1], name.upper(), name + "_", "", f" {name}"]
    )
    return [*calls[:place], ToolCall(new, calls[place].arguments), *calls[place + 1 :]]


def _positional(calls: list[ToolCall], entry: Entry, rng: Random) -> list[ToolCall]:
    """The first argument without its name, or one more value without a name."""
    if not calls:
        return calls
    arguments = dict(calls[0].arguments)
    value = arguments.pop(next(iter(arguments))) if arguments and rng.random() < 0.5 else 1
    return [ToolCall(calls[0].name, arguments, (value,)), *calls[1:]]


_CALLS: list[Callable[[list[ToolCall], Entry, Random], list[ToolCall]]] = [
    _rename,
    _positional,
    lambda calls, entry, rng: rng.sample(calls, len(calls)),
    lambda calls, entry, rng: calls[::-1],
    lambda calls, entry, rng: calls[:-1],
    lambda calls, entry, rng: [*calls, *calls[:1]],
    lambda calls, entry, rng: [*calls[1:], *calls[-1:]],
    lambda calls, entry, rng: [],
]


def _drop(arguments: Arguments, call: ToolCall, entry: Entry, rng: Random) -> Arguments:
    if arguments:
        del arguments[rng.choice(list(arguments))]
    return arguments


def _add(arguments: Arguments, call: ToolCall, entry: Entry, rng: Random) -> Arguments:
    """A parameter that the function has and the answer leaves out, or one that it does not have."""
    unused = [name for name in _properties(entry, call) if name not in arguments]
    name = rng.choice([*unused, "invented"])
    allowed = [value for value in _allowed(entry, call).get(name, ()) if not isinstance(value, dict)]
    return {**arguments, name: rng.choice([*allowed, "", 1, None, True, [], {}])}


def _misname(arguments: Arguments, call: ToolCall, entry: Entry, rng: Random) -> Arguments:
    if not arguments:
        return arguments
    name = rng.choice(list(arguments))
    return {(f"{key}_" if key == name else key): value for key, value in arguments.items()}


def _reorder(arguments: Arguments, call: ToolCall, entry: Entry, rng: Random) -> Arguments:
    return dict(rng.sample(list(arguments.items()), len(arguments)))


def _swap(arguments: Arguments, call: ToolCall, entry: Entry, rng: Random) -> Arguments:
    if len(arguments) < 2:
        return arguments
    one, other = rng.sample(list(arguments), 2)
    return {**arguments, one: arguments[other], other: arguments[one]}


def _other_allowed(arguments: Arguments, call: ToolCall, entry: Entry, rng: Random) -> Arguments:
    """Another of the values that the ground truth allows, as it stands there."""
    if not arguments:
        return arguments
    name = rng.choice(list(arguments))
    return {**arguments, name: copy.deepcopy(rng.choice([*_allowed(entry, call).get(name, ()), arguments[name]]))}


def _change(arguments: Arguments, call: ToolCall, entry: Entry, rng: Random) -> Arguments:
    if not arguments:
        return arguments
    name = rng.choice(list(arguments))
    change = changed_text if entry.language != "python" and isinstance(arguments[name], str) else changed_value
    return {**arguments, name: change(arguments[name], rng)}


_ARGUMENTS = [_drop, _add, _misname, _reorder, _swap, _other_allowed, *[_change] * 8]


def changed_value(value: Any, rng: Random) -> Any:
    """The value in another type, in another form that may count as equal, or another value."""
    anything = [None, "", 0, 1, 1.0, True, False, [], {}, [value], (value,), {"a": value}, str(value), [[value]]]
    if isinstance(value, str):
        near = [value.upper(), value.title(), f" {value} ", value.replace(" ", ""), value.replace(" ", "_")]
        near += [value.replace(",", ""), f"{value}.", f"{value}!", value.replace("'", '"'), value[:-1], f"{value} x"]
        near += [value.replace("-", "/"), f"^{value}*", value + "é", value.swapcase()]
        return rng.choice(near if rng.random() < 0.75 else anything)
    if isinstance(value, bool):
        return rng.choice([not value, int(value), str(value), str(value).lower(), *anything])
    if isinstance(value, int | float) and abs(value) < 10**300:
        near = [value + 1, -value, float(value), int(value), value + 0.5, value * 10, str(value), bool(value), [value]]
        return rng.choice(near if rng.random() < 0.75 else [*anything, 10**400])
    if isinstance(value, list) and value:
        place = rng.randrange(len(value))
        item = changed_value(value[place], rng)
        near = [value[::-1], value[:-1], [*value, value[0]], tuple(value), [*value[:place], item, *value[place + 1 :]]]
        near += [[None, *value[1:]], ["", *value[1:]], [value], [str(one) for one in value]]
        near += [[*value[:place], item, *value[place + 1 :]]] * 3
        return rng.choice(near if rng.random() < 0.85 else anything)
    if isinstance(value, dict) and value:
        key = rng.choice(list(value))
        rest = {name: item for name, item in value.items() if name != key}
        near = [rest, {**value, "invented": 1}, {**value, key: ""}, {**rest, key.upper(): value[key]}, [value]]
        near += [{**value, key: changed_value(value[key], rng)}] * 4 + [dict(reversed(value.items()))]
        return rng.choice(near if rng.random() < 0.85 else anything)
    return rng.choice(anything)


def changed_text(text: str, rng: Random) -> Any:
    """Java or JavaScript source text of another value, of another type, or written in another way."""
    near = [
        text.upper(),
        f'"{text}"',
        f"'{text}'",
        f" {text}",
        f"{text}L",
        f"{text}f",
        f"{text}n",
        f"{text}.0",
        f"-{text}",
    ]
    near += [text.rstrip("LlfFn"), text.replace(" ", ""), text.replace(", ", " ,  "), text[:-1], text[1:], f"{text}x"]
    near += [text.replace('"', "'"), text.replace('"', ""), text.replace("[", "new Array(").replace("]", ")")]
    near += [text.replace("Arrays.asList(", "").replace("))", ")"), text.replace("<>", "<String>"), f"[{text}]"]
    near += [
        text.replace("asList(", 'asList("z", '),
        text.replace("{", "{ "),
        text.replace("put(", "put( "),
        f"[{text}, 1]",
    ]
    near += [
        "true",
        "null",
        "[]",
        "{}",
        "new ArrayList<>()",
        "new int[]{1, 2}",
        "new HashMap<>()",
        "[[1, 2], [3]]",
        "1e5",
    ]
    near += ['{"a": [1, 2], "b": {"c": 3}, d: "x, y"}', "new ArrayList<>() {{ add(1); add(2); }}", f"new Array({text})"]
    near += [5, True, 1.5, None, [text], {"a": text}]
    return rng.choice(near)


def _properties(entry: Entry, call: ToolCall) -> Mapping[str, Any]:
    return next((f["parameters"]["properties"] for f in entry.functions if f["name"] == call.name), {})


def _allowed(entry: Entry, call: ToolCall) -> Mapping[str, Sequence[Any]]:
    return next((wanted.arguments for wanted in entry.expected if wanted.name == call.name), {})
