"""Importers on the real files of their sources, where they are at hand."""

import gzip
import json

import pytest

from itool_jax.data.sources import read_source
from tests.assets import asset
from tests.source_rows import usable


@pytest.mark.parametrize(
    ("source", "path", "examples", "calling", "bad_rows"),
    [
        ("glaive", "glaive_demo/glaive_toolcall_en_demo.json", 952, 211, 1),
        ("glaive", "glaive_demo/glaive_toolcall_zh_demo.json", 940, 216, 0),
        ("api_bank", "api_bank_train/lv3-api-train.json", 874, 874, 33),
        ("api_bank", "api_bank_train/lv3-response-train.json", 319, 0, 19),
        ("api_bank", "api_bank_train", 1193, 874, 52),
        ("toolrl", "toolace_subset/toolrl_rlla_sft_400.json", 461, 364, 29),
        ("toolrl", "toolace_subset/toolrl_rlla_test_80.parquet", 86, 72, 8),
        ("sgd", "sgd/dev/dialogues_001.json.gz", 1034, 209, 0),
    ],
)
def test_real_files(source, path, examples, calling, bad_rows):
    rows = read_source(source, asset(path), skip_bad=True)
    found = len(rows.items), sum(bool(example.calls) for example in rows.items), len(rows.problems)
    assert found == (examples, calling, bad_rows)
    assert len({example.id for example in rows.items}) == examples
    assert all(map(usable, rows.items))


def test_real_sgd_calls_are_those_of_the_file():
    path = asset("sgd/test/dialogues_001.json.gz")
    dialogues = json.loads(gzip.decompress(path.read_bytes()))
    turns = [turn for dialogue in dialogues for turn in dialogue["turns"] if turn["speaker"] == "SYSTEM"]
    asked = [frame["service_call"] for turn in turns for frame in turn["frames"] if "service_call" in frame]
    wanted = [(call["method"], call["parameters"]) for call in asked]
    examples = read_source("sgd", path).items
    made = [(call.name, {k: str(v) for k, v in call.arguments.items()}) for e in examples for call in e.calls]
    assert made == wanted and len(made) > 100
    assert [e.answer for e in examples if not e.calls] == [turn["utterance"] for turn in turns]
    known = json.loads(gzip.decompress(asset("sgd/train/schema.json.gz").read_bytes()))
    unseen = {name for d in dialogues for name in d["services"]} - {service["service_name"] for service in known}
    assert {name for e in examples for name in e.meta["unseen_services"]} == unseen != set()
