"""A small dialect, model and data set that several tests share."""

from __future__ import annotations

import functools

import jax

from itool_jax.data.chat import chat_format
from itool_jax.data.example import Example
from itool_jax.data.prepared import Dialect, Prepared
from itool_jax.data.sources import read_source
from itool_jax.data.tokenizer import train_bpe
from itool_jax.data.toolworld import ToolWorld
from itool_jax.models.config import DecoderConfig
from itool_jax.models.policy import Policy, init_policy


@functools.cache
def dialect() -> Dialect:
    chat = chat_format("compact")
    texts = [
        text
        for example in ToolWorld(3).mixture({"easy": 1, "medium": 1, "hard": 1}, 300)
        for text in (*(s.text for s in chat.segments(example) if not s.special), example.answer)
    ]
    return Dialect(train_bpe(texts, 400, chat.special_tokens, chat.end_of_turn), chat)


@functools.cache
def examples(count: int, level: str = "easy") -> tuple[Prepared, ...]:
    return tuple(dialect().prepare(example) for example in ToolWorld(4).examples(level, count))  # pyright: ignore


@functools.cache
def small_policy(seed: int = 0) -> Policy:
    """Random weights, sharpened so that samples differ in likelihood."""
    cfg = DecoderConfig(vocab_size=400, dim=32, layers=2, heads=4, kv_heads=2, head_dim=8, ffn=64, context=512)
    policy = init_policy(cfg, seed)
    sharp = lambda path, leaf: leaf * (1.5 if path[-1].key == "embedding" else 1.0)
    return policy.replace(params=jax.tree_util.tree_map_with_path(sharp, policy.params))


def read_examples(path) -> list[Example]:
    """The examples of a file in the project's own form."""
    return list(read_source("jsonl", path).items)


MIX = {"easy": 1, "medium": 1, "hard": 1}


def prepared(count: int):
    return [dialect().prepare(example) for example in ToolWorld(4).mixture(MIX, count)]


def forbidden(*_):
    raise AssertionError("a record was read")
