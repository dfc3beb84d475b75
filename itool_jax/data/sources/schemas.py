"""Tool schemas of the sources in JSON-Schema's own terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from itool_jax.data.problems import RowError, describe, expect, take
from itool_jax.toolcall.types import Parameter, Tool

JSON_TYPES: Mapping[str, str] = {
    "str": "string",
    "string": "string",
    "int": "integer",
    "integer": "integer",
    "float": "number",
    "number": "number",
    "bool": "boolean",
    "boolean": "boolean",
    "list": "array",
    "tuple": "array",
    "array": "array",
    "dict": "object",
    "object": "object",
    "null": "null",
}
_DEEPEST = 20


def read_tool(name: str, description: str, properties: Any, required: Any, within: str) -> Tool:
    """A tool from its JSON parts; raises RowError where a part has another shape or requires an unknown parameter."""
    if not name.strip():
        raise RowError(f"{within}.name", "empty; expected the tool's name")
    expect(properties, dict, f"{within}.parameters")
    needed = expect([] if required is None else required, list, f"{within}.required")
    for parameter in needed:
        if parameter not in list(properties):
            known = ", ".join(map(str, properties)) or "none"
            raise RowError(f"{within}.required", f"{describe(parameter)} is not among the parameters: {known}")
    parameters = tuple(
        Parameter(
            expect(key, str, f"{within}.parameters"), _json_schema(value, f"{within}.parameters.{key}"), key in needed
        )
        for key, value in properties.items()
    )
    return Tool(name, description, parameters)


def read_openai_tool(row: Any, within: str) -> Tool:
    """A tool from {"name", "description", "parameters": {"properties", "required"}}, or that under "function"."""
    expect(row, dict, within)
    row = expect(row.get("function", row), dict, f"{within}.function")
    body = expect(row.get("parameters") or {}, dict, f"{within}.parameters")
    return read_tool(
        take(row, "name", str, within=within),
        expect(row.get("description") or "", str, f"{within}.description"),
        body.get("properties") or {},
        body.get("required") or [],
        within,
    )


def check_names(tools: Sequence[Tool], field: str) -> None:
    """Raises RowError where two candidates have one name: a call could not tell them apart."""
    names = [tool.name for tool in tools]
    for name in names:
        if names.count(name) > 1:
            raise RowError(field, f"{names.count(name)} candidate tools are named {describe(name)}")


def _json_schema(schema: Any, within: str, depth: int = 0) -> dict[str, Any]:
    """The schema with JSON-Schema's type names; a type that has none there moves to `source_type`."""
    expect(schema, dict, within)
    if depth > _DEEPEST:
        raise RowError(within, f"a schema nested more than {_DEEPEST} deep")
    converted = {}
    for key, value in schema.items():
        if key == "type":
            converted |= _type(value)
        elif key == "items" and isinstance(value, dict):
            converted[key] = _json_schema(value, f"{within}.items", depth + 1)
        elif key == "properties" and isinstance(value, dict):
            converted[key] = {
                name: _json_schema(part, f"{within}.properties.{name}", depth + 1) for name, part in value.items()
            }
        else:
            converted[key] = value
    return converted


def _type(value: Any) -> dict[str, Any]:
    if isinstance(value, str) and value.lower() in JSON_TYPES:
        return {"type": JSON_TYPES[value.lower()]}
    if isinstance(value, list) and all(isinstance(name, str) and name.lower() in JSON_TYPES for name in value):
        return {"type": [JSON_TYPES[name.lower()] for name in value]}
    return {"source_type": value}
