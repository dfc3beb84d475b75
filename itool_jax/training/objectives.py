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
    loss: str, *, beta: float, gamma: float, sft_weight: float = 0.0, anchor_weight: float = 0.0
) -> ObjectiveFn:
    """The objective of a preference step: `loss` plus `sft_weight` times the SFT term on y_w.

    loss is "simpo" or "dpo", of the first and the last side, or "list_mle", of all sides. An anchor counts
    `anchor_weight` of a preference: the loss is the weighted mean of the preferences' losses and of the anchors'
    -log pi(y* | x), summed over the tokens of y*.
    """

    def objective(policy: Policy, batch: PreferenceBatch) -> Objective:
        sums_BC, lengths_BC = completion_sums(token_logprobs(policy, batch.forest), batch.forest)

        def sides(values_BC, otherwise=0.0):
            picked_BQM = jnp.take_along_axis(values_BC[:, None], batch.sides, axis=2)
            return jnp.where(batch.ranks >= 0, picked_BQM, otherwise)

        last_BQ1 = jnp.maximum(jnp.sum(batch.ranks >= 0, axis=-1, keepdims=True) - 1, 0)

        def ends(values_BQM):
            return values_BQM[..., 0], jnp.take_along_axis(values_BQM, last_BQ1, axis=-1)[..., 0]

        real = batch.weight > 0
        sums_BQM, lengths_BQM = sides(sums_BC), sides(lengths_BC, 1.0)
        chosen, rejected = ends(sums_BQM)
        chosen_length, rejected_length = ends(lengths_BQM)
        reference_chosen, reference_rejected = ends(sides(batch.reference))
        margin = beta * (chosen / chosen_length - rejected / rejected_length)
        if loss == "simpo":
            each = losses.simpo(chosen, rejected, chosen_length, rejected_length, beta=beta, gamma=gamma)
        elif loss == "list_mle":
            each = losses.list_mle(sums_BQM, lengths_BQM, batch.ranks, beta=beta, gamma=gamma)
        elif loss == "dpo":
            each = losses.dpo(chosen, rejected, reference_chosen, reference_rejected, beta=beta)
            margin = beta * (chosen - reference_chosen - rejected + reference_rejected)
        else:
            raise ValueError(f"unknown preference loss {loss!r}: expected 'simpo', 'dpo' or 'list_mle'")
        if sft_weight:
            each = each + sft_weight * losses.negative_log_likelihood(chosen, chosen_length)

        preferences = jnp.sum(batch.weight)

        def mean(value_BQ) -> Mean:
            return Mean(jnp.sum(jnp.where(real, value_BQ * batch.weight, 0.0)), preferences)

        anchor_loss = -jnp.sum(jnp.where(batch.anchor > 0, sums_BC, 0.0))
        anchor_tokens = jnp.sum(jnp.where(batch.anchor > 0, lengths_BC, 0.0))
        metrics = {
            "pair_loss": mean(each),
            "accuracy": mean((margin > 0).astype(jnp.float32)),
            "margin": mean(margin),
            "chosen_logprob": mean(chosen / chosen_length),
            "rejected_logprob": mean(rejected / rejected_length),
            "chosen_drift": mean(chosen - reference_chosen),
            "rejected_drift": mean(rejected - reference_rejected),
            "anchor_logprob": Mean(-anchor_loss, anchor_tokens),  # per token, as those of the sides
        }
        total = metrics["pair_loss"].total + anchor_weight * anchor_loss
        weight = preferences + anchor_weight * jnp.sum(batch.anchor)
        return Objective(total, weight, _tokens(batch.forest), metrics)

    return objective


def _tokens(forest: PackedForest) -> Int[Array, ""]:
    return jnp.sum(forest.node < forest.select.shape[-1])
