"""The prepared store: what is read is what was written, in bounded memory, for one tokenizer and chat format only."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from itool_jax.data.corpus import Corpus
from itool_jax.data.difficulty import difficulty
from itool_jax.data.prepared import Dialect
from itool_jax.data.store import INDEX, MANIFEST, PreparedStore, read_manifest
from itool_jax.data.tally import Tally
from itool_jax.data.tokenizer import Tokenizer
from itool_jax.errors import UserError
from tests.worlds import MIX, dialect, forbidden, prepared

tfds = pytest.importorskip("tensorflow_datasets", reason="stores need tensorflow-datasets, which is not installed")
store_writer = pytest.importorskip("itool_jax.data.store_writer", reason="stores need array-record")


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
    with pytest.raises(UserError, match="are read from mounted file systems only"):
        PreparedStore("gs://bucket/store", dialect())
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
    with pytest.raises(UserError, match="has format 99, this version reads 3"):
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


def test_variants_stay_with_their_example():
    examples = [*prepared(30), *(named(p, f"~mine~a~{number}") for number, p in enumerate(prepared(30)))]
    variants = [named(p, f"{p.id}~{kind}", augmented=kind) for p in examples for kind in "ab"]
    order = Corpus.of([*variants, *examples]).shuffled("s").ids
    plain = Corpus.of(examples).shuffled("s").ids
    assert order == [f"{id}{kind}" for id in plain for kind in ("", "~a", "~b")]


def named(example, name, **meta):
    return replace(example, example=replace(example.example, id=name, meta={**example.example.meta, **meta}))
