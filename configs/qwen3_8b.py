"""Qwen3-8B on ToolACE, for TPU slices and GPUs: `itool-jax plan` says what fits where.

The weights are the hub's, or a folder that `--config.model.checkpoint` names. The data are not part of the project:
`--config.data.folder=DIR` names the folder with ToolACE's data.json and with heldout.json, rows of it that you have set
apart.
Modes: `qwen3_8b.py` trains adapters on 16 TPU chips of 16 GiB (v5e-16), `qwen3_8b.py:full` all parameters, in
bfloat16 with a float32 copy. `:v6e-16`, `:v5p-64`, `:8xh100` and `:1xh200` are for those machines, and with `-full`, as
in `:v5p-64-full`, train all parameters there: on one H200 with Adafactor and in smaller steps (docs/scaling.md).
"""

from ml_collections import ConfigDict

from itool_jax.config_large import fine_tuning


def get_config(mode: str = "") -> ConfigDict:
    return fine_tuning("qwen3_8b", "Qwen/Qwen3-8B", mode)
