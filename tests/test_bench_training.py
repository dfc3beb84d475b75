"""The tool of the training figures: every part that runs here, on tiny sizes, and what its numbers are made of."""

from __future__ import annotations

import json
import os

import jax
import numpy as np
import pytest

import attention_step
import bench_training
from itool_jax.models.policy import init_policy
from itool_jax.training.objectives import preference
from search_figures.workload import LLAMA_TINY
from training_figures import ours
from training_figures.workload import SMALL, Pairs


def figure(number, tmp_path, *options):
    file = tmp_path / "figures.json"
    assert bench_training.main([f"--figure={number}", "--small", "--repeats=1", f"--json={file}", *options]) == 0
    report = json.loads(file.read_text())
    assert list(report["figures"]) == [str(number)]
    return report["figures"][str(number)]


def test_the_workload_has_the_sizes_of_the_issue():
    work = Pairs(prompt=512)
    groups = work.groups(32_000)
    assert work.count == 32 and work.row_tokens == 896
    assert [len(group.tree()) for group in groups] == [896] * 4  # no token is shared beside the prompt
    assert all(len(group.prompt) == 512 and len(group.pairs) == 8 for group in groups)


def test_figure_1_times_the_same_step_on_forests_and_on_separate_rows(tmp_path):
    found = figure(1, tmp_path)["tiny"]
    medians = {name: side["median"] for name, side in found["sides"].items()}
    assert found["ratios"] == {"separate rows": medians["separate rows"] / medians["itool_jax"]}
    assert found["sides"]["itool_jax"]["pairs_per_second"] == SMALL.count / medians["itool_jax"]
    assert found["gradients_apart"] < 1e-5


def test_separate_rows_are_read_by_the_head_where_forests_are():
    groups = SMALL.groups(LLAMA_TINY.vocab_size)
    forest, rows = ours.forest_batch(groups, SMALL.row_tokens).forest, ours.separate_batch(groups)
    counted = [int(np.sum(x.counted < x.tokens.shape[-1])) for x in (forest, rows)]
    assert counted == [SMALL.count * 2 * SMALL.fragment] * 2


def test_figure_2_says_which_library_is_left_out(tmp_path):
    found = figure(2, tmp_path)["tiny"]
    assert found["left_out"].keys() == {"TRL simpo", "TRL dpo", "Tunix dpo"}


@pytest.mark.skipif("ITOOL_TRL_PYTHON" not in os.environ, reason="ITOOL_TRL_PYTHON names no interpreter with trl==1.16")
def test_figures_2_and_3_train_what_trl_trains(tmp_path):
    python = f"--trl-python={os.environ['ITOOL_TRL_PYTHON']}"
    found = figure(2, tmp_path, python)["tiny"]  # which compares losses and gradients
    assert found["TRL simpo"]["ratios"].keys() == {"TRL simpo"} and found["TRL dpo"]["ratios"].keys() == {"TRL dpo"}
    assert figure(3, tmp_path, python)["tiny"]["ratios"].keys() == {"TRL"}


def test_figure_4_whole_logits_are_the_same_step_and_take_more(tmp_path):
    found = figure(4, tmp_path)
    assert found["ratio"] < 1
    policy, work = init_policy(LLAMA_TINY, seed=0), SMALL
    batch = ours.forest_batch(work.groups(LLAMA_TINY.vocab_size), work.row_tokens)
    chunked, whole = (
        ours.gradient(policy, objective, batch)
        for objective in (preference("simpo", **ours.SIMPO), ours.simpo_of_whole_logits)
    )
    assert ours.apart(whole, chunked) < 1e-5
    assert len(jax.tree.leaves(whole)) == len(jax.tree.leaves(policy.trainable))


@pytest.mark.slow
def test_figure_5_runs_its_parts(tmp_path):
    found = figure(5, tmp_path)
    assert found.keys() == {"ceilings", "tiny LoRA", "tiny full"}
    for one in (found["tiny LoRA"], found["tiny full"]):
        assert one["sft"]["flops"] > 0 and one["simpo"]["mfu"] > 0


def test_attention_is_timed_on_steps_whose_losses_agree(capsys):
    attention_step.main(["--small", "--repeats", "1"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(",")[0].partition(" on")[0] for line in lines] == ["SimPO", "SFT"]
    assert all("blockwise" in line and "dense" in line for line in lines)
