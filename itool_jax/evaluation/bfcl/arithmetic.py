"""Arithmetic that a model writes where a number belongs, computed without eval."""

from __future__ import annotations

import ast
import operator
from typing import Any

_OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
_BOUND = 10**18


def bounded_arithmetic(expression: str) -> Any:
    """The value of `2 * (3 + 4)`, `1 / 3` or `"a" + "b"`; ValueError for anything else and for large numbers."""
    return compute(ast.parse(expression, mode="eval").body)


def compute(node: ast.AST) -> Any:
    """The value of a parsed expression, as bounded_arithmetic."""
    match node:
        case ast.Constant(value=int() | float() | str() as value):
            return value
        case ast.UnaryOp(op=sign, operand=operand) if type(sign) in _OPERATORS:
            return _OPERATORS[type(sign)](_number(compute(operand)))
        case ast.BinOp(op=sign) if type(sign) in _OPERATORS:
            sides = compute(node.left), compute(node.right)
            if isinstance(sign, ast.Add) and all(isinstance(side, str) for side in sides):
                return sides[0] + sides[1]
            left, right = map(_number, sides)
            if isinstance(sign, ast.Pow) and abs(right) > 64:
                raise ValueError("a power that is too large")
            return _number(_OPERATORS[type(sign)](left, right))
    raise ValueError(f"{type(node).__name__} is no arithmetic")


def _number(value: Any) -> int | float:
    if not isinstance(value, int | float) or abs(value) > _BOUND:
        raise ValueError("no number, or one that is too large")
    return value
