"""Hugging Face model directories: config.json, safetensors in one file or several with an index; and the hub."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from etils import epath
from jax.sharding import Mesh
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from itool_jax import files
from itool_jax.errors import UserError
from itool_jax.models.config import DecoderConfig
from itool_jax.models.decoder import Decoder
from itool_jax.models.families import config_from_json, config_to_json
from itool_jax.models.policy import Policy, adapter_delta
from itool_jax.models.weights import HUGGING_FACE, FileTensor, Index, Read, Shape, export_tensors, import_params

CONFIG, WEIGHTS, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
GENERATION = "generation_config.json"
SHARD_BYTES = 5 * 10**9
_JSON_BYTES = 1 << 24  # an index of 100,000 tensors has 9 MB
_PICKLES = ("pytorch_model.bin", "pytorch_model.bin.index.json")
_DERIVED = re.compile(r"model\.(layers\.\d+\.self_attn\.)?rotary_emb\.inv_freq")  # old files hold these too
_HUB_ID = re.compile(r"(?:hub:)?([\w-][\w.-]*/[\w-][\w.-]*)")
FROM_HUB = ("*.json", "*.safetensors", "*.jinja", "additional_chat_templates/*")


def is_hf(folder: epath.Path) -> bool:
    return (folder / CONFIG).exists() and any((folder / name).exists() for name in (WEIGHTS, INDEX, *_PICKLES))


def hub_name(name: str) -> str:
    """OWNER/NAME of a model on the hub, where a name can be one, else ""."""
    found = _HUB_ID.fullmatch(name)
    return found[1] if found else ""


def hub_folder(name: str, files: Sequence[str] = FROM_HUB) -> epath.Path | None:
    """The folder with those files of the model OWNER/NAME, from the hub or its cache; None where it is no such name.

    Raises UserError where the hub does not give it.
    """
    model = hub_name(name)
    if not model:
        return None
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return epath.Path(snapshot_download(model, allow_patterns=list(files)))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise UserError(
            f"the model {model!r} is no local path, and the Hugging Face hub did not give it: {reason[:300]}. Check "
            "its name, your connection, and for gated models your login (`hf auth login`)."
        ) from error


def hf_config(folder: epath.Path) -> DecoderConfig:
    """Shapes from config.json as transformers 4 and 5 write it; raises UserError for what the decoder cannot be."""
    return config_from_json(read_object(folder / CONFIG), str(folder / CONFIG))


def hf_dtype(folder: epath.Path) -> str:
    """What config.json says the weights are: "bfloat16", "float16", ...; "float32" where it says nothing."""
    values = read_object(folder / CONFIG)
    return str(values.get("dtype") or values.get("torch_dtype") or "float32").removeprefix("torch.")


def read_object(path: epath.Path) -> dict[str, Any]:
    """The object in a JSON file from outside; raises UserError where it holds none, or is too large to be one."""
    try:
        with path.open("rb") as file:
            data = file.read(_JSON_BYTES + 1)
        if len(data) > _JSON_BYTES:
            raise ValueError(f"it has more than {_JSON_BYTES:,} bytes")
        value = json.loads(data)
        if not isinstance(value, dict):
            raise ValueError(f"it holds {type(value).__name__}")
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is no JSON object: {error}.") from error
    return value


def load_hf(folder: epath.Path, cfg: DecoderConfig, mesh: Mesh | None = None) -> Policy:
    """The policy with the directory's weights in `cfg.dtype`; `cfg` is `hf_config(folder)` but for dtype and remat."""
    with open_tensors(folder, _weight_files(folder)) as (found, read):
        if cfg.tied and HUGGING_FACE.head in found:
            _check_tied(found, read, folder)
            del found[HUGGING_FACE.head]
        return Policy(Decoder(cfg), import_params(cfg, HUGGING_FACE, found, read, str(folder), mesh))


def save_hf(
    folder: epath.Path,
    policy: Policy,
    *,
    dtype: str = "",
    shard_bytes: int = SHARD_BYTES,
    token_ids: Mapping[str, Any] | None = None,
    on_bytes: Callable[[int], None] = lambda _: None,
) -> None:
    """Writes config.json and safetensors, adapters merged, at most `shard_bytes` a file where it can be.

    dtype      of the tensors; "" is the parameters' own. Adapters are added in f32 and the sum is rounded once
    token_ids  bos_token_id and the like for config.json
    on_bytes   told the size of each file when it is written
    No more than a file's tensors is on the host at a time.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shards: list[list[FileTensor]] = [[]]
    for tensor in file_tensors(policy, dtype):
        if shards[-1] and sum(one.bytes for one in shards[-1]) + tensor.bytes > shard_bytes:
            shards.append([])
        shards[-1].append(tensor)
    weight_map: dict[str, str] = {}
    for number, tensors in enumerate(shards, 1):
        name = WEIGHTS if len(shards) == 1 else f"model-{number:05d}-of-{len(shards):05d}.safetensors"
        save_file({one.name: one.fetch() for one in tensors}, os.fspath(folder / name), metadata={"format": "pt"})
        files.share(folder / name)
        weight_map |= {one.name: name for one in tensors}
        on_bytes(sum(one.bytes for one in tensors))
    if len(shards) > 1:
        total = sum(one.bytes for tensors in shards for one in tensors)
        files.write_json(folder / INDEX, {"metadata": {"total_size": total}, "weight_map": weight_map})
    written = dtype or str(policy.params["embedding"].dtype)
    files.write_json(folder / CONFIG, {**config_to_json(policy.config, written), **(token_ids or {})})


def file_tensors(policy: Policy, dtype: str = "") -> Iterator[FileTensor]:
    """The tensors that `save_hf` writes."""
    added = None if policy.adapters is None else partial(adapter_delta, policy)
    return export_tensors(policy.config, HUGGING_FACE, policy.params, dtype=dtype, added=added)


@contextmanager
def open_tensors(
    folder: epath.Path, weight_files: Mapping[str, set[str] | None]
) -> Iterator[tuple[dict[str, Shape], Read]]:
    """The shapes of all tensors in safetensors files of a folder, and what reads a part of one.

    weight_files  by name of the file: the tensors that it has to hold, and of which no others are taken; None for all
    Raises UserError for files that cannot be read, that lack tensors, or that hold other things than floats.
    """
    with ExitStack() as stack:
        opened: dict[str, Any] = {}
        for file, names in weight_files.items():
            path = folder / file
            try:
                handle = stack.enter_context(safe_open(os.fspath(path), framework="numpy"))
            except (SafetensorError, OSError) as error:
                raise UserError(f"{path} is no safetensors file, or a damaged one: {error}. Get it anew.") from error
            held = set(handle.keys())
            if names is not None and (lacking := sorted(names - held)):
                raise UserError(f"{path} lacks {len(lacking)} tensors that {INDEX} places there, such as {lacking[0]}.")
            opened |= {name: handle.get_slice(name) for name in (held if names is None else names)}
        found = {name: tuple(part.get_shape()) for name, part in opened.items() if not _DERIVED.fullmatch(name)}
        types = sorted({opened[name].get_dtype() for name in found} - {"F64", "F32", "F16", "BF16"})
        if types:
            raise UserError(f"{folder} has tensors of type {', '.join(types)}: only floats can be imported.")

        def read(name: str, index: Index) -> np.ndarray:
            return opened[name][index]

        yield found, read


def _weight_files(folder: epath.Path) -> Mapping[str, set[str] | None]:
    """The files that hold weights, each with the names that the index places there; None where there is no index."""
    if (folder / INDEX).exists():
        placed = read_object(folder / INDEX).get("weight_map")
        if not isinstance(placed, dict) or not placed or not all(map(_is_plain_name, placed.values())):
            raise UserError(f"{folder / INDEX}: weight_map does not map tensors to safetensors files beside it.")
        missing = sorted({name for name in placed.values() if not (folder / name).exists()})
        if missing:
            raise UserError(f"{folder} lacks {len(missing)} files that {INDEX} names, such as {missing[0]}.")
        return {file: {name for name, at in placed.items() if at == file} for file in sorted(set(placed.values()))}
    if (folder / WEIGHTS).exists():
        return {WEIGHTS: None}
    raise UserError(
        f"{folder} has its weights as pickles (.bin), which can run code when they are read, so they are not. If you "
        "trust them, convert them: AutoModelForCausalLM.from_pretrained(DIR).save_pretrained(OUT) writes safetensors."
    )


def _is_plain_name(name: object) -> bool:
    """A safetensors file in the folder itself."""
    return isinstance(name, str) and name == Path(name).name and name.endswith(".safetensors")


def _check_tied(found: Mapping[str, Shape], read: Read, folder: epath.Path) -> None:
    """A tied model may hold its head a second time, but not another one."""
    head, embedding = HUGGING_FACE.head, HUGGING_FACE.embedding
    count, step = found[head][0], 4096
    rows = [(slice(start, min(start + step, count)), slice(None)) for start in range(0, count, step)]
    same = found[head] == found.get(embedding) and all(
        np.array_equal(read(head, part), read(embedding, part)) for part in rows
    )
    if not same:
        raise UserError(
            f"{folder / CONFIG} says that the head is the embedding (tie_word_embeddings), but {head} is another "
            "matrix: set tie_word_embeddings to false there if the head was trained by itself."
        )
