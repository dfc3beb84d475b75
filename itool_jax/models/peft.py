"""Adapters in the layout of PEFT: adapter_config.json, and safetensors with A as [r, in] and B as [out, r]."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from etils import epath
from safetensors.numpy import save_file

from itool_jax import files
from itool_jax.models.config import LoraConfig
from itool_jax.models.policy import Policy
from itool_jax.models.weights import HUGGING_FACE

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


def adapter_bytes(policy: Policy, dtype: str) -> int:
    """Size of the adapters in `dtype`."""
    return sum(leaf.size for leaf in jax.tree.leaves(policy.adapters)) * np.dtype(dtype).itemsize


def save_adapters(folder: epath.Path, policy: Policy, *, base: str = "", dtype: str = "float32") -> None:
    """Writes a policy's adapters (Hu et al. 2021); `base` is the model they go on, as PEFT is to look for it.

    Raises ValueError for a policy without adapters.
    """
    if policy.adapters is None or policy.decoder.lora is None:
        raise ValueError("the policy has no adapters")
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {
        f"base_model.model.{HUGGING_FACE.layer.format(layer, HUGGING_FACE.parts[name])}.lora_{side}.weight": tensor
        for name, adapter in policy.adapters["layers"].items()
        for side, stacked in (("A", _rows(adapter["a"], -1)), ("B", _rows(adapter["b"], 1)))
        for layer, tensor in enumerate(stacked.astype(dtype))
    }
    save_file(tensors, os.fspath(folder / WEIGHTS), metadata={"format": "pt"})
    files.share(folder / WEIGHTS)
    files.write_json(folder / CONFIG, _config(policy.decoder.lora, base))


def _rows(stacked: jax.Array, rank_axis: int) -> np.ndarray:
    """[L, ...] with all axes but that of the rank as one: [L, r, in] for A, whose rank is last, [L, out, r] for B."""
    value = np.asarray(jax.device_get(stacked))
    layers, rank = value.shape[0], value.shape[rank_axis]
    flat = value.reshape((layers, -1, rank) if rank_axis == -1 else (layers, rank, -1))
    return np.ascontiguousarray(flat.swapaxes(1, 2))


def _config(lora: LoraConfig, base: str) -> Mapping[str, Any]:
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base or None,
        "r": lora.rank,
        "lora_alpha": int(lora.alpha) if float(lora.alpha).is_integer() else lora.alpha,
        "use_rslora": lora.rslora,
        "target_modules": [HUGGING_FACE.parts[name].rpartition(".")[2] for name in lora.targets],
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
        "modules_to_save": None,
    }
