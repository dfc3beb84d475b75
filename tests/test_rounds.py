"""The whole loop on a model of a few thousand parameters: what stages leave, going on after kill -9, bad input."""

from __future__ import annotations

import json
import os
import runpy
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pyarrow.parquet as pq
import pytest
from jax.sharding import PartitionSpec as P

from itool_jax.cli import main
from itool_jax.config_loading import load_config
from itool_jax.data.corpus import Corpus
from itool_jax.data.jsonl import example_to_json
from itool_jax.data.toolworld import ToolWorld
from itool_jax.rounds.inputs import training_examples
from itool_jax.rounds.kept_trees import KeptTrees
from itool_jax.rounds.run_directory import open_run
from itool_jax.rounds.score import perplexities, select, selected_examples
from itool_jax.rounds.session import Session
from itool_jax.sampling.sampler import Sample
from itool_jax.search.records import read_records
from tests.test_mesh import assert_close

CONFIG = "configs/quickstart.py:smoke"
SMALL = {
    "model.preset": "nano",
    "model.checkpoint": "",
    "model.vocab_size": 400,
    "data.toolworld.train.easy": 24,
    "data.toolworld.train.medium": 16,
    "data.toolworld.train.hard": 16,
    "data.toolworld.heldout": 6,
    "data.warmup_share": 0.9,
    "data.buffer_share": 0.5,
    "warmup.checkpoint_every": 2,
    "round.select.limit": 8,
    "round.search.trees": 8,
    "round.search.answer_tokens": 12,
    "round.search.arena_tokens": 128,
    "round.prefer.rows": 8,
    "round.prefer.row_tokens": 512,
    "round.pairs.ground_truth_stand_in": True,
    "evaluate.answer_tokens": 12,
    "evaluate.slots": 16,
    "rounds": 1,
}


def overrides(**changes):
    return [f"--config.{key}={value}" for key, value in (SMALL | changes).items()]


def run_cli(*arguments):
    return main([*map(str, arguments)])


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("runs") / "whole"
    assert run_cli("run", f"--config={CONFIG}", f"--workdir={workdir}", *overrides()) == 0
    return workdir


def checkpoints_and_files(workdir: Path) -> dict[str, str]:
    stages = json.loads((workdir / "manifest.json").read_text())["stages"]
    return {
        f"{name}/{key}": output["sha256"]
        for name, stage in stages.items()
        for key, output in stage["outputs"].items()
        if key not in ("checkpoint", "model")
    }


def test_every_stage_leaves_what_the_design_says(finished):
    for name in ("config.json", "manifest.json", "metrics.jsonl", "report.html", "model/tokenizer/tokenizer.json"):
        assert (finished / name).exists(), name
    for name in ("base/eval/summary.json", "warmup/eval/summary.json", "round_000/eval/summary.json"):
        sets = json.loads((finished / name).read_text())["sets"]
        assert set(sets) == {"easy", "medium", "hard", "unseen_tools"} and all(s["count"] == 6 for s in sets.values())
    scores = pq.read_table(finished / "round_000/scores.parquet").to_pylist()
    selected = [json.loads(line)["id"] for line in (finished / "round_000/selected.jsonl").read_text().splitlines()]
    assert len(scores) == round(56 * 0.5) and sum(row["selected"] for row in scores) == len(selected) == 8
    trees = list(read_records(finished / "round_000/trees"))
    assert sorted(tree["id"] for tree in trees) == sorted(selected)
    pairs = [json.loads(line) for line in (finished / "round_000/pairs.jsonl").read_text().splitlines()]
    assert pairs and all(pair["sides"][0][0] != pair["sides"][1][0] for pair in pairs)
    stats = json.loads((finished / "round_000/stats.json").read_text())
    trl = [json.loads(line) for line in (finished / "round_000/pairs_trl.jsonl").read_text().splitlines()]
    assert stats["pairs"]["kept"] == len(pairs) and stats["trl_pairs"]["written"] == len(trl)
    assert sum(stats["trl_pairs"][key] for key in ("written", "without_whole_answer", "not_writable")) == len(pairs)
    # what the sampler drew by is what training begins with; a ground truth's side was not drawn
    difference, sides = stats["sampler_difference"], [len(side) for pair in pairs for side in pair["sides"]]
    truths = sum(pair["source"] == "ground_truth" for pair in pairs)
    assert 0 < difference["tokens"] <= sum(sides) and difference["sides_not_compared"] <= truths < len(sides)
    assert 0 < difference["mean"] <= difference["largest"] < 1e-4
    leaves = [node for tree in trees for node in tree["nodes"] if node["end"]]
    samples = sum(node["visits"] for node in leaves)
    assert stats["trees"]["samples"] == samples
    mean = sum(node["visits"] * node["reward"] for node in leaves) / samples
    assert stats["rewards"]["mean_reward"] == pytest.approx(mean, abs=1e-5)
    lines = [json.loads(line) for line in (finished / "metrics.jsonl").read_text().splitlines()]
    searched = [line for line in lines if line["stage"] == "round_000/search"]
    assert [line["step"] for line in searched] == list(range(1, 9))
    assert sum(line["pairs"] for line in searched) == len(pairs)
    summary = json.loads((finished / "manifest.json").read_text())["stages"]["round_000/prefer"]["summary"]
    assert (summary["prompts"], summary["anchors"], summary["anchors_too_long"]) == (8, 8, 0)  # the config weighs them
    assert summary["pairs"] == len(pairs) and summary["last_anchor_logprob"] < 0
    steps = [
        row["step"]
        for row in map(json.loads, (finished / "metrics.jsonl").read_text().splitlines())
        if row["stage"] == "warmup/easy"
    ]
    assert steps == list(range(1, len(steps) + 1)) and steps


def test_the_report_prints_every_set_and_stage(finished, capsys):
    assert run_cli("report", f"--workdir={finished}", "--json") == 0
    sets = json.loads(capsys.readouterr().out)["sets"]
    assert set(sets["hard"]) == {"base", "warmup", "round_000"}


def test_the_same_command_again_does_nothing(finished):
    before = (finished / "manifest.json").read_bytes()
    assert run_cli("run", f"--config={CONFIG}", f"--workdir={finished}", *overrides()) == 0
    assert (finished / "manifest.json").read_bytes() == before


def test_stages_one_by_one_give_what_the_whole_run_gives(finished, tmp_path):
    common = [f"--config={CONFIG}", f"--workdir={tmp_path / 'steps'}", *overrides()]
    for command in ("warmup", "score", "search", "prefer", "evaluate"):
        assert run_cli(command, *common) == 0
    assert checkpoints_and_files(tmp_path / "steps") == checkpoints_and_files(finished)


def test_the_other_switches_go_through_the_loop(tmp_path):
    """QLoRA, DPO with an SFT term, graded inner nodes, self-evaluation, rankings, round overrides, own JSONL."""
    files = {name: tmp_path / f"{name}.jsonl" for name in ("train", "mine")}
    for seed, path in enumerate(files.values()):
        examples = ToolWorld(seed).mixture({"easy": 1.0, "medium": 1.0, "hard": 1.0}, 40 if path.stem == "train" else 6)
        path.write_text("".join(json.dumps(example_to_json(example)) + "\n" for example in examples))
    changes = {
        "data.source": "jsonl",
        "data.folder": tmp_path,
        "data.train": "train.jsonl",
        "data.heldout.mine": "mine.jsonl",
        "model.lora_rank": 4,
        "model.lora_targets": "q,v,down",
        "model.lora_rslora": "true",
        "model.quantize": "nf4",
        "mesh.fsdp": 2,
        "rounds": 2,
        "round.search.gamma": 0.9,
        "round.search.self_eval_weight": 0.2,
        "round.search.arena_tokens": 256,
        "round.search.extra_iterations": 2,
        "round.search.stop_unanimous": "true",
        "round.prefer.loss": "dpo",
        "round.prefer.beta": 0.1,
        "round.prefer.sft_weight": 0.3,
        "round_overrides.round_001.search.iterations": 1,
        "round_overrides.round_001.pairs.mode": "listwise",
        "round_overrides.round_001.prefer.loss": "list_mle",
        "round_overrides.round_001.prefer.beta": 2.5,
    }
    workdir = tmp_path / "run"
    assert run_cli("run", f"--config={CONFIG}", f"--workdir={workdir}", *overrides(**changes)) == 0
    trees = [list(read_records(workdir / name / "trees")) for name in ("round_000", "round_001")]
    expansions = [max(tree["nodes"][0]["visits"] for tree in round_trees) for round_trees in trees]
    assert expansions[0] > expansions[1] == 3
    stats = [json.loads((workdir / name / "stats.json").read_text()) for name in ("round_000", "round_001")]
    counts = stats[0]["trees"]
    assert counts["expansions"] == sum(node["expansions"] for tree in trees[0] for node in tree["nodes"])
    spent = 2 * len(trees[0]) + counts["expansions_extra"] - counts["expansions_unused"]
    assert counts["expansions"] == spent and counts["stopped_unanimous"] <= counts["expansions_unused"]
    graded = [node for tree in trees[0] for node in tree["nodes"] if node["self_evaluation"] is not None]
    for node in graded:
        assert 0 < node["self_evaluation"] < 1
        assert node["reward"] == pytest.approx(node["score"] + 0.2 * node["self_evaluation"], abs=2e-6)
    assert ("mean_self_evaluation" in stats[0]["rewards"]) == bool(graded)
    lists = [json.loads(line) for line in (workdir / "round_001/pairs.jsonl").read_text().splitlines()]
    assert all(row["values"] == sorted(row["values"], reverse=True) for row in lists)
    assert set(json.loads((workdir / "round_001/eval/summary.json").read_text())["sets"]) == {"mine"}
    with open_run(workdir, None) as run:
        policy = Session(run).policy("round_001")
        adapted, before = policy.adapters, Session(run).policy("warmup").adapters
    assert set(adapted["layers"]) == {"q", "v", "down"} and policy.decoder.lora.scale == 16 / 2
    assert policy.params["layers"]["up"]["kernel"].qvalue.sharding.spec == P(None, "fsdp", "tensor")
    assert any(
        np.any(np.asarray(a) != np.asarray(b)) for a, b in zip(*map(jax.tree.leaves, (adapted, before)), strict=True)
    )


def test_bf16_parameters_and_frozen_embeddings_go_through_the_warm_up(tmp_path):
    changes = {"model.param_dtype": "bfloat16", "model.freeze_embeddings": "true", "mesh.fsdp": 2}
    workdir = tmp_path / "run"
    assert run_cli("warmup", f"--config={CONFIG}", f"--workdir={workdir}", *overrides(**changes)) == 0
    with open_run(workdir, None) as run:
        before, after = (Session(run).policy(name).params for name in ("base", "warmup"))
    assert {leaf.dtype.name for leaf in jax.tree.leaves([before, after])} == {"bfloat16"}
    same = jax.tree.map(lambda a, b: bool((a == b).all()), before, after)
    assert same["embedding"] and not same["layers"]["q"]["kernel"]


def test_the_study_adds_controls_to_a_run(finished, tmp_path, capsys):
    shutil.copytree(finished, tmp_path / "seed_0")
    figures = tmp_path / "figures.json"
    study = runpy.run_path("tools/study_gain.py")["main"]
    arguments = [f"--config={CONFIG}", f"--workdir={tmp_path}", "--seeds=0", f"--json={figures}", *overrides()]
    assert study(arguments) == 0
    by_name = json.loads(figures.read_text())["0"]
    assert list(by_name) == ["base", "warmup", "round_000", "control/round_000", "control_third_rate/round_000"]
    stages = json.loads((tmp_path / "seed_0/manifest.json").read_text())["stages"]
    control = stages["control/round_000"]["summary"]
    assert control["prompts"] + control["too_long"] == 8 and control["steps"] >= 1
    rows = [json.loads(line) for line in (tmp_path / "seed_0/round_000/pairs.jsonl").read_text().splitlines()]
    with open_run(tmp_path / "seed_0", None) as run:
        answers = [len(p.answer) for p in selected_examples(Session(run), 0)]
    tokens = sum(sum(map(len, row["sides"])) for row in rows) + sum(answers)
    assert stages["control/round_000"]["inputs"]["tokens"] == str(tokens)  # one epoch
    assert control["passes"] == pytest.approx(tokens / sum(answers))
    assert "control_third_rate" in capsys.readouterr().out


@pytest.mark.slow
def test_a_run_killed_again_and_again_ends_with_the_same_bits(finished, tmp_path):
    workdir = tmp_path / "killed"
    command = [sys.executable, "-m", "itool_jax.cli", "run", f"--config={CONFIG}", f"--workdir={workdir}", *overrides()]
    kills, limit = 0, 8.0
    while True:
        process = subprocess.Popen(command, env=os.environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            assert process.wait(timeout=limit) == 0
            break
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills, limit = kills + 1, limit + 3.0
        time.sleep(0.1)
    assert kills >= 3
    assert checkpoints_and_files(workdir) == checkpoints_and_files(finished)
    for stage in ("warmup/hard", "round_000"):
        assert_same_weights(workdir / stage / "checkpoint", finished / stage / "checkpoint", workdir, finished)


_DIES = """
import os, signal, sys
from itool_jax.cli import main
from itool_jax.rounds import kept_trees
whole, calls = kept_trees.compress_line, []
def cut_off(row):
    calls.append(row["id"])
    return whole(row)[:-9] if len(calls) == 3 else whole(row)
kept_trees.compress_line = cut_off
fsync = os.fsync
def dies(descriptor):
    fsync(descriptor)
    if len(calls) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
os.fsync = dies
main(sys.argv[1:])
"""


def test_a_search_killed_while_it_writes_a_tree_goes_on_with_the_others(finished, tmp_path):
    """SIGKILL when two trees are on disk and half of the third: those two stay as they are, and the end is the same."""
    workdir = tmp_path / "killed"
    shutil.copytree(finished, workdir)
    manifest = json.loads((workdir / "manifest.json").read_text())
    del manifest["stages"]["round_000/search"]
    (workdir / "manifest.json").write_text(json.dumps(manifest))
    common = ["search", f"--workdir={workdir}", "--round=0"]
    died = subprocess.run([sys.executable, "-c", _DIES, *common], env=os.environ, capture_output=True)
    assert died.returncode == -signal.SIGKILL, died.stderr
    kept = workdir / ".partial/round_000.search/kept/000"
    index = [json.loads(line) for line in (kept / "index.jsonl").read_text().splitlines()]
    assert len(index) == 2
    assert sum(row["size"] for row in index) < (kept / "00000.jsonl.zst").stat().st_size
    went_on = subprocess.run(
        [sys.executable, "-m", "itool_jax.cli", *common], env=os.environ, capture_output=True, text=True
    )
    assert went_on.returncode == 0, went_on.stderr
    assert "8 trees of which 2 are done" in went_on.stdout + went_on.stderr
    assert checkpoints_and_files(workdir) == checkpoints_and_files(finished)


_STOPS = """
import signal, sys
from itool_jax.cli import main
from itool_jax.metrics import MetricsWriter
write = MetricsWriter.write
def stops(self, step, stage, values):
    write(self, step, stage, values)
    if (stage, step) == ("warmup/medium", 2):
        signal.raise_signal(signal.SIGTERM)
MetricsWriter.write = stops
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.slow
def test_a_run_that_was_stopped_in_training_goes_on_on_other_devices(tmp_path, capsys):
    """Begun on one device, where it is stopped in the middle of a stage; ended on 2 x 2 x 2."""
    longer = {"warmup.epochs.medium": 4, "warmup.epochs.hard": 0}
    command = lambda name, **more: [
        "warmup", f"--config={CONFIG}", f"--workdir={tmp_path / name}", *overrides(**longer, **more)
    ]  # fmt: skip
    begun = subprocess.run(
        [sys.executable, "-c", _STOPS, *command("parts", **{"mesh.data": 1})],
        env={**os.environ, "XLA_FLAGS": "--xla_backend_optimization_level=0"},
        capture_output=True,
        text=True,
    )
    assert begun.returncode == 75, begun.stderr
    saved = max(int(path.name) for path in (tmp_path / "parts/.partial/warmup.medium/kept").iterdir())
    metrics = tmp_path / "parts/metrics.jsonl"
    before = [line for line in metrics.read_text().splitlines() if '"warmup/easy"' in line]
    meshes = {"mesh.data": 2, "mesh.fsdp": 2, "mesh.tensor": 2, "warmup.rows": 4, "warmup.accumulate": 2}
    assert run_cli(*command("parts", **meshes, **{"model.remat": "full"})) == 0
    said = "".join(capsys.readouterr().err.split())
    assert "config.mesh.datais1beforeand2now" in said and "isdoneagain" not in said
    lines = metrics.read_text().splitlines()
    assert [line for line in lines if '"warmup/easy"' in line] == before  # nothing of it was done again
    steps = [row["step"] for row in map(json.loads, lines) if row["stage"] == "warmup/medium"]
    assert steps == list(range(1, len(steps) + 1)) and saved < len(steps)
    assert run_cli(*command("whole", **{"mesh.data": 8})) == 0
    trained = []
    for name in ("parts", "whole"):
        with open_run(tmp_path / name, None) as run:
            trained.append(jax.device_get(Session(run).load(tmp_path / name / "warmup/medium/checkpoint").params))
    assert_close(*trained, 1e-5)


def assert_same_weights(ours, theirs, our_run, their_run):
    policies = []
    for folder, run in ((ours, our_run), (theirs, their_run)):
        with open_run(run, None) as opened:
            policies.append(Session(opened).load(folder))
    for a, b in zip(*map(jax.tree.leaves, policies), strict=True):
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))


def stats_of_another_search(finished, workdir) -> dict:
    shutil.copytree(finished, workdir)
    assert run_cli("search", f"--workdir={workdir}", "--redo=round_000/search", "--round=0") == 0
    return json.loads((workdir / "round_000/stats.json").read_text())["sampler_difference"]


def test_a_sampler_that_is_off_is_found_token_by_token(finished, tmp_path, monkeypatch):
    """Errors of both signs: a sum over a side would cancel them."""

    def off(tokens, logprobs, end):
        return Sample(tokens, tuple(x + (0.5 if place % 2 else -0.5) for place, x in enumerate(logprobs)), end)

    monkeypatch.setattr("itool_jax.sampling.cohort.Sample", off)
    difference = stats_of_another_search(finished, tmp_path / "run")
    lines = (tmp_path / "run/round_000/pairs.jsonl").read_text().splitlines()
    sides = [side for line in lines for side in json.loads(line)["sides"]]
    trees = sorted(read_records(tmp_path / "run/round_000/trees"), key=lambda tree: tree["id"])
    children = [child for tree in trees for pair in tree["pairs"] for child in pair["ranked"]]
    drawn = [len(side) for side, child in zip(sides, children, strict=True) if child > 0]
    assert max(drawn) > 1 and difference["tokens"] == sum(drawn)
    assert difference["sides_not_compared"] == children.count(-1)
    assert difference["mean"] == pytest.approx(0.5, abs=1e-4) == difference["largest"]


@pytest.mark.parametrize("kept", ["nothing", "sums"])
def test_trees_that_an_earlier_version_kept_are_not_compared(finished, tmp_path, monkeypatch, kept):
    """Of what was drawn it kept nothing, or sums of whole fragments; a search that it began has to end."""
    keep, sides = KeptTrees.keep, []

    def of_before(self, row):
        for pair in row["pairs"]:
            drawn = pair.pop("sampler")
            if kept == "sums":
                pair["sampler"] = [side and sum(side) for side in drawn]
            sides.extend(pair["sides"])
        keep(self, row)

    monkeypatch.setattr(KeptTrees, "keep", of_before)
    difference = stats_of_another_search(finished, tmp_path / "run")
    assert difference == {"tokens": 0, "sides_not_compared": len(sides)} and sides
    lines = [(folder / "round_000/pairs.jsonl").read_bytes() for folder in (finished, tmp_path / "run")]
    assert lines[0] == lines[1]


@pytest.mark.parametrize(
    ("command", "setting", "says"),
    [
        ("run", {"mesh.data": 3}, "needs 3 devices"),
        ("warmup", {"mesh.data": 3}, "needs 3 devices"),
        ("warmup", {"warmup.rows": 4, "warmup.accumulate": 2}, "config.warmup.rows is 4"),
        ("score", {"mesh.data": 3}, "needs 3 devices"),
        ("search", {"round.search.trees": 12}, "config.round.search.trees is 12"),
        ("prefer", {"round.prefer.rows": 4, "round.prefer.accumulate": 2}, "config.round.prefer.rows is 4"),
        ("evaluate", {"evaluate.slots": 20}, "config.evaluate.slots is 20"),
    ],
)
def test_a_layout_that_is_refused_is_not_recorded(finished, tmp_path, capsys, command, setting, says):
    workdir = tmp_path / "run"
    shutil.copytree(finished, workdir)
    which = ["--round=0"] if command in ("score", "search", "prefer") else []
    assert run_cli(command, f"--config={CONFIG}", f"--workdir={workdir}", *which, *overrides(**setting)) == 2
    assert says in capsys.readouterr().err
    assert (workdir / "config.json").read_bytes() == (finished / "config.json").read_bytes()
    assert run_cli("warmup", f"--workdir={workdir}") == 0  # it goes on with its own


def test_own_pairs_train_the_policy(finished, tmp_path, capsys):
    workdir, pairs = tmp_path / "own", tmp_path / "pairs.jsonl"
    shutil.copytree(finished, workdir)
    tools = [{"name": "f", "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}}}]
    row = {
        "prompt": [{"role": "user", "content": "f of 1"}],
        "chosen": [{"role": "assistant", "content": "[f(a=1)]"}],
        "rejected": [{"role": "assistant", "content": "[f(a=2)]"}],
        "tools": tools,
    }
    pairs.write_text("".join(json.dumps(row | {"id": f"p{n}"}) + "\n" for n in range(8)))
    common = [f"--workdir={workdir}", "--start=warmup", f"--pairs={pairs}"]
    assert run_cli("prefer", *common) == 0
    stages = json.loads((workdir / "manifest.json").read_text())["stages"]
    summary = stages["own_pairs/prefer"]["summary"]
    assert summary["pairs"] == 8 and summary["prompts"] == 1 and summary["last_accuracy"] >= 0
    assert "round_000/prefer" in stages
    assert run_cli("evaluate", f"--workdir={workdir}", "--checkpoint=own_pairs") == 0
    pairs.write_text('{"prompt": [], "chosen": "x", "rejected": "y"}\n{"prompt": "x", "chosen": 1, "rejected": "y"}\n')
    assert run_cli("prefer", *common) == 2
    error = capsys.readouterr().err
    assert "row 1, field prompt" in error and "row 2, field chosen" in error


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"data.source": "jsonl"}, "config.data.train names no files"),
        ({"data.toolworld.train.easy": 0, "data.toolworld.train.medium": 0, "data.toolworld.train.hard": 0}, "empty"),
        ({"model.checkpoint": "/nowhere"}, "/nowhere"),
        ({"warmup.row_tokens": 16}, "longer than config.warmup.row_tokens = 16"),
        ({"warmup.rows": 3}, "config.warmup.rows is 3"),
        ({"mesh.data": 3}, "devices"),
    ],
)
def test_bad_input_is_told_in_a_paragraph_and_leaves_nothing(tmp_path, capsys, changes, says):
    workdir = tmp_path / "run"
    assert run_cli("warmup", f"--config={CONFIG}", f"--workdir={workdir}", *overrides(**changes)) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]  # above it, what was done so far
    assert says in error and error.startswith("itool-jax: ")
    assert not workdir.exists()


def test_a_checkpoint_of_another_model_is_refused(finished, tmp_path, capsys):
    base = tmp_path / "base"
    shutil.copytree(finished / "model/base", base)
    for file in (finished / "model/tokenizer").iterdir():
        shutil.copy(file, base)
    changed = overrides(**{"model.checkpoint": base, "model.preset": "tiny"})
    assert run_cli("warmup", f"--config={CONFIG}", f"--workdir={tmp_path / 'run'}", *changed) == 2
    assert "of another model" in capsys.readouterr().err


def test_prompts_longer_than_the_context_are_counted_and_left_out(tmp_path):
    config = load_config(CONFIG, overrides())
    with open_run(tmp_path / "run", config) as run:
        session = Session(run)
        context = 90
        cut = session.base.decoder.clone(
            cfg=session.base.config.__class__(**{**session.base.config.__dict__, "context": context})
        )
        session.__dict__["_base"] = (session.base.replace(decoder=cut), session.dialect)
        everything = [session.dialect.prepare(example) for example in training_examples(config)]
        fitting = [p for p in everything if len(p) <= context]
        assert 0 < len(fitting) < len(everything)
        assert len(session.training.too_long) == len(everything) - len(fitting)
        assert len(session.training.warmup) == round(len(fitting) * 0.9)


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ({"round.prefer.rows": 4}, "config.round.prefer.rows is 4, but rows lie over 8 devices"),
        (
            {"round.search.trees": 12},
            "config.round.search.trees is 12, which does not divide over 8 devices (mesh data x fsdp): choose a "
            "multiple of 8, such as 16.",
        ),
        (
            {"round_overrides.round_000.search.trees": 8, "round.search.cohorts": 2},
            "config.round_overrides.round_000.search.trees is 8, which does not divide over 2 cohorts x 8 devices",
        ),
        ({"evaluate.slots": 20}, "config.evaluate.slots is 20, which does not divide over 8 devices"),
        ({"round.search.reward": "no_such_module:f"}, "there is no module 'no_such_module' on the Python path"),
    ],
)
def test_what_a_round_would_refuse_is_refused_before_anything_is_done(tmp_path, capsys, setting, says):
    workdir = tmp_path / "run"
    assert run_cli("run", f"--config={CONFIG}", f"--workdir={workdir}", *overrides(**setting)) == 2
    assert says in capsys.readouterr().err
    assert not workdir.exists()


def test_pairs_of_an_older_selection_are_refused(finished, tmp_path, capsys):
    """Score done again with another outcome: its prompts would be trained on with the pairs of others."""
    workdir = tmp_path / "run"
    shutil.copytree(finished, workdir)
    manifest = json.loads((workdir / "manifest.json").read_text())
    manifest["stages"]["round_000/search"]["inputs"]["selected"] = "0" * 64
    (workdir / "manifest.json").write_text(json.dumps(manifest))
    assert run_cli("prefer", f"--workdir={workdir}", "--round=0") == 2
    assert "of an older selection" in capsys.readouterr().err


def test_a_perplexity_does_not_depend_on_the_company(finished):
    """Long prompts get rows of their own length; nothing else may change."""
    with open_run(finished, None) as run:
        session = Session(run)
        short = session.training.buffer[:6]
        examples = [*short, *(replace(p, prompt=p.prompt * n) for p, n in zip(short, (2, 3, 5), strict=False))]
        assert {len(p) > session.config.warmup.row_tokens for p in examples} == {False, True}
        together = perplexities(session, session.base, Corpus.of(examples), "together")
        alone = [perplexities(session, session.base, Corpus.of([p]), "alone")[0] for p in examples]
    np.testing.assert_allclose(together, alone, rtol=1e-5)


def test_selection_takes_the_most_complex_of_calls_and_of_prose_apart():
    calling = np.array([bool(e.calls) for e in ToolWorld(0, no_call_share=0.5).examples("easy", 40)])
    complexity = np.arange(40.0)
    chosen = select(calling, complexity, share=0.25, limit=0)
    for calls in (True, False):
        kind = np.flatnonzero(calling == calls).tolist()
        assert [i for i in chosen if i in kind] == kind[-round(0.25 * len(kind)) :]
    assert len(select(calling, complexity, share=0.5, limit=6)) == 6
