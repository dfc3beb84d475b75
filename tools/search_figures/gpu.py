"""Figure 6: the share of a GPU's bandwidth that decoding reaches, and of its matmul peak that prefill reaches."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp

from ceilings import Ceilings, bf16_policy, measured_ceilings
from itool_jax.models.policy import Policy
from itool_jax.models.presets import preset
from itool_jax.sampling.sampler import TreeSampler
from itool_jax.training.memory import dtype_bits
from search_figures.ours import grow, sampler_for
from search_figures.workload import LLAMA_TINY, Workload, random_prompts

TARGET = 0.5  # of the bandwidth, and of the peak, at least
MODELS = ("llama3_2_1b", "llama3_1_8b")


def on_gpu(repeats: int, say: Callable[[str], None], small: bool = False) -> dict[str, Any]:
    """Both models in bf16 with random weights; where there is no GPU, that. `small` is a tiny model on any device."""
    if jax.default_backend() != "gpu" and not small:
        return {"left_out": f"no GPU here: JAX runs on {jax.default_backend()}"}
    ceilings = measured_ceilings(2**20 if small else 2**28, 256 if small else 8192, repeats)
    say(f"copies {ceilings.bandwidth / 1e9:.0f} GB/s, multiplies {ceilings.flops / 1e12:.1f} TFLOP/s")
    shapes = {"tiny": LLAMA_TINY} if small else {name: preset(name) for name in MODELS}
    results: dict[str, Any] = {"ceilings": {"bandwidth": ceilings.bandwidth, "flops": ceilings.flops}}
    for name, shape in shapes.items():
        policy = bf16_policy(shape)
        results[name] = shares(policy, ceilings, repeats, *((2, 32, 8, 24) if small else (32, 2048, 16, 272)))
        say(f"{name} is measured")
        del policy
    return results


def shares(
    policy: Policy, ceilings: Ceilings, repeats: int, trees: int, prompt: int, short: int, long: int
) -> dict[str, Any]:
    """Decoding and prefill through the sampler's own face, told apart by answers of two lengths.

    A longer answer takes only decode steps more, so a step is the difference in time over that in length; what a short
    one takes beside its steps is the prefill. Host time counts in both. A step has to read the weights once (of an
    embedding that is not the head too, nothing) and every tree's columns in use, at the mean of those steps.
    """
    cfg = policy.config
    workload = Workload(random_prompts(policy, trees, prompt), expansions=1, tokens=long)
    brief = replace(workload, tokens=short)
    sampler = sampler_for(policy, workload)
    for one in (workload, brief):
        grow(sampler, one)
    short_seconds, long_seconds = (
        statistics.median(times)
        for times in zip(*(_both(sampler, brief, workload) for _ in range(repeats)), strict=True)
    )
    step = (long_seconds - short_seconds) / (long - short)
    reading = short_seconds - short * step
    weights = sum(leaf.size * dtype_bits(leaf.dtype) // 8 for leaf in jax.tree.leaves(policy.params))
    embedding = policy.params["embedding"]
    read = weights - (0 if cfg.tied else embedding.nbytes)
    column = 2 * cfg.layers * cfg.kv_heads * cfg.head_dim * jnp.dtype(cfg.dtype).itemsize
    columns = trees * (prompt + workload.branches * (short + long) / 2)
    kernels = sum(leaf.size for leaf in jax.tree.leaves(policy.params["layers"]) if leaf.ndim > 2)
    attention = 4 * cfg.layers * cfg.heads * cfg.head_dim * prompt * (prompt + 1) / 2  # what the causal mask keeps
    flops = trees * (2 * kernels * prompt + attention)
    return {
        "sizes": {"trees": trees, "branches": workload.branches, "prompt": prompt, "tokens": [short, long]},
        "decode": {
            "tokens_per_second": trees * workload.branches / step,
            "step_seconds": step,
            "bytes": read + columns * column,
            "share": (read + columns * column) / step / ceilings.bandwidth,
            "target": TARGET,
        },
        "prefill": {
            "tokens_per_second": trees * prompt / reading,
            "seconds": reading,
            "flops": flops,
            "share": flops / reading / ceilings.flops,
            "target": TARGET,
        },
        "repeats": repeats,
    }


def _both(sampler: TreeSampler, brief: Workload, workload: Workload) -> tuple[float, float]:
    return grow(sampler, brief)[1], grow(sampler, workload)[1]
