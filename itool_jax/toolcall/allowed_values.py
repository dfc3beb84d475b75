"""compare_allowed: calls against ground truth that lists the values that are right, by the rules of BFCL's AST checker.

The rules (Berkeley Function Calling Leaderboard, Patil et al., ICML 2025, and its package bfcl-eval):
- As many calls as expected, in any order: each expected call in turn takes the first call left that is right for it.
- All required parameters, and all that the ground truth does not mark by "" as optional; none that it does not name.
- A value's type is exactly the function's: an integer may stand for a float but not inside a list, and no bool for an
  integer. Where the allowed values have another type than the function says, they are a variable's name or a special
  value, and a value of their type is compared with them as it is.
- Strings are equal without case, spaces and the characters `,./-_*^`, and with either quote; also one level down, in
  lists and dicts. Below that, and for all other types, values compare as Python compares them.
- Java and JavaScript values are source text in a string, read by `source_values`.
- Positional arguments are passed over: the parameters that they were meant for count as missing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from itool_jax.toolcall.compare import ErrorKind
from itool_jax.toolcall.source_values import Language, read_source_value
from itool_jax.toolcall.types import ToolCall

Allowed = Sequence[Any]

_PYTHON = {
    "string": str,
    "integer": int,
    "float": float,
    "boolean": bool,
    "any": str,
    "array": list,
    "tuple": list,
    "dict": dict,
}
_JAVA = {
    **dict.fromkeys(("byte", "short", "integer", "long"), int),
    **dict.fromkeys(("float", "double"), float),
    **dict.fromkeys(("char", "String", "any"), str),
    **dict.fromkeys(("Array", "ArrayList"), list),
    "boolean": bool,
    "HashMap": dict,
}
_JAVASCRIPT = {
    "String": str,
    "any": str,
    "integer": int,
    "Bigint": int,
    "float": float,
    "Boolean": bool,
    "array": list,
    "dict": dict,
}
_TYPES: dict[Language, dict[str, type]] = {"python": _PYTHON, "java": _JAVA, "javascript": _JAVASCRIPT}
_LISTS = ("array", "tuple", "Array", "ArrayList")
_LEFT_OUT = re.compile(r"[ ,./\-_*^]")
_RANK = {kind: rank for rank, kind in enumerate(ErrorKind)}


@dataclass(frozen=True)
class AllowedCall:
    """An expected call: every parameter's right values; "" among them says that the parameter may be left out."""

    name: str
    arguments: Mapping[str, Allowed]


def compare_allowed(
    calls: Sequence[ToolCall],
    expected: Sequence[AllowedCall],
    functions: Sequence[Mapping[str, Any]],
    language: Language = "python",
    *,
    dots_as_underscores: bool = False,
) -> ErrorKind | None:
    """What is wrong with the calls, or None if they are right.

    functions            descriptions as BFCL writes them: name, parameters.properties.*.type (and .items.type),
                         parameters.required; types named as in `language`. The first of a name counts.
    dots_as_underscores  the model was shown names with `_` for `.`, and must write them so

    Of several expected calls the first that no call is right for tells the kind, against the call that is least wrong.
    """
    if len(calls) != len(expected):
        return ErrorKind.CALL_COUNT if calls else ErrorKind.MISSING_CALL
    left = list(calls)
    for wanted in expected:
        function = next((f for f in functions if f["name"] == wanted.name), None)
        if function is None:
            return ErrorKind.FUNCTION_NAME
        name = wanted.name.replace(".", "_") if dots_as_underscores else wanted.name
        errors = []
        for place, call in enumerate(left):
            error = _call_error(call, name, wanted.arguments, function["parameters"], language)
            if error is None:
                del left[place]
                break
            errors.append(error)
        else:
            return max(errors, key=_RANK.__getitem__)
    return None


def _call_error(
    call: ToolCall, name: str, allowed: Mapping[str, Allowed], parameters: Mapping[str, Any], language: Language
) -> ErrorKind | None:
    if call.name != name:
        return ErrorKind.FUNCTION_NAME
    errors = [ErrorKind.MISSING_PARAMETER for required in parameters["required"] if required not in call.arguments]
    errors += [
        ErrorKind.MISSING_PARAMETER
        for parameter, values in allowed.items()
        if parameter not in call.arguments and "" not in values
    ]
    for parameter, value in call.arguments.items():
        schema = parameters["properties"].get(parameter)
        if schema is None or parameter not in allowed:
            errors.append(ErrorKind.UNEXPECTED_PARAMETER)
        elif error := _argument_error(value, allowed[parameter], schema, language):
            errors.append(error)
    return min(errors, key=_RANK.__getitem__, default=None)


def _argument_error(value: Any, allowed: Allowed, schema: Mapping[str, Any], language: Language) -> ErrorKind | None:
    types, name = _TYPES[language], schema["type"]
    kind = types.get(name)
    inner = (schema.get("items") or {}).get("type") if name in _LISTS else None
    items = types.get(inner) if inner else None
    if kind is None or (name in _LISTS and items is None):
        return ErrorKind.PARAMETER_TYPE
    if language != "python":
        if not isinstance(value, str):
            return ErrorKind.PARAMETER_TYPE
        value = read_source_value(value, language, name, inner)
    elif name == "tuple" and isinstance(value, tuple):
        value = list(value)
    elif name == "float" and type(value) is int:
        try:
            value = float(value)
        except OverflowError:
            return ErrorKind.PARAMETER_VALUE
    by_name = _allowed_type(allowed)
    as_described = type(value) is kind
    if as_described and items is not None and not _items_conform(value, allowed, items):
        return ErrorKind.PARAMETER_TYPE
    if not as_described and (by_name is None or type(value) is not by_name):
        return ErrorKind.PARAMETER_TYPE
    plain = by_name is not None and by_name is not kind
    return None if _is_allowed(value, allowed, None if plain else kind, items) else ErrorKind.PARAMETER_VALUE


def _allowed_type(allowed: Allowed) -> type | None:
    """The type of the allowed values, None where there are none but ""."""
    return next((type(value) for value in allowed if value != ""), None)


def _items_conform(value: Sequence[Any], allowed: Allowed, kind: type) -> bool:
    """Whether for one of the allowed lists all items have the described type or that list's; "" asks for nothing."""
    return any(
        not isinstance(option, list) or all(type(item) in (kind, _allowed_type(option)) for item in value)
        for option in allowed
    )


def _is_allowed(value: Any, allowed: Allowed, kind: type | None, items: type | None) -> bool:
    """Whether the value is one of the allowed; compared by its `kind`, or where that is None as it is."""
    if kind is dict:
        return any(_same_dict(value, option) for option in allowed)
    if kind is list and items is dict:
        return any(
            len(value) == len(option) and all(_same_dict(*pair) for pair in zip(value, option, strict=True))
            for option in allowed
        )
    if kind is list:
        return _plain_items(value) in [_plain_items(option) for option in allowed]
    if kind is str:
        return _plain(value) in [_plain(option) for option in allowed if isinstance(option, str)]
    return value in allowed


def _same_dict(value: Any, option: Any) -> bool:
    """`option` maps keys to the values that they may have; "" among them says that the key may be left out."""
    if not isinstance(value, dict) or not isinstance(option, dict):
        return False
    given = all(key in option and _plain(item) in _plain_items(option[key]) for key, item in value.items())
    return given and all(key in value or "" in values for key, values in option.items())


def _plain_items(values: Sequence[Any]) -> list[Any]:
    """The items as strings are compared; "", where it stands for a parameter left out, as an empty list."""
    return [_plain(value) for value in values]


def _plain(value: Any) -> Any:
    return _LEFT_OUT.sub("", value).lower().replace("'", '"') if isinstance(value, str) else value
