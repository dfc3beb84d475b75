"""Weights from files of named tensors, [out, in] as PyTorch has them: checked, then stacked over the layers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import prod
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from itool_jax.errors import UserError
from itool_jax.models.config import DecoderConfig

Shape = tuple[int, ...]


class Naming(NamedTuple):
    """What a file format calls the decoder's tensors; `layer` holds places for the layer's number and a part's name."""

    embedding: str
    final_norm: str
    head: str
    layer: str
    parts: Mapping[str, str]


HUGGING_FACE = Naming(
    embedding="model.embed_tokens.weight",
    final_norm="model.norm.weight",
    head="lm_head.weight",
    layer="model.layers.{}.{}.weight",
    parts={
        "attention_norm": "input_layernorm",
        "q": "self_attn.q_proj",
        "k": "self_attn.k_proj",
        "v": "self_attn.v_proj",
        "o": "self_attn.o_proj",
        "ffn_norm": "post_attention_layernorm",
        "gate": "mlp.gate_proj",
        "up": "mlp.up_proj",
        "down": "mlp.down_proj",
    },
)


def import_params(
    cfg: DecoderConfig, naming: Naming, found: Mapping[str, Shape], read: Callable[[str], np.ndarray], source: str
) -> Any:
    """The decoder's parameters in `cfg.dtype`, from the tensors `found` (name: shape) that `read` gives one at a time.

    Rotary rows must come in half-split order. Raises UserError, which names `source` and the tensors, where one is
    missing, unknown or of another shape.
    """
    _check(_file_shapes(cfg, naming), found, source)
    dtype = jnp.dtype(cfg.dtype)

    def whole(name: str) -> jax.Array:
        return jnp.array(read(name), dtype)  # a copy: what `read` gives may be the file itself, mapped into memory

    def stacked(part: str, shape: Shape) -> dict[str, Any]:
        layers = np.empty((cfg.layers, *shape), dtype)
        for layer in range(cfg.layers):
            layers[layer] = read(naming.layer.format(layer, naming.parts[part])).T.reshape(shape)
        return {_leaf(part): jnp.asarray(layers)}

    params = {
        "embedding": whole(naming.embedding),
        "layers": {part: stacked(part, shape) for part, shape in _part_shapes(cfg).items()},
        "final_norm": {"scale": whole(naming.final_norm)},
    }
    return params if cfg.tied else params | {"head": whole(naming.head).T}


def export_params(cfg: DecoderConfig, naming: Naming, params: Any) -> dict[str, np.ndarray]:
    """Named tensors, [out, in], of host parameters: what `import_params` reads back to the same bits."""
    named = {naming.embedding: params["embedding"], naming.final_norm: params["final_norm"]["scale"]}
    if not cfg.tied:
        named[naming.head] = np.ascontiguousarray(params["head"].T)
    shapes = _file_shapes(cfg, naming)
    for part in _part_shapes(cfg):
        stacked = params["layers"][part][_leaf(part)]
        for layer in range(cfg.layers):
            name = naming.layer.format(layer, naming.parts[part])
            named[name] = np.ascontiguousarray(stacked[layer].reshape(shapes[name][::-1]).T)
    return named


def _leaf(part: str) -> str:
    return "scale" if part.endswith("norm") else "kernel"


def _part_shapes(cfg: DecoderConfig) -> dict[str, Shape]:
    D, N, K, H, F = cfg.dim, cfg.heads, cfg.kv_heads, cfg.head_dim, cfg.ffn
    return {
        "attention_norm": (D,),
        "q": (D, N, H),
        "k": (D, K, H),
        "v": (D, K, H),
        "o": (N, H, D),
        "ffn_norm": (D,),
        "gate": (D, F),
        "up": (D, F),
        "down": (F, D),
    }


def _file_shapes(cfg: DecoderConfig, naming: Naming) -> dict[str, Shape]:
    def flat(part: str, shape: Shape) -> Shape:
        inputs = 2 if part == "o" else 1
        return shape if len(shape) == 1 else (prod(shape[inputs:]), prod(shape[:inputs]))

    shapes = {naming.embedding: (cfg.vocab_size, cfg.dim), naming.final_norm: (cfg.dim,)}
    if not cfg.tied:
        shapes[naming.head] = (cfg.vocab_size, cfg.dim)
    for part, shape in _part_shapes(cfg).items():
        for layer in range(cfg.layers):
            shapes[naming.layer.format(layer, naming.parts[part])] = flat(part, shape)
    return shapes


def _check(expected: Mapping[str, Shape], found: Mapping[str, Shape], source: str) -> None:
    wrong = [
        f"{name} is {found[name]}, expected {shape}"
        for name, shape in expected.items()
        if name in found and found[name] != shape
    ]
    faults = {
        "missing": sorted(expected.keys() - found.keys()),
        "unknown": sorted(found.keys() - expected.keys()),
        "of another shape": wrong,
    }
    if any(faults.values()):
        listed = "; ".join(f"{len(names)} {kind}: {_some(names)}" for kind, names in faults.items() if names)
        raise UserError(
            f"the tensors of {source} are not those of a Llama decoder of these sizes. {listed}. "
            "Name a file of a plain Llama model: no biases, no experts, no rotary scaling."
        )


def _some(names: Iterable[str], most: int = 6) -> str:
    names = list(names)
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
