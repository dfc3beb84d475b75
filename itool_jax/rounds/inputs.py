"""The examples that a config names: of the simulator, or of files."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from etils import epath
from ml_collections import ConfigDict

from itool_jax.data.difficulty import DIFFICULTIES
from itool_jax.data.example import Example
from itool_jax.data.sources import read_source
from itool_jax.data.toolworld import LargeWorld, Split, ToolSet, ToolWorld
from itool_jax.errors import UserError
from itool_jax.progress import note

UNSEEN_TOOLS = "unseen_tools"


def training_examples(config: ConfigDict) -> list[Example]:
    """The training examples, at most `config.data.limit`; raises UserError where there are none or two have one id."""
    data = config.data
    if data.source == "toolworld":
        world = tool_world(config, "train", data.toolworld.tools)
        examples = [e for level in DIFFICULTIES for e in world.examples(level, data.toolworld.train[level])]
    elif data.train:
        examples = [example for path in data.train for example in _read(config, path)]
    else:
        raise UserError(f"config.data.train names no files, and the source {data.source!r} needs some.")
    if not examples:
        raise UserError("the training data are empty: check config.data.")
    repeated = len(examples) - len({example.id for example in examples})
    if repeated:
        raise UserError(f"{repeated} of {len(examples)} training examples repeat another's id: make the ids unique.")
    if 0 < data.limit < len(examples):
        chosen = Random(config.seed).sample(range(len(examples)), data.limit)
        examples = [examples[index] for index in sorted(chosen)]
    return examples


def heldout_names(config: ConfigDict) -> tuple[str, ...]:
    """Names of the held-out sets: of the simulator one per difficulty, and one with tools never seen in training.

    Where the training is on the tools that are otherwise unseen, there are no others left for such a set.
    """
    data = config.data
    if data.source != "toolworld":
        return tuple(data.heldout)
    return DIFFICULTIES if data.toolworld.tools == "unseen" else (*DIFFICULTIES, UNSEEN_TOOLS)


def heldout_examples(config: ConfigDict, name: str) -> Iterator[Example]:
    """Examples of one held-out set; the unseen-tools set is one third of each difficulty."""
    data = config.data
    if data.source != "toolworld":
        yield from _read(config, data.heldout[name])
        return
    count = data.toolworld.heldout
    if name in DIFFICULTIES:
        yield from tool_world(config, "heldout", data.toolworld.tools).examples(name, count)
        return
    world = tool_world(config, "heldout", "unseen")
    for number in range(count):
        yield world.example(DIFFICULTIES[number % len(DIFFICULTIES)], number)


def tool_world(config: ConfigDict, split: Split, tools: ToolSet) -> ToolWorld | LargeWorld:
    """The simulator that the config names."""
    cfg = config.data.toolworld
    if cfg.world == "large":
        return LargeWorld(cfg.seed, split, tools, cfg.no_call_share, cfg.follow_up_share, **cfg.large)
    return ToolWorld(cfg.seed, split, tools, cfg.no_call_share, cfg.follow_up_share)


def _read(config: ConfigDict, path: str) -> tuple[Example, ...]:
    data = config.data
    rows = read_source(data.source, epath.Path(data.folder) / path, skip_bad=data.skip_malformed)
    if rows.problems:
        note(f"{path}: skipped {len(rows.problems)} malformed rows, the first: {rows.problems[0]}")
    return rows.items
