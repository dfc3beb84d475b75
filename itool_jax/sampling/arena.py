"""The device side of the tree sampler: one KV arena per tree, decoded by bounded jitted rounds.

An arena row holds P prompt columns, then A columns for grown tokens. G branches of each of T trees attend to their own
tree's arena in one forward: the prompt by its length, the grown columns by `visible`. Nothing is copied per branch.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from itool_jax.models.decoder import KVCache, empty_cache
from itool_jax.models.policy import Policy

Array = Any  # of NumPy while the host fills the slots, of JAX on the device


class Slots(NamedTuple):
    """What the branches are doing; [T, G] each unless noted. The host writes them between rounds.

    token, position  what is fed next, and where on its path it stands
    base             first of the arena columns reserved for the request's tokens
    produced         tokens sampled so far; while it is 0, the fed token is the node's last and already stored
    budget           tokens to sample at most
    active           False for an idle slot
    identity         uint32 [T, G, 4]: example, node, expansion, sample; with the seed they make the random key
    temperature      0 is greedy
    top_p            1 is off
    visible          bool [T, G, A]: which grown columns the branch sees
    """

    token: Array
    position: Array
    base: Array
    produced: Array
    budget: Array
    active: Array
    identity: Array
    temperature: Array
    top_p: Array
    visible: Array


class RoundResult(NamedTuple):
    """One round's yield: tokens and log-probs [T, G, steps], of which a slot filled its first `count` [T, G]."""

    tokens: jax.Array
    logprobs: jax.Array
    count: jax.Array
    slots: Slots


def idle_slots(trees: int, branches: int, arena_columns: int) -> Slots:
    """Host arrays of idle slots."""
    shape = (trees, branches)
    integers = (np.zeros(shape, np.int32) for _ in range(5))
    ones = np.ones(shape, np.float32)
    return Slots(
        *integers,
        active=np.zeros(shape, bool),
        identity=np.zeros((*shape, 4), np.uint32),
        temperature=ones.copy(),
        top_p=ones.copy(),
        visible=np.zeros((*shape, arena_columns), bool),
    )


@functools.partial(jax.jit, donate_argnums=1)
def prefill(policy: Policy, arena: KVCache, tokens_BP: jax.Array, trees_B: jax.Array) -> KVCache:
    """Writes the keys and values of prompts into the arenas of `trees_B`; an index of T or more writes nothing.

    tokens_BP is padded at the right; columns past a prompt's length hold rubbish that no query sees.
    """
    B, P = tokens_BP.shape
    positions_BP = jnp.broadcast_to(jnp.arange(P), (B, P))
    causal = jnp.broadcast_to(jnp.tril(jnp.ones((P, P), bool)), (B, P, P))
    _, fresh = policy.hidden(tokens_BP, positions_BP, causal, empty_cache(policy.config, B, P), positions_BP)
    write = lambda old, new: old.at[:, trees_B, :, :P].set(new, mode="drop")
    return KVCache(write(arena.k, fresh.k), write(arena.v, fresh.v))


@functools.partial(jax.jit, donate_argnums=0)
def rearrange(arena: KVCache, columns_TC: jax.Array) -> KVCache:
    """Gathers each tree's columns in a new order, which frees the holes between live ones; a layer at a time."""

    def move(layer: jax.Array, arena: KVCache) -> KVCache:
        return KVCache(*(x.at[layer].set(jnp.take_along_axis(x[layer], columns_T1C1, axis=2)) for x in arena))

    columns_T1C1 = columns_TC[:, None, :, None]
    return jax.lax.fori_loop(0, arena.k.shape[0], move, arena)


def sample_tokens(
    logits_TGV: jax.Array, uniform_TG: jax.Array, temperature_TG: jax.Array, top_p_TG: jax.Array
) -> jax.Array:
    """One token a slot by inverse CDF from one uniform number; the likeliest token where the temperature is 0.

    top_p keeps the smallest set of likeliest tokens whose probability reaches it (Holtzman et al. 2020).
    """
    greedy = jnp.argmax(logits_TGV, -1)
    probs = jax.nn.softmax(logits_TGV / jnp.maximum(temperature_TG, 1e-6)[..., None], axis=-1)

    def nucleus(probs):
        descending = -jnp.sort(-probs, axis=-1)
        before = jnp.cumsum(descending, -1) - descending
        smallest = jnp.min(jnp.where(before < top_p_TG[..., None], descending, jnp.inf), -1)
        return jnp.where(probs >= smallest[..., None], probs, 0.0)

    probs = jax.lax.cond(jnp.any(top_p_TG < 1), nucleus, lambda p: p, probs)
    cdf = jnp.cumsum(probs, -1)
    drawn = jnp.sum(cdf <= (uniform_TG * cdf[..., -1])[..., None], -1)
    last_possible = probs.shape[-1] - 1 - jnp.argmax(probs[..., ::-1] > 0, -1)
    return jnp.where(temperature_TG > 0, jnp.minimum(drawn, last_possible), greedy)


def _request_keys(seed: jax.Array, identity_TG4: jax.Array) -> jax.Array:
    def one(identity):
        return functools.reduce(jax.random.fold_in, identity, jax.random.key(seed))

    return jax.vmap(jax.vmap(one))(identity_TG4)


@functools.partial(jax.jit, static_argnames=("steps",), donate_argnums=1)
def decode_round(
    policy: Policy,
    arena: KVCache,
    slots: Slots,
    prompt_length_T: jax.Array,
    stop_tokens: jax.Array,
    seed: jax.Array,
    steps: int,
) -> tuple[KVCache, RoundResult]:
    """Decodes up to `steps` tokens in every active slot; ends early when most slots that were active have finished."""
    T, G, A = slots.visible.shape
    C = arena.k.shape[3]
    P = C - A
    prompt_TGP = jnp.broadcast_to(jnp.arange(P) < prompt_length_T[:, None, None], (T, G, P))
    keys = _request_keys(seed, slots.identity)
    started = jnp.sum(slots.active)

    def more(state):
        step, _, slots, *_ = state
        active = jnp.sum(slots.active)
        return (step < steps) & (active > 0) & (4 * active >= started)

    def decode(state):
        step, arena, slots, tokens, logprobs, count = state
        stores = slots.active & (slots.produced > 0)
        column = slots.base + slots.produced - 1
        visible = slots.visible | (stores[..., None] & (jnp.arange(A) == column[..., None]))
        mask = jnp.concatenate([prompt_TGP, visible], -1)
        hidden, arena = policy.hidden(slots.token, slots.position, mask, arena, jnp.where(stores, P + column, C))
        logits = policy.logits(hidden)
        fold = jax.vmap(jax.vmap(lambda key, n: jax.random.uniform(jax.random.fold_in(key, n))))
        token = sample_tokens(logits, fold(keys, slots.produced), slots.temperature, slots.top_p).astype(jnp.int32)
        logprob = jnp.take_along_axis(logits, token[..., None], -1)[..., 0] - jax.nn.logsumexp(logits, -1)
        tokens = tokens.at[:, :, step].set(jnp.where(slots.active, token, 0))
        logprobs = logprobs.at[:, :, step].set(jnp.where(slots.active, logprob, 0.0))
        goes_on = ~jnp.isin(token, stop_tokens) & (slots.produced + 1 < slots.budget)
        moved = slots._replace(
            token=jnp.where(slots.active, token, slots.token),
            position=slots.position + slots.active,
            produced=slots.produced + slots.active,
            active=slots.active & goes_on,
            visible=visible,
        )
        return step + 1, arena, moved, tokens, logprobs, count + slots.active

    state = (
        0,
        arena,
        slots,
        jnp.zeros((T, G, steps), jnp.int32),
        jnp.zeros((T, G, steps)),
        jnp.zeros((T, G), jnp.int32),
    )
    _, arena, slots, tokens, logprobs, count = jax.lax.while_loop(more, decode, state)
    return arena, RoundResult(tokens, logprobs, count, slots)
