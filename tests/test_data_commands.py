"""`itool-jax data check, convert, decontaminate`: what they print, write and return."""

import gzip
import json
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec

import pytest

from itool_jax import cli
from itool_jax.config import default_config
from itool_jax.data.example import Message
from itool_jax.data.jsonl import example_to_json, write_examples
from itool_jax.data.sources import read_source
from itool_jax.data.tally import Tally
from itool_jax.data.tokenizer import train_bpe
from itool_jax.data.toolworld import ToolWorld
from itool_jax.errors import UserError
from itool_jax.evaluation.benchmarks import benchmark_questions
from itool_jax.evaluation.bfcl.entries import read_entries
from itool_jax.rounds.data_settings import deciding_settings
from itool_jax.rounds.inputs import evaluation_index, stream_training_examples, training_examples
from tests.test_api_bank import ROW
from tests.test_api_bank import write as write_api_bank
from tests.worlds import read_examples

EXAMPLES = [example for level in ("easy", "medium", "hard") for example in ToolWorld(2).examples(level, 10)]


def talk(*texts):
    turns = [{"from": ("human", "gpt")[i % 2], "value": text} for i, text in enumerate(texts)]
    return {"conversations": turns, "tools": "[]"}


@pytest.fixture
def glaive(tmp_path):
    """A folder with two files: three good conversations, and 25 bad ones."""
    folder = tmp_path / "glaive"
    folder.mkdir()
    (folder / "a.jsonl").write_text("\n".join(map(json.dumps, [talk("Hi", "Yes?", "Bye", "Bye."), talk("Hi", "Yes?")])))
    bad = [talk("Hi", " ")] * 20 + [talk("Hi")] * 5
    (folder / "b.json").write_text(json.dumps([*bad, talk("So", "Yes?")]))
    return folder


def test_check_lists_every_problem(glaive, capsys):
    assert cli.main(["data", "check", str(glaive), "--source=glaive"]) == 1
    told = capsys.readouterr().out
    for row in range(1, 21):
        assert f"{glaive / 'b.json'}, row {row}, field conversations[1].value: empty; expected a text\n" in told
    assert "4 examples" in told and "Bad rows: 20 conversations[].value, 5 row." in told
    assert "exact duplicates" in told and "later turns" in told


def test_check_as_json(glaive, capsys):
    assert cli.main(["data", "check", str(glaive), "--source=glaive", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["examples"], told["prose"], told["multi_turn"], told["duplicates"]) == (4, 4, 1, 1)
    assert told["bad_rows"] == len(told["bad"]) == 25
    assert told["bad"][0] == {
        "file": str(glaive / "b.json"),
        "row": 1,
        "field": "conversations[1].value",
        "message": "empty; expected a text",
    }
    assert told["characters"]["answer"] == {"median": 4, "p90": 4, "p99": 4, "longest": 4}
    assert told["tokens"] == {}


def test_check_writes_problems_to_a_file_and_counts_tokens(glaive, tmp_path, capsys):
    tokenizer = train_bpe(["Hi Yes? Bye."] * 9, 262, ["<|end|>"], "<|end|>")
    tokenizer.save(tmp_path / "tokenizer")
    problems = tmp_path / "problems.jsonl"
    line = ["data", "check", str(glaive), "--source=glaive", f"--problems={problems}", "--json"]
    assert cli.main([*line, f"--tokenizer={tmp_path / 'tokenizer'}"]) == 1
    told = json.loads(capsys.readouterr().out)
    rows = [json.loads(text) for text in problems.read_text().splitlines()]
    assert len(rows) == 25 and rows == told["bad"]
    assert told["tokens"]["answer"]["longest"] == len(tokenizer.encode("Yes?"))
    assert cli.main(line[:-1]) == 1
    assert "row 1, field" not in capsys.readouterr().out


def test_check_of_data_without_a_row_is_an_error(tmp_path, capsys):
    (tmp_path / "none.jsonl").write_text("\n")
    assert cli.main(["data", "check", str(tmp_path / "none.jsonl")]) == cli.BAD_INPUT
    assert "holds no examples; expected rows in the form of jsonl" in capsys.readouterr().err


def test_convert_reads_a_folder_and_skips_only_when_told(glaive, tmp_path, capsys):
    out, problems = tmp_path / "out.jsonl", tmp_path / "problems.jsonl"
    line = ["data", "convert", "--source=glaive", f"--input={glaive}", f"--out={out}"]
    assert cli.main(line) == cli.BAD_INPUT
    told = capsys.readouterr()
    assert "25 bad rows: " in told.err and "; and 22 more" in told.err and told.out == ""
    assert not out.exists() and sorted(path.name for path in tmp_path.iterdir()) == ["glaive"]
    assert cli.main([*line, "--skip-malformed", f"--problems={problems}"]) == 0
    assert "4 examples written" in capsys.readouterr().out and len(problems.read_text().splitlines()) == 25
    ids = ["glaive/a/1/1", "glaive/a/1/2", "glaive/a/2/1", "glaive/b/26/1"]
    assert [example.id for example in read_examples(out)] == ids


def test_convert_to_a_packed_file(glaive, tmp_path):
    for out in ("out.jsonl", "out.jsonl.gz", "again.jsonl.gz"):
        line = ["data", "convert", "--source=glaive", f"--input={glaive / 'a.jsonl'}", f"--out={tmp_path / out}"]
        assert cli.main(line) == 0
    packed = (tmp_path / "out.jsonl.gz").read_bytes()
    assert gzip.decompress(packed) == (tmp_path / "out.jsonl").read_bytes()
    assert packed == (tmp_path / "again.jsonl.gz").read_bytes()
    assert read_source("jsonl", tmp_path / "out.jsonl.gz").items == tuple(read_examples(tmp_path / "out.jsonl"))


def test_convert_writes_nothing_where_every_row_is_bad(tmp_path, capsys):
    (tmp_path / "bad.jsonl").write_text("\n".join(map(json.dumps, [talk("Hi")] * 5)))
    line = ["data", "convert", "--source=glaive", f"--input={tmp_path / 'bad.jsonl'}", f"--out={tmp_path / 'o.jsonl'}"]
    assert cli.main([*line, "--skip-malformed"]) == cli.BAD_INPUT
    told = " ".join(capsys.readouterr().err.split())
    assert "5 bad rows and no good one, the first: " in told and "Expected rows in the form of glaive" in told
    assert [path.name for path in tmp_path.iterdir()] == ["bad.jsonl"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["convert", "--input={a}", "--out={a}"], "--input and --out are both"),
        (["convert", "--input={a}", "--out={o}", "--problems={a}"], "--input and --problems are both"),
        (["convert", "--input={a}", "--out={o}", "--problems={o}"], "--out and --problems are both"),
        (["convert", "--input={a}", "--out={o}.parquet"], "expected the name of a .jsonl file"),
        (["check", "{a}", "--problems={a}"], "PATH and --problems are both"),
        (["check", "{a}", "--problems={o}.gz"], "expected the name of a .jsonl file"),
        (["decontaminate", "--train={a}", "--against", "{b}", "--out={o}", "--report={o}"], "--out and --report are"),
        (["decontaminate", "--train={a}", "--against", "{b}", "--out={o}", "--report={b}"], "--against and --report"),
        (["decontaminate", "--train={a}", "--against", "{b}", "--out={o}", "--report={l}"], "--against and --report"),
    ],
)
def test_no_file_is_written_over_another(tmp_path, capsys, options, message):
    files = {name: tmp_path / f"{name}.jsonl" for name in "abol"}
    write_examples(files["a"], EXAMPLES[:2])
    write_examples(files["b"], EXAMPLES[2:4])
    files["l"].symlink_to(files["b"])
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    line = ["data", *(option.format(**files) for option in options)]
    assert cli.main([*line, "--source=jsonl"]) == cli.BAD_INPUT
    assert message in " ".join(capsys.readouterr().err.split())
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.fixture
def sets(tmp_path):
    """train.jsonl holds two evaluation examples under other ids, one of them with another word, among 28 of its own."""
    train, heldout = EXAMPLES[:20], list(ToolWorld(9, "heldout").examples("hard", 8))
    same, near = (example_to_json(example) for example in heldout[:2])
    near["messages"][0]["content"] = "Hello! " + near["messages"][0]["content"]
    write_examples(tmp_path / "heldout.jsonl", heldout)
    write_examples(tmp_path / "train.jsonl", train)
    with (tmp_path / "train.jsonl").open("a") as file:
        for name, row in (("same", same), ("near", near)):
            file.write(json.dumps(row | {"id": name}) + "\n")
    return tmp_path, train, heldout


def test_decontaminate_names_what_it_removes(sets, capsys):
    folder, train, heldout = sets
    line = ["data", "decontaminate", f"--train={folder / 'train.jsonl'}", "--against", str(folder / "heldout.jsonl")]
    assert cli.main([*line, f"--out={folder / 'clean.jsonl'}", "--threshold=0.75"]) == 0
    assert "20 examples written" in (told := capsys.readouterr().out)
    assert "2 removed, 1 of them exact repetitions and 1 near ones" in told
    assert read_examples(folder / "clean.jsonl") == train
    same, near = (json.loads(text) for text in (folder / "clean.removed.jsonl").read_text().splitlines())
    against = str(folder / "heldout.jsonl")
    assert same == {"id": "same", "kind": "exact", "evaluation": heldout[0].id, "against": against, "similarity": 1.0}
    assert (near["id"], near["kind"], near["evaluation"]) == ("near", "near", heldout[1].id)
    assert 0.75 <= near["similarity"] <= 1


@pytest.mark.parametrize(
    ("changed", "message"),
    [(["--threshold=0"], "would remove every example"), (["--against", "x", "x"], "names a file twice")],
)
def test_decontaminate_refuses_what_makes_no_sense(sets, capsys, changed, message):
    folder, _, _ = sets
    line = ["data", "decontaminate", f"--train={folder / 'train.jsonl'}", "--against", str(folder / "heldout.jsonl")]
    assert cli.main([*line, f"--out={folder / 'clean.jsonl'}", *changed]) == cli.BAD_INPUT
    assert message in capsys.readouterr().err
    assert not (folder / "clean.jsonl").exists() and not (folder / "clean.removed.jsonl").exists()


def test_decontaminate_against_benchmarks(tmp_path, capsys):
    """A short request of API-Bank, whose own last line is no part of it, and later turns of a BFCL conversation."""
    write_api_bank(tmp_path, [{**ROW, "input": "User: Book a meeting.\nGenerate API Request:\n"}])
    texts = {"mine": "Something else that nobody asks", "bank": "Book a meeting!"}
    against = ["api_bank:level_1"]
    if find_spec("bfcl_eval"):
        against.append("bfcl:simple_python,multi_turn_base")
        texts["simple"] = read_entries("simple_python")[3].turns[0][0]["content"]
        turns = read_entries("multi_turn_base")[0].turns
        texts["talk"] = " ".join(message["content"] for turn in turns for message in turn)
    examples = [replace(EXAMPLES[0], id=name, messages=(Message("user", text),)) for name, text in texts.items()]
    write_examples(tmp_path / "train.jsonl", examples)
    line = ["data", "decontaminate", f"--train={tmp_path / 'train.jsonl'}", "--against", *against]
    assert cli.main([*line, f"--out={tmp_path / 'clean.jsonl'}", f"--api-bank={tmp_path}"]) == 0
    removed = [json.loads(text) for text in (tmp_path / "clean.removed.jsonl").read_text().splitlines()]
    found = {row["id"]: (row["kind"], row["against"]) for row in removed}
    sets = {"bank": "api_bank_level_1", "simple": "bfcl_simple_python", "talk": "bfcl_multi_turn_base"}
    assert found == {name: ("exact", sets[name]) for name in texts if name != "mine"}
    assert cli.main([*line, "bfcl:nothing", f"--out={tmp_path / 'x.jsonl'}"]) == cli.BAD_INPUT
    assert cli.main([*line, f"--out={tmp_path / 'x.jsonl'}", f"--api-bank={tmp_path / 'none'}"]) == cli.BAD_INPUT
    assert "does not exist: API-Bank's level_1" in " ".join(capsys.readouterr().err.split())


def test_data_commands_do_without_the_benchmarks(sets):
    folder, _, _ = sets
    heldout, out = folder / "heldout.jsonl", folder / "clean.jsonl"
    line = ["data", "decontaminate", f"--train={folder / 'train.jsonl'}", "--against", str(heldout), f"--out={out}"]
    without = "import sys; sys.modules['itool_jax.evaluation.benchmarks'] = None"
    code = f"{without}; from itool_jax import cli; sys.exit(cli.main(sys.argv[1:]))"
    result = subprocess.run([sys.executable, "-c", code, *line], capture_output=True, text=True)
    assert (result.returncode, out.exists()) == (0, True), result.stderr


def run_config(folder, threshold):
    config = default_config()
    config.data.source, config.data.folder, config.data.train = "jsonl", str(folder), ("train.jsonl",)
    config.data.heldout = {"mine": "heldout.jsonl"}
    config.data.decontaminate = threshold
    return config


def test_a_run_leaves_repetitions_out_and_counts_them(sets):
    folder, train, heldout = sets
    assert len(training_examples(run_config(folder, 0.0))) == 22
    tally = Tally()
    assert training_examples(run_config(folder, 0.75), tally) == train
    told = "\n".join(tally.notes())
    assert "2 of 22 training examples repeat a held-out one, 1 exactly, and are left out" in told
    assert f"the first is same, 100% {heldout[0].id} of mine" in told
    write_examples(folder / "train.jsonl", heldout)
    with pytest.raises(UserError, match="every training example repeats a held-out one"):
        training_examples(run_config(folder, 0.75))


def test_a_comparison_with_nothing_is_refused(sets):
    folder, _, heldout = sets
    config = run_config(folder, 0.75)
    write_examples(folder / "heldout.jsonl", [replace(heldout[0], messages=(Message("tool", "[1]"),))])
    with pytest.raises(UserError, match=r"decontaminate is 0.75, but there is nothing to compare with: .*\(mine\)"):
        training_examples(config)
    config.data.heldout = {}
    with pytest.raises(UserError, match=r"nothing to compare with: .*\(none\)"):
        training_examples(config)


def test_skipped_heldout_rows_are_counted_once_and_told_by_the_caller(sets, capsys):
    """Three passes over the training data compare with one index, made in one pass over the held-out ones."""
    folder, train, _ = sets
    with (folder / "heldout.jsonl").open("a") as file:
        file.write("{}\n")
    config, tally = run_config(folder, 0.75), Tally()
    config.data.update(skip_malformed=True, limit=10)
    config.data.augment.distractors = 0.5
    examples = list(stream_training_examples(config, tally, evaluation_index(config, tally)))
    assert len([example for example in examples if "augmented" not in example.meta]) == 10
    assert (tally.malformed["heldout.jsonl"][0], tally.compared, len(tally.removed)) == (1, len(train) + 2, 2)
    assert training_examples(config) == examples
    assert capsys.readouterr().err == ""


def test_a_run_leaves_out_what_repeats_its_benchmarks(sets, tmp_path):
    folder, train, _ = sets
    benchmark = write_api_bank(tmp_path, [ROW])
    config = run_config(folder, 0.75)
    config.data.heldout = {}
    config.evaluate.update(benchmarks=("api_bank:level_1",), api_bank=str(benchmark.parent))
    (asked,) = benchmark_questions(config.evaluate.benchmarks, config.evaluate.api_bank)["api_bank_level_1"]
    write_examples(
        folder / "train.jsonl",
        [*train, replace(train[0], id="asked", messages=(*asked.messages, Message("tool", "1")))],
    )
    tally = Tally()
    assert training_examples(config, tally) == train
    (removed,) = tally.removed
    assert (removed.id, removed.kind, removed.against) == ("asked", "exact", "api_bank_level_1")
    assert deciding_settings(config)["evaluate.benchmarks"] == ["api_bank_level_1"]
    config.data.decontaminate = 0.0
    assert "evaluate.benchmarks" not in deciding_settings(config)
