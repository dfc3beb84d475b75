"""API-Bank, levels 1 and 2 (Li et al., EMNLP 2023): its dialogues as Examples, and its calls matched by parsing.

An answer is right if it makes the one expected call with the expected values. Nothing is executed: API-Bank's own
accuracy runs the call on its simulated services and forgives what they forgive, so the figures here are lower, most
of all on level 2, where the keywords of a ToolSearcher call have to be the very same. An answer that was cut off at its
token limit is judged by what it says so far. Files: level-1-api.json and
level-2-api.json, lists of {file, id, instruction, input, expected_output}.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

from etils import epath

from itool_jax.data.example import Example, Message
from itool_jax.data.problems import RowError, Rows, expect, read_rows, take
from itool_jax.errors import UserError
from itool_jax.toolcall import (
    Comparison,
    ParsedAnswer,
    Tool,
    ToolCall,
    Unreadable,
    compare,
    parse_calls,
    read_literal,
    tools_from_json,
    write_calls,
)

SOURCE = "api_bank"
LEVELS = {"level_1": "level-1-api.json", "level_2": "level-2-api.json"}
ASK = "Generate API Request:"

_REQUEST, _DESCRIPTIONS = "API-Request: ", "API descriptions:\n"
_SPEAKER = re.compile(r"(User|AI|API-Request): ?")
_YEAR = re.compile(r"The current year is \d+\.")
_CALL = re.compile(r"\[(\w+)\((.*)\)\]", re.DOTALL)
_ARGUMENT = re.compile(r"(\w+)\s*=\s*'(.*?)'(?=\s*,\s*\w+\s*=|\s*\Z)", re.DOTALL)
_LIST_TYPE = re.compile(r"list\((\w+)\)")
_LONGEST = 4_000  # characters of an answer that is read in API-Bank's own form


def read_level(folder: str | os.PathLike[str], level: str) -> tuple[Example, ...]:
    """The examples of a level, `level_1` or `level_2`; UserError where the folder does not hold its file."""
    if level not in LEVELS:
        raise UserError(f"API-Bank has no level {level!r} here: give one of {', '.join(LEVELS)}.")
    path = epath.Path(folder) / LEVELS[level]
    if not path.exists():
        raise UserError(
            f"{path} does not exist: API-Bank's {level} is its file {LEVELS[level]} (api-bank/test-data of its "
            "repository). Put it there, or name its folder in config.evaluate.api_bank."
        )
    return read_file(path).items


def read_file(path: str | os.PathLike[str], *, skip_bad: bool = False) -> Rows[Example]:
    """The examples of a file in API-Bank's layout, in its order; bad rows as `read_rows` treats them."""
    name = os.fspath(path)
    try:
        rows = expect(json.loads(epath.Path(path).read_bytes()), list, "")
    except (ValueError, RecursionError) as error:  # RowError is a ValueError
        raise UserError(f"{name} is no JSON list ({error}): expected API-Bank's rows.") from error
    level = epath.Path(path).name.removesuffix(".json")
    return read_rows(name, enumerate(rows, 1), lambda row: _example(row, level), skip_bad=skip_bad)


def grade(example: Example, text: str) -> Comparison:
    """The answer against the expected call: the same name, parameters and values, as `plain_value` reads them."""
    answer = read_answer(text)
    calls = ParsedAnswer(answer.kind, tuple(map(_plain_call, answer.calls)), answer.problem, answer.position)
    return compare(calls, [_plain_call(call) for call in example.calls], ())


def score(examples: Iterable[Example], answers: Mapping[str, str]) -> dict[str, bool]:
    """Whether each answer is right, by example id, for the examples that are answered."""
    return {one.id: grade(one, answers[one.id]).right for one in examples if one.id in answers}


def read_answer(text: str) -> ParsedAnswer:
    """The calls of an answer in any form that parse_calls reads, or in API-Bank's, whose quotes may hold quotes."""
    answer = parse_calls(text)
    call = _api_bank_call(text) if answer.kind == "malformed" and len(text) <= _LONGEST else None
    return ParsedAnswer("calls", (call,)) if call else answer


def plain_value(value: Any) -> Any:
    """A value as it compares: text that is a literal counts as that literal, as `5` for `'5'` and lists in quotes."""
    if not isinstance(value, str):
        return value
    try:
        return read_literal(value)
    except Unreadable:
        return value.strip()


def _plain_call(call: ToolCall) -> ToolCall:
    return ToolCall(call.name, {name: plain_value(value) for name, value in call.arguments.items()}, call.positional)


def _api_bank_call(text: str) -> ToolCall | None:
    """The call of `[Name(a='x', b='[{'c': 'd'}]')]`: a value ends at the quote before `, name=` or the end."""
    match = _CALL.search(text)
    if match is None:
        return None
    arguments = {found[1]: found[2] for found in _ARGUMENT.finditer(match[2])}
    return ToolCall(match[1], arguments) if arguments or not match[2].strip() else None


def _example(row: Any, level: str) -> Example:
    expect(row, dict, "")
    instruction = take(row, "instruction", str)
    call = read_answer(take(row, "expected_output", str).removeprefix(_REQUEST)).calls
    if len(call) != 1:
        raise RowError("expected_output", f"expected one call, found {row['expected_output']!r}")
    year = _YEAR.search(instruction)
    system = [Message("system", year[0])] if year else []
    return Example(
        id=f"{SOURCE}/{level}/{take(row, 'file', str).removesuffix('.jsonl')}/{take(row, 'id', int)}",
        tools=_tools(instruction),
        messages=(*system, *_messages(take(row, "input", str)), Message("user", ASK)),
        answer=write_calls(call),
        calls=call,
        source=SOURCE,
        meta={"level": level},
    )


def _tools(instruction: str) -> tuple[Tool, ...]:
    _, found, listing = instruction.partition(_DESCRIPTIONS)
    if not found:
        raise RowError("instruction", f"no {_DESCRIPTIONS.strip()!r} in it")
    described = []
    for line in listing.strip().split("\n"):
        try:
            api = json.loads(line)
            parameters = {name: _schema(schema) for name, schema in api["input_parameters"].items()}
            described.append({"name": api["name"], "description": api["description"], "parameters": parameters})
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise RowError(
                "instruction", f"an API description that cannot be read ({error!r}): {line[:80]!r}"
            ) from error
    try:
        return tools_from_json(described)
    except UserError as error:
        raise RowError("instruction", str(error)) from error


def _schema(schema: dict[str, Any]) -> dict[str, Any]:
    return {**schema, "type": _LIST_TYPE.sub(r"List[\1]", str(schema.get("type", "str")))}


def _messages(dialogue: str) -> list[Message]:
    """The lines of a dialogue: what was said, and calls with the results after `->`."""
    turns: list[list[str]] = []
    for line in dialogue.strip().removesuffix(ASK).strip().split("\n"):
        speaker = _SPEAKER.match(line)
        if speaker:
            turns.append([speaker[1], line[speaker.end() :]])
        elif turns:
            turns[-1][1] += f"\n{line}"
        else:
            raise RowError("input", f"expected a line of User, AI or API-Request, found {line[:80]!r}")
    messages = []
    for speaker, text in turns:
        if speaker == "API-Request":
            request, _, result = text.partition(")]->")
            calls = read_answer(f"{request})]").calls
            messages += [Message("assistant", write_calls(calls), calls), Message("tool", result)]
        else:
            messages.append(Message("user" if speaker == "User" else "assistant", text))
    return messages
