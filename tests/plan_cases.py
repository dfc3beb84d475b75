"""A small model on eight devices, as configs that plans are made for; the fixture `small_model` has them mean it."""

from __future__ import annotations

import functools
from dataclasses import replace

from itool_jax.config import default_config
from itool_jax.models.presets import PRESETS
from itool_jax.plan.abstract import abstract_policy
from itool_jax.plan.plan import make_plan
from itool_jax.plan.programs import lengths, stage_programs
from itool_jax.plan.target import devices_target

B, S, A = 8, 64, 2  # rows of a batch, tokens of a row, batches of a step
CFG = replace(PRESETS["nano"], layers=3)
TOKENS, HEAD = B * S, CFG.dim * CFG.vocab_size
LINEAR = CFG.layers * CFG.dim * (CFG.head_dim * (2 * CFG.heads + 2 * CFG.kv_heads) + 3 * CFG.ffn)
SQUARE = 2 * 2 * CFG.layers * B * S * S * CFG.heads * CFG.head_dim  # scores and mixtures of one forward
STEP = SQUARE * 7 // 2  # with a backward pass: scores again, and the gradients by weights, values, queries and keys

QLORA = {"lora_rank": 4, "quantize": "int8"}
BF16 = {"param_dtype": "bfloat16", "dtype": "bfloat16", "freeze_embeddings": True}


def small_config(**model):
    config = default_config()
    config.model.update(preset="nano", checkpoint="somewhere", **{"remat": "none", **model})
    config.mesh.update(data=2, fsdp=2, tensor=2)
    config.warmup.update(rows=B, row_tokens=S, accumulate=A)
    config.round.search.update(answer_tokens=16, arena_tokens=32, trees=8)
    config.round.prefer.update(rows=B, row_tokens=S)
    return config


def changed(config, settings):
    """The config with these keys set, to values or to flags' texts."""
    config = config.copy_and_resolve_references()
    for key, value in settings.items():
        group, _, leaf = key.removeprefix("--config.").rpartition(".")
        with config.unlocked():
            functools.reduce(lambda part, name: part[name], group.split("."), config)[leaf] = (
                int(value) if isinstance(value, str) and value.lstrip("-").isdecimal() else value
            )
    return config


def programs_of(config, only=()):
    target = devices_target(config.mesh, 8, 16.0)
    made = stage_programs(config, abstract_policy(config), target.mesh, lengths(config), only)
    return target, {program.name: program for of in made.values() for program in of}


def planned(config, devices=8, hbm=16.0, only=()):
    return make_plan(config, devices_target(config.mesh, devices, hbm), only=only)


def needs_of(plan):
    return {
        name: max(program.estimate.peak + sum(program.estimate.beside.values()) for program in of)
        for name, of in plan.stages.items()
    }
