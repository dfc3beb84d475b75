"""Qwen2.5-7B-Instruct on ToolACE, for 16 TPU chips of 16 GiB or more: `itool-jax plan` says what fits where.

The weights are the hub's (OWNER/NAME) or a folder that
`--config.model.checkpoint` names. The data are not part of the project: `--config.data.folder=DIR` names the folder
with ToolACE's data.json and with heldout.json, rows of it that you have set apart.
Parameters lie over all chips in training; tensor = 4 keeps the copy that the search samples from, which is whole within
a group of 4, at 4 GiB a chip.
Modes: `qwen2_5_7b.py` trains adapters; `qwen2_5_7b.py:full` all parameters, in bfloat16 with a float32 copy.
"""

from ml_collections import ConfigDict

from itool_jax.config import check_mode, default_config


def get_config(mode: str = "") -> ConfigDict:
    check_mode(mode, ("", "full"))
    config = default_config()
    config.model.update(preset="qwen2_5_7b", checkpoint="Qwen/Qwen2.5-7B-Instruct", dtype="bfloat16", lora_rank=16)
    config.mesh.update(data=1, fsdp=-1, tensor=4)
    config.data.update(source="toolace", folder="data/toolace", train=("data.json",), skip_malformed=True)
    config.data.heldout = {"heldout": "heldout.json"}
    config.warmup.update(rows=8, row_tokens=4096, accumulate=4, learning_rate=2e-4)
    config.warmup.epochs.update(easy=1, medium=1, hard=1)
    config.round.search.update(answer_tokens=256, trees=32, arena_tokens=2048)
    config.round.prefer.update(rows=8, row_tokens=4096, accumulate=4, learning_rate=2e-5, anchor_weight=1.0)
    config.evaluate.update(answer_tokens=256, slots=64)
    if mode == "full":
        config.model.update(lora_rank=0, param_dtype="bfloat16")  # AdamW keeps a float32 copy
        config.warmup.update(rows=4, accumulate=8)
        config.round.prefer.update(rows=4, accumulate=8)
        config.warmup.learning_rate = 1e-5
        config.round.prefer.learning_rate = 1e-6
    return config
