"""FLOPs of a traced program, counted where they are spent: in its matrix multiplications."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple


class Flops(NamedTuple):
    """FLOPs over all devices; a multiplication with its addition is two.

    linear     of products of activations with weights (or, in a backward pass, of their gradients)
    attention  of products within each row: scores and mixtures, over the blocks that a row of one chain needs, or over
               the whole square where all scores are computed
    """

    linear: int = 0
    attention: int = 0

    @property
    def total(self) -> int:
        return self.linear + self.attention

    def __add__(self, other: tuple[int, ...]) -> Flops:
        return Flops(self.linear + other[0], self.attention + other[1])

    def times(self, count: int) -> Flops:
        return Flops(self.linear * count, self.attention * count)


def matmul_flops(jaxpr: Any) -> Flops:
    """What a (closed) jaxpr multiplies, so that rematerialisation and frozen weights count as what is really done.

    A scan counts as often as it runs, a while loop once: its body is a step whose number only the data know. Of the
    branches of a condition the dearest counts. A kernel counts in every place of its grid, and what a device does with
    its own part on every device.
    """
    return sum((_of_equation(equation) for equation in _open(jaxpr).eqns), Flops())


def checkpointed_flops(jaxpr: Any) -> Flops:
    """The part of a forward pass that stands under `jax.checkpoint`: its backward pass computes that once more."""
    total = Flops()
    for equation in _open(jaxpr).eqns:
        if equation.primitive.name == "remat2":
            total += _of_equation(equation)
        else:
            inner = sum((checkpointed_flops(part) for part in _inner(equation.params)), Flops())
            total += inner.times(equation.params["length"] if equation.primitive.name == "scan" else 1)
    return total


def _of_equation(equation: Any) -> Flops:
    name, params = equation.primitive.name, equation.params
    if name == "dot_general":
        left, right = (variable.aval.shape for variable in equation.invars)
        return _of_product(left, right, params["dimension_numbers"])
    inner = [matmul_flops(jaxpr) for jaxpr in _inner(params)]
    if name == "cond":
        return max(inner, key=lambda flops: flops.total)
    if name == "pallas_call":  # the one kernel there is has rows and heads in its grid, and not in its products
        return Flops(attention=sum(inner, Flops()).times(math.prod(params["grid_mapping"].grid)).total)
    times = {"scan": lambda: params["length"], "shard_map": lambda: params["mesh"].size}
    return sum(inner, Flops()).times(times.get(name, lambda: 1)())


def _of_product(left: tuple[int, ...], right: tuple[int, ...], dimension_numbers: Any) -> Flops:
    (_, right_contract), (batch, right_batch) = dimension_numbers
    free = [size for axis, size in enumerate(right) if axis not in (*right_contract, *right_batch)]
    count = 2 * math.prod(left) * math.prod(free)
    return Flops(attention=count) if batch else Flops(linear=count)


def _inner(params: Any) -> Iterator[Any]:
    for value in params.values():
        for item in value if isinstance(value, tuple | list) else (value,):
            if hasattr(_open(item), "eqns"):
                yield item


def _open(jaxpr: Any) -> Any:
    return getattr(jaxpr, "jaxpr", jaxpr)
