"""Preference losses: pure functions of summed log-probabilities and lengths, one value per pair or list.

`chosen` and `rejected` are log pi(y|x) summed over the tokens of the completion, [...]; lengths count those tokens;
`reference_*` are the same sums under the reference policy, the policy at the start of the round.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

Sums = Float[Array, "*pairs"]
Sides = Float[Array, "*lists sides"]


def simpo(
    chosen: Sums, rejected: Sums, chosen_length: Sums, rejected_length: Sums, *, beta: float, gamma: float
) -> Sums:
    """-log sigmoid(beta/|y_w| log pi(y_w|x) - beta/|y_l| log pi(y_l|x) - gamma).

    gamma is an absolute margin. SimPO, Meng et al. 2024 (arXiv 2405.14734), eq. 6.
    """
    margin = beta * (chosen / chosen_length - rejected / rejected_length) - gamma
    return -jax.nn.log_sigmoid(margin)


def dpo(chosen: Sums, rejected: Sums, reference_chosen: Sums, reference_rejected: Sums, *, beta: float) -> Sums:
    """-log sigmoid(beta [(log pi - log ref)(y_w|x) - (log pi - log ref)(y_l|x)]).

    DPO, Rafailov et al. 2023 (arXiv 2305.18290), eq. 7.
    """
    margin = beta * ((chosen - reference_chosen) - (rejected - reference_rejected))
    return -jax.nn.log_sigmoid(margin)


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
