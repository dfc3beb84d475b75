"""configs/baselines.py: the round of every mode, in one run of a small model that is right now and then."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from itool_jax.cli import main
from itool_jax.config_loading import config_to_json, differences, load_config
from itool_jax.rounds.run_directory import open_run
from itool_jax.rounds.score import selected_examples
from itool_jax.rounds.session import Session
from itool_jax.search.records import read_records

CONFIG = "configs/baselines.py"
pytestmark = pytest.mark.slow  # five rounds
MODES = ("sft", "rejection", "best_of_n", "random", "grpo")
SIZES = {
    "data.toolworld.train.easy": 48,
    "data.toolworld.train.medium": 8,
    "data.toolworld.train.hard": 8,
    "data.toolworld.heldout": 2,
    "evaluate.sets": "easy",
    "warmup.epochs.medium": 0,
    "warmup.epochs.hard": 0,
    "rounds": len(MODES),
}
OF_A_ROUND = {
    "select.limit": 8,
    "search.trees": 8,
    "search.answer_tokens": 32,
    "search.arena_tokens": 288,
    "prefer.rows": 8,
    "prefer.row_tokens": 512,
}


def round_overrides():
    """Round i is that of MODES[i], at sizes of its own."""
    plain = config_to_json(load_config(CONFIG).round)
    for index, mode in enumerate(MODES):
        of_mode = differences(plain, config_to_json(load_config(f"{CONFIG}:{mode}").round))
        for key, value in ({key: value for key, _, value in of_mode} | OF_A_ROUND).items():
            yield f"--config.round_overrides.round_{index:03d}.{key}={value}"


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    workdir = tmp_path_factory.mktemp("runs") / "baselines"
    sizes = [f"--config.{key}={value}" for key, value in SIZES.items()]
    assert main(["run", f"--config={CONFIG}", f"--workdir={workdir}", *sizes, *round_overrides()]) == 0
    return workdir


def folder(run: Path, mode: str) -> Path:
    return run / f"round_{MODES.index(mode):03d}"


def rows(run: Path, mode: str) -> list[dict]:
    return [json.loads(line) for line in (folder(run, mode) / "pairs.jsonl").read_text().splitlines()]


def summary(run: Path, mode: str) -> dict:
    return json.loads((run / "manifest.json").read_text())["stages"][f"{folder(run, mode).name}/prefer"]["summary"]


def leaves(run: Path, mode: str) -> dict[str, list[dict]]:
    path = folder(run, mode) / "trees"
    trees = read_records(path) if path.exists() else ()
    return {tree["id"]: [node for node in tree["nodes"] if node["end"]] for tree in trees}


def test_every_round_trains_and_has_nine_samples_to_a_prompt(run):
    for mode in MODES:
        assert summary(run, mode)["steps"] > 0 and summary(run, mode)["pairs"] > 0, mode
        assert (folder(run, mode) / "eval/summary.json").exists()
        samples = {sum(leaf["visits"] for leaf in of_tree) for of_tree in leaves(run, mode).values()}
        assert samples <= {3, 6, 9} if mode == "random" else samples == (set() if mode == "sft" else {9})
    assert (run / "report.html").exists()


def test_further_sft_searches_nothing_and_trains_on_every_selected_prompt(run, capsys):
    assert {path.name for path in folder(run, "sft").iterdir()} == {
        "scores.parquet",
        "selected.jsonl",
        "checkpoint",
        "eval",
    }
    found = summary(run, "sft")
    with open_run(run, None) as opened:
        answers = [len(p.answer) for p in selected_examples(Session(opened), MODES.index("sft"))]
    assert (found["pairs"], found["gradient_tokens"], found["anchors"]) == (8, sum(answers), 0)
    assert main(["search", f"--workdir={run}", f"--round={MODES.index('sft')}"]) == 2
    assert "searches nothing: its pairs.mode is 'truth'" in capsys.readouterr().err
    assert main(["prefer", f"--workdir={run}", "--pairs=mine.jsonl"]) == 2
    assert "mine.jsonl holds pairs, but config.round.prefer.loss is 'sft'" in capsys.readouterr().err


def test_rejection_sampling_trains_on_the_right_samples_alone(run):
    found, of_trees = rows(run, "rejection"), leaves(run, "rejection")
    right = {id: [leaf for leaf in of_tree if leaf["right"]] for id, of_tree in of_trees.items()}
    assert {row["id"]: len(row["sides"]) for row in found} == {id: len(of) for id, of in right.items() if of}
    assert all(row["prefix"] == [] and set(row["values"]) == {1.0} for row in found)
    stats = json.loads((folder(run, "rejection") / "stats.json").read_text())
    assert stats["pairs_removed"]["no_right_answer"] == sum(not of for of in right.values())


def test_best_of_n_compares_whole_answers(run):
    with open_run(run, None) as opened:
        end = Session(opened).dialect.end_of_turn
    found = rows(run, "best_of_n")
    assert all(row["prefix"] == [] and [side[-1] for side in row["sides"]] == [end, end] for row in found)
    assert all(row["values"][0] == 1.0 > row["values"][1] for row in found)


def test_random_selection_does_not_follow_perplexity(run):
    scores = pq.read_table(folder(run, "random") / "scores.parquet").to_pylist()
    order = sorted(scores, key=lambda row: -row["perplexity"])
    taken = [row["selected"] for row in order]
    assert sum(taken) == 8 and not all(taken[:8])
    hardest = pq.read_table(folder(run, "grpo") / "scores.parquet").to_pylist()
    at_random, by_perplexity = (
        np.mean([row["perplexity"] for row in of if row["selected"]]) / np.mean([row["perplexity"] for row in of])
        for of in (scores, hardest)
    )
    assert at_random < by_perplexity


def test_grpo_trains_on_whole_groups_whose_rewards_differ(run):
    found, of_trees = rows(run, "grpo"), leaves(run, "grpo")
    rewards = {id: sorted(leaf["reward"] for leaf in of for _ in range(leaf["visits"])) for id, of in of_trees.items()}
    assert {row["id"]: sorted(row["values"]) for row in found} == {
        id: of for id, of in rewards.items() if of[0] < of[-1]
    }
    difference = json.loads((folder(run, "grpo") / "stats.json").read_text())["sampler_difference"]
    assert difference["tokens"] == sum(len(side) for row in found for side in row["sides"])
    assert difference["sides_not_compared"] == 0 and difference["largest"] < 1e-4
    for row in found:
        assert len(row["sides"]) == 9
        assert [len(side) for side in row["reference"]] == [len(side) for side in row["sides"]]
        assert all(logprob <= 0 for side in row["reference"] for logprob in side)
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    steps = [line for line in lines if line["stage"] == f"{folder(run, 'grpo').name}/prefer"]
    assert steps and steps[0]["kl"] == pytest.approx(0, abs=1e-6) and steps[0]["out_of_clip"] == 0
