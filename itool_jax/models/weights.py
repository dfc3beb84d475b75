"""Weights between files of named tensors, [out, in] as PyTorch has them, and the decoder's parameters.

Tensors are read one at a time, and of each only what this process's devices hold; layers are stacked on the devices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, Sharding, SingleDeviceSharding
from jax.sharding import PartitionSpec as P

from itool_jax.errors import UserError
from itool_jax.models.config import DecoderConfig
from itool_jax.models.quantize import dense
from itool_jax.parallel.mesh import logical_axes, partition_spec

Shape = tuple[int, ...]
Index = tuple[slice, ...]
Read = Callable[[str, Index], np.ndarray]
Added = Callable[[str, int], np.ndarray | None]


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
    layer="model.layers.{}.{}",
    parts={
        "attention_norm": "input_layernorm",
        "q": "self_attn.q_proj",
        "k": "self_attn.k_proj",
        "v": "self_attn.v_proj",
        "q_norm": "self_attn.q_norm",
        "k_norm": "self_attn.k_norm",
        "o": "self_attn.o_proj",
        "ffn_norm": "post_attention_layernorm",
        "gate": "mlp.gate_proj",
        "up": "mlp.up_proj",
        "down": "mlp.down_proj",
    },
)


@dataclass(frozen=True)
class Place:
    """A parameter, and the tensors of a file that it is made of.

    path    in the parameter tree
    shape   in the tree, without the axis of layers
    inputs  how many leading axes of `shape` are inputs, which the file has last; 0 where the axes stand alike
    names   of its tensor, or of one for each layer
    layers  whether it is stacked
    """

    path: tuple[str, ...]
    shape: Shape
    inputs: int
    names: tuple[str, ...]
    layers: bool

    @property
    def file_shape(self) -> Shape:
        if self.inputs:
            return prod(self.shape[self.inputs :]), prod(self.shape[: self.inputs])
        return self.shape if self.path == ("embedding",) else (prod(self.shape),)

    @property
    def full_shape(self) -> Shape:
        return (len(self.names), *self.shape) if self.layers else self.shape

    def to_tree(self, tensor: np.ndarray, shape: Shape) -> np.ndarray:
        """A tensor of the file, or the part of it that has this shape in the tree."""
        return (tensor.T if self.inputs else tensor).reshape(shape)

    def to_file(self, value: np.ndarray) -> np.ndarray:
        if self.inputs:
            return np.ascontiguousarray(value.reshape(self.file_shape[::-1]).T)
        return value.reshape(self.file_shape)

    def in_file(self, index: Index) -> Index:
        """Where the part of the tree's array that `index` names stands in the file's tensor."""
        spans = [part.indices(size)[:2] for part, size in zip(index, self.shape, strict=True)]
        if self.path == ("embedding",):
            return tuple(slice(*span) for span in spans)
        groups = (self.shape[self.inputs :], spans[self.inputs :]), (self.shape[: self.inputs], spans[: self.inputs])
        return tuple(_joined(shape, of) for shape, of in groups if shape)


def places(cfg: DecoderConfig, naming: Naming) -> list[Place]:
    """All parameters of the decoder, the embedding first."""
    D, N, K, H, F = cfg.dim, cfg.heads, cfg.kv_heads, cfg.head_dim, cfg.ffn
    kernels = {
        "q": ((D, N, H), 1), "k": ((D, K, H), 1), "v": ((D, K, H), 1), "o": ((N, H, D), 2),
        "gate": ((D, F), 1), "up": ((D, F), 1), "down": ((F, D), 1),
    }  # fmt: skip
    parts: dict[tuple[str, str], tuple[Shape, int]] = {(name, "kernel"): of for name, of in kernels.items()}
    parts |= {("attention_norm", "scale"): ((D,), 0), ("ffn_norm", "scale"): ((D,), 0)}
    if cfg.qkv_bias:
        parts |= {("q", "bias"): ((N, H), 0), ("k", "bias"): ((K, H), 0), ("v", "bias"): ((K, H), 0)}
    if cfg.qk_norm:
        parts |= {("q_norm", "scale"): ((H,), 0), ("k_norm", "scale"): ((H,), 0)}

    def names(part: str, leaf: str) -> tuple[str, ...]:
        end = "bias" if leaf == "bias" else "weight"
        return tuple(f"{naming.layer.format(layer, naming.parts[part])}.{end}" for layer in range(cfg.layers))

    found = [
        Place(("embedding",), (cfg.vocab_size, D), 0, (naming.embedding,), False),
        *(Place(("layers", *path), shape, inputs, names(*path), True) for path, (shape, inputs) in parts.items()),
        Place(("final_norm", "scale"), (D,), 0, (naming.final_norm,), False),
    ]
    return found if cfg.tied else [*found, Place(("head",), (D, cfg.vocab_size), 1, (naming.head,), False)]


def import_params(
    cfg: DecoderConfig, naming: Naming, found: Mapping[str, Shape], read: Read, source: str, mesh: Mesh | None = None
) -> Any:
    """The decoder's parameters in `cfg.dtype`, laid out over the mesh (without one, on the first device).

    found   the tensors of the file (name: shape)
    read    gives a part of one of them; rotary rows must come in half-split order
    Raises UserError, which names `source` and the tensors, where one is missing, unknown or of another shape.
    """
    wanted = places(cfg, naming)
    require_tensors(
        wanted,
        found,
        f"the tensors of {source} are not those of a decoder of these sizes",
        "Expected a plain Llama, Qwen2 or Qwen3 model, as its config says: no experts, no other biases, nothing merged "
        "or renamed.",
    )
    return read_places(wanted, cfg.dtype, read, mesh)


def require_tensors(wanted: Iterable[Place], found: Mapping[str, Shape], wrong: str, remedy: str) -> None:
    """Raises UserError that lists which tensors of a file are missing, unknown or of another shape."""
    expected = {name: place.file_shape for place in wanted for name in place.names}
    faults = {
        "missing": sorted(expected.keys() - found.keys()),
        "unknown": sorted(found.keys() - expected.keys()),
        "of another shape": [
            f"{name} is {found[name]}, expected {shape}"
            for name, shape in expected.items()
            if name in found and found[name] != shape
        ],
    }
    if any(faults.values()):
        listed = "; ".join(f"{len(names)} {kind}: {some_of(names)}" for kind, names in faults.items() if names)
        raise UserError(f"{wrong}. {listed}. {remedy}")


def read_places(wanted: Iterable[Place], dtype: str, read: Read, mesh: Mesh | None = None) -> Any:
    """A tree of these parameters in `dtype`, laid out over the mesh (without one, on the first device)."""
    tree: dict[str, Any] = {}
    for place in wanted:
        at = tree
        for key in place.path[:-1]:
            at = at.setdefault(key, {})
        at[place.path[-1]] = _placed(place, dtype, read, mesh)
    return tree


class FileTensor(NamedTuple):
    """A tensor to be written: its size in bytes, and what fetches it from the devices."""

    name: str
    bytes: int
    fetch: Callable[[], np.ndarray]


def export_tensors(
    cfg: DecoderConfig, naming: Naming, params: Any, *, dtype: str = "", added: Added | None = None
) -> Iterator[FileTensor]:
    """The tensors of a file, in `dtype` or the parameters' own; those of a layer stand together.

    `added` gives what is added to a linear layer's kernel, in f32 and before it is rounded, or None. A quantised kernel
    is written as the numbers that it stands for, by default in the dtype of the embedding.
    """
    wanted = places(cfg, naming)
    stacked = [place for place in wanted if place.layers]
    order = [(place, 0) for place in wanted if not place.layers]
    order[1:1] = [(place, layer) for layer in range(cfg.layers) for place in stacked]
    for place, layer in order:
        value = params
        for key in place.path:
            value = value[key]
        own = value if isinstance(value, jax.Array | np.ndarray) else params["embedding"]
        kind = jnp.dtype(dtype or own.dtype)
        size = prod(place.shape) * kind.itemsize
        yield FileTensor(place.names[layer], size, partial(_fetch, place, value, layer, kind, added))


def _fetch(place: Place, value: Any, layer: int, dtype: np.dtype, added: Added | None) -> np.ndarray:
    part = jax.tree.map(lambda leaf: leaf[layer], value) if place.layers else value
    one = np.asarray(jax.device_get(dense(part)))
    if added is not None and place.path[-1] == "kernel" and (more := added(place.path[1], layer)) is not None:
        one = one.astype(np.float32) + more
    return place.to_file(one.astype(dtype))


def _placed(place: Place, dtype: str, read: Read, mesh: Mesh | None) -> jax.Array:
    def tensor(name: str, sharding: Sharding) -> jax.Array:
        def local(index: Index | None) -> np.ndarray:
            index = index or (slice(None),) * len(place.shape)
            shape = tuple(len(range(*part.indices(size))) for part, size in zip(index, place.shape, strict=True))
            part = place.to_tree(read(name, place.in_file(index)), shape)
            return np.array(part, jnp.dtype(dtype), order="C")  # a copy: `read` may give the mapped file itself

        return jax.make_array_from_callback(place.shape, sharding, local)

    whole, one = _shardings(place, mesh)
    if not place.layers:
        return tensor(place.names[0], one)
    stacked = jax.jit(partial(jnp.zeros, place.full_shape, dtype), out_shardings=whole)()
    for layer, name in enumerate(place.names):
        stacked = _with_layer(stacked, tensor(name, one), layer)
    return stacked


@partial(jax.jit, donate_argnums=0)
def _with_layer(stacked: jax.Array, value: jax.Array, layer: int) -> jax.Array:
    return jax.lax.dynamic_update_index_in_dim(stacked, value, layer, 0)


def _shardings(place: Place, mesh: Mesh | None) -> tuple[Sharding, Sharding]:
    """Of the whole parameter, and of one layer of it."""
    if mesh is None:
        device = SingleDeviceSharding(jax.local_devices()[0])
        return device, device
    keys = tuple(jax.tree_util.DictKey(key) for key in place.path)
    spec = partition_spec(logical_axes(keys), place.full_shape, mesh)
    return NamedSharding(mesh, spec), NamedSharding(mesh, P(*spec[1:]) if place.layers else spec)


def _joined(shape: Sequence[int], spans: Sequence[tuple[int, int]]) -> slice:
    """One span over axes that the file has as one; only the first of them may be taken in part."""
    if any(span != (0, size) for span, size in zip(spans[1:], shape[1:], strict=True)):
        raise ValueError(f"a part {spans} of axes {shape} that are one in the file: shard the first of them only")
    inner = prod(shape[1:])
    return slice(spans[0][0] * inner, spans[0][1] * inner)


def some_of(names: Iterable[str], between: str = ", ", most: int = 6) -> str:
    """The first of these names, and how many more there are. What a file calls things may be long, or not for print."""
    names = [name[:200] if name.isprintable() else ascii(name[:200]) for name in names]
    return between.join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
