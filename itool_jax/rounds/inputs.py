"""The examples that a config names: of the simulator, or of files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from random import Random

import numpy as np
from ml_collections import ConfigDict

from itool_jax.data.augment import KINDS, MASKS, NEED_POOL, Augmenter, tool_pool
from itool_jax.data.chat import ChatFormat
from itool_jax.data.corpus import Corpus
from itool_jax.data.decontaminate import EvaluationIndex
from itool_jax.data.difficulty import DIFFICULTIES
from itool_jax.data.example import Example, Message, is_variant
from itool_jax.data.problems import Problem
from itool_jax.data.sources import check_names, located, stream_source
from itool_jax.data.tally import Tally
from itool_jax.data.toolworld import LargeWorld, Split, ToolSet, ToolWorld
from itool_jax.errors import UserError
from itool_jax.toolcall import Tool

UNSEEN_TOOLS = "unseen_tools"
_DESCRIBED = Tool("described", "What it is for")


def training_examples(config: ConfigDict, tally: Tally | None = None) -> list[Example]:
    """The training examples, at most `config.data.limit`, and the variants of them that `config.data.augment` asks for.

    `tally` counts what was left out. Raises UserError where there are none or two have one id.
    """
    tally = tally or Tally()
    examples = list(_own_examples(config, evaluation_index(config, tally), tally))
    if not examples:
        raise UserError("the training data are empty: check config.data.")
    repeated = len(examples) - len({example.id for example in examples})
    if repeated:
        raise UserError(f"{repeated} of {len(examples)} training examples repeat another's id: make the ids unique.")
    chosen = [examples[place] for place in _limited(config, len(examples))]
    return list(_augmented(config, lambda _: iter(chosen), tally))


def stream_training_examples(config: ConfigDict, tally: Tally, index: EvaluationIndex | None) -> Iterator[Example]:
    """What `training_examples` returns, one at a time; that ids are unique is for the caller to check.

    A limit takes a pass of its own, to know what it chooses from, and so do augmentations that need the tools of other
    examples. `tally` counts what was left out, and `index` is that of `evaluation_index`.
    """
    places: Sequence[int] | None = None
    if config.data.limit:
        places = _limited(config, sum(1 for _ in _own_examples(config, index, Tally())))

    def chosen(tally: Tally) -> Iterator[Example]:
        wanted = None if places is None else set(places)
        for place, example in enumerate(_own_examples(config, index, tally)):
            if wanted is None or place in wanted:
                yield example

    return _augmented(config, chosen, tally)


def evaluation_index(config: ConfigDict, tally: Tally) -> EvaluationIndex | None:
    """The examples to compare with: of all held-out sets, and of the benchmarks that the run is evaluated on.

    None where `config.data.decontaminate` asks for no comparison; UserError where it does and there are none.
    """
    threshold = config.data.decontaminate
    if not threshold:
        return None
    sets = {name: heldout_examples(config, name, tally) for name in heldout_names(config)}
    if config.evaluate.benchmarks:
        from itool_jax.evaluation.benchmarks import benchmark_questions  # with the benchmark's package

        sets |= benchmark_questions(config.evaluate.benchmarks, config.evaluate.api_bank)
    index = EvaluationIndex(sets, threshold)
    if not len(index):
        raise UserError(
            f"config.data.decontaminate is {threshold}, but there is nothing to compare with: no user says anything in "
            f"the held-out sets and benchmarks ({', '.join(sets) or 'none'}). Name sets in config.data.heldout or "
            "config.evaluate.benchmarks, or set it to 0."
        )
    return index


def _augmented(config: ConfigDict, examples: Callable[[Tally], Iterator[Example]], tally: Tally) -> Iterator[Example]:
    """Each example, then its variants."""
    cfg = config.data.augment
    shares = {kind: cfg[kind] for kind in KINDS if cfg[kind]}
    pool = tool_pool(examples(Tally()), cfg.seed) if any(kind in shares for kind in NEED_POOL) else ()
    augmenter = Augmenter(shares, cfg.seed, pool, tally)
    for example in examples(tally):
        yield example
        yield from augmenter.variants(example)


def check_masks(config: ConfigDict, chat: ChatFormat) -> None:
    """Raises UserError where names are to be masked and the chat format shows nothing else to tell tools by."""
    masked = [kind for kind in MASKS if config.data.augment[kind]]
    example = Example("that tries the chat format", (_DESCRIBED,), (Message("user", "Hello."),), "Hello.")
    if masked and _DESCRIBED.description not in chat.render_prompt(example):
        raise UserError(
            f"config.data.augment.{masked[0]} takes the names away, and the chat format {chat.name!r} shows no "
            "descriptions to tell by: choose another config.data.chat, or set it to 0."
        )


def limited_corpus(config: ConfigDict, corpus: Corpus) -> Corpus:
    """What `config.data.limit` leaves of examples prepared before, each with its variants."""
    own = corpus.where(~corpus.columns.variants)
    places = _limited(config, len(own))
    if len(places) == len(own):
        return corpus
    chosen = set(own.take(places).ids)
    return corpus.where(np.array([id in chosen for id in corpus.base_ids]))


def _limited(config: ConfigDict, count: int) -> Sequence[int]:
    """Places of the examples that `config.data.limit` leaves of `count`, by a seeded choice, ascending."""
    if 0 < config.data.limit < count:
        return sorted(Random(config.seed).sample(range(count), config.data.limit))
    return range(count)


def _own_examples(config: ConfigDict, index: EvaluationIndex | None, tally: Tally) -> Iterator[Example]:
    """The source's examples without those that repeat one of `index`."""
    for example in _source_examples(config, tally):
        if is_variant(example):
            raise UserError(
                f"training example {example.id!r} says by its id and meta.augmented that it is a variant of another, "
                "which config.data.augment alone makes: rename it, or take meta.augmented away."
            )
        tally.compared += index is not None
        found = None if index is None else index.repetition(example)
        if found is None:
            yield example
        else:
            tally.removed.append(found)
    if tally.removed and len(tally.removed) == tally.compared:
        raise UserError("every training example repeats a held-out one: check config.data.train and data.heldout.")


def _source_examples(config: ConfigDict, tally: Tally) -> Iterator[Example]:
    data = config.data
    if data.source == "toolworld":
        world = tool_world(config, "train", data.toolworld.tools)
        for level in DIFFICULTIES:
            yield from world.examples(level, data.toolworld.train[level])
    elif data.train:
        check_names(data.source, [located(data.folder, path) for path in data.train])
        for path in data.train:
            yield from _read(config, path, tally)
    else:
        raise UserError(f"config.data.train names no files, and the source {data.source!r} needs some.")


def heldout_names(config: ConfigDict) -> tuple[str, ...]:
    """Names of the held-out sets: of the simulator one per difficulty, and one with tools never seen in training.

    Where the training is on the tools that are otherwise unseen, there are no others left for such a set.
    """
    data = config.data
    if data.source != "toolworld":
        return tuple(data.heldout)
    return DIFFICULTIES if data.toolworld.tools == "unseen" else (*DIFFICULTIES, UNSEEN_TOOLS)


def heldout_examples(config: ConfigDict, name: str, tally: Tally) -> Iterator[Example]:
    """Examples of one held-out set; the unseen-tools set is one third of each difficulty.

    `tally` counts the rows that are skipped, at the end.
    """
    data = config.data
    if data.source != "toolworld":
        yield from _read(config, data.heldout[name], tally)
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


def _read(config: ConfigDict, path: str, tally: Tally) -> Iterator[Example]:
    data = config.data
    problems: list[Problem] = []
    file = located(data.folder, path)
    yield from stream_source(data.source, file, problems.append, skip_bad=data.skip_malformed, tell=tally.said.append)
    if problems:
        tally.malformed[path] = len(problems), problems[0]
