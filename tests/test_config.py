"""Configs: every key known and typed, errors that name the nearest key, rounds that differ, a JSON form."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ml_collections import ConfigDict

from itool_jax import config as tree
from itool_jax.config import default_config, round_config
from itool_jax.config_large import ADAPTERS, MODES
from itool_jax.config_loading import (
    check_config,
    config_from_json,
    config_to_json,
    deciding_differences,
    differences,
    known_keys,
    load_config,
)
from itool_jax.errors import UserError
from itool_jax.models.config import LINEAR
from itool_jax.rounds import settings as rounds_settings

ROOT = Path(__file__).resolve().parents[1]
QUICKSTART = str(ROOT / "configs" / "quickstart.py")


def modes(path):
    """Those that the file passes to `check_mode`, or the machines of those that `fine_tuning` lays out."""
    text = path.read_text()
    if "fine_tuning(" in text:
        return ["", "full", *MODES]
    listed = re.search(r"check_mode\(mode, \((.*)\)\)", text)[1]
    return [*re.findall(r'"(\w*)"', listed), *(ADAPTERS if "*ADAPTERS" in listed else ())]


FILES = [f"{path}:{mode}" for path in sorted((ROOT / "configs").glob("*.py")) for mode in modes(path)]


def override(*settings):
    return load_config(QUICKSTART, [f"--config.{setting}" for setting in settings])


def config_file(folder, body):
    path = folder / "mine.py"
    path.write_text("from itool_jax.config import default_config\n\ndef get_config(mode=''):\n" + body)
    return str(path)


@pytest.mark.parametrize("spec", FILES)
def test_every_config_file_loads_locked(spec):
    config = load_config(spec)
    assert config.is_locked and config.round.is_locked and config.round_overrides.is_locked
    for index in range(config.rounds):
        round_config(config, index)


def test_every_key_has_its_comment():
    text = Path(tree.__file__).read_text()
    for key in known_keys():
        name = re.escape(key.rpartition(".")[2])
        group = re.escape(key.split(".")[-2]) if key.count(".") else None
        own = re.search(rf'("{name}":|config\.{name} =)[^\n]*#', text)
        of_its_group = group and re.search(rf'"{group}": \{{[^\n]*"{name}":[^\n]*#', text)
        assert own or of_its_group, f"{key} has no comment in config.py"


@pytest.mark.parametrize(
    ("setting", "key", "value"),
    [
        ("seed=7", "seed", 7),
        ("round.search.temperature=1.5", "round.search.temperature", 1.5),
        ("warmup.learning_rate=1", "warmup.learning_rate", 1.0),
        ("round.prefer.loss=dpo", "round.prefer.loss", "dpo"),
        ("round.select.by=random", "round.select.by", "random"),
        ("data.skip_malformed=true", "data.skip_malformed", True),
        ("data.skip_malformed=False", "data.skip_malformed", False),
        ("data.skip_malformed", "data.skip_malformed", True),
        ("data.train=a.jsonl, b.jsonl", "data.train", ("a.jsonl", "b.jsonl")),
        ("data.train=", "data.train", ()),
        ("data.folder=a=b", "data.folder", "a=b"),
        ("data.heldout.mine=x.jsonl", "data.heldout.mine", "x.jsonl"),
    ],
)
def test_overrides_are_read_by_the_type_of_their_key(setting, key, value):
    found = override(setting)[key]
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    ("setting", "near"),
    [
        ("round.serch.samples=3", "config.round.search.samples"),
        ("round.search.sampels=3", "config.round.search.samples"),
        ("search.samples=3", "config.round.search.samples"),
        ("learning_rte=1", "config.warmup.learning_rate"),
        ("modell.preset=tiny", "config.model.preset"),
        ("round_overrides.round_001.search.sample=1", "config.round_overrides.round_001.search.samples"),
    ],
)
def test_an_unknown_key_names_the_nearest_known_one(setting, near):
    with pytest.raises(UserError, match=rf"no config key '{setting.partition('=')[0]}'.*Did you mean {near}\?"):
        override(setting)


def test_a_reward_of_ones_own_grades_no_unfinished_answers():
    with pytest.raises(UserError, match=r"in round_001 search\.gamma is 0\.9 with the reward 'mine:f', which grades"):
        override("round_overrides.round_001.search.reward=mine:f", "round.search.gamma=0.9")
    assert override("round.search.reward=mine:f").round.search.reward == "mine:f"


def test_a_key_like_no_other_says_where_the_keys_are():
    with pytest.raises(UserError, match=r"no config key 'zzzzzzz'\. itool_jax/config\.py lists every key"):
        override("zzzzzzz=1")


@pytest.mark.parametrize("text", ["hard,easy", "('hard', 'easy')", '["hard", "easy"]', "hard, easy,"])
def test_a_list_is_read_with_or_without_brackets_and_quotes(text):
    assert override(f"evaluate.sets={text}").evaluate.sets == ("hard", "easy")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("seed=abc", "config.seed expects an integer (its default is 0), found 'abc'"),
        ("seed=1.5", "config.seed expects an integer (its default is 0), found '1.5'"),
        ("round.search.temperature=hot", "config.round.search.temperature expects a number"),
        ("data.skip_malformed=perhaps", "config.data.skip_malformed expects true or false"),
        ("seed", "write --config.seed=VALUE"),
        ("round=3", "config.round is a group of keys"),
        ("round_overrides=3", "config.round_overrides is a group of keys"),
        ("round.prefer.loss=ppo", "config.round.prefer.loss is 'ppo'; expected one of 'simpo', 'dpo', 'ipo'"),
        ("round_overrides.round_000.prefer.loss=ppo", "expected one of 'simpo', 'dpo', 'ipo'"),
        ("round.prefer.label_smoothing=0.6", "expected at least 0, at most 0.5"),
        ("round.pairs.weight=q", "config.round.pairs.weight is 'q'; expected one of '', 'gap'"),
        ("data.warmup_share=1.5", "expected at least 0, at most 1"),
        ("seed=5000000000", "config.seed is 5000000000; expected at least 0, at most 2147483647"),
        ("warmup.rows=0", "config.warmup.rows is 0; expected at least 1"),
        ("warmup.epochs.easy=-1", "config.warmup.epochs.easy is -1; expected at least 0"),
        ("round.prefer.checkpoint_every=0", "expected at least 1"),
        ("round_overrides.round_001.search.samples=0", "expected at least 1"),
        ("round.search.temperature=0", "config.round.search.temperature is 0.0; expected at least 1e-06"),
        ("round.search.top_p=1.5", "expected at least 1e-06, at most 1"),
        ("round.search.gamma=1.5", "expected at least 0, at most 1"),
        ("warmup.learning_rate=nan", "config.warmup.learning_rate is nan"),
        ("warmup.learning_rate=inf", "config.warmup.learning_rate is inf; expected at least 0, finite"),
        ("mesh.data=-2", "expected at least -1"),
        ("round.prefer.epochs=0", "expected at least 1"),
        ("round.search.self_eval_orderings=3", "expected one of 1, 2"),
        (
            "model.lora_targets=q,qkv",
            "config.model.lora_targets names 'qkv'; expected any of 'q', 'k', 'v', 'o', 'gate'",
        ),
        ("model.quantize=int4", "config.model.quantize is 'int4'; expected one of '', 'int8', 'nf4'"),
        ("model.quantize=nf4", "quantised weights cannot be trained, only adapters beside them: set config.model.lora"),
        ("round_overrides.round_001.search.answer_tokens=800", "in round_001 search.arena_tokens is 768"),
        ("round.pairs.mode=listwise", "in config.round pairs.mode is 'listwise' and prefer.loss 'simpo', which do not"),
        (
            "round.pairs.mode=group",
            "set prefer.loss to one of 'grpo', or pairs.mode to one of 'best_worst', 'all', 'an",
        ),
        (
            "round.prefer.loss=sft",
            "set prefer.loss to one of 'simpo', 'dpo', 'ipo', 'ipo_averaged', 'orpo', 'list_mle'",
        ),
        ("round.select.by=length", "config.round.select.by is 'length'; expected one of 'perplexity', 'random'"),
        (
            "round.pairs.mode=worst",
            "config.round.pairs.mode is 'worst'; expected one of 'best_worst', 'all', 'listwise'",
        ),
        ("round.search.arena_tokens=32", "in config.round search.arena_tokens is 32, less than the 96 answer_tokens"),
        ("round.search.widening_power=1.5", "expected at least 0, at most 1"),
        ("round.search.select_by=random", "expected one of 'puct', 'entropy'"),
    ],
)
def test_a_value_of_another_kind_says_what_was_expected_and_found(setting, message):
    with pytest.raises(UserError) as caught:
        override(setting)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            "    config = default_config()\n    config.round.search.sampels = 3",
            "line 5: there is no config key 'sampels'",
        ),
        (
            "    return default_config().round.serch",
            "line 4: there is no config key 'serch'. Did you mean config.round",
        ),
        ("    config = default_config()\n    config.seed = 'a'", "line 5: the config key 'seed' expects an integer"),
        ("    return 1 / 0", "line 4: ZeroDivisionError"),
        ("    return (", "line 4: '(' was never closed"),
        ("    return 3", "get_config returned int; expected a ConfigDict"),
        ("    pass\nget_config = None", "expected a function get_config(mode), found none"),
        (
            "    config = default_config()\n    config.round_overrides.round_000 = {'search': {'smples': 3}}\n"
            "    return config",
            "Did you mean config.round_overrides.round_000.search.samples?",
        ),
        (
            "    config = default_config()\n    config.data.heldout.hard = 3\n    return config",
            "config.data.heldout.hard expects a text (its default is ''), found 3",
        ),
    ],
)
def test_a_broken_config_file_says_where(tmp_path, body, message):
    path = config_file(tmp_path, body)
    with pytest.raises(UserError) as caught:
        load_config(path)
    assert str(caught.value).startswith(path) and message in str(caught.value)


def test_a_config_file_that_is_not_there():
    with pytest.raises(UserError, match=r"configs/none\.py does not exist .*get_config"):
        load_config("configs/none.py")
    with pytest.raises(UserError, match="is a folder"):
        load_config(str(ROOT / "configs"))


def test_a_mode_that_a_config_does_not_have():
    with pytest.raises(UserError, match="no mode 'smok': its modes are '', 'study', 'new_tools', 'smoke'"):
        load_config(f"{QUICKSTART}:smok")


def test_a_config_must_have_every_key():
    config = ConfigDict({key: value for key, value in default_config().items() if key != "rounds"})
    with pytest.raises(UserError, match="lacks the key 'rounds'"):
        check_config(config, "mine.py")


def test_a_round_differs_where_its_overrides_say_so():
    config = override(
        "round_overrides.round_001.search.samples=9", "round_overrides.round_001.prefer.learning_rate=0.5", "rounds=3"
    )
    rounds = [round_config(config, index) for index in range(3)]
    assert [r.search.samples for r in rounds] == [3, 9, 3]
    assert [r.prefer.learning_rate for r in rounds] == [
        config.round.prefer.learning_rate,
        0.5,
        rounds[0].prefer.learning_rate,
    ]
    same = [differences(config_to_json(config.round), config_to_json(r)) for r in rounds]
    assert [len(keys) for keys in same] == [0, 2, 0]
    assert config.round.search.samples == 3 and rounds[1].is_locked


@settings(max_examples=30)
@given(st.data())
def test_any_config_survives_json(data):
    """Whatever allowed values the keys take, the JSON form gives them back, typed, and differs where they do."""
    values = {
        int: st.integers(1, 2**31 - 1),
        float: st.floats(0, 1).map(lambda x: max(x, 1e-6)),
        bool: st.booleans(),
        str: st.text(),
        tuple: st.lists(st.text()).map(tuple),
    }
    config = default_config()
    free = [
        key
        for key, value in known_keys().items()
        if type(value) in values and key not in tree.CHOICES and not key.endswith("share")
    ]
    key = data.draw(st.sampled_from(free))
    value = data.draw(values[type(known_keys()[key])])
    config.update_from_flattened_dict({key: value})
    back = config_from_json(config_to_json(config), "config.json")
    assert back.to_dict() == config.to_dict()
    assert type(back[key]) is type(config[key])
    changed = [name for name, _, _ in differences(config_to_json(default_config()), config_to_json(back))]
    assert changed == ([] if back[key] == known_keys()[key] else [key])


def test_json_of_another_version_is_refused():
    values = config_to_json(default_config())
    values["round"]["search"]["depth"] = 3
    with pytest.raises(UserError, match=r"config\.json: there is no config key 'depth'.*another version"):
        config_from_json(values, "config.json")


def test_every_key_of_the_layout_is_one():
    assert set(tree.LAYOUT) < set(known_keys())


@pytest.mark.parametrize(
    ("settings", "deciding"),
    [
        (("mesh.data=2", "mesh.fsdp=2", "model.remat=full", "round.search.trees=8", "evaluate.slots=4"), []),
        (("round_overrides.round_001.search.cohorts=2", "round_overrides.round_000.search.trees=4"), []),
        (("warmup.rows=4", "warmup.accumulate=2", "warmup.keep_last=3", "warmup.checkpoint_every=9"), []),
        (("warmup.rows=4",), [("warmup.rows * accumulate", 8, 4)]),
        (("round.prefer.rows=2",), [("round.prefer.rows * accumulate", 4, 2)]),
        # a round that has its own share of the product
        (("round_overrides.round_001.prefer.rows=2", "round_overrides.round_001.prefer.accumulate=2"), []),
        (
            ("round_overrides.round_001.prefer.rows=2",),
            [("round_overrides.round_001.prefer.rows * accumulate", 4, 2)],
        ),
        (("round.search.arena_tokens=4096",), [("round.search.arena_tokens", 768, 4096)]),
        (("model.dtype=bfloat16", "mesh.tensor=2"), [("model.dtype", "float32", "bfloat16")]),
        (
            ("round_overrides.round_001.search.samples=4",),
            [("round_overrides.round_001.search.samples", "(absent)", 4)],
        ),
    ],
)
def test_what_decides_results_is_all_but_the_layout(settings, deciding):
    assert deciding_differences(override(), override(*settings)) == deciding


BETA = "round_overrides.round_001.prefer.beta"


@pytest.mark.parametrize(
    ("there", "here", "deciding"),
    [
        # before there was BETA_OF_LOSS the default was 2.5, whatever the loss
        (("round.prefer.beta=2.5",), (), []),
        ((f"{BETA}=2.5",), (), []),
        (("round.prefer.beta=2.5", "round.prefer.loss=list_mle"), ("round.prefer.loss=list_mle",), []),
        (("round.prefer.beta=0.1", "round.prefer.loss=dpo"), ("round.prefer.loss=dpo",), []),
        (
            *(("round.prefer.loss=sft", "round.pairs.mode=truth", f"round.prefer.beta={beta}") for beta in (2.5, 0)),
            [],
        ),
        (
            ("round.prefer.beta=2.5", "round.prefer.loss=dpo"),
            ("round.prefer.loss=dpo",),
            [("round.prefer.beta", 2.5, 0.1)],
        ),
        ((f"{BETA}=0.5",), (), [(BETA, 0.5, 2.5)]),
        # in round_001, where the loss is another, beta has always been 0.1
        (
            ("round.prefer.beta=0.1", "round_overrides.round_001.prefer.loss=dpo"),
            ("round_overrides.round_001.prefer.loss=dpo",),
            [("round.prefer.beta", 0.1, 2.5)],
        ),
    ],
)
def test_of_beta_that_counts_which_the_loss_gets(there, here, deciding):
    assert deciding_differences(override(*there), override(*here)) == deciding


def test_a_setting_of_a_round_is_named_where_it_stands():
    config = override("round_overrides.round_001.search.trees=4")
    assert [tree.round_key(config, index, "search.trees") for index in (0, 1)] == [
        "round.search.trees",
        "round_overrides.round_001.search.trees",
    ]
    assert tree.round_key(config, 1, "prefer.rows") == "round.prefer.rows"


def test_where_the_best_of_saved_states_is_the_outcome_it_counts_when_they_are_saved():
    best = "round_overrides.round_001.prefer.keep_best=margin"
    changed = deciding_differences(override(best), override(best, "round.prefer.checkpoint_every=9"))
    assert changed == [("round_overrides.round_001.prefer.checkpoint_every", 200, 9)]
    heldout = ("warmup.keep_best=heldout", "warmup.eval_every=5")
    assert not deciding_differences(override(*heldout), override(*heldout, "warmup.checkpoint_every=9"))


def test_a_run_of_a_large_model_goes_on_on_every_machine_that_trains_alike():
    for path in ("llama3_1_8b", "qwen2_5_7b"):
        for kind in ("", "-full"):
            machines = ("v5e-16", "v6e-16", "v5p-64", "8xh100", *(() if kind else ("1xh200",)))
            first, *others = (load_config(str(ROOT / f"configs/{path}.py:{machine}{kind}")) for machine in machines)
            assert [deciding_differences(first, other) for other in others] == [[]] * len(others)


def test_settings_of_adapters_and_of_full_training_do_not_mix():
    with pytest.raises(UserError, match="param_dtype is 'bfloat16' with lora_rank 8, but adapters are float32"):
        override("model.lora_rank=8", "model.param_dtype=bfloat16")
    with pytest.raises(UserError, match="lora_targets is empty with lora_rank 8: name some of q, k, v, o, gate, up"):
        override("model.lora_rank=8", "model.lora_targets=()")
    assert override("model.lora_rank=8", "model.quantize=nf4").model.lora_targets == LINEAR


def test_labels_are_smoothed_only_where_the_loss_has_them():
    with pytest.raises(
        UserError, match=r"in round_001 prefer.label_smoothing is 0.1 with the loss 'ipo', which has none"
    ):
        override("round_overrides.round_001.prefer.loss=ipo", "round.prefer.label_smoothing=0.1")
    assert override("round.prefer.loss=dpo", "round.prefer.label_smoothing=0.1").round.prefer.label_smoothing == 0.1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            ("search.iterations=2",),
            "with search.iterations 2 and extra_iterations 0, but a group is what one expansion",
        ),
        (("search.extra_iterations=1",), "set them to 1 and 0"),
        (("search.samples=1",), "search.samples is 1 with the loss 'grpo', but one sample is no group: set it to 2"),
        (("pairs.min_gap=0.1",), "pairs.min_gap is 0.1 with pairs.mode 'group', which compares no two sides: set it"),
        (("search.temperature=1.5",), "with search.temperature 1.5 and top_p 1.0, but a group has to be sampled from"),
        (
            ("prefer.sft_weight=0.5",),
            "prefer.sft_weight is 0.5 with the loss 'grpo', which is not of pairs and has no use",
        ),
        (("pairs.weight=gap",), "pairs.weight is 'gap' with the loss 'grpo', which is not of pairs"),
        (("prefer.keep_best=margin",), "prefer.keep_best is 'margin' with the loss 'grpo', which is not of p"),
        (("prefer.ratio_clip=0",), "expected at least 1e-06, at most 1"),
    ],
)
def test_a_group_is_of_samples_of_the_policy_itself(settings, message):
    grpo = ("round.pairs.mode=group", "round.prefer.loss=grpo", "round.search.iterations=1")
    assert override(*grpo).round.prefer.loss == "grpo"
    with pytest.raises(UserError) as caught:
        override(*grpo, *(f"round.{setting}" for setting in settings))
    assert message in str(caught.value)


def test_options_of_the_search_that_do_not_go_together_are_refused():
    with pytest.raises(UserError, match=r"only the walk of puct widens: set select_by"):
        override("round.search.widening=1.0", "round.search.select_by=entropy")
    with pytest.raises(UserError, match=r"a sample alone always agrees: set samples to 2"):
        override("round.search.stop_unanimous=true", "round.search.samples=1")


def test_without_a_beta_a_loss_has_its_usual_one(monkeypatch):
    found = []
    monkeypatch.setattr(rounds_settings, "preference", lambda loss, *, beta, **_: found.append((loss, beta)))
    for setting in ("loss=simpo", "loss=dpo", "loss=orpo", "beta=0.7"):
        rounds_settings.preference_objective(override(f"round.prefer.{setting}").round.prefer)
    assert found == [("simpo", 2.5), ("dpo", 0.1), ("orpo", 0.1), ("simpo", 0.7)]
    assert set(tree.BETA_OF_LOSS) == set(tree.CHOICES["round.prefer.loss"]) - set(tree.NOT_OF_PAIRS)
