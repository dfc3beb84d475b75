"""Plans: what is counted against counting by hand and against JAX's own word, what fits, and what is advised."""

from __future__ import annotations

import functools
import importlib.util
import io
import json
from contextlib import nullcontext
from dataclasses import replace

import jax
import pytest
from rich.console import Console

from itool_jax.cli import main
from itool_jax.config import default_config
from itool_jax.config_loading import flatten, load_config
from itool_jax.errors import UserError
from itool_jax.models.config import LoraConfig
from itool_jax.models.forest_attention import attend_forest, causal
from itool_jax.models.policy import add_adapters, init_policy
from itool_jax.models.presets import PRESETS
from itool_jax.parallel.mesh import AXES, make_mesh, shard
from itool_jax.plan import plan as plans
from itool_jax.plan.abstract import abstract_policy, per_device
from itool_jax.plan.advice import Advice, advise
from itool_jax.plan.compiler import Compiled, OutOfMemory
from itool_jax.plan.hlo import Collective, ProgramText
from itool_jax.plan.layout import require_layout
from itool_jax.plan.memory import estimate, live
from itool_jax.plan.plan import Plan, make_plan
from itool_jax.plan.programs import lengths, stage_programs, stages_of
from itool_jax.plan.show import show
from itool_jax.plan.target import GIB, devices_target, tiled_bytes, topology_target
from itool_jax.sampling.sampler import SamplerConfig, TreeSampler
from itool_jax.training.flops import Flops, matmul_flops
from itool_jax.training.logprobs import CHUNK
from itool_jax.training.step import OptimizerConfig, init_state, make_optimizer

B, S, A = 8, 64, 2  # rows of a batch, tokens of a row, batches of a step
CFG = replace(PRESETS["nano"], layers=3)
TOKENS, HEAD = B * S, CFG.dim * CFG.vocab_size
LINEAR = CFG.layers * CFG.dim * (CFG.head_dim * (2 * CFG.heads + 2 * CFG.kv_heads) + 3 * CFG.ffn)
SQUARE = 2 * 2 * CFG.layers * B * S * S * CFG.heads * CFG.head_dim  # scores and mixtures of one forward
STEP = SQUARE * 7 // 2  # with a backward pass: scores again, and the gradients by weights, values, queries and keys


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


def changed(config, settings):
    """The config with these keys set, to values or to flags' texts."""
    config = config.copy_and_resolve_references()
    for key, value in settings.items():
        group, _, leaf = key.removeprefix("--config.").rpartition(".")
        with config.unlocked():
            functools.reduce(lambda part, name: part[name], group.split("."), config)[leaf] = (
                int(value) if isinstance(value, str) and value.lstrip("-").isdecimal() else value
            )
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


QLORA = {"lora_rank": 4, "quantize": "int8"}
BF16 = {"param_dtype": "bfloat16", "dtype": "bfloat16", "freeze_embeddings": True}


SLOWER = [pytest.param(model, marks=pytest.mark.slow) for model in ({"remat": "full"}, QLORA, BF16)]


@pytest.mark.parametrize("model", [{}, {"lora_rank": 4, "dtype": "bfloat16"}, *SLOWER])
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
        ((2, 3), 8, 4 * 128),  # {1,0:T(4,128)(4,1)}
        ((48,), 16, 512),  # {0:T(256)(128)(2,1)}
        ((3, 24, 1, 12), 16, 3 * 16 * 128 * 2),  # {1,3,2,0:T(8,128)(2,1)}
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


def planned(config, devices=8, hbm=16.0, only=()):
    return make_plan(config, devices_target(config.mesh, devices, hbm), only=only)


def needs_of(plan):
    return {
        name: max(program.estimate.peak + sum(program.estimate.beside.values()) for program in of)
        for name, of in plan.stages.items()
    }


def advised(config, devices=8, hbm=16.0, only=()):
    """Advice, checked: the config with it needs what it says, in every stage, and it sets nothing anew."""
    plan = planned(config, devices, hbm, only)
    advice = advise(config, plan)
    other = changed(config, advice.settings)
    again = planned(other, advice.devices, hbm, only)
    assert needs_of(again) == advice.needs and again.fits == advice.fits
    own = flatten(config)
    assert not [key for key, value in advice.settings.items() if own[key] == value]
    return advice


def test_advice_is_gentle():
    """Fewer rows at a time change nothing of the training."""
    config = small_config(remat="full")
    needs = needs_of(planned(config, only=("sft",)))["sft"]
    advice = advised(config, 8, (needs - 1) / GIB, ("sft",))
    assert advice.fits and not advice.changes_method and advice.devices == 8
    assert advice.keeps_results == {"warmup.rows": 4, "warmup.accumulate": 4}


def test_advice_is_one_for_all_stages():
    """A mesh that helps the search must not break the training."""
    config = load_config("configs/llama3_1_8b.py")
    advice = advised(config, 16, 4.0)
    assert advice.fits and not advice.changes_method and advice.devices == 16
    assert set(advice.needs) == {"sft", "score", "search", "prefer"}
    assert advice.settings["mesh.tensor"] == 8 and advice.settings["round.search.trees"] == 8


@pytest.mark.slow
def test_the_method_changes_only_where_nothing_else_will_do():
    """References are scored in rows of preference training, self-evaluation in rows that no setting makes fewer."""
    config = load_config("configs/smollm2_135m.py")
    advice = advised(config, 1, 0.95)
    assert advice.fits and advice.devices == 1
    assert advice.changes_method == {"round.search.self_eval_weight": 0.0, "model.dtype": "bfloat16"}
    assert advice.keeps_results["round.prefer.rows"] == 2 and advice.keeps_results["round.search.trees"] == 2


def test_a_rounds_own_keys_are_those_that_are_advised():
    config = small_config(remat="full")
    with config.unlocked():
        config.round_overrides.round_000 = {"prefer": {"rows": 16}}
    needs = needs_of(planned(config, only=("prefer",)))["prefer"]
    advice = advised(config, 8, (needs - 1) / GIB, ("prefer",))
    assert advice.keeps_results == {"round_overrides.round_000.prefer.rows": 8, "round.prefer.accumulate": 2}


@pytest.mark.slow
def test_what_nothing_else_helps_needs_more_devices(monkeypatch):
    monkeypatch.setitem(PRESETS, "nano", PRESETS["smollm2_1_7b"])
    config = small_config(remat="full", dtype="bfloat16", lora_rank=16, quantize="nf4")
    advice = advised(config, 8, 0.11, ("sft",))
    assert advice.fits and advice.devices in (16, 32, 64) and not advice.changes_method


@pytest.mark.slow
def test_where_nothing_helps_the_least_is_told():
    config = small_config(remat="none")
    advice = advised(config, 8, 1e-5, ("sft",))
    assert not advice.fits and advice.devices == 8
    assert advice.needs["sft"] < needs_of(planned(config, only=("sft",)))["sft"] / 4
    assert advice.settings["warmup.rows"] < B and advice.changes_method["model.dtype"] == "bfloat16"


def test_more_devices_than_rows_are_no_advice(monkeypatch):
    """One row a step lies over one device, and three heads over no two."""
    monkeypatch.setitem(PRESETS, "nano", replace(CFG, heads=3, kv_heads=3))
    config = small_config()
    config.mesh.update(data=1, fsdp=1, tensor=1)
    config.warmup.update(rows=1, accumulate=1)
    assert advised(config, 1, 1e-5, ("sft",)).devices == 1


def test_the_compilers_word_goes_before_the_estimate(monkeypatch):
    """What it refuses although the shapes would fit needs settings that need less by the shapes too."""
    config = small_config()
    target = replace(devices_target(config.mesh, 8, 16.0), mesh=make_mesh(2, 2, 2))
    refusal = OutOfMemory(32 * GIB, "Ran out of memory")
    monkeypatch.setattr(plans, "compile_program", lambda traced, target: refusal)
    plan = make_plan(config, target, only=("sft",))
    advice = advise(config, plan)
    assert advice.settings and advice.fits and advice.needs["sft"] <= needs_of(plan)["sft"] / 2


def test_what_else_a_stage_holds_counts():
    _, made = programs_of(small_config())
    policy = made["scored batch"].policy
    sampler = made["decoded tokens"]
    trained = per_device(policy.params)
    assert per_device(made["SFT step"].beside["base and stage's first model"]) == 2 * trained
    copies = per_device(sampler.beside["model as trained"])
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
    advice = found["advice"]
    assert set(advice) == {"keeps_results", "changes_method", "devices", "needs", "fits"}
    assert advice["fits"] == (advice["needs"]["sft"] <= found["hbm"]) and set(advice["needs"]) == {"sft"}


def test_advice_in_words():
    target = devices_target(small_config().mesh, 8, 16.0)
    plan = Plan(target, {}, ["search"], [])

    def words(plan, keeps, changes, devices, fits):
        out = io.StringIO()
        show(plan, Advice(keeps, changes, devices, {"sft": GIB}, fits), Console(file=out, width=200))
        return out.getvalue()

    rows, lora = {"warmup.rows": 4, "warmup.accumulate": 2}, {"model.lora_rank": 16}
    text = words(plan, rows, {}, 8, True)
    assert "  keeps the results: --config.warmup.rows=4 --config.warmup.accumulate=2\n" in text
    assert "changes the method:" not in text and "sft 1.00" in text
    assert "tried on the stages above alone" in text and "those of search too" in text
    text = words(replace(plan, left_out=[]), rows, lora, 8, True)
    assert "are not enough" in text and "  changes the method: --config.model.lora_rank=16\n" in text
    assert "stages above alone" not in text
    assert "fits on 8 devices. On 32 devices this fits:\n  the config as it is" in words(plan, {}, {}, 32, True)
    assert "8 devices or up to 16 times as many. On 8 devices this needs least" in words(plan, rows, lora, 8, False)


def test_parameters_of_a_real_model_are_counted(capsys):
    config = "configs/qwen2_5_7b.py:full"
    assert (
        main(arguments("--devices=1", "--hbm=800", "--stage=score", "--json", "--config.mesh.tensor=1", config=config))
        == 0
    )
    (batch,) = json.loads(capsys.readouterr().out)["stages"]["score"]
    assert batch["estimate"]["arguments"]["parameters"] == 2 * 7_615_616_512  # as the card says


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ((), "either --devices=N --hbm=GiB or --topology"),
        (("--devices=8",), "--devices=8 needs --hbm=GiB too"),
        (("--devices=8", "--hbm=16", "--topology=v5e:4x4"), "give one of the two"),
        (("--devices=0", "--hbm=16"), "argument --devices: expected a whole number from 1, found '0'"),
        (("--devices=8", "--hbm=-1"), "expected a number above 0, found '-1'"),
        (("--devices=8", "--hbm=16", "--config.mesh.tensor=3"), "tensor 3, which 8 devices cannot make"),
        (("--devices=8", "--hbm=16", "--config.mesh.tensor=3"), "would do: --config.mesh.tensor=4; or --config.mesh."),
        (("--devices=1", "--hbm=16", "--config.mesh.tensor=2"), "This would do: --config.mesh.tensor=1"),
        (("--devices=8", "--hbm=16"), "config.warmup.rows is 2, config.round.search.trees is 4, config.round.prefer.r"),
        (("--devices=8", "--hbm=16"), "--config.evaluate.slots=8; or --config.mesh.tensor=4; or"),
        (
            ("--devices=4", "--hbm=16", "--stage=search", "--config.round.search.trees=6"),
            "trees is 6, but rows, the trees",
        ),
        (("--devices=1", "--hbm=16", "--config.model.preset=tiny"), "weights in smollm2_135m are of another model"),
        (("--devices=1", "--hbm=16", "--prompt-tokens=9000"), "longer than the model's context of 8192"),
        (("--devices=1", "--hbm=16", "--stage=warmup"), "invalid choice: 'warmup'"),
    ],
)
def test_what_cannot_be_planned_is_said(more, message, capsys):
    assert main(arguments(*more)) == 2
    assert message in capsys.readouterr().err


def test_every_setting_that_would_do_does():
    """Also where the mesh leaves two sizes open, and where a round has its own rows."""
    for mesh in ((-1, 1, 3), (-1, -1, 2), (3, 1, 1), (2, 2, 2)):
        config = small_config()
        config.mesh.update(dict(zip(AXES, mesh, strict=True)))
        with config.unlocked():
            config.round_overrides.round_000 = {"prefer": {"rows": 6}}
        with pytest.raises(UserError, match="would do: ") as raised:
            require_layout(config, 8)
        for choice in str(raised.value).partition("would do: ")[2].split("; or "):
            require_layout(changed(config, dict(flag.split("=") for flag in choice.split())), 8)


def test_the_checkpoint_is_of_the_model_that_is_planned(capsys):
    """As in a run; but no name on the hub is looked up."""
    config = "configs/quickstart.py"
    more = ("--devices=1", "--hbm=16", "--stage=score")
    assert main(arguments(*more, config=config)) == 0
    assert main(arguments(*more, "--config.model.preset=nano", config=config)) == 2
    assert "the weights in checkpoints/tiny_base are of another model: vocab_size" in capsys.readouterr().err
    assert main(arguments(*more, "--config.model.checkpoint=owner/name", config=config)) == 0


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
@pytest.mark.parametrize("model", [{}, {"lora_rank": 4, "remat": "full"}, {"lora_rank": 4, "quantize": "nf4"}, BF16])
def test_a_small_model_takes_the_arguments_that_the_tpu_compiler_says(model):
    config = small_config(**{"dtype": "bfloat16", **model})
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
