"""Preference losses: pure functions of summed log-probabilities and lengths, one value per pair.

`chosen` and `rejected` are log pi(y|x) summed over the tokens of the completion, [...]; lengths count those tokens;
`reference_*` are the same sums under the reference policy, the policy at the start of the round.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Sums = Float[Array, "*pairs"]


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


def negative_log_likelihood(chosen: Sums, chosen_length: Sums) -> Sums:
    """-(1/|y|) log pi(y|x): the SFT term on the preferred side, per token."""
    return -chosen / jnp.maximum(chosen_length, 1)
