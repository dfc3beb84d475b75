"""Adapters in the layout of PEFT: adapter_config.json, and safetensors with A as [r, in] and B as [out, r]."""

from __future__ import annotations

import os
from dataclasses import replace

import jax
import numpy as np
from etils import epath
from jax.sharding import Mesh
from safetensors.numpy import save_file

from itool_jax import files
from itool_jax.errors import UserError
from itool_jax.models.adapter_config import base_name, lora_from_json, lora_to_json
from itool_jax.models.config import DecoderConfig, LoraConfig
from itool_jax.models.hf import open_tensors, read_object
from itool_jax.models.policy import Policy, PyTree
from itool_jax.models.weights import HUGGING_FACE, Place, places, read_places, require_tensors

ADAPTER_CONFIG, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_PICKLE = "adapter_model.bin"
_DTYPE = "float32"  # of adapters, whatever the base's


def is_adapter(folder: epath.Path) -> bool:
    """Whether a folder holds adapters. One that holds a whole model beside them does, as transformers has it."""
    return (folder / ADAPTER_CONFIG).exists()


def adapter_base(folder: epath.Path) -> str:
    """The model that the adapters go on: a path that lies in the folder as its config says, or what the config says.

    Raises UserError where the config names none.
    """
    name = base_name(read_object(folder / ADAPTER_CONFIG), str(folder / ADAPTER_CONFIG))
    return os.fspath(folder / name) if (folder / name).exists() else name


def load_adapters(
    folder: epath.Path, cfg: DecoderConfig, base: str, mesh: Mesh | None = None
) -> tuple[LoraConfig, PyTree]:
    """The adapters of a folder for a decoder, in f32, laid out over the mesh (without one, on the first device).

    base  what the decoder is called in errors
    Raises UserError where they are of another kind than plain LoRA, of a decoder of other sizes, or only a pickle.
    """
    lora = lora_from_json(read_object(folder / ADAPTER_CONFIG), cfg.layers, str(folder / ADAPTER_CONFIG))
    if not (folder / ADAPTER_WEIGHTS).exists():
        found = f", only {_PICKLE}" if (folder / _PICKLE).exists() else ""
        raise UserError(
            f"{folder} has no {ADAPTER_WEIGHTS}{found}. A pickle (.bin) can run code when it is read, so none is. If "
            "you trust one, convert it: AutoPeftModelForCausalLM.from_pretrained(FOLDER).save_pretrained(OUT) writes "
            "safetensors."
        )
    wanted = _places(cfg, lora)
    with open_tensors(folder, {ADAPTER_WEIGHTS: None}) as (found, read):
        require_tensors(
            wanted,
            found,
            f"the tensors of {folder / ADAPTER_WEIGHTS} are not the adapters that {ADAPTER_CONFIG} describes",
            f"Expected lora_A and lora_B of rank {lora.rank} on {', '.join(lora.targets)} in {cfg.layers} layers, and "
            f"nothing else, for the sizes of the base {base}: name the model that they were trained on as the base, "
            "or merge them in PEFT and load the merged model.",
        )
        return lora, read_places(wanted, _DTYPE, read, mesh)


def save_adapters(folder: epath.Path, policy: Policy, *, base: str = "", dtype: str = _DTYPE) -> None:
    """Writes a policy's adapters (Hu et al. 2021); `base` is the model they go on, as PEFT is to look for it.

    Raises ValueError for a policy without adapters.
    """
    if policy.adapters is None or policy.decoder.lora is None:
        raise ValueError("the policy has no adapters")
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {}
    for place in _places(policy.config, policy.decoder.lora):
        _, name, side = place.path
        stacked = np.asarray(jax.device_get(policy.adapters["layers"][name][side])).astype(dtype)
        tensors |= {tensor: place.to_file(stacked[layer]) for layer, tensor in enumerate(place.names)}
    save_file(tensors, os.fspath(folder / ADAPTER_WEIGHTS), metadata={"format": "pt"})
    files.share(folder / ADAPTER_WEIGHTS)
    files.write_json(folder / ADAPTER_CONFIG, lora_to_json(policy.decoder.lora, base))


def adapter_bytes(policy: Policy, dtype: str) -> int:
    """Size of the adapters in `dtype`."""
    return sum(leaf.size for leaf in jax.tree.leaves(policy.adapters)) * np.dtype(dtype).itemsize


def _places(cfg: DecoderConfig, lora: LoraConfig) -> list[Place]:
    """A and B of every linear layer that has adapters, by the place of its kernel."""
    found = []
    for kernel in places(cfg, HUGGING_FACE):
        if kernel.path[-1] != "kernel" or kernel.path[-2] not in lora.targets:
            continue
        fan_in, fan_out = kernel.shape[: kernel.inputs], kernel.shape[kernel.inputs :]
        for side, shape, inputs in (("a", (*fan_in, lora.rank), kernel.inputs), ("b", (lora.rank, *fan_out), 1)):
            end = f".lora_{side.upper()}.weight"
            names = tuple(f"base_model.model.{name.removesuffix('.weight')}{end}" for name in kernel.names)
            found.append(replace(kernel, path=(*kernel.path[:-1], side), shape=shape, inputs=inputs, names=names))
    return found
