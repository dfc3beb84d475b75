"""Runs that read a prepared store, and `data prepare`: the same data as without one, or a refusal that says why."""

import json
from dataclasses import replace

import jax
import numpy as np
import pytest

from itool_jax.cli import main
from itool_jax.config import default_config
from itool_jax.config_loading import load_config
from itool_jax.data.corpus import Corpus
from itool_jax.data.decontaminate import EvaluationIndex
from itool_jax.data.difficulty import difficulty
from itool_jax.data.example import is_variant
from itool_jax.data.jsonl import write_examples
from itool_jax.data.store import PreparedStore, read_manifest
from itool_jax.data.tally import Tally
from itool_jax.data.toolworld import ToolWorld
from itool_jax.errors import UserError
from itool_jax.models.loading import load
from itool_jax.models.presets import preset
from itool_jax.rounds import base_model
from itool_jax.rounds.base_model import tokenizer_of
from itool_jax.rounds.data_settings import deciding_settings, matching_manifest
from itool_jax.rounds.inputs import limited_corpus, stream_training_examples, training_examples
from itool_jax.rounds.run_directory import open_run
from itool_jax.rounds.session import Session
from itool_jax.training.checkpoints import load_policy
from tests.worlds import MIX, dialect, forbidden, prepared

tfds = pytest.importorskip("tensorflow_datasets", reason="stores need tensorflow-datasets, which is not installed")
store_writer = pytest.importorskip("itool_jax.data.store_writer", reason="stores need array-record")


def test_the_tokenizer_of_a_store_is_that_of_the_run():
    config = load_config("configs/quickstart.py")
    assert config.model.checkpoint
    model = load(config.model.checkpoint, expected=preset(config.model.preset))
    assert tokenizer_of(config, []).digest == model.tokenizer.digest


def test_streamed_examples_are_those_of_a_run(tmp_path):
    examples = list(ToolWorld(4).mixture(MIX, 20))
    write_examples(tmp_path / "a.jsonl", examples)
    config = default_config()
    config.data.update(source="jsonl", folder=str(tmp_path), train=("a.jsonl",))
    assert list(stream_training_examples(config, Tally(), None)) == training_examples(config) == examples
    config.data.limit = 7
    assert list(stream_training_examples(config, Tally(), None)) == training_examples(config)
    text = (tmp_path / "a.jsonl").read_text().splitlines()
    (tmp_path / "a.jsonl").write_text("\n".join([*text[:3], "{}", *text[3:]]))
    with pytest.raises(UserError, match=r"a\.jsonl, row 4, field answer: missing"):
        list(stream_training_examples(config, Tally(), None))
    config.data.skip_malformed = True
    assert list(stream_training_examples(config, Tally(), None)) == training_examples(config)


SMALL = [
    f"--config.{key}={value}"
    for key, value in {
        "model.preset": "nano",
        "model.checkpoint": "",
        "model.vocab_size": 400,
        "data.toolworld.train.easy": 12,
        "data.toolworld.train.medium": 8,
        "data.toolworld.train.hard": 8,
        "data.augment.shuffled_tools": 0.5,
        "data.warmup_share": 0.6,
        "data.buffer_share": 0.4,
    }.items()
]


def test_a_run_from_a_store_has_the_data_of_a_run_without(tmp_path, monkeypatch, capsys):
    """Tokenizer, split and tokens are the same; until a row is asked for, only the first record is read."""
    command = ["data", "prepare", "--config=configs/quickstart.py:smoke", *SMALL, f"--out={tmp_path / 'store'}"]
    assert main(command) == 0
    assert "train on them with --config.data.prepared=" in capsys.readouterr().err
    assert main(command) == 2 and "exists: give a new folder" in capsys.readouterr().err
    plain, plain_digest = training_data(tmp_path / "plain")
    reads = []
    whole = PreparedStore.__getitem__

    def counting(store, place):
        reads.append(place)
        return whole(store, place)

    from_store = f"--config.data.prepared={tmp_path / 'store'}"
    with monkeypatch.context() as patch:
        patch.setattr(PreparedStore, "__getitem__", counting)
        patch.setattr("itool_jax.rounds.session.training_examples", forbidden)
        stored, stored_digest = training_data(tmp_path / "stored", from_store)
    assert reads == [0]
    assert_same_data(plain, stored)
    assert plain_digest != stored_digest == read_manifest(tmp_path / "store").digest
    warmup, buffer = ({id.partition("~")[0] for id in part.ids} for part in (stored.warmup, stored.buffer))
    assert len(warmup & buffer) <= 1 and len(stored.warmup) > len(stored.buffer) > 10


FILES = {"source": "jsonl", "folder": "here", "train": ("a.jsonl",), "heldout": {"mine": "b.jsonl"}}


def config_of(**data):
    config = default_config()
    config.data.update(data)
    return config


@pytest.mark.parametrize(
    ("made", "asked", "told"),
    [
        (
            {},
            {"limit": 3, "warmup_share": 0.1, "buffer_share": 0.2, "skip_malformed": True, "chat_thinking": True},
            None,
        ),
        ({}, {"toolworld": {"heldout": 3, "large": {"typo_share": 0.5}}}, None),
        (FILES, {**FILES, "folder": "elsewhere", "heldout": {"mine": "c.jsonl"}, "toolworld": {"seed": 4}}, None),
        (FILES, {**FILES, "train": ("/data/a.jsonl",)}, None),
        (FILES, {**FILES, "train": ("other/a.jsonl",)}, r'train is \["a.jsonl"\] there and \["other/a.jsonl"\] here'),
        (
            FILES,
            {**FILES, "decontaminate": 0.7},
            r"decontaminate is 0.0 there and 0.7 here; config.data.heldout.mine is ",
        ),
        ({**FILES, "decontaminate": 0.7}, FILES, "decontaminate is 0.7 there and 0.0 here"),
        (
            {**FILES, "decontaminate": 0.7},
            {**FILES, "decontaminate": 0.7, "heldout": {"mine": "c.jsonl"}},
            "heldout.mine",
        ),
        (
            {"decontaminate": 0.7},
            {"decontaminate": 0.7, "toolworld": {"heldout": 3}},
            "toolworld.heldout is 1000 there",
        ),
        ({}, {"augment": {"shuffled_tools": 0.5}}, "augment.shuffled_tools is 0.0 there and 0.5 here"),
        (
            {},
            {"toolworld": {"world": "large", "large": {"typo_share": 0.5}}},
            "toolworld.large.typo_share is 0.1 there",
        ),
        ({}, FILES, 'source is "toolworld" there and "jsonl" here'),
        (FILES, {**FILES, "skip_malformed": True}, "skip_malformed is false there and true here"),
    ],
)
def test_a_store_of_other_data_is_refused(tmp_path, made, asked, told):
    store_writer.write_store(tmp_path / "store", prepared(1), dialect(), data=deciding_settings(config_of(**made)))
    config = config_of(**asked, prepared=str(tmp_path / "store"))
    if told is None:
        assert matching_manifest(config).examples == 1
    else:
        with pytest.raises(UserError, match=rf"was prepared from other data: config\.data\..*{told}"):
            matching_manifest(config)


def test_a_run_refuses_a_store_of_other_data(tmp_path):
    store_writer.write_store(tmp_path / "store", prepared(2), dialect(), data=deciding_settings(config_of(**FILES)))
    with pytest.raises(UserError, match=r"config\.data\.source is \"jsonl\" there and \"toolworld\" here"):
        training_data(tmp_path / "run", f"--config.data.prepared={tmp_path / 'store'}")


def test_what_was_removed_is_named_by_store_and_run(tmp_path, monkeypatch, capsys):
    """Plain and from the store: the same list, the same counts, which the manifest of the run has too."""
    train, heldout = list(ToolWorld(4).mixture(MIX, 40)), list(ToolWorld(9, "heldout").examples("hard", 5))
    write_examples(tmp_path / "train.jsonl", [*train, *(replace(e, id=f"copy~{e.id}") for e in heldout[:2])])
    with (tmp_path / "train.jsonl").open("a") as file:
        file.write("{}\n")
    write_examples(tmp_path / "held.jsonl", heldout)
    config = [
        *SMALL,
        f"--config.data.folder={tmp_path}",
        "--config.data.source=jsonl",
        "--config.data.train=train.jsonl",
        "--config.data.heldout.mine=held.jsonl",
        "--config.data.decontaminate=0.95",
        "--config.data.skip_malformed=true",
    ]
    built = []
    index = EvaluationIndex.__init__
    monkeypatch.setattr(EvaluationIndex, "__init__", lambda *given: (built.append(1), index(*given))[1])
    store = tmp_path / "store"
    assert main(["data", "prepare", "--config=configs/quickstart.py:smoke", *config, f"--out={store}"]) == 0
    assert len(built) == 1
    told = capsys.readouterr().err
    assert told.count("2 of 42 training examples repeat a held-out one, 2 exactly") == 1
    assert told.count("skipped 1 malformed rows") == 1 and "augmentation added" in told
    left_out = read_manifest(store).left_out
    assert {key: left_out[key] for key in ("compared", "removed_exact", "removed_near", "malformed")} == {
        "compared": 42,
        "removed_exact": 2,
        "removed_near": 0,
        "malformed": {"train.jsonl": 1},
    }
    rows = [json.loads(line) for line in (store / "removed.jsonl").read_text().splitlines()]
    assert [(row["id"], row["evaluation"], row["against"]) for row in rows] == [
        (f"copy~{e.id}", e.id, "mine") for e in heldout[:2]
    ]
    for name, more in (("plain", []), ("stored", [f"--config.data.prepared={store}"])):
        training_data(tmp_path / name, *config[len(SMALL) :], *more)
        assert (tmp_path / name / "data/removed.jsonl").read_bytes() == (store / "removed.jsonl").read_bytes()
        summary = json.loads((tmp_path / name / "manifest.json").read_text())["stages"]["data"]["summary"]
        assert summary == {"examples": read_manifest(store).examples, **left_out}


def test_the_tokenizer_is_trained_on_a_sample_of_all(monkeypatch):
    """Not on the first examples, which are the easy ones, nor on variants; all of them where they are few."""
    monkeypatch.setattr(base_model, "_TOKENIZER_EXAMPLES", 40)
    config = load_config("configs/quickstart.py:smoke", SMALL)
    with config.unlocked():
        config.data.toolworld.train.update(easy=100, medium=100, hard=100)
    examples = training_examples(config)
    sample = base_model._sample(iter(examples), seed=0)
    ids = [example.id for example in sample]
    assert len(set(ids)) == 40 and not any(is_variant(example) for example in sample)
    assert ids == [example.id for example in examples if example.id in set(ids)]
    assert {difficulty(example) for example in sample} == set(MIX)
    assert ids != [example.id for example in base_model._sample(examples, seed=1)]
    assert base_model._sample(examples[:20], 0) == [example for example in examples[:20] if not is_variant(example)]


def test_own_ids_may_hold_the_mark_of_variants(tmp_path):
    """A limit takes each by itself, of a store too; a name like a variant's is one only where the example says so."""
    examples = [
        replace(example, id=f"mine~{number // 2}~shuffled_tools{number % 2}")
        for number, example in enumerate(ToolWorld(4).mixture(MIX, 30))
    ]
    write_examples(tmp_path / "a.jsonl", examples)
    config = config_of(source="jsonl", folder=str(tmp_path), train=("a.jsonl",), augment={"shuffled_tools": 0.5})
    store_writer.write_store(tmp_path / "store", map(dialect().prepare, training_examples(config)), dialect())
    everything = PreparedStore(tmp_path / "store", dialect()).corpus()
    assert len(everything) > 30 and everything.columns.variants.sum() == len(everything) - 30
    config.data.limit = 7
    limited = training_examples(config)
    assert sum(not is_variant(example) for example in limited) == 7
    assert limited_corpus(config, everything).ids == [example.id for example in limited]
    assert not is_variant(replace(examples[0], id="x~None")) and not is_variant(replace(examples[0], id="x~a"))
    write_examples(tmp_path / "a.jsonl", [replace(examples[0], id="x~a", meta={"augmented": "a"})])
    with pytest.raises(UserError, match=r"'x~a' says by its id and meta\.augmented that it is a variant"):
        training_examples(config)


def test_a_limit_leaves_the_same_of_a_store_with_the_variants():
    config = load_config("configs/quickstart.py:smoke", SMALL)
    everything = Corpus.of(map(dialect().prepare, training_examples(config)))
    with config.unlocked():
        config.data.limit = 20
    limited = training_examples(config)
    assert limited_corpus(config, everything).ids == [example.id for example in limited]
    assert 20 < len(limited) < len(everything)


def assert_same_data(one, other):
    for part in ("warmup", "buffer"):
        assert list(getattr(one, part)) == list(getattr(other, part))


def training_data(workdir, *more):
    with open_run(workdir, load_config("configs/quickstart.py:smoke", [*SMALL, *more])) as run:
        session = Session(run)
        return session.training, session.data_digest


@pytest.mark.slow
def test_a_warm_up_from_a_store_ends_with_the_same_bits(tmp_path):
    arguments = ["--config=configs/quickstart.py:smoke", *SMALL]
    assert main(["data", "prepare", *arguments, f"--out={tmp_path / 'store'}"]) == 0
    weights = []
    for name, more in (("plain", []), ("stored", [f"--config.data.prepared={tmp_path / 'store'}"])):
        assert main(["warmup", *arguments, *more, f"--workdir={tmp_path / name}"]) == 0
        weights.append(load_policy(tmp_path / name / "warmup/hard/checkpoint").params)
    jax.tree.map(np.testing.assert_array_equal, *weights)
