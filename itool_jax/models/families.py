"""Model families of Hugging Face: which there are, and how their config.json says what the decoder is to be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from itool_jax.errors import UserError
from itool_jax.models.config import DecoderConfig
from itool_jax.models.rope import RopeScaling


class Family(NamedTuple):
    """One architecture.

    switches  what it sets of DecoderConfig
    fixed     keys of its config that the decoder knows one value of, which is transformers' default too
    head_dim  where the config does not say; None is hidden_size / num_attention_heads
    """

    architecture: str
    model_type: str
    switches: Mapping[str, Any]
    fixed: Mapping[str, Any]
    head_dim: int | None = None


FAMILIES = (
    Family("LlamaForCausalLM", "llama", {}, {"attention_bias": False, "mlp_bias": False}),
    Family("Qwen2ForCausalLM", "qwen2", {"qkv_bias": True}, {"use_sliding_window": False}),
    Family("Qwen3ForCausalLM", "qwen3", {"qk_norm": True}, {"attention_bias": False, "use_sliding_window": False}, 128),
)
_FULL = "full_attention"
_CONTEXT = "original_max_position_embeddings"
# Keys of rotary scaling by its kind, and what RopeScaling calls them.
_SCALING: dict[str, dict[str, str]] = {
    "linear": {"factor": "factor"},
    "llama3": {
        "factor": "factor",
        _CONTEXT: "original_context",
        "low_freq_factor": "low_freq_factor",
        "high_freq_factor": "high_freq_factor",
    },
    "yarn": {
        "factor": "factor",
        _CONTEXT: "original_context",
        "beta_fast": "beta_fast",
        "beta_slow": "beta_slow",
        "attention_factor": "attention_factor",
        "truncate": "truncate",
    },
}


def family_of(cfg: DecoderConfig) -> Family:
    """The family whose switches a decoder has; ValueError where none has."""
    for family in FAMILIES:
        if all(getattr(cfg, name) == family.switches.get(name, False) for name in ("qkv_bias", "qk_norm")):
            return family
    raise ValueError("a decoder with both biases and normalised queries is of no family")


def config_from_json(values: Mapping[str, Any], where: str) -> DecoderConfig:
    """The decoder that a config.json describes, as transformers 4 and 5 write it; dtype and remat are not its matter.

    Raises UserError that names `where`, and the keys, for what the decoder cannot be.
    """
    family = _family(values, where)
    expected = {**family.fixed, "hidden_act": "silu"}
    other = [f"{name} = {values[name]!r}" for name, value in expected.items() if values.get(name, value) != value]
    other += [f"layer_types of {kind}" for kind in sorted(set(map(str, values.get("layer_types") or ())) - {_FULL})]
    if other:
        raise UserError(f"{where} asks for {', '.join(other)}, which the decoder does not have.")
    if quantised := values.get("quantization_config"):
        method = quantised.get("quant_method") if isinstance(quantised, Mapping) else quantised
        raise UserError(
            f"{where} is of weights quantised by {str(method)[:40]!r}, which cannot be imported: take the original."
        )
    sizes = _sizes(values, family, where)
    try:
        theta, scaling = _rope(values, where)
        return DecoderConfig(
            **sizes,
            **family.switches,
            rope_theta=theta,
            rope_scaling=scaling,
            norm_eps=float(values.get("rms_norm_eps", 1e-6)),
            tied=bool(values.get("tie_word_embeddings", False)),
        )
    except (TypeError, ValueError) as error:
        raise UserError(f"the sizes in {where} do not fit together: {error}.") from error


def config_to_json(cfg: DecoderConfig, dtype: str) -> dict[str, Any]:
    """config.json for weights in `dtype`, in the form that transformers 4 and 5 both read."""
    family = family_of(cfg)
    values = {
        "architectures": [family.architecture],
        "model_type": family.model_type,
        "vocab_size": cfg.vocab_size,
        "hidden_size": cfg.dim,
        "num_hidden_layers": cfg.layers,
        "num_attention_heads": cfg.heads,
        "num_key_value_heads": cfg.kv_heads,
        "head_dim": cfg.head_dim,
        "intermediate_size": cfg.ffn,
        "rope_theta": cfg.rope_theta,
        "rms_norm_eps": cfg.norm_eps,
        "tie_word_embeddings": cfg.tied,
        "max_position_embeddings": cfg.context,
        "hidden_act": "silu",
        "torch_dtype": dtype,
        **family.fixed,
    }
    if (scaling := cfg.rope_scaling) is not None:
        told = {key: getattr(scaling, name) for key, name in _SCALING[scaling.kind].items()}
        values["rope_scaling"] = {"rope_type": scaling.kind} | {k: v for k, v in told.items() if v is not None}
    return values


def _family(values: Mapping[str, Any], where: str) -> Family:
    architectures = values.get("architectures") or []
    for family in FAMILIES:
        if architectures == [family.architecture]:
            return family
    known = ", ".join(family.architecture for family in FAMILIES)
    raise UserError(f"{where} is of {architectures}: only {known} can be imported.")


def _sizes(values: Mapping[str, Any], family: Family, where: str) -> dict[str, int]:
    def size(key: str, default: int | None = None) -> int:
        value = default if values.get(key) is None else values[key]
        if type(value) is not int or value < 1:
            raise UserError(f"{where}: {key} is {value!r}, expected a whole number of at least 1.")
        return value

    heads, dim = size("num_attention_heads"), size("hidden_size")
    return {
        "vocab_size": size("vocab_size"),
        "dim": dim,
        "layers": size("num_hidden_layers"),
        "heads": heads,
        "kv_heads": size("num_key_value_heads", heads),
        "head_dim": size("head_dim", family.head_dim or dim // heads),
        "ffn": size("intermediate_size"),
        "context": size("max_position_embeddings"),
    }


def _rope(values: Mapping[str, Any], where: str) -> tuple[float, RopeScaling | None]:
    """theta and scaling: in `rope_parameters` by transformers 5, in `rope_theta` and `rope_scaling` by 4."""
    rope = values.get("rope_parameters") or values.get("rope_scaling") or {}
    if not isinstance(rope, Mapping):
        raise UserError(f"{where}: rope_parameters is {rope!r}, expected an object.")
    theta = float(rope.get("rope_theta", values.get("rope_theta", 10_000.0)))
    kind = str(rope.get("rope_type", rope.get("type", "default")))
    if kind == "default":
        return theta, None
    if kind not in _SCALING:
        raise UserError(f"{where} scales rotary embeddings by {kind!r}: only {', '.join(_SCALING)} can be imported.")
    told = ("rope_theta", "rope_type", "type")
    given = {str(key): value for key, value in rope.items() if key not in told and value is not None}
    if given.get("partial_rotary_factor") == 1:
        del given["partial_rotary_factor"]
    if unknown := sorted(given.keys() - _SCALING[kind].keys()):
        raise UserError(f"{where}: {kind} scaling with {', '.join(unknown)}, which the decoder does not know.")
    if kind != "linear":
        given.setdefault(_CONTEXT, values.get("max_position_embeddings"))
    return theta, RopeScaling(kind, **{_SCALING[kind][key]: value for key, value in given.items()})
