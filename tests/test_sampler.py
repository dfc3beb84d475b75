"""The tree sampler against the training forward, in any company, at any depth."""

from __future__ import annotations

from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from itool_jax.forest import branch, build_batch, capacity_for
from itool_jax.models.config import DecoderConfig
from itool_jax.models.policy import init_policy
from itool_jax.parallel.mesh import make_mesh
from itool_jax.sampling.arena import decode_round, sample_tokens
from itool_jax.sampling.columns import TreeColumns
from itool_jax.sampling.sampler import Request, Sample, SamplerConfig, TreeSampler
from itool_jax.training.logprobs import ancestor_mask, token_logprobs

CFG = DecoderConfig(vocab_size=61, dim=32, layers=2, heads=4, kv_heads=2, head_dim=8, ffn=64, context=128)
STOP = 7


@pytest.fixture(scope="module")
def policy():
    sharp = lambda path, leaf: leaf * (1.5 if path[-1].key == "embedding" else 1.0)
    policy = init_policy(CFG, seed=3)
    return policy.replace(params=jax.tree_util.tree_map_with_path(sharp, policy.params))


@dataclass
class Explorer:
    """Samples at the root, then again from the middle of what came, twice: branches at several depths."""

    key: int
    prompt: tuple[int, ...]
    temperature: float = 1.0
    samples: int = 3
    got: list[tuple[Request, list[Sample]]] = field(default_factory=list)

    def requests(self):
        if len(self.got) == 3:
            return []
        path: tuple[int, ...] = ()
        if self.got:
            request, samples = self.got[-1]
            tokens = samples[0].tokens
            path = request.path + tokens[: len(tokens) // 2]
        return [Request(path, self.samples, budget=12, node=len(path), temperature=self.temperature)]


def explorers(count, **kwargs):
    rng = np.random.default_rng(0)
    return [Explorer(100 + i, tuple(rng.integers(8, 61, rng.integers(3, 30)).tolist()), **kwargs) for i in range(count)]


def grow(policy, growths, mesh=None, seed=5, **overrides):
    sizes = dict(trees=4, branches=3, prompt_columns=32, arena_columns=128, stop_tokens=(STOP,), round_steps=5)
    sampler = TreeSampler(policy, SamplerConfig(**(sizes | overrides)), seed=seed, mesh=mesh or one_device())

    def receive(finished):
        for growth, request, samples in finished:
            growth.got.append((request, samples))

    ended = list(sampler.grow(growths, receive))
    assert sorted(g.key for g in ended) == sorted(g.key for g in growths)
    return sampler


def one_device():
    return jax.make_mesh(
        (1, 1, 1), ("data", "fsdp", "tensor"), axis_types=(jax.sharding.AxisType.Auto,) * 3, devices=jax.devices()[:1]
    )


def tokens_of(growths):
    return {g.key: [[s.tokens for s in samples] for _, samples in g.got] for g in growths}


def test_logprobs_are_those_of_the_training_forward(policy):
    growths = explorers(9)
    grow(policy, growths)
    for growth in growths:
        paths = [((*growth.prompt, *r.path), s.tokens) for r, samples in growth.got for s in samples]
        tree = branch(paths)
        forest = build_batch([[tree]], capacity_for([tree], [(0,)], len(tree)))
        logprobs = np.asarray(token_logprobs(policy, forest))[0]
        sums = forest.select[0] @ np.bincount(forest.node[0], logprobs, minlength=forest.select.shape[2])
        expected = [sum(s.logprobs) for _, samples in growth.got for s in samples]
        np.testing.assert_allclose(sums[: len(expected)], expected, atol=2e-4)


@jax.jit
def logits_after(policy, tokens, length):
    S = len(tokens)
    hidden, _ = policy.hidden(tokens[None], jnp.arange(S)[None], ancestor_mask(jnp.full((1, S), S)))
    return policy.logits(hidden[0, length - 1])


def test_greedy_through_the_arena_is_the_argmax_of_the_full_forward(policy):
    growths = explorers(5, temperature=0.0, samples=1)
    grow(policy, growths)
    for growth in growths:
        for request, (sample,) in growth.got:
            path = [*growth.prompt, *request.path]
            for token in sample.tokens:
                logits = logits_after(policy, jnp.zeros(64, jnp.int32).at[: len(path)].set(jnp.array(path)), len(path))
                assert logits[token] >= logits.max() - 1e-4
                path.append(token)


def test_a_result_depends_only_on_seed_and_request(policy):
    company, alone, other_sizes = explorers(9), explorers(9), explorers(9)
    grow(policy, company)
    for growth in alone:
        grow(policy, [growth], trees=1)
    grow(policy, other_sizes, trees=2, branches=2, prompt_columns=64, arena_columns=160, round_steps=16)
    assert tokens_of(company) == tokens_of(alone) == tokens_of(other_sizes)
    reseeded = explorers(9)
    grow(policy, reseeded, seed=6)
    assert tokens_of(reseeded) != tokens_of(company)


def test_eight_devices_grow_the_trees_of_one(policy):
    one, eight = explorers(9), explorers(9)
    grow(policy, one)
    grow(policy, eight, mesh=make_mesh(data=2, fsdp=2, tensor=2))
    assert tokens_of(one) == tokens_of(eight)


def test_a_tight_arena_is_compacted_and_changes_nothing(policy):
    roomy, tight = explorers(6), explorers(6)
    grow(policy, roomy)
    sampler = grow(policy, tight, arena_columns=103)
    assert sampler.stats.compactions > 0 and not sampler.stats.retired
    assert tokens_of(roomy) == tokens_of(tight)


def test_a_tree_that_cannot_fit_is_retired_and_counted(policy):
    growths = explorers(3)
    sampler = grow(policy, growths, arena_columns=11)
    assert sorted(g.key for g in sampler.stats.retired) == [g.key for g in growths]


def test_a_retired_tree_hands_over_what_it_has():
    policy = init_policy(CFG, seed=3)
    growths = explorers(3, samples=4)
    sampler = grow(policy, growths, branches=1, arena_columns=26)
    assert len(sampler.stats.retired) == 3
    assert all(0 < len(samples) < 4 for g in growths for _, samples in g.got[-1:])


def test_nothing_compiles_after_the_first_trees(policy):
    grow(policy, explorers(5))
    before = decode_round._cache_size()
    grow(policy, explorers(9, temperature=0.5))
    assert decode_round._cache_size() == before


def test_samples_end_at_stop_tokens_or_budget(policy):
    growths = explorers(9)
    grow(policy, growths)
    samples = [s for g in growths for _, batch in g.got for s in batch]
    assert {s.end for s in samples} == {"stop", "budget"}
    for sample in samples:
        assert STOP not in sample.tokens[:-1]
        assert (sample.tokens[-1] == STOP) == (sample.end == "stop")
        assert sample.end == "stop" or len(sample.tokens) == 12


def test_sampling_follows_the_distribution():
    logits = jnp.log(jnp.array([0.5, 0.3, 0.15, 0.05]))
    uniform = (jnp.arange(10_000) + 0.5) / 10_000
    draw = lambda temperature, top_p: (
        np.bincount(
            sample_tokens(
                jnp.tile(logits, (1, 10_000, 1)),
                uniform[None],
                jnp.full((1, 10_000), temperature),
                jnp.full((1, 10_000), top_p),
            )[0],
            minlength=4,
        )
        / 10_000
    )
    np.testing.assert_allclose(draw(1.0, 1.0), [0.5, 0.3, 0.15, 0.05], atol=1e-3)
    np.testing.assert_allclose(draw(1.0, 0.8), [0.625, 0.375, 0, 0], atol=1e-3)
    np.testing.assert_allclose(draw(0.5, 1.0), np.array([0.25, 0.09, 0.0225, 0.0025]) / 0.365, atol=1e-3)
    np.testing.assert_allclose(draw(0.0, 1.0), [1, 0, 0, 0])


def test_columns_of_merged_samples_are_freed():
    columns = TreeColumns(12)
    first, second = columns.reserve(5), columns.reserve(5)
    assert (first, second, columns.reserve(3)) == (0, 5, None)
    columns.store((), (1, 2, 3, 4), first, 5)
    columns.store((), (1, 2, 9, 4), second, 5)
    assert columns.find((1, 2, 3)) == [0, 1, 2] and columns.find((1, 2, 9)) == [0, 1, 7]
    with pytest.raises(KeyError):
        columns.find((1, 2, 3, 4))
    assert columns.reserve(5) is None
    assert columns.compact().tolist()[:4] == [0, 1, 2, 7]
    assert columns.find((1, 2, 9)) == [0, 1, 3] and columns.reserve(8) == 4
