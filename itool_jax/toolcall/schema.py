"""Tools from the JSON that data sources carry, and back to JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from itool_jax.errors import UserError
from itool_jax.toolcall.references import References
from itool_jax.toolcall.signature import signature
from itool_jax.toolcall.types import Parameter, Tool

_JSON_TYPES = {
    **dict.fromkeys(("string", "str", "text", "char"), "string"),
    **dict.fromkeys(("integer", "int", "long", "short", "byte"), "integer"),
    **dict.fromkeys(("number", "float", "double"), "number"),
    **dict.fromkeys(("boolean", "bool"), "boolean"),
    **dict.fromkeys(("array", "list", "tuple", "set", "sequence", "iterable", "arraylist"), "array"),
    **dict.fromkeys(("object", "dict", "mapping", "map", "hashmap"), "object"),
    **dict.fromkeys(("null", "none", "nonetype"), "null"),
}
_FORMATS = {"date": "date", "datetime": "date-time", "time": "time", "email": "email", "url": "uri", "uri": "uri"}
_SCHEMA_KEYS = ("items", "additionalProperties", "not")
_SCHEMA_LIST_KEYS = ("anyOf", "oneOf", "allOf", "prefixItems")
_MAX_DEPTH = 32


def tools_from_json(objs: Iterable[Any] | Mapping[str, Any]) -> tuple[Tool, ...]:
    """Tools from OpenAI tools, ToolACE and BFCL function lists, xLAM lists, or a single one of them.

    The parameters stand under `parameters`, `input_schema` or `inputSchema`, as a JSON-Schema object or as a plain
    mapping of names to schemas. Type names of Python and Java (`dict`, `str`, `List[int]`, "str, optional") become
    JSON-Schema's, at every depth; a type unknown to it moves to `x-type`. `$ref` into `$defs` or `definitions` is
    replaced by what it points to, within the bounds of `references.References`, and an `allOf` of one by its part.
    Everything else of a schema is kept; a list of names under `results` becomes the tool's. Raises UserError with the
    place of a description that cannot be read.
    """
    if isinstance(objs, Mapping):
        objs = [objs]
    if isinstance(objs, str) or not isinstance(objs, Iterable):
        raise UserError(f"Tools: expected a list of tool descriptions, found {type(objs).__name__}.")
    return tuple(_tool(obj, f"tool {place}") for place, obj in enumerate(objs))


def tool_to_json(tool: Tool) -> dict[str, Any]:
    """The tool as an OpenAI-style function description; tools_from_json reads the same tool back, but for `results`.

    Those are not for the model: that it can see what a tool returns is for the description to say.
    """
    properties = {parameter.name: dict(parameter.schema) for parameter in tool.parameters}
    required = [parameter.name for parameter in tool.parameters if parameter.required]
    parameters = {"type": "object", "properties": properties, "required": required}
    return {"name": tool.name, "description": tool.description, "parameters": parameters}


def _tool(obj: Any, where: str) -> Tool:
    if isinstance(obj, Mapping) and isinstance(obj.get("function"), Mapping):
        obj = obj["function"]
    if not isinstance(obj, Mapping):
        raise UserError(f"{where}: expected a JSON object that describes a function, found {_shown(obj)}.")
    name = obj.get("name")
    if not isinstance(name, str) or not name:
        raise UserError(f"{where}, field name: expected the function's name, found {_shown(name)}.")
    where = f"{where} ({name!r})"
    keys = ("parameters", "input_schema", "inputSchema")
    schema = next((obj[key] for key in keys if obj.get(key) is not None), {})
    if not isinstance(schema, Mapping):
        raise UserError(f"{where}, field parameters: expected a JSON object, found {_shown(schema)}.")
    results = obj.get("results")
    names = tuple(results) if isinstance(results, list | tuple) and all(isinstance(n, str) for n in results) else ()
    tool = Tool(name, _text(obj.get("description")), _parameters(schema, obj.get("required"), where), names)
    try:
        signature(tool)
    except ValueError as error:
        raise UserError(f"{where}: a default or enum value cannot be written: {error}.") from error
    return tool


def _parameters(schema: Mapping[str, Any], outer_required: Any, where: str) -> tuple[Parameter, ...]:
    references = References(schema, where)
    schema, _ = references.resolve(schema)
    is_schema = _is_object_schema(schema)
    properties = (schema.get("properties") or {}) if is_schema else schema
    if not isinstance(properties, Mapping):
        raise UserError(f"{where}, field properties: expected a JSON object, found {_shown(properties)}.")
    required = schema.get("required") if is_schema else None
    required = outer_required if required is None else required
    if required is not None and not (isinstance(required, list | tuple) and all(isinstance(n, str) for n in required)):
        raise UserError(f"{where}, field required: expected a list of parameter names, found {_shown(required)}.")
    names = [*properties, *(name for name in required or () if name not in properties)]
    parameters = []
    for name in names:
        field = properties.get(name, {})
        if not isinstance(field, Mapping):
            raise UserError(f"{where}, parameter {name!r}: expected a JSON object, found {_shown(field)}.")
        needed = name in required if required is not None else not is_schema and _needed_by_itself(field)
        if isinstance(field.get("required"), bool):
            needed = field["required"]
            field = {key: value for key, value in field.items() if key != "required"}
        parameters.append(
            Parameter(name, _normal(field, 0, replace(references, where=f"{where}, parameter {name!r}")), needed)
        )
    return tuple(parameters)


def _is_object_schema(schema: Mapping[str, Any]) -> bool:
    """Whether this is a JSON-Schema object, rather than a plain mapping of parameter names to schemas."""
    if not schema or isinstance(schema.get("type"), str):
        return True
    properties = schema.get("properties")
    names_a_parameter = isinstance(properties, Mapping) and isinstance(properties.get("type"), str)
    return "properties" in schema and not names_a_parameter


def _needed_by_itself(field: Mapping[str, Any]) -> bool:
    """Whether a parameter of a plain mapping, which has no list of required names, must be given."""
    kind = field.get("type")
    optional = isinstance(kind, str) and "optional" in kind.lower()
    return not optional and "default" not in field


def _normal(schema: Any, depth: int, references: References) -> Any:
    """The schema with JSON-Schema's type names and without references at every depth.

    Deeper than the bound it stays as it is, but a reference may not lead there.
    """
    if not isinstance(schema, Mapping):
        return schema
    if depth > _MAX_DEPTH:
        if references.path:
            raise UserError(f"{references.where}: references that lead deeper than {_MAX_DEPTH} levels.")
        return schema
    schema, references = references.resolve(schema)
    normal: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "type" and isinstance(value, str):
            normal.update((k, v) for k, v in _type_schema(value, 0).items() if k == "type" or k not in schema)
        elif key == "type" and isinstance(value, list | tuple):
            normal[key] = [_type_schema(k, 0).get("type", k) if isinstance(k, str) else k for k in value]
        else:
            normal[key] = value
    for key in _SCHEMA_KEYS:
        if key in normal:
            normal[key] = _normal(normal[key], depth + 1, references)
    for key in _SCHEMA_LIST_KEYS:
        if isinstance(normal.get(key), list | tuple):
            normal[key] = [_normal(part, depth + 1, references) for part in normal[key]]
    if isinstance(normal.get("properties"), Mapping):
        properties = normal["properties"].items()
        normal["properties"] = {name: _normal(part, depth + 1, references) for name, part in properties}
    return normal


def _type_schema(kind: str, depth: int) -> dict[str, Any]:
    """A type's name in any of the sources' notations, such as `Optional[List[int]]` or "str, optional", as a schema."""
    text = re.sub(r"\boptional$", "", kind.strip(), flags=re.IGNORECASE).rstrip(" ,\t\r\n")
    head, bracket, inner = text.partition("[")
    head = head.strip().lower().removeprefix("typing.")
    parts = _split_arguments(inner[:-1]) if bracket and inner.endswith("]") else []
    if head in ("any", "") and text:
        return {}
    if head in _JSON_TYPES:
        items = parts and _JSON_TYPES[head] == "array" and depth < _MAX_DEPTH and _type_schema(parts[0], depth + 1)
        return {"type": _JSON_TYPES[head], **({"items": items} if items else {})}
    if head in ("optional", "union") and parts and depth < _MAX_DEPTH:
        options = [_type_schema(part, depth + 1) for part in parts]
        return options[0] if len(options) == 1 else {"anyOf": options}
    if head in _FORMATS:
        return {"type": "string", "format": _FORMATS[head]}
    return {"x-type": kind}


def _split_arguments(text: str) -> list[str]:
    """`int, List[str]` at its top-level commas."""
    parts, depth = [""], 0
    for character in text:
        depth += (character == "[") - (character == "]")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts if part.strip()]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)


def _shown(value: Any) -> str:
    return "nothing" if value is None else ascii(value)[:80]
