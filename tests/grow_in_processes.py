"""Grows this process's share of a few trees and prints them; `test_processes.py` runs several of these at once.

python tests/grow_in_processes.py ADDRESS PROCESSES NUMBER DEVICES
"""

from __future__ import annotations

import json
import os
import sys

ADDRESS, PROCESSES, NUMBER, DEVICES = sys.argv[1], *map(int, sys.argv[2:])
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={DEVICES}"

import jax  # noqa: E402

from itool_jax.models.config import DecoderConfig  # noqa: E402
from itool_jax.models.policy import init_policy  # noqa: E402
from itool_jax.parallel.mesh import batch_divisor, make_mesh, shard  # noqa: E402
from itool_jax.parallel.processes import own_mesh, own_share  # noqa: E402
from itool_jax.sampling import Request, SamplerConfig, TreeSampler  # noqa: E402


class Twice:
    """Three samples from the root, and three from the middle of the first."""

    def __init__(self, key: int):
        self.key, self.prompt, self.samples = key, tuple(range(8, 11 + key)), []

    def requests(self):
        if len(self.samples) == 2:
            return []
        path = self.samples[0][0][:4] if self.samples else ()
        return [Request(path, samples=3, budget=10, node=len(path))]


def receive(finished):
    for tree, _, samples in finished:
        tree.samples.append([sample.tokens for sample in samples])


def main() -> None:
    if PROCESSES > 1:
        jax.distributed.initialize(ADDRESS, PROCESSES, NUMBER)
    mesh = make_mesh(data=-1, fsdp=2, tensor=2)
    policy = init_policy(DecoderConfig(vocab_size=61, dim=32, layers=2, heads=4, kv_heads=2, head_dim=8, ffn=64), 3)
    policy = policy.replace(params=shard(policy.params, mesh))  # pyright: ignore
    assert policy.params["layers"]["up"]["kernel"].is_fully_addressable == (PROCESSES == 1)
    cfg = SamplerConfig(2 * batch_divisor(own_mesh(mesh)), 3, 32, 64, stop_tokens=(7,), round_steps=4)
    trees = [Twice(key) for key in range(7)]
    grown = list(TreeSampler(policy, cfg, seed=1, mesh=mesh).grow(own_share(trees), receive))
    print("TREES " + json.dumps({tree.key: tree.samples for tree in grown}), flush=True)


if __name__ == "__main__":
    main()
