"""A tool as one compact line, for prompts where every token counts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from itool_jax.toolcall.types import Parameter, Tool
from itool_jax.toolcall.write import write_key, write_literal, write_name

_MAX_DEPTH = 32
_COMPACT_TYPES = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "object": "dict"}
_PLAIN_WORD = re.compile(r"[^\W\d][\w-]*")
_RESERVED_WORDS = {*_COMPACT_TYPES.values(), "any", "null", "None", "True", "False", "true", "false"}


def signature(tool: Tool) -> str:
    """The tool as one line: `name(city:str, days:int=3, unit:c|f="c", tags:[str], note?:str, spot:{x:float, y?:int})`.

    A required parameter has no mark, an optional one `=default`, or `?` where it has no default. Types: str, int,
    float, bool, null, any, dict, `[item]`, `{key:type}`, alternatives and enum values joined by `|`, enum strings
    quoted where they are not plain words. Names are written as write_calls writes them.
    """
    return f"{write_name(tool.name)}({', '.join(map(_compact_parameter, tool.parameters))})"


def type_text(schema: Any) -> str:
    """What a schema allows, as signatures write it."""
    return _compact_type(schema, 0)


def _compact_parameter(parameter: Parameter) -> str:
    text = write_key(parameter.name)
    if parameter.required:
        return f"{text}:{_compact_type(parameter.schema, 0)}"
    if "default" not in parameter.schema:
        return f"{text}?:{_compact_type(parameter.schema, 0)}"
    return f"{text}:{_compact_type(parameter.schema, 0)}={write_literal(parameter.schema['default'])}"


def _compact_type(schema: Any, depth: int) -> str:
    if not isinstance(schema, Mapping) or depth > _MAX_DEPTH:
        return "any"
    if isinstance(values := schema.get("enum"), list | tuple) and values:
        return "|".join(map(_compact_value, values))
    for key in ("anyOf", "oneOf"):
        if isinstance(options := schema.get(key), list | tuple) and options:
            return "|".join(dict.fromkeys(_compact_type(option, depth + 1) for option in options))
    kind = schema.get("type")
    if isinstance(kind, list | tuple) and kind:
        return "|".join(_compact_type({**schema, "type": name}, depth + 1) for name in kind)
    if kind == "array":
        return f"[{_compact_type(schema.get('items'), depth + 1)}]"
    if kind == "object" and isinstance(properties := schema.get("properties"), Mapping) and properties:
        required = schema.get("required")
        required = required if isinstance(required, list | tuple) else ()
        fields = (
            f"{write_key(name)}{'' if name in required else '?'}:{_compact_type(part, depth + 1)}"
            for name, part in properties.items()
        )
        return "{" + ", ".join(fields) + "}"
    return _COMPACT_TYPES.get(kind, kind) if isinstance(kind, str) else "any"


def _compact_value(value: Any) -> str:
    plain = isinstance(value, str) and _PLAIN_WORD.fullmatch(value) and value not in _RESERVED_WORDS
    return value if plain else write_literal(value)
