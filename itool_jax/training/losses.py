"""Losses of pairs, rankings and groups: pure functions of log-probabilities, one value each.

`chosen` and `rejected` are log pi(y|x) summed over the tokens of the completion, [...]; lengths count those tokens;
`reference_*` are the same sums under the reference policy, the policy at the start of the round.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

Sums = Float[Array, "*pairs"]
Sides = Float[Array, "*lists sides"]
Tokens = Float[Array, "*tokens"]


def simpo(
    chosen: Sums,
    rejected: Sums,
    chosen_length: Sums,
    rejected_length: Sums,
    *,
    beta: float,
    gamma: float,
    label_smoothing: float = 0.0,
) -> Sums:
    """-log sigmoid(m),  m = beta/|y_w| log pi(y_w|x) - beta/|y_l| log pi(y_l|x) - gamma.

    gamma is an absolute margin. SimPO, Meng et al. 2024 (arXiv 2405.14734), eq. 6. The paper smooths no labels; with
    smoothing it is -(1 - e) log sigmoid(m) - e log sigmoid(-m), as in TRL's CPOTrainer.
    """
    return _logistic(beta * (chosen / chosen_length - rejected / rejected_length) - gamma, label_smoothing)


def dpo(
    chosen: Sums,
    rejected: Sums,
    reference_chosen: Sums,
    reference_rejected: Sums,
    *,
    beta: float,
    label_smoothing: float = 0.0,
) -> Sums:
    """-log sigmoid(m),  m = beta [(log pi - log ref)(y_w|x) - (log pi - log ref)(y_l|x)].

    DPO, Rafailov et al. 2023 (arXiv 2305.18290), eq. 7. With smoothing e it is conservative DPO, for labels that are
    the wrong way round with probability e: -(1 - e) log sigmoid(m) - e log sigmoid(-m); Mitchell 2023, "A note on DPO
    with noisy preferences & relationship to IPO".
    """
    return _logistic(beta * ((chosen - reference_chosen) - (rejected - reference_rejected)), label_smoothing)


def ipo(chosen: Sums, rejected: Sums, reference_chosen: Sums, reference_rejected: Sums, *, beta: float) -> Sums:
    """(h - 1 / (2 tau))^2,  h = (log pi - log ref)(y_w|x) - (log pi - log ref)(y_l|x); tau is `beta`.

    IPO, Azar et al. 2023 (arXiv 2310.12036), eq. 17. Log-probs are summed over the tokens, as the paper writes it, so
    the distance that h is to reach does not depend on the completions' lengths.
    """
    h = (chosen - reference_chosen) - (rejected - reference_rejected)
    return jnp.square(h - 1 / (2 * beta))


def ipo_averaged(
    chosen: Sums,
    rejected: Sums,
    reference_chosen: Sums,
    reference_rejected: Sums,
    chosen_length: Sums,
    rejected_length: Sums,
    *,
    beta: float,
) -> Sums:
    """`ipo` of log ratios averaged over each completion's tokens: h = ratio_w / |y_w| - ratio_l / |y_l|.

    TRL's form; its source says that IPO's authors confirmed it to be what they ran.
    """
    h = (chosen - reference_chosen) / chosen_length - (rejected - reference_rejected) / rejected_length
    return jnp.square(h - 1 / (2 * beta))


def orpo(chosen: Sums, rejected: Sums, chosen_length: Sums, rejected_length: Sums, *, beta: float) -> Sums:
    """-(1/|y_w|) log pi(y_w|x) - lambda log sigmoid( log odds(y_w|x) - log odds(y_l|x) ); lambda is `beta`.

    odds(y|x) = P / (1 - P) with log P = (1/|y|) log pi(y|x). ORPO, Hong et al. 2024 (arXiv 2403.07691), eq. 3 to 7.
    TRL's ORPOTrainer adds the prompt's tokens to the first term, and weighs the pairs of a batch by theirs.
    """
    log_odds = _log_odds(chosen / chosen_length) - _log_odds(rejected / rejected_length)
    return negative_log_likelihood(chosen, chosen_length) - beta * jax.nn.log_sigmoid(log_odds)


def list_mle(
    sums: Sides, lengths: Sides, ranks: Int[Array, "*lists sides"], *, beta: float, gamma: float
) -> Float[Array, "*lists"]:
    """-sum_i log( e^{s_i} / (e^{s_i} + sum_{j ranked below i} e^{s_j + gamma}) ),  s_i = beta/|y_i| log pi(y_i|x).

    sums, lengths and ranks are those of a list's sides; rank 0 is the best, sides of one rank are not compared with
    each other, and a negative rank is padding.

    The Plackett-Luce likelihood of a ranking: ListMLE, Xia et al. 2008; for language models DPO's appendix A.3
    (arXiv 2305.18290) and LiPO, Liu et al. 2024 (arXiv 2402.01878). The scores and the margin are SimPO's (arXiv
    2405.14734, eq. 6), so that a list of two is exactly `simpo`.
    """
    scores = beta * sums / lengths
    below = (ranks[..., :, None] < ranks[..., None, :]) & (ranks[..., :, None] >= 0)
    margins = scores[..., None, :] + gamma - scores[..., :, None]
    # log(1 + sum_j e^margin_ij): a side with none below it costs log 1
    one = jnp.zeros_like(margins[..., :1])
    costs = jax.nn.logsumexp(jnp.concatenate([one, jnp.where(below, margins, -jnp.inf)], axis=-1), axis=-1)
    return jnp.sum(costs, axis=-1)


def negative_log_likelihood(chosen: Sums, chosen_length: Sums) -> Sums:
    """-(1/|y|) log pi(y|x): the SFT term on the preferred side, per token."""
    return -chosen / jnp.maximum(chosen_length, 1)


def advantages(rewards: Sides, real: Bool[Array, "*lists sides"]) -> Sides:
    """(r_i - mean(r)) / std(r) over each group's samples, those that are `real`; 0 for others and where all are equal.

    GRPO, Shao et al. 2024 (arXiv 2402.03300), section 4.1.2. std is that of a sample, over G - 1, as in TRL.
    """
    count = jnp.sum(real, axis=-1, keepdims=True)
    apart = jnp.where(real, rewards - jnp.sum(rewards, axis=-1, where=real, keepdims=True) / jnp.maximum(count, 1), 0.0)
    variance = jnp.sum(jnp.square(apart), axis=-1, keepdims=True) / jnp.maximum(count - 1, 1)
    differ = variance > 1e-12
    return jnp.where(differ, apart / jnp.sqrt(jnp.where(differ, variance, 1.0)), 0.0)


def clipped_gain(logprobs: Tokens, sampled: Tokens, sign: float, *, clip: float) -> Tokens:
    """min(r A, clip(r, 1 - e, 1 + e) A) of every token for an advantage A of 1 or -1; r = pi / pi_sampled.

    It grows with |A| in proportion, so that for any A it is |A| times this. GRPO, arXiv 2402.03300, eq. 3.
    """
    ratio = jnp.exp(logprobs - sampled)
    return jnp.minimum(ratio * sign, jnp.clip(ratio, 1 - clip, 1 + clip) * sign)


def divergence(logprobs: Tokens, reference: Tokens) -> Tokens:
    """ref / pi - log(ref / pi) - 1 of every token: an unbiased estimate of KL(pi || ref) that is never negative.

    GRPO, arXiv 2402.03300, eq. 4; the estimator is Schulman's k3.
    """
    return jnp.expm1(reference - logprobs) - (reference - logprobs)


def grpo(
    gains: Sides, divergences: Sides, lengths: Sides, real: Bool[Array, "*lists sides"], *, kl_weight: float
) -> Float[Array, "*lists"]:
    """-1/G sum_i 1/|o_i| sum_t { min[r_it A_i, clip(r_it, 1 - e, 1 + e) A_i] - beta KL_it }; beta is `kl_weight`.

    gains and divergences are `clipped_gain` and `divergence` summed over the tokens of each sample; the sum over i is
    over the samples of a group that are `real`. GRPO, Shao et al. 2024 (arXiv 2402.03300), eq. 3.
    """
    each = (gains - kl_weight * divergences) / lengths
    return -jnp.sum(each, axis=-1, where=real) / jnp.maximum(jnp.sum(real, axis=-1), 1)


def _logistic(margin: Sums, label_smoothing: float) -> Sums:
    """-(1 - e) log sigmoid(m) - e log sigmoid(-m)."""
    right, wrong = -jax.nn.log_sigmoid(margin), -jax.nn.log_sigmoid(-margin)
    return (1 - label_smoothing) * right + label_smoothing * wrong if label_smoothing else right


def _log_odds(log_p: Sums) -> Sums:
    """log(p / (1 - p)); of a certain completion, whose odds have no bound, those one step of rounding below."""
    log_p = jnp.minimum(log_p, -jnp.finfo(log_p.dtype).eps)
    return log_p - jnp.log(-jnp.expm1(log_p))
