"""The command line: what it calls, with what, and what it says when it cannot."""

import subprocess
import sys
from types import SimpleNamespace

import pytest

from itool_jax import cli
from itool_jax.data.tally import Tally
from itool_jax.errors import UserError
from itool_jax.rounds.inputs import heldout_examples, heldout_names, training_examples
from itool_jax.rounds.run_directory import open_run, read_run
from itool_jax.stopping import Stopped
from tests.test_config import QUICKSTART, override
from tests.worlds import read_examples


@pytest.fixture
def called(monkeypatch):
    """Puts a recorder in the place of every command's module; `called.error` makes it raise."""
    record = SimpleNamespace(name=None, options=None, config=None, error=None)

    def recorder(name):
        def command(run, **options):
            record.name, record.options, record.config = name, options, run.config
            if record.error:
                raise record.error
            if name == "loop":
                run.stage(
                    "a", inputs={}, outputs={"t": "t"}, body=lambda stage: stage.output("t").write_text("x") and None
                )

        return SimpleNamespace(command=command)

    for command in cli.COMMANDS.values():
        monkeypatch.setitem(sys.modules, f"itool_jax.rounds.{command.module}", recorder(command.module))
    return record


def fails(capsys, *arguments):
    """The paragraph that a failing command line prints."""
    assert cli.main(arguments) == cli.BAD_INPUT
    told = capsys.readouterr()
    assert told.out == "" and told.err.startswith("itool-jax: ") and told.err.count("\n") == 1
    return told.err


def test_help_is_there_at_once_and_without_jax():
    code = "import sys; from itool_jax import cli; cli.main(['--help']); print(sorted(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    for command in [*cli.COMMANDS, "data"]:
        assert f"\n    {command} " in out
    assert "'argparse'" in out
    for heavy in ("'jax'", "'numpy'", "'ml_collections'", "'rich'"):
        assert heavy not in out


@pytest.mark.parametrize(
    "command", [[name] for name in cli.COMMANDS] + [["data"], ["data", "toolworld"], ["data", "check"]]
)
def test_every_command_has_help(command, capsys):
    assert cli.main([*command, "--help"]) == 0
    assert f"usage: itool-jax {' '.join(command)}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "module", "options"),
    [
        (["run"], "loop", {}),
        (["warmup"], "warmup", {}),
        (["score", "--round=1"], "score", {"round": 1}),
        (["search"], "search", {"round": None}),
        (["prefer", "--pairs=mine.jsonl"], "prefer", {"round": None, "pairs": "mine.jsonl", "start": None}),
        (["evaluate"], "evaluate", {"checkpoint": None, "benchmark": [], "limit": None}),
        (
            ["evaluate", "--checkpoint", "round_000", "--benchmark=bfcl:live", "--benchmark=api_bank", "--limit=3"],
            "evaluate",
            {"checkpoint": "round_000", "benchmark": ["bfcl:live", "api_bank"], "limit": 3},
        ),
    ],
)
def test_a_command_gets_its_run_and_options(called, tmp_path, arguments, module, options):
    workdir = tmp_path / "run"
    line = [*arguments, f"--config={QUICKSTART}", f"--workdir={workdir}", "--config.seed=5"]
    assert cli.main(line) == 0
    assert (called.name, called.options) == (module, options)
    assert called.config.seed == 5
    assert read_run(workdir).config.seed == 5


def test_report_only_looks(called, tmp_path):
    assert cli.main(["run", f"--config={QUICKSTART}", f"--workdir={tmp_path}"]) == 0
    with open_run(tmp_path, None):  # another process at work is no hindrance
        assert cli.main(["report", f"--workdir={tmp_path}", "--json"]) == 0
    assert (called.name, called.options) == ("report", {"json": True})


def test_without_a_config_a_run_goes_on_with_its_own(called, tmp_path, capsys):
    assert cli.main(["run", f"--config={QUICKSTART}", f"--workdir={tmp_path}", "--config.seed=3"]) == 0
    assert cli.main(["run", f"--workdir={tmp_path}"]) == 0
    assert called.config.seed == 3
    assert "give --config=FILE too" in fails(capsys, "run", f"--workdir={tmp_path}", "--config.seed=4")
    assert "holds no run" in fails(capsys, "run", f"--workdir={tmp_path / 'new'}")
    assert not (tmp_path / "new").exists()


def test_another_config_is_refused(called, tmp_path, capsys):
    line = ["run", f"--config={QUICKSTART}", f"--workdir={tmp_path}"]
    assert cli.main(line) == 0
    assert "config.seed is 0 there and 1 here" in fails(capsys, *line, "--config.seed=1")
    assert "config.seed is 0 there and 1 here" in fails(capsys, "report", *line[1:], "--config.seed=1")


def test_redo_takes_a_stage_back(called, tmp_path, capsys):
    line = ["run", f"--config={QUICKSTART}", f"--workdir={tmp_path}"]
    assert cli.main(line) == 0
    first = read_run(tmp_path).stages["a"]
    assert cli.main(["warmup", *line[1:], "--redo=a"]) == 0  # a command that does not do the stage
    assert not read_run(tmp_path).stages
    assert cli.main(line) == 0
    assert read_run(tmp_path).stages["a"].outputs["t"].sha256 == first.outputs["t"].sha256
    assert "no such complete stage. It has a." in fails(capsys, *line, "--redo=zzz")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "required: COMMAND"),
        (["rum"], "invalid choice: 'rum'"),
        (["run"], "required: --workdir"),
        (["run", "--workdir=x", "--confg=y"], "unrecognized arguments: --confg=y"),
        (["score", "--workdir=x", "--round=one"], "invalid int value: 'one'"),
        (["run", "--workdir=x", "--config=none.py"], "none.py does not exist"),
        (["run", "--workdir=x", f"--config={QUICKSTART}", "--config.sed=1"], "Did you mean config.seed?"),
        (["run", "--workdir=x", f"--config={QUICKSTART}", "--config.seed=a"], "expects an integer"),
        (["score", "--workdir=x", f"--config={QUICKSTART}", "--round=2"], "rounds count from 0 to 1"),
        (["report", "--workdir=x"], "holds no run"),
        (["data", "check", "x", "--config.seed=1"], "takes no config"),
        (["data", "check", "none.jsonl"], "none.jsonl"),
        (["data", "toolworld", "--out=x", "--easy=-3"], "--easy: expected a whole number from 0, found '-3'"),
        (["data", "toolworld", "--out=x", "--no-call-share=2"], "expected a share from 0 to 1, found '2'"),
        (["data", "convert", "--source=xml", "--input=a", "--out=b"], "invalid choice: 'xml'"),
    ],
)
def test_bad_input_is_one_paragraph_and_leaves_nothing(called, tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert message in fails(capsys, *arguments)
    assert not list(tmp_path.iterdir())


def test_bad_input_found_by_a_command_leaves_nothing(called, tmp_path, capsys):
    called.error = UserError("the data file\n  x.jsonl is empty")
    line = ["run", f"--config={QUICKSTART}", f"--workdir={tmp_path / 'run'}"]
    assert fails(capsys, *line) == "itool-jax: the data file x.jsonl is empty\n"
    assert not (tmp_path / "run").exists()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    out = tmp_path_factory.mktemp("world")
    assert cli.main(["data", "toolworld", f"--out={out}", "--easy=3", "--medium=2", "--hard=1", "--heldout=3"]) == 0
    return out


def test_data_toolworld_writes_what_a_run_makes(world):
    config = override("data.toolworld.heldout=3")
    config.data.toolworld.train.update(easy=3, medium=2, hard=1)
    assert read_examples(world / "train.jsonl") == training_examples(config)
    names = heldout_names(config)
    expected = {f"{name}.jsonl" for name in ("train", *(f"heldout_{name}" for name in names))}
    assert {path.name for path in world.iterdir()} == expected
    for name in names:
        assert read_examples(world / f"heldout_{name}.jsonl") == list(heldout_examples(config, name, Tally()))


def test_data_check_tells_bad_rows_by_its_status(world, tmp_path, capsys):
    assert cli.main(["data", "check", str(world / "train.jsonl")]) == 0
    assert "6 examples" in capsys.readouterr().out
    rows = (world / "train.jsonl").read_text().splitlines()
    bad = tmp_path / "bad.jsonl"
    bad.write_text("\n".join([*rows, '{"id": 3}']))
    assert cli.main(["data", "check", str(bad)]) == 1
    assert f"{bad}, row 7" in capsys.readouterr().out


def test_data_convert_stops_at_bad_rows_unless_told_to_skip_them(world, tmp_path, capsys):
    bad, out = tmp_path / "bad.jsonl", tmp_path / "out.jsonl"
    bad.write_text((world / "train.jsonl").read_text() + "{}\n")
    line = ["data", "convert", "--source=jsonl", f"--input={bad}", f"--out={out}"]
    assert "1 bad row" in fails(capsys, *line) and not out.exists()
    assert cli.main([*line, "--skip-malformed"]) == 0
    assert "6 examples written" in capsys.readouterr().out
    assert read_examples(out) == read_examples(world / "train.jsonl")


def test_an_interrupt_says_how_to_go_on(called, tmp_path, capsys):
    called.error = KeyboardInterrupt()
    assert cli.main(["run", f"--config={QUICKSTART}", f"--workdir={tmp_path}"]) == 130
    assert "run the same command to go on" in capsys.readouterr().err
    called.error = None
    assert cli.main(["run", f"--config={QUICKSTART}", f"--workdir={tmp_path}"]) == 0


def test_a_signal_to_stop_has_a_status_of_its_own(called, tmp_path, capsys):
    called.error = Stopped("SIGTERM")
    assert cli.main(["run", f"--config={QUICKSTART}", f"--workdir={tmp_path}"]) == 75
    assert "stopped by SIGTERM; run the same command to go on" in capsys.readouterr().err


def test_a_defect_is_not_dressed_up_as_bad_input(called, tmp_path):
    called.error = ValueError("shapes differ")
    with pytest.raises(ValueError, match="shapes differ"):
        cli.main(["run", f"--config={QUICKSTART}", f"--workdir={tmp_path}"])
