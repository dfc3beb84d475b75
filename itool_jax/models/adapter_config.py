"""adapter_config.json of PEFT: which LoRA adapters it describes, and on which model."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from itool_jax.errors import UserError
from itool_jax.models.config import LINEAR, LoraConfig
from itool_jax.models.weights import HUGGING_FACE, some_of

ALL_LINEAR = "all-linear"
_BASE, _REVISION, _TARGETS = "base_model_name_or_path", "revision", "target_modules"
# What these keys may say. Other ways to begin than these change the base, so the adapters are for another one.
_ONE_OF: dict[str, tuple[Any, ...]] = {
    "peft_type": ("LORA",),
    "task_type": ("CAUSAL_LM", None),
    "bias": ("none", None),
    "use_rslora": (False, True, None),
    "init_lora_weights": (True, False, None, "gaussian", "eva", "orthogonal", "mica"),
}
_READ = {"r", "lora_alpha", _TARGETS, _BASE, _REVISION, *_ONE_OF}
# Keys of training, or that say something only together with another key, which is refused.
_WITHOUT_EFFECT = {
    *("lora_dropout", "inference_mode", "auto_mapping", "peft_version", "megatron_core", "qalora_group_size"),
    *("loftq_config", "eva_config", "corda_config", "lora_ga_config", "ensure_weight_tying", "layers_pattern"),
}
_MOST = 1 << 31  # of a rank or an alpha
_LONGEST = 4096  # characters of a path


def lora_from_json(values: Mapping[str, Any], layers: int, where: str) -> LoraConfig:
    """The adapters that an adapter_config.json describes, for a decoder of so many layers.

    Raises UserError that names `where`, and the keys, for anything but plain LoRA that is alike in all layers.
    """
    _refuse_other_kinds(values, where)
    rank, alpha = values.get("r"), values.get("lora_alpha")
    if not isinstance(rank, int) or isinstance(rank, bool) or not 1 <= rank < _MOST:
        raise UserError(f"{where}: r is {_shown(rank)}, expected the adapters' rank, a whole number of at least 1.")
    if not isinstance(alpha, int | float) or isinstance(alpha, bool) or not -_MOST < alpha < _MOST:
        raise UserError(f"{where}: lora_alpha is {_shown(alpha)}, expected the number that, over r, scales them.")
    return LoraConfig(rank, float(alpha), _targets(values.get(_TARGETS), layers, where), bool(values.get("use_rslora")))


def lora_to_json(lora: LoraConfig, base: str) -> dict[str, Any]:
    """adapter_config.json for these adapters on the model `base`; "" names none."""
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        _BASE: base or None,
        "r": lora.rank,
        "lora_alpha": int(lora.alpha) if float(lora.alpha).is_integer() else lora.alpha,
        "use_rslora": lora.rslora,
        _TARGETS: [HUGGING_FACE.parts[name].rpartition(".")[2] for name in lora.targets],
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
        "modules_to_save": None,
    }


def base_name(values: Mapping[str, Any], where: str) -> str:
    """The model that the adapters go on, as the file names it; raises UserError where it names none."""
    name, revision = values.get(_BASE), values.get(_REVISION)
    if not isinstance(name, str) or not name.strip() or len(name) > _LONGEST:
        raise UserError(
            f"{where}: {_BASE} is {_shown(name)}, expected the model that the adapters go on. Write it there, a folder "
            "or OWNER/NAME on the hub, or name it in Python: itool_jax.models.load(FOLDER, base=NAME)."
        )
    if revision not in (None, "", "main"):
        raise UserError(
            f"{where}: {_REVISION} is {_shown(revision)}, expected null, as only a model's newest revision is taken "
            f"from the hub. Download that one, write its folder into {_BASE} there, and null into {_REVISION}."
        )
    return name


def _refuse_other_kinds(values: Mapping[str, Any], where: str) -> None:
    other = [
        f"{key} is {_shown(values.get(key))}, expected {' or '.join(_shown(value) for value in known)}"
        for key, known in _ONE_OF.items()
        if values.get(key) not in known
    ]
    other += [
        f"{_shown(key)[1:-1]} is {_shown(value)}, expected nothing"
        for key, value in values.items()
        if key not in _READ | _WITHOUT_EFFECT and not _is_nothing(value)
    ]
    if other:
        raise UserError(
            f"{where}: {some_of(other, '; ')}. Only plain LoRA, of one rank and alike in all layers, can be read. "
            "PEFT may merge the rest into the weights: AutoPeftModelForCausalLM.from_pretrained(FOLDER)"
            ".merge_and_unload().save_pretrained(OUT). Then load OUT, with the base's tokenizer in it."
        )


def _targets(given: Any, layers: int, where: str) -> tuple[str, ...]:
    """The linear layers that modules by these names, or ends of names, are; each in every layer or in none."""
    if given == ALL_LINEAR:
        return LINEAR
    ours = [HUGGING_FACE.parts[name].rpartition(".")[2] for name in LINEAR]
    if not isinstance(given, list) or not given or not all(isinstance(entry, str) for entry in given):
        found = f"the pattern {_shown(given)}" if isinstance(given, str) else _shown(given)
        raise UserError(
            f"{where}: {_TARGETS} is {found}, expected a list of names, or {_shown(ALL_LINEAR)}. Write there the "
            f"names of the modules that have adapters: some of {', '.join(ours)}."
        )
    named: dict[str, set[tuple[str, int]]] = defaultdict(set)
    for name in LINEAR:
        for layer in range(layers):
            parts = HUGGING_FACE.layer.format(layer, HUGGING_FACE.parts[name]).split(".")
            for start in range(len(parts)):
                named[".".join(parts[start:])].add((name, layer))
    if unknown := [_shown(entry) for entry in given if entry not in named]:
        raise UserError(
            f"{where}: {_TARGETS} has {some_of(unknown)}, expected some of {', '.join(ours)} of {layers} layers, the "
            "only modules that can have adapters here. Merge the adapters in PEFT, and load the merged model."
        )
    chosen = set().union(*(named[entry] for entry in given))
    counts = {name: sum(name == of for of, _ in chosen) for name in LINEAR}
    if partly := [f"{HUGGING_FACE.parts[name]} in {n} of {layers}" for name, n in counts.items() if 0 < n < layers]:
        raise UserError(
            f"{where}: {_TARGETS} has {some_of(partly)} layers, expected all layers or none. Merge the adapters in "
            "PEFT, and load the merged model."
        )
    return tuple(name for name in LINEAR if counts[name])


def _is_nothing(value: Any) -> bool:
    """Empty or off; the number 0 is neither, as it counts layers and tokens."""
    return value is None or value is False or value in ("", [], {})


def _shown(value: Any) -> str:
    text = json.dumps(value).replace("\x7f", "\\u007f")  # the one control character that JSON leaves as it is
    return text if len(text) <= 80 else f"{text[:77]}..."
