"""`itool-jax export` and `itool-jax chat --workdir` on a small run, as a user gives them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest

from itool_jax import files
from itool_jax.cli import main
from itool_jax.config import default_config
from itool_jax.data.chat import CHATML, COMPACT, ChatFormat, encode_example, format_for
from itool_jax.data.example import Example, Message
from itool_jax.data.jsonl import write_examples
from itool_jax.data.tokenizer import train_bpe
from itool_jax.evaluation import write_evaluation
from itool_jax.models import Loaded, export_hf, load
from itool_jax.models.policy import init_policy
from itool_jax.models.presets import preset
from itool_jax.rounds import export as export_command
from itool_jax.rounds.model_card import base_model
from itool_jax.rounds.run_directory import open_run, read_run
from itool_jax.rounds.session import Session
from itool_jax.toolcall import Parameter, Tool, ToolCall, tool_to_json, write_calls
from tests.report_runs import NASTY, answers
from tests.test_cli import fails

TOOL = Tool("add", "Adds", (Parameter("a", {"type": "integer"}), Parameter("b", {"type": "integer"})))
TOKENS = np.random.default_rng(0).integers(0, 320, (2, 20))


def example(number: int) -> Example:
    calls = (ToolCall("add", {"a": number, "b": 2 * number}),)
    return Example(f"x/{number}", (TOOL,), (Message("user", f"{number} and its double?"),), write_calls(calls), calls)


def tokenizer(chat: ChatFormat = CHATML):
    texts = [text for n in range(40) for text in (chat.render_prompt(example(n)), example(n).answer)]
    plain = train_bpe(texts, 280, (*chat.special_tokens, "<|endoftext|>"), chat.end_of_turn)
    toolless = "{% for m in messages %}{{ '<|im_start|>' + m.role + m.content + '<|im_end|>' }}{% endfor %}"
    return plain.with_templates({"default": toolless})


def make_run(folder: Path, chat: ChatFormat = CHATML, **changes) -> Path:
    """A run whose warm-up is done: a base of Hugging Face's form, one of our formats, LoRA; with scores made up."""
    if not (folder / "base").exists():
        policy = init_policy(replace(preset("nano"), vocab_size=400), seed=0)
        own = tokenizer(chat)
        export_hf(Loaded(policy, own, (own.end_of_turn_id, own.special_id("<|endoftext|>"))), folder / "base")
        write_examples(folder / "train.jsonl", [example(n) for n in range(16)])
    settings = {
        "model.preset": "nano",
        "model.checkpoint": folder / "base",
        "model.lora_rank": 4,
        "data.source": "jsonl",
        "data.folder": folder,
        "data.train": "train.jsonl",
        "data.heldout.mine": "train.jsonl",
        "warmup.learning_rate": 0.01,
        "warmup.rows": 8,
        "warmup.row_tokens": 512,
        "warmup.epochs.easy": 2,
        **changes,
    }
    config = folder / "config.py"
    config.write_text(
        "from itool_jax.config import default_config\n\ndef get_config(mode=''):\n    return default_config()\n"
    )
    workdir = folder / "run"
    line = [
        f"--config={config}",
        f"--workdir={workdir}",
        *(f"--config.{key}={value}" for key, value in settings.items()),
    ]
    assert main(["warmup", *line]) == 0
    for stage in ("base", "warmup"):
        write_evaluation(workdir / stage / "eval", {"easy": answers("easy", stage, 50)}, {})
    return workdir


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    return make_run(tmp_path_factory.mktemp("export"))


def policies(run: Path) -> dict[str, Loaded]:
    with read_run(run) as opened:
        session = Session(opened)
        return {name: session.loaded(name) for name in ("base", "warmup")}


def close(found, expected) -> None:
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


def test_the_newest_policy_is_exported_and_the_run_stays_as_it_is(run, tmp_path, capsys):
    before = files.digest(files.epath.Path(run))
    assert main(["export", f"--workdir={run}", f"--out={tmp_path / 'out'}"]) == 0
    assert re.search(r"Exporting warmup to .*out as float32: 0\.\d+ MB", capsys.readouterr().err)
    assert files.digest(files.epath.Path(run)) == before
    loaded, policy = load(tmp_path / "out"), policies(run)["warmup"]
    close(loaded.logits(TOKENS), policy.logits(TOKENS))
    assert loaded.stop_tokens == policy.stop_tokens
    assert {loaded.tokenizer.decode([token]) for token in loaded.stop_tokens} == {"", "<|endoftext|>"}
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "out").iterdir()}
    assert len(modes) == 1  # weights as readable as the rest
    assert main(["export", f"--workdir={run}", f"--out={tmp_path / 'again'}"]) == 0
    for path in (tmp_path / "out").iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()


def test_base_comes_back_to_the_bit_and_a_run_can_start_from_it(run, tmp_path):
    assert main(["export", f"--workdir={run}", f"--out={tmp_path / 'out'}", "--checkpoint=base"]) == 0
    loaded, base = load(tmp_path / "out"), policies(run)["base"]
    jax.tree.map(np.testing.assert_array_equal, loaded.policy.params, base.policy.params)
    chat = format_for(loaded.tokenizer)
    assert chat.name == "template"
    for number in range(3):
        assert encode_example(chat, loaded.tokenizer, example(number)) == encode_example(
            CHATML, base.tokenizer, example(number)
        )


def test_the_adapter_goes_on_the_base_that_it_names(run, tmp_path):
    torch = pytest.importorskip("torch", reason="torch is the reference here")
    peft = pytest.importorskip("peft")
    assert main(["export", f"--workdir={run}", f"--out={tmp_path / 'out'}", "--adapter"]) == 0
    adapted = peft.AutoPeftModelForCausalLM.from_pretrained(tmp_path / "out").eval()
    with torch.no_grad():
        found = adapted(torch.tensor(TOKENS)).logits.numpy()
    ours = policies(run)
    close(found, np.asarray(ours["warmup"].logits(TOKENS)))
    assert np.abs(found - np.asarray(ours["base"].logits(TOKENS))).max() > 1e-2 * np.abs(found).max()


def test_transformers_renders_the_prompts_that_the_policy_was_trained_on(run, tmp_path):
    transformers = pytest.importorskip("transformers")
    assert main(["export", f"--workdir={run}", f"--out={tmp_path / 'out'}", "--dtype=bfloat16"]) == 0
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path / "out")
    schema = {
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
        "required": ["a", "b"],
    }
    tools = [{"type": "function", "function": {"name": "add", "description": "Adds", "parameters": schema}}]
    messages = [{"role": "user", "content": "3 and its double?"}]
    ids = theirs.apply_chat_template(messages, tools=tools, add_generation_prompt=True, return_dict=False)
    assert ids == encode_example(CHATML, tokenizer(), example(3))[0]
    model = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    assert str(model.dtype) == "torch.bfloat16" and model.generation_config.eos_token_id[0] == theirs.eos_token_id


def test_the_card_records_base_data_config_and_scores(run, tmp_path):
    yaml = pytest.importorskip("yaml")
    for adapter in ((), ("--adapter",)):
        out = tmp_path / f"out{len(adapter)}"
        assert main(["export", f"--workdir={run}", f"--out={out}", *adapter]) == 0
        card = (out / "README.md").read_text()
        front = yaml.safe_load(card.split("---\n")[1])
        assert front["library_name"] == ("peft" if adapter else "transformers") and "tool-calling" in front["tags"]
        assert "base_model" not in front  # it is a folder
        for part in ("rank 4 and alpha 16 on q, k, v", "train.jsonl", "| learning\\_rate | 0.01 |", "`chatml`"):
            assert part in card
        assert re.search(r"\| easy \| 50 \| \d+\.\d \(.*\) \| \d+\.\d \(.*\) \|", card)
        config = json.loads(card.split("```json\n")[1].split("```")[0])
        assert config == json.loads((run / "config.json").read_text())
        assert ("PeftModel" in card) == bool(adapter)


def test_a_policy_without_scores_and_the_base_say_so(run, tmp_path):
    assert main(["export", f"--workdir={run}", f"--out={tmp_path / 'base'}", "--checkpoint=base"]) == 0
    card = (tmp_path / "base" / "README.md").read_text()
    assert "None: these are the weights that the run started from" in card and "rank 4" not in card
    assert "| easy | 50 |" in card and "warm-up |" not in card


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--checkpoint=round_007"], "the policies of this run so far are base, warmup"),
        (["--checkpoint=round_000"], "there is no policy of round_000 yet"),
        (["--checkpoint=base", "--adapter"], "the base has no adapters"),
        (["--dtype=int8"], "float32"),
        (["--config.seed=1"], "give --config=FILE too"),
    ],
)
def test_what_cannot_be_exported(run, tmp_path, capsys, arguments, says):
    assert says in fails(capsys, "export", f"--workdir={run}", f"--out={tmp_path / 'out'}", *arguments)
    assert not list(tmp_path.iterdir())


def test_an_output_that_exists_or_does_not_fit_the_disk(run, tmp_path, capsys, monkeypatch):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("x")
    assert "holds notes.txt" in fails(capsys, "export", f"--workdir={run}", f"--out={tmp_path / 'mine'}")
    assert "holds no run" in fails(capsys, "export", f"--workdir={tmp_path}", f"--out={tmp_path / 'out'}")
    assert "not on a local disk" in fails(capsys, "export", f"--workdir={run}", "--out=gs://bucket/out")
    monkeypatch.setattr(export_command.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1000}))
    assert "GB free" in fails(capsys, "export", f"--workdir={run}", f"--out={tmp_path / 'out'}")
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_run_that_trained_everything_has_no_adapter(tmp_path, capsys):
    workdir = make_run(tmp_path, **{"model.lora_rank": 0})
    capsys.readouterr()
    assert "config.model.lora_rank is 0" in fails(
        capsys, "export", f"--workdir={workdir}", f"--out={tmp_path / 'out'}", "--adapter"
    )
    assert main(["export", f"--workdir={workdir}", f"--out={tmp_path / 'out'}"]) == 0
    expected = policies(workdir)["warmup"].policy.params
    jax.tree.map(np.testing.assert_array_equal, load(tmp_path / "out").policy.params, expected)


def test_names_from_outside_are_escaped_and_known_bases_named(run, tmp_path):
    def of(**changes):
        with read_run(run) as opened:
            with opened.config.unlocked():
                opened.config.model.update(changes)
            return base_model(opened)

    assert of().reference.endswith("/base") and of().hub == ""
    assert of(checkpoint="smollm2_135m").hub == "HuggingFaceTB/SmolLM2-135M-Instruct"
    assert of(checkpoint="smollm2_135m").reference == ""  # those weights are a quantised copy
    assert of(checkpoint="")[1:] == ("", "")
    title = of(checkpoint=f"nowhere {NASTY}").title
    assert "\x1b" not in title and not re.search(r"(?<!\\)[<>|`*_]", title)


def test_a_base_from_the_hub_is_named(tmp_path):
    config = default_config()
    config.model.checkpoint = "Owner/Model-1B"
    with open_run(tmp_path / "run", config) as opened:
        opened.stage("model", inputs={"checkpoint": "Owner/Model-1B"}, outputs={"model": "model"}, body=_touch)
        assert base_model(opened)[1:] == ("Owner/Model-1B", "Owner/Model-1B")


def _touch(stage):
    stage.output("model").write_text("x")


def test_chat_talks_to_a_policy_of_the_run(run, tmp_path, capsys):
    before = files.digest(files.epath.Path(run))
    tools = tmp_path / "tools.json"
    tools.write_text(json.dumps([{"name": "add", "parameters": {"a": {"type": "int"}, "b": {"type": "int"}}}]))
    line = ["chat", f"--workdir={run}", f"--tools={tools}", "--once=3 and its double?", "--json", "--max-tokens=24"]
    found = {}
    for name in ("base", "warmup"):
        assert main([*line, f"--checkpoint={name}"]) == 0
        told = capsys.readouterr()
        found[name] = json.loads(told.out)["answer"]
        assert f"run {name}: " in told.err and "chat format chatml" in told.err
    assert main(line) == 0
    assert json.loads(capsys.readouterr().out)["answer"] == found["warmup"] != found["base"]
    assert files.digest(files.epath.Path(run)) == before
    assert "--workdir" in fails(capsys, "chat", f"--model={run}", "--once=x")


def run_code(card: str, folder: Path) -> None:
    """Runs the code on a card, for a few tokens of the model in `folder`."""
    code = card.split("```python\n")[1].split("```")[0]
    assert "path/to/this/folder" in code and "max_new_tokens=256" in code
    code = code.replace("path/to/this/folder", str(folder)).replace("max_new_tokens=256", "max_new_tokens=8")
    exec(code, {"tools": [{"type": "function", "function": {"name": "add", "description": "Adds"}}]})


@pytest.mark.parametrize("adapter", [(), ("--adapter",)], ids=["merged", "adapter"])
def test_the_code_on_the_card_runs(run, tmp_path, capsys, adapter):
    pytest.importorskip("torch", reason="torch is the reference here")
    pytest.importorskip("peft" if adapter else "transformers")
    assert main(["export", f"--workdir={run}", f"--out={tmp_path / 'out'}", *adapter]) == 0
    capsys.readouterr()
    run_code((tmp_path / "out" / "README.md").read_text(), tmp_path / "out")
    assert capsys.readouterr().out.endswith("\n")


def test_a_run_in_compact_has_its_template_too(tmp_path, capsys):
    pytest.importorskip("torch", reason="torch is the reference here")
    transformers = pytest.importorskip("transformers")
    run, out = make_run(tmp_path, COMPACT), tmp_path / "out"
    assert main(["export", f"--workdir={run}", f"--out={out}"]) == 0
    theirs = transformers.AutoTokenizer.from_pretrained(out)
    tools = [{"type": "function", "function": tool_to_json(TOOL)}]
    with read_run(run) as opened:
        dialect = Session(opened).dialect
    assert dialect.chat is COMPACT
    for number in range(3):
        messages = [{"role": "user", "content": example(number).messages[0].content}]
        ids = theirs.apply_chat_template(messages, tools=tools, add_generation_prompt=True, return_dict=False)
        assert ids == list(dialect.prepare(example(number)).prompt)
    loaded = load(out)
    again = format_for(loaded.tokenizer)
    assert again.name == "template"
    assert encode_example(again, loaded.tokenizer, example(3)) == encode_example(COMPACT, dialect.tokenizer, example(3))
    card = (out / "README.md").read_text()
    assert "`compact`, not one of the base" in card
    capsys.readouterr()
    run_code(card, out)
    assert capsys.readouterr().out.endswith("\n")
