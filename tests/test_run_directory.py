"""Run directories: stages are done once, survive kill -9 at every moment, and refuse what is not theirs."""

import json
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from itool_jax import files
from itool_jax.config import default_config
from itool_jax.errors import UserError
from itool_jax.metrics import read_metrics
from itool_jax.rounds import manifest
from itool_jax.rounds.run_directory import digest_file, digest_of, open_run, read_run
from tests.test_metrics import board


def write_text(text):
    return lambda stage: stage.output("text").write_text(text) and {"letters": len(text)}


def add_stage(run, name="warmup/easy", text="abc", inputs=None, path="warmup/text.txt"):
    return run.stage(name, inputs=inputs or {}, outputs={"text": path}, body=write_text(text))


def fail(stage):
    raise AssertionError("the body ran again")


def test_a_complete_stage_is_not_done_again(anywhere):
    with open_run(anywhere / "run", default_config()) as run:
        first = add_stage(run, inputs={"data": "1"})
    with open_run(anywhere / "run", default_config()) as run:
        again = run.stage("warmup/easy", inputs={"data": "1"}, outputs={"text": "warmup/text.txt"}, body=fail)
    assert (first.reused, again.reused) == (False, True)
    assert again.paths["text"].read_text() == "abc"
    assert again.summary == {"letters": 3}
    assert again.digests == first.digests == {"text": digest_file(again.paths["text"])}


def test_the_curves_of_a_stage_are_whole_before_it_counts_as_complete(anywhere):
    def body(stage):
        run.metrics.write(1, stage.name, {"loss": 0.5})
        write_text("abc")(stage)

    with open_run(anywhere / "run", default_config()) as run:
        run.stage("warmup/easy", inputs={}, outputs={"text": "warmup/text.txt"}, body=body)
        assert [row["loss"] for row in read_metrics(anywhere / "run")] == [0.5]
        assert board(anywhere / "run", "warmup/easy") == [("loss", 1, 0.5)]


def test_other_inputs_do_a_stage_again(tmp_path, capsys):
    with open_run(tmp_path, default_config()) as run:
        add_stage(run, inputs={"data": "1", "policy": "p"})
        result = add_stage(run, inputs={"data": "2", "policy": "p"}, text="new")
        assert not result.reused
        assert result.paths["text"].read_text() == "new"
    assert "warmup/easy is done again: data changed" in capsys.readouterr().err


def test_folder_outputs_have_one_digest_over_names_and_contents(anywhere):
    def body(stage):
        folder = stage.output("trees")
        (folder / "deep").mkdir(parents=True)
        (folder / "deep.txt").write_text("a")
        (folder / "deep" / "b.txt").write_text("b")

    with open_run(anywhere, default_config()) as run:
        result = run.stage("round_000/search", inputs={}, outputs={"trees": "round_000/trees"}, body=body)
        record = run.stages["round_000/search"].outputs["trees"]
        assert (record.files, record.size) == (2, 2)
        (result.paths["trees"] / "deep.txt").rename(result.paths["trees"] / "c.txt")
        assert digest_file(result.paths["trees"]) != result.digests["trees"]


@pytest.mark.parametrize("change", ["missing", "altered", "same size"])
def test_a_missing_or_altered_output_is_named_with_a_remedy(anywhere, change):
    with open_run(anywhere, default_config()) as run:
        path = add_stage(run).paths["text"]
    if change == "missing":
        path.unlink()
    else:
        path.write_text("xyz" if change == "same size" else "altogether different")
    with open_run(anywhere, default_config()) as run:
        with pytest.raises(UserError, match=rf"warmup/text\.txt.*{change.split()[0]}|altered") as caught:
            run.stage("warmup/easy", inputs={}, outputs={"text": "warmup/text.txt"}, body=fail)
        assert "--redo=warmup/easy" in str(caught.value)
        run.forget("warmup/easy")
        assert not add_stage(run).reused


def test_a_copied_run_keeps_its_stages(tmp_path):
    with open_run(tmp_path / "run", default_config()) as run:
        add_stage(run)
    subprocess.run(["cp", "-r", tmp_path / "run", tmp_path / "copy"], check=True)  # new times of change
    with open_run(tmp_path / "copy", default_config()) as run:
        assert run.stage("warmup/easy", inputs={}, outputs={"text": "warmup/text.txt"}, body=fail).reused


def test_a_failed_body_leaves_its_kept_work_and_nothing_else(anywhere):
    def body(stage):
        files.write_atomic(stage.kept / "work", b"half")
        stage.output("text").write_text("half")
        raise RuntimeError("out of memory")

    with open_run(anywhere, default_config()) as run:
        with pytest.raises(RuntimeError, match="out of memory"):
            run.stage("warmup/easy", inputs={"data": "1"}, outputs={"text": "t"}, body=body)
        assert not run.stages and not (anywhere / "t").exists()
        assert sorted(p.name for p in (anywhere / ".partial/warmup.easy").iterdir()) == ["inputs.json", "kept"]

        def go_on(stage):
            stage.output("text").write_text((stage.kept / "work").read_text() + " whole")

        result = run.stage("warmup/easy", inputs={"data": "1"}, outputs={"text": "t"}, body=go_on)
        assert result.paths["text"].read_text() == "half whole"
    assert not (anywhere / ".partial").exists()


def test_work_kept_from_other_inputs_is_not_used(anywhere):
    def stop(stage):
        files.write_atomic(stage.kept / "work", b"old")
        raise KeyboardInterrupt

    def body(stage):
        stage.output("text").write_text(str(files.children(stage.kept)))

    with open_run(anywhere, default_config()) as run:
        with pytest.raises(KeyboardInterrupt):
            run.stage("a", inputs={"data": "1"}, outputs={"text": "t"}, body=stop)
        assert run.stage("a", inputs={"data": "2"}, outputs={"text": "t"}, body=body).paths["text"].read_text() == "[]"


def test_a_body_must_write_its_outputs(tmp_path):
    with open_run(tmp_path, default_config()) as run:
        with pytest.raises(RuntimeError, match=r"without writing stage\.output\('text'\)"):
            run.stage("a", inputs={}, outputs={"text": "t"}, body=lambda stage: None)
        assert not run.stages


@pytest.mark.parametrize("path", ["../t", "/t", ".partial/t", "", "a/../../t"])
def test_outputs_stay_inside_the_run(tmp_path, path):
    with open_run(tmp_path, default_config()) as run, pytest.raises(ValueError, match="inside the run directory"):
        add_stage(run, path=path)


def test_another_config_is_refused_with_the_differing_keys(anywhere):
    with open_run(anywhere, default_config()) as run:
        add_stage(run)
    other = default_config()
    other.rounds = 3
    other.round.search.temperature = 1.5
    with pytest.raises(UserError) as caught:
        open_run(anywhere, other)
    message = str(caught.value)
    assert "config.rounds is 2 there and 3 here" in message
    assert "config.round.search.temperature is 1.0 there and 1.5 here" in message
    assert "--workdir" in message
    with open_run(anywhere, None) as run:
        assert run.config.rounds == 2


def test_a_run_goes_on_with_another_layout_and_says_so(tmp_path, capsys):
    with open_run(tmp_path, default_config()) as run:
        add_stage(run)
    other = default_config()
    other.mesh.update(data=2, fsdp=2, tensor=2)
    other.warmup.update(rows=4, accumulate=4, checkpoint_every=50)
    with open_run(tmp_path, other) as run:
        assert run.stage("warmup/easy", inputs={}, outputs={"text": "warmup/text.txt"}, body=fail).reused
        assert run.config.mesh.fsdp == 2
    said = "".join(capsys.readouterr().err.split())
    assert "config.mesh.fsdpis1beforeand2now" in said and "config.warmup.rowsis16beforeand4now" in said
    assert read_run(tmp_path).config.to_dict() == other.to_dict()
    assert read_run(tmp_path, default_config()).config.mesh.fsdp == 1  # to look at it here
    assert read_run(tmp_path).config.mesh.fsdp == 2
    other.warmup.rows = 8
    with pytest.raises(UserError, match=r"config\.warmup\.rows \* accumulate is 16 there and 32 here\."):
        open_run(tmp_path, other)


def test_a_run_from_before_a_key_was_there_goes_on_with_its_default(tmp_path):
    with open_run(tmp_path / "run", default_config()) as run:
        add_stage(run)
    old = json.loads((tmp_path / "run/config.json").read_text())
    del old["warmup"]["eval_limit"]
    (tmp_path / "run/config.json").write_text(json.dumps(old))
    with open_run(tmp_path / "run", default_config()) as run:
        assert run.result("warmup/easy") is not None


def test_a_layout_is_recorded_when_a_stage_is_asked_for_with_it(anywhere, capsys):
    with open_run(anywhere, default_config()) as run:
        add_stage(run)
    other = default_config()
    other.mesh.data = 3
    with pytest.raises(UserError), open_run(anywhere, other):
        raise UserError("a mesh of three devices needs three")
    assert read_run(anywhere).config.mesh.data == -1
    assert "goes on" not in capsys.readouterr().err
    with open_run(anywhere, other) as run:
        add_stage(run)
        assert read_run(anywhere).config.mesh.data == 3


def test_a_run_from_before_the_losses_had_their_own_beta_goes_on(tmp_path):
    with open_run(tmp_path, default_config()) as run:
        add_stage(run)
    old = json.loads((tmp_path / "config.json").read_text())
    old["round"]["prefer"]["beta"] = 2.5
    (tmp_path / "config.json").write_text(json.dumps(old))
    with open_run(tmp_path, default_config()) as run:
        assert add_stage(run).reused


def test_a_run_without_work_takes_another_config(anywhere):
    open_run(anywhere, default_config()).close()
    other = default_config()
    other.rounds = 3
    open_run(anywhere, other).close()
    assert read_run(anywhere).config.rounds == 3


def test_bad_input_leaves_nothing_behind(anywhere):
    with pytest.raises(UserError), open_run(anywhere / "run", default_config()) as run:
        run.metrics.write(0, "warmup/easy", {"loss": 1.0})
        digest_file(anywhere / "no such data")
    assert not files.children(anywhere)


def test_bad_input_after_work_keeps_it(tmp_path):
    with pytest.raises(UserError), open_run(tmp_path, default_config()) as run:
        add_stage(run)
        raise UserError("no such data")
    assert list(read_run(tmp_path).stages) == ["warmup/easy"]


def test_a_folder_with_other_things_is_refused_and_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    (tmp_path / "config.json").write_text("{}")  # as a model's folder has
    with pytest.raises(UserError, match=r"no run directory and is not empty: it holds config\.json, thesis\.tex"):
        open_run(tmp_path, default_config())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["config.json", "thesis.tex"]
    with pytest.raises(UserError, match="is a file"):
        open_run(tmp_path / "thesis.tex", default_config())


@pytest.mark.parametrize(
    "content", ["{", '{"version": 2}', '{"version": 99, "stages": {}}', "[]", '{"version":2,"stages":3}']
)
def test_a_broken_manifest_is_refused(tmp_path, content):
    open_run(tmp_path, default_config()).close()
    (tmp_path / manifest.NAME).write_text(content)
    with pytest.raises(UserError, match=r"manifest\.json"):
        open_run(tmp_path, default_config())


def test_reading_needs_a_run(anywhere):
    with pytest.raises(UserError, match="holds no run"):
        read_run(anywhere / "none")
    assert not (anywhere / "none").exists()


@pytest.mark.parametrize("opens", [read_run, lambda path: open_run(path, default_config())])
def test_a_bucket_that_is_not_there_is_told(storage, opens):
    with pytest.raises(UserError, match="there is no bucket none"):
        opens("gs://none/run")


def test_equal_values_have_equal_digests():
    assert digest_of({"a": 1, "b": [2.0]}) == digest_of({"b": [2.0], "a": 1}) != digest_of({"a": 1, "b": [2.5]})
    assert digest_of(default_config()) == digest_of(default_config())


def in_process(code, *arguments, **settings):
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **settings)


HOLD = """
    import sys
    from itool_jax.config import default_config
    from itool_jax.rounds.run_directory import open_run
    run = open_run(sys.argv[1], default_config())
    print("held", flush=True)
    sys.stdin.read()
"""


def test_two_processes_do_not_work_in_one_run(tmp_path):
    with in_process(HOLD, tmp_path, stdin=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(UserError, match=f"another process works in .*process {holder.pid} on") as caught:
            open_run(tmp_path, default_config())
        assert "--workdir" in str(caught.value)
        read_run(tmp_path)
        holder.send_signal(signal.SIGKILL)
    open_run(tmp_path, default_config()).close()  # the lock went with its process


@pytest.mark.parametrize("where", ["local", "bucket", pytest.param("bucket, always", marks=pytest.mark.slow)])
def test_killed_at_every_moment_a_run_goes_on_to_the_same_end(request, tmp_path, where):
    script = Path(__file__).with_name("killed_at_every_moment.py")
    arguments, kills = [tmp_path], 80
    if where != "local":
        stride = 1 if where.endswith("always") else 7
        arguments, kills = [request.getfixturevalue("bucket"), tmp_path, stride], 45 // stride
    command = [sys.executable, script, *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as driver:
        out, _ = driver.communicate(timeout=300)
    assert driver.returncode == 0
    told = json.loads(out)
    assert told["kills"] > kills and told["resumed"] > kills // 4
    names = ("many/0", "many/1", "one.txt")
    assert told["files"] == ["config.json", *(f"{s}/{n}" for s in ("round_000/search", "warmup/easy") for n in names)]


def test_a_finished_run_holds_its_outputs_and_records_only(tmp_path):
    with open_run(tmp_path, default_config()) as run:
        add_stage(run)
    assert sorted(p.name for p in tmp_path.iterdir()) == [".lock", "config.json", "manifest.json", "warmup"]
    recorded = json.loads((tmp_path / "manifest.json").read_text())
    assert recorded["stages"]["warmup/easy"]["outputs"]["text"]["path"] == "warmup/text.txt"
