"""Figure 5: tokens per second of training on a GPU, and the model's FLOPs as a share of its matmul peak (MFU)."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import replace
from statistics import median
from typing import Any

import jax

from ceilings import bf16_policy, measured_ceilings
from itool_jax.models.config import LoraConfig
from itool_jax.models.policy import Policy, add_adapters
from itool_jax.models.presets import preset
from itool_jax.training.objectives import ObjectiveFn, preference, sft
from itool_jax.training.utilization import model_flops
from search_figures.workload import LLAMA_TINY
from training_figures.ours import SIMPO, Training, forest_batch, packed_batches
from training_figures.workload import Pairs, random_conversations

TARGET = 0.45  # of the measured matmul peak, SFT at least
# By model: whether all parameters are trained too, and rows of 4,096 tokens at a time.
MODELS = {"llama3_2_1b": (True, 8), "llama3_1_8b": (False, 4)}


def on_gpu(repeats: int, say: Callable[[str], None], small: bool = False) -> dict[str, Any]:
    """SFT on rows of 4,096 tokens and SimPO on forests, in bf16; where there is no GPU, that."""
    if jax.default_backend() != "gpu" and not small:
        return {"left_out": f"no GPU here: JAX runs on {jax.default_backend()}"}
    ceilings = measured_ceilings(2**20 if small else 2**28, 256 if small else 8192, repeats)
    say(f"multiplies {ceilings.flops / 1e12:.1f} TFLOP/s")
    shapes = {"tiny": (LLAMA_TINY, True, 2)} if small else {name: (preset(name), *how) for name, how in MODELS.items()}
    results: dict[str, Any] = {"ceilings": {"flops": ceilings.flops}}
    tokens = 128 if small else 4096
    for name, (shape, full, rows) in shapes.items():
        for how in ("LoRA", "full")[: 1 + full]:
            policy = bf16_policy(shape)
            remat = "none" if small else "full"
            policy = policy.replace(decoder=policy.decoder.clone(cfg=replace(policy.config, remat=remat)))  # pyright: ignore
            if how == "LoRA":
                policy = add_adapters(policy, LoraConfig(16, 32.0), seed=0)
            answers = random_conversations(8 * rows, tokens // 4, tokens // 8, shape.vocab_size)
            (batch, *_) = packed_batches(answers, tokens, rows, 1)
            work = Pairs(prompt=tokens // 4, trees=rows, pairs=tokens // 64, fragment=24)
            forests = forest_batch(work.groups(shape.vocab_size), tokens)
            results[f"{name} {how}"] = {
                "sft": _measured(policy, sft, batch, ceilings.flops, repeats) | {"target": TARGET},
                "simpo": _measured(policy, preference("simpo", **SIMPO), forests, ceilings.flops, repeats),
                "sizes": {"rows": rows, "row_tokens": tokens},
            }
            say(f"{name}, {how} is measured")
            del policy
            gc.collect()
    return results


def _measured(policy: Policy, objective: ObjectiveFn, batch: Any, peak: float, repeats: int) -> dict[str, Any]:
    training = Training(policy, objective, [batch])
    flops = model_flops(training.step, objective, training.state, training.frozen, batch)
    tokens = training.run()["tokens"]
    seconds = median(training.seconds() for _ in range(repeats))
    return {
        "tokens_per_second": tokens / seconds,
        "step_seconds": seconds,
        "flops": flops,
        "mfu": flops / seconds / peak,
        "repeats": repeats,
    }
