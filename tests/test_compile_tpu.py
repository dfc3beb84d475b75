"""The tool that compiles configs for TPUs: which cases it takes, what it keeps, and a tiny one compiled for real."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import re

import pytest

import compile_tpu
from compile_tpu import Case, agreement, cases, in_words, main, sent_in, table
from itool_jax.errors import UserError
from itool_jax.plan import plan as plans
from itool_jax.plan.compiler import Compiled, OutOfMemory
from itool_jax.plan.hlo import Collective
from itool_jax.plan.target import GIB, devices_target

LLAMA = "configs/llama3_1_8b.py"


def test_every_shipped_mode_for_a_tpu_is_a_case():
    found = cases([], [], None)
    assert len(found) == len(set(found)) == 3 * 2 * 3 + 3  # machines, adapters or all, models; and the paper's
    assert Case(LLAMA, "v5p-64-full", "v5p:2x4x4") in found and Case("configs/paper.py", "v6e-16", "v6e:4x4") in found
    assert not [case for case in found if "h100" in case.mode or "h200" in case.mode]
    assert cases([LLAMA], ["v5e-16"], None) == [Case(LLAMA, "v5e-16", "v5e:4x4")]
    assert cases(["configs/quickstart.py"], ["smoke"], "v5e:2x2") == [Case("configs/quickstart.py", "smoke", "v5e:2x2")]
    with pytest.raises(UserError, match=r"--mode=8xh100 is for no TPU: modes are v5e-16, v6e-16, v5p-64"):
        cases([], ["8xh100"], None)
    with pytest.raises(UserError, match=r"configs/quickstart.py has no machine"):
        cases(["configs/quickstart.py"], [], None)


@pytest.fixture
def compiler(monkeypatch):
    """A compiler whose answers are made up, on four abstract devices; it counts what it is asked."""
    asked = []
    answers = {"SFT step": OutOfMemory(3 * GIB, "Ran out of memory")}

    def answer(traced, target):
        asked.append(traced)
        kinds = {"all-gather": Collective(3, 5 * GIB), "reduce-scatter": Collective(2, GIB)}
        return answers.get("refuse") or Compiled(GIB, 2 * GIB, 0.5, 0.25, 0, kinds)

    def target(mesh, topology, hbm):
        made = devices_target(mesh, 4, 15.75)
        return type("Compiles", (type(made),), {"compiles": True})(**vars(made))

    monkeypatch.setattr(plans, "compile_program", answer)
    monkeypatch.setattr(compile_tpu, "topology_target", target)
    monkeypatch.setattr(compile_tpu, "topology_devices", lambda topology: [None] * 4)
    monkeypatch.setattr(importlib.metadata, "version", lambda name: versions[name])
    versions = {"jax": "1", "libtpu": "1"}
    return asked, answers, versions


CALL = ("--config=configs/quickstart.py", "--mode=smoke", "--topology=v5e:2x2")


def test_a_second_call_goes_on_where_the_first_stopped(compiler, tmp_path, capsys):
    asked, _, versions = compiler
    call = (*CALL, f"--out={tmp_path}")
    assert main([*call, "--stage=sft"]) == 0 and len(asked) == 1
    assert main(call) == 0
    everything = len(asked)
    printed = capsys.readouterr().out
    assert everything > 4 and "prefer: simpo step: fits, peak 2.00 GiB" in printed
    assert main(call) == 0 and len(asked) == everything
    assert capsys.readouterr().out.splitlines()[-1] in printed
    versions["libtpu"] = "2"
    assert main([*call, "--stage=sft"]) == 0 and len(asked) == everything + 1
    assert {file.name for file in tmp_path.iterdir()} == {
        f"quickstart.smoke.v5e_2x2.{stage}.json" for stage in ("sft", "score", "search", "prefer")
    }


def test_what_does_not_fit_is_said(compiler, tmp_path, capsys):
    _, answers, _ = compiler
    answers["refuse"] = answers["SFT step"]
    assert main([*CALL, f"--out={tmp_path}", "--stage=sft"]) == 1
    line, *_, row, _, last = capsys.readouterr().out.splitlines()
    assert "SFT step: DOES NOT FIT, refused" in line and last == "0 of 1 programs compiled"
    assert row.startswith("| quickstart:smoke | v5e:2x2 |") and row.endswith("| no: SFT step | – | – |")


def test_lines_and_rows():
    collectives = {
        "all-gather": {"calls": 3, "bytes": 5 * GIB},
        "all-reduce": {"calls": 1, "bytes": GIB},
        "reduce-scatter": {"calls": 2, "bytes": GIB},
        "all-to-all": {"calls": 2, "bytes": GIB // 2},
    }
    compiled = {"arguments": 7, "peak": 2 * GIB, "seconds": 0.5, "untimed": 0, "collectives": collectives}
    estimate = {"arguments": {"parameters": 4, "batch": 3}, "peak": 3 * GIB}
    step = {"program": "SFT step", "compiled": compiled, "estimate": estimate, "needs": 4 * GIB, "fits": True}
    assert in_words(step).startswith("SFT step: fits, peak 2.00 GiB (by shapes +50%), needs 4.00, 0.5 s, 3 all-gather")
    kernels = {**step, "compiled": {**compiled, "untimed": 32}}
    assert ", 0.5 s without 32 operations, 3 all-gather" in in_words(kernels)
    less = {**step, "estimate": {"arguments": {"batch": 3}, "peak": GIB}}
    refused = {**step, "compiled": {"out_of_memory": {}}}
    off = "peaks by shapes are -50% to +50% off the compiler's, arguments agree to the byte in 1"
    assert agreement([step, less, refused]) == f"2 of 3 programs compiled: {off}"
    assert sent_in(compiled) == "5.0, 2.0, 0.5"
    *_, row = table({Case(LLAMA, "v5e-16", "v5e:4x4"): {"sft": [step]}})
    assert row == "| llama3_1_8b:v5e-16 | v5e:4x4 | 4.00 | yes | 0.50 | 5.0, 2.0, 0.5 |"


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("libtpu") is None, reason="the TPU compiler is not installed: extra 'tpu'")
def test_a_tiny_model_is_compiled_for_a_tpu(tmp_path, capsys):
    assert main([*CALL, f"--out={tmp_path}"]) == 0
    *_, row, _, last = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"(\d+) of \1 programs compiled: .*, arguments agree to the byte in \1", last)
    assert "| yes |" in row and "–" not in row
    kept = json.loads((tmp_path / "quickstart.smoke.v5e_2x2.sft.json").read_text())
    (step,) = kept["stages"]["sft"]
    assert step["compiled"]["arguments"] == sum(step["estimate"]["arguments"].values())
    assert step["compiled"]["peak"] == pytest.approx(step["estimate"]["peak"], rel=0.5)
    assert step["compiled"]["collectives"]
