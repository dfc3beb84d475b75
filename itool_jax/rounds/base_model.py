"""The model that a run starts from: its tokenizer and weights, written once into the run directory."""

from __future__ import annotations

import heapq
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import jax
from etils import epath
from jax.sharding import Mesh
from ml_collections import ConfigDict

from itool_jax.config import LAYOUT
from itool_jax.config_loading import config_to_json, known_keys
from itool_jax.data.chat import chat_format
from itool_jax.data.example import Example, is_variant
from itool_jax.data.store import TOKENIZER
from itool_jax.data.tokenizer import Tokenizer, train_bpe
from itool_jax.models.config import DecoderConfig, LoraConfig
from itool_jax.models.loading import base_of, load, load_tokenizer, shape_of
from itool_jax.models.policy import Policy, add_adapters, count_parameters, init_policy, merge_adapters
from itool_jax.models.presets import FRESH, preset
from itool_jax.parallel.mesh import shard
from itool_jax.rounds.run_directory import digest_file, digest_of
from itool_jax.training.checkpoints import load_policy, save_policy

_TOKENIZER_EXAMPLES = 4000


def base_inputs(config: ConfigDict) -> dict[str, str]:
    """Digests of all that `write_base` reads but the data: the model's settings, its checkpoint, its tokenizer.

    Beside a folder of adapters that is also the base of theirs. What the hub has stands for itself by its name.
    Settings of the layout count as their defaults: the weights are the same.
    """
    cfg = config.model
    layout = {key.removeprefix("model."): known_keys()[key] for key in LAYOUT if key.startswith("model.")}
    model = config_to_json(cfg) | layout
    inputs = {"settings": digest_of({"model": model, "chat": config.data.chat, "seed": config.seed})}
    base = base_of(cfg.checkpoint) if cfg.checkpoint and epath.Path(cfg.checkpoint).exists() else ""
    for name, source in (("checkpoint", cfg.checkpoint), ("base", base), ("tokenizer", cfg.tokenizer)):
        if source:
            inputs[name] = digest_file(source) if epath.Path(source).exists() else source
    return inputs


def base_shape(cfg: ConfigDict) -> DecoderConfig:
    """The decoder that `config.model` asks for: a preset, or its checkpoint's own sizes; dtype is that of its weights.

    Raises UserError where there is no such preset, or no such checkpoint.
    """
    shape = preset(cfg.preset or FRESH) if _is_preset(cfg) else shape_of(cfg.checkpoint)
    return replace(shape, dtype=cfg.dtype if cfg.lora_rank else cfg.param_dtype, **_layout(cfg))


def _layout(cfg: ConfigDict) -> dict[str, Any]:
    """How `config.model` has the decoder run, beside its dtype."""
    remat = cfg.remat or (preset(cfg.preset or FRESH).remat if _is_preset(cfg) else "full")
    return {"remat": remat, "attention": cfg.attention, "sequence_sharding": cfg.sequence_sharding}


def _is_preset(cfg: ConfigDict) -> bool:
    """Whether the shape is a preset's, and not that of the checkpoint."""
    return bool(cfg.preset or not cfg.checkpoint)


def in_dtype(policy: Policy, dtype: str) -> Policy:
    """The policy with its parameters in this dtype."""
    return policy.replace(params=jax.tree.map(lambda leaf: leaf.astype(dtype), policy.params))  # pyright: ignore


def write_base(config: ConfigDict, examples: Iterable[Example], folder: epath.Path, mesh: Mesh) -> Mapping[str, Any]:
    """Writes tokenizer and weights below `folder`: from a checkpoint, or a fresh model and a tokenizer of the data.

    The weights have the dtype that the run uses them in; no process holds more of them than its devices do. Adapters
    of a checkpoint are merged into its weights, so that a run starts from whole weights whatever it trains itself.
    """
    cfg = config.model
    shape = base_shape(cfg)
    if cfg.checkpoint:
        loaded = load(cfg.checkpoint, expected=shape, tokenizer=cfg.tokenizer, mesh=mesh)
        policy, tokenizer, stops = merge_adapters(loaded.policy, consume=True), loaded.tokenizer, loaded.stop_tokens
    else:
        tokenizer = tokenizer_of(config, examples)
        policy = init_policy(replace(shape, vocab_size=tokenizer.vocab_size), config.seed, mesh)
        stops = (tokenizer.end_of_turn_id,)
    policy = in_dtype(policy, shape.dtype)
    tokenizer.save(folder / "tokenizer")
    save_policy(folder / "base", policy)
    counts = {"parameters": count_parameters(policy.params), "vocabulary": tokenizer.vocab_size}
    base = base_of(cfg.checkpoint) if cfg.checkpoint else ""
    return {**counts, "stop_tokens": stops} | ({"adapters_on": base} if base else {})


def load_base(config: ConfigDict, folder: epath.Path, mesh: Mesh) -> tuple[Policy, Tokenizer]:
    """What `write_base` wrote, over the mesh: quantised and with fresh adapters where the config asks for that."""
    policy = load_policy(folder / "base", mesh=mesh, quantize=config.model.quantize)
    policy = configured(config, policy)
    policy = policy.replace(adapters=shard(policy.adapters, mesh))  # pyright: ignore
    return policy, Tokenizer.load(folder / "tokenizer")


def configured(config: ConfigDict, policy: Policy) -> Policy:
    """A policy as `write_base` keeps it, quantised if it is to be -> the one that the run starts from."""
    cfg = config.model
    decoder = policy.decoder.clone(cfg=replace(policy.config, dtype=cfg.dtype, **_layout(cfg)))
    frozen = ("embedding",) if cfg.freeze_embeddings else ()
    policy = Policy(decoder, policy.params, frozen=frozen)
    if cfg.lora_rank:
        lora = LoraConfig(cfg.lora_rank, cfg.lora_alpha, tuple(cfg.lora_targets), cfg.lora_rslora)
        policy = add_adapters(policy, lora, config.seed)
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
