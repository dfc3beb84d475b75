"""README.md of an exported model: what it started from, what it learned from and how, and what it scored."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from etils import epath
from ml_collections import ConfigDict

from itool_jax.config import round_config, round_name
from itool_jax.config_loading import config_to_json
from itool_jax.data.chat import OWN_FORMATS
from itool_jax.data.sources.hub import PREFIX, parse_hub
from itool_jax.evaluation import report
from itool_jax.evaluation.report import wording
from itool_jax.models.config import LoraConfig
from itool_jax.models.hf import hub_name, is_hf
from itool_jax.models.loading import PACKAGED_FROM
from itool_jax.models.presets import FRESH
from itool_jax.rounds.chain import BASE, DATA, MODEL, OWN_PAIRS, WARMUP
from itool_jax.rounds.run_directory import RunDirectory
from itool_jax.rounds.session import Session

_MARKUP = re.compile(r"([\\`*_\[\]<>|~#!&$])")
_HERE = "path/to/this/folder"
_INPUTS = (
    'messages = [{{"role": "user", "content": "Will it rain in Oslo?"}}]',
    "inputs = tokenizer.apply_chat_template(",
    '    messages, tools=tools, {variables}add_generation_prompt=True, return_tensors="pt", return_dict=True',
    ")",
)


class Exported(NamedTuple):
    """What is exported.

    name   of the policy
    lora   of its adapters, where it has any; `adapter` says whether they are exported alone
    dtype  of the weights
    """

    name: str
    lora: LoraConfig | None
    adapter: bool
    dtype: str


class BaseModel(NamedTuple):
    """What a run started from: in words, on the hub ("" where it is not from there), and for transformers to load."""

    title: str
    hub: str
    reference: str


def base_model(run: RunDirectory) -> BaseModel:
    cfg = run.config.model
    if not cfg.checkpoint:
        return BaseModel(f"Random weights of the shapes {_text(cfg.preset or FRESH)}", "", "")
    record = run.stages[MODEL]
    on = record.summary.get("adapters_on", "")
    merged = f", LoRA adapters merged into {_text(on)}" if on else ""
    was_local = record.inputs.get("checkpoint") != cfg.checkpoint
    if name := "" if was_local else hub_name(cfg.checkpoint):
        return BaseModel(f"[{_text(name)}](https://huggingface.co/{name}){merged}", name, "" if merged else name)
    if origin := PACKAGED_FROM.get(cfg.checkpoint, ""):
        title = f"{_text(cfg.checkpoint)}, a quantised copy of [{origin}](https://huggingface.co/{origin})"
        return BaseModel(title, origin, "")
    loads = not merged and is_hf(epath.Path(cfg.checkpoint))
    return BaseModel(f"{_text(cfg.checkpoint)}{merged}", "", cfg.checkpoint if loads else "")


def model_card(session: Session, exported: Exported) -> str:
    """The card as Markdown with YAML front matter. Names from outside are escaped."""
    run = session.run
    parts = [
        _front_matter(run, exported),
        f"# {_text(f'{run.path.name} {exported.name}')}",
        f"{_kind(session, exported)} It answers requests with calls of the tools it is offered, and was trained by "
        "itool_jax: fine-tuning from easy to hard, then rounds of tree search and preference training on call "
        "fragments, after iTool (arXiv 2501.09766).",
        f"## Use\n\n{_use(session, exported)}",
        f"## Base\n\n{base_model(run).title}.{_trained(exported)}",
        f"## Data\n\n{_data(run)}",
        f"## Method\n\n{_method(run.config, exported.name)}",
        f"## Scores\n\n{_scores(session, exported.name)}",
        f"## Config\n\nAll of it, with the seed:\n\n```json\n{_fenced(config_to_json(run.config))}\n```",
    ]
    return "\n\n".join(parts) + "\n"


def _front_matter(run: RunDirectory, exported: Exported) -> str:
    values: dict[str, Any] = {}
    if hub := base_model(run).hub:
        values["base_model"] = hub
        values["base_model_relation"] = "adapter" if exported.adapter else "finetune"
    values["library_name"] = "peft" if exported.adapter else "transformers"
    values["pipeline_tag"] = "text-generation"
    values["tags"] = ["tool-calling", "function-calling", "itool-jax", *(["lora"] if exported.adapter else [])]
    named = [path for path in run.config.data.train if path.startswith(PREFIX)]
    if datasets := list(dict.fromkeys(parse_hub(path).name for path in named)):
        values["datasets"] = datasets
    return "\n".join(["---", *(f"{key}: {json.dumps(value)}" for key, value in values.items()), "---"])  # JSON is YAML


def _kind(session: Session, exported: Exported) -> str:
    what = {BASE: "The base model", WARMUP: "The model after the warm-up", OWN_PAIRS: "The model after own pairs"}
    label = what.get(exported.name) or f"The model after {wording.stage_label(exported.name)}"
    form = f"as LoRA adapters in {exported.dtype}" if exported.adapter else f"as whole weights in {exported.dtype}"
    return f"{label} of the run {_text(session.run.path.name)}, {form}."


def _use(session: Session, exported: Exported) -> str:
    chat, reference = session.dialect.chat, base_model(session.run).reference
    classes = "AutoModelForCausalLM, AutoTokenizer"
    code = [f"from transformers import {classes}", ""]
    if exported.adapter:
        base = _fenced(reference or "path/to/the/base")
        code[1:] = ["from peft import PeftModel", "", f"base = AutoModelForCausalLM.from_pretrained({base})"]
    code += [
        f'model = PeftModel.from_pretrained(base, "{_HERE}")'
        if exported.adapter
        else f'model = AutoModelForCausalLM.from_pretrained("{_HERE}")',
        f'tokenizer = AutoTokenizer.from_pretrained("{_HERE}")',
        *(line.format(variables=_variables(session)) for line in _INPUTS),
        'answer = model.generate(**inputs, max_new_tokens=256)[0, inputs["input_ids"].shape[1] :]',
        "print(tokenizer.decode(answer, skip_special_tokens=True))",
    ]
    told = ["```python\n" + "\n".join(code) + "\n```"]
    told.append(f"Calls are written in the style `{chat.call_style}`; `itool_jax.toolcall.parse_calls` reads them.")
    if exported.adapter and not reference:
        told.append(
            "No name stands for the weights that the adapters go on: `itool-jax export --checkpoint=base` writes them."
        )
    if chat.name in OWN_FORMATS:
        told.append(f"The chat template is itool_jax's `{chat.name}`, not one of the base.")
    return "\n\n".join(told)


def _variables(session: Session) -> str:
    """What the run passed to a template beside the conversation, as arguments."""
    if session.dialect.chat.name in OWN_FORMATS:
        return ""
    text, data = "".join(session.dialect.tokenizer.templates.values()), session.config.data
    given = f"enable_thinking={bool(data.chat_thinking)}, " if "enable_thinking" in text else ""
    return given + (f"date_string={_date(data.chat_date)!r}, " if "date_string" in text else "")


def _date(iso: str) -> str:
    """A date as Llama 3's template has it: 26 Jul 2024."""
    return datetime.date.fromisoformat(iso).strftime("%d %b %Y")


def _trained(exported: Exported) -> str:
    if exported.name == BASE:
        return ""
    lora = exported.lora
    if lora is None:
        return " Its parameters were trained themselves, without adapters."
    scale = f"rank {lora.rank} and alpha {lora.alpha:g}{' (rsLoRA)' if lora.rslora else ''}"
    return f" LoRA adapters of {scale} on {', '.join(lora.targets)} were trained."


def _data(run: RunDirectory) -> str:
    data, counted = run.config.data, run.stages[DATA].summary if DATA in run.stages else {}
    lines = [f"- Source: {_text(data.source)}"]
    if data.prepared:
        lines.append(f"- Prepared store: {_text(data.prepared)}")
    if data.source == "toolworld":
        lines.append("- Simulated conversations of itool_jax's tool world, made from the settings below.")
    lines += [f"- Training file: {_text(path)}" for path in data.train]
    lines += [f"- Held-out set {_text(name)}: {_text(path)}" for name, path in data.heldout.items()]
    if "examples" in counted:
        lines.append(f"- Training examples: {counted['examples']:,}")
    return "\n".join(lines)


def _method(config: ConfigDict, name: str) -> str:
    """The settings of the warm-up and of the rounds up to the policy; the stages that it does not have are left out."""
    if name == BASE:
        return "None: these are the weights that the run started from."
    done = {WARMUP: wording.flatten(config.warmup.to_dict())}
    for index in range(config.rounds) if name != WARMUP else ():
        settings = wording.flatten(round_config(config, index).to_dict())
        done[round_name(index)] = settings
        if round_name(index) == name:
            break
    rows = dict.fromkeys(key for settings in done.values() for key in settings)
    heads = ["setting", *(wording.stage_label(stage) for stage in done)]
    table = [[" ".join(key), *(_value(settings.get(key)) for settings in done.values())] for key in rows]
    note = "\n\nThen preference training on pairs of the user's own." if name == OWN_PAIRS else ""
    return _table(heads, table) + note


def _value(value: Any) -> str:
    return "" if value is None else wording.figure(list(value) if isinstance(value, tuple) else value)


def _scores(session: Session, name: str) -> str:
    results = report.collect(session.run.path)
    names = session.policy_names
    stages = [stage for stage in results.stages if names.index(stage) <= names.index(name)] if name in names else []
    stages = [stage for stage in stages if any(stage in of for of in results.sets.values())]
    if name not in stages:
        missing = f"This checkpoint has not been evaluated: `itool-jax evaluate --checkpoint={name}`."
        return missing if not stages else f"{missing}\n\n{_score_table(results, stages)}"
    return _score_table(results, stages)


def _score_table(results: report.RunResults, stages: Sequence[str]) -> str:
    rows = []
    for set_name in results.sets:
        summaries = [results.summary(set_name, stage) for stage in stages]
        if any(summaries):
            count = max(summary.count for summary in summaries if summary)
            cells = [f"{wording.percent(s.exact_match)} ({wording.span(s.interval)})" if s else "" for s in summaries]
            rows.append([wording.set_label(set_name), f"{count:,}", *cells])
    heads = ["set", "examples", *(wording.stage_label(stage) for stage in stages)]
    return f"Exact match in %, with 95 % Wilson intervals.\n\n{_table(heads, rows)}"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *([_text(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _text(text: str) -> str:
    """Text of unknown origin in Markdown: one line, control characters visible, markup escaped."""
    return _MARKUP.sub(r"\\\1", " ".join(wording.clean(str(text)).split()))


def _fenced(value: Mapping[str, Any] | str) -> str:
    """JSON that no fence or tag can stand in."""
    return json.dumps(value, indent=1).replace("`", "\\u0060").replace("<", "\\u003c")
