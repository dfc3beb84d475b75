"""`itool-jax export`: a policy of a run as a Hugging Face directory or a PEFT adapter, with a model card."""

from __future__ import annotations

import shutil
from dataclasses import replace

from etils import epath

from itool_jax.data.chat import exported_templates
from itool_jax.errors import UserError
from itool_jax.models.export import ADAPTER_DTYPE, export_hf, export_target, exported_bytes
from itool_jax.progress import note, progress
from itool_jax.rounds.chain import BASE
from itool_jax.rounds.model_card import Exported, base_model, model_card
from itool_jax.rounds.run_directory import RunDirectory
from itool_jax.rounds.session import Session


def command(run: RunDirectory, out: str, checkpoint: str | None, adapter: bool, dtype: str | None) -> None:
    target = export_target(out)
    session = Session(run)
    if checkpoint is not None:
        session.check_name("--checkpoint", checkpoint)
    name = checkpoint or session.newest
    if adapter and (name == BASE or not run.config.model.lora_rank):
        raise UserError(_no_adapter(name))
    dtype = dtype or (ADAPTER_DTYPE if adapter else run.config.model.dtype)
    loaded = session.loaded(name)
    templates = exported_templates(session.dialect.chat, loaded.tokenizer)
    model = replace(loaded, tokenizer=loaded.tokenizer.with_templates(templates))
    base = base_model(run)
    card = model_card(session, Exported(name, model.policy.decoder.lora, adapter, dtype))
    size = exported_bytes(model, adapter=adapter, dtype=dtype)
    _require_space(target, size)
    what = f"the adapters of {name}" if adapter else name
    unit, scale = ("GB", 1e9) if size >= 1e9 else ("MB", 1e6)
    with progress(f"Exporting {what} to {target} as {dtype}", size / scale, unit) as bar:
        export_hf(
            model,
            target,
            adapter=adapter,
            dtype=dtype,
            base=base.reference,
            card=card,
            on_bytes=lambda count: bar.advance(count / scale),
        )
    if adapter and not base.reference:
        note(
            "adapter_config.json names no base: the run started from weights that transformers does not load by name. "
            "Export them too, with --checkpoint=base, and put the adapter on them."
        )


def _no_adapter(name: str) -> str:
    if name == BASE:
        return "--adapter: the base has no adapters yet; name another --checkpoint, or leave --adapter out."
    return (
        "--adapter: this run trained all parameters (config.model.lora_rank is 0), so it has no adapters. Leave "
        "--adapter out to export the whole model."
    )


def _require_space(target: epath.Path, size: int) -> None:
    """Raises UserError where the disk has no room for the weights: better now than after an hour of writing."""
    there = next(folder for folder in (target, *target.parents) if folder.exists())
    free = shutil.disk_usage(there).free
    if size > free:
        raise UserError(f"{target}: the weights take {size / 1e9:.1f} GB, its disk has {free / 1e9:.1f} GB free.")
