"""Logits exist in chunks: no array of a training step, forward or backward, has a number for each word of the
vocabulary and each token of more than a chunk."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import pytest

from itool_jax.forest import chain
from itool_jax.models.config import DecoderConfig, LoraConfig
from itool_jax.models.policy import add_adapters, init_policy
from itool_jax.parallel.mesh import make_mesh, shard, shard_batch
from itool_jax.training import logprobs
from itool_jax.training.dataset import SftRows, batched
from itool_jax.training.logprobs import CHUNK
from itool_jax.training.objectives import Objective, group_policy, imitation, preference, sft
from itool_jax.training.preference_data import PairGroup, PreferenceRows, TokenPreference
from itool_jax.training.step import OptimizerConfig, frozen_part, init_state, make_optimizer, make_train_step
from tests.jaxprs import equations
from tests.test_mesh import one_device

# No other size is the vocabulary's, so that a shape says what an array is; all others are below a chunk's.
CFG = DecoderConfig(vocab_size=416, dim=16, layers=2, heads=2, kv_heads=1, head_dim=8, ffn=48)
ROWS, TOKENS = 8, 640


def sft_batch():
    answers = [chain((row,), (row,) * (TOKENS - 1)) for row in range(ROWS)]
    return batched(SftRows(answers, TOKENS), epochs=1, rows_per_step=ROWS, accumulate=1, seed=0)[0]


def preference_batch():
    """Rows of one pair each, of nearly as many tokens that count."""
    sides = tuple((side,) * (TOKENS // 2 - 1) for side in (3, 4))
    pair = TokenPreference((), sides, reference=tuple((-1.0,) * len(side) for side in sides), values=(1.0, 0.0))
    groups = [PairGroup(str(row), (row,), (pair,)) for row in range(ROWS)]
    return batched(PreferenceRows(groups, TOKENS), epochs=1, rows_per_step=ROWS, accumulate=1, seed=0)[0]


def counted(batch) -> int:
    """Places of tokens whose log-prob is read."""
    return getattr(batch, "forest", batch).counted.size


def traced(objective, batch, sizes=None, policy=None):
    """The jaxpr of a training step."""
    policy = policy or init_policy(CFG, seed=0)
    mesh, optimizer = make_mesh(*sizes) if sizes else one_device(), make_optimizer(OptimizerConfig(1e-3, steps=10))
    state = init_state(policy, optimizer, mesh)
    with jax.set_mesh(mesh):
        frozen = frozen_part(policy.replace(params=shard(policy.params, mesh)))
        return make_train_step(objective, optimizer, state).trace(state, frozen, shard_batch(batch, mesh, axis=1)).jaxpr


def most_logits(jaxpr) -> int:
    """The most tokens for which any array has a number for each word: all residuals are among them, stacked."""
    shapes = (variable.aval.shape for equation in equations(jaxpr) for variable in equation.outvars)
    return max(math.prod(shape) // CFG.vocab_size for shape in shapes if CFG.vocab_size in shape)


OBJECTIVES = {
    "sft": (sft, sft_batch),
    "simpo": (preference("simpo", beta=2.5, anchor_weight=0.1), preference_batch),
    "grpo": (group_policy(clip=0.2, kl_weight=0.1), preference_batch),
    "imitation": (imitation(), preference_batch),
}


@pytest.mark.parametrize("name", OBJECTIVES)
def test_no_step_has_logits_of_more_tokens_than_a_chunk(name):
    objective, make_batch = OBJECTIVES[name]
    batch = make_batch()
    assert counted(batch) >= 16 * CHUNK
    assert most_logits(traced(objective, batch)) == CHUNK


def test_nor_has_a_step_with_adapters():
    policy = add_adapters(init_policy(CFG, seed=0), LoraConfig(4, 8.0), seed=0)
    assert most_logits(traced(sft, sft_batch(), policy=policy)) == CHUNK


def test_on_a_mesh_each_device_has_one_chunk_at_a_time():
    batch = sft_batch()
    assert counted(batch) >= 4 * 4 * CHUNK
    assert most_logits(traced(sft, batch, (2, 2, 2))) == 4 * CHUNK


def test_scoring_has_one_chunk_too():
    forest = jax.tree.map(lambda leaf: leaf[0], sft_batch())
    policy = init_policy(CFG, seed=0)
    assert most_logits(logprobs.forest_logprobs.trace(policy, forest).jaxpr) == CHUNK


def whole(policy, forest) -> Objective:
    """SFT with all logits in one chunk."""
    total = -jnp.sum(logprobs.token_logprobs(policy, forest, chunk=counted(forest)) * forest.weight)
    return Objective(total, jnp.sum(forest.weight), jnp.int32(0), {})


def test_whole_logits_and_chunks_that_are_kept_would_be_seen(monkeypatch):
    batch = sft_batch()
    assert most_logits(traced(whole, batch)) == counted(batch)
    monkeypatch.setattr(jax, "checkpoint", lambda function, **_: function)
    assert most_logits(traced(sft, batch)) == -(-counted(batch) // CHUNK) * CHUNK
