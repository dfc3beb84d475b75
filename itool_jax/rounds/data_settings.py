"""Which settings decide what the training examples are, and whether a prepared store was made with the same."""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import Any

from ml_collections import ConfigDict

from itool_jax.config_loading import config_to_json, flatten, known_keys
from itool_jax.data.store import Manifest, read_manifest
from itool_jax.errors import UserError
from itool_jax.evaluation.benchmarks import benchmark_names


def deciding_settings(config: ConfigDict) -> dict[str, Any]:
    """The settings that decide the training examples, by dotted key, as JSON values.

    Left out are those on how examples are written, limited and shared out, and what the source makes no use of;
    held-out sets and benchmarks count where training examples are compared with them. Files count by their path as it
    is written, not by `folder`, and by their name alone where that path is absolute: data may lie elsewhere.
    """
    data = config_to_json(config)["data"]
    compares = bool(data["decontaminate"])
    chosen = {key: data[key] for key in ("source", "decontaminate", "augment")}
    if data["source"] == "toolworld":
        unused = {
            key for key, used in (("heldout", compares), ("large", data["toolworld"]["world"] == "large")) if not used
        }
        chosen["toolworld"] = {key: value for key, value in data["toolworld"].items() if key not in unused}
    else:
        chosen |= {"train": [_name(path) for path in data["train"]], "skip_malformed": data["skip_malformed"]}
        if compares:
            chosen["heldout"] = {name: _name(path) for name, path in data["heldout"].items()}
    deciding: dict[str, Any] = {"data": chosen}
    if compares and config.evaluate.benchmarks:
        categories = sorted("_".join(names) for names in benchmark_names(config.evaluate.benchmarks))
        deciding["evaluate"] = {"benchmarks": categories}
    return flatten(deciding)


def matching_manifest(config: ConfigDict) -> Manifest:
    """The manifest of the store `config.data.prepared`; raises UserError where other settings decided its examples."""
    path, ours = config.data.prepared, deciding_settings(config)
    manifest = read_manifest(path)
    found = [(key, *(_value(settings, key) for settings in (manifest.data, ours))) for key in {**manifest.data, **ours}]
    differing = [f"config.{key} is {there} there and {here} here" for key, there, here in found if there != here]
    if differing:
        raise UserError(
            f"the store {path} was prepared from other data: {'; '.join(differing)}. Set them as they are there, or "
            "prepare a store with this config."
        )
    return manifest


def _value(settings: Any, key: str) -> str:
    """As JSON; the default where the key is not there: it made no difference, or is newer than the store."""
    return json.dumps(settings[key] if key in settings else known_keys().get(key), sort_keys=True)


def _name(path: str) -> str:
    return PurePosixPath(path).name if path.startswith("/") else path
