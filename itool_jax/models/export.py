"""Models for others: directories that transformers, vLLM and SGLang load, merged or as adapters for PEFT."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from etils import epath

from itool_jax import files
from itool_jax.errors import UserError
from itool_jax.models.hf import GENERATION, SHARD_BYTES, file_tensors, save_hf
from itool_jax.models.loading import Loaded
from itool_jax.models.peft import adapter_bytes, save_adapters

README = "README.md"
ADAPTER_DTYPE = "float32"  # what adapters are trained in; they are small


def export_hf(
    model: Loaded,
    folder: str | os.PathLike[str],
    *,
    adapter: bool = False,
    dtype: str = "",
    base: str = "",
    card: str = "",
    shard_bytes: int = SHARD_BYTES,
    on_bytes: Callable[[int], None] = lambda _: None,
) -> None:
    """Writes a model with its tokenizer and chat template as a Hugging Face directory, whole or not at all.

    adapter      its LoRA adapters alone, in PEFT's layout; without it they are merged into the weights
    dtype        "float32" or "bfloat16"; "" is the parameters' own, and float32 for adapters
    base         with `adapter`: the model that the adapters go on, a name or path that transformers knows
    card         the text of README.md; "" writes none
    shard_bytes  size of a file of weights, where one tensor is not larger
    on_bytes     told the size of each file of weights when it is written
    Raises UserError where `folder` holds something already or is not local, and with `adapter` for a model without.
    """
    if adapter and model.policy.adapters is None:
        raise UserError("the model has no LoRA adapters, so all its weights were trained: export it without adapter.")
    ids = _token_ids(model)
    with files.new_folder(export_target(folder)) as new:
        model.tokenizer.save(new)
        files.write_json(new / GENERATION, {name: value for name, value in ids.items() if value is not None})
        if adapter:
            save_adapters(new, model.policy, base=base, dtype=dtype or ADAPTER_DTYPE)
            on_bytes(exported_bytes(model, adapter=True, dtype=dtype))
        else:
            save_hf(new, model.policy, dtype=dtype, shard_bytes=shard_bytes, token_ids=ids, on_bytes=on_bytes)
        if card:
            files.write_atomic(new / README, card.encode())


def exported_bytes(model: Loaded, *, adapter: bool, dtype: str) -> int:
    """Size of the weights that `export_hf` writes."""
    if adapter:
        return adapter_bytes(model.policy, dtype or ADAPTER_DTYPE)
    return sum(tensor.bytes for tensor in file_tensors(model.policy, dtype))


def export_target(folder: str | os.PathLike[str]) -> epath.Path:
    """Where `export_hf` writes; raises UserError where that is not local, cannot be written, or holds something."""
    target = epath.Path(folder)
    if not files.is_local(target):
        raise UserError(f"{target} is not on a local disk, where weights have to be written first: copy them from one.")
    target = target.expanduser().resolve()
    there = next(path for path in target.parents if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        what = "no folder" if not there.is_dir() else "a folder that this user may not write to"
        raise UserError(f"cannot write {target}: {there} is {what}. Name another place.")
    files.refuse_filled(target)
    return target


def _token_ids(model: Loaded) -> dict[str, Any]:
    """What begins, ends and pads a text. All are named: transformers' defaults are ids of another vocabulary."""
    known = model.tokenizer.special_names
    roles = {role: name for role, name in model.tokenizer.roles.items() if name in known}
    begins, pads = (
        model.tokenizer.special_id(roles[role]) if role in roles else None for role in ("bos_token", "pad_token")
    )
    stops = list(model.stop_tokens)
    return {"bos_token_id": begins, "eos_token_id": stops[0] if len(stops) == 1 else stops, "pad_token_id": pads}
