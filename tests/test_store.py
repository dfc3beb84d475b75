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
from itool_jax.data.difficulty import difficulty
from itool_jax.data.jsonl import write_examples
from itool_jax.data.prepared import Dialect
from itool_jax.data.store import INDEX, MANIFEST, PreparedStore, read_manifest
from itool_jax.data.tokenizer import Tokenizer
from itool_jax.data.toolworld import ToolWorld
from itool_jax.errors import UserError
from itool_jax.models.config import preset
from itool_jax.models.load import load_model
from itool_jax.rounds.base_model import tokenizer_of
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
        store_writer.write_store(path, prepared(50), dialect(), config="abc")
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
    for name in ("levels", "prompt_tokens", "answer_tokens", "calls"):
        found, expected = getattr(columns, name), getattr(memory, name)
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == expected.dtype


def test_the_manifest_counts_and_names_what_made_it(store):
    manifest, examples = read_manifest(store), prepared(50)
    assert (manifest.examples, manifest.chat, manifest.config) == (50, "compact", "abc")
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
    with pytest.raises(UserError, match="has format 99, this version reads 1"):
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
    examples = prepared(30)
    variants = [replace(p, example=replace(p.example, id=f"{p.id}~{kind}")) for p in examples for kind in "ab"]
    order = Corpus.of([*variants, *examples]).shuffled("s").ids
    plain = Corpus.of(examples).shuffled("s").ids
    assert order == [f"{id}{kind}" for id in plain for kind in ("", "~a", "~b")]


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
    assert list(stream_training_examples(config)) == training_examples(config) == examples
    config.data.limit = 7
    assert list(stream_training_examples(config)) == training_examples(config)
    text = (tmp_path / "a.jsonl").read_text().splitlines()
    (tmp_path / "a.jsonl").write_text("\n".join([*text[:3], "{}", *text[3:]]))
    with pytest.raises(UserError, match=r"a\.jsonl, row 4, field answer: missing"):
        list(stream_training_examples(config))
    config.data.skip_malformed = True
    assert list(stream_training_examples(config)) == training_examples(config)


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
