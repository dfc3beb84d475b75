"""Config files and command-line overrides: reading them, checking every key and type, and their JSON form."""

from __future__ import annotations

import difflib
import functools
import json
import re
import runpy
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from itool_jax.config import (
    CHOICES,
    LAYOUT,
    LINEAR,
    MAXIMUMS,
    MINIMUMS,
    MODES_OF_LOSS,
    NOT_OF_PAIRS,
    OPEN_MAPPINGS,
    PAIRS,
    SMOOTHED,
    default_config,
    resolve_beta,
    resolve_round,
)
from itool_jax.errors import UserError

_KINDS = {int: "an integer", float: "a number", bool: "true or false", str: "a text", tuple: "a list of texts"}
_TRUTH = {"true": True, "1": True, "false": False, "0": False}
_COMMAND_LINE = "the command line"
_ROUND = re.compile(r"round_overrides\.round_\d{3}\.")


def load_config(spec: str, overrides: Sequence[str] = ()) -> ConfigDict:
    """The locked config of `FILE` or `FILE:MODE`, with overrides such as `--config.round.search.samples=4` applied.

    Raises UserError where the file is missing or fails, where a key is unknown (naming the nearest known one) and where
    a value has another type than its default, is none of its choices, is out of range, or does not go with another.
    """
    match = re.fullmatch(r"(.*\.py):(.*)", spec)
    file, arguments = (match[1], (match[2],)) if match else (spec, ())
    config = _run_config_file(file, arguments)
    check_config(config, where=file)
    for override in overrides:
        _apply(config, override)
    _check_together(config, where=f"{file} with what the command line sets" if overrides else file)
    return _seal(config)


def check_config(config: Any, where: str) -> None:
    """Raises UserError unless `config` has just the keys of `default_config`, each with a value that fits there."""
    if not isinstance(config, ConfigDict):
        raise UserError(f"{where}: get_config returned {type(config).__name__}; expected a ConfigDict")
    leaves = flatten(config)
    for key, value in leaves.items():
        if key not in OPEN_MAPPINGS:
            check_value(key, value, where)
    for key in known_keys():
        if key not in leaves and key not in OPEN_MAPPINGS:
            raise UserError(f"{where}: the config lacks the key {key!r}; start from itool_jax.config.default_config()")


def check_value(key: str, value: Any, where: str) -> None:
    """Raises UserError where the key is unknown, where the value has the wrong type, and where it is not allowed."""
    default = _default_at(key, where)
    if not _fits(value, default):
        raise _wrong_type(key, default, repr(value), where)
    key_in_tree = _ROUND.sub("round.", key)
    choices = CHOICES.get(key_in_tree)
    given = value if isinstance(value, tuple) else (value,)
    if choices and (wrong := [item for item in given if item not in choices]):
        has, some = ("names", "any") if isinstance(value, tuple) else ("is", "one")
        raise UserError(f"{where}: config.{key} {has} {wrong[0]!r}; expected {some} of {', '.join(map(repr, choices))}")
    if isinstance(value, int | float) and not isinstance(value, bool):
        _check_range(key_in_tree, key, value, where)


def _check_range(key_in_tree: str, key: str, value: float, where: str) -> None:
    least = MINIMUMS.get(key_in_tree.rpartition(".")[2], 0)
    most = next((limit for end, limit in MAXIMUMS.items() if key_in_tree.endswith(end)), None)
    if not least <= value <= (sys.float_info.max if most is None else most):
        wanted = "finite" if most is None else f"at most {most}"
        raise UserError(f"{where}: config.{key} is {value}; expected at least {least}, {wanted}")


def _check_together(config: ConfigDict, where: str) -> None:
    """Raises UserError where keys that are fine by themselves do not go together."""
    _check_model(config.model, where)
    if config.warmup.keep_best == "heldout" and not config.warmup.eval_every:
        raise UserError(
            f"{where}: config.warmup.keep_best is 'heldout' with eval_every 0, but only evaluations can tell which "
            "state is best by it: set config.warmup.eval_every, to checkpoint_every say, or keep_best to 'loss'."
        )
    for name in (None, *config.round_overrides):
        round, place = resolve_round(config, name) if name else config.round, name or "config.round"
        _check_search(round.search, place, where)
        _check_prefer(round, place, where)


def _check_search(search: ConfigDict, name: str, where: str) -> None:
    if search.arena_tokens < search.answer_tokens:
        raise UserError(
            f"{where}: in {name} search.arena_tokens is {search.arena_tokens}, less than the "
            f"{search.answer_tokens} answer_tokens that one sample may take: make it several times as many."
        )
    if search.widening and search.select_by != "puct":
        raise UserError(
            f"{where}: in {name} search.widening is {search.widening} with search.select_by {search.select_by!r}, but "
            "only the walk of puct widens: set select_by to 'puct', or widening to 0."
        )
    if search.stop_unanimous and search.samples < 2:
        raise UserError(
            f"{where}: in {name} search.stop_unanimous is set with search.samples {search.samples}, but a sample alone "
            "always agrees: set samples to 2 or more, or stop_unanimous to False."
        )
    if search.reward and search.gamma < 1:
        raise UserError(
            f"{where}: in {name} search.gamma is {search.gamma} with the reward {search.reward!r}, which grades "
            "finished answers alone: set gamma to 1, or reward to ''."
        )


def _check_prefer(round: ConfigDict, name: str, where: str) -> None:
    prefer, pairs, search = round.prefer, round.pairs, round.search
    loss, grpo, not_of_pairs = prefer.loss, prefer.loss == "grpo", prefer.loss in NOT_OF_PAIRS
    fitting = MODES_OF_LOSS.get(loss, PAIRS)
    others = [other for other in CHOICES["round.prefer.loss"] if pairs.mode in MODES_OF_LOSS.get(other, PAIRS)]
    compares_nothing = pairs.mode in ("right", "group", "truth")
    listed = lambda values: ", ".join(map(repr, values))
    of_loss = f"with the loss {loss!r}"
    wrong = {
        f"pairs.mode is {pairs.mode!r} and prefer.loss {loss!r}, which do not go together: set prefer.loss to one of "
        f"{listed(others)}, or pairs.mode to one of {listed(fitting)}": pairs.mode not in fitting,
        f"prefer.sft_weight is {prefer.sft_weight!r} {of_loss}, which is not of pairs and has no use for it: set it to "
        "0": not_of_pairs and prefer.sft_weight,
        f"pairs.weight is {pairs.weight!r} {of_loss}, which is not of pairs and has no use for it: set it to ''": (
            not_of_pairs and pairs.weight
        ),
        f"prefer.keep_best is {prefer.keep_best!r} {of_loss}, which is not of pairs and has none: set it to 'loss'": (
            not_of_pairs and prefer.keep_best in ("accuracy", "margin")
        ),
        f"pairs.min_gap is {pairs.min_gap} with pairs.mode {pairs.mode!r}, which compares no two sides: set it to 0": (
            compares_nothing and pairs.min_gap
        ),
        f"prefer.loss is 'grpo' with search.iterations {search.iterations} and extra_iterations "
        f"{search.extra_iterations}, but a group is what one expansion of the root samples: set them to 1 and 0": (
            grpo and (search.iterations, search.extra_iterations) != (1, 0)
        ),
        "search.samples is 1 with the loss 'grpo', but one sample is no group: set it to 2 or more": (
            grpo and search.samples < 2
        ),
        f"prefer.loss is 'grpo' with search.temperature {search.temperature} and top_p {search.top_p}, but a group has "
        "to be sampled from the policy as it is: set both to 1": grpo and (search.temperature, search.top_p) != (1, 1),
        f"prefer.label_smoothing is {prefer.label_smoothing} {of_loss}, which has none: set it to 0, or prefer.loss to "
        f"one of {listed(SMOOTHED)}": prefer.label_smoothing and loss not in SMOOTHED,
    }
    for message, is_so in wrong.items():
        if is_so:
            raise UserError(f"{where}: in {name} {message}.")


def _check_model(model: ConfigDict, where: str) -> None:
    if model.quantize and not model.lora_rank:
        raise UserError(
            f"{where}: config.model.quantize is {model.quantize!r} and lora_rank 0, but quantised weights cannot be "
            "trained, only adapters beside them: set config.model.lora_rank, to 16 say, or quantize to ''."
        )
    if model.param_dtype != "float32" and model.lora_rank:
        raise UserError(
            f"{where}: config.model.param_dtype is {model.param_dtype!r} with lora_rank {model.lora_rank}, but "
            "adapters are float32: leave it at 'float32'; config.model.dtype is that of the base."
        )
    if model.lora_rank and not model.lora_targets:
        raise UserError(
            f"{where}: config.model.lora_targets is empty with lora_rank {model.lora_rank}: name some of "
            f"{', '.join(LINEAR)}, or set lora_rank to 0."
        )


@functools.cache
def known_keys() -> Mapping[str, Any]:
    """Dotted path and default of every key."""
    return flatten(default_config())


def flatten(config: Mapping[str, Any] | ConfigDict, prefix: str = "") -> dict[str, Any]:
    """Every leaf by its dotted path; an empty mapping is a leaf."""
    leaves: dict[str, Any] = {}
    for name, value in config.items():
        if isinstance(value, ConfigDict | Mapping) and len(value):
            leaves |= flatten(value, f"{prefix}{name}.")
        else:
            leaves[f"{prefix}{name}"] = value
    return leaves


def nearest(key: str) -> str | None:
    """The known dotted path closest to `key`: by its whole path, else by its last name; None if none is close."""
    groups = {key.rpartition(".")[0] for key in known_keys()} - {""}
    paths = [*known_keys(), *sorted(groups)]
    whole = difflib.get_close_matches(key, paths, n=1, cutoff=0.75)
    if whole:
        return whole[0]
    by_name = {path.rpartition(".")[2]: path for path in reversed(paths)}
    last = difflib.get_close_matches(key.rpartition(".")[2], by_name, n=1, cutoff=0.6)
    return by_name[last[0]] if last else None


def config_to_json(config: ConfigDict) -> dict[str, Any]:
    """The config as plain JSON values; tuples become lists."""
    return json.loads(json.dumps(config.to_dict()))


def config_from_json(values: Mapping[str, Any], where: str) -> ConfigDict:
    """The inverse of `config_to_json`, checked as a config file is."""
    config = default_config()
    try:
        config.update(values)
    except (KeyError, AttributeError, TypeError, ValueError) as error:
        reason = _translated(error, where)
        raise UserError(f"{reason} Was it written by another version of itool-jax?") from error
    check_config(config, where)
    return _seal(config)


def differences(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """Keys at which two configs in JSON form differ, with both values ("(absent)" where one has no such key)."""
    a, b = flatten(ours), flatten(theirs)
    pairs = ((key, a.get(key, "(absent)"), b.get(key, "(absent)")) for key in sorted(a.keys() | b.keys()))
    return [(key, mine, other) for key, mine, other in pairs if mine != other]


def deciding_differences(ours: ConfigDict, theirs: ConfigDict) -> list[tuple[str, Any, Any]]:
    """The `differences` that results depend on by more than rounding: those of keys that are not in `config.LAYOUT`.

    Of those keys the product of `rows` and `accumulate` counts, by the name "rows * accumulate", and
    `checkpoint_every` where the best of the saved states by a metric of training is the outcome. Of `prefer.beta` the
    value counts that the loss gets. All three are compared as each round has them.
    """
    rounds = sorted({*ours.round_overrides, *theirs.round_overrides})
    return differences(_deciding(ours, rounds), _deciding(theirs, rounds))


def _deciding(config: ConfigDict, rounds: Sequence[str]) -> dict[str, Any]:
    leaves = {key: value for key, value in flatten(config_to_json(config)).items() if value != {}}
    apart = {*LAYOUT, "round.prefer.beta"}
    deciding = {key: value for key, value in leaves.items() if _ROUND.sub("round.", key) not in apart}
    groups = {"warmup": config.warmup, "round.prefer": config.round.prefer}
    groups |= {f"round_overrides.{name}.prefer": resolve_round(config, name).prefer for name in rounds}
    for group, cfg in groups.items():
        deciding[f"{group}.rows * accumulate"] = cfg.rows * cfg.accumulate
        if cfg.keep_best not in ("", "heldout"):
            deciding[f"{group}.checkpoint_every"] = cfg.checkpoint_every
        if group != "warmup":
            deciding[f"{group}.beta"] = resolve_beta(cfg)
    return deciding


def _run_config_file(file: str, arguments: tuple[str, ...]) -> Any:
    if not Path(file).is_file():
        found = "is a folder" if Path(file).is_dir() else "does not exist"
        raise UserError(
            f"the config file {file} {found} (looked from {Path.cwd()}); "
            "expected a Python file with a function get_config(mode), such as configs/quickstart.py"
        )
    try:
        get_config = runpy.run_path(file, run_name="itool_jax_config_file").get("get_config")
        if not callable(get_config):
            raise UserError("expected a function get_config(mode), found none")
        return get_config(*arguments)
    except SyntaxError as error:
        raise UserError(f"{error.filename}, line {error.lineno}: {error.msg}") from error
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if Path(frame.filename).resolve() == Path(file).resolve()]
        raise _translated(error, f"{file}, line {lines[-1]}" if lines else file) from error


def _seal(config: ConfigDict) -> ConfigDict:
    for name in OPEN_MAPPINGS:
        config[name].lock()
    return config.lock()


def _apply(config: ConfigDict, override: str) -> None:
    """Sets one key to the text given, read by the type of the key's default."""
    name, assigned, text = override.partition("=")
    key = name.partition(".")[2]
    default = _default_at(key, _COMMAND_LINE)
    if not assigned:
        if not isinstance(default, bool):
            raise UserError(f"{_COMMAND_LINE}: {name} has no value; write {name}=VALUE")
        text = "true"
    value = _read(key, text, default)
    check_value(key, value, _COMMAND_LINE)
    *groups, leaf = key.split(".")
    with config.unlocked():
        group = config
        for part in groups:
            if part not in group:
                group[part] = ConfigDict()
            group = group[part]
        group[leaf] = value


def _read(key: str, text: str, default: Any) -> Any:
    try:
        if isinstance(default, bool):
            return _TRUTH[text.lower()]
        if isinstance(default, tuple):
            items = text[1:-1] if text[:1] + text[-1:] in ("()", "[]") else text
            return tuple(part.strip("'\" ") for part in items.split(",") if part.strip())
        return type(default)(text)
    except (KeyError, ValueError):
        raise _wrong_type(key, default, repr(text), _COMMAND_LINE) from None


def _default_at(key: str, where: str) -> Any:
    """The default of a key, also of one in an open mapping; raises UserError for a key that cannot be."""
    known = known_keys()
    if key.startswith("data.heldout.") and key.count(".") == 2:
        return ""
    key_in_tree = _ROUND.sub("round.", key)
    if key_in_tree not in known or isinstance(known[key_in_tree], ConfigDict):
        raise _unknown_key(key, where)
    return known[key_in_tree]


def _unknown_key(key: str, where: str) -> UserError:
    if any(path.startswith(f"{key}.") for path in known_keys()) or key in OPEN_MAPPINGS:
        return UserError(f"{where}: config.{key} is a group of keys; give one of them, as in config.{key}.NAME")
    prefix = _ROUND.match(key)
    near = nearest(_ROUND.sub("round.", key))
    if near and prefix and near.startswith("round."):
        near = prefix[0] + near.removeprefix("round.")
    hint = f"Did you mean config.{near}?" if near else "itool_jax/config.py lists every key."
    return UserError(f"{where}: there is no config key {key!r}. {hint}")


def _translated(error: Exception, where: str) -> UserError:
    """What ml_collections or the config file itself raised, in our words."""
    text = " ".join(str(error.args[0] if error.args else error).split())
    if isinstance(error, UserError):
        return UserError(f"{where}: {text}")
    if missing := re.search(r'Key "([^"]+)" does not exist|instead of "([^"]+)"', text):
        return _unknown_key(missing[1] or missing[2], where)
    if cast := re.search(r"field '(\w+)'.*?\)\. (.*) is of original type .* to type <class '([\w.]+)'>", text):
        kind = next((words for known, words in _KINDS.items() if known.__name__ == cast[3]), "a group of keys")
        return UserError(f"{where}: the config key {cast[1]!r} expects {kind}, found {cast[2]!r}.")
    return UserError(f"{where}: {type(error).__name__}: {text}")


def _fits(value: Any, default: Any) -> bool:
    if isinstance(default, tuple):
        return isinstance(value, tuple) and all(isinstance(item, str) for item in value)
    return type(value) is type(default)


def _wrong_type(key: str, default: Any, found: str, where: str) -> UserError:
    kind = _KINDS[type(default)]
    return UserError(f"{where}: config.{key} expects {kind} (its default is {default!r}), found {found}")
