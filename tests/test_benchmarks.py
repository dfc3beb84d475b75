"""Benchmarks answered by a tiny model through the command line, killed and resumed, and shown in the report."""

import io
import json
from collections import defaultdict
from importlib.util import find_spec

import numpy as np
import pytest
from rich.console import Console

from itool_jax.cli import main
from itool_jax.data.toolworld.tasks import TaskWorld, task_examples
from itool_jax.errors import UserError
from itool_jax.evaluation import Graded, benchmarks, bfcl, write_evaluation
from itool_jax.evaluation.benchmarks import benchmark_names, load_benchmark, sample
from itool_jax.evaluation.bfcl.results import evaluate_officially
from itool_jax.evaluation.dialogue import STEPS_MAX
from itool_jax.evaluation.intervals import mean_of_shares, wilson
from itool_jax.evaluation.report import collect, show, to_json
from itool_jax.evaluation.report.page import html_page
from itool_jax.evaluation.report.results import FAMILIES
from itool_jax.rounds import benchmarks as stages
from itool_jax.rounds.session import Session
from itool_jax.sampling.sampler import Sample
from tests.bfcl_conversations import as_texts, true_calls
from tests.report_runs import make_run
from tests.test_api_bank import ROW, write

needs_bfcl = pytest.mark.skipif(
    find_spec("bfcl_eval") is None, reason="needs bfcl-eval, installed with --no-deps (docs/bfcl.md)"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """API-Bank's level 1 with eight rows, two of them too long for the model."""
    rows = [{**ROW, "id": number, "input": f"User: Meet at {number}.\n{ROW['input']}"} for number in range(8)]
    rows[3]["input"] = rows[6]["input"] = "User: " + "Plans, " * 400 + ROW["input"]
    return write(tmp_path_factory.mktemp("api_bank"), rows).parent


@pytest.fixture
def evaluate(folder):
    def run(workdir, *options):
        changes = {"evaluate.api_bank": folder, "evaluate.slots": 8, "evaluate.answer_tokens": 12}
        given = [f"--config.{key}={value}" for key, value in changes.items()]
        return main(["evaluate", "--config=configs/quickstart.py:smoke", f"--workdir={workdir}", *given, *options])

    return run


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_killed_benchmark_goes_on_and_ends_with_the_same_answers(evaluate, tmp_path, monkeypatch, capsys):
    assert evaluate(tmp_path / "whole", "--benchmark=api_bank:level_1") == 0
    printed = capsys.readouterr()
    assert "api bank level 1" in printed.out and "All sets together" in printed.out
    assert "2 of 8 prompts" in printed.err
    found = tmp_path / "whole/base/benchmarks/api_bank_level_1"
    answers, graded = lines(found / "answers.jsonl"), lines(found / "api_bank_level_1.jsonl")
    assert len(answers) == len(graded) == 6
    assert [row["answer"] for row in answers] == [row["answer"] for row in graded]
    assert all("AddMeeting(" in row["prompt"] and "Generate API Request:" in row["prompt"] for row in answers)
    summary = json.loads((found / "summary.json").read_text())["sets"]["api_bank_level_1"]
    assert (summary["count"], summary["skipped_too_long"], sum(summary["errors"].values())) == (6, 2, 6)
    assert summary["unfinished"] == sum(not row["finished"] for row in answers) > 0
    assert f"{summary['unfinished']} cut off" in printed.out

    asked = []

    def killed(sampler, examples, budget, on_done):
        asked.append([p.id for p in examples])

        def first_two(done, sample):
            on_done(done, sample)
            if len(asked[-1]) == 6 and len(kept.read_text().splitlines()) == 2:
                raise KeyboardInterrupt

        kept = tmp_path / "killed/.partial/base.benchmarks.api_bank_level_1/kept/answers.jsonl"
        return greedy_answers(sampler, examples, budget, first_two)

    greedy_answers = stages.greedy_answers
    monkeypatch.setattr(stages, "greedy_answers", killed)
    assert evaluate(tmp_path / "killed", "--benchmark=api_bank:level_1") == 130
    with (tmp_path / "killed/.partial/base.benchmarks.api_bank_level_1/kept/answers.jsonl").open("a") as file:
        file.write('{"id": "cut o')  # as a kill in the middle of a write leaves it
    assert evaluate(tmp_path / "killed", "--benchmark=api_bank:level_1") == 0
    assert [len(ids) for ids in asked] == [6, 4]
    again = tmp_path / "killed/base/benchmarks/api_bank_level_1"
    for name in ("answers.jsonl", "api_bank_level_1.jsonl", "summary.json"):
        assert (again / name).read_bytes() == (found / name).read_bytes(), name
    assert evaluate(tmp_path / "killed", "--benchmark=api_bank:level_1") == 0
    assert len(asked) == 2  # complete: nothing is asked again


@pytest.fixture
def scripted(monkeypatch):
    """A policy that knows the ground truth of BFCL, but is wrong about one entry in two of single-turn categories."""
    said = {}
    for category in ("simple_python", "irrelevance"):
        for place, entry in enumerate(bfcl.read_entries(category)):
            said[entry.id] = bfcl.example(entry).answer if place % 2 else "[no_such_function()]"
    for entry in bfcl.read_entries("multi_turn_base"):
        texts = [text for steps in as_texts(true_calls(entry)) for text in steps]
        said |= {f"{entry.id}/{step}": text for step, text in enumerate(texts)}

    def answers(sampler, examples, budget, on_done):
        for prepared in examples:
            on_done(prepared, Sample(tuple(sampler.encode(said[prepared.id])), (), "stop"))

    monkeypatch.setattr(stages, "greedy_answers", answers)
    monkeypatch.setattr(Session, "sampler", lambda session, *_, **__: session.dialect.tokenizer)


@needs_bfcl
def test_bfcl_answers_are_graded_and_written_for_the_official_runner(evaluate, tmp_path, scripted, monkeypatch):
    monkeypatch.setattr(stages, "context_of", lambda session: 10**6)
    options = ("--benchmark=bfcl:simple_python,irrelevance", "--benchmark=bfcl:multi_turn_base", "--limit=20")
    assert evaluate(tmp_path / "run", *options) == 0
    folder = tmp_path / "run/base/benchmarks"
    official = evaluate_officially(
        folder / "official", "itool-jax-base", ["simple_python", "irrelevance", "multi_turn_base"]
    )
    figures = to_json(collect(tmp_path / "run"))
    assert {f"bfcl_{category}": {"base": share} for category, share in official.items()} == figures["sets"]
    assert official["multi_turn_base"] == 1 and 0 < official["simple_python"] < 1
    overall = figures["overall"]["bfcl"]["base"]
    assert overall["mean"] == pytest.approx(sum(official.values()) / 3)
    low, high = overall["mean_interval"]
    assert low < overall["mean"] < high
    assert sum(count for _, count in overall["difficulties"].values()) == overall["count"] == 60
    assert set(figures["errors"]["bfcl_simple_python"]["base"]) == {"function_name"}
    conversations = lines(folder / "bfcl_multi_turn_base" / "answers.jsonl")
    assert len(conversations) == 20 and all(row["prompt"] and row["ending"] == "" for row in conversations)


@needs_bfcl
def test_a_conversation_that_outgrows_the_context_is_wrong_and_one_that_never_fits_is_left_out(
    evaluate, tmp_path, scripted, monkeypatch
):
    monkeypatch.setattr(stages, "context_of", lambda session: 1000)
    assert evaluate(tmp_path / "run", "--benchmark=bfcl:multi_turn_base", "--limit=20") == 0
    found = tmp_path / "run/base/benchmarks/bfcl_multi_turn_base"
    summary = json.loads((found / "summary.json").read_text())["sets"]["bfcl_multi_turn_base"]
    assert summary["count"] + summary["skipped_too_long"] == 20 and summary["skipped_too_long"] > 0
    assert set(summary["errors"]) == {"context_full"} and summary["right"] > 0


def test_tasks_are_run_on_their_back_ends_and_judged_by_the_state_they_leave(evaluate, tmp_path, monkeypatch):
    """The right calls of every task; in every other, the last turn's requests are answered in prose."""
    monkeypatch.setattr(stages, "context_of", lambda session: 10**6)
    said, idle = {}, set()
    for number, script in enumerate(load_benchmark("toolworld", "unseen_tasks", 10).scripts):
        task = TaskWorld(0, "heldout", "unseen").task(int(script.id[-6:]))
        answers = [example.answer for example in task_examples(task)]
        if number % 2:
            idle.add(task.id)
            answers[-len(task.turns[-1].steps) - 1 :] = ["Done."]
        said |= {f"{task.id}/{step}": text for step, text in enumerate(answers)}

    def answer(sampler, examples, budget, on_done):
        for prepared in examples:
            on_done(prepared, Sample(tuple(sampler.encode(said[prepared.id])), (), "stop"))

    monkeypatch.setattr(stages, "greedy_answers", answer)
    monkeypatch.setattr(Session, "sampler", lambda session, *_, **__: session.dialect.tokenizer)
    assert evaluate(tmp_path / "run", "--benchmark=toolworld:unseen_tasks", "--limit=10") == 0
    folder = tmp_path / "run/base/benchmarks/toolworld_unseen_tasks"
    graded = {row["id"]: row["right"] for row in lines(folder / "toolworld_unseen_tasks.jsonl")}
    assert {key for key, right in graded.items() if not right} == idle and len(graded) == 10
    kinds = to_json(collect(tmp_path / "run"))["errors"]["toolworld_unseen_tasks"]["base"]
    assert set(kinds) <= {"final_state", "missing_result"} and sum(kinds.values()) == 5
    assert "Tool world" in html_page(collect(tmp_path / "run"))


def test_a_task_that_never_ends_its_turn_is_given_up():
    (script,) = load_benchmark("toolworld", "tasks", 1).scripts
    with script.open() as dialogue:
        while not dialogue.done:
            dialogue.receive("[no_such_tool()]")
    assert (dialogue.ending, len(dialogue.texts[0])) == ("steps", STEPS_MAX + 1)
    assert script.judge(dialogue.texts) == "too_many_steps"
    assert dialogue.prompt.messages[-1].content == '{"error": "there is no such tool"}'


def test_the_report_shows_every_category_and_whole_benchmarks(tmp_path):
    run = make_run(tmp_path / "run", stages=("base", "warmup"), count=20)
    for stage, right in {"base": 1, "warmup": 3, "own_pairs": 4}.items():
        for category in ("simple_python", "multiple", "parallel"):
            levels, errors = ("easy", "hard") * 2, [None] * right + ["format"] * (4 - right)
            rows = [
                Graded(f"{category}_{n}", level, "", "", error is None, error, None, stage != "base" or n > 0)
                for n, (level, error) in enumerate(zip(levels, errors, strict=True))
            ]
            write_evaluation(run / stage / "benchmarks" / f"bfcl_{category}", {f"bfcl_{category}": rows})
    (run / "base/benchmarks/official/result").mkdir(parents=True)
    results = collect(run)
    assert results.families == ("", "bfcl")
    overall = results.overall("bfcl", "warmup")
    assert overall is not None
    assert (overall.right, overall.count, overall.mean) == (9, 12, 0.75)
    assert overall.interval == wilson(9, 12)
    assert overall.difficulties == {"easy": (6, 6), "hard": (3, 6)}
    held_out = results.overall("", "base")
    assert held_out is not None and held_out.count == 80
    console = Console(width=100, record=True, file=io.StringIO())
    show(results, console)
    printed = console.export_text()
    assert "BFCL, warm-up" in printed and "12 answers" in printed
    assert "format 1 → 0" in printed  # seven sets: a line for each
    assert "BFCL, own pairs" in printed and "own pairs" in html_page(results)
    assert to_json(results)["sets"]["bfcl_multiple"] == {"base": 0.25, "warmup": 0.75, "own_pairs": 1.0}
    assert to_json(results)["unfinished"]["bfcl_multiple"] == {"base": 1, "warmup": 0, "own_pairs": 0}
    assert printed.count("1 cut off") == 3 and html_page(results).count("1 cut off") == 3
    page = html_page(results)
    assert "All sets together" in page and "bfcl parallel" in page.lower() and "BFCL" in page


def test_errors_of_a_set_that_later_stages_did_not_answer_are_shown(tmp_path):
    run = make_run(tmp_path / "run", count=20)
    row = Graded("a", "easy", "", "", False, "final_state", None)
    write_evaluation(run / "base/benchmarks/toolworld_tasks", {"toolworld_tasks": [row]})
    results = collect(run)
    assert (results.ends("toolworld_tasks"), results.ends("hard")) == ((None, "base"), ("warmup", "round_001"))
    console = Console(width=200, record=True, file=io.StringIO())
    show(results, console)
    assert "toolworld tasks, base" in console.export_text()
    assert "1 wrong base" in html_page(results)


def test_a_cut_off_answer_is_judged_by_what_it_says(folder):
    benchmark = load_benchmark("api_bank", "level_1", 1, str(folder))
    (example,) = benchmark.examples
    for finished in (True, False):
        graded = benchmark.grade(example, example.answer, finished=finished)
        assert (graded.right, graded.finished) == (True, finished)


@needs_bfcl
def test_conversations_with_a_cut_off_answer_are_counted(evaluate, tmp_path, scripted, monkeypatch):
    monkeypatch.setattr(stages, "context_of", lambda session: 10**6)
    whole = stages.greedy_answers

    def cut_off(sampler, examples, budget, on_done):
        whole(sampler, examples, budget, lambda done, s: on_done(done, Sample(s.tokens, s.logprobs, ends[done.id])))

    ends = defaultdict(lambda: "stop")
    ids = [entry.id for entry in load_benchmark("bfcl", "multi_turn_base", 3).scripts]
    ends |= {f"{ids[0]}/1": "budget", f"{ids[2]}/0": "budget", f"{ids[2]}/1": "budget"}
    monkeypatch.setattr(stages, "greedy_answers", cut_off)
    assert evaluate(tmp_path / "run", "--benchmark=bfcl:multi_turn_base", "--limit=3") == 0
    found = tmp_path / "run/base/benchmarks/bfcl_multi_turn_base"
    summary = json.loads((found / "summary.json").read_text())["sets"]["bfcl_multi_turn_base"]
    assert (summary["count"], summary["right"], summary["unfinished"]) == (3, 3, 2)


def test_names_of_benchmarks():
    assert benchmark_names(["bfcl:simple_python,multiple", "api_bank:level_2", "bfcl:multiple"]) == (
        ("bfcl", "simple_python"),
        ("bfcl", "multiple"),
        ("api_bank", "level_2"),
    )
    assert len(benchmark_names(["bfcl"])) == 13 and len(benchmark_names(["bfcl", "bfcl:multi_turn"])) == 17
    for spec, says in {"bfcl:simple": "no category 'simple'", "bfc": "no benchmark 'bfc'", "bfcl:": None}.items():
        if says:
            with pytest.raises(UserError, match=says):
                benchmark_names([spec])
        else:
            assert benchmark_names([spec]) == benchmark_names(["bfcl"])


def test_a_limit_needs_a_benchmark(evaluate, tmp_path, capsys):
    assert evaluate(tmp_path / "run", "--limit=3") == 2
    assert "--limit goes with --benchmark" in capsys.readouterr().err
    assert evaluate(tmp_path / "run", "--benchmark=bfcl:nothing") == 2
    assert "no category 'nothing'" in capsys.readouterr().err


def test_a_sample_is_fixed_and_in_order(folder):
    whole = load_benchmark("api_bank", "level_1", 0, str(folder))
    three, five = (load_benchmark("api_bank", "level_1", limit, str(folder)) for limit in (3, 5))
    ids = [example.id for example in whole.examples]
    assert len(whole.examples) == whole.total == three.total == 8
    assert {e.id for e in three.examples} < {e.id for e in five.examples}
    for one in (three, five):
        assert [e.id for e in one.examples] == sorted((e.id for e in one.examples), key=ids.index)
    assert sample(whole.examples, 100) == whole.examples


def test_interval_of_a_mean_of_shares():
    # By the central limit theorem: sd of the mean of two independent shares, sqrt(0.25/400 + 0.16/100) / 2
    low, high = mean_of_shares([(200, 400), (20, 100)])
    half = 1.96 * (0.25 / 400 + 0.16 / 100) ** 0.5 / 2
    assert low == pytest.approx(0.35 - half, abs=0.004) and high == pytest.approx(0.35 + half, abs=0.004)
    assert mean_of_shares([(2, 5)]) == wilson(2, 5)
    for groups in ([(0, 3)], [(0, 5), (5, 5)], [(0, 2), (0, 2)], [(7, 7)] * 13):
        low, high = mean_of_shares(groups)
        mean = sum(right / count for right, count in groups) / len(groups)
        assert 0 <= low <= mean <= high <= 1 and high - low > 0.02, groups


@pytest.mark.parametrize(
    ("shares", "counts"),
    [
        ((0.5, 0.5), (20, 20)),
        ((0.9, 0.1, 0.5), (50, 50, 50)),
        ((0.02,) * 13, (50,) * 13),
        ((0.98,) * 4, (50,) * 4),
        ((0.02, 0.98), (50, 50)),
        ((0.0, 0.3), (20, 50)),
        ((0.3, 0.6, 0.8, 0.95), (400, 200, 200, 200)),
        ((0.5, 0.01, 0.99), (16, 1053, 884)),
    ],
)
def test_the_interval_of_a_mean_covers_the_truth(shares, counts):
    drawn = np.random.default_rng(0).binomial(counts, shares, (2_000, len(shares))).tolist()
    intervals = [mean_of_shares(list(zip(right, counts, strict=True))) for right in drawn]
    covered = sum(low <= sum(shares) / len(shares) <= high for low, high in intervals) / len(intervals)
    assert covered > 0.915, covered


def test_every_benchmark_has_its_name_in_reports():
    assert set(FAMILIES) == set(benchmarks._PARTS)
