"""What a decode step of the 15M model of docs/performance.md is made of, and what a step of few branches costs.

    python tools/decode_step.py [--small]

First the parts of a step, each timed by itself as the decoder computes it: the products with the weights, scores and
mixtures over a tree's columns, drawing. Then whole steps through the sampler, as the difference between a call with
many tokens and one with few. Milliseconds, medians of ten, of
whole steps of three. On a busy machine they mean nothing.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from itool_jax.models.config import DecoderConfig
from itool_jax.models.policy import Policy
from itool_jax.sampling.draw import Rules, sample_tokens
from search_figures.ours import grow, sampler_for
from search_figures.workload import Workload, weights

TREES, BRANCHES = 16, 3
REPEATS = 10
FEW, MANY = 8, 72  # tokens of the samples


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="a tiny model and short prompts, to see that all works")
    small = parser.parse_args(arguments).small
    policy = weights(small)
    lengths = (24, 48) if small else (150, 512, 2048)
    for trees in (TREES, 1):
        print(f"parts for {trees} x {BRANCHES} branches, ms")
        for name, function, inputs in parts(policy.config, trees, lengths):
            print(f"  {name:32} {milliseconds(function, *inputs):8.2f}", flush=True)
    print("whole steps, ms")
    for trees in (TREES, 1):
        for length in lengths[:2]:  # reading longer prompts again and again would take most of the time
            print(f"  {trees} trees, prompts of {length:6} {whole_step(policy, trees, length):15.2f}", flush=True)


def parts(
    cfg: DecoderConfig, trees: int, lengths: Sequence[int]
) -> list[tuple[str, Callable[..., Any], tuple[Any, ...]]]:
    """Name, function and inputs of every part of a step, over all layers."""
    rng = np.random.default_rng(0)
    normal = lambda *shape: jnp.asarray(rng.standard_normal(shape, np.float32))
    heads = cfg.head_dim * cfg.heads
    wide = heads + 2 * cfg.head_dim * cfg.kv_heads
    shapes = [(cfg.dim, wide), (heads, cfg.dim), (cfg.dim, 2 * cfg.ffn), (cfg.ffn, cfg.dim)] * cfg.layers
    # none waits for another's result, nor can it be left out
    products = lambda rows, matrices: [rows[:, : matrix.shape[0]] @ matrix for matrix in matrices]
    slots = trees * BRANCHES
    matrices = [normal(*shape) for shape in shapes]
    head = normal(cfg.vocab_size, cfg.dim)
    found = [
        ("layers' products", products, (normal(slots, max(cfg.dim, heads, cfg.ffn)), matrices)),
        ("head", lambda rows, head: rows @ head.T, (normal(slots, cfg.dim), head)),
    ]
    for length in lengths:
        keys = [normal(trees, cfg.kv_heads, cfg.head_dim, length) for _ in range(cfg.layers)]
        values = [normal(trees, cfg.kv_heads, length, cfg.head_dim) for _ in range(cfg.layers)]
        queries = normal(trees, cfg.kv_heads, BRANCHES * cfg.heads // cfg.kv_heads, cfg.head_dim)
        found.append((f"attention to {length} columns", _attention, (queries, keys, values)))
    of = lambda dtype, value: jnp.full((trees, BRANCHES), value, dtype)
    rules = Rules(of(jnp.float32, 1.0), of(jnp.int32, 0), of(jnp.float32, 1.0), of(jnp.float32, 0.0))
    uniform = jnp.asarray(rng.random((trees, BRANCHES), np.float32))
    found.append(("drawing", sample_tokens, (normal(trees, BRANCHES, cfg.vocab_size), uniform, rules)))
    return found


def _attention(queries: jax.Array, keys: Sequence[jax.Array], values: Sequence[jax.Array]) -> list[jax.Array]:
    mixtures = []
    for keys_TKHC, values_TKCH in zip(keys, values, strict=True):
        scores = jnp.einsum("TKGH,TKHC->TKGC", queries, keys_TKHC)
        mixtures.append(jnp.einsum("TKGC,TKCH->TKGH", jax.nn.softmax(scores), values_TKCH))
    return mixtures


def milliseconds(function: Callable[..., Any], *inputs: Any) -> float:
    compiled = jax.jit(function)
    jax.block_until_ready(compiled(*inputs))
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        jax.block_until_ready(compiled(*inputs))
        seconds.append(time.perf_counter() - start)
    return 1e3 * statistics.median(seconds)


def whole_step(policy: Policy, trees: int, length: int) -> float:
    """Milliseconds of a step of one expansion from the roots, its host time included."""
    rng = np.random.default_rng(0)
    prompts = tuple(tuple(map(int, rng.integers(1, policy.config.vocab_size, length))) for _ in range(trees))
    medians = []
    for tokens in (FEW, MANY):
        workload = Workload(prompts, expansions=1, branches=BRANCHES, tokens=tokens)
        sampler = sampler_for(policy, workload)
        grow(sampler, workload)
        medians.append(statistics.median(grow(sampler, workload)[1] for _ in range(3)))
    return 1e3 * (medians[1] - medians[0]) / (MANY - FEW)


if __name__ == "__main__":
    main(sys.argv[1:])
