"""Argument values against each other and against a parameter's JSON-Schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Schema = Mapping[str, Any]


def same_value(expected: Any, given: Any, schema: Any = None) -> bool:
    """Whether two JSON values are equal: strings exactly, booleans never numbers.

    An integer equals a float of the same value unless the schema's type is "integer". Lists compare item by item under
    `items`, dicts key by key under `properties`.
    """
    if isinstance(expected, bool) or isinstance(given, bool):
        return expected is given
    if isinstance(expected, int | float) and isinstance(given, int | float):
        comparable = type(expected) is type(given) or _allows_float(schema)
        return comparable and expected == given
    if isinstance(expected, list | tuple) and isinstance(given, list | tuple):
        items = _part(schema, "items")
        return len(expected) == len(given) and all(
            same_value(a, b, items) for a, b in zip(expected, given, strict=True)
        )
    if isinstance(expected, Mapping) and isinstance(given, Mapping):
        properties = _part(schema, "properties")
        return expected.keys() == given.keys() and all(
            same_value(value, given[key], _part(properties, key)) for key, value in expected.items()
        )
    return type(expected) is type(given) and expected == given


def conforms(value: Any, schema: Any) -> bool:
    """Whether the value has the schema's type, those of items and properties included.

    An enum is a matter of value, not of type. To a type that the schema leaves out or that is not JSON-Schema's
    everything conforms. 3.0 is no "integer".
    """
    if not isinstance(schema, Mapping):
        return True
    for key in ("anyOf", "oneOf"):
        options = schema.get(key)
        if isinstance(options, Sequence) and options and not any(conforms(value, option) for option in options):
            return False
    types = _types(schema)
    if types and not any(_is(value, kind) for kind in types):
        return False
    if isinstance(value, list | tuple):
        return all(conforms(item, _part(schema, "items")) for item in value)
    if isinstance(value, Mapping):
        properties = _part(schema, "properties")
        return all(conforms(item, _part(properties, key)) for key, item in value.items())
    return True


def same_kind(first: Any, second: Any) -> bool:
    """Whether two values are of one JSON type, integers and floats being numbers."""
    return json_kind(first) == json_kind(second)


def json_kind(value: Any) -> str:
    """The JSON type of a value: null, boolean, number, string, array or object."""
    if value is None:
        return "null"
    for kind in ("boolean", "number", "string", "array", "object"):
        if _is(value, kind):
            return kind
    raise TypeError(f"{type(value).__name__} is no JSON value")


def _is(value: Any, kind: str) -> bool:
    match kind:
        case "null":
            return value is None
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "string":
            return isinstance(value, str)
        case "array":
            return isinstance(value, list | tuple)
        case "object":
            return isinstance(value, Mapping)
    return True


def _types(schema: Schema) -> tuple[str, ...]:
    kind = schema.get("type")
    kinds = (kind,) if isinstance(kind, str) else tuple(kind) if isinstance(kind, list | tuple) else ()
    return tuple(name for name in kinds if isinstance(name, str))


def _allows_float(schema: Any) -> bool:
    types = _types(schema) if isinstance(schema, Mapping) else ()
    return "integer" not in types or "number" in types


def _part(schema: Any, key: str) -> Any:
    return schema.get(key) if isinstance(schema, Mapping) else None
