"""Plans: what is counted against counting by hand and against JAX's own word, what fits, and what is advised."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace

import jax
import pytest

from itool_jax.cli import main
from itool_jax.config import default_config
from itool_jax.config_loading import load_config
from itool_jax.errors import UserError
from itool_jax.models.config import LoraConfig
from itool_jax.models.policy import add_adapters, init_policy
from itool_jax.models.presets import PRESETS
from itool_jax.parallel.mesh import make_mesh, shard
from itool_jax.plan import plan as plans
from itool_jax.plan.abstract import abstract_policy, per_device
from itool_jax.plan.advice import advise
from itool_jax.plan.compiler import Compiled, OutOfMemory
from itool_jax.plan.flops import Flops, matmul_flops
from itool_jax.plan.hlo import Collective, ProgramText
from itool_jax.plan.memory import estimate, live
from itool_jax.plan.plan import make_plan
from itool_jax.plan.programs import lengths, stage_programs
from itool_jax.plan.target import GIB, devices_target, tiled_bytes, topology_target
from itool_jax.sampling.sampler import SamplerConfig, TreeSampler
from itool_jax.training.step import OptimizerConfig, init_state, make_optimizer

B, S, A = 8, 64, 2  # rows of a batch, tokens of a row, batches of a step
CFG = replace(PRESETS["nano"], layers=3)
TOKENS, HEAD = B * S, CFG.dim * CFG.vocab_size
LINEAR = CFG.layers * CFG.dim * (CFG.head_dim * (2 * CFG.heads + 2 * CFG.kv_heads) + 3 * CFG.ffn)
SQUARE = 2 * 2 * CFG.layers * B * S * S * CFG.heads * CFG.head_dim  # scores and mixtures of one forward


@pytest.fixture(autouse=True)
def small_model(monkeypatch):
    monkeypatch.setitem(PRESETS, "nano", CFG)


def small_config(**model):
    config = default_config()
    config.model.update(preset="nano", checkpoint="somewhere", **{"remat": "none", **model})
    config.mesh.update(data=2, fsdp=2, tensor=2)
    config.warmup.update(rows=B, row_tokens=S, accumulate=A)
    config.round.search.update(answer_tokens=16, arena_tokens=32, trees=8)
    config.round.prefer.update(rows=B, row_tokens=S)
    return config


def programs_of(config, only=()):
    target = devices_target(config.mesh, 8, 16.0)
    made = stage_programs(config, abstract_policy(config), target.mesh, lengths(config), only)
    return target, {program.name: program for of in made.values() for program in of}


def flops_of(config, stage, name) -> Flops:
    return matmul_flops(live(programs_of(config, (stage,))[1][name].trace().jaxpr)[0])


def test_a_forward_multiplies_each_token_with_each_weight_once():
    sums = 2 * (2 * B * 1 * 2)  # log-probs and counts of one completion over the two segments of a row
    assert flops_of(small_config(), "score", "scored batch") == Flops(2 * TOKENS * (LINEAR + HEAD), SQUARE + sums)


def test_a_step_is_three_forwards_and_one_more_of_what_is_computed_again():
    """Logits are computed again in any case; a layer's last product is not, since nothing in the layer needs it."""
    linear, attention = A * 2 * TOKENS * (3 * LINEAR + 4 * HEAD), A * 3 * SQUARE
    assert flops_of(small_config(), "sft", "SFT step") == Flops(linear, attention)
    again = A * 2 * TOKENS * (LINEAR - CFG.layers * CFG.ffn * CFG.dim)
    assert flops_of(small_config(remat="full"), "sft", "SFT step") == Flops(linear + again, attention + A * SQUARE)


def test_frozen_weights_have_no_gradient_to_multiply_for():
    rank = 4
    outputs = (CFG.heads + 2 * CFG.kv_heads) * CFG.head_dim + 2 * CFG.ffn + 2 * CFG.dim
    inputs = 3 * CFG.dim + CFG.heads * CFG.head_dim + 2 * CFG.dim + CFG.ffn
    adapters = CFG.layers * rank * (inputs + outputs)
    found = flops_of(small_config(lora_rank=rank), "sft", "SFT step")
    assert found == Flops(A * 2 * TOKENS * (2 * LINEAR + 3 * HEAD + 3 * adapters), A * 3 * SQUARE)


def test_a_decoded_token_reads_the_whole_arena():
    config = small_config()
    data, slots = lengths(config), 8 * config.round.search.samples
    assert data == (S - 16, 16)
    columns = 64 + 32  # prompts of 48 tokens take 64 columns
    found = flops_of(config, "search", "decoded tokens")
    assert found.linear == 2 * slots * (LINEAR + HEAD)
    assert found.attention == 2 * 2 * CFG.layers * slots * columns * CFG.heads * CFG.head_dim


def test_flops_are_those_that_xla_counts():
    """XLA counts a loop once and elementwise operations too, so one layer, one chunk, and a little more."""
    config = small_config()
    PRESETS["nano"] = replace(CFG, layers=1, dim=256, ffn=1024, head_dim=64)
    config.mesh.update(data=1, fsdp=1, tensor=1)
    mesh = make_mesh(1, 1, 1, jax.devices()[:1])
    (program,) = stage_programs(config, abstract_policy(config), mesh, lengths(config), ("score",))["score"]
    traced = program.trace()
    counted = matmul_flops(live(traced.jaxpr)[0]).total
    assert counted < traced.lower().compile().cost_analysis()["flops"] < 1.1 * counted


@pytest.mark.parametrize("model", [{}, {"lora_rank": 4, "dtype": "bfloat16"}, {"remat": "full"}])
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
    for planned, real in ((program.args[0], sampler._policy), (program.args[1], sampler._arena)):
        assert jax.tree.leaves(shapes(planned)) == jax.tree.leaves(shapes(real))


def test_saved_activations_follow_the_rematerialisation():
    def saved(remat):
        config = small_config(remat=remat)
        target, made = programs_of(config, ("sft",))
        jaxpr, reads = live(made["SFT step"].trace().jaxpr)
        return estimate(made["SFT step"], target, jaxpr, reads).kept["saved activations"]

    stream = CFG.layers * (B // 4) * S * CFG.dim * 4
    full, dots, none = map(saved, ("full", "dots", "none"))
    assert stream <= full < 1.1 * stream  # beside it, the log-probs of the chunks
    products = stream * (2 * CFG.heads + 2 * CFG.kv_heads) * CFG.head_dim // CFG.dim // 2
    assert dots > full + products
    assert none > dots + CFG.layers * (B // 4) * CFG.heads // 2 * S * S * 4


@pytest.mark.parametrize(
    ("shape", "bits", "tiled"),
    [  # layouts that the TPU compiler chose for arguments
        ((32, 3584, 16), 32, 32 * 3584 * 16 * 4),  # {1,2,0:T(8,128)}
        ((32, 16, 2, 128), 32, 32 * 16 * 2 * 128 * 4),  # {3,2,1,0:T(2,128)}
        ((1024, 32064), 16, 1024 * 32064 * 2),  # {0,1:T(8,128)(2,1)}
        ((), 32, 512),
        ((8, 3), 32, 4 * 128 * 4),  # {0,1:T(4,128)}
        ((8, 3, 4), 32, 3 * 4 * 128 * 4),  # {0,2,1:T(4,128)}
        ((8, 3, 512), 8, 3 * 8 * 512),  # {2,0,1:T(8,128)(4,1)}
        ((4, 1, 2), 32, 2 * 128 * 4),
        ((1,), 32, 512),
        ((4096,), 16, 8192),
    ],
)
def test_tiles_are_those_of_the_tpu_compiler(shape, bits, tiled):
    assert tiled_bytes(shape, bits) == tiled


PROGRAM = """HloModule jit_step, is_scheduled=true

%body.1 (p: (s32[], f32[8])) -> (s32[], f32[8]) {
  %ar = f32[8,128]{1,0:T(8,128)} all-reduce(%x), channel_id=1, replica_groups={{0,1}}
  ROOT %f = f32[8] fusion(%x), kind=kLoop, calls=%fused.1, backend_config={"estimated_cycles":"100"}
}

%fused.1 (x: f32[8]) -> f32[8] {
  %ag = (bf16[4,128]{1,0}, bf16[8,128]{1,0}, u32[]) all-gather-start(%x), channel_id=2, dimensions={0}
}

%copy.of.fused.1 (x: f32[8]) -> f32[8] {
  %ag.2 = (bf16[4,128]{1,0}, bf16[8,128]{1,0}, u32[]) all-gather-start(%x), channel_id=2, dimensions={0}
}

%condition.1 (p: (s32[], f32[8])) -> pred[] {
  %turns = s32[]{:T(128)} constant(32)
  %i = s32[]{:T(128)} get-tuple-element(%p), index=0
  ROOT %lt = pred[]{:T(512)} compare(%i, %turns), direction=LT, metadata={op_name="lt"}
}

ENTRY %main.1 (x: f32[8]) -> f32[8] {
  %w = (s32[], f32[8]) while(%t), condition=%condition.1, body=%body.1
  ROOT %c = f32[8] copy(%x), backend_config={"estimated_cycles":"7"}
}
"""


def test_a_loop_of_a_compiled_program_counts_as_often_as_it_runs():
    text = ProgramText(PROGRAM)
    assert text.cycles == 32 * 100 + 7
    assert text.loop_cycles == 32 * 100
    assert text.collectives == {
        "all-gather": Collective(32, 32 * 8 * 128 * 2),
        "all-reduce": Collective(32, 32 * 8 * 128 * 4),
    }


def test_a_program_that_the_compiler_refuses_does_not_fit(monkeypatch):
    refusal = OutOfMemory(17 * GIB, "Ran out of memory in memory space hbm. Used 17.00G of 15.75G hbm.")
    config = small_config()
    target = replace(devices_target(config.mesh, 8, 16.0), mesh=make_mesh(2, 2, 2))
    monkeypatch.setattr(plans, "compile_program", lambda traced, target: refusal)
    made = make_plan(config, target, only=("score",))
    assert not made.fits and made.stages["score"][0].compiled is refusal


def test_advice_fits_and_is_gentle():
    """Fewer rows at a time change nothing of the training; at last, many things together and more devices."""
    config = small_config(remat="full")
    target = devices_target(config.mesh, 8, 1.0)
    needs = make_plan(config, target, only=("sft",)).stages["sft"][0].needs
    first = advise(config, replace(target, hbm=needs - 1), "sft", None)[0]
    assert first.fits and first.needs < needs
    assert first.settings == {"warmup.rows": 4, "warmup.accumulate": 4}
    changed = small_config(remat="full")
    with changed.unlocked():
        changed.update_from_flattened_dict(first.settings)
    assert make_plan(changed, target, only=("sft",)).stages["sft"][0].needs == first.needs
    (last,) = advise(config, replace(target, hbm=needs // 16), "sft", None)
    assert last.needs < first.needs and last.fits == (last.needs <= needs // 16)
    assert last.devices >= 8 and {"warmup.rows", "warmup.row_tokens"} <= set(last.settings)


def test_what_nothing_else_helps_needs_more_devices(monkeypatch):
    monkeypatch.setitem(PRESETS, "nano", PRESETS["smollm2_1_7b"])
    config = small_config(remat="full", dtype="bfloat16", lora_rank=16)
    target = devices_target(config.mesh, 8, 0.5)
    (advice,) = advise(config, target, "sft", None)
    assert advice.fits and advice.devices in (16, 32) and advice.needs <= target.hbm


def test_what_else_a_stage_holds_counts():
    _, made = programs_of(small_config())
    policy = made["scored batch"].policy
    sampler = made["decoded tokens"]
    trained = per_device(policy.params)
    assert per_device(made["SFT step"].beside["the base and the stage's start"]) == 2 * trained
    copies = per_device(sampler.beside["the stage's policy"])
    assert 0 < copies < trained  # norms lie alike in both layouts and are not copied
    assert per_device(sampler.policy.params) > trained


def arguments(*more, config="configs/smollm2_135m.py:smoke"):
    return ["plan", f"--config={config}", *more]


def test_the_command_says_what_does_not_fit(capsys):
    assert main(arguments("--devices=1", "--hbm=16", "--config.mesh.fsdp=1")) == 0
    out = capsys.readouterr().out
    assert "everything fits" in out and "saved activations" in out and "992 tokens" in out
    assert main(arguments("--devices=1", "--hbm=0.5", "--stage=sft", "--json")) == 1
    found = json.loads(capsys.readouterr().out)
    (step,) = found["stages"]["sft"]
    assert not step["fits"] and step["needs"] > found["hbm"] and step["compiled"] is None
    assert step["flops"]["total"] == step["flops"]["linear"] + step["flops"]["attention"]
    assert found["advice"]["sft"]


def test_parameters_of_a_real_model_are_counted(capsys):
    config = "configs/qwen2_5_7b.py:full"
    assert (
        main(arguments("--devices=1", "--hbm=800", "--stage=score", "--json", "--config.mesh.tensor=1", config=config))
        == 0
    )
    (batch,) = json.loads(capsys.readouterr().out)["stages"]["score"]
    assert batch["estimate"]["arguments"]["parameters"] == 4 * 7_615_616_512  # as the model's card says


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ((), "either --devices=N --hbm=GiB or --topology"),
        (("--devices=8",), "--devices=8 needs --hbm=GiB too"),
        (("--devices=8", "--hbm=16", "--topology=v5e:4x4"), "give one of the two"),
        (("--devices=8", "--hbm=-1"), "expected a number above 0, found '-1'"),
        (("--devices=8", "--hbm=16", "--config.mesh.tensor=3"), "mesh of data=2 x fsdp=1 x tensor=3 needs 6 devices"),
        (("--devices=8", "--hbm=16"), "rows is 2, but rows lie over 8 devices"),
        (("--devices=1", "--hbm=16", "--prompt-tokens=9000"), "longer than the model's context of 8192"),
        (("--devices=1", "--hbm=16", "--stage=warmup"), "invalid choice: 'warmup'"),
    ],
)
def test_what_cannot_be_planned_is_said(more, message, capsys):
    assert main(arguments(*more)) == 2
    assert message in capsys.readouterr().err


def test_a_topology_needs_the_compiler(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="install itool-jax with the extra 'tpu'"):
        topology_target(small_config().mesh, "v5e:4x4", None)


needs_compiler = pytest.mark.skipif(
    importlib.util.find_spec("libtpu") is None, reason="the TPU compiler is not installed: extra 'tpu'"
)


@needs_compiler
def test_an_unknown_topology_is_told():
    with pytest.raises(UserError, match=r"no such topology .* such as v5e:4x4"):
        topology_target(small_config().mesh, "v5e:3x5x7", None)


@needs_compiler
@pytest.mark.parametrize("model", [{"dtype": "bfloat16"}, {"dtype": "bfloat16", "lora_rank": 4, "remat": "full"}])
def test_a_small_model_takes_the_arguments_that_the_tpu_compiler_says(model):
    config = small_config(**model)
    made = make_plan(config, topology_target(config.mesh, "v5e:2x4", None))
    assert made.fits and made.target.hbm == 15.75 * GIB
    for program in (program for of in made.stages.values() for program in of):
        assert isinstance(program.compiled, Compiled)
        assert program.compiled.arguments == program.estimate.argument_bytes, program.name
    assert made.stages["sft"][0].compiled.collectives


SHOWN = [f"configs/{model}.py{mode}" for model in ("llama3_1_8b", "qwen2_5_7b") for mode in ("", ":full")]


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize("topology", ["v5e:4x4", "v6e:4x4", "v5p:2x2x2"])
@pytest.mark.parametrize("config", SHOWN)
def test_the_estimate_of_a_real_model_is_near_the_compilers(config, topology):
    settings = load_config(config)
    made = make_plan(settings, topology_target(settings.mesh, topology, None))
    for program in (program for of in made.stages.values() for program in of):
        if isinstance(program.compiled, Compiled):
            assert program.compiled.arguments == program.estimate.argument_bytes, program.name
            assert program.estimate.peak == pytest.approx(program.compiled.peak, rel=0.25), program.name
        else:
            assert not program.fits(made.target.hbm)
