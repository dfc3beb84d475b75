"""What configs of 7B and 8B models share: machines by name, and settings that fit each of them."""

from __future__ import annotations

from typing import NamedTuple

from ml_collections import ConfigDict

from itool_jax.config import check_mode, default_config

ROWS_A_STEP = 32  # of 4,096 tokens, wherever they fit: rows x accumulate
FULL = "-full"


class Machine(NamedTuple):
    """A machine that a config is for, and how work is laid out on it.

    Results are the same on all of them up to rounding, but for all parameters on a machine that needs Adafactor.

    devices    chips or GPUs; the number in a v5p slice's name counts cores, of which a chip has two
    hbm        GiB of a device that its programs can use; of a GPU at XLA_PYTHON_CLIENT_MEM_FRACTION=0.95
    topology   the TPU compiler's name for it; "" where there is none
    tensor     devices that heads, ffn and vocabulary lie over; parameters and rows lie over all others
    rows       at a time with adapters, and with all parameters trained
    trees      grown side by side
    adafactor  whether all parameters fit only with Adafactor and without a sum of gradients, so in steps of full_rows
    """

    devices: int
    hbm: float
    topology: str
    tensor: int
    rows: int
    full_rows: int
    trees: int
    adafactor: bool = False


MACHINES = {
    "v5e-16": Machine(16, 15.75, "v5e:4x4", tensor=4, rows=8, full_rows=4, trees=32),
    "v6e-16": Machine(16, 31.25, "v6e:4x4", tensor=4, rows=16, full_rows=8, trees=64),
    "v5p-64": Machine(32, 95.74, "v5p:2x4x4", tensor=4, rows=32, full_rows=32, trees=128),
    "8xh100": Machine(8, 75.0, "", tensor=1, rows=16, full_rows=8, trees=64),
    "1xh200": Machine(1, 133.0, "", tensor=1, rows=4, full_rows=4, trees=32, adafactor=True),
}
DEFAULT = "v5e-16"
ADAPTERS = tuple(MACHINES)
MODES = (*ADAPTERS, *(f"{name}{FULL}" for name in MACHINES))


def on_machine(preset: str, checkpoint: str, mode: str) -> ConfigDict:
    """A model on ToolACE's data, laid out for the machine of a mode; "" and "full" are those of `DEFAULT`."""
    machine = machine_of(mode)
    rows = machine.full_rows if is_full(mode) else machine.rows
    config = default_config()
    config.model.update(preset=preset, checkpoint=checkpoint, dtype="bfloat16")
    config.mesh.update(data=1, fsdp=-1, tensor=machine.tensor)
    config.data.update(source="toolace", folder="data/toolace", train=("data.json",), skip_malformed=True)
    config.data.heldout = {"heldout": "heldout.json"}
    for stage in (config.warmup, config.round.prefer):
        stage.update(rows=rows, row_tokens=4096, accumulate=ROWS_A_STEP // rows)
        if is_full(mode) and machine.adafactor:
            stage.update(optimizer="adafactor", accumulate=1)
    config.round.search.update(answer_tokens=256, trees=machine.trees, arena_tokens=2048)
    config.evaluate.update(answer_tokens=256, slots=2 * machine.trees)
    return config


def fine_tuning(preset: str, checkpoint: str, mode: str = "") -> ConfigDict:
    """Our settings for a model of 7B or 8B parameters: adapters, or in a mode of `full` all parameters.

    A round trains on what the policy still gets wrong, which is less each time, so each takes steps of half the size.
    """
    check_mode(mode, ("", "full", *MODES))
    config = on_machine(preset, checkpoint, mode)
    if is_full(mode):
        config.model.param_dtype = "bfloat16"  # the optimiser keeps a float32 copy
        sft, preference = 1e-5, 1e-6
    else:
        config.model.lora_rank = 16
        sft, preference = 2e-4, 2e-5
    config.warmup.learning_rate = sft
    config.warmup.epochs.update(easy=1, medium=1, hard=1)
    config.round.prefer.update(learning_rate=preference, anchor_weight=1.0)
    config.rounds = 3
    config.round_overrides.round_001 = ConfigDict({"prefer": {"learning_rate": preference / 2}})
    config.round_overrides.round_002 = ConfigDict({"prefer": {"learning_rate": preference / 4}})
    return config


def machine_of(mode: str) -> Machine:
    """The machine that a mode is for."""
    return MACHINES[mode.removesuffix(FULL).removeprefix("full") or DEFAULT]


def is_full(mode: str) -> bool:
    """Whether a mode trains all parameters."""
    return mode == "full" or mode.endswith(FULL)
