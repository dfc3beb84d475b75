"""The prepared store: what is read is what was written, in bounded memory, for one tokenizer and chat format only."""

from __future__ import annotations

import json
import subprocess
import sys
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
from itool_jax.data.prepared import Dialect
from itool_jax.data.store import INDEX, MANIFEST, PreparedStore, read_manifest
from itool_jax.data.tally import Tally
from itool_jax.data.tokenizer import Tokenizer
from itool_jax.data.toolworld import ToolWorld
from itool_jax.errors import UserError
from itool_jax.models.config import preset
from itool_jax.models.load import load_model
from itool_jax.rounds import base_model
from itool_jax.rounds.base_model import tokenizer_of
from itool_jax.rounds.data_settings import deciding_settings, matching_manifest
from itool_jax.rounds.inputs import limited_corpus, stream_training_examples, training_examples
from itool_jax.rounds.run_directory import open_run
from itool_jax.rounds.session import Session
from itool_jax.training.checkpoints import load_policy
from tests.worlds import dialect

tfds = pytest.importorskip("tensorflow_datasets", reason="stores need tensorflow-datasets, which is not installed")
store_writer = pytest.importorskip("itool_jax.data.store_writer", reason="stores need array-record")

MIX = {"easy": 1, "medium": 1, "hard": 1}


def prepared(count: int):
    return [dialect().prepare(example) for example in ToolWorld(4).mixture(MIX, count)]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("stores") / "store"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store_writer, "SHARD_EXAMPLES", 16)
        patch.setattr(store_writer, "_INDEX_ROWS", 7)
        store_writer.write_store(path, prepared(50), dialect(), data={"source": "toolworld"})
    return path


@pytest.fixture
def copy(store, tmp_path):
    import shutil

    return shutil.copytree(store, tmp_path / "copy")


def test_what_is_read_is_what_was_written(store):
    opened, examples = PreparedStore(store, dialect()), prepared(50)
    assert len(opened) == 50 and [opened[place] for place in range(50)] == examples
    assert opened[-1] == examples[-1] and isinstance(opened[7].prompt, tuple)
    assert [opened.tokens(place) for place in (31, 0)] == [(p.prompt, p.answer) for p in (examples[31], examples[0])]
    with pytest.raises(IndexError):
        opened[50]
    columns, memory = opened.columns, Corpus.of(examples).columns
    assert columns.ids.to_pylist() == memory.ids.to_pylist()
    for name in ("levels", "prompt_tokens", "answer_tokens", "calls", "variants"):
        found, expected = getattr(columns, name), getattr(memory, name)
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == expected.dtype


def test_the_manifest_counts_and_names_what_made_it(store):
    manifest, examples = read_manifest(store), prepared(50)
    assert (manifest.examples, manifest.chat) == (50, {"chat format": "compact"})
    assert manifest.data == {"source": "toolworld"} and manifest.left_out == Tally().to_json()
    assert manifest.tokenizer == dialect().tokenizer.digest == Tokenizer.load(store / "tokenizer").digest
    assert manifest.prompt_tokens == sum(len(p.prompt) for p in examples)
    assert manifest.answer_tokens == sum(len(p.answer) for p in examples)
    assert manifest.sources == {"toolworld": 50}
    levels = [difficulty(p.example) for p in examples]
    assert manifest.difficulties == {level: levels.count(level) for level in MIX}
    assert len(manifest.shards) == 4 and all((store / name).stat().st_size == n for name, n in manifest.shards.items())


def test_tensorflow_datasets_reads_it_without_tensorflow(store):
    code = f"""
import sys, tensorflow_datasets as tfds
builder = tfds.builder_from_directory({str(store)!r})
source = builder.as_data_source("train")
record = source[20]
print(len(source), builder.info.splits["train"].num_shards, record["id"].decode(), record["prompt"].dtype)
print([name for name in sys.modules if name.partition(".")[0] == "tensorflow"])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [f"50 4 {prepared(50)[20].id} int32", "[]"]


def test_the_builder_is_one_of_tensorflow_datasets(tmp_path):
    builder = store_writer.PreparedExamples(prepared(5), dialect(), data_dir=tmp_path)
    assert isinstance(builder, tfds.core.DatasetBuilder)
    builder.download_and_prepare(file_format="array_record")
    assert [record["id"].decode() for record in builder.as_data_source("train")] == [p.id for p in prepared(5)]


def test_records_are_on_disk_before_the_last_example_is_made(tmp_path, monkeypatch):
    monkeypatch.setattr(store_writer, "SHARD_EXAMPLES", 4)
    finished = []

    def examples():
        for number, example in enumerate(prepared(20)):
            shards = sorted(tmp_path.glob(".store.tmp/**/shard-*"))
            finished.append(sum(shard.stat().st_size > 0 for shard in shards))
            assert not (tmp_path / "store").exists() and number < 20
            yield example

    store_writer.write_store(tmp_path / "store", examples(), dialect())
    assert finished[5] >= 1 and finished[19] >= 4


def test_a_failed_or_killed_attempt_leaves_nothing_that_looks_like_a_store(tmp_path):
    def examples():
        yield from prepared(3)
        raise UserError("the data end badly")

    with pytest.raises(UserError, match="end badly"):
        store_writer.write_store(tmp_path / "store", examples(), dialect())
    assert list(tmp_path.iterdir()) == []
    killed = tmp_path / ".store.tmp" / "prepared_examples" / "1.0.0"
    killed.mkdir(parents=True)
    (killed / "dataset_info.json").write_text("{}")
    store_writer.write_store(tmp_path / "store", prepared(3), dialect())
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_what_cannot_be_written_is_refused(store, tmp_path):
    with pytest.raises(UserError, match="exists: give a new folder"):
        store_writer.write_store(store, prepared(1), dialect())
    with pytest.raises(UserError, match="mounted file systems only"):
        store_writer.write_store("gs://bucket/store", prepared(1), dialect())
    with pytest.raises(UserError, match="no examples to prepare"):
        store_writer.write_store(tmp_path / "empty", [], dialect())
    twice = [*prepared(3), prepared(2)[1]]
    with pytest.raises(UserError, match=f"1 of 4 examples repeat another's id, such as '{twice[3].id}'"):
        store_writer.write_store(tmp_path / "twice", twice, dialect())
    assert list(tmp_path.iterdir()) == []


def test_another_tokenizer_or_chat_format_is_refused(store):
    ours = dialect()
    other = Tokenizer(ours.tokenizer._backend, "<|tool|>")
    with pytest.raises(UserError, match="another tokenizer"):
        PreparedStore(store, Dialect(other, ours.chat))
    with pytest.raises(UserError, match="another chat format: it has compact, the run asks for chatml"):
        PreparedStore(store, Dialect(ours.tokenizer, replace(ours.chat, name="chatml")))


def test_settings_of_the_template_are_told_as_such(tmp_path):
    ours = dialect()
    made = {"chat template": "a" * 64, "config.data.chat_date": "2024-07-26", "config.data.chat_thinking": "False"}
    chat = replace(ours.chat, settings=made)
    store_writer.write_store(tmp_path / "store", prepared(2), Dialect(ours.tokenizer, chat))
    assert len(PreparedStore(tmp_path / "store", Dialect(ours.tokenizer, chat))) == 2
    for changed, told in (
        ({"config.data.chat_date": "2025-01-01"}, "another config.data.chat_date: it has 2024-07-26, the run asks for"),
        (
            {"config.data.chat_thinking": "True"},
            "another config.data.chat_thinking: it has False, the run asks for True",
        ),
        ({"chat template": "b" * 64}, "another chat template: it has aaaaaaaaaaaaaaaa, the run asks for bbbb"),
    ):
        with pytest.raises(UserError, match=told):
            PreparedStore(tmp_path / "store", Dialect(ours.tokenizer, replace(chat, settings=made | changed)))


def test_a_chat_format_that_writes_otherwise_today_is_refused(store):
    ours = dialect()
    changed = replace(ours.chat, write=lambda example, answered: ours.chat.write(example, answered)[1:])
    with pytest.raises(UserError, match="written by another version"):
        PreparedStore(store, Dialect(ours.tokenizer, changed))


def test_damage_is_told(copy, tmp_path):
    with pytest.raises(UserError, match=r"no prepared store: it has no store\.json"):
        PreparedStore(tmp_path, dialect())
    shard = next(copy.glob("*.array_record-00001-*"))
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-1])
    with pytest.raises(UserError, match=f"has {len(whole) - 1} bytes, expected {len(whole)}"):
        PreparedStore(copy, dialect())
    shard.unlink()
    with pytest.raises(UserError, match="is missing"):
        PreparedStore(copy, dialect())
    shard.write_bytes(whole)
    (copy / INDEX).unlink()
    with pytest.raises(UserError, match="describes 0 of 50 examples"):
        PreparedStore(copy, dialect())
    row = json.loads((copy / MANIFEST).read_text())
    (copy / MANIFEST).write_text(json.dumps(row | {"format": 99}))
    with pytest.raises(UserError, match="has format 99, this version reads 2"):
        read_manifest(copy)
    (copy / MANIFEST).write_text("{")
    with pytest.raises(UserError, match="is damaged"):
        read_manifest(copy)


def test_a_corpus_is_cut_without_reading_it(store, monkeypatch):
    opened = PreparedStore(store, dialect())
    monkeypatch.setattr(PreparedStore, "tokens", forbidden)
    monkeypatch.setattr(PreparedStore, "__getitem__", forbidden)
    corpus = opened.corpus()
    expected = Corpus.of(prepared(50))
    order = corpus.shuffled("s")
    assert order.ids == expected.shuffled("s").ids != corpus.ids and set(order.ids) == set(corpus.ids)
    for part, whole in ((order.of_level("hard"), expected), (order[10:20].where(order[10:20].lengths > 60), expected)):
        assert set(part.ids) < set(whole.ids) and len(part)
    assert [corpus.ids[i] for i in (3, 1)] == corpus.take([3, 1]).ids
    assert (order.lengths == [len(expected[expected.ids.index(id)]) for id in order.ids]).all()
    monkeypatch.undo()
    assert [p.id for p in order[5:8]] == order.ids[5:8]


def forbidden(*_):
    raise AssertionError("a record was read")


def test_variants_stay_with_their_example():
    examples = [*prepared(30), *(named(p, f"~mine~a~{number}") for number, p in enumerate(prepared(30)))]
    variants = [named(p, f"{p.id}~{kind}", augmented=kind) for p in examples for kind in "ab"]
    order = Corpus.of([*variants, *examples]).shuffled("s").ids
    plain = Corpus.of(examples).shuffled("s").ids
    assert order == [f"{id}{kind}" for id in plain for kind in ("", "~a", "~b")]


def named(example, name, **meta):
    return replace(example, example=replace(example.example, id=name, meta={**example.example.meta, **meta}))


def test_the_tokenizer_of_a_store_is_that_of_the_run():
    config = load_config("configs/quickstart.py")
    assert config.model.checkpoint
    model = load_model(config.model.checkpoint, preset(config.model.preset))
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
