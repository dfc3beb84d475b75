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
    """Forests with the pairs that their completions form.

    pairs      int32 [B, Q, 2]  (chosen, rejected) completions of the row
    weight     float32 [B, Q]   what a pair counts; 0 is padding
    reference  float32 [B, C]   summed log-probs of the completions under the reference policy
    anchor     float32 [B, C]   1 where a completion is a ground-truth answer that is trained on beside the pairs
    """

    forest: PackedForest
    pairs: Any
    weight: Any
    reference: Any
    anchor: Any


def preference(
    loss: str, *, beta: float, gamma: float, sft_weight: float = 0.0, anchor_weight: float = 0.0
) -> ObjectiveFn:
    """The objective of a preference step: `loss` ("simpo" or "dpo") plus `sft_weight` times the SFT term on y_w.

    An anchor counts `anchor_weight` of a pair: the loss is the weighted mean of the pairs' losses and of the anchors'
    -log pi(y* | x), summed over the tokens of y*.
    """

    def objective(policy: Policy, batch: PreferenceBatch) -> Objective:
        sums_BC, lengths_BC = completion_sums(token_logprobs(policy, batch.forest), batch.forest)

        def sides(values_BC):
            picked = jnp.take_along_axis(values_BC[:, None], batch.pairs, axis=2)
            return picked[..., 0], picked[..., 1]

        real = batch.weight > 0
        chosen, rejected = sides(sums_BC)
        chosen_length, rejected_length = (jnp.where(real, length, 1) for length in sides(lengths_BC))
        reference_chosen, reference_rejected = sides(batch.reference)
        if loss == "simpo":
            per_pair = losses.simpo(chosen, rejected, chosen_length, rejected_length, beta=beta, gamma=gamma)
            margin = beta * (chosen / chosen_length - rejected / rejected_length)
        elif loss == "dpo":
            per_pair = losses.dpo(chosen, rejected, reference_chosen, reference_rejected, beta=beta)
            margin = beta * (chosen - reference_chosen - rejected + reference_rejected)
        else:
            raise ValueError(f"unknown preference loss {loss!r}: expected 'simpo' or 'dpo'")
        if sft_weight:
            per_pair = per_pair + sft_weight * losses.negative_log_likelihood(chosen, chosen_length)

        pairs = jnp.sum(batch.weight)

        def over_pairs(value_BQ) -> Mean:
            return Mean(jnp.sum(jnp.where(real, value_BQ * batch.weight, 0.0)), pairs)

        anchor_loss = -jnp.sum(jnp.where(batch.anchor > 0, sums_BC, 0.0))
        anchor_tokens = jnp.sum(jnp.where(batch.anchor > 0, lengths_BC, 0.0))
        metrics = {
            "pair_loss": over_pairs(per_pair),
            "accuracy": over_pairs((margin > 0).astype(jnp.float32)),
            "margin": over_pairs(margin),
            "chosen_logprob": over_pairs(chosen / chosen_length),
            "rejected_logprob": over_pairs(rejected / rejected_length),
            "chosen_drift": over_pairs(chosen - reference_chosen),
            "rejected_drift": over_pairs(rejected - reference_rejected),
            "anchor_logprob": Mean(-anchor_loss, anchor_tokens),  # per token, as those of the sides
        }
        total = metrics["pair_loss"].total + anchor_weight * anchor_loss
        return Objective(total, pairs + anchor_weight * jnp.sum(batch.anchor), _tokens(batch.forest), metrics)

    return objective


def _tokens(forest: PackedForest) -> Int[Array, ""]:
    return jnp.sum(forest.node < forest.select.shape[-1])
