"""What a training step minimises: weighted sums over a batch of forests, and the weight to divide them by."""

from __future__ import annotations

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
    weight     float32 [B, Q]   what a preference counts; 0 is padding
    reference  float32 [B, C]   summed log-probs of the completions under the reference policy
    anchor     float32 [B, C]   1 where a completion is a ground-truth answer that is trained on beside them
    """

    forest: PackedForest
    sides: Any
    ranks: Any
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
    -log pi(y* | x), summed over the tokens of y*.
    """

    def objective(policy: Policy, batch: PreferenceBatch) -> Objective:
        sums_BC, lengths_BC = completion_sums(token_logprobs(policy, batch.forest), batch.forest)
        sides = _Sides.of(batch, sums_BC, lengths_BC)
        chosen, rejected = sides.ends()
        each, margin = _loss_and_margin(loss, sides, beta, gamma, label_smoothing)
        if sft_weight:
            each = each + sft_weight * losses.negative_log_likelihood(chosen.sum, chosen.length)

        real, preferences = batch.weight > 0, jnp.sum(batch.weight)

        def mean(value_BQ) -> Mean:
            return Mean(jnp.sum(jnp.where(real, value_BQ * batch.weight, 0.0)), preferences)

        anchor_loss = -jnp.sum(jnp.where(batch.anchor > 0, sums_BC, 0.0))
        anchor_tokens = jnp.sum(jnp.where(batch.anchor > 0, lengths_BC, 0.0))
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
    def of(batch: PreferenceBatch, sums_BC: Array, lengths_BC: Array) -> _Sides:
        def pick(values_BC, otherwise=0.0):
            picked_BQM = jnp.take_along_axis(values_BC[:, None], batch.sides, axis=2)
            return jnp.where(batch.ranks >= 0, picked_BQM, otherwise)

        return _Sides(pick(sums_BC), pick(lengths_BC, 1.0), pick(batch.reference), batch.ranks)

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


def _tokens(forest: PackedForest) -> Int[Array, ""]:
    return jnp.sum(forest.node < forest.select.shape[-1])
