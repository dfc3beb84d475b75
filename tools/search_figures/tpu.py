"""Figure 5: the sampler's programs for Llama-3.1-8B, compiled by the TPU compiler for slices that need not be there."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
from ml_collections import ConfigDict

from itool_jax.config_loading import load_config
from itool_jax.plan.abstract import abstract_policy, per_device
from itool_jax.plan.compiler import OutOfMemory, compile_program
from itool_jax.plan.memory import estimate, live
from itool_jax.plan.programs import Lengths, Program, stage_programs
from itool_jax.plan.target import Target, topology_target
from itool_jax.training.flops import matmul_flops

CONFIG = Path(__file__).parents[2] / "configs" / "llama3_1_8b.py"
TARGET = 2.0  # the compiler's estimate of a decode step over bytes by bandwidth, at most
BANDWIDTH = {"v5e:4x4": 819e9, "v6e:4x4": 1638e9}  # bytes per second of a chip's memory, as published
PROMPT, ANSWER, EXPANSIONS, BRANCHES = 2048, 64, 5, 3


def llama_8b(trees: int, answer: int, arena: int) -> ConfigDict:
    """The config of Llama-3.1-8B with all its weights in bf16 and no adapters, for so many trees at once."""
    sizes = {"trees": trees, "answer_tokens": answer, "arena_tokens": arena}
    overrides = [f"--config.round.search.{key}={value}" for key, value in sizes.items()]
    return load_config(str(CONFIG), ["--config.model.lora_rank=0", "--config.model.param_dtype=bfloat16", *overrides])


def compiled(trees: int, say: Callable[[str], None]) -> dict[str, Any]:
    """For each slice what its compiler says of a prefill and of a decode round; mesh data 1 x fsdp 4 x tensor 4."""
    if importlib.util.find_spec("libtpu") is None:
        return {"left_out": "the TPU compiler is not installed: pip install -e '.[tpu]'"}
    return {topology: _on_slice(topology, trees, say) for topology in BANDWIDTH}


def _on_slice(topology: str, trees: int, say: Callable[[str], None]) -> dict[str, Any]:
    config = llama_8b(trees, ANSWER, EXPANSIONS * BRANCHES * ANSWER)
    target = topology_target(config.mesh, topology, None)
    programs = stage_programs(config, abstract_policy(config), target.mesh, Lengths(PROMPT, ANSWER), ("search",))
    results: dict[str, Any] = {"trees": trees, "prompt": PROMPT, "target": TARGET}
    for program in programs["search"]:
        if program.kind in ("prefill", "decode"):
            results[program.kind] = _compiled(program, target, BANDWIDTH[topology])
            say(f"{topology}: {program.name} is compiled")
    return results


def _compiled(program: Program, target: Target, bandwidth: float) -> dict[str, Any]:
    """What a chip needs, in bytes, and the compiler's estimate in seconds beside the ideal.

    A decode step is a turn of the round's loop, and its share of what the round does outside of the loop; ideally it
    reads what has to be read. A prefill's ideal is its products at the chip's peak.
    """
    traced = program.trace()
    jaxpr, reads = live(traced.jaxpr)
    word = compile_program(traced, target)
    if isinstance(word, OutOfMemory):
        return {"fits": False, "hbm": target.hbm, "refused": word.message.splitlines()[0], "used": word.used}
    assert target.chip is not None and word.seconds is not None and word.looped is not None
    if program.kind == "decode":
        outside = word.seconds - word.looped
        read = bytes_of_a_step(program, target)
        ideal, seconds = read / bandwidth, word.looped + outside / program.static["steps"]
        work: dict[str, Any] = {"bytes": read, "outside_loop": outside}
    else:
        flops = matmul_flops(jaxpr).total
        ideal, seconds = flops / target.mesh.size / target.chip.flops, word.seconds
        work = {"flops": flops}
    beside = sum(estimate(program, target, jaxpr, reads).beside.values())
    return {
        "fits": word.peak + beside <= target.hbm,
        "hbm": target.hbm,
        "peak": word.peak,
        "beside": beside,
        **work,
        "seconds": seconds,
        "ideal": ideal,
        "ratio": seconds / ideal,
        "collectives": {kind: one._asdict() for kind, one in word.collectives.items()},
    }


def bytes_of_a_step(program: Program, target: Target) -> int:
    """What a decode step has to read on each device: the weights but for an embedding looked up, and the arena."""
    cfg, params = program.policy.config, program.policy.params
    looked_up = 0 if cfg.tied else per_device(params["embedding"], target.bytes_of)
    arena = per_device(jax.tree.leaves(program.parts["KV arena"]), target.bytes_of)
    return per_device(params, target.bytes_of) - looked_up + arena
