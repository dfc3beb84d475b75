"""Attention under the ancestor mask: its blocks and the TPU's kernel against NumPy in float64, and in the decoder."""

from __future__ import annotations

import functools
import importlib.util

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from itool_jax.forest import Capacity, PackedForest, TokenTree, build_batch, chain
from itool_jax.models import forest_blocks, forest_kernel
from itool_jax.models.config import DecoderConfig
from itool_jax.models.decoder import LayerPast, attend
from itool_jax.models.forest_attention import AncestorMask, attend_forest, causal
from itool_jax.models.policy import init_policy, run_as
from itool_jax.parallel.mesh import AXES, BATCH, make_mesh, shard, shard_batch
from itool_jax.plan.target import topology_devices
from itool_jax.training.logprobs import token_logprobs

K, G, H = 2, 3, 8  # KV heads, query heads of each, numbers of a head


def random_tree(rng, tokens) -> TokenTree:
    """A tree of so many tokens in up to eight segments, in depth-first order."""
    cuts = np.sort(rng.choice(np.arange(1, tokens), min(rng.integers(0, 8), tokens - 1), replace=False))
    segments = np.split(rng.integers(0, 50, tokens), cuts)
    parents, path = [-1], [0]
    for index in range(1, len(segments)):
        path = path[: rng.integers(1, len(path) + 1)]
        parents.append(path[-1])
        path.append(index)
    weights = (0.0, *[1.0] * (len(segments) - 1))
    return TokenTree(tuple(tuple(map(int, s)) for s in segments), tuple(parents), weights, ((0,),))


def random_forest(rng, rows, tokens) -> PackedForest:
    """Rows of several trees, some with padding at their end, and one of padding alone."""
    made = []
    for _ in range(rows - 1):
        sizes, left = [], tokens - rng.integers(0, tokens // 4 + 1)
        while left > 1:
            sizes.append(min(int(rng.integers(2, tokens + 1)), left))
            left -= sizes[-1]
        made.append([random_tree(rng, size) for size in sizes if size > 1])
    return build_batch([*made, []], Capacity(tokens, 8 * tokens, tokens))


def ancestors(forest: PackedForest, b: int, i: int) -> list[int]:
    """The token and those before it on its path, by its predecessors."""
    seen = [i]
    while forest.predecessor[b, seen[-1]] != seen[-1]:
        seen.append(int(forest.predecessor[b, seen[-1]]))
    return seen


def naive(forest: PackedForest, q, k, v, d_out):
    """Mixtures and the gradients by q, k, v in float64, query by query over what it sees."""
    q, k, v, d_out = (np.asarray(x, np.float64) for x in (q, k, v, d_out))
    out, dq, dk, dv = np.zeros_like(q), np.zeros_like(q), np.zeros_like(k), np.zeros_like(v)
    for b, i in np.ndindex(forest.tokens.shape):
        seen = ancestors(forest, b, i)
        for h, g in np.ndindex(q.shape[1:3]):
            scores = k[b, h, seen] @ q[b, h, g, i]
            weights = np.exp(scores - scores.max())
            weights /= weights.sum()
            out[b, h, g, i] = weights @ v[b, h, seen]
            d_weights = v[b, h, seen] @ d_out[b, h, g, i]
            d_scores = weights * (d_weights - weights @ d_weights)
            dq[b, h, g, i] = d_scores @ k[b, h, seen]
            dk[b, h, seen] += np.outer(d_scores, q[b, h, g, i])
            dv[b, h, seen] += np.outer(weights, d_out[b, h, g, i])
    return out, dq, dk, dv


def random_heads(rng, rows, tokens, dtype=jnp.float32, groups=G):
    """q, k, v and a gradient of the mixtures."""
    grouped, plain = (rows, K, groups, tokens, H), (rows, K, tokens, H)
    q, k, v, d_out = (rng.normal(size=shape) for shape in (grouped, plain, plain, grouped))
    return tuple(jnp.asarray(x, dtype) for x in (q, k, v, d_out))


@functools.cache
def _by_blocks(blocks, how):
    @jax.jit
    def both(q, k, v, d_out, end):
        out, lse = blocks.forward(q, k, v, end, **dict(how))
        delta = jnp.sum(out * d_out, -1)
        return out, *blocks.backward(q, k, v, lse, d_out, delta, end, **dict(how))

    return both


def by_blocks(blocks, forest, q, k, v, d_out, **how):
    """Mixtures and gradients as a module of blocks gives them."""
    return _by_blocks(blocks, tuple(how.items()))(q, k, v, d_out, jnp.asarray(forest.end))


def require_close(found, expected, atol):
    for name, one, other in zip(("out", "dq", "dk", "dv"), found, expected, strict=True):
        np.testing.assert_allclose(np.asarray(one, np.float64), other, rtol=1e-5, atol=atol, err_msg=name)


def distance(found, expected) -> list[float]:
    """How far each is from what it should be, as a part of that."""
    parts = zip((np.asarray(x, np.float64) for x in found), expected, strict=True)
    return [float(np.linalg.norm(one - other) / np.linalg.norm(other)) for one, other in parts]


@settings(max_examples=30)
@given(st.integers(0, 2**20), st.sampled_from([2, 23, 40]), st.sampled_from([8, 512]))
def test_blocks_are_those_of_naive_attention(seed, tokens, block):
    rng = np.random.default_rng(seed)
    forest, heads = random_forest(rng, 3, tokens), random_heads(rng, 3, tokens)
    require_close(by_blocks(forest_blocks, forest, *heads, block=block), naive(forest, *heads), 1e-5)


@pytest.mark.parametrize("groups", [1, 2])
def test_the_kernel_is_naive_attention(groups):
    """Interpreted: 300 tokens are three blocks of 128, the last of them in part padding."""
    rng = np.random.default_rng(groups)
    forest, heads = random_forest(rng, 3, 300), random_heads(rng, 3, 300, groups=groups)
    found = by_blocks(forest_kernel, forest, *heads, block=128, interpret=True)
    require_close(found, naive(forest, *heads), 2e-5)


@pytest.fixture
def interpreted(monkeypatch):
    """The switch's "tpu" on a CPU; rows of some hundred tokens are several blocks, here and blockwise."""
    for module, how in ((forest_blocks, {"block": 64}), (forest_kernel, {"block": 128, "interpret": True})):
        for name in ("forward", "backward"):
            monkeypatch.setattr(module, name, functools.partial(getattr(module, name), **how))


backends = pytest.mark.parametrize("how", ["blockwise", "tpu"])


def switched(how, forest, q, k, v, d_out):
    """Mixtures and gradients as the model's switch gives them; "dense" as the decoder has it."""
    rows, _, groups, tokens, _ = q.shape
    mask = AncestorMask(jnp.asarray(forest.end))

    def mixed(q, k, v):
        q_BSNH = q.transpose(0, 3, 1, 2, 4).reshape(rows, tokens, K * groups, H)
        if how == "dense":
            out = attend(q_BSNH, [LayerPast(k.swapaxes(-1, -2), v)], mask.dense())
        else:
            out = attend_forest(q_BSNH, k.swapaxes(1, 2), v.swapaxes(1, 2), mask, how)
        return out.reshape(rows, tokens, K, groups, H).transpose(0, 2, 3, 1, 4)

    @jax.jit
    def both(q, k, v, d_out):
        out, pull = jax.vjp(mixed, q, k, v)
        return out, *pull(d_out)

    return both(q, k, v, d_out)


def in_float64(tree) -> list[np.ndarray]:
    return [np.asarray(leaf, np.float64) for leaf in jax.tree.leaves(tree)]


def largest_apart(found, expected) -> float:
    """The largest difference of any array, as a part of its largest number."""
    pairs = zip(in_float64(found), in_float64(expected), strict=True)
    return max(float(np.abs(one - other).max() / np.abs(other).max()) for one, other in pairs)


def mean_apart(found, expected) -> list[float]:
    """The mean difference of each array, as a part of its mean size."""
    pairs = zip(in_float64(found), in_float64(expected), strict=True)
    return [float(np.abs(one - other).mean() / np.abs(other).mean()) for one, other in pairs]


@backends
def test_in_float32_backends_give_what_all_scores_give(interpreted, how):
    """Mixtures and their gradients by queries, keys and values: no number is 1e-5 of the largest away."""
    rng = np.random.default_rng(5)
    forest, heads = random_forest(rng, 3, 300), random_heads(rng, 3, 300, groups=2)
    assert largest_apart(switched(how, forest, *heads), switched("dense", forest, *heads)) < 1e-5


def test_in_bfloat16_backends_give_the_same(interpreted):
    """The same inputs in bf16, a number of which has 8 bits: two right results may round to neighbours 8e-3 apart, so
    what is 1e-3 at most is their mean difference, as a part of their mean size.

    Of mixtures and of gradients by values it is so between all three. In gradients by queries and keys the backends
    are compared with each other: all scores' own are 1e-2 from exact ones, since autodiff rounds the gradients of the
    weights to bf16 before their mean is taken off. How far each is from exact ones is the next test.
    """
    rng = np.random.default_rng(5)
    forest, heads = random_forest(rng, 3, 300), random_heads(rng, 3, 300, jnp.bfloat16, groups=2)
    of_all, blockwise, kernel = (switched(how, forest, *heads) for how in ("dense", "blockwise", "tpu"))
    for found in (blockwise, kernel):
        out, _, _, dv = mean_apart(found, of_all)
        assert max(out, dv) < 1e-3
    assert max(mean_apart(kernel, blockwise)) < 1e-3


@backends
def test_bfloat16_loses_no_more_than_with_all_scores(interpreted, how):
    """Nor more than its numbers' own rounding, which is 1.7e-3 of their length, twice."""
    rng = np.random.default_rng(3)
    forest, heads = random_forest(rng, 2, 200), random_heads(rng, 2, 200, jnp.bfloat16, groups=2)
    expected = naive(forest, *heads)
    found = distance(switched(how, forest, *heads), expected)
    for one, other in zip(found, distance(switched("dense", forest, *heads), expected), strict=True):
        assert one < min(other + 1e-3, 3.5e-3)


def test_pairs_that_no_query_sees_are_left_out():
    """Four trees of 128 tokens in one row and a chain of 512 in another, in blocks of 64."""
    apart, whole = [chain(range(64), range(64))] * 4, [chain(range(256), range(256))]
    end = jnp.asarray(build_batch([apart, whole], Capacity(512, 8, 4)).end)
    seen = np.asarray(forest_blocks.seen_blocks(end, 64))
    assert seen.sum((1, 2)).tolist() == [4 * 3, 8 * 9 // 2]
    for pairs in (forest_kernel._query_by_query(end, 64), forest_kernel._key_by_key(end, 64)):
        outer, inner, fetched = map(np.asarray, pairs)
        needed = fetched == inner
        assert needed.sum(1).tolist() == [4 * 3, 8 * 9 // 2]
        assert (np.diff(fetched[0]) != 0).sum() < needed[0].sum() + 4 < (np.diff(inner) != 0).sum()
        assert needed[:, outer == inner].all()


def test_blocks_fill_a_row_with_little_padding():
    assert [forest_blocks.block_size(S, 512) for S in (1, 512, 513, 992, 4096)] == [1, 512, 257, 496, 512]
    assert [forest_blocks.block_size(S, 512, 128) for S in (1, 600, 992, 1100)] == [128, 384, 512, 384]
    assert [forest_kernel.kernel_block(group) for group in (1, 4, 7, 8, 16, 64)] == [512, 512, 256, 256, 128, 128]


CFG = DecoderConfig(vocab_size=61, dim=32, layers=2, heads=8, kv_heads=2, head_dim=8, ffn=48)


@jax.jit
def logprobs_and_gradient(policy, forest):
    def total(trainable):
        logprobs = token_logprobs(policy.with_trainable(trainable), forest)
        return (logprobs * forest.weight).sum() / forest.weight.sum(), logprobs

    (_, logprobs), gradient = jax.value_and_grad(total, has_aux=True)(policy.trainable)
    return logprobs, gradient


@pytest.fixture(scope="module")
def rows_and_policy():
    rng = np.random.default_rng(7)
    rows = [[random_tree(rng, 350), random_tree(rng, 200)] for _ in range(4)]
    forest = build_batch(rows, Capacity(600, 16, 2))  # two blocks
    return forest, init_policy(CFG, 0)


SLOWER = [pytest.param("blockwise", remat, marks=pytest.mark.slow) for remat in ("none", "full")]


@pytest.mark.parametrize(("attention", "remat"), [("blockwise", "dots"), ("tpu", "full"), *SLOWER])
def test_log_probs_and_gradients_are_those_of_all_scores(rows_and_policy, interpreted, attention, remat):
    """Through the model's switch, in f32: no number is 1e-5 of its array's largest away."""
    forest, policy = rows_and_policy
    ways = [run_as(policy, remat=remat, attention=how) for how in (attention, "dense")]
    found, expected = (logprobs_and_gradient(policy, forest) for policy in ways)
    assert largest_apart(found, expected) < 1e-5


def test_in_bfloat16_no_backend_is_further_from_float32(rows_and_policy, interpreted):
    """A model in bf16, with any attention, is some 2e-3 from the log-probs of f32 and 2e-2 from its gradient, and with
    another attention other numbers round otherwise; so distances from f32 are compared, in the log-probs' and in the
    whole gradient's length, and a backend may be 1e-3 further off than all scores are."""
    forest, policy = rows_and_policy
    exact = logprobs_and_gradient(run_as(policy, remat="full", attention="dense"), forest)

    def away(how):
        logprobs, gradient = logprobs_and_gradient(
            run_as(policy, remat="full", attention=how, dtype="bfloat16"), forest
        )
        flat = lambda tree: np.concatenate([leaf.ravel() for leaf in in_float64(tree)])
        return distance([flat(logprobs), flat(gradient)], [flat(exact[0]), flat(exact[1])])

    of_all = away("dense")
    assert 1e-3 < of_all[0] < 5e-3 and 5e-3 < of_all[1] < 5e-2
    for how in ("blockwise", "tpu"):
        assert all(one < other + 1e-3 for one, other in zip(away(how), of_all, strict=True))


@pytest.mark.parametrize("sizes", [(8, 1, 1), (2, 2, 2), (1, 2, 4), (1, 1, 8)])
def test_meshes_change_nothing(rows_and_policy, sizes):
    """Rows that do not divide lie on every device; two KV heads lie over four or eight, copied."""
    forest, policy = rows_and_policy
    mesh = make_mesh(*sizes)
    expected = logprobs_and_gradient(policy, forest)
    divides = len(forest.tokens) % (sizes[0] * sizes[1]) == 0
    laid = policy.replace(params=shard(policy.params, mesh))
    with jax.set_mesh(mesh):
        found = logprobs_and_gradient(laid, shard_batch(forest, mesh) if divides else forest)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


def temporaries(how, tokens) -> int:
    """Bytes that XLA needs to attend one row, forward and backward."""
    q, k = (jax.ShapeDtypeStruct((1, tokens, heads, 16), jnp.float32) for heads in (4, 2))

    def total(q, k, v):
        mask = causal(1, tokens)
        if how == "dense":
            sources = [LayerPast(k.transpose(0, 2, 3, 1), v.swapaxes(1, 2))]
            return attend(q, sources, mask.dense()).sum()
        return attend_forest(q, k, v, mask, how).sum()

    compiled = jax.jit(jax.grad(total, (0, 1, 2))).lower(q, k, k).compile()
    return compiled.memory_analysis().temp_size_in_bytes


def test_memory_grows_with_the_row_and_not_with_its_square():
    dense, short, long = temporaries("dense", 4096), temporaries("blockwise", 4096), temporaries("blockwise", 8192)
    assert dense > 4 * 4 * 4096**2  # the scores of four heads in f32
    assert short < dense / 8 and long < 2 * short


needs_compiler = pytest.mark.skipif(
    importlib.util.find_spec("libtpu") is None, reason="the TPU compiler is not installed: extra 'tpu'"
)


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize("topology", ["v5e:4x4", "v6e:4x4", "v5p:2x2x2"])
@pytest.mark.parametrize(("heads", "kv_heads"), [(32, 8), (28, 4)])
@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_the_kernel_compiles_for_tpus(topology, heads, kv_heads, dtype):
    """A layer of Llama-3.1-8B and of Qwen2.5-7B, forward and backward, tensor = 4; no scores are in memory."""
    rows, tokens, width = 8, 4096, 128
    mesh = make_mesh(1, -1, 4, topology_devices(topology))
    array = lambda *shape: jax.ShapeDtypeStruct(shape, dtype, sharding=NamedSharding(mesh, P(BATCH, None, "tensor")))
    end = jax.ShapeDtypeStruct((rows, tokens), jnp.int32, sharding=NamedSharding(mesh, P(BATCH)))
    q, k = array(rows, tokens, heads, width), array(rows, tokens, kv_heads, width)

    def step(q, k, v, end, d_out):
        out, pull = jax.vjp(lambda q, k, v: attend_forest(q, k, v, AncestorMask(end), "tpu"), q, k, v)
        return out, pull(d_out)

    with jax.set_mesh(mesh):
        compiled = jax.jit(step).lower(q, k, k, end, q).compile()
    text, local = compiled.as_text() or "", rows // (mesh.shape[AXES[1]])
    assert text.count("tpu_custom_call") >= 3
    scores = local * (heads // 4) * tokens * tokens
    assert compiled.memory_analysis().temp_size_in_bytes < scores
