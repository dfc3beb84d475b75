"""Schema-Guided Dialogue (github google-research-datasets/dstc8-schema-guided-dialogue): services as tools.

    SPLIT/schema.json
      [{"service_name": ..., "slots": [{"name", "description", "is_categorical", "possible_values"}],
        "intents": [{"name", "description", "required_slots": [...], "optional_slots": {name: default}}]}]
    SPLIT/dialogues_001.json
      [{"dialogue_id": ..., "services": [...], "turns": [{"speaker": "SYSTEM", "utterance": ..., "frames": [
         {"service": ..., "service_call": {"method", "parameters"}, "service_results": [...]}]}]}]

Both may be gzipped. The intents of a dialogue's services are its tools, under their own names; where two services have
an intent of one name, as SERVICE.INTENT. A turn of the system that calls a service becomes three: the call, the tool's
results as JSON, and the words. Categorical slots become enums, of integers where all values are, or booleans; the
default "dontcare" of optional slots, which no call ever gives, is left out. The dialogues all take place on one day,
without which no date of a call could be known: a system message tells it.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from etils import epath

from itool_jax.data.example import Example
from itool_jax.data.jsonl import parse_json
from itool_jax.data.problems import RowError, expect, take
from itool_jax.data.sources.conversation import Turn, conversation_examples
from itool_jax.data.sources.labels import fit_calls
from itool_jax.data.sources.rows import numbered_rows
from itool_jax.data.sources.source import Row, Source
from itool_jax.errors import UserError
from itool_jax.toolcall.types import Parameter, Tool, ToolCall

_NO_WISH = "dontcare"
_TODAY = "Today is Friday, 2019-03-01."
_DATE_OR_TIME = re.compile(r"\d{4}-\d\d-\d\d|\d\d:\d\d")


@dataclass(frozen=True)
class Schemas:
    """What stands beside the dialogues of a folder.

    split   the folder's name
    tools   by service, its intents
    seen    the services that the folder "train" beside this one describes; None where there is none
    """

    split: str
    tools: Mapping[str, tuple[Tool, ...]]
    seen: frozenset[str] | None


def examples(row: Row) -> list[Example]:
    """An example per turn of the system and per service call, ids sgd/SPLIT/DIALOGUE/TURN (from 1).

    `meta["unseen_services"]` names the dialogue's services that the training split does not have, where that is known.
    A note `not_said NAME` marks a value of a call that nobody said before it as it stands there, such as "New York" for
    "NYC"; dates, times and the values of enums are not looked at.
    """
    value, schemas = expect(row.value, dict, ""), row.context
    dialogue = take(value, "dialogue_id", str)
    services = list(dict.fromkeys(expect(name, str, "services") for name in take(value, "services", list)))
    tools = _candidates(services, schemas)
    turns = [Turn("system", _TODAY, "turns")]
    for i, turn in enumerate(take(value, "turns", list)):
        turns += _turns(expect(turn, dict, f"turns[{i}]"), tools, turns, f"turns[{i}]")
    meta: dict[str, Any] = {"conversation": dialogue}
    if schemas.seen is not None:
        meta["unseen_services"] = [service for service in services if service not in schemas.seen]
    name = f"sgd/{schemas.split}/{dialogue}"
    return conversation_examples(turns, tuple(tools.values()), name=name, source="sgd", meta=meta)


def read_schemas(file: epath.Path | None) -> Schemas:
    """The schema.json beside a file of dialogues, and the services of the training split's."""
    if file is None:
        raise UserError("SGD is read from its own files, not from the hub: its dialogues need schema.json beside them.")
    folder = file.parent
    found = _schema_file(folder)
    if found is None:
        raise UserError(f"{folder} has no schema.json or schema.json.gz, which the dialogues in it need.")
    train = _schema_file(folder.parent / "train")
    services = _services(found)
    return Schemas(folder.name, services, None if train is None else frozenset(_services(train)))


SOURCE = Source(examples, files=("dialogues_*.json",), context=read_schemas, ids_in_rows=True)


def _schema_file(folder: epath.Path) -> epath.Path | None:
    return next((folder / name for name in ("schema.json", "schema.json.gz") if (folder / name).exists()), None)


def _services(file: epath.Path) -> dict[str, tuple[Tool, ...]]:
    services = {}
    for number, text in numbered_rows(file):
        try:
            row = expect(parse_json(text), dict, "")
            services[take(row, "service_name", str)] = tuple(_tools(row))
        except RowError as error:
            raise UserError(f"{file}, service {number}: {error}. Fetch the file again.") from error
    return services


def _tools(service: Mapping[str, Any]) -> list[Tool]:
    slots = [expect(slot, dict, "slots") for slot in take(service, "slots", list)]
    schemas = {take(slot, "name", str, within="slots"): _schema(slot) for slot in slots}
    tools = []
    for i, intent in enumerate(take(service, "intents", list)):
        within = f"intents[{i}]"
        expect(intent, dict, within)
        optional = take(intent, "optional_slots", dict, within=within)
        required = take(intent, "required_slots", list, within=within)
        wanted = [(expect(name, str, f"{within}.required_slots"), True) for name in required]
        wanted += [(name, False) for name in optional]
        if unknown := [name for name, _ in wanted if name not in schemas]:
            raise RowError(within, f"{unknown[0]!r} is no slot of the service")
        parameters = []
        for name, required in wanted:
            schema = dict(schemas[name])
            if optional.get(name, _NO_WISH) != _NO_WISH:
                schema["default"] = _value(optional[name], schema)
            parameters.append(Parameter(name, schema, required))
        name, text = take(intent, "name", str, within=within), take(intent, "description", str, within=within)
        tools.append(Tool(name, text, tuple(parameters)))
    return tools


def _schema(slot: Mapping[str, Any]) -> dict[str, Any]:
    description = {"description": take(slot, "description", str, within="slots")}
    values = take(slot, "possible_values", list, within="slots") if slot.get("is_categorical") else []
    values = [expect(value, str, "slots.possible_values") for value in values]
    if set(values) == {"True", "False"}:
        return {"type": "boolean", **description}
    if values and all(value.isdecimal() for value in values):
        return {"type": "integer", **description, "enum": [int(value) for value in values]}
    return {"type": "string", **description, **({"enum": values} if values else {})}


def _value(text: Any, schema: Mapping[str, Any]) -> Any:
    if schema["type"] == "boolean" and text in ("True", "False"):
        return text == "True"
    return int(text) if schema["type"] == "integer" and isinstance(text, str) and text.isdecimal() else text


def _candidates(services: Sequence[str], schemas: Schemas) -> dict[tuple[str, str], Tool]:
    """The tools by service and intent."""
    if unknown := [service for service in services if service not in schemas.tools]:
        raise RowError("services", f"{unknown[0]!r} is not in the schema of {schemas.split}")
    names = Counter(tool.name for service in services for tool in schemas.tools[service])
    return {
        (service, tool.name): tool if names[tool.name] == 1 else replace(tool, name=f"{service}.{tool.name}")
        for service in services
        for tool in schemas.tools[service]
    }


def _turns(
    turn: Mapping[str, Any], tools: Mapping[tuple[str, str], Tool], before: Sequence[Turn], within: str
) -> list[Turn]:
    speaker, text = take(turn, "speaker", str, within=within), take(turn, "utterance", str, within=within)
    said = f"{within}.utterance"
    if speaker not in ("USER", "SYSTEM"):
        raise RowError(f"{within}.speaker", f"expected USER or SYSTEM, found {speaker[:20]!r}")
    if speaker == "USER":
        return [Turn("user", text, said)]
    calls, results = [], []
    for i, frame in enumerate(take(turn, "frames", list, within=within)):
        if "service_call" in expect(frame, dict, f"{within}.frames[{i}]"):
            calls.append(_call(frame, tools, f"{within}.frames[{i}]"))
            results.append(take(frame, "service_results", list, within=f"{within}.frames[{i}]"))
    if not calls:
        return [Turn("assistant", text, said)]
    fitted, notes = fit_calls(calls, list(tools.values()), f"{within}.service_call")
    notes += _not_said(fitted, list(tools.values()), before)
    answered = [Turn("tool", json.dumps(result, ensure_ascii=False), within) for result in results]
    return [Turn("assistant", "", within, fitted, tuple(notes)), *answered, Turn("assistant", text, said)]


def _not_said(calls: Sequence[ToolCall], tools: Sequence[Tool], before: Sequence[Turn]) -> list[str]:
    enums = {(tool.name, p.name) for tool in tools for p in tool.parameters if p.enum is not None}
    values = {
        name: value.lower()
        for call in calls
        for name, value in call.arguments.items()
        if isinstance(value, str) and (call.name, name) not in enums and not _DATE_OR_TIME.fullmatch(value)
    }
    said = "\n".join(turn.text for turn in before).lower() if values else ""
    return [f"not_said {name}" for name, value in values.items() if value not in said]


def _call(frame: Mapping[str, Any], tools: Mapping[tuple[str, str], Tool], within: str) -> ToolCall:
    call = take(frame, "service_call", dict, within=within)
    within_call = f"{within}.service_call"
    method, given = take(call, "method", str, within=within_call), take(call, "parameters", dict, within=within_call)
    tool = tools.get((take(frame, "service", str, within=within), method))
    if tool is None:
        raise RowError(f"{within_call}.method", f"{method[:60]!r} is no intent of the service")
    known = {parameter.name: parameter.schema for parameter in tool.parameters}
    return ToolCall(tool.name, {k: _value(v, known[k]) if k in known else v for k, v in given.items()})
