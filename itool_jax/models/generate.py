"""A model's logits and continuations for a user in a notebook, through the engine that searches sample with."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from itool_jax.errors import UserError
from itool_jax.models.policy import Policy
from itool_jax.parallel.mesh import batch_divisor, make_mesh
from itool_jax.sampling.sampler import Finished, Request, SamplerConfig, TreeSampler, prompt_columns
from itool_jax.sampling.single import SingleBranch

_TREES = 16  # prompts at once


@jax.jit
def all_logits(policy: Policy, tokens_BS: jax.Array) -> jax.Array:
    """Next-token logits [B, S, V] in f32 at every position of whole sequences."""
    B, S = tokens_BS.shape
    positions_BS = jnp.broadcast_to(jnp.arange(S), (B, S))
    causal_BSS = jnp.broadcast_to(jnp.tril(jnp.ones((S, S), bool)), (B, S, S))
    hidden_BSD, _ = policy.hidden(tokens_BS, positions_BS, causal_BSS)
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
    if max_tokens < 1 or not temperature >= 0 or not 0 < top_p <= 1:
        raise UserError(
            f"max_tokens = {max_tokens}, temperature = {temperature}, top_p = {top_p}: expected at least 1 token, a "
            "temperature from 0, and a top_p above 0 and up to 1."
        )
    context = policy.config.context
    for number, prompt in enumerate(prompts):
        if not prompt:
            raise UserError(f"prompt {number} is empty: give at least one token.")
        if len(prompt) + max_tokens > context:
            raise UserError(
                f"prompt {number} has {len(prompt)} tokens, which with an answer of {max_tokens} is more than the "
                f"model's {context}."
            )
    if not prompts:
        return []
    request = Request((), 1, max_tokens, temperature=temperature, top_p=top_p)
    branches = [SingleBranch(number, prompt, request) for number, prompt in enumerate(prompts)]
    mesh = make_mesh()
    divisor = batch_divisor(mesh)
    cfg = SamplerConfig(
        trees=-(-min(_TREES, len(prompts)) // divisor) * divisor,
        branches=1,
        prompt_columns=prompt_columns(max(map(len, prompts))),
        arena_columns=max_tokens,
        stop_tokens=tuple(stop_tokens),
    )
    answers: dict[int, tuple[int, ...]] = {}

    def receive(finished: Sequence[Finished]) -> None:
        for branch, _, (sample,) in finished:
            answers[branch.key] = sample.tokens[:-1] if sample.end == "stop" else sample.tokens

    for _ in TreeSampler(policy, cfg, seed=seed, mesh=mesh).grow(branches, receive):
        pass
    return [answers[number] for number in range(len(prompts))]
