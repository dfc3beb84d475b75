"""The examples that a config names: of the simulator, or of files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from random import Random

import numpy as np
from ml_collections import ConfigDict

from itool_jax.data.augment import KINDS, MASKS, NEED_POOL, Augmenter, tool_pool
from itool_jax.data.chat import ChatFormat
from itool_jax.data.corpus import VARIANT, Corpus
from itool_jax.data.decontaminate import EvaluationIndex, Repetition, decontaminated
from itool_jax.data.difficulty import DIFFICULTIES
from itool_jax.data.example import Example
from itool_jax.data.problems import Problem, refuse
from itool_jax.data.sources import located, stream_source
from itool_jax.data.toolworld import LargeWorld, Split, ToolSet, ToolWorld
from itool_jax.errors import UserError
from itool_jax.progress import note

UNSEEN_TOOLS = "unseen_tools"
WITHOUT_DESCRIPTIONS = ("compact",)  # chat formats that show a tool by its signature alone

Tell = Callable[[str], None]


def training_examples(config: ConfigDict) -> list[Example]:
    """The training examples, at most `config.data.limit`, and the variants of them that `config.data.augment` asks for.

    Raises UserError where there are none or two have one id.
    """
    examples = list(_own_examples(config, note))
    if not examples:
        raise UserError("the training data are empty: check config.data.")
    repeated = len(examples) - len({example.id for example in examples})
    if repeated:
        raise UserError(f"{repeated} of {len(examples)} training examples repeat another's id: make the ids unique.")
    chosen = [examples[place] for place in _limited(config, len(examples))]
    return list(_augmented(config, lambda _: iter(chosen), note))


def stream_training_examples(config: ConfigDict, tell: Tell = note) -> Iterator[Example]:
    """What `training_examples` returns, one at a time; that ids are unique is for the caller to check.

    A limit takes a pass of its own, to know what it chooses from, and so do augmentations that need the tools of other
    examples. `tell` gets the notes on what was left out.
    """
    places: Sequence[int] | None = None
    if config.data.limit:
        places = _limited(config, sum(1 for _ in _own_examples(config, _quietly)))

    def chosen(tell: Tell) -> Iterator[Example]:
        wanted = None if places is None else set(places)
        for place, example in enumerate(_own_examples(config, tell)):
            if wanted is None or place in wanted:
                yield example

    return _augmented(config, chosen, tell)


def _augmented(config: ConfigDict, examples: Callable[[Tell], Iterator[Example]], tell: Tell) -> Iterator[Example]:
    """Each example, then its variants."""
    cfg = config.data.augment
    shares = {kind: cfg[kind] for kind in KINDS if cfg[kind]}
    pool = tool_pool(examples(_quietly), cfg.seed) if any(kind in shares for kind in NEED_POOL) else ()
    augmenter = Augmenter(shares, cfg.seed, pool)
    for example in examples(tell):
        yield example
        yield from augmenter.variants(example)
    if shares:
        tell(augmenter.summary())


def check_masks(config: ConfigDict, chat: ChatFormat) -> None:
    """Raises UserError where names are to be masked and the chat format shows nothing else to tell tools by."""
    masked = [kind for kind in MASKS if config.data.augment[kind]]
    if masked and chat.name in WITHOUT_DESCRIPTIONS:
        raise UserError(
            f"config.data.augment.{masked[0]} takes the names away, and the chat format {chat.name!r} shows no "
            "descriptions to tell by: choose another config.data.chat, or set it to 0."
        )


def limited_corpus(config: ConfigDict, corpus: Corpus) -> Corpus:
    """What `config.data.limit` leaves of examples prepared before, each with its variants."""
    ids = corpus.ids
    own = [id for id in ids if VARIANT not in id]
    places = _limited(config, len(own))
    if len(places) == len(own):
        return corpus
    chosen = {own[place] for place in places}
    return corpus.where(np.array([id.partition(VARIANT)[0] in chosen for id in ids]))


def _limited(config: ConfigDict, count: int) -> Sequence[int]:
    """Places of the examples that `config.data.limit` leaves of `count`, by a seeded choice, ascending."""
    if 0 < config.data.limit < count:
        return sorted(Random(config.seed).sample(range(count), config.data.limit))
    return range(count)


def _own_examples(config: ConfigDict, tell: Tell) -> Iterator[Example]:
    """The source's examples without those that repeat a held-out one, if `config.data.decontaminate` asks for that."""
    examples = _source_examples(config, tell)
    return _without_heldout(config, examples, tell) if config.data.decontaminate else examples


def _source_examples(config: ConfigDict, tell: Tell) -> Iterator[Example]:
    data = config.data
    if data.source == "toolworld":
        world = tool_world(config, "train", data.toolworld.tools)
        for level in DIFFICULTIES:
            yield from world.examples(level, data.toolworld.train[level])
    elif data.train:
        for path in data.train:
            yield from _read(config, path, tell)
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


def heldout_examples(config: ConfigDict, name: str) -> Iterator[Example]:
    """Examples of one held-out set; the unseen-tools set is one third of each difficulty."""
    data = config.data
    if data.source != "toolworld":
        yield from _read(config, data.heldout[name], note)
        return
    count = data.toolworld.heldout
    if name in DIFFICULTIES:
        yield from tool_world(config, "heldout", data.toolworld.tools).examples(name, count)
        return
    world = tool_world(config, "heldout", "unseen")
    for number in range(count):
        yield world.example(DIFFICULTIES[number % len(DIFFICULTIES)], number)


def _without_heldout(config: ConfigDict, examples: Iterator[Example], tell: Tell) -> Iterator[Example]:
    sets = {name: heldout_examples(config, name) for name in heldout_names(config)}
    removed: list[Repetition] = []
    kept = 0
    for example in decontaminated(examples, EvaluationIndex(sets, config.data.decontaminate), removed):
        kept += 1
        yield example
    if not removed:
        return
    if not kept:
        raise UserError("every training example repeats a held-out one: check config.data.train and data.heldout.")
    exact, first = sum(found.kind == "exact" for found in removed), removed[0]
    tell(
        f"{len(removed)} of {kept + len(removed)} training examples repeat a held-out one, {exact} exactly, and are "
        f"left out; the first is {first.id}, {first.similarity:.0%} {first.evaluation} of {first.against}"
    )


def tool_world(config: ConfigDict, split: Split, tools: ToolSet) -> ToolWorld | LargeWorld:
    """The simulator that the config names."""
    cfg = config.data.toolworld
    if cfg.world == "large":
        return LargeWorld(cfg.seed, split, tools, cfg.no_call_share, cfg.follow_up_share, **cfg.large)
    return ToolWorld(cfg.seed, split, tools, cfg.no_call_share, cfg.follow_up_share)


def _read(config: ConfigDict, path: str, tell: Tell) -> Iterator[Example]:
    data = config.data
    problems: list[Problem] = []
    good = False
    source = stream_source(data.source, located(data.folder, path), problems.append, skip_bad=data.skip_malformed)
    for example in source:
        good = True
        yield example
    if not good:
        refuse(problems)
    if problems:
        tell(f"{path}: skipped {len(problems)} malformed rows, the first: {problems[0]}")


def _quietly(text: str) -> None:
    """Takes the notes of a pass that is not the last."""
