"""From the config tree to the settings of each room, in one place."""

from __future__ import annotations

from ml_collections import ConfigDict

from itool_jax.config import resolve_beta
from itool_jax.data.chat import format_for
from itool_jax.data.prepared import Dialect
from itool_jax.data.tokenizer import Tokenizer
from itool_jax.errors import UserError
from itool_jax.search.pairs import PairConfig
from itool_jax.search.rewards import Reward, grade_answer
from itool_jax.search.search import SamplingConfig
from itool_jax.search.tree import SearchConfig
from itool_jax.search.user_reward import load_reward
from itool_jax.training.fit import FitConfig
from itool_jax.training.objectives import ObjectiveFn, group_policy, imitation, preference
from itool_jax.training.step import OptimizerConfig


def dialect_for(cfg: ConfigDict, tokenizer: Tokenizer) -> Dialect:
    """How `config.data` says that a model with this tokenizer is spoken to."""
    return Dialect(tokenizer, format_for(tokenizer, cfg.chat, cfg.chat_date, cfg.chat_thinking))


def search_config(cfg: ConfigDict) -> SearchConfig:
    return SearchConfig(
        samples=cfg.samples,
        iterations=cfg.iterations,
        c_puct=cfg.c_puct,
        prior_power=cfg.prior_length_power,
        expansions_max=cfg.expansions_max,
        max_depth=cfg.max_depth,
        gamma=cfg.gamma,
        select_by=cfg.select_by,
        widening=cfg.widening,
        widening_power=cfg.widening_power,
        stop_unanimous=cfg.stop_unanimous,
        extra_iterations=cfg.extra_iterations,
    )


def sampling_config(cfg: ConfigDict) -> SamplingConfig:
    return SamplingConfig(
        answer_tokens=cfg.answer_tokens,
        temperature=cfg.temperature,
        top_p=cfg.top_p,
        self_eval_weight=cfg.self_eval_weight,
        self_eval_orderings=cfg.self_eval_orderings,
    )


def reward_function(cfg: ConfigDict) -> Reward:
    """O by slots, or what `config.round.search.reward` names; raises UserError where that cannot be imported."""
    return load_reward(cfg.reward) if cfg.reward else grade_answer


def pair_config(cfg: ConfigDict) -> PairConfig:
    return PairConfig(cfg.mode, cfg.min_gap, cfg.per_tree_max, cfg.ground_truth_stand_in, cfg.weight)


def fit_config(cfg: ConfigDict, model: ConfigDict, steps: int, eval_every: int = 0) -> FitConfig:
    optimizer = OptimizerConfig(
        learning_rate=cfg.learning_rate,
        steps=steps,
        warmup_fraction=cfg.warmup_fraction,
        weight_decay=cfg.weight_decay,
        clip=cfg.clip,
        optimizer=cfg.optimizer,
        schedule=cfg.schedule,
        master_copy=model.master_copy and model.param_dtype != "float32" and not model.lora_rank,
    )
    return FitConfig(
        optimizer,
        checkpoint_every=cfg.checkpoint_every,
        eval_every=eval_every,
        keep_last=cfg.keep_last,
        keep_best=cfg.keep_best,
    )


def searches(round: ConfigDict) -> bool:
    """Whether a round grows trees: SFT on the ground truth needs none."""
    return round.pairs.mode != "truth"


def preference_objective(cfg: ConfigDict) -> ObjectiveFn:
    """What the steps of `config.round.prefer` minimise."""
    if cfg.loss == "sft":
        return imitation(anchor_weight=cfg.anchor_weight)
    if cfg.loss == "grpo":
        return group_policy(clip=cfg.ratio_clip, kl_weight=cfg.kl_weight, anchor_weight=cfg.anchor_weight)
    return preference(
        cfg.loss,
        beta=resolve_beta(cfg),
        gamma=cfg.gamma,
        label_smoothing=cfg.label_smoothing,
        sft_weight=cfg.sft_weight,
        anchor_weight=cfg.anchor_weight,
    )


def rows_per_step(cfg: ConfigDict, divisor: int, key: str) -> int:
    """Rows that one optimiser step reads; raises UserError where they do not divide over the devices.

    key  where `cfg.rows` stands in the config
    """
    if cfg.rows % divisor:
        raise UserError(
            f"config.{key} is {cfg.rows}, but rows lie over {divisor} devices (mesh data x fsdp): "
            f"choose a multiple of {divisor}."
        )
    return cfg.rows * cfg.accumulate
