"""Trains a small policy, in one process or as one of several; `test_stopping.py` stops it on the way.

python tests/fit_in_processes.py ADDRESS PROCESSES NUMBER FOLDER

Prints STEP N after every step and leaves FOLDER/final. Ends with status 75 where it was stopped, its state saved.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

ADDRESS, PROCESSES, NUMBER, FOLDER = sys.argv[1], *map(int, sys.argv[2:4]), Path(sys.argv[4])
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2 --xla_backend_optimization_level=0"

import jax  # noqa: E402
import numpy as np  # noqa: E402

from itool_jax.forest import chain  # noqa: E402
from itool_jax.models.config import DecoderConfig  # noqa: E402
from itool_jax.models.policy import init_policy  # noqa: E402
from itool_jax.parallel.mesh import make_mesh  # noqa: E402
from itool_jax.stopping import Stopped  # noqa: E402
from itool_jax.training.checkpoints import save_policy  # noqa: E402
from itool_jax.training.dataset import SftRows, batched  # noqa: E402
from itool_jax.training.fit import FitConfig, fit  # noqa: E402
from itool_jax.training.objectives import sft  # noqa: E402
from itool_jax.training.step import OptimizerConfig  # noqa: E402


def main() -> int:
    if PROCESSES > 1:
        jax.distributed.initialize(ADDRESS, PROCESSES, NUMBER)
    rng = np.random.default_rng(0)
    part = lambda low, high: rng.integers(0, 64, rng.integers(low, high)).tolist()
    rows = SftRows([chain(part(3, 12), part(1, 9)) for _ in range(50)], row_tokens=24)
    batches = batched(rows, epochs=6, rows_per_step=8, accumulate=1, seed=3)
    cfg = FitConfig(OptimizerConfig(3e-3, steps=len(batches)), checkpoint_every=7)

    def on_step(step, metrics):
        print(f"STEP {step}", flush=True)
        time.sleep(0.1)  # time for whoever reads this to send a signal before the end

    shapes = DecoderConfig(vocab_size=64, dim=32, layers=2, heads=4, kv_heads=2, head_dim=8, ffn=64)
    try:
        policy = fit(init_policy(shapes, 0), sft, batches, cfg, make_mesh(fsdp=2), FOLDER / "states", on_step)
    except Stopped as stopped:
        print(f"STOPPED by {stopped}", flush=True)
        return 75
    save_policy(FOLDER / "final", policy)
    return 0


if __name__ == "__main__":
    sys.exit(main())
