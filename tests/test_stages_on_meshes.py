"""Every stage on eight devices against one, on four meshes; and what compiled training steps send between them.

SFT's loss and gradient are in test_mesh.py, two processes in test_processes.py.
"""

from __future__ import annotations

import functools
import re
from typing import NamedTuple

import jax
import numpy as np
import pytest
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from itool_jax.forest import batches, chain
from itool_jax.models.config import DecoderConfig, LoraConfig
from itool_jax.models.policy import add_adapters, init_policy, run_as
from itool_jax.parallel.mesh import make_mesh, shard, shard_batch
from itool_jax.training.dataset import SftRows, batched
from itool_jax.training.logprobs import score_forest, score_rows
from itool_jax.training.objectives import group_policy, imitation, preference, sft
from itool_jax.training.preference_data import PairGroup, PreferenceRows, TokenPreference
from itool_jax.training.step import OptimizerConfig, frozen_part, init_state, make_optimizer, make_train_step
from tests.test_mesh import CFG, assert_close, gradient_on, one_device
from tests.test_sampler import CFG as SAMPLED
from tests.test_sampler import explorers, grow, tokens_of

MESHES = [(8, 1, 1), (4, 2, 1), (2, 2, 2), (1, 8, 1)]


def in_words(sizes):
    return "x".join(map(str, sizes))


on_meshes = pytest.mark.parametrize("sizes", MESHES, ids=in_words)


def words(rng, low, high):
    return tuple(rng.integers(0, CFG.vocab_size, rng.integers(low, high)).tolist())


@functools.cache
def scored(sizes=None):
    """Sums and lengths of 16 chains, in a batch of 8 rows, with weights that lie over the mesh."""
    rng = np.random.default_rng(1)
    trees = [chain(words(rng, 3, 9), words(rng, 1, 9)) for _ in range(16)]
    mesh = make_mesh(*sizes) if sizes else one_device()
    policy = init_policy(CFG, seed=0)
    policy = policy.replace(params=shard(policy.params, mesh))
    return [score_rows(policy, forest) for forest, _ in batches(trees, 32, 8)]


@on_meshes
def test_scores_are_those_of_one_device(sizes):
    alone, together = scored(), scored(sizes)
    assert len(alone) == len(together)
    for (sums, lengths), (other, same) in zip(alone, together, strict=True):
        assert sums.min() < -3
        np.testing.assert_allclose(other, sums, rtol=1e-5)
        np.testing.assert_array_equal(same, lengths)


def preference_batch():
    rng = np.random.default_rng(2)

    def pair():
        sides = words(rng, 1, 5), words(rng, 1, 5)
        return TokenPreference(words(rng, 0, 3), sides, reference=tuple((-3.0,) * len(side) for side in sides))

    groups = [PairGroup(str(n), words(rng, 3, 9), (pair(), pair()), words(rng, 2, 6)) for n in range(32)]
    return batched(PreferenceRows(groups, row_tokens=64), epochs=1, rows_per_step=16, accumulate=2, seed=0)[0]


def list_batch():
    """Three samples of each prompt, best first, with rewards and with log-probs when sampled near those of now."""
    rng = np.random.default_rng(4)
    groups = []
    for number in range(32):
        sides = tuple(words(rng, 1, 5) for _ in range(3))
        reference = tuple(tuple(rng.normal(-np.log(CFG.vocab_size), 0.3, len(side)).tolist()) for side in sides)
        samples = TokenPreference((), sides, (0, 1, 2), reference, values=(1.0, 0.5, 0.0))
        groups.append(PairGroup(str(number), words(rng, 3, 9), (samples,), words(rng, 2, 6)))
    return batched(PreferenceRows(groups, row_tokens=48), epochs=1, rows_per_step=16, accumulate=2, seed=0)[0]


def adapted():
    """A policy with adapters that change something, so that both of their sides have gradients."""
    policy = add_adapters(init_policy(CFG, seed=0), LoraConfig(4, 8.0), seed=1)
    rng = np.random.default_rng(6)
    moved = lambda leaf: leaf + 0.1 * rng.normal(size=leaf.shape).astype(np.float32)
    return policy.replace(adapters=jax.tree.map(moved, policy.adapters))


ALL = {"anchor_weight": 0.2}
STEPS = {
    "simpo": (preference("simpo", beta=0.5, gamma=0.3, sft_weight=0.1, **ALL), preference_batch, None),
    "dpo": (preference("dpo", beta=0.5, sft_weight=0.1, **ALL), preference_batch, None),
    "adapters": (preference("simpo", beta=0.5, gamma=0.3, **ALL), preference_batch, adapted),
    "list_mle": (preference("list_mle", beta=0.5, gamma=0.3, **ALL), list_batch, None),
    "grpo": (group_policy(clip=0.2, kl_weight=0.1, **ALL), list_batch, None),
    "imitation": (imitation(**ALL), list_batch, None),
}
SLOW = ("dpo", "list_mle", "imitation")


@functools.cache
def preferred(name, sizes=None):
    objective, make_batch, make_policy = STEPS[name]
    policy = make_policy() if make_policy else init_policy(CFG, seed=0)
    return gradient_on(make_mesh(*sizes) if sizes else one_device(), policy, make_batch(), objective)


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        pytest.param(name, sizes, marks=pytest.mark.slow if name in SLOW else (), id=f"{name}-{in_words(sizes)}")
        for name in STEPS
        for sizes in (MESHES if name in ("simpo", "dpo") else [(2, 2, 2)])
    ],
)
def test_a_preference_step_has_the_loss_and_gradient_of_one_device(name, sizes):
    (loss_alone, gradient_alone), (loss_together, gradient) = preferred(name), preferred(name, sizes)
    assert loss_together == pytest.approx(loss_alone, rel=1e-5)
    assert all(np.any(leaf) for leaf in jax.tree.leaves(gradient_alone))
    assert_close(gradient, gradient_alone, 1e-5)


@functools.cache
def trained_by_tokens(sequence_sharding):
    """Loss and gradient of a preference step on rows of 64 tokens, over tensor 2."""
    policy, objective = init_policy(CFG, seed=0), preference("simpo", beta=0.5, gamma=0.3)
    policy = run_as(policy, sequence_sharding=sequence_sharding, remat="full")
    return gradient_on(make_mesh(2, 2, 2), policy, preference_batch(), objective)


def test_rows_that_lie_over_tensor_by_their_tokens_give_the_same():
    (loss, gradient), (other_loss, other) = trained_by_tokens(False), trained_by_tokens(True)
    assert other_loss == pytest.approx(loss, rel=1e-6)
    assert_close(other, gradient, 1e-5)


def test_what_is_kept_for_the_backward_pass_is_then_spread_over_tensor():
    plain, spread = (compiled_step((2, 2, 2), sequence_sharding=spread) for spread in (False, True))
    kept = lambda tokens: f"f32[{STEP.layers},{ROWS // 4},{tokens},{STEP.dim}]"
    assert kept(TOKENS) in plain[0] and kept(TOKENS // 2) not in plain[0]
    assert kept(TOKENS // 2) in spread[0] and kept(TOKENS) not in spread[0]


@functools.cache
def grown(sizes=None):
    """Samples of trees that are expanded at their roots and within, eight at a time."""
    trees = explorers(11)
    grow(init_policy(SAMPLED, seed=3), trees, mesh=make_mesh(*sizes) if sizes else one_device(), trees=8)
    return tokens_of(trees)


@on_meshes
def test_a_search_samples_what_one_device_samples(sizes):
    assert grown(sizes) == grown()


# Every size of the step is its own, so that a shape says what an array is.
STEP = DecoderConfig(vocab_size=416, dim=48, layers=3, heads=4, kv_heads=2, head_dim=8, ffn=160, remat="full")
ROWS, TOKENS, PARTS = 16, 512, 2
WIDTHS = {STEP.dim // devices for devices in (1, 2, 4, 8)}  # of the embedding, whole and over fsdp
PARTS_LOOP = "jit(step)/while/body/"
MOVES = ("all-gather", "all-to-all", "collective-permute", "collective-broadcast", "ragged-all-to-all")
SUMS = ("all-reduce", "reduce-scatter")
_CALL = re.compile(rf" = (.*?) ({'|'.join((*MOVES, *SUMS))})(?:-start)?\(")
_SOURCE = re.compile(r"op_name=\"([^\"]*)\"")
_SHAPE = re.compile(r"\w+\[([\d,]*)\]")


class Sent(NamedTuple):
    """An array as a collective gives it, and the operation that it is for; "" where the program does not say."""

    kind: str
    shape: tuple[int, ...]
    source: str


def sent(text):
    """What moves between devices, and what is summed over them."""
    found = []
    for line in text.splitlines():
        if (call := _CALL.search(line)) is not None:
            shapes = (tuple(map(int, filter(None, dims.split(",")))) for dims in _SHAPE.findall(call[1]))
            source = _SOURCE.search(line)
            found += [Sent(call[2], shape, source[1] if source else "") for shape in shapes]
    return found


def is_logits(one):
    """The vocabulary, whole or a device's part, for tokens: else it stands with the embedding's width alone."""
    vocabulary = any(size in (STEP.vocab_size, STEP.vocab_size // 2) for size in one.shape)
    return vocabulary and not WIDTHS & set(one.shape)


def is_of_all_layers(one):
    return one.kind in MOVES and STEP.layers in one.shape


def is_of_the_optimizer(one):
    """It moves, and not within the loop over the parts of a batch, after which comes the optimiser: what does not say
    what it is for does not count as in the loop."""
    return one.kind in MOVES and not one.source.startswith(PARTS_LOOP)


def rows_of_step(kind):
    """Rows of 512 tokens: one answer each, or two pairs and an anchor."""
    rng = np.random.default_rng(0)
    word = lambda count: tuple(rng.integers(0, STEP.vocab_size, count).tolist())
    if kind == "sft":
        return SftRows([chain(word(TOKENS // 2), word(TOKENS // 4)) for _ in range(2 * ROWS)], row_tokens=TOKENS)
    pair = lambda: TokenPreference((), (word(64), word(64)), reference=((-6.0,) * 64,) * 2)
    groups = [PairGroup(str(number), word(128), (pair(), pair()), word(32)) for number in range(2 * ROWS)]
    return PreferenceRows(groups, row_tokens=TOKENS)


KINDS = {"sft": sft, "simpo": preference("simpo", beta=0.5, gamma=0.3, anchor_weight=0.2), "adapters": sft}


@functools.cache
def compiled_step(sizes, kind="sft", sequence_sharding=False):
    """The text of a step with AdamW, and of the scorer."""
    rows = rows_of_step("sft" if kind == "adapters" else kind)
    batch = batched(rows, epochs=1, rows_per_step=ROWS * PARTS, accumulate=PARTS, seed=0)[0]
    mesh, policy = make_mesh(*sizes), init_policy(STEP, 0)
    if kind == "adapters":
        policy = add_adapters(policy, LoraConfig(5, 8.0), seed=1)
    policy = run_as(policy, sequence_sharding=sequence_sharding)
    optimizer = make_optimizer(OptimizerConfig(1e-3, steps=10))
    state = init_state(policy, optimizer, mesh)
    laid_out = policy.replace(params=shard(policy.params, mesh))
    with jax.set_mesh(mesh):
        step = make_train_step(KINDS[kind], optimizer, state)
        args = state, frozen_part(laid_out), shard_batch(batch, mesh, axis=1)
        text = step.lower(*args).compile().as_text()
        if kind != "sft":
            return text, ""
        scorer = score_forest.lower(laid_out, shard_batch(jax.tree.map(lambda leaf: leaf[0], batch), mesh))
        return text, scorer.compile().as_text()


@pytest.mark.parametrize(
    ("kind", "sizes"),
    [
        pytest.param(
            kind,
            sizes,
            marks=() if kind == "sft" or sizes == (2, 2, 2) else pytest.mark.slow,
            id=f"{kind}-{in_words(sizes)}",
        )
        for kind in KINDS
        for sizes in MESHES
    ],
)
def test_no_step_gathers_logits_or_optimiser_state(kind, sizes):
    """Nor sums logits. On 8 x 1 x 1 nothing could be gathered, since every device has all weights and moments; that
    nothing moves there is all that can be seen."""
    step, scorer = map(sent, compiled_step(sizes, kind))
    assert [one for one in step + scorer if is_logits(one)] == []
    assert [one for one in step + scorer if is_of_all_layers(one)] == []
    assert [one for one in step if is_of_the_optimizer(one)] == []
    assert any(one.kind in SUMS for one in step)  # gradients at least
    gathered = {one.shape for one in step if one.kind == "all-gather"}
    if sizes[1] > 1:  # weights, a layer at a time
        assert any(STEP.dim in shape and STEP.ffn // sizes[2] in shape for shape in gathered)
    else:
        assert gathered == set()


def test_what_would_be_gathered_or_summed_is_seen():
    """Logits, and moments of all layers, that a program wants whole on every device; and logits of a head whose
    products lie over fsdp by parts."""
    mesh = make_mesh(2, 2, 2)
    whole = NamedSharding(mesh, P())

    def step(logits, moments):
        return jax.lax.with_sharding_constraint((logits * 2, moments * 2), whole)

    def over(shape, *axes):
        return jax.ShapeDtypeStruct(shape, np.float32, sharding=NamedSharding(mesh, P(*axes)))

    logits = over((ROWS, TOKENS, STEP.vocab_size), ("data", "fsdp"), None, "tensor")
    moments = over((STEP.layers, STEP.dim, STEP.ffn), None, "fsdp", "tensor")
    text = jax.jit(step).lower(logits, moments).compile().as_text()
    for program in (text, _SOURCE.sub("", text)):
        found = sent(program)
        assert any(map(is_logits, found)) and any(map(is_of_all_layers, found)) and all(map(is_of_the_optimizer, found))

    hidden, head = over((ROWS, TOKENS, STEP.dim), None, None, "fsdp"), over((STEP.dim, STEP.vocab_size), "fsdp", None)
    product = jax.jit(lambda hidden, head: hidden @ head, out_shardings=whole)
    found = sent(product.lower(hidden, head).compile().as_text())
    assert [one.kind for one in found if is_logits(one)] == ["all-reduce"]
