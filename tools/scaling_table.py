"""The table of docs/scaling.md: what a run on a million conversations takes on machines from one GPU to a v5p-512.

    python tools/scaling_table.py

Bytes and FLOPs are those of `itool-jax plan`, from shapes; days follow from them by the assumptions below, which
docs/scaling.md explains. It needs no accelerator and a minute.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
from ml_collections import ConfigDict

from itool_jax.config import round_config
from itool_jax.config_loading import load_config
from itool_jax.models.presets import PRESETS
from itool_jax.plan.plan import Plan, make_plan
from itool_jax.plan.target import GIB, devices_target

CONFIG, PRESET = "configs/llama3_1_8b.py", PRESETS["llama3_1_8b"]

# Of the data: all are to be replaced by what `itool-jax data check --tokenizer` says of yours.
CONVERSATIONS = 1_000_000
PROMPT, ANSWER = 950, 50  # tokens of a conversation
PAIRS, FRAGMENT = 4, 24  # of a tree, and tokens of each of its sides

# Of the machine: shares of its peaks that are reached.
COMPUTE, BANDWIDTH = 0.4, 0.5
DAY = 86_400
STAGE_COLUMNS = ("warm-up", "score", "search", "prefer")


class Kind(NamedTuple):
    """A device as published: FLOP/s of bf16 products, bytes/s of its memory, bytes/s that it receives from others."""

    flops: float
    memory: float
    links: float


KINDS = {
    "h100": Kind(989e12, 3.35e12, 450e9),
    "h200": Kind(989e12, 4.8e12, 450e9),
    "v5e": Kind(197e12, 0.819e12, 200e9),
    "v6e": Kind(918e12, 1.64e12, 448e9),
    "v5p": Kind(459e12, 2.765e12, 600e9),
}


class Row(NamedTuple):
    """A mode of the config on so many devices; `tensor` where it is not the mode's own."""

    name: str
    mode: str
    kind: str
    devices: int
    hbm: float
    tensor: int | None = None


ROWS = (
    Row("1 x H200, adapters", "1xh200", "h200", 1, 133.0),
    Row("1 x H200, all", "1xh200-full", "h200", 1, 133.0),
    Row("8 x H100, adapters", "8xh100", "h100", 8, 75.0),
    Row("8 x H100, all", "8xh100-full", "h100", 8, 75.0),
    Row("v5e-16, adapters", "v5e-16", "v5e", 16, 15.75),
    Row("v5e-16, all", "v5e-16-full", "v5e", 16, 15.75),
    Row("v6e-16, adapters", "v6e-16", "v6e", 16, 31.25),
    Row("v6e-16, all", "v6e-16-full", "v6e", 16, 31.25),
    Row("v5p-64, adapters", "v5p-64", "v5p", 32, 95.74),
    Row("v5p-64, all", "v5p-64-full", "v5p", 32, 95.74),
    Row("v5p-512, adapters", "v5p-64", "v5p", 256, 95.74, tensor=8),
    Row("v5p-512, all", "v5p-64-full", "v5p", 256, 95.74, tensor=8),
)


def main() -> None:
    jax.config.update("jax_platforms", "cpu")
    columns = ("machine", "GiB of a device", "s a step", "GB sent a step", "s of it", *STAGE_COLUMNS, "3 rounds")
    print(f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|")
    for row in ROWS:
        print(line(row), flush=True)


def line(row: Row) -> str:
    config = load_config(f"{CONFIG}:{row.mode}")
    if row.tensor:
        with config.unlocked():
            config.mesh.tensor = row.tensor
    kind, tensor = KINDS[row.kind], config.mesh.tensor
    plan = make_plan(config, devices_target(config.mesh, row.devices, row.hbm))
    needs = max(program.needs for of in plan.stages.values() for program in of) / GIB
    step = plan.stages["sft"][0]
    sent = bytes_sent(config, row.devices, tensor)
    reached = row.devices * kind.flops * COMPUTE
    days = [seconds / DAY for seconds in stage_seconds(config, plan, row.devices, kind, reached)]
    total = days[0] + config.rounds * sum(days[1:])
    cells = [f"{needs:.0f} of {row.hbm:.0f}", f"{step.flops.total / reached:.2f}", f"{sent / 1e9:.0f}"]
    cells += [f"{sent / kind.links:.2f}", *map(figure, [*days, total])]
    return f"| {row.name} | {' | '.join(cells)} |"


def bytes_sent(config: ConfigDict, devices: int, tensor: int) -> float:
    """What each device receives in a training step.

    Over fsdp weights are gathered in bf16, for a part's forward and backward pass, and where all are trained their
    gradients are reduced in f32; a device has a tensor-th of each. Over tensor the outputs of attention and
    feed-forward are added up: two in the forward pass, one when it is repeated, and two in the backward pass.
    """
    cfg, fsdp = config.warmup, devices // tensor
    of_a_weight = 2 * 2 + (0 if config.model.lora_rank else 4)
    weights = of_a_weight * sum(parameters()) / tensor * cfg.accumulate if fsdp > 1 else 0.0
    output = 2 * cfg.rows * cfg.row_tokens * cfg.accumulate * PRESET.dim / fsdp
    return weights + 5 * PRESET.layers * output * 2 * (tensor - 1) / tensor


def stage_seconds(
    config: ConfigDict, plan: Plan, devices: int, kind: Kind, reached: float
) -> tuple[float, float, float, float]:
    """Seconds of the warm-up, and of a round's score, search and preference training."""
    first = round_config(config, 0)
    buffer = CONVERSATIONS * config.data.buffer_share
    trees = buffer * first.select.share
    per_token = lambda program: program.flops.total / program.tokens / reached
    sft, scored, preferred = (plan.stages[stage][0] for stage in ("sft", "score", "prefer"))
    warmup = CONVERSATIONS * config.data.warmup_share * (PROMPT + ANSWER) * per_token(sft)
    score = buffer * (PROMPT + ANSWER) * per_token(scored)
    read, *_ = (program for program in plan.stages["search"] if program.name == "prompts")
    search = trees * (PROMPT * per_token(read) + decode_seconds(config, devices, kind))
    tokens = PROMPT + ANSWER + PAIRS * 2 * FRAGMENT
    return warmup, score, search, trees * tokens * first.prefer.epochs * per_token(preferred)


def decode_seconds(config: ConfigDict, devices: int, kind: Kind) -> float:
    """Of a tree: its share of steps that read the weights once, and the columns in use of all trees."""
    search, tensor = round_config(config, 0).search, config.mesh.tensor
    samples = search.samples * search.iterations
    steps = search.iterations * ANSWER  # an expansion's samples are drawn side by side
    column = 2 * 2 * PRESET.layers * PRESET.kv_heads * PRESET.head_dim  # keys and values in bf16
    in_use = PROMPT + samples * ANSWER / 2
    group = search.trees * tensor / devices  # trees that share a copy of the weights
    step = (2 * sum(parameters()) + group * column * in_use) / tensor / (kind.memory * BANDWIDTH)
    return steps * step / search.trees


def parameters() -> tuple[int, int]:
    """Of the layers, and of the head; the embedding is looked up."""
    heads = PRESET.head_dim * (2 * PRESET.heads + 2 * PRESET.kv_heads)
    return PRESET.layers * PRESET.dim * (heads + 3 * PRESET.ffn), PRESET.dim * PRESET.vocab_size


def figure(days: float) -> str:
    return f"{days:.1f} d" if days >= 1 else f"{days * 24:.1f} h"


if __name__ == "__main__":
    main()
