"""Rows broken in every place: an importer reads them or says what is wrong, and nothing else ever happens."""

import json
import time
from contextlib import suppress
from dataclasses import replace
from random import Random

import pytest

from itool_jax.data.jsonl import example_from_json, example_to_json
from itool_jax.data.problems import RowError
from itool_jax.data.sources import SOURCES, Row
from itool_jax.data.toolworld import ToolWorld
from itool_jax.errors import UserError
from tests import test_source_api_bank as api_bank
from tests import test_source_glaive as glaive
from tests import test_source_hermes as hermes
from tests import test_source_sgd as sgd_rows
from tests import test_source_toolrl as toolrl
from tests import test_sources as older

JUNK = (
    None,
    True,
    0,
    -1.5,
    "",
    "x",
    "[",
    '{"name": 1}',
    "<tool_call>",
    [],
    [1],
    {},
    {"name": []},
    [[]],
    [{}],
    "\x1b[31m\x00",
)
GOOD = {
    "toolace": older.toolace_row(
        ("human", "Trends?"),
        ("function_call", json.dumps({"name": "API", "arguments": {"country": "us", "top": "3"}})),
        ("observation", '[{"name": "Market Trends API", "results": {}}]'),
        ("gpt", "Up."),
    ),
    "xlam": hermes.xlam_row([hermes.BETA]),
    "glaive": glaive.GLAIVE,
    "hermes": hermes.HERMES,
    "seal_tools": older.seal_row(),
    "sgd": sgd_rows.DIALOGUE,
    "api_bank": api_bank.api_row("API-Request: [Finder(kind=eye)]", api_bank.SEARCH),
    "toolrl": toolrl.toolrl_row(
        toolrl.made(toolrl.ROME), "<user> a </user>", toolrl.made(toolrl.ROME), "<obs> b </obs>"
    ),
    "jsonl": example_to_json(ToolWorld(0).example("hard", 0)),
}


sgd = sgd_rows.sgd  # the fixture


def mutated(rng, value):
    """The value with one place of it changed, JSON inside strings included."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(list(value))
        if rng.random() < 0.1:
            return {name: part for name, part in value.items() if name != key}
        return {**value, key: mutated(rng, value[key])}
    if isinstance(value, list) and value and rng.random() < 0.9:
        place = rng.randrange(len(value))
        kept = rng.choice([[mutated(rng, value[place])], [], [value[place]] * 2])
        return [*value[:place], *kept, *value[place + 1 :]]
    if isinstance(value, str) and value and rng.random() < 0.9:
        try:
            inner = json.loads(value)
        except ValueError:
            start, end = sorted(rng.randrange(len(value) + 1) for _ in range(2))
            return value[:start] + rng.choice(["", "'", '"', "}", "\n", "]", value[start:end] * 2]) + value[end:]
        return json.dumps(mutated(rng, inner)) if isinstance(inner, dict | list) else rng.choice(JUNK)
    return rng.choice(JUNK)


@pytest.mark.parametrize("name", GOOD)
def test_a_broken_row_is_read_or_refused(name, sgd):
    assert set(GOOD) == set(SOURCES)
    source, rng = SOURCES[name], Random(name)
    file = sgd(test=[]) / "test" / "dialogues_001.json.gz"
    row = Row("rows", 1, GOOD[name], source.context(file))
    assert source.examples(row)
    refused = 0
    for _ in range(1500):
        value = GOOD[name]
        for _ in range(rng.randrange(1, 4)):
            value = mutated(rng, value)
        try:
            examples = source.examples(replace(row, value=value))
        except RowError as error:
            refused += 1
            assert error.message and len(str(error)) < 4000
        else:
            for example in examples:
                assert example_from_json(json.loads(json.dumps(example_to_json(example)))) == example
    assert refused > 100


def test_a_broken_schema_is_told(tmp_path, sgd):
    rng, file = Random(1), sgd(test=[]) / "test" / "schema.json"
    good = json.loads(file.read_text())
    refused = 0
    for _ in range(300):
        file.write_text(json.dumps(mutated(rng, mutated(rng, good))))
        try:
            SOURCES["sgd"].context(file.parent / "dialogues_001.json")
        except UserError as error:
            refused += str(file) in str(error)
    assert refused > 100


@pytest.mark.parametrize("filler", ["\n", " ", "\n\n", "(", "<tool_call>", "USER:", "'", "[{", "->", "\\"])
@pytest.mark.parametrize("name", GOOD)
def test_time_is_linear_in_the_text(name, filler, sgd):
    """A long run of any filler at any place in a text takes no more than moments."""
    source, rng = SOURCES[name], Random(name + filler)
    context = source.context(sgd(test=[]) / "test" / "dialogues_001.json.gz")
    began = time.perf_counter()
    for _ in range(5):
        row = Row("rows", 1, filled(rng, GOOD[name], filler * (20_000 // len(filler))), context)
        with suppress(RowError):
            source.examples(row)
    assert time.perf_counter() - began < 5


def filled(rng, value, filler):
    """The value with the filler put into one of its longer texts."""
    if isinstance(value, dict | list):
        places = list(value) if isinstance(value, dict) else range(len(value))
        place = max(places, key=lambda place: len(str(value[place])) * rng.random())
        changed = dict(value) if isinstance(value, dict) else list(value)
        changed[place] = filled(rng, value[place], filler)
        return changed
    place = rng.randrange(len(str(value)) + 1)
    return f"{str(value)[:place]}{filler}{str(value)[place:]}"
