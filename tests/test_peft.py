"""Folders of adapters: what we or PEFT write is read back, and anything but plain LoRA is refused by name."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import huggingface_hub
import jax
import numpy as np
import pytest
from etils import epath
from safetensors.numpy import load_file, save_file

from itool_jax import cli
from itool_jax.config import default_config
from itool_jax.errors import UserError
from itool_jax.models import Loaded, export_hf, load, loading
from itool_jax.models.adapter_config import base_name, lora_from_json
from itool_jax.models.config import LINEAR, LoraConfig
from itool_jax.models.loading import base_of, load_tokenizer, shape_of
from itool_jax.models.policy import merge_adapters
from itool_jax.parallel.mesh import make_mesh, shardings
from itool_jax.rounds.base_model import base_inputs, load_base, write_base
from itool_jax.rounds.model_card import base_model
from itool_jax.rounds.run_directory import open_run
from itool_jax.training.checkpoints import save_policy
from tests.test_export import FAMILIES, LORA, TOKENS, close, made, same_bits

CONFIG, WEIGHTS, TOKENIZER = (
    "adapter_config.json",
    "adapter_model.safetensors",
    ("tokenizer.json", "tokenizer_config.json"),
)
LORAS = {
    "llama": LORA,
    "qwen2": LoraConfig(4, 8.0, rslora=True),
    "qwen3": LoraConfig(3, 5.5, targets=("v", "o", "down")),
}
REFERENCE = {
    "peft_type": "LORA",
    "base_model_name_or_path": "x",
    "r": 8,
    "lora_alpha": 16,
    "target_modules": ["q_proj", "v_proj"],
}
PREFIX = "base_model.model.model.layers"


def same_adapters(found, expected) -> None:
    assert found.decoder.lora == expected.decoder.lora
    jax.tree.map(np.testing.assert_array_equal, found.adapters, expected.adapters)
    assert {str(leaf.dtype) for leaf in jax.tree.leaves(found.adapters)} == {"float32"}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """By family: a model with adapters, and a folder with `base` and, on it by a relative name, `adapter`."""

    def make(name) -> tuple[Loaded, epath.Path]:
        if name not in kept:
            folder, model = epath.Path(tmp_path_factory.mktemp(name)), made(name, LORAS[name])
            export_hf(replace(model, policy=model.policy.replace(adapters=None)), folder / "base")
            export_hf(model, folder / "adapter", adapter=True, base="../base")
            kept[name] = model, folder
        return kept[name]

    kept: dict = {}
    return make


@pytest.fixture
def llama(models, tmp_path):
    """A folder of its own with `base` and `adapter`."""
    shutil.copytree(models("llama")[1], tmp_path, dirs_exist_ok=True)
    return tmp_path


def change(path, **values) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


# --- what is written comes back


@pytest.mark.parametrize("name", FAMILIES)
def test_exported_adapters_come_back_to_the_bit(models, name):
    model, folder = models(name)
    loaded = load(folder / "adapter")
    same_adapters(loaded.policy, model.policy)
    same_bits(loaded.policy, model.policy)
    assert (loaded.policy.config, loaded.stop_tokens) == (model.policy.config, model.stop_tokens)
    assert loaded.tokenizer.digest == model.tokenizer.digest
    np.testing.assert_array_equal(loaded.logits(TOKENS), model.logits(TOKENS))


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
def test_half_precision_is_read_as_float32(llama, kind):
    path = llama / "adapter" / WEIGHTS
    written = {name: tensor.astype(kind) for name, tensor in load_file(path).items()}
    save_file(written, path)
    found = load(llama / "adapter", dtype="bfloat16").policy
    assert {str(leaf.dtype) for leaf in jax.tree.leaves(found.params)} == {"bfloat16"}
    (a, b), model = (found.adapters["layers"]["q"][side] for side in "ab"), made("llama", LORA)
    for side, value in (("a", a), ("b", b)):
        expected = np.asarray(model.policy.adapters["layers"]["q"][side]).astype(kind).astype(np.float32)
        np.testing.assert_array_equal(value, expected)
        assert value.dtype == np.float32


@pytest.mark.parametrize("name", ["llama", "qwen3"])
def test_each_device_gets_its_own_part(models, name):
    model, folder = models(name)
    mesh = make_mesh(data=2, fsdp=2, tensor=2)
    found = load(folder / "adapter", mesh=mesh).policy
    same_adapters(found, model.policy)
    assert jax.tree.map(lambda leaf: leaf.sharding, found.adapters) == shardings(model.policy.adapters, mesh)
    expected, plain = merge_adapters(model.policy).params, shardings(found.params, mesh)
    for merged in (merge_adapters(found), merge_adapters(found, consume=True)):
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), merged.params, expected)
        assert jax.tree.map(lambda leaf: leaf.sharding, merged.params) == plain


# --- what PEFT writes


@pytest.mark.parametrize(
    ("name", "settings", "targets"),
    [
        ("llama", {"target_modules": "all-linear"}, LINEAR),
        ("llama", {"target_modules": ["o_proj", "self_attn.k_proj"], "use_rslora": True}, ("k", "o")),
        ("qwen2", {"target_modules": ["q_proj", "v_proj", "up_proj"], "use_rslora": True}, ("q", "v", "up")),
        ("qwen3", {"lora_dropout": 0.1, "init_lora_weights": "gaussian"}, ("q", "v")),
    ],
)
def test_logits_are_those_of_peft(tmp_path, name, settings, targets):
    torch = pytest.importorskip("torch", reason="torch is the reference here")
    peft = pytest.importorskip("peft")
    from tests.test_families import random_model

    model = random_model(name)
    model.save_pretrained(tmp_path / "base")
    made(name).tokenizer.save(tmp_path / "base")
    model.name_or_path = str(tmp_path / "base")
    adapted = peft.get_peft_model(model, peft.LoraConfig(r=6, lora_alpha=9, task_type="CAUSAL_LM", **settings)).eval()
    with torch.no_grad():
        for key, weight in adapted.named_parameters():
            if "lora_" in key:
                weight.normal_(0, 0.2)
        adapted.save_pretrained(tmp_path / "adapter")
        expected = adapted(torch.tensor(TOKENS)).logits.numpy()
        with adapted.disable_adapter():
            plain = adapted(torch.tensor(TOKENS)).logits.numpy()
    loaded = load(tmp_path / "adapter")
    assert loaded.policy.decoder.lora == LoraConfig(6, 9.0, targets, settings.get("use_rslora", False))
    close(loaded.logits(TOKENS), expected)
    close(replace(loaded, policy=merge_adapters(loaded.policy)).logits(TOKENS), expected)
    assert np.abs(expected - plain).max() > 0.1 * np.abs(expected).max()
    assert loaded.tokenizer.digest == made(name).tokenizer.digest  # the base's: PEFT writes none


def test_all_linear_in_a_file_is_all_seven(llama):
    change(llama / "adapter" / CONFIG, target_modules="all-linear")
    assert load(llama / "adapter").policy.decoder.lora.targets == LINEAR


# --- the base, the tokenizer, the stop tokens


def test_the_base_is_found_beside_the_folder_in_the_working_directory_or_by_the_keyword(llama, monkeypatch):
    def named(name):
        change(llama / "adapter" / CONFIG, base_model_name_or_path=name)
        return load(llama / "adapter").policy

    expected = load(llama / "base").policy
    monkeypatch.chdir(llama)
    for name in ("../base", "base", str(llama / "base")):
        same_bits(named(name), expected)
    shutil.copytree(llama / "base", llama / "adapter" / "base")
    other = made("llama").policy
    export_hf(replace(made("llama"), policy=jax.tree.map(lambda leaf: leaf * 2, other)), llama / "other")
    shutil.rmtree(llama / "base")
    shutil.move(llama / "other", llama / "base")
    same_bits(named("base"), expected)  # the one in the folder goes first
    assert base_of(llama / "adapter") == str(llama / "adapter" / "base")
    found = load(llama / "adapter", base="base").policy
    same_bits(found, load(llama / "base").policy)
    change(llama / "adapter" / CONFIG, base_model_name_or_path=None, revision="v1")
    assert load(llama / "adapter", base="base").policy.adapters is not None
    assert base_of("base") == ""


def test_the_base_may_be_a_preset_with_weights(llama, monkeypatch):
    """The preset's weights, in place of its GGUF file, are the folder's."""
    cfg = shape_of(llama / "base")
    monkeypatch.setitem(loading.PRESETS, "small", cfg)
    monkeypatch.setattr(loading, "_packaged_gguf", {"small": str(llama / "base")}.__getitem__)
    change(llama / "adapter" / CONFIG, base_model_name_or_path="small")
    same_bits(load(llama / "adapter").policy, load(llama / "base").policy)
    assert shape_of(llama / "adapter") == cfg
    for path in TOKENIZER:
        (llama / "adapter" / path).unlink()
    assert load_tokenizer(llama / "adapter").digest == load_tokenizer(llama / "base").digest


def test_base_and_adapters_come_from_the_hubs_cache(llama, monkeypatch):
    for name in ("base", "adapter"):
        at = llama / "cache" / f"models--some-one--{name}"
        shutil.copytree(llama / name, at / "snapshots" / ("0" * 40))
        (at / "refs").mkdir()
        (at / "refs" / "main").write_text("0" * 40)
    change(at / "snapshots" / ("0" * 40) / CONFIG, base_model_name_or_path="some-one/base")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(llama / "cache"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    expected = load(llama / "adapter").policy
    found = load("some-one/adapter").policy
    same_adapters(found, expected)
    same_bits(found, expected)
    assert shape_of("some-one/adapter") == expected.config
    assert base_of("some-one/adapter") == "some-one/base"
    change(llama / "adapter" / CONFIG, base_model_name_or_path="some-one/nothing")
    says = r"adapter_config.json: base_model_name_or_path is 'some-one/nothing', expected .* hub did not give it.*base="
    with pytest.raises(UserError, match=says):
        load(llama / "adapter")


def test_tokenizer_and_stop_tokens_are_the_folders_own_or_the_bases(llama):
    change(llama / "base" / "generation_config.json", eos_token_id=[7])
    change(llama / "adapter" / "generation_config.json", eos_token_id=[9])
    end = load(llama / "base").tokenizer.end_of_turn_id
    assert load(llama / "adapter").stop_tokens == (end, 9)
    change(llama / "adapter" / "tokenizer_config.json", chat_template="{{ 1 }}")
    assert load(llama / "adapter").tokenizer.templates == load_tokenizer(llama / "adapter").templates != {}
    for path in (*TOKENIZER, "generation_config.json"):
        (llama / "adapter" / path).unlink()
    loaded = load(llama / "adapter")
    assert loaded.stop_tokens == (end, 7)
    assert loaded.tokenizer.templates == load_tokenizer(llama / "adapter").templates == {}
    change(llama / "base" / "tokenizer_config.json", chat_template="{{ 2 }}")
    assert load(llama / "adapter", tokenizer=llama / "base").tokenizer.templates == {"default": "{{ 2 }}"}


def test_shapes_are_the_bases_without_any_weights(models, llama):
    cfg = models("llama")[0].policy.config
    for path in llama.glob("*/*.safetensors"):
        path.unlink()
    assert shape_of(llama / "adapter") == shape_of(llama / "base") == cfg
    with pytest.raises(UserError, match="layers is 2, expected 3"):
        load(models("llama")[1] / "adapter", expected=replace(cfg, layers=3))


def test_a_folder_with_a_model_beside_its_adapters_is_of_both(llama):
    """As transformers has it; the model may then be the base by the folder's own name."""
    shutil.copytree(llama / "base", llama / "adapter", dirs_exist_ok=True)
    change(llama / "adapter" / CONFIG, base_model_name_or_path=".")
    same_adapters(load(llama / "adapter").policy, made("llama", LORA).policy)


# --- what is refused

REFUSED = {
    r"adapter_config.json: use_dora is true, expected nothing.*merge_and_unload": {"use_dora": True},
    r'bias is "lora_only", expected "none" or null': {"bias": "lora_only"},
    r'modules_to_save is \["lm_head"\], expected nothing': {"modules_to_save": ["lm_head"]},
    r"fan_in_fan_out is true, expected nothing": {"fan_in_fan_out": True},
    r'rank_pattern is {"q_proj": 3}, .*; alpha_pattern is {"q_proj": 3}, expected nothing. Only plain LoRA': {
        "rank_pattern": {"q_proj": 3},
        "alpha_pattern": {"q_proj": 3},
    },
    r"layers_to_transform is 0, expected nothing": {"layers_to_transform": 0},
    r"layers_to_transform is \[1\], expected nothing": {"layers_to_transform": [1]},
    r"trainable_token_indices is \[0\]": {"trainable_token_indices": [0]},
    r"invented_key is 1, expected nothing": {"invented_key": 1},
    r'peft_type is "ADALORA", expected "LORA"': {"peft_type": "ADALORA"},
    r'task_type is "SEQ_CLS", expected "CAUSAL_LM" or null': {"task_type": "SEQ_CLS"},
    r'init_lora_weights is "pissa_niter_4", expected true': {"init_lora_weights": "pissa_niter_4"},
    r"r is null, expected .* whole number of at least 1": {"r": None},
    r"r is 0, expected": {"r": 0},
    r"r is true, expected": {"r": True},
    r'lora_alpha is "8", expected the number': {"lora_alpha": "8"},
    r"lora_alpha is NaN, expected the number": {"lora_alpha": float("nan")},
    r'target_modules is the pattern ".*q_proj", expected a list of names, or "all-linear". Write': {
        "target_modules": ".*q_proj"
    },
    r"target_modules is null, expected a list": {"target_modules": None},
    r"target_modules is \[\], expected a list": {"target_modules": []},
    r'target_modules has "lm_head", "roj", expected some of q_proj, k_proj, .* of 2 layers': {
        "target_modules": ["q_proj", "lm_head", "roj"]
    },
    r"target_modules has self_attn.q_proj in 1 of 2 layers, expected all": {
        "target_modules": ["layers.1.self_attn.q_proj"]
    },
    r"base_model_name_or_path is null, expected the model.* base=NAME": {"base_model_name_or_path": None},
    r"base_model_name_or_path is 'no where', expected .* there is no model 'no where'": {
        "base_model_name_or_path": "no where"
    },
    r"adapter holds adapters and no whole model, so no others can go on it": {"base_model_name_or_path": "."},
    r'revision is "v1", expected null': {"revision": "v1"},
}  # fmt: skip


@pytest.mark.parametrize("says", REFUSED)
def test_anything_but_plain_lora_is_refused_by_its_key(llama, says):
    change(llama / "adapter" / CONFIG, **REFUSED[says])
    with pytest.raises(UserError, match=says):
        load(llama / "adapter")


ODD = (None, True, -1, 10**400, 1e308, float("inf"), "", "\ud800\x00\x1b", "x" * 5000, [[]], [None], {"a": {}}, [1e9])


@pytest.mark.parametrize("key", [*REFERENCE, "use_rslora", "revision", "use_dora", "task_type", "bias"])
def test_odd_values_are_refused_in_words_that_can_be_printed(key):
    fine = {"lora_alpha": [-1], "use_rslora": [True], "base_model_name_or_path": [ODD[7]]}.get(key, [])
    for value in ODD:
        try:
            base_name(REFERENCE | {key: value}, "there")
            lora_from_json(REFERENCE | {key: value}, 2, "there")
        except UserError as error:
            assert f"there: {key} is " in str(error) and str(error).isprintable() and len(str(error)) < 800
        else:
            assert value in fine or (value in (None, "") and key not in REFERENCE), value


@pytest.mark.parametrize("value", ODD)
def test_odd_names_of_a_base_are_refused_too(llama, value):
    change(llama / "adapter" / CONFIG, base_model_name_or_path=value)
    with pytest.raises(UserError, match="base_model_name_or_path is") as raised:
        load(llama / "adapter")
    assert str(raised.value).isprintable()


def tensors(folder, **changes) -> None:
    """Other tensors in place of those of these names; without one where None is given."""
    path = folder / "adapter" / WEIGHTS
    held = load_file(path) | {name.replace("__", "."): tensor for name, tensor in changes.items()}
    save_file({name: tensor for name, tensor in held.items() if tensor is not None}, path)


A, B = f"{PREFIX}.1.mlp.up_proj.lora_A.weight", f"{PREFIX}.0.self_attn.k_proj.lora_B.weight"
DAMAGE = {
    rf"adapter_model.safetensors are not the adapters .* 1 missing: {A}\. Expected .* rank 4 on q, k, .* in 2 layers": (
        lambda f: tensors(f, **{A: None})
    ),
    r"1 unknown: base_model.model.lm_head.weight\.": (
        lambda f: tensors(f, **{"base_model.model.lm_head.weight": np.ones((2, 2), np.float32)})
    ),
    rf"1 of another shape: {B} is \(4, 16\), expected \(16, 4\)": (
        lambda f: tensors(f, **{B: np.ones((4, 16), np.float32)})
    ),
    r"28 of another shape: .* expected \(5, 48\)": lambda f: change(f / "adapter" / CONFIG, r=5),
    r"tensors of type I32": lambda f: tensors(f, **{A: np.ones((4, 48), np.int32)}),
    r"adapter_model.safetensors is no safetensors file": lambda f: (f / "adapter" / WEIGHTS).write_bytes(b"\xff" * 90),
    r"has no adapter_model.safetensors, only adapter_model.bin. A pickle .* can run code .*save_pretrained": (
        lambda f: (f / "adapter" / WEIGHTS).rename(f / "adapter" / "adapter_model.bin")
    ),
    r"has no adapter_model.safetensors. ": lambda f: (f / "adapter" / WEIGHTS).unlink(),
    r"adapter_config.json is no JSON object": lambda f: (f / "adapter" / CONFIG).write_text("[]"),
    r"adapter_config.json is no JSON object: it has more than 16,777,216": (
        lambda f: (f / "adapter" / CONFIG).write_text(" " * (2**24 + 1))
    ),
    r"the tokenizer .*/adapter has 400 tokens, the model .*base only 390": lambda f: small_base(f),
    r"the base .*saved of the adapters in .*adapter has adapters itself: merge it": lambda f: adapted_base(f),
}  # fmt: skip


def small_base(folder) -> None:
    model = made("llama")
    shutil.rmtree(folder / "base")
    params = {**model.policy.params, "embedding": model.policy.params["embedding"][:390]}
    cfg = replace(model.policy.config, vocab_size=390)
    policy = model.policy.replace(params=params, decoder=model.policy.decoder.clone(cfg=cfg))
    export_hf(replace(model, policy=policy), folder / "base")


def adapted_base(folder) -> None:
    model = made("llama", LORA)
    save_policy(folder / "saved", model.policy)
    model.tokenizer.save(folder / "saved")
    change(folder / "adapter" / CONFIG, base_model_name_or_path="../saved")


@pytest.mark.parametrize("says", DAMAGE)
def test_what_is_damaged_or_does_not_belong_is_named(llama, says):
    DAMAGE[says](llama)
    with pytest.raises(UserError, match=says):
        load(llama / "adapter")


def test_a_base_for_what_has_no_adapters_is_refused(llama):
    with pytest.raises(UserError, match="base holds no adapters that could go on the base x"):
        load(llama / "base", base="x")


# --- in use


def test_chat_talks_to_adapters(llama, capsys):
    line = ["chat", f"--model={llama / 'adapter'}", "--once=hello", "--json", "--max-tokens=8"]
    answers = []
    for name in ("adapter", "merged"):
        if name == "merged":
            export_hf(load(llama / "adapter"), llama / "merged")
            line[1] = f"--model={llama / 'merged'}"
        assert cli.main(line) == 0
        answers.append(json.loads(capsys.readouterr().out)["answer"])
    assert answers[0] == answers[1]


@pytest.mark.parametrize("lora_rank", [0, 2])
def test_a_run_starts_from_the_merged_weights(llama, lora_rank):
    config, mesh = default_config(), make_mesh()
    config.model.update(checkpoint=str(llama / "adapter"), lora_rank=lora_rank)
    summary = write_base(config, (), epath.Path(llama / "model"), mesh)
    policy, tokenizer = load_base(config, epath.Path(llama / "model"), mesh)
    model = made("llama", LORA)
    expected = merge_adapters(model.policy).params
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), policy.params, expected)
    close(Loaded(policy, tokenizer, ()).logits(TOKENS), model.logits(TOKENS))
    assert (policy.adapters is None) == (lora_rank == 0) and tokenizer.digest == model.tokenizer.digest
    assert summary["adapters_on"] == str(llama / "adapter" / "../base")
    assert summary["stop_tokens"] == model.stop_tokens


def test_a_runs_inputs_cover_adapters_and_base(llama):
    config = default_config()
    config.model.checkpoint = str(llama / "adapter")
    before = base_inputs(config)
    assert before.keys() == {"settings", "checkpoint", "base"}
    for name, path in (("base", "base/config.json"), ("checkpoint", f"adapter/{WEIGHTS}")):
        (llama / path).write_bytes((llama / path).read_bytes() + b" ")
        after = base_inputs(config)
        assert {key for key in before if before[key] != after[key]} == {name}
        before = after
    change(llama / "adapter" / CONFIG, base_model_name_or_path="owner/name")
    assert base_inputs(config)["base"] == "owner/name"
    change(llama / "adapter" / CONFIG, base_model_name_or_path=None)
    with pytest.raises(UserError, match="base_model_name_or_path is null"):
        base_inputs(config)


def test_the_card_of_such_a_run_names_both_and_no_base_for_peft(tmp_path):
    def of(checkpoint, digest):
        config = default_config()
        config.model.checkpoint = checkpoint
        with open_run(tmp_path / digest, config) as run:

            def body(stage):
                stage.output("model").write_text("x")
                return {"adapters_on": "Owner/Model_1B"}

            run.stage("model", inputs={"checkpoint": digest}, outputs={"model": "model"}, body=body)
            return base_model(run)

    title = r"LoRA adapters merged into Owner/Model\_1B"
    assert of("some/where", "0123") == (f"some/where, {title}", "", "")
    assert of("Me/tuned", "Me/tuned") == (f"[Me/tuned](https://huggingface.co/Me/tuned), {title}", "Me/tuned", "")
