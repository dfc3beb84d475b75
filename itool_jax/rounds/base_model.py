"""The model that a run starts from: its tokenizer and weights, written once into the run directory."""

from __future__ import annotations

import heapq
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import jax
from etils import epath
from ml_collections import ConfigDict

from itool_jax.config_loading import config_to_json
from itool_jax.data.chat import chat_format
from itool_jax.data.example import Example, is_variant
from itool_jax.data.store import TOKENIZER
from itool_jax.data.tokenizer import Tokenizer, train_bpe
from itool_jax.models.config import LoraConfig
from itool_jax.models.loading import load, load_tokenizer
from itool_jax.models.policy import Policy, add_adapters, count_parameters, init_policy, with_remat
from itool_jax.models.presets import preset
from itool_jax.rounds.run_directory import digest_file, digest_of
from itool_jax.training.checkpoints import load_policy, save_policy

_TOKENIZER_EXAMPLES = 4000


def base_inputs(config: ConfigDict) -> dict[str, str]:
    """Digests of all that `write_base` reads but the data: the model's settings, its checkpoint, its tokenizer."""
    cfg = config.model
    inputs = {"settings": digest_of({"model": config_to_json(cfg), "chat": config.data.chat, "seed": config.seed})}
    for name in ("checkpoint", "tokenizer"):
        if cfg[name] and epath.Path(cfg[name]).exists():
            inputs[name] = digest_file(cfg[name])
        elif cfg[name]:
            inputs[name] = cfg[name]
    return inputs


def write_base(config: ConfigDict, examples: Iterable[Example], folder: epath.Path) -> Mapping[str, Any]:
    """Writes tokenizer and weights below `folder`: from a checkpoint, or a fresh model and a tokenizer of the data."""
    cfg = config.model
    if cfg.checkpoint:
        loaded = load(cfg.checkpoint, expected=preset(cfg.preset), tokenizer=cfg.tokenizer)
        policy, tokenizer = loaded.policy, loaded.tokenizer
    else:
        tokenizer = tokenizer_of(config, examples)
        policy = init_policy(replace(preset(cfg.preset), vocab_size=tokenizer.vocab_size), config.seed)
    tokenizer.save(folder / "tokenizer")
    save_policy(folder / "base", policy)
    return {"parameters": count_parameters(policy.params), "vocabulary": tokenizer.vocab_size}


def load_base(config: ConfigDict, folder: epath.Path) -> tuple[Policy, Tokenizer]:
    """What `write_base` wrote, in the config's precision and with fresh adapters where it asks for LoRA."""
    return configured(config, load_policy(folder / "base")), Tokenizer.load(folder / "tokenizer")


def configured(config: ConfigDict, policy: Policy) -> Policy:
    """A policy as `write_base` keeps it -> the one that the run starts from."""
    cfg = config.model
    decoder = policy.decoder.clone(cfg=replace(policy.config, dtype=cfg.dtype))
    policy = with_remat(Policy(decoder, policy.params), cfg.remat or preset(cfg.preset).remat)
    if cfg.lora_rank:
        frozen = jax.tree.map(lambda leaf: leaf.astype(cfg.dtype), policy.params)
        policy = add_adapters(Policy(policy.decoder, frozen), LoraConfig(cfg.lora_rank, cfg.lora_alpha), config.seed)
    return policy


def tokenizer_of(config: ConfigDict, examples: Iterable[Example]) -> Tokenizer:
    """The tokenizer of a run: the config's, the checkpoint's, the prepared store's, or one trained on
    a sample of `examples`, all of which are then read."""
    cfg = config.model
    if cfg.checkpoint:
        return load_tokenizer(cfg.checkpoint, cfg.tokenizer)
    if cfg.tokenizer or config.data.prepared:
        return Tokenizer.load(cfg.tokenizer or epath.Path(config.data.prepared) / TOKENIZER)
    return _train_tokenizer(config, examples)


def _train_tokenizer(config: ConfigDict, examples: Iterable[Example]) -> Tokenizer:
    chat = chat_format(config.data.chat)
    texts = []
    for example in _sample(examples, config.seed):
        texts.extend((*(s.text for s in chat.segments(example) if not s.special), example.answer))
    return train_bpe(texts, config.model.vocab_size, chat.special_tokens, chat.end_of_turn)


def _sample(examples: Iterable[Example], seed: int) -> list[Example]:
    """At most _TOKENIZER_EXAMPLES of all examples but variants, by a hash of seed and id; in their order."""
    keyed = (
        (zlib.crc32(f"tokenizer {seed} {example.id}".encode()), place, example)
        for place, example in enumerate(examples)
        if not is_variant(example)
    )
    chosen = heapq.nsmallest(_TOKENIZER_EXAMPLES, keyed)
    return [example for _, _, example in sorted(chosen, key=lambda row: row[1])]
