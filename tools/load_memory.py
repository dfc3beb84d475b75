"""Peak host memory of loading a Hugging Face directory, beside what the devices hold and the largest tensor.

    python tools/load_memory.py --folder=runs/random_1_5b --make=qwen2_5_1_5b

Makes a random bf16 checkpoint of the preset's shapes where the folder is not there yet, then loads it in a new process
onto one device, and in another onto eight virtual ones (data 1, fsdp 4, tensor 2). Memory is the anonymous memory of
the process above what it was before, looked at every millisecond (Linux only); that of CPU devices is the host's own.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import threading
import time
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--make", default="qwen2_5_1_5b", help="preset of a random checkpoint where there is no folder")
    parser.add_argument("--devices", type=int, help="load onto so many in this process")
    options = parser.parse_args()
    if options.devices:
        load(options.folder, options.devices)
        return
    if not options.folder.exists():
        make(options.folder, options.make)
    for devices in (1, 8):
        flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={devices}"
        environment = os.environ | {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags}
        command = [sys.executable, __file__, f"--folder={options.folder}", f"--devices={devices}"]
        subprocess.run(command, env=environment, check=True)


def make(folder: Path, name: str) -> None:
    """A random checkpoint, made parameter by parameter."""
    import jax
    import jax.numpy as jnp
    from etils import epath

    from itool_jax.models.decoder import Decoder
    from itool_jax.models.hf import save_hf
    from itool_jax.models.policy import Policy, init_policy
    from itool_jax.models.presets import preset

    cfg = preset(name)
    shapes = jax.eval_shape(lambda: init_policy(cfg, 0).params)
    draw = jax.jit(lambda key, shape: 0.02 * jax.random.normal(key, shape, jnp.bfloat16), static_argnums=1)
    leaves, tree = jax.tree.flatten(shapes)
    params = tree.unflatten([draw(jax.random.key(i), leaf.shape) for i, leaf in enumerate(leaves)])
    save_hf(epath.Path(folder), Policy(Decoder(cfg), params))


def load(folder: Path, devices: int) -> None:
    from dataclasses import replace

    import jax
    from etils import epath

    from itool_jax.models.hf import hf_config, load_hf
    from itool_jax.parallel.mesh import make_mesh

    mesh = make_mesh(1, 4, 2) if devices == 8 else make_mesh(1, 1, 1)
    cfg = replace(hf_config(epath.Path(folder)), dtype="bfloat16")
    with Peak() as peak:
        started = time.monotonic()
        policy = jax.block_until_ready(load_hf(epath.Path(folder), cfg, mesh))
        seconds = time.monotonic() - started
    leaves = jax.tree.leaves(policy.params)
    held = sum(shard.data.nbytes for leaf in leaves for shard in leaf.addressable_shards)
    largest = max(policy.params["embedding"].nbytes, *(leaf.nbytes // cfg.layers for leaf in leaves if leaf.ndim > 2))
    bound = held + largest
    print(
        f"{devices} devices: {seconds:.0f} s; local shards {_mb(held)}, largest tensor {_mb(largest)}, together "
        f"{_mb(bound)}; peak {_mb(peak.bytes)}, {'within' if peak.bytes <= bound else 'ABOVE'} that"
    )


class Peak:
    """The most anonymous memory of the process inside the block, above what it was at its start."""

    def __enter__(self) -> Peak:
        self.bytes, self._before, self._over = 0, _anonymous(), threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def _look(self) -> None:
        while not self._over.wait(0.001):
            self.bytes = max(self.bytes, _anonymous() - self._before)

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


def _anonymous() -> int:
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.partition("RssAnon:")[2].split()[0])


def _mb(count: int) -> str:
    return f"{count / 1e6:,.0f} MB"


if __name__ == "__main__":
    main()
