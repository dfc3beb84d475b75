"""The device side of the tree sampler: one KV arena per tree, decoded by bounded jitted rounds.

An arena row holds P prompt columns, then A columns for grown tokens; a prompt ends at column P, so that what is in use
is one run of columns around it. G branches of each of T trees attend to their own tree's arena in one forward: the
prompt by its length, the grown columns by `visible`. Nothing is copied per branch. A round only reads the arena: it
begins by gathering the grown columns that any of a tree's branches sees, and what its steps make stands in columns of
the round until its end.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from itool_jax.models.decoder import KVCache, LayerPast, Past, Unrolled, columns_apart, empty_cache
from itool_jax.models.policy import Policy
from itool_jax.sampling.draw import Rules, sample_tokens

Array = Any  # of NumPy while the host fills the slots, of JAX on the device
_ROUND_PRICE = 1  # of a new round, in decode steps: it gathers columns, and the host works meanwhile
_CHUNK = 512  # prompt tokens that are read at once, or an eighth of a longer prompt


class Slots(NamedTuple):
    """What the branches are doing; [T, G] each unless noted. The host writes them between rounds.

    token, position  what is fed next, and where on its path it stands
    base             first of the arena columns reserved for the request's tokens
    produced         tokens sampled so far; while it is 0, the fed token is the node's last and already stored
    budget           tokens to sample at most
    active           False for an idle slot
    identity         uint32 [T, G, 4]: example, node, expansion, sample; with the seed they make the random key
    rules            how tokens are drawn
    stops            [T, G, Z]: tokens that end the sample; -1 is none
    visible          bool [T, G, A]: which grown columns the branch sees; in a round, of those gathered
    """

    token: Array
    position: Array
    base: Array
    produced: Array
    budget: Array
    active: Array
    identity: Array
    rules: Rules
    stops: Array
    visible: Array


class RoundResult(NamedTuple):
    """One round's yield: tokens and log-probs [T, G, steps], of which a slot filled its first `count` [T, G].

    `active` [T, G] are the slots that have not finished.
    """

    tokens: Array
    logprobs: Array
    count: Array
    active: Array


def idle_slots(trees: int, branches: int, arena_columns: int, stops: int) -> Slots:
    """Host arrays of idle slots that have room for so many stop tokens."""
    shape = (trees, branches)
    integers = (np.zeros(shape, np.int32) for _ in range(5))
    return Slots(
        *integers,
        active=np.zeros(shape, bool),
        identity=np.zeros((*shape, 4), np.uint32),
        rules=Rules(
            np.ones(shape, np.float32),
            np.zeros(shape, np.int32),
            np.ones(shape, np.float32),
            np.zeros(shape, np.float32),
        ),
        stops=np.full((*shape, stops), -1, np.int32),
        visible=np.zeros((*shape, arena_columns), bool),
    )


@functools.partial(jax.jit, static_argnames=("prompt_columns",), donate_argnums=1)
def prefill(
    policy: Policy,
    arena: KVCache,
    tokens_BW: jax.Array,
    length_B: jax.Array,
    trees_B: jax.Array,
    prompt_columns: int,
) -> KVCache:
    """Writes the keys and values of prompts into the arenas of `trees_B`; an index of T or more writes nothing.

    tokens_BW is padded at the left; columns before a prompt hold rubbish that no query sees. Long prompts are read in
    chunks, each against the columns up to its own end.
    """
    B, W = tokens_BW.shape
    pad_B = W - length_B
    cache = empty_cache(policy.config, B, W)
    chunk = max(_CHUNK, -(-W // 8))
    for start in range(0, W, chunk):
        stop = min(start + chunk, W)
        index_S, columns_C = jnp.arange(start, stop), jnp.arange(stop)
        causal_BSC = (columns_C <= index_S[:, None]) & (columns_C >= pad_B[:, None, None])
        positions_BS = jnp.maximum(index_S - pad_B[:, None], 0)
        _, cache = policy.hidden(tokens_BW[:, start:stop], positions_BS, causal_BSC, cache, start)
    window = slice(prompt_columns - W, prompt_columns)
    write = lambda old, new: old.at[:, trees_B, :, window].set(new, mode="drop")
    return KVCache(write(arena.k, cache.k), write(arena.v, cache.v))


@functools.partial(jax.jit, donate_argnums=0)
def rearrange(arena: KVCache, columns_TC: jax.Array) -> KVCache:
    """Gathers each tree's columns in a new order, which frees the holes between live ones; a layer at a time."""

    def move(layer: jax.Array, arena: KVCache) -> KVCache:
        return KVCache(*(x.at[layer].set(jnp.take_along_axis(x[layer], columns_T1C1, axis=2)) for x in arena))

    columns_T1C1 = columns_TC[:, None, :, None]
    return jax.lax.fori_loop(0, arena.k.shape[0], move, arena)


def _uniform_numbers(seed: jax.Array, slots: Slots, steps: int) -> jax.Array:
    """[T, G, steps] in [0, 1): of each slot's next tokens, from the request and the token's number alone."""

    def one(identity: jax.Array, produced: jax.Array) -> jax.Array:
        key = functools.reduce(jax.random.fold_in, identity, jax.random.key(seed))
        fold = lambda number: jax.random.uniform(jax.random.fold_in(key, number), dtype=jnp.float32)
        return jax.vmap(fold)(produced + jnp.arange(steps, dtype=jnp.int32))

    return jax.vmap(jax.vmap(one))(slots.identity, slots.produced)


class _Round(NamedTuple):
    """What a step changes; `stored` [T, G, steps] says which steps' keys and values are to be kept.

    wasted  steps that slots which were active at the round's beginning have idled, in all
    """

    step: jax.Array
    wasted: jax.Array
    fresh: Any
    token: jax.Array
    position: jax.Array
    produced: jax.Array
    active: jax.Array
    stored: jax.Array
    tokens: jax.Array
    logprobs: jax.Array


def columns_in_use(slots: Slots) -> np.ndarray:
    """Bool [T, A]: the grown columns that an active branch of the tree sees."""
    return np.any(slots.visible & slots.active[..., None], axis=1)


def gather_columns(used_TA: np.ndarray, visible_TGA: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The first `count` columns in use of each tree, [T, C], and which of them each branch sees, [T, G, C].

    Where a tree has fewer, the rest are any others, and nobody sees them.
    """
    columns_TC = np.argsort(~used_TA, axis=1, kind="stable")[:, :count].astype(np.int32)
    seen_TC = np.take_along_axis(used_TA, columns_TC, axis=1)
    return columns_TC, np.take_along_axis(visible_TGA, columns_TC[:, None], axis=2) & seen_TC[:, None]


class Apart(NamedTuple):
    """Weights and prompts with every layer by itself, for rounds without a loop over layers (models.decoder.Unrolled).

    variables  of every layer
    prompts    the last so many prompt columns of every layer
    """

    variables: tuple[Any, ...]
    prompts: tuple[LayerPast, ...]


@functools.partial(jax.jit, static_argnames=("steps", "prompt_columns", "prompt_used"), donate_argnames="arena")
def decode_round(
    policy: Policy,
    arena: KVCache,
    slots: Slots,
    columns_TC: jax.Array,
    prompt_length_T: jax.Array,
    seed: jax.Array,
    apart: Apart | None = None,
    *,
    steps: int,
    prompt_columns: int,
    prompt_used: int,
) -> tuple[KVCache, RoundResult]:
    """Decodes up to `steps` tokens in every active slot; ends early once finished slots have idled for a round's price.

    columns_TC      which grown columns a tree's branches read; slots.visible [T, G, C] says who sees which of them
    prompt_columns  P
    prompt_used     how many of them are read, the last ones
    apart           the same weights and prompts layer by layer, where rounds are not to loop over layers
    """
    T, G, C = slots.visible.shape
    P, A = prompt_columns, arena.k.shape[3] - prompt_columns
    grown, fresh = _gathered(arena, P + columns_TC), empty_cache(policy.config, T, G * steps)
    if apart is None:
        past = Past(arena, P - prompt_used, grown)
    else:
        past = Unrolled(apart.variables, tuple(zip(apart.prompts, columns_apart(grown, 0, C), strict=True)))
        fresh = tuple(KVCache(k, v) for k, v in zip(*fresh, strict=True))
    in_prompt_TGP = jnp.arange(prompt_used) >= prompt_used - prompt_length_T[:, None, None]
    in_prompt_TGP = jnp.broadcast_to(in_prompt_TGP, (T, G, prompt_used))
    seen_TGC = jnp.concatenate([in_prompt_TGP, slots.visible], -1)
    uniform_TGS = _uniform_numbers(seed, slots, steps)
    started = jnp.sum(slots.active, dtype=jnp.int32)
    itself_GG = jnp.eye(G, dtype=bool)

    def more(state: _Round) -> jax.Array:
        return (state.step < steps) & jnp.any(state.active) & (state.wasted <= _ROUND_PRICE * started)

    def decode(state: _Round) -> _Round:
        step, active = state.step, state.active
        stored = state.stored.at[:, :, step].set(active & (state.produced > 0))
        own_TGC = (stored[..., None] & itself_GG[:, None, :]).reshape(T, G, steps * G)
        mask = jnp.concatenate([seen_TGC, own_TGC], -1)
        hidden, fresh = policy.hidden(state.token, state.position, mask, state.fresh, step * G, past)
        uniform_TG = jax.lax.dynamic_index_in_dim(uniform_TGS, step, 2, keepdims=False)
        token, logprob = sample_tokens(policy.logits(hidden), uniform_TG, slots.rules)
        stopped = jnp.any(token[..., None] == slots.stops, -1)
        going_on = active & ~stopped & (state.produced + 1 < slots.budget)
        return _Round(
            step + 1,
            state.wasted + started - jnp.sum(going_on, dtype=jnp.int32),
            fresh,
            token=jnp.where(active, token, state.token),
            position=state.position + active,
            produced=state.produced + active,
            active=going_on,
            stored=stored,
            tokens=state.tokens.at[:, :, step].set(jnp.where(active, token, 0)),
            logprobs=state.logprobs.at[:, :, step].set(jnp.where(active, logprob, 0).astype(jnp.float32)),
        )

    nothing = jnp.zeros((T, G, steps), jnp.int32)
    state = _Round(
        jnp.int32(0), jnp.int32(0), fresh, slots.token, slots.position, slots.produced, slots.active,
        nothing.astype(bool), nothing, nothing.astype(jnp.float32),
    )  # fmt: skip
    state = jax.lax.while_loop(more, decode, state)
    fresh = KVCache(*(jnp.stack(layers) for layers in zip(*state.fresh, strict=True))) if apart else state.fresh
    first = (P + slots.base + slots.produced - 1)[..., None]
    column_TGS = jnp.where(state.stored, first + jnp.arange(steps, dtype=jnp.int32), P + A)
    arena = _keep(arena, fresh, column_TGS.swapaxes(1, 2).reshape(T, steps * G))
    return arena, RoundResult(state.tokens, state.logprobs, state.produced - slots.produced, state.active)


def _gathered(arena: KVCache, columns_TC: jax.Array) -> KVCache:
    """[L, T, K, C, H]: so many columns of each tree."""
    return KVCache(*(jnp.take_along_axis(x, columns_TC[None, :, None, :, None], axis=3) for x in arena))


def _keep(arena: KVCache, fresh: KVCache, column_TS: jax.Array) -> KVCache:
    """Writes a round's columns [L, T, K, S, H] into the arena; those of P + A or more are not written."""
    rows_T1 = jnp.arange(column_TS.shape[0], dtype=jnp.int32)[:, None]

    def write(old: jax.Array, new: jax.Array) -> jax.Array:
        return old.at[:, rows_T1, :, column_TS].set(new.transpose(1, 3, 0, 2, 4), mode="drop")

    return KVCache(write(arena.k, fresh.k), write(arena.v, fresh.v))
