"""Shipped configs of large models: each mode fits its machine by the estimate, and does the same work on all."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import jax
import pytest

from itool_jax.config import round_config
from itool_jax.config_large import ADAPTERS, MACHINES, MODES, ROWS_A_STEP, is_full, machine_of
from itool_jax.config_loading import config_to_json, differences, load_config
from itool_jax.errors import UserError
from itool_jax.plan import plan as plans
from itool_jax.plan.abstract import abstract_policy
from itool_jax.plan.compiler import OutOfMemory
from itool_jax.plan.layout import require_layout
from itool_jax.plan.plan import make_plan
from itool_jax.plan.programs import lengths, stage_programs
from itool_jax.plan.target import CHIPS, GIB, devices_target, topology_devices, topology_target
from tests.jaxprs import equations

MODELS = ("llama3_1_8b", "qwen2_5_7b", "qwen3_8b")
SHIPPED = [*((model, mode) for model in MODELS for mode in MODES), *(("paper", mode) for mode in ADAPTERS)]
QUICK = ("llama3_1_8b", "paper")
MARGIN = 0.95  # of the memory; of what nearly fills it the estimate is some percent above the compiler's word


def config_of(model, mode):
    return load_config(f"configs/{model}.py:{mode}" if mode else f"configs/{model}.py")


@pytest.mark.parametrize(
    ("model", "mode"), [one if one[0] in QUICK else pytest.param(*one, marks=pytest.mark.slow) for one in SHIPPED]
)
def test_every_stage_of_every_mode_fits_its_machine(model, mode):
    config, machine = config_of(model, mode), machine_of(mode)
    require_layout(config, machine.devices)
    plan = make_plan(config, devices_target(config.mesh, machine.devices, machine.hbm))
    assert set(plan.stages) == {"sft", "score", "search", "prefer"}
    needs = {program.name: program.needs / GIB for of in plan.stages.values() for program in of}
    assert max(needs.values()) < MARGIN * machine.hbm, needs


LAYOUT = re.compile(r"mesh\.\w+|(warmup|round\.prefer)\.(rows|accumulate)|round\.search\.trees|evaluate\.slots")
SHORT_OF_MEMORY = "1xh200-full"


@pytest.mark.parametrize(("model", "mode"), SHIPPED)
def test_machines_differ_in_how_the_work_lies_and_not_in_what_it_is(model, mode):
    config = config_of(model, mode)
    on_default = config_of(model, "full" if is_full(mode) else "")
    other = [key for key, *_ in differences(config_to_json(config), config_to_json(on_default))]
    other = [key for key in other if not LAYOUT.fullmatch(key)]
    assert other == (["round.prefer.optimizer", "warmup.optimizer"] if mode == SHORT_OF_MEMORY else [])
    for stage in (config.warmup, config.round.prefer):
        assert stage.rows * stage.accumulate == (4 if mode == SHORT_OF_MEMORY else ROWS_A_STEP)


@pytest.mark.parametrize("mode", ["", "full"])
def test_models_differ_in_nothing_but_the_model(mode):
    first, *others = (config_to_json(config_of(model, mode)) for model in MODELS)
    for other in others:
        assert {key for key, *_ in differences(first, other)} == {"model.preset", "model.checkpoint"}


def test_rounds_take_smaller_steps():
    config = config_of("qwen3_8b", "v6e-16-full")
    rates = [round_config(config, index).prefer.learning_rate for index in range(config.rounds)]
    assert rates == [1e-6, 5e-7, 2.5e-7]


def test_a_mode_for_no_machine_is_not_there():
    with pytest.raises(UserError, match=r"no mode 'v4-8': its modes are '', 'full', 'v5e-16'"):
        config_of("llama3_1_8b", "v4-8")
    with pytest.raises(UserError, match=r"no mode 'full': its modes are '', 'v5e-16'"):
        config_of("paper", "full")


def test_the_papers_values_are_marked():
    """Every value that the config sets has its mark of certainty beside it, or says whose it is."""
    text = Path("configs/paper.py").read_text().partition("def get_config")[2]
    values = [line for line in text.splitlines() if re.search(r"^\s+\w+=|config\.[\w.]+ = ", line)]
    assert len(values) > 20
    assert [line for line in values if not re.search(r"\[[PCR]\]|MCTS-DPO|the machine's", line)] == []


def test_memory_is_that_of_the_chips():
    kinds = {"v5e": "TPU v5 lite", "v5p": "TPU v5", "v6e": "TPU v6 lite"}
    for name, machine in MACHINES.items():
        if machine.topology:
            assert machine.hbm == CHIPS[kinds[name.partition("-")[0]]].hbm


ON_TPUS = [(model, mode) for model, mode in SHIPPED if machine_of(mode).topology]
QUICKEST = ("llama3_1_8b", "v5e-16")
# Of the loop over layers: once forward; in the backward pass, forward again where it is rematerialised, and two sums.
KERNELS = {"none": 3, "dots": 4, "full": 4}


@pytest.mark.parametrize(
    ("model", "mode"), [one if one == QUICKEST else pytest.param(*one, marks=pytest.mark.slow) for one in ON_TPUS]
)
def test_on_a_tpu_training_reads_rows_by_its_kernel(model, mode, monkeypatch):
    """As a run chooses it, which the config leaves open: by nothing but JAX's word on where it is."""
    config, machine = config_of(model, mode), machine_of(mode)
    mesh = devices_target(config.mesh, machine.devices, machine.hbm).mesh

    def kernels(backend):
        monkeypatch.setattr(jax, "default_backend", lambda: backend)
        made = stage_programs(config, abstract_policy(config), mesh, lengths(config), ("sft", "prefer"))
        traced = {stage: equations(program.trace().jaxpr) for stage, (program,) in made.items()}
        return {stage: [one.primitive.name for one in of].count("pallas_call") for stage, of in traced.items()}

    assert kernels("tpu") == dict.fromkeys(("sft", "prefer"), KERNELS[abstract_policy(config).config.remat])
    if (model, mode) == QUICKEST:
        assert set(kernels("gpu").values()) == {0}


needs_compiler = pytest.mark.skipif(
    importlib.util.find_spec("libtpu") is None, reason="the TPU compiler is not installed: extra 'tpu'"
)


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize("mode", ["v5e-16", "v5e-16-full", "v5p-64"])
def test_the_tpu_compiler_is_given_the_kernel(mode, monkeypatch):
    """By the plan, which is what the table of docs/scaling.md is made of."""
    given = []

    def count(traced, target):
        given.append(traced.lower().as_text().count("@tpu_custom_call"))
        return OutOfMemory(None, "not compiled")

    monkeypatch.setattr(plans, "compile_program", count)
    config = config_of("llama3_1_8b", mode)
    make_plan(config, topology_target(config.mesh, machine_of(mode).topology, None), only=("sft", "score", "prefer"))
    assert given == [KERNELS[abstract_policy(config).config.remat], 1, KERNELS[abstract_policy(config).config.remat]]


@needs_compiler
@pytest.mark.parametrize("machine", [machine for machine in MACHINES.values() if machine.topology])
def test_a_topology_has_so_many_devices(machine):
    devices = topology_devices(machine.topology)
    assert len(devices) == machine.devices and CHIPS[devices[0].device_kind].hbm == machine.hbm
