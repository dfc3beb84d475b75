"""MFU's two parts against hand counts and known devices, and memory as devices tell it."""

from __future__ import annotations

from types import SimpleNamespace

import jax
import pytest

from itool_jax.plan.target import CHIPS
from itool_jax.training.objectives import sft
from itool_jax.training.utilization import GIB, Gauge, memory_in_use, model_flops, peak_flops
from tests.plan_cases import CFG, HEAD, LINEAR, SQUARE, TOKENS, A, programs_of, small_config
from tests.test_mesh import one_device

pytestmark = pytest.mark.usefixtures("small_model")


def device(kind, **stats):
    return SimpleNamespace(device_kind=kind, memory_stats=lambda: stats or None)


@pytest.mark.parametrize("remat", ["none", "dots", "full"])
def test_a_step_is_three_forwards_whatever_is_computed_again(remat):
    program = programs_of(small_config(remat=remat), ("sft",))[1]["SFT step"]
    found = model_flops(program.function, sft, *program.args)
    assert found == A * 3 * (2 * TOKENS * (LINEAR + HEAD) + SQUARE)


def test_frozen_weights_are_read_twice_and_adapters_three_times():
    rank = 4
    outputs = (CFG.heads + 2 * CFG.kv_heads) * CFG.head_dim + 2 * CFG.ffn + 2 * CFG.dim
    inputs = 3 * CFG.dim + CFG.heads * CFG.head_dim + 2 * CFG.dim + CFG.ffn
    adapters = CFG.layers * rank * (inputs + outputs)
    program = programs_of(small_config(lora_rank=rank), ("sft",))[1]["SFT step"]
    found = model_flops(program.function, sft, *program.args)
    assert found == A * (2 * TOKENS * (2 * LINEAR + 2 * HEAD + 3 * adapters) + 3 * SQUARE)


def test_only_known_devices_in_bf16_have_a_peak():
    assert peak_flops([device("NVIDIA H200")] * 8, "bfloat16") == 8 * 989.4e12
    assert peak_flops([device("NVIDIA H200"), device("Quantum 1")], "bfloat16") is None
    assert peak_flops([device("NVIDIA H200")], "float32") is None
    assert peak_flops(jax.devices(), "bfloat16") is None  # CPUs
    assert all(chip.flops == peak_flops([device(kind)], "bfloat16") for kind, chip in CHIPS.items())


def test_mfu_is_flops_a_second_of_the_peak(monkeypatch):
    program = programs_of(small_config(), ("sft",))[1]["SFT step"]
    monkeypatch.setattr("itool_jax.training.utilization.peak_flops", lambda devices, dtype: 1e12 * len(devices))
    gauge = Gauge(one_device(), "bfloat16")
    assert gauge.read(10.0) == {}
    gauge.look_at(program.function, sft, *program.args)
    assert gauge.read(10.0) == {"mfu": A * 3 * (2 * TOKENS * (LINEAR + HEAD) + SQUARE) * 10.0 / 1e12}


def test_quantised_weights_have_no_mfu(monkeypatch):
    program = programs_of(small_config(lora_rank=4, quantize="int8"), ("sft",))[1]["SFT step"]
    monkeypatch.setattr("itool_jax.training.utilization.peak_flops", lambda devices, dtype: 1e12)
    gauge = Gauge(one_device(), "bfloat16")
    gauge.look_at(program.function, sft, *program.args)
    assert gauge.read(10.0) == {}


def test_memory_is_that_of_the_fullest_device_where_all_tell():
    full, empty = device("x", bytes_in_use=3 * GIB, peak_bytes_in_use=5 * GIB), device("x", bytes_in_use=GIB)
    assert memory_in_use([full, full]) == {"memory_gib": 3.0, "peak_memory_gib": 5.0}
    assert memory_in_use([empty, full]) == {"memory_gib": 3.0}
    assert memory_in_use([device("cpu")]) == memory_in_use([]) == {}
