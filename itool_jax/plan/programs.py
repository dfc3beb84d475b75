"""The programs that each stage of a run executes on its devices: the stages' own functions over abstract arguments."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh
from ml_collections import ConfigDict

from itool_jax.config import round_config
from itool_jax.errors import UserError
from itool_jax.forest import TokenTree, batches, bucket, chain
from itool_jax.models.decoder import empty_cache
from itool_jax.models.policy import Policy
from itool_jax.parallel.mesh import AnyMesh, batch_divisor
from itool_jax.parallel.processes import WEIGHTS
from itool_jax.plan.abstract import everywhere, laid_out, laid_out_policy, rows
from itool_jax.rounds.score import row_length, rows_of_batch
from itool_jax.rounds.settings import fit_config, preference_objective, rows_per_step, searches
from itool_jax.sampling.arena import decode_round, idle_slots, prefill, rearrange
from itool_jax.sampling.cohort import STOPS, arena_sharding, prompt_rows, prompt_width
from itool_jax.sampling.sampler import SamplerConfig, prompt_columns
from itool_jax.search.self_evaluation import MOST_ROWS
from itool_jax.training.dataset import SftRows, batched
from itool_jax.training.logprobs import forest_logprobs, score_forest
from itool_jax.training.objectives import ObjectiveFn, sft
from itool_jax.training.preference_data import PairGroup, PreferenceRows, TokenPreference
from itool_jax.training.step import frozen_part, init_state, make_optimizer, make_train_step

_STEPS = 1000  # of a schedule: only the data know how many, and nothing here depends on it
_PAIRS = 8  # of a tree where the config sets no limit
_QUESTION, _OPTIONS = 96, 32  # tokens of self-evaluation's texts, about: only the tokenizer knows

STAGES = ("sft", "score", "search", "prefer")
Kind = Literal["train", "forward", "prefill", "decode", "move"]


class Passes(NamedTuple):
    """What one pass of the model reads, over all devices: rows of `tokens` that attend to `columns` each."""

    rows: int
    tokens: int
    columns: int


@dataclass(frozen=True)
class Program:
    """One jitted function with the arguments that a stage calls it with.

    name      what a call of it is
    policy    as it computes with it, laid out
    parts     the arguments by what they are
    beside    what else of the stage lies on the devices meanwhile
    mesh      that is set while it runs
    repeated  passes of one call
    """

    name: str
    kind: Kind
    function: Any
    args: tuple[Any, ...]
    policy: Policy
    parts: Mapping[str, Any]
    passes: Passes
    beside: Mapping[str, Any]
    mesh: AnyMesh | None = None
    repeated: int = 1
    static: Mapping[str, Any] = field(default_factory=dict)

    def trace(self) -> jax.stages.Traced:
        """The program as it is called under its mesh."""
        with jax.set_mesh(self.mesh) if isinstance(self.mesh, Mesh) else nullcontext():
            return self.function.trace(*self.args, **self.static)

    @property
    def tokens(self) -> int:
        """Tokens that a call reads, padding included."""
        return self.repeated * self.passes.rows * self.passes.tokens


class Lengths(NamedTuple):
    """How long the made-up data are, in tokens."""

    prompt: int
    answer: int


def lengths(config: ConfigDict, prompt: int | None = None) -> Lengths:
    """The answers that the search may give, and prompts that fit a row of the warm-up with one.

    Raises UserError where the model's context does not hold both.
    """
    answer = round_config(config, 0).search.answer_tokens
    return Lengths(max(config.warmup.row_tokens - answer, 1) if prompt is None else prompt, answer)


def stage_programs(
    config: ConfigDict, policy: Policy, mesh: AnyMesh, data: Lengths, only: Collection[str] = ()
) -> dict[str, list[Program]]:
    """What each stage runs, or each of those in `only`; rounds are as the first one.

    Raises UserError where rows or trees do not divide over the devices.
    """
    context = policy.config.context
    if sum(data) > context:
        raise UserError(
            f"prompts of {data.prompt} tokens with answers of {data.answer} (config.round.search.answer_tokens) are "
            f"longer than the model's context of {context}: set --prompt-tokens to at most "
            f"{max(context - data.answer, 0)}."
        )
    made = {
        "sft": lambda: [_sft(config, policy, mesh, data)],
        "score": lambda: [_score(config, policy, mesh, data)],
        "search": lambda: _search(config, policy, mesh, data),
        "prefer": lambda: [_prefer(config, policy, mesh)],
    }
    return {name: made[name]() for name in stages_of(config) if not only or name in only}


def stages_of(config: ConfigDict) -> list[str]:
    """The stages that a run of this config has."""
    if not config.rounds:
        return ["sft"]
    return [name for name in STAGES if name != "search" or searches(round_config(config, 0))]


def _sft(config: ConfigDict, policy: Policy, mesh: AnyMesh, data: Lengths) -> Program:
    cfg = config.warmup
    trees = [_chain(cfg.row_tokens, data)] * max(cfg.row_tokens // sum(data), 1)
    return _step("SFT step", config, cfg, "warmup", SftRows(trees, cfg.row_tokens), sft, policy, mesh)


def _prefer(config: ConfigDict, policy: Policy, mesh: AnyMesh) -> Program:
    """Rows hold one tree, with all the pairs or answers that it may have; those take half of the row at most."""
    round = round_config(config, 0)
    cfg, mode = round.prefer, round.pairs.mode
    if mode in ("answers", "right", "truth", "group"):
        pairs = 1
        sides = {"answers": 2, "truth": 1}.get(mode) or round.search.iterations * round.search.samples
    else:
        pairs, sides = round.pairs.per_tree_max or _PAIRS, 2
    pairs = min(pairs, (cfg.row_tokens - 2) // sides)
    length = max(1, min(round.search.answer_tokens, cfg.row_tokens // 2 // (pairs * sides)))
    tokens = [tuple((sides * i + side + 1,) * length for side in range(sides)) for i in range(pairs)]
    groups = tuple(TokenPreference((), of, tuple(range(sides)), ((0.0,) * length,) * sides) for of in tokens)
    anchor = (0,) if cfg.anchor_weight else ()
    made = PreferenceRows([PairGroup("", (0,), groups, anchor)], cfg.row_tokens)
    return _step(f"{cfg.loss} step", config, cfg, "round.prefer", made, preference_objective(cfg), policy, mesh)


def _step(
    name: str,
    config: ConfigDict,
    cfg: ConfigDict,
    where: str,
    made: Any,
    objective: ObjectiveFn,
    policy: Policy,
    mesh: AnyMesh,
) -> Program:
    per_step = rows_per_step(cfg, batch_divisor(mesh), f"{where}.rows")
    batch = batched(made, epochs=1, rows_per_step=per_step, accumulate=cfg.accumulate, seed=0, process=(0, 1))[0]
    batch = rows(batch, mesh, axis=1)
    optimizer = make_optimizer(fit_config(cfg, config.model, _STEPS).optimizer)
    state = jax.eval_shape(lambda policy: init_state(policy, optimizer, mesh), policy)  # pyright: ignore
    state = laid_out(state, mesh)
    policy = laid_out_policy(policy, mesh)
    frozen = frozen_part(policy)
    parts = {"parameters": (state.trainable, frozen), "optimiser": (state.moments, state.step), "batch": batch}
    return Program(
        name, "train", make_train_step(objective, optimizer, state), (state, frozen, batch), policy, parts,
        Passes(cfg.rows, cfg.row_tokens, cfg.row_tokens),
        beside={"base and stage's first model": (policy.trainable, policy.trainable)},
        mesh=mesh, repeated=cfg.accumulate,
    )  # fmt: skip


def _score(config: ConfigDict, policy: Policy, mesh: AnyMesh, data: Lengths) -> Program:
    cfg = config.warmup
    tokens = row_length(cfg, sum(data))
    count = rows_of_batch(cfg, tokens, batch_divisor(mesh))
    return _forward("scored batch", _chain(tokens, data), tokens, count, laid_out_policy(policy, mesh), mesh, {})


def _forward(
    name: str,
    tree: TokenTree,
    tokens: int,
    count: int,
    policy: Policy,
    mesh: AnyMesh,
    beside: Mapping[str, Any],
    function: Any = score_forest,
) -> Program:
    forest, _ = next(batches([tree], tokens, count))
    forest = rows(forest, mesh)
    return Program(
        name, "forward", function, (policy, forest), policy, {"parameters": policy, "batch": forest},
        Passes(count, tokens, tokens), {"base model": policy.trainable, **beside}, mesh=mesh,
    )  # fmt: skip


def _search(config: ConfigDict, policy: Policy, mesh: AnyMesh, data: Lengths) -> list[Program]:
    round = round_config(config, 0)
    cfg, divisor = round.search, round.search.cohorts * batch_divisor(mesh)
    longest = data.prompt + (cfg.answer_tokens if cfg.extra_iterations else 0)  # as Search.longest_prompt has it
    sampler = SamplerConfig(
        cfg.trees, cfg.samples, prompt_columns(longest), cfg.arena_tokens, stop_tokens=(0,), cohorts=cfg.cohorts
    )
    if cfg.trees % divisor:
        raise UserError(
            f"config.round.search.trees is {cfg.trees}, but the trees of {cfg.cohorts} cohort(s) lie over "
            f"{batch_divisor(mesh)} devices (mesh data x fsdp): choose a multiple of {divisor}."
        )
    start = laid_out_policy(policy, mesh)
    weights = laid_out_policy(policy, mesh, WEIGHTS)
    programs = _sampling(
        sampler, weights, mesh, data, {"model as trained": _apart(start, weights), "base model": start.trainable}
    )
    if cfg.self_eval_weight:
        below = data.answer + cfg.self_eval_orderings * _OPTIONS
        tokens = bucket(data.prompt + data.answer + _QUESTION + cfg.samples * below)
        tree = _chain(tokens, Lengths(tokens - 1, 1))
        arenas = [programs[0].parts["KV arena"]] * cfg.cohorts
        held = {"sampler's copy and KV arenas": (_apart(weights, start), arenas)}
        programs.append(_forward("self-evaluation", tree, tokens, MOST_ROWS, start, mesh, held))
    tree = _chain(round.prefer.row_tokens, data)
    size = round.prefer.row_tokens, round.prefer.rows
    return [*programs, _forward("references", tree, *size, start, mesh, {}, forest_logprobs)]


def _sampling(
    cfg: SamplerConfig, policy: Policy, mesh: AnyMesh, data: Lengths, beside: Mapping[str, Any]
) -> list[Program]:
    columns = cfg.prompt_columns + cfg.arena_columns
    arena = jax.eval_shape(lambda: empty_cache(policy.config, cfg.cohort_trees, columns))
    sharding = arena_sharding(policy.config, mesh)
    arena = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding), arena)
    width = prompt_width(data.prompt, cfg)
    group = prompt_rows(width, mesh)
    slots = rows(idle_slots(cfg.cohort_trees, cfg.branches, cfg.arena_columns, STOPS), mesh)

    def program(name: str, kind: Kind, function: Any, passes: Passes, *others: Any, **static: Any) -> Program:
        moves = kind == "move"
        args = (arena, *others) if moves else (policy, arena, *others)
        parts = {"KV arena": arena, "slots": others} | ({} if moves else {"parameters": policy})
        more: dict[str, Any] = {"sampler's copy": policy} if moves else {}
        if cfg.cohorts > 1:
            more["other cohorts' KV arenas"] = [arena] * (cfg.cohorts - 1)
        return Program(name, kind, function, args, policy, parts, passes, {**beside, **more}, static=static)

    lengths = rows(np.zeros(cfg.cohort_trees, np.int32), mesh)
    columns_read = rows(np.zeros((cfg.cohort_trees, cfg.arena_columns), np.int32), mesh)
    seed = everywhere(np.uint32(0), mesh)
    prompt_lengths = rows(np.zeros(group, np.int32), mesh)
    prompts = rows(np.zeros((group, width), np.int32), mesh)
    places = everywhere(np.zeros(group, np.int32), mesh)
    order = rows(np.zeros((cfg.cohort_trees, columns), np.int32), mesh)
    return [
        program(
            "prompts", "prefill", prefill, Passes(group, width, columns),
            prompts, prompt_lengths, places, prompt_columns=cfg.prompt_columns,
        ),
        program(
            "decoded tokens", "decode", decode_round,
            Passes(cfg.cohort_trees, cfg.branches, columns + cfg.round_steps * cfg.branches),
            slots, columns_read, lengths, seed,
            steps=cfg.round_steps, prompt_columns=cfg.prompt_columns, prompt_used=cfg.prompt_columns,
        ),
        program("compaction", "move", rearrange, Passes(cfg.cohort_trees, 0, columns), order),
    ]  # fmt: skip


def _chain(tokens: int, data: Lengths) -> TokenTree:
    """A prompt with its answer, cut to a row of so many tokens."""
    answer = min(data.answer, tokens - 1)
    return chain((0,) * min(data.prompt, tokens - answer), (0,) * answer)


def _apart(tree: Any, other: Any) -> list[Any]:
    """The leaves of a tree that lie otherwise than those of the other, and so are copies of them."""
    pairs = zip(jax.tree.leaves(tree), jax.tree.leaves(other), strict=True)
    return [leaf for leaf, same in pairs if leaf.sharding != same.sharding]
