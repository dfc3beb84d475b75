"""The tree sampler: many trees grow at once on one device batch, whatever each of them asks for next.

    sampler = TreeSampler(policy, SamplerConfig(trees=32, branches=3, prompt_columns=256, arena_columns=512,
                                                stop_tokens=(eos,)), seed=0)
    for growth in sampler.grow(growths, receive): ...

A growth says what it wants sampled and is told what came; search, greedy evaluation and best-of-n are growths.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from jax.sharding import Mesh

from itool_jax.errors import UserError
from itool_jax.models.policy import Policy, own_policy
from itool_jax.parallel import processes
from itool_jax.parallel.mesh import batch_divisor, make_mesh
from itool_jax.sampling.cohort import Cohort, SamplerConfig, SamplerStats, arena_sharding
from itool_jax.sampling.requests import Finished, Growth, Request, Sample

__all__ = [
    "Finished", "Growth", "Request", "Sample", "SamplerConfig", "SamplerStats", "TreeSampler",
    "arena_sharding", "own_places", "prompt_columns",
]  # fmt: skip


def prompt_columns(longest: int) -> int:
    """Columns for prompts of at most so many tokens, in steps of 64 so that few programs are compiled."""
    return -(-longest // 64) * 64


def own_places(trees: int, cohorts: int, mesh: Mesh, key: str, count: int = 1) -> int:
    """How many of so many trees each of `count` processes grows.

    Raises UserError, which names `key` as what the trees were given by, where those of a process do not divide over
    cohorts and the devices of its `mesh`.
    """
    own, devices = max(1, trees // count), batch_divisor(mesh)
    if own % (cohorts * devices):
        step = count * cohorts * devices
        shares = {"processes": count, "cohorts": cohorts, "devices (mesh data x fsdp)": devices}
        over = " x ".join(f"{number} {what}" for what, number in shares.items() if number > 1)
        raise UserError(
            f"{key} is {trees}, which does not divide over {over}: choose a multiple of {step}, such as "
            f"{-(-trees // step) * step}."
        )
    return own


class TreeSampler:
    """Grows trees under one policy. Randomness comes from (seed, growth key, node, expansion, sample, token) alone."""

    def __init__(self, policy: Policy, cfg: SamplerConfig, seed: int, mesh: Mesh | None = None):
        """Raises UserError where the trees do not divide over cohorts and devices.

        With several processes each has the trees that it is given, `cfg.trees` at a time, on its own devices of the
        mesh: `parallel.processes`.
        """
        self.cfg, self.stats = cfg, SamplerStats()
        whole = mesh or make_mesh()
        mesh = processes.own_mesh(whole)
        own_places(cfg.trees, cfg.cohorts, mesh, "SamplerConfig.trees")
        self._policy = own_policy(policy, whole)
        self._cohorts = [Cohort(self._policy, cfg, seed, mesh, self.stats) for _ in range(cfg.cohorts)]

    def grow(self, growths: Iterable[Growth], receive: Callable[[list[Finished]], None]) -> Iterator[Growth]:
        """Grows trees to their ends, T at a time, and yields each as it ends.

        `receive` gets all requests that finished in a cohort's last round, in the order of the trees' places, before
        their growths are asked for more.
        """
        queue = iter(growths)
        while True:
            for cohort in self._cohorts:
                if cohort.busy:
                    receive(cohort.end_round())
                yield from cohort.turn_over(queue)
                cohort.start_round()
            if not any(cohort.busy for cohort in self._cohorts):
                return

    def warm_up(self, prompt_lengths: Iterable[int]) -> None:
        """Compiles all programs that prompts of these lengths may need; after it nothing is compiled."""
        self._cohorts[0].warm_up(prompt_lengths)
