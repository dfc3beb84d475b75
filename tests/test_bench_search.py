"""The figures' tool: every part that runs here, on tiny sizes, and what its numbers are made of."""

from __future__ import annotations

import json
import time

import jax.numpy as jnp
import pytest

import bench_search
from itool_jax.errors import UserError
from search_figures.host import arena_bytes
from search_figures.measure import greedy_agreement, shortfall
from search_figures.ours import TreeSide
from search_figures.trace import covered, idle_seconds
from search_figures.workload import Workload, case, expand
from side_by_side import alternate


@pytest.fixture(scope="module")
def tiny():
    return case("tiny", 1)


def figure(number, tmp_path, *options):
    file = tmp_path / "figures.json"
    assert bench_search.main([f"--figure={number}", "--small", "--repeats=1", f"--json={file}", *options]) == 0
    report = json.loads(file.read_text())
    assert list(report["figures"]) == [str(number)]
    assert {"jax", "numpy"} <= report["versions"].keys()
    return report["figures"][str(number)]


def test_figure_1_times_transformers_on_the_same_weights(tmp_path):
    found = figure(1, tmp_path)["tiny"]
    medians = {name: side["median"] for name, side in found["sides"].items()}
    assert found["ratios"] == {"transformers": medians["transformers"] / medians["itool_jax"]}
    assert found["sides"]["itool_jax"]["tokens_per_second"] == 3 * 2 * 2 * 8 / medians["itool_jax"]
    greedy = found["greedy"]["transformers"]
    assert greedy["equal"] == greedy["of"] == 2 * 2 * 2 * 8
    assert "torch" in found["versions"]["transformers"]
    assert "tunix" in found["left_out"]


def test_figure_2_times_the_engine_without_its_sharing(tmp_path):
    found = figure(2, tmp_path)["tiny"]
    assert found["ratios"].keys() == {"dense cache per branch", "prompt read per expansion"}
    assert len(found["greedy"]) == 3
    assert all(side["equal"] == side["of"] and side["below_largest"] < 1e-4 for side in found["greedy"].values())


@pytest.mark.slow
def test_figure_3_grows_the_same_trees_by_both_control_flows(tmp_path):
    own, led = figure(3, tmp_path).values()
    assert own["sizes"]["examples"] == led["sizes"]["examples"] == 4
    assert own["sizes"]["mean_prompt_tokens"] < led["sizes"]["mean_prompt_tokens"] == 512
    assert own["sides"].keys() == led["sides"].keys() and len(own["ratios"]) == 2
    assert 0 < led["sides"]["itool_jax"]["occupancy"] <= 1


@pytest.mark.slow
def test_figure_4_shares_and_bytes(tmp_path):
    found = figure(4, tmp_path)
    assert 0 < found["random weights"]["share"] < 1
    assert 0 < found["tool world"]["share"] < 1


def test_figure_6_on_a_machine_without_a_gpu_says_so_and_runs_on_a_tiny_model(tmp_path):
    found = figure(6, tmp_path)["tiny"]
    # 2 layers x 2 KV heads x 8, keys and values of 2 bytes; embedding 97 x 32 is the head too
    kernels = 2 * (32 * 32 + 2 * 32 * 16 + 32 * 32 + 3 * 32 * 64)
    weights = 2 * (97 * 32 + kernels + 2 * 2 * 32 + 32)
    assert found["decode"]["bytes"] == weights + 2 * (32 + 3 * (8 + 24) / 2) * 128
    assert found["prefill"]["flops"] == 2 * (2 * kernels * 32 + 4 * 2 * 4 * 8 * 32 * 33 / 2)
    bench_search.main(["--figure=6", f"--json={tmp_path / 'none.json'}"])
    assert "no GPU" in json.loads((tmp_path / "none.json").read_text())["figures"]["6"]["left_out"]


def test_bytes_of_llama_8b_are_those_of_its_shapes():
    column = 2 * 32 * 8 * 128 * 2
    found = arena_bytes()
    assert found["arena"] == 256 * (2048 + 5 * 3 * 64) * column
    assert found["dense"] == 256 * 3 * (2048 + 64) * column


def test_expansions_start_ever_deeper_below_the_first_samples():
    asked = []

    def generate(sequences, branches, tokens, temperature):
        asked.append([list(sequence) for sequence in sequences])
        return [[[100 * len(asked) + 10 * b + t for t in range(tokens)] for b in range(branches)] for _ in sequences]

    samples = expand(generate, Workload(((1, 2), (3, 4)), expansions=3, branches=2, tokens=3, stride=2))
    assert asked == [
        [[1, 2], [3, 4]],
        [[1, 2, 100, 101], [3, 4, 100, 101]],
        [[1, 2, 100, 101, 200, 201], [3, 4, 100, 101, 200, 201]],
    ]
    assert samples[1] == [
        [[100 * w, 100 * w + 1, 100 * w + 2], [100 * w + 10, 100 * w + 11, 100 * w + 12]] for w in (1, 2, 3)
    ]


def test_a_side_that_computes_another_model_is_refused(tiny):
    workload = tiny.workload.sample(prompts=1)
    right = TreeSide(tiny.policy, workload)

    class Wrong:
        name = "wrong"

        def run(self, workload):
            samples, seconds = right.run(workload)
            return [[[[(t + 1) % 97 for t in tokens] for tokens in e] for e in tree] for tree in samples], seconds

    greedy_agreement([right, right], tiny.policy, workload)
    with pytest.raises(UserError, match="wrong does not compute"):
        greedy_agreement([right, Wrong()], tiny.policy, workload)


def test_shortfall_is_measured_at_every_token(tiny):
    prompt = list(tiny.workload.prompts[0])
    [[[best]]], _ = TreeSide(tiny.policy, one := Workload((tuple(prompt),), 1, 1, 4, 0, 0.0)).run(one)
    assert shortfall(tiny.policy, prompt, best) < 1e-4
    for place in range(4):
        other = [*best[:place], (best[place] + 1) % 97, *best[place + 1 :]]
        assert shortfall(tiny.policy, prompt, other[: place + 1]) > 1e-3


def test_sides_take_turns_in_alternating_order():
    order = []

    def side(name, seconds):
        return lambda: order.append(name) or seconds.pop(0)

    times = alternate({"a": side("a", [1, 5, 3]), "b": side("b", [2, 2, 8])}, 3, lambda _: None)
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert (times["a"]["median"], times["b"]["median"]) == (3, 2)


def test_union_of_intervals():
    assert covered([(5, 7), (0, 2), (1, 3), (1.5, 1.6)]) == 5
    assert covered([]) == 0


def test_time_without_device_programs_is_idle():
    def run():
        jnp.ones((64, 64)).sum().block_until_ready()
        time.sleep(0.2)

    idle, whole = idle_seconds(run)
    assert 0.2 <= idle < whole
