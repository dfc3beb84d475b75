"""Figure 4: how much of a search's time the device waits for the host, and what sharing saves in memory."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from itool_jax.plan.abstract import abstract_policy
from itool_jax.plan.programs import Lengths, stage_programs
from itool_jax.plan.target import devices_target
from search_figures.ours import TreeSide
from search_figures.tpu import llama_8b
from search_figures.trace import idle_seconds
from search_figures.whole_search import Together, recorded, sizes, tool_world_task
from search_figures.workload import Workload, random_prompts, weights

TARGET = 0.10  # of the wall time at most
TREES = 256
PROMPT, ANSWER, EXPANSIONS, BRANCHES = 2048, 64, 5, 3  # of the arena whose bytes are compared


def host_share(repeats: int, say: Callable[[str], None], small: bool = False) -> dict[str, Any]:
    """Seconds without any device program, by the profiler, over the wall time of the same run without the profiler."""
    trees = 8 if small else TREES
    policy = weights(small)
    workload = Workload(random_prompts(policy, trees, 128), expansions=2 if small else 5)
    side = TreeSide(policy, workload)
    task = tool_world_task(trees, trees, threads=1, small=small)
    together = Together(recorded(task, task.policy))
    return {
        "random weights": _share(lambda: side.run(workload), repeats, say) | {"sizes": workload.sizes()},
        "tool world": _share(together.run, repeats, say) | {"sizes": sizes(task)},
        "bytes": arena_bytes(),
    }


def _share(run: Callable[[], object], repeats: int, say: Callable[[str], None]) -> dict[str, Any]:
    run()
    walls, idles, traced = [], [], []
    for repeat in range(repeats):
        start = time.monotonic()
        run()
        walls.append(time.monotonic() - start)
        idle, whole = idle_seconds(run)
        idles.append(idle)
        traced.append(whole)
        say(f"repeat {repeat + 1} of {repeats}: {walls[-1]:.2f} s, {idle:.2f} s of them without a device program")
    wall, idle = statistics.median(walls), statistics.median(idles)
    return {
        "share": idle / wall,
        "target": TARGET,
        "wall": {"seconds": walls, "median": wall},
        "idle": {"seconds": idles, "median": idle},
        "traced_wall": {"seconds": traced, "median": statistics.median(traced)},
        "repeats": repeats,
    }


def arena_bytes() -> dict[str, Any]:
    """Bytes of keys and values for Llama-3.1-8B, from the shapes of the sampler's own arena, against dense caches.

    An arena has room for every token that a tree may grow; a dense cache holds the prompt and one answer per branch.
    """
    config = llama_8b(trees=TREES, answer=ANSWER, arena=EXPANSIONS * BRANCHES * ANSWER)
    config.mesh.update(data=1, fsdp=1, tensor=1)
    mesh = devices_target(config.mesh, 1, 1e3).mesh
    policy = abstract_policy(config)
    programs = stage_programs(config, policy, mesh, Lengths(PROMPT, ANSWER), ("search",))["search"]
    (arena,) = (program.parts["KV arena"] for program in programs if program.kind == "decode")
    size = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(arena))
    cfg = policy.config
    column = 2 * cfg.layers * cfg.kv_heads * cfg.head_dim * np.dtype(cfg.dtype).itemsize
    dense = TREES * BRANCHES * (PROMPT + ANSWER) * column
    return {
        "arena": size,
        "dense": dense,
        "ratio": dense / size,
        "trees": TREES,
        "branches": BRANCHES,
        "prompt": PROMPT,
        "answer": ANSWER,
        "expansions": EXPANSIONS,
    }
