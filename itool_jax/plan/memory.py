"""Bytes that a program needs on each device, from shapes: its arguments, what it keeps, and its largest working set.

    peak = arguments + kept + the largest working set

arguments   exact: each leaf's shard as the target lays it out, without what the program does not read
kept        gradients; and what the forward pass hands to the backward pass, which the traced program says, whatever
            rematerialisation left of it
working     what one part of one layer, or one chunk of logits, has in memory at its worst; the parts come one after
            another, so only the largest counts. Fused operations leave nothing in memory between them: what counts is
            what products of matrices and the softmax read and write.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.interpreters.partial_eval import dce_jaxpr

from itool_jax.models.forest_blocks import BLOCK, block_size
from itool_jax.parallel.mesh import batch_divisor
from itool_jax.parallel.processes import WEIGHTS
from itool_jax.plan.abstract import laid_out, per_device, shard_shape
from itool_jax.plan.programs import Program
from itool_jax.plan.target import Target
from itool_jax.training.logprobs import CHUNK

F32 = 4


@dataclass(frozen=True)
class Estimate:
    """Bytes on each device by what they are.

    beside  what else the stage has on the devices while the program runs
    """

    arguments: Mapping[str, int]
    kept: Mapping[str, int]
    working: Mapping[str, int]
    beside: Mapping[str, int]

    @property
    def argument_bytes(self) -> int:
        return sum(self.arguments.values())

    @property
    def peak(self) -> int:
        """Of the program by itself."""
        return self.argument_bytes + sum(self.kept.values()) + max(self.working.values(), default=0)


def live(jaxpr: Any) -> tuple[Any, list[bool]]:
    """A traced program without what nothing comes of, and which of its inputs it reads; the others are not passed."""
    return dce_jaxpr(jaxpr.jaxpr, [True] * len(jaxpr.jaxpr.outvars))


def estimate(program: Program, target: Target, jaxpr: Any, reads: list[bool]) -> Estimate:
    """The estimate of a program, whose live jaxpr and inputs `live` gives."""
    size = lambda tree: per_device(tree, target.bytes_of)
    leaves = jax.tree.leaves(program.args)
    unread = {id(leaf) for leaf, read in zip(leaves, reads, strict=True) if not read}
    arguments = {
        name: size([leaf for leaf in jax.tree.leaves(part) if id(leaf) not in unread])
        for name, part in program.parts.items()
    }
    kept, working = {"train": _train, "forward": _forward, "prefill": _prefill, "decode": _decode, "move": _move}[
        program.kind
    ](program, target, jaxpr)
    beside = {name: size(part) for name, part in program.beside.items()}
    return Estimate(arguments, kept, working, beside)


Parts = tuple[dict[str, int], dict[str, int]]


class _Sizes:
    """Bytes of a pass's activations on each device: rows over (data, fsdp), heads, ffn and vocabulary over tensor."""

    def __init__(self, program: Program, target: Target):
        self.cfg = cfg = program.policy.config
        shape, divisor = target.mesh.shape, target.mesh.shape["data"] * target.mesh.shape["fsdp"]
        rows, self.tokens, self.columns = program.passes
        self.rows = rows // divisor if rows % divisor == 0 else rows
        self.itemsize = jnp.dtype(cfg.dtype).itemsize
        self._tensor = shape["tensor"]
        # Scores are products with two batch axes, and take more memory, where a device has several rows and KV heads.
        self.two_axes = self.rows > 1 and self.over_tensor(cfg.kv_heads) > 1
        self._masks = self.two_axes and target.chip is not None and target.chip.masks
        gathered = laid_out(program.policy.params["layers"], target.mesh, WEIGHTS)
        elements = sum(map(_elements, jax.tree.leaves(gathered)))
        self.layer = elements // cfg.layers * self.itemsize  # the weights of a layer, gathered for its products

    def over_tensor(self, size: int) -> int:
        return size // self._tensor if size % self._tensor == 0 else size

    @property
    def stream(self) -> int:
        """One [B, S, D] of the residual stream."""
        return self.rows * self.tokens * self.cfg.dim * self.itemsize

    @property
    def heads(self) -> int:
        """Queries and mixtures, keys and values of a layer."""
        cfg = self.cfg
        heads = 2 * self.over_tensor(cfg.heads) + 2 * self.over_tensor(cfg.kv_heads)
        return self.rows * self.tokens * heads * cfg.head_dim * self.itemsize

    @property
    def scores(self) -> int:
        """Attention's scores in f32."""
        return self.rows * self.over_tensor(self.cfg.heads) * self.tokens * self.columns * F32

    @property
    def probabilities(self) -> int:
        """The scores' softmax, as it is multiplied with the values."""
        return self.scores * self.itemsize // F32

    @property
    def forward_scores(self) -> int:
        """The scores and what the compiler keeps beside them until their softmax is done."""
        return self.scores * (2 if self.two_axes else 1) + self.masks

    def attention(self, backward: bool) -> int:
        """What attention of whole rows has beside queries, keys and values."""
        cfg = self.cfg
        if cfg.attention == "dense":
            return self.forward_scores + self.probabilities * backward
        gradients = self.heads * backward
        if cfg.attention == "tpu":
            return gradients
        heads, size = self.over_tensor(cfg.heads), block_size(self.tokens, BLOCK)
        in_f32 = (heads + 2 * self.over_tensor(cfg.kv_heads) * backward) * self.tokens * cfg.head_dim
        return gradients + self.rows * (3 * heads * size**2 + in_f32) * F32

    @property
    def masks(self) -> int:
        """The mask of all scores in bytes and its f32 constant, where the compiler makes arrays of them."""
        return self.scores + self.scores // F32 if self._masks else 0

    @property
    def ffn(self) -> int:
        """One [B, S, F]."""
        return self.rows * self.tokens * self.over_tensor(self.cfg.ffn) * self.itemsize

    def logits(self, tokens: int) -> int:
        """Logits in f32 of so many tokens, or of all where a device has fewer."""
        return min(tokens, self.rows * self.tokens) * self.over_tensor(self.cfg.vocab_size) * F32

    @property
    def head(self) -> int:
        """The head, gathered for its product."""
        return self.cfg.dim * self.over_tensor(self.cfg.vocab_size) * self.itemsize


def _train(program: Program, target: Target, jaxpr: Any) -> Parts:
    s, trainable = _Sizes(program, target), program.policy.trainable
    gradients = sum(_elements(leaf) * max(leaf.dtype.itemsize, F32) for leaf in jax.tree.leaves(trainable))
    trained_head = any(leaf.shape[-2:] == (s.cfg.dim, s.cfg.vocab_size) for leaf in jax.tree.leaves(trainable))
    kept = {
        "gradients": gradients * (2 if program.repeated > 1 else 1),
        "saved activations": _saved(program, target, jaxpr),
    }
    working = {
        "attention": s.attention(backward=True) + s.heads + 3 * s.stream + s.layer,
        "feed-forward": 6 * s.ffn + 3 * s.stream + s.layer,
        "logits": 2 * s.logits(CHUNK) + s.head * (1 + F32 // s.itemsize * trained_head) + 4 * s.stream,
    }
    return kept, working


def _forward(program: Program, target: Target, jaxpr: Any) -> Parts:
    s = _Sizes(program, target)
    return _cast_weights(program, s), {
        "attention": s.attention(backward=False) + s.heads + 2 * s.stream + s.layer,
        "feed-forward": 3 * s.ffn + 2 * s.stream + s.layer,
        "logits": s.logits(CHUNK) + s.head + 2 * s.stream,
    }


def _prefill(program: Program, target: Target, jaxpr: Any) -> Parts:
    s = _Sizes(program, target)
    s.columns = s.tokens  # the prompt is read before it is written into the arena
    cfg = s.cfg
    cache = 2 * cfg.layers * s.rows * s.tokens * s.over_tensor(cfg.kv_heads) * cfg.head_dim * s.itemsize
    kept = {"KV of the prompts": cache, **_cast_weights(program, s)}
    return kept, {
        "attention": s.scores + s.probabilities + s.heads + 2 * s.stream,
        "feed-forward": 3 * s.ffn + 2 * s.stream,
    }


def _decode(program: Program, target: Target, jaxpr: Any) -> Parts:
    """A round gathers the grown columns that it reads. That they are there twice, and q, k and v too, is the TPU
    compiler's: once a round it lays them out the way that its steps read them."""
    s = _Sizes(program, target)
    arena = program.parts["KV arena"]
    grown = arena.k.shape[3] - program.static["prompt_columns"]
    cast = _cast_weights(program, s)
    kept = {"grown columns, gathered": 2 * per_device(arena) * grown // arena.k.shape[3], **cast}
    if not cast:
        layers = program.policy.params["layers"]
        kept["second copy of q, k, v"] = per_device([layers[name]["kernel"] for name in ("q", "k", "v")])
    return kept, {"attention": 2 * s.scores, "logits": 4 * s.logits(s.rows * s.tokens)}


def _cast_weights(program: Program, s: _Sizes) -> dict[str, int]:
    """Without a backward pass the compiler takes the cast of wider weights out of the loop over layers: all at once."""
    kernels = [leaf for leaf in jax.tree.leaves(program.policy.params["layers"]) if leaf.ndim > 2]
    wider = [leaf for leaf in kernels if leaf.dtype.itemsize > s.itemsize]
    return {f"weights in {s.cfg.dtype}": sum(map(_elements, wider)) * s.itemsize} if wider else {}


def _move(program: Program, target: Target, jaxpr: Any) -> Parts:
    """Keys and values move layer by layer, and are then no more than twice there."""
    arena = program.parts["KV arena"]
    return {}, {"KV of a layer": 2 * per_device(arena) // arena.k.shape[0]}


def _saved(program: Program, target: Target, jaxpr: Any) -> int:
    """What the forward pass stacks up for the backward pass, layer by layer and chunk by chunk.

    A dimension is taken for rows, heads, ffn or vocabulary by its size, and lies on the devices as those do.
    """
    s = _Sizes(program, target)
    cfg = s.cfg
    split = {cfg.heads, cfg.kv_heads, cfg.ffn, cfg.vocab_size} - {s.tokens, s.columns}

    def on_device(shape: tuple[int, ...]) -> int:
        sizes = list(shape)
        if program.passes.rows in sizes[1:]:
            sizes[sizes.index(program.passes.rows, 1)] = s.rows
        elif len(sizes) > 2 and sizes[1] == batch_divisor(target.mesh):  # one part of a chunk's tokens for each device
            sizes[1] = 1
        if cfg.sequence_sharding and sizes[-1] == cfg.dim and len(sizes) > 2 and sizes[-2] == s.tokens:
            sizes[-2] = s.over_tensor(s.tokens)
        wide = next((axis for axis, size in enumerate(sizes) if axis > 1 and size in split), None)
        if wide is not None:
            sizes[wide] = s.over_tensor(sizes[wide])
        return int(np.prod(sizes, dtype=np.int64))

    return sum(on_device(value.shape) * value.dtype.itemsize for value in _stacked(jaxpr))


def _stacked(jaxpr: Any) -> Iterator[Any]:
    """What the loops of the forward pass stack up: the last passes of all loops run backwards, and only they."""
    for equation in jaxpr.eqns:
        params = equation.params
        inner = [value for value in params.values() if hasattr(getattr(value, "jaxpr", value), "eqns")]
        if equation.primitive.name == "scan" and not params["reverse"] and params["length"] > 1:
            yield from (variable.aval for variable in equation.outvars[params["num_carry"] :])
        for value in inner:
            yield from _stacked(getattr(value, "jaxpr", value))


def _elements(leaf: Any) -> int:
    """Of a laid-out leaf on each device."""
    return int(np.prod(shard_shape(leaf), dtype=np.int64))
