"""Where rows come from: arrays, lines and Parquet, gzipped, in folders and on the hub, a row at a time."""

import gzip
import json
import shutil
import tracemalloc
from random import Random

import pytest

from itool_jax import cli
from itool_jax.config import CHOICES
from itool_jax.data.jsonl import example_to_json, write_examples
from itool_jax.data.problems import Problem
from itool_jax.data.sources import SOURCES, check_names, hub, located, read_source, rows, scan_source
from itool_jax.data.sources.rows import numbered_rows
from itool_jax.data.toolworld import ToolWorld
from itool_jax.errors import UserError

EXAMPLES = list(ToolWorld(1).examples("easy", 12))


def talk(text):
    return {"conversations": [{"from": "human", "value": text}, {"from": "gpt", "value": "Yes."}], "tools": "[]"}


def some_text(rng):
    return "".join(rng.choice('ab"\\[]{},: \n\u2028é世😀') for _ in range(rng.randrange(30)))


def some_value(rng, depth=0):
    kind = rng.randrange(5 if depth < 4 else 3)
    if kind == 0:
        return rng.choice([0, -7, 12345678901234567890, 1.5e-7, True, None])
    if kind < 3:
        return some_text(rng)
    values = [some_value(rng, depth + 1) for _ in range(rng.randrange(4))]
    return values if kind == 3 else {some_text(rng): value for value in values}


@pytest.mark.parametrize("chunk", [1, 2, 7, 64, 1 << 16])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_arrays_in_chunks_of_any_size(tmp_path, monkeypatch, chunk, ascii_only):
    monkeypatch.setattr(rows, "_CHUNK", chunk)
    rng = Random(chunk)
    for case in range(20):
        values = [some_value(rng) for _ in range(rng.randrange(8))] + [12]
        text = json.dumps(values, ensure_ascii=ascii_only, indent=rng.choice([None, 1]))
        path = tmp_path / f"{case}.json"
        path.write_bytes(rng.choice([b"", b"\xef\xbb\xbf"]) + f" {text}\n ".encode())
        found = list(numbered_rows(path))
        assert [number for number, _ in found] == list(range(1, len(values) + 1))
        assert [json.loads(row) for _, row in found] == values


def test_gzip_lines_arrays_and_parquet_hold_the_same_rows(tmp_path):
    from pyarrow import Table, parquet

    texts = [talk(f"Row {number}: é") for number in range(5)]
    (tmp_path / "a.json").write_text(json.dumps(texts))
    (tmp_path / "b.jsonl").write_text("\n".join(map(json.dumps, texts)))
    (tmp_path / "c.json.gz").write_bytes(gzip.compress(json.dumps(texts).encode()))
    (tmp_path / "d.jsonl.gz").write_bytes(gzip.compress("\n".join(map(json.dumps, texts)).encode()))
    parquet.write_table(Table.from_pylist(texts), tmp_path / "e.parquet")
    first, *others = [read_source("glaive", path).items for path in sorted(tmp_path.iterdir())]
    assert [example.messages[0].content for example in first] == [f"Row {number}: é" for number in range(5)]
    for examples, name in zip(others, "bcde", strict=True):
        assert [example.id for example in examples] == [f"glaive/{name}/{row}/1" for row in range(1, 6)]
        assert [example.messages for example in examples] == [example.messages for example in first]


def test_a_folder_is_read_in_the_order_of_names_and_only_what_the_source_knows(tmp_path):
    for name in ("b.jsonl", "a.json", "c.jsonl"):
        (tmp_path / name).write_text(json.dumps([talk(name)]) if name == "a.json" else json.dumps(talk(name)))
    (tmp_path / "README.md").write_text("no data")
    (tmp_path / "c.jsonl").write_text("{}\n")
    found = read_source("glaive", tmp_path, skip_bad=True)
    assert [example.id for example in found.items] == ["glaive/a/1/1", "glaive/b/1/1"]
    assert [problem.file for problem in found.problems] == [str(tmp_path / "c.jsonl")]
    (tmp_path / "a.jsonl").write_text("")
    with pytest.raises(UserError, match="two files named a"):
        read_source("glaive", tmp_path)


def test_ids_must_differ_over_all_files_of_a_folder(tmp_path):
    for name in ("a.jsonl", "b.jsonl"):
        write_examples(tmp_path / name, EXAMPLES[:2])
    found = read_source("jsonl", tmp_path, skip_bad=True)
    assert [(problem.row, problem.field) for problem in found.problems] == [(1, "id"), (2, "id")]
    assert found.items == tuple(EXAMPLES[:2])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json.gz", gzip.compress(b'[{"a": 1}]', mtime=0)[:-9], "cannot read the data file"),
        ("a.json.gz", b"plain", "cannot read the data file .*Not a gzipped file"),
        ("a.json", b'["\xff"]', "is not UTF-8 near byte 2"),
        ("a.json", b'["a" "b"]', "row 1 is not followed by a comma .* near '\"b\"]'"),
        ("a.json", b'["a",]', "row 2 cannot be read as JSON, near ']'"),
        ("a.json", b'["a"', "row 1 is not followed by a comma"),
        ("a.json", b"[" + b"[" * 100_000, "row 1 cannot be read as JSON"),
        ("a.json", b"[1] [2]", "row 1 is the last of the array, and more text follows"),
        ("a.parquet", b"PAR1", "cannot read the Parquet file"),
    ],
)
def test_a_broken_file_is_told_by_name(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UserError, match=message) as error:
        list(numbered_rows(path))
    assert str(path) in str(error.value)


@pytest.mark.parametrize("name", ["long.json", "long.jsonl"])
def test_a_row_without_end_is_refused_before_it_fills_the_memory(tmp_path, monkeypatch, name):
    monkeypatch.setattr("itool_jax.data.sources.rows.MAX_ROW", 1000)
    monkeypatch.setattr("itool_jax.data.streams.MAX_ROW", 1000)
    monkeypatch.setattr(rows, "_CHUNK", 100)
    path = tmp_path / name
    path.write_text(("[" if name == "long.json" else "") + '"' + "x" * 100_000)
    with pytest.raises(UserError, match=r"row 1 cannot be read|line 1 is longer"):
        list(numbered_rows(path))


@pytest.mark.parametrize("name", ["big.json", "big.jsonl", "big.jsonl.gz"])
def test_memory_stays_that_of_a_few_rows(tmp_path, name):
    line = json.dumps(talk("x" * 2000))
    lines = [line] * 2000  # 4 MB
    text = f"[{','.join(lines)}]" if name == "big.json" else "\n".join(lines)
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode(), 1) if name.endswith("gz") else text.encode())
    del lines, text
    tracemalloc.start()
    count = sum(1 for _ in scan_source("glaive", path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 2000
    assert peak < 1_500_000


def test_good_rows_come_before_the_bad_one_is_reached(tmp_path):
    path = tmp_path / "rows.json"
    path.write_text(json.dumps([talk("a"), talk("b")])[:-1] + ", {broken")
    found = []
    with pytest.raises(UserError, match="row 3 cannot be read"):
        for item in scan_source("glaive", path):
            found.append(item)
    assert len(found) == 2 and not any(isinstance(item, Problem) for item in found)


def test_names_of_sources_agree_wherever_they_stand():
    assert tuple(SOURCES) == cli.SOURCES
    assert CHOICES["data.source"] == ("toolworld", *SOURCES)


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("hub:a/b", ("a/b", None, None, "train")),
        ("hub:Team-ACE/ToolACE:test", ("Team-ACE/ToolACE", None, None, "test")),
        ("hub:a/b.c@0fba6fb/func_calling:train", ("a/b.c", "0fba6fb", "func_calling", "train")),
        ("hub:a/b/config", ("a/b", None, "config", "train")),
    ],
)
def test_hub_names(text, data):
    assert tuple(hub.parse_hub(text)) == data
    assert located("folder", text) == text


@pytest.mark.parametrize("text", ["hub:a", "hub:", "hub:a/b:", "hub:../b", "hub:a/b/c/d", "hub:a/b:x y"])
def test_no_hub_names(text):
    with pytest.raises(UserError, match="names no data set of the hub"):
        list(scan_source("toolace", text))


def test_paths_of_a_config_start_in_its_folder():
    assert located("data", "a.jsonl") == "data/a.jsonl"
    assert located("data", "/a.jsonl") == "/a.jsonl"


@pytest.fixture
def hub_folder(tmp_path, monkeypatch):
    """A data set in the hub's layout, found in the place of the hub's."""
    pytest.importorskip("datasets", reason="the extra hub is not installed")
    monkeypatch.chdir(tmp_path)
    data = tmp_path / "acme" / "calls" / "data"
    data.mkdir(parents=True)
    for split, count in (("train", 3), ("test", 1)):
        lines = [json.dumps(talk(f"{split} {number}")) for number in range(count)]
        (data / f"{split}-00000-of-00001.jsonl").write_text("\n".join(lines))
    return data


def test_hub_data_are_streamed_by_split(hub_folder):
    train = read_source("glaive", "hub:acme/calls").items
    assert [example.id for example in train] == [f"glaive/acme/calls/train/{row}/1" for row in (1, 2, 3)]
    assert [example.messages[0].content for example in train] == ["train 0", "train 1", "train 2"]
    [test] = read_source("glaive", "hub:acme/calls:test").items
    assert test.messages[0].content == "test 0"


def test_ids_of_hub_data_tell_name_config_and_split_but_no_revision():
    texts = ("hub:a/b", "hub:a/b:test", "hub:a/b/train", "hub:a/c", "hub:a/b/x:test", "hub:a/b@12/x:test")
    labels = [hub.parse_hub(text).label for text in texts]
    assert labels == ["a/b/train", "a/b/test", "a/b/train/train", "a/c/train", "a/b/x/test", "a/b/x/test"]


def test_two_data_sets_of_the_hub_go_together(hub_folder):
    shutil.copytree(hub_folder.parent, hub_folder.parents[1] / "more")
    both = [example for name in ("calls", "more") for example in read_source("glaive", f"hub:acme/{name}").items]
    assert len({example.id for example in both}) == len(both) == 6


def test_files_of_one_name_do_not_go_together_and_are_named(tmp_path):
    for folder in ("a", "b", "c"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / ("other.json" if folder == "c" else "data.json")).write_text(json.dumps([talk(folder)]))
    first, second, third = (str(tmp_path / folder) for folder in ("a", "b", "c"))
    check_names("glaive", [first, third, "hub:x/data:train"])
    check_names("seal_tools", [f"{first}/data.json", f"{second}/data.json"])  # ids of its own
    message = rf"^{first}/data\.json and {second}/data\.json cannot be used together: .* glaive/data/ROW.* Rename one"
    for paths in ([first, second], [f"{first}/data.json", third, second]):
        with pytest.raises(UserError, match=message):
            check_names("glaive", paths)


def test_hub_rows_that_are_bad_are_named(hub_folder):
    path = hub_folder / "train-00000-of-00001.jsonl"
    path.write_text(path.read_text() + "\n" + json.dumps(talk(" ")))
    [problem] = read_source("glaive", "hub:acme/calls", skip_bad=True).problems
    assert (problem.file, problem.row, problem.field) == ("hub:acme/calls", 4, "conversations[0].value")


def test_what_the_hub_cannot_give_is_told(hub_folder):
    with pytest.raises(UserError, match=r"acme/calls, config default, split dev, after 0 rows: .*dev"):
        read_source("glaive", "hub:acme/calls:dev")


def test_code_of_a_data_set_is_never_run(hub_folder):
    (hub_folder.parent / "calls.py").write_text(f"open({str(hub_folder / 'trace')!r}, 'w')")
    with pytest.raises(UserError, match="cannot read the hub's data set"):
        read_source("glaive", "hub:acme/calls")
    assert not (hub_folder / "trace").exists()


def test_without_datasets_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "datasets", None)
    with pytest.raises(UserError, match=r"pip install 'itool-jax\[hub\]'"):
        read_source("glaive", "hub:acme/calls")


def test_our_own_rows_as_an_array_too(tmp_path):
    path = tmp_path / "mine.json"
    path.write_text(json.dumps([example_to_json(example) for example in EXAMPLES]))
    assert read_source("jsonl", path).items == tuple(EXAMPLES)
