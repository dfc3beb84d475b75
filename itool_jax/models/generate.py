"""A model's logits and continuations for a user in a notebook, through the engine that searches sample with."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext

import jax
import jax.numpy as jnp

from itool_jax.models.forest_attention import causal
from itool_jax.models.policy import Policy
from itool_jax.parallel.mesh import mesh_of
from itool_jax.sampling.prompts import Sampler
from itool_jax.sampling.requests import Request

_TREES = 16  # prompts at once


def all_logits(policy: Policy, tokens_BS: jax.Array) -> jax.Array:
    """Next-token logits [B, S, V] in f32 at every position of whole sequences."""
    mesh = mesh_of(policy.params)
    with nullcontext() if mesh is None else jax.set_mesh(mesh):
        return _all_logits(policy, tokens_BS)


@jax.jit
def _all_logits(policy: Policy, tokens_BS: jax.Array) -> jax.Array:
    B, S = tokens_BS.shape
    positions_BS = jnp.broadcast_to(jnp.arange(S), (B, S))
    hidden_BSD, _ = policy.hidden(tokens_BS, positions_BS, causal(B, S))
    return policy.logits(hidden_BSD)


def continuations(
    policy: Policy,
    prompts: Sequence[Sequence[int]],
    stop_tokens: Sequence[int],
    *,
    max_tokens: int,
    temperature: float = 0.0,
    top_p: float = 1.0,
    seed: int = 0,
) -> list[tuple[int, ...]]:
    """Token ids that follow each prompt, without what stopped it; raises UserError for what cannot be sampled."""
    sampler = Sampler(policy, stop_tokens, seed=seed, trees=min(_TREES, max(1, len(prompts))))
    request = Request((), 1, max_tokens, temperature=temperature, top_p=top_p)
    return [
        sample.tokens[:-1] if sample.end == "stop" else sample.tokens for (sample,) in sampler.sample(prompts, request)
    ]
