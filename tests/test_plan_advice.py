"""What plans advise where something does not fit."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from itool_jax.config_loading import flatten, load_config
from itool_jax.errors import UserError
from itool_jax.models.presets import PRESETS
from itool_jax.parallel.mesh import AXES, make_mesh
from itool_jax.plan import plan as plans
from itool_jax.plan.advice import Advice, advise
from itool_jax.plan.compiler import OutOfMemory
from itool_jax.plan.layout import require_layout
from itool_jax.plan.plan import Plan, make_plan
from itool_jax.plan.show import show
from itool_jax.plan.target import GIB, devices_target
from tests.plan_cases import CFG, B, changed, needs_of, planned, small_config

pytestmark = pytest.mark.usefixtures("small_model")


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


@pytest.mark.slow
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
