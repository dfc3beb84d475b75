"""Drawing tokens from logits: by inverse CDF, and filters by thresholds, both of which are found without sorting.

The CDF is not laid out. On a CPU it has two levels, blocks of tokens and the tokens of one block; elsewhere the token
is found by bisection, in sums that fuse with what they add up and for which a vocabulary over several devices stays
where it lies.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.lax import platform_dependent

Array = Any  # of NumPy while the host fills the slots, of JAX on the device
_BLOCK = 128  # tokens that share an entry of the CDF's upper level


class Rules(NamedTuple):
    """How each slot samples, [T, G] each. The filters act in this order, on probabilities at the temperature.

    temperature  0 is greedy
    top_k        keep the k likeliest tokens, and those as likely as the last of them; 0 is off
    top_p        keep the smallest set of likeliest tokens whose share of what is left reaches it; 1 is off
                 (Holtzman et al. 2020)
    min_p        keep tokens at least this share as likely as the likeliest; 0 is off (Nguyen et al. 2024)
    """

    temperature: Array
    top_k: Array
    top_p: Array
    min_p: Array


def sample_tokens(logits_TGV: jax.Array, uniform_TG: jax.Array, rules: Rules) -> tuple[jax.Array, jax.Array]:
    """One token a slot from one uniform number in [0, 1), and its log-prob at temperature 1 without filters."""
    shifted = logits_TGV - jnp.max(logits_TGV, -1, keepdims=True)
    hot = rules.temperature > 0
    temperature = jnp.where(hot, rules.temperature, 1.0)[..., None].astype(shifted.dtype)
    weights = jnp.exp(shifted / temperature)
    total = jax.lax.cond(jnp.all(temperature == 1), lambda: _sums(weights), lambda: _sums(jnp.exp(shifted)))
    weights = jnp.where(weights >= _threshold(weights, rules)[..., None], weights, 0)
    token = _inverse_cdf(weights, uniform_TG)
    greedy = lambda: jnp.where(hot, token, jnp.argmax(shifted, -1).astype(jnp.int32))
    token = jax.lax.cond(jnp.all(hot), lambda: token, greedy)
    return token, jnp.take_along_axis(shifted, token[..., None], -1)[..., 0] - jnp.log(total)


def _sums(weights: jax.Array) -> jax.Array:
    return platform_dependent(weights, cpu=lambda w: _blocks(w).sum(-1).sum(-1), default=lambda w: w.sum(-1))


def _inverse_cdf(weights: jax.Array, uniform: jax.Array) -> jax.Array:
    """The token into whose share of the sum the number falls; never one of weight 0, whatever the rounding."""
    return platform_dependent(weights, uniform, cpu=_by_blocks, default=_by_bisection)


def _blocks(weights: jax.Array) -> jax.Array:
    padding = [(0, 0)] * (weights.ndim - 1) + [(0, -weights.shape[-1] % _BLOCK)]
    return jnp.pad(weights, padding).reshape(*weights.shape[:-1], -1, _BLOCK)


def _by_bisection(weights: jax.Array, uniform: jax.Array) -> jax.Array:
    """Halves the tokens in question by the sum of all up to the middle one: such sums do not fall from one to the next,
    as they are all added up in the same order, and only a weight above 0 makes them rise."""
    V = weights.shape[-1]
    number = jax.lax.broadcasted_iota(jnp.int32, weights.shape, weights.ndim - 1)
    up_to = lambda last: jnp.sum(jnp.where(number <= last[..., None], weights, 0), -1)
    total = up_to(jnp.full(uniform.shape, V - 1))
    target = jnp.minimum(uniform * total, jnp.nextafter(total, jnp.zeros_like(total)))

    def halve(_: Any, bounds: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        low, high = bounds
        middle = (low + high) // 2
        beyond = up_to(middle) > target
        return jnp.where(beyond, low, middle + 1), jnp.where(beyond, middle, high)

    first = jnp.zeros(uniform.shape, jnp.int32)
    return jax.lax.fori_loop(0, (V - 1).bit_length(), halve, (first, first + (V - 1)))[1]


def _by_blocks(weights: jax.Array, uniform: jax.Array) -> jax.Array:
    """The block into which the number falls, and in it the token."""
    blocks = _blocks(weights)
    sums = blocks.sum(-1)
    cdf = jnp.cumsum(sums, -1)
    target = uniform * cdf[..., -1]
    block = _first_beyond(cdf, target, sums)
    before = jnp.where(block > 0, _at(cdf, jnp.maximum(block - 1, 0)), 0)
    inside = jnp.take_along_axis(blocks, block[..., None, None], -2)[..., 0, :]
    return block * _BLOCK + _first_beyond(jnp.cumsum(inside, -1), target - before, inside)


def _first_beyond(cdf: jax.Array, target: jax.Array, weights: jax.Array) -> jax.Array:
    last_possible = weights.shape[-1] - 1 - jnp.argmax(weights[..., ::-1] > 0, -1)
    passed = jnp.sum(cdf <= target[..., None], -1)
    return jnp.minimum(passed, last_possible).astype(jnp.int32)


def _at(x: jax.Array, index: jax.Array) -> jax.Array:
    return jnp.take_along_axis(x, index[..., None], -1)[..., 0]


def _threshold(weights: jax.Array, rules: Rules) -> jax.Array:
    """The weight from which on tokens are kept; the largest weight is 1."""
    none = jnp.zeros(weights.shape[:-1], weights.dtype)

    def kth() -> jax.Array:
        count = lambda least: jnp.sum(weights >= least[..., None], -1)
        return jnp.where(rules.top_k > 0, _largest(lambda least: count(least) >= rules.top_k, none), none)

    least = jax.lax.cond(jnp.any(rules.top_k > 0), kth, lambda: none)

    def nucleus() -> jax.Array:
        mass = lambda from_: jnp.sum(jnp.where(weights >= jnp.maximum(from_, least)[..., None], weights, 0), -1)
        wanted = rules.top_p * mass(none)
        return jnp.where(rules.top_p < 1, _largest(lambda from_: mass(from_) >= wanted, none), none)

    least = jnp.maximum(least, jax.lax.cond(jnp.any(rules.top_p < 1), nucleus, lambda: none))
    return jnp.maximum(least, rules.min_p.astype(weights.dtype))


def _largest(enough: Callable[[jax.Array], jax.Array], zero: jax.Array) -> jax.Array:
    """The largest number in [0, 1] that is enough, by bisection over bit patterns; smaller ones are enough too."""
    integer = jnp.int64 if zero.dtype == jnp.float64 else jnp.int32
    number = lambda bits: jax.lax.bitcast_convert_type(bits, zero.dtype)
    one = jax.lax.bitcast_convert_type(jnp.ones((), zero.dtype), integer)

    def halve(_: Any, bounds: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        low, high = bounds
        middle = low + (high - low + 1) // 2
        ok = enough(number(middle))
        return jnp.where(ok, middle, low), jnp.where(ok, high, middle - 1)

    bits = jnp.zeros(zero.shape, integer)
    steps = 30 if integer == jnp.int32 else 62
    return number(jax.lax.fori_loop(0, steps, halve, (bits, bits + one))[0])
