"""What is read of the TPU compiler's programs, and estimates against its word."""

from __future__ import annotations

import importlib.util
from dataclasses import replace

import pytest

from itool_jax.config_loading import load_config
from itool_jax.errors import UserError
from itool_jax.parallel.mesh import make_mesh
from itool_jax.plan import plan as plans
from itool_jax.plan.compiler import Compiled, OutOfMemory
from itool_jax.plan.hlo import Collective, ProgramText
from itool_jax.plan.plan import make_plan
from itool_jax.plan.target import GIB, devices_target, tiled_bytes, topology_target
from tests.plan_cases import BF16, small_config

pytestmark = pytest.mark.usefixtures("small_model")


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
  %k = f32[8] custom-call(%x), custom_call_target="tpu_custom_call"
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
  %s = f32[8] fusion(%x), kind=kCustom, calls=%scatter, backend_config={"estimated_cycles":"9223372036854775807"}
  ROOT %c = f32[8] copy(%x), backend_config={"estimated_cycles":"7"}
}
"""


def test_a_loop_of_a_compiled_program_counts_as_often_as_it_runs():
    text = ProgramText(PROGRAM)
    assert text.cycles == 32 * 100 + 7
    assert text.loop_cycles == 32 * 100
    assert text.untimed == 32 + 1  # a kernel in the loop, and what the cost model has no word for
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


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize(
    ("config", "topology"),
    [
        ("configs/llama3_1_8b.py", "v5e:4x4"),
        ("configs/qwen2_5_7b.py:full", "v6e:4x4"),
        ("configs/llama3_1_8b.py:full", "v5p:2x2x2"),
    ],
)
def test_the_estimate_of_a_real_model_is_near_the_compilers(config, topology):
    """Some of what `tools/compile_tpu.py` does with every shipped mode."""
    settings = load_config(config)
    made = make_plan(settings, topology_target(settings.mesh, topology, None))
    for program in (program for of in made.stages.values() for program in of):
        assert isinstance(program.compiled, Compiled) and program.fits(made.target.hbm), program.name
        assert program.compiled.arguments == program.estimate.argument_bytes, program.name
        assert program.estimate.peak == pytest.approx(program.compiled.peak, rel=0.25), program.name
