"""What plans count, against counting by hand and against JAX's own word."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

import jax
import pytest

from itool_jax.models.config import LoraConfig
from itool_jax.models.forest_attention import attend_forest, causal
from itool_jax.models.policy import add_adapters, init_policy
from itool_jax.models.presets import PRESETS
from itool_jax.parallel.mesh import make_mesh, shard
from itool_jax.plan.abstract import abstract_policy, per_device
from itool_jax.plan.memory import estimate, live
from itool_jax.plan.plan import make_plan
from itool_jax.plan.programs import lengths, stage_programs, stages_of
from itool_jax.plan.target import devices_target
from itool_jax.sampling.sampler import SamplerConfig, TreeSampler
from itool_jax.training.flops import Flops, matmul_flops
from itool_jax.training.logprobs import CHUNK
from itool_jax.training.step import OptimizerConfig, init_state, make_optimizer
from tests.plan_cases import (
    BF16,
    CFG,
    HEAD,
    LINEAR,
    QLORA,
    SQUARE,
    STEP,
    TOKENS,
    A,
    B,
    S,
    programs_of,
    small_config,
)

pytestmark = pytest.mark.usefixtures("small_model")


def flops_of(config, stage, name) -> Flops:
    return matmul_flops(live(programs_of(config, (stage,))[1][name].trace().jaxpr)[0])


def test_a_forward_multiplies_each_token_with_each_weight_once():
    sums = 2 * (2 * B * 1 * 2)  # log-probs and counts of one completion over the two segments of a row
    assert flops_of(small_config(), "score", "scored batch") == Flops(2 * TOKENS * (LINEAR + HEAD), SQUARE + sums)


def test_a_step_is_three_forwards_and_one_more_of_what_is_computed_again():
    """Logits are computed again in any case; a layer's last product is not, since nothing in the layer needs it."""
    linear, attention = A * 2 * TOKENS * (3 * LINEAR + 4 * HEAD), A * STEP
    assert flops_of(small_config(), "sft", "SFT step") == Flops(linear, attention)
    again = A * 2 * TOKENS * (LINEAR - CFG.layers * CFG.ffn * CFG.dim)
    assert flops_of(small_config(remat="full"), "sft", "SFT step") == Flops(linear + again, attention + A * SQUARE)


@pytest.mark.parametrize(
    ("loss", "mode"), [("grpo", "group"), ("sft", "right"), ("sft", "truth"), ("orpo", "answers"), ("ipo", "all")]
)
def test_whatever_the_loss_a_preference_step_multiplies_as_an_sft_step_does(loss, mode):
    config = small_config()
    config.round.prefer.loss, config.round.pairs.mode = loss, mode
    assert stages_of(config) == ["sft", "score", *([] if mode == "truth" else ["search"]), "prefer"]
    assert flops_of(config, "prefer", f"{loss} step").linear == 2 * TOKENS * (3 * LINEAR + 4 * HEAD)


def test_frozen_weights_have_no_gradient_to_multiply_for():
    rank = 4
    outputs = (CFG.heads + 2 * CFG.kv_heads) * CFG.head_dim + 2 * CFG.ffn + 2 * CFG.dim
    inputs = 3 * CFG.dim + CFG.heads * CFG.head_dim + 2 * CFG.dim + CFG.ffn
    adapters = CFG.layers * rank * (inputs + outputs)
    found = flops_of(small_config(lora_rank=rank), "sft", "SFT step")
    assert found == Flops(A * 2 * TOKENS * (2 * LINEAR + 3 * HEAD + 3 * adapters), A * STEP)


def attention_flops(how, mesh=None):
    """Of rows of 1,200 tokens, in three blocks of 512: forward alone, and with a backward pass."""
    q, k = (jax.ShapeDtypeStruct((4, 1200, heads, 64), "bfloat16") for heads in (8, 4))
    forward = lambda q, k, v: attend_forest(q, k, v, causal(4, 1200), how).sum()
    with nullcontext() if mesh is None else jax.set_mesh(mesh):
        return [matmul_flops(jax.make_jaxpr(f)(q, k, k)) for f in (forward, jax.grad(forward, (0, 1, 2)))]


def test_attention_counts_blocks_on_and_below_the_diagonal():
    """The kernel has blocks of 512, 384 being no more and 3 of 400 no multiple of 128; its gradient has two parts."""
    product = lambda size: 2 * 4 * 8 * 64 * 6 * size**2
    assert attention_flops("blockwise") == [Flops(0, 2 * product(400)), Flops(0, 7 * product(400))]
    assert attention_flops("tpu") == [Flops(0, 2 * product(512)), Flops(0, 9 * product(512))]
    for how in ("blockwise", "tpu"):
        assert attention_flops(how, make_mesh(2, 2, 2)) == attention_flops(how)


def test_a_decoded_token_reads_the_whole_arena_and_the_round():
    config = small_config()
    data, slots = lengths(config), 8 * config.round.search.samples
    assert data == (S - 16, 16)
    columns = 64 + 32 + 16 * config.round.search.samples  # prompts of 48 tokens take 64; a round of 16 has its own
    found = flops_of(config, "search", "decoded tokens")
    assert found.linear == 2 * slots * (LINEAR + HEAD)
    assert found.attention == 2 * 2 * CFG.layers * slots * columns * CFG.heads * CFG.head_dim


def test_flops_are_those_that_xla_counts():
    """XLA counts a loop once and elementwise operations too, so one layer, one chunk, and a little more."""
    config = small_config()
    PRESETS["nano"] = replace(CFG, layers=1, dim=256, ffn=1024, head_dim=64)
    config.mesh.update(data=1, fsdp=1, tensor=1)
    config.warmup.rows = 2
    mesh = make_mesh(1, 1, 1, jax.devices()[:1])
    (program,) = stage_programs(config, abstract_policy(config), mesh, lengths(config), ("score",))["score"]
    assert program.args[1].counted.size <= CHUNK
    traced = program.trace()
    counted = matmul_flops(live(traced.jaxpr)[0]).total
    assert counted < traced.lower().compile().cost_analysis()["flops"] < 1.1 * counted


LORA = {"lora_rank": 4, "dtype": "bfloat16"}
SLOWER = [pytest.param(model, marks=pytest.mark.slow) for model in (LORA, {"remat": "full"}, QLORA, BF16)]


@pytest.mark.parametrize("model", [{}, *SLOWER])
def test_arguments_are_those_that_the_compiler_sees(model):
    """On eight CPU devices every program takes just the bytes that the plan says, what it does not read left out."""
    config = small_config(**model)
    mesh = make_mesh(2, 2, 2)
    target = replace(devices_target(config.mesh, 8, 16.0), mesh=mesh)
    made = stage_programs(config, abstract_policy(config), mesh, lengths(config))
    for program in (program for of in made.values() for program in of if program.name != "references"):
        traced = program.trace()
        jaxpr, reads = live(traced.jaxpr)
        compiled = traced.lower().compile()
        found = compiled.memory_analysis().argument_size_in_bytes
        assert found == estimate(program, target, jaxpr, reads).argument_bytes, program.name


def shapes(tree):
    return jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype, leaf.sharding), tree)


def test_the_abstract_state_is_the_real_one():
    config = small_config(lora_rank=4)
    mesh = make_mesh(2, 2, 2)
    policy = add_adapters(init_policy(CFG, 0), LoraConfig(4, 16.0), 0)
    (program,) = stage_programs(config, abstract_policy(config), mesh, lengths(config), ("sft",))["sft"]
    state = init_state(policy, make_optimizer(OptimizerConfig(1e-3, steps=10)), mesh)
    assert jax.tree.leaves(shapes(program.args[0])) == jax.tree.leaves(shapes(state))
    on_first = sum(leaf.addressable_shards[0].data.nbytes for leaf in jax.tree.leaves(state))
    assert per_device(program.args[0]) == on_first
    assert jax.tree.leaves(shapes(program.policy.params)) == jax.tree.leaves(shapes(shard(policy.params, mesh)))


def test_the_abstract_sampler_is_the_real_one():
    config, mesh = small_config(), make_mesh(2, 2, 2)
    made = stage_programs(config, abstract_policy(config), mesh, lengths(config), ("search",))["search"]
    program = next(program for program in made if program.name == "decoded tokens")
    sampler = TreeSampler(init_policy(CFG, 0), SamplerConfig(8, 3, 64, 32, (0,)), seed=0, mesh=mesh)
    for planned, real in ((program.args[0], sampler._policy), (program.args[1], sampler._cohorts[0].arena)):
        assert jax.tree.leaves(shapes(planned)) == jax.tree.leaves(shapes(real))


def test_saved_activations_follow_the_rematerialisation():
    def saved(remat, attention="dense"):
        config = small_config(remat=remat, attention=attention)
        target, made = programs_of(config, ("sft",))
        jaxpr, reads = live(made["SFT step"].trace().jaxpr)
        return estimate(made["SFT step"], target, jaxpr, reads).kept["saved activations"]

    stream = CFG.layers * (B // 4) * S * CFG.dim * 4
    full, dots, none = map(saved, ("full", "dots", "none"))
    assert stream <= full < 1.1 * stream  # beside it, the log-probs of the chunks
    products = stream * (2 * CFG.heads + 2 * CFG.kv_heads) * CFG.head_dim // CFG.dim // 2
    assert dots > full + products
    scores = CFG.layers * (B // 4) * CFG.heads // 2 * S * S * 4
    assert none > dots + scores
    assert none - 2 * scores < saved("none", "blockwise") < none - scores


def test_the_estimate_knows_how_rows_are_read():
    tokens = 2048
    PRESETS["nano"] = replace(CFG, context=tokens)
    scores = B // 4 * CFG.heads // 2 * tokens**2 * 4

    def attention(how, there="blockwise"):
        config = small_config(attention=how)
        config.warmup.row_tokens = tokens
        target = replace(devices_target(config.mesh, 8, 16.0), attention=there)
        (step,) = make_plan(config, target, only=("sft",)).stages["sft"]
        return step.estimate.working["attention"]

    assert attention("dense") > 2 * scores > 4 * attention("") > 4 * attention("", "tpu")
    assert attention("dense", "tpu") == attention("dense")


def test_what_else_a_stage_holds_counts():
    _, made = programs_of(small_config())
    policy = made["scored batch"].policy
    sampler = made["decoded tokens"]
    trained = per_device(policy.params)
    assert per_device(made["SFT step"].beside["base and stage's first model"]) == 2 * trained
    copies = per_device(sampler.beside["model as trained"])
    assert 0 < copies < trained  # norms lie alike in both layouts and are not copied
    assert per_device(sampler.policy.params) > trained
