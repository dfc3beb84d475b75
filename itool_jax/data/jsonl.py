"""Examples as JSON Lines: one object a line, read strictly and written atomically.

    {"id": "mine/1", "tools": [OpenAI-style function schemas], "messages": [{"role": "user", "content": "..."}],
     "answer": "[f(a=1)]", "calls": [{"name": "f", "arguments": {"a": 1}}], "source": "mine", "meta": {}}

`calls`, `source` and `meta` may be left out: the calls are then read from the answer.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from typing import IO, Any, get_args

from etils import epath

from itool_jax.data.example import Example, Message, Role
from itool_jax.data.problems import RowError, describe, expect, take
from itool_jax.errors import UserError
from itool_jax.toolcall import parse_calls, tool_to_json, tools_from_json
from itool_jax.toolcall.types import Tool, ToolCall

_FIELDS = ("id", "tools", "messages", "answer", "calls", "source", "meta")
_ROLES = get_args(Role)


def write_examples(path: str | os.PathLike[str], examples: Iterable[Example]) -> int:
    """Writes a file whole or not at all (a temporary name, then a rename); returns the number of examples.

    One whose name ends in .gz is packed.
    """
    target = epath.Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f"{target.name}.tmp{os.getpid()}")
    count = 0
    try:
        with temporary.open("wb") as raw, _packed(raw) if target.suffix == ".gz" else nullcontext(raw) as file:
            for count, example in enumerate(examples, 1):  # noqa: B007
                line = json.dumps(example_to_json(example), ensure_ascii=False, allow_nan=False) + "\n"
                file.write(line.encode())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return count


def content_digest(example: Example) -> bytes:
    """Eight bytes that two examples share if their tools, messages and answers are equal."""
    row = example_to_json(example)
    content = json.dumps([row["tools"], row["messages"], row["answer"]], sort_keys=True)
    return hashlib.blake2b(content.encode(), digest_size=8).digest()


def example_to_json(example: Example) -> dict[str, Any]:
    """The example as one JSON object, keys in a fixed order."""
    return {
        "id": example.id,
        "tools": [_tool_to_json(tool) for tool in example.tools],
        "messages": [{"role": message.role, "content": message.content} for message in example.messages],
        "answer": example.answer,
        "calls": [_call_to_json(call) for call in example.calls],
        "source": example.source,
        "meta": dict(example.meta),
    }


def example_from_json(row: Any) -> Example:
    """The inverse of `example_to_json`; raises RowError that names the field that is missing, unknown or wrong."""
    expect(row, dict, "")
    for name in row:
        if name not in _FIELDS:
            raise RowError(name, f"unknown field; known are {', '.join(_FIELDS)}")
    answer = take(row, "answer", str)
    return Example(
        id=_filled(take(row, "id", str), "id"),
        tools=_tools(take(row, "tools", list)),
        messages=_messages(take(row, "messages", list)),
        answer=answer,
        calls=_calls(row, answer, "answer"),
        source=expect(row.get("source", ""), str, "source"),
        meta=expect(row.get("meta", {}), dict, "meta"),
    )


def parse_json(line: bytes) -> Any:
    """One line as a JSON value; raises RowError on bad UTF-8, NaN, repeated keys, lone surrogates and deep nesting."""
    try:
        text = line.decode("utf-8-sig")
        value = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_object)
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeDecodeError as error:
        raise RowError("", f"not UTF-8 at byte {error.start}") from error
    except UnicodeEncodeError as error:
        raise RowError("", "a string holds half of a surrogate pair (\\ud800 to \\udfff), which is no text") from error
    except RecursionError as error:
        raise RowError("", "nested too deeply to be read") from error
    except json.JSONDecodeError as error:
        raise RowError("", f"not JSON: {error.msg} at column {error.colno}") from error
    except RowError:
        raise
    except ValueError as error:
        raise RowError("", f"not JSON that can be read: {error}") from error
    return value


def parse_json_text(text: str, field: str) -> Any:
    """JSON that stands as text in the row's `field`; raises RowError as `parse_json` does, at that field."""
    try:
        return parse_json(text.encode())
    except UnicodeEncodeError as error:
        raise RowError(field, "half of a surrogate pair, which is no text") from error
    except RowError as error:
        raise RowError(field, str(error)) from error


def _packed(file: IO[bytes]) -> gzip.GzipFile:
    """Without name and time, so that equal examples make equal files."""
    return gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0)


def _refuse_constant(name: str) -> None:
    raise RowError("", f"{name} is no JSON number")


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        names = [name for name, _ in pairs]
        raise RowError(next(name for name in names if names.count(name) > 1), "the name stands twice in one object")
    return value


def _filled(text: str, field: str) -> str:
    if not text:
        raise RowError(field, "empty; expected a text")
    return text


def _tools(rows: Sequence[Any]) -> tuple[Tool, ...]:
    tools: list[Tool] = []
    for i, row in enumerate(rows):
        try:
            tools += tools_from_json([expect(row, dict, f"tools[{i}]")])
        except RowError:
            raise
        except (UserError, ValueError) as error:
            raise RowError(f"tools[{i}]", str(error)) from error
        if tools[-1].name in {tool.name for tool in tools[:-1]}:
            raise RowError(f"tools[{i}]", f"a second tool named {describe(tools[-1].name)}")
    return tuple(tools)


def _messages(rows: Sequence[Any]) -> tuple[Message, ...]:
    messages = []
    for i, row in enumerate(rows):
        within = f"messages[{i}]"
        expect(row, dict, within)
        role, content = take(row, "role", str, within=within), take(row, "content", str, within=within)
        if role not in _ROLES:
            raise RowError(f"{within}.role", f"expected one of {', '.join(_ROLES)}, found {describe(role)}")
        calls = _calls(row, content, "content", f"{within}.") if role == "assistant" else ()
        messages.append(Message(role, content, calls))
    if not messages or messages[-1].role not in ("user", "tool"):
        found = f"one of the {messages[-1].role}" if messages else "none"
        raise RowError("messages", f"expected a last message of the user or a tool, found {found}")
    return tuple(messages)


def _calls(row: Mapping[str, Any], text: str, field: str, within: str = "") -> tuple[ToolCall, ...]:
    """The calls of a turn, read from its text under `field`; where the row lists them too, they must be the same."""
    parsed = parse_calls(text)
    if parsed.kind == "malformed":
        raise RowError(
            f"{within}{field}", f"calls that cannot be read: {parsed.problem} at character {parsed.position}"
        )
    if "calls" not in row:
        return parsed.calls
    listed = expect(row["calls"], list, f"{within}calls")
    calls = tuple(_call(call, f"{within}calls[{i}]") for i, call in enumerate(listed))
    if _canonical(calls) != _canonical(parsed.calls):
        raise RowError(f"{within}calls", f"differ from the calls in the {field} {describe(text)}")
    return calls


def _call(row: Any, within: str) -> ToolCall:
    expect(row, dict, within)
    name, arguments = take(row, "name", str, within=within), take(row, "arguments", dict, within=within)
    return ToolCall(name, arguments, tuple(expect(row.get("positional", []), list, f"{within}.positional")))


def _tool_to_json(tool: Tool) -> dict[str, Any]:
    return tool_to_json(tool) | ({"results": list(tool.results)} if tool.results else {})


def _call_to_json(call: ToolCall) -> dict[str, Any]:
    row: dict[str, Any] = {"name": call.name, "arguments": dict(call.arguments)}
    return row | {"positional": list(call.positional)} if call.positional else row


def _canonical(calls: Sequence[ToolCall]) -> str:
    return json.dumps([_call_to_json(call) for call in calls], sort_keys=True)
