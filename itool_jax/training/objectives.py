"""What a training step minimises: weighted sums over a batch of forests, and the weight to divide them by."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from itool_jax.forest import PackedForest
from itool_jax.models.policy import Policy
from itool_jax.training import losses
from itool_jax.training.logprobs import completion_sums, token_logprobs


class Mean(NamedTuple):
    """A weighted mean in its two parts, which add up over batches."""

    total: Float[Array, ""]
    weight: Float[Array, ""]


class Objective(NamedTuple):
    """`total` / `weight` is the loss; `tokens` counts what the model read, padding left out."""

    total: Float[Array, ""]
    weight: Float[Array, ""]
    tokens: Int[Array, ""]
    metrics: dict[str, Mean]


ObjectiveFn = Callable[[Policy, Any], Objective]


def sft(policy: Policy, forest: PackedForest) -> Objective:
    """-log pi(y | q, T), averaged over the weighted tokens of the whole batch."""
    logprobs_BS = token_logprobs(policy, forest)
    return Objective(-jnp.sum(logprobs_BS * forest.weight), jnp.sum(forest.weight), _tokens(forest), {})


class PreferenceBatch(NamedTuple):
    """Forests with the preferences that their completions form.

    sides      int32 [B, Q, M]  completions of the row, best first: (chosen, rejected) of a pair, or more of a list
    ranks      int32 [B, Q, M]  0 for the best; sides of one rank are not compared with each other; -1 is padding
    values     float32 [B, Q, M]  Q or rewards of the sides
    weight     float32 [B, Q]   what a preference counts; 0 is padding
    reference  float32 [B, S]   log-probs of the sides' tokens under the reference policy; 0 elsewhere
    anchor     float32 [B, C]   1 where a completion is a ground-truth answer that is trained on beside them

    The forest's `weight` says how many sides a token belongs to.
    """

    forest: PackedForest
    sides: Any
    ranks: Any
    values: Any
    weight: Any
    reference: Any
    anchor: Any


def preference(
    loss: str,
    *,
    beta: float,
    gamma: float = 0.0,
    label_smoothing: float = 0.0,
    sft_weight: float = 0.0,
    anchor_weight: float = 0.0,
) -> ObjectiveFn:
    """The objective of a preference step: `loss` plus `sft_weight` times the SFT term on y_w.

    loss is one of itool_jax.training.losses: list_mle of all sides, any other of the first and the last. An anchor
    counts `anchor_weight` of a preference: the loss is the weighted mean of the preferences' losses and of the anchors'
    -log pi(y* | x), summed over the tokens of y*. Of the metrics, log-probs are per token, and drifts are log pi less
    log ref of the first and the last side, summed over its tokens.
    """

    def objective(policy: Policy, batch: PreferenceBatch) -> Objective:
        sums_BC, lengths_BC = completion_sums(token_logprobs(policy, batch.forest), batch.forest)
        references_BC, _ = completion_sums(batch.reference, batch.forest)
        sides = _Sides.of(batch, sums_BC, lengths_BC, references_BC)
        chosen, rejected = sides.ends()
        each, margin = _loss_and_margin(loss, sides, beta, gamma, label_smoothing)
        if sft_weight:
            each = each + sft_weight * losses.negative_log_likelihood(chosen.sum, chosen.length)

        real, preferences = batch.weight > 0, jnp.sum(batch.weight)

        def mean(value_BQ) -> Mean:
            return Mean(jnp.sum(jnp.where(real, value_BQ * batch.weight, 0.0)), preferences)

        anchor_loss, anchor_tokens = _anchors(batch, sums_BC, lengths_BC)
        metrics = {
            "pair_loss": mean(each),
            "accuracy": mean((margin > 0).astype(jnp.float32)),
            "margin": mean(margin),
            "chosen_logprob": mean(chosen.sum / chosen.length),
            "rejected_logprob": mean(rejected.sum / rejected.length),
            "chosen_drift": mean(chosen.drift),
            "rejected_drift": mean(rejected.drift),
            "anchor_logprob": Mean(-anchor_loss, anchor_tokens),  # per token, as those of the sides
        }
        total = metrics["pair_loss"].total + anchor_weight * anchor_loss
        weight = preferences + anchor_weight * jnp.sum(batch.anchor)
        return Objective(total, weight, _tokens(batch.forest), metrics)

    return objective


def imitation(*, anchor_weight: float = 0.0) -> ObjectiveFn:
    """SFT on all sides of the preferences, which are right answers: -log pi averaged over their tokens.

    An anchor's tokens count `anchor_weight` each.
    """

    def objective(policy: Policy, batch: PreferenceBatch) -> Objective:
        logprobs_BS, forest = token_logprobs(policy, batch.forest), batch.forest
        total, tokens = -jnp.sum(logprobs_BS * forest.weight), jnp.sum(forest.weight)
        drift = jnp.sum((logprobs_BS - batch.reference) * forest.weight)
        anchor_loss, anchor_tokens = _anchors(batch, *completion_sums(logprobs_BS, forest))
        metrics = {
            "chosen_logprob": Mean(-total, tokens),
            "chosen_drift": Mean(drift, jnp.sum(jnp.where(batch.weight[..., None] > 0, batch.ranks >= 0, False))),
            "anchor_logprob": Mean(-anchor_loss, anchor_tokens),
        }
        total, weight = total + anchor_weight * anchor_loss, tokens + anchor_weight * anchor_tokens
        return Objective(total, weight, _tokens(forest), metrics)

    return objective


def group_policy(*, clip: float, kl_weight: float = 0.0, anchor_weight: float = 0.0) -> ObjectiveFn:
    """GRPO: `losses.grpo` of groups, whose sides are all samples of a prompt and whose values are their rewards.

    The policy that sampled them and the one that the KL is to are the same: the policy at the start of the round.
    Anchors count as in `preference`.
    """

    def objective(policy: Policy, batch: PreferenceBatch) -> Objective:
        forest, of_sides = batch.forest, batch.forest.weight > 0
        logprobs_BS = token_logprobs(policy, forest)
        now, before = (jnp.where(of_sides, values, 0.0) for values in (logprobs_BS, batch.reference))
        rising_BS, falling_BS = (losses.clipped_gain(now, before, sign, clip=clip) for sign in (1.0, -1.0))
        divergence_BS = losses.divergence(now, before)
        over = lambda values_BS: completion_sums(values_BS, forest)
        sums_BC, lengths_BC = over(logprobs_BS)
        pick = lambda values_BC, otherwise=0.0: _pick(batch, values_BC, otherwise)
        advantage, real = losses.advantages(batch.values, batch.ranks >= 0), batch.ranks >= 0
        gains = jnp.abs(advantage) * jnp.where(advantage > 0, pick(over(rising_BS)[0]), pick(over(falling_BS)[0]))
        lengths = pick(lengths_BC, 1.0)
        each = losses.grpo(gains, pick(over(divergence_BS)[0]), lengths, real, kl_weight=kl_weight)

        groups, tokens = jnp.sum(batch.weight), jnp.sum(forest.weight)
        outside_BS = jnp.abs(jnp.exp(now - before) - 1) > clip
        anchor_loss, anchor_tokens = _anchors(batch, sums_BC, lengths_BC)
        metrics = {
            "group_loss": Mean(jnp.sum(each * batch.weight), groups),
            "kl": Mean(jnp.sum(divergence_BS * forest.weight), tokens),
            "out_of_clip": Mean(jnp.sum(outside_BS * forest.weight), tokens),
            "anchor_logprob": Mean(-anchor_loss, anchor_tokens),
        }
        total = metrics["group_loss"].total + anchor_weight * anchor_loss
        return Objective(total, groups + anchor_weight * jnp.sum(batch.anchor), _tokens(forest), metrics)

    return objective


class _Side(NamedTuple):
    """One side of every preference: its summed log-prob, its length in tokens, and its log-prob's reference, [B, Q]."""

    sum: Array
    length: Array
    reference: Array

    @property
    def drift(self) -> Array:
        return self.sum - self.reference


class _Sides(NamedTuple):
    """All sides of every preference, [B, Q, M]; padding has sums of 0 and lengths of 1."""

    sums: Array
    lengths: Array
    references: Array
    ranks: Array

    @staticmethod
    def of(batch: PreferenceBatch, sums_BC: Array, lengths_BC: Array, references_BC: Array) -> _Sides:
        pick = functools.partial(_pick, batch)
        return _Sides(pick(sums_BC), pick(lengths_BC, 1.0), pick(references_BC), batch.ranks)

    def ends(self) -> tuple[_Side, _Side]:
        """The best and the worst."""
        last_BQ1 = jnp.maximum(jnp.sum(self.ranks >= 0, axis=-1, keepdims=True) - 1, 0)
        values = self.sums, self.lengths, self.references
        best = (value[..., 0] for value in values)
        return _Side(*best), _Side(*(jnp.take_along_axis(value, last_BQ1, axis=-1)[..., 0] for value in values))


def _loss_and_margin(
    loss: str, sides: _Sides, beta: float, gamma: float, label_smoothing: float
) -> tuple[Array, Array]:
    """The loss of every preference, and by how much the implicit reward of its best side is above its worst's, [B, Q].

    Implicit rewards are `beta` times what the loss compares: of losses with a reference the log ratio to it, summed or
    averaged over tokens as there, of others the mean log-prob.
    """
    chosen, rejected = sides.ends()
    sums, lengths = (chosen.sum, rejected.sum), (chosen.length, rejected.length)
    references = chosen.reference, rejected.reference
    of_means = beta * (chosen.sum / chosen.length - rejected.sum / rejected.length)
    of_drifts = beta * (chosen.drift - rejected.drift)
    match loss:
        case "simpo":
            return losses.simpo(*sums, *lengths, beta=beta, gamma=gamma, label_smoothing=label_smoothing), of_means
        case "list_mle":
            return losses.list_mle(sides.sums, sides.lengths, sides.ranks, beta=beta, gamma=gamma), of_means
        case "orpo":
            return losses.orpo(*sums, *lengths, beta=beta), of_means
        case "dpo":
            return losses.dpo(*sums, *references, beta=beta, label_smoothing=label_smoothing), of_drifts
        case "ipo":
            return losses.ipo(*sums, *references, beta=beta), of_drifts
        case "ipo_averaged":
            of_mean_drifts = beta * (chosen.drift / chosen.length - rejected.drift / rejected.length)
            return losses.ipo_averaged(*sums, *references, *lengths, beta=beta), of_mean_drifts
    raise ValueError(f"unknown preference loss {loss!r}: expected the name of one in itool_jax.training.losses")


def _pick(batch: PreferenceBatch, values_BC: Array, otherwise: float = 0.0) -> Float[Array, "B Q M"]:
    """Values of completions, by the sides that they are; `otherwise` where there is none."""
    picked_BQM = jnp.take_along_axis(values_BC[:, None], batch.sides, axis=2)
    return jnp.where(batch.ranks >= 0, picked_BQM, otherwise)


def _anchors(batch: PreferenceBatch, sums_BC: Array, lengths_BC: Array) -> tuple[Array, Array]:
    """-log pi of all anchors, summed, and their tokens."""
    return -jnp.sum(jnp.where(batch.anchor > 0, sums_BC, 0.0)), jnp.sum(jnp.where(batch.anchor > 0, lengths_BC, 0.0))


def _tokens(forest: PackedForest) -> Int[Array, ""]:
    return jnp.sum(forest.node < forest.select.shape[-1])
