"""The tree sampler against the training forward, in any company, at any depth."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from etils import epath

from itool_jax.errors import UserError
from itool_jax.forest import branch, build_batch, capacity_for
from itool_jax.models.config import DecoderConfig
from itool_jax.models.forest_attention import causal
from itool_jax.models.hf import save_hf
from itool_jax.models.policy import init_policy
from itool_jax.parallel.mesh import make_mesh
from itool_jax.sampling import arena, cohort
from itool_jax.sampling.columns import TreeColumns
from itool_jax.sampling.prompts import Sampler
from itool_jax.sampling.sampler import Request, Sample, SamplerConfig, TreeSampler, own_places
from itool_jax.training.logprobs import token_logprobs

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
    rule: dict = field(default_factory=dict)
    got: list[tuple[Request, list[Sample]]] = field(default_factory=list)

    def requests(self):
        if len(self.got) == 3:
            return []
        path: tuple[int, ...] = ()
        if self.got:
            request, samples = self.got[-1]
            tokens = samples[0].tokens
            path = request.path + tokens[: len(tokens) // 2]
        return [Request(path, self.samples, budget=12, node=len(path), temperature=self.temperature, **self.rule)]


def explorers(count, **kwargs):
    rng = np.random.default_rng(0)
    return [Explorer(100 + i, tuple(rng.integers(8, 61, rng.integers(3, 30)).tolist()), **kwargs) for i in range(count)]


def hand_out(finished):
    for growth, request, samples in finished:
        growth.got.append((request, samples))


def grow(policy, growths, mesh=None, seed=5, **overrides):
    sizes = dict(trees=4, branches=3, prompt_columns=32, arena_columns=128, stop_tokens=(STOP,), round_steps=5)
    sampler = TreeSampler(policy, SamplerConfig(**(sizes | overrides)), seed=seed, mesh=mesh or one_device())
    ended = list(sampler.grow(growths, hand_out))
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
    hidden, _ = policy.hidden(tokens[None], jnp.arange(S)[None], causal(1, S))
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


def test_a_result_depends_only_on_seed_and_request(monkeypatch):
    """In float64, so that no rounding can hide or excuse a difference."""
    with jax.enable_x64(True):
        policy = init_policy(replace(CFG, dtype="float64"), seed=3)
        company, alone, reseeded, other_sizes = (explorers(4) for _ in range(4))
        grow(policy, company)
        grow(policy, reseeded, seed=6)
        assert tokens_of(reseeded) != tokens_of(company)
        grow(policy, alone[2:3], trees=1)
        assert tokens_of(alone[2:3]).items() <= tokens_of(company).items()
        monkeypatch.setattr(cohort, "_LEAST_WINDOW", 32)
        monkeypatch.setattr(arena, "_CHUNK", 8)
        assert cohort.prompt_windows(64) == (32, 64) and cohort.grown_windows(160) == (32, 48, 64, 96, 128, 160)
        sizes = {"trees": 2, "branches": 2, "prompt_columns": 64, "arena_columns": 160, "round_steps": 16}
        grow(policy, other_sizes, cohorts=2, **sizes)
        assert tokens_of(company) == tokens_of(other_sizes)


def test_greedy_branches_are_those_of_transformers(tmp_path):
    """At any depth: its generate reads prompt and path anew."""
    torch = pytest.importorskip("torch", reason="torch is the reference here")
    transformers = pytest.importorskip("transformers")
    policy = init_policy(CFG, seed=4)
    save_hf(epath.Path(tmp_path), policy)
    reference = transformers.LlamaForCausalLM.from_pretrained(tmp_path)
    growths = explorers(3, temperature=0.0, samples=1)
    grow(policy, growths)
    depths = set()
    for growth in growths:
        for request, (sample,) in growth.got:
            read = torch.tensor([[*growth.prompt, *request.path]])
            with torch.no_grad():
                made = reference.generate(
                    read, attention_mask=torch.ones_like(read), max_new_tokens=12, do_sample=False,
                    eos_token_id=STOP, pad_token_id=0,
                )  # fmt: skip
            assert tuple(made[0, read.shape[1] :].tolist()) == sample.tokens
            depths.add(len(request.path))
    assert len(depths) > 2


def test_nothing_compiles_after_the_warm_up(policy):
    """Whatever the lengths, rules and stop tokens are; a compaction is among what happens."""
    compiled = []
    listen = lambda name, _, **__: compiled.append(name) if "backend_compile" in name else None
    cfg = SamplerConfig(4, 3, 32, 103, stop_tokens=(STOP,), round_steps=5)
    sampler = TreeSampler(policy, cfg, seed=0, mesh=one_device())
    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        sampler.warm_up([3, 30])
        warm = len(compiled)
        growths = explorers(6)
        for growth, rule in zip(
            growths, [{"top_k": 3}, {"top_p": 0.5}, {"min_p": 0.1}, {"stop_tokens": ()}] * 2, strict=False
        ):
            growth.rule = rule
        for _ in sampler.grow(growths, hand_out):
            pass
        assert warm and sampler.stats.compactions and len(compiled) == warm
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)


def test_a_request_may_have_stop_tokens_of_its_own(policy):
    own, never = explorers(2), explorers(2)
    for growth in own:
        growth.rule = {"stop_tokens": (20, 21, 22, 23, 24, 25)}
    for growth in never:
        growth.rule = {"stop_tokens": ()}
    grow(policy, own)
    grow(policy, never)
    ends = {(s.end, s.tokens[-1] in range(20, 26)) for g in own for _, batch in g.got for s in batch}
    assert ends == {("stop", True), ("budget", False)}
    assert {s.end for g in never for _, batch in g.got for s in batch} == {"budget"}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"budget": 0}, "budget"),
        ({"temperature": -1.0}, "temperature"),
        ({"top_p": 0.0}, "top_p"),
        ({"top_k": -1}, "k"),
    ],
)
def test_a_wrong_request_is_refused(wrong, words):
    with pytest.raises(UserError, match=words):
        Request(**({"path": (), "samples": 1, "budget": 4} | wrong))


def test_perplexities_are_those_of_the_plain_forward(policy):
    prompts = [growth.prompt for growth in explorers(5)]
    answers = [tuple(range(9, 12 + n)) for n in range(5)]
    sampler = Sampler(policy, trees=2, mesh=one_device())
    for found, prompt, answer in zip(sampler.perplexities(prompts, answers), prompts, answers, strict=True):
        whole = np.asarray((*prompt, *answer), np.int32)
        logits = [logits_after(policy, jnp.asarray(whole), n) for n in range(len(prompt), len(whole))]
        logprobs = [jax.nn.log_softmax(row)[token] for row, token in zip(logits, answer, strict=True)]
        assert found == pytest.approx(np.exp(-np.mean(logprobs)), rel=1e-4)
    with pytest.raises(UserError, match=r"answer 1 is empty"):
        sampler.perplexities(prompts[:2], [(1,), ()])
    with pytest.raises(UserError, match=r"with an answer of 128 is more than"):
        sampler.perplexities([(1,)], [(1,) * 128])


def test_the_example_of_the_manual_runs():
    text = (Path(__file__).parent.parent / "docs/sampler.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, re.S)
    names: dict = {}
    for block in blocks:
        exec(block, names)
    assert [len(samples) for samples in names["four"]] == [4, 4]
    assert all(len(sample.tokens) <= 16 for samples in names["greedy"] for sample in samples)
    assert names["tree"].second[0].logprobs


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


def test_samples_end_at_stop_tokens_or_budget(policy):
    growths = explorers(9)
    grow(policy, growths)
    samples = [s for g in growths for _, batch in g.got for s in batch]
    assert {s.end for s in samples} == {"stop", "budget"}
    for sample in samples:
        assert STOP not in sample.tokens[:-1]
        assert (sample.tokens[-1] == STOP) == (sample.end == "stop")
        assert sample.end == "stop" or len(sample.tokens) == 12


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


def test_trees_that_do_not_divide_are_refused_by_the_name_they_were_given_by(policy):
    mesh = make_mesh(data=2, devices=jax.devices()[:2])
    assert [own_places(trees, 2, mesh, "config.k", 4) for trees in (16, 19, 32)] == [4, 4, 8]
    for trees, nearest in ((2, 16), (24, 32)):
        words = (
            f"config.k is {trees}, which does not divide over 4 processes x 2 cohorts x 2 devices (mesh data x fsdp): "
            f"choose a multiple of 16, such as {nearest}."
        )
        with pytest.raises(UserError, match=re.escape(words)):
            own_places(trees, 2, mesh, "config.k", 4)
    with pytest.raises(UserError, match=r"SamplerConfig\.trees is 3, which does not divide over 2 devices"):
        TreeSampler(policy, SamplerConfig(3, 1, 64, 32, (STOP,)), seed=0, mesh=mesh)
