"""The tree sampler: many trees grow at once on one device batch, whatever each of them asks for next.

    sampler = TreeSampler(policy, SamplerConfig(trees=32, branches=3, prompt_columns=256, arena_columns=512,
                                                stop_tokens=(eos,)), seed=0)
    for growth, request, samples in sampler.grow(growths): ...

A growth says what it wants sampled and is told what came; search, greedy evaluation and best-of-n are growths.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from itool_jax.errors import UserError
from itool_jax.forest import bucket
from itool_jax.models.config import DecoderConfig
from itool_jax.models.decoder import KVCache, empty_cache
from itool_jax.models.policy import Policy
from itool_jax.parallel.mesh import BATCH, AnyMesh, batch_divisor, make_mesh, shard
from itool_jax.sampling.arena import Slots, decode_round, idle_slots, prefill, rearrange
from itool_jax.sampling.columns import TreeColumns

WEIGHTS = ("tensor",)  # the mesh axes that weights lie over while sampling, gathered once and not at every token


@dataclass(frozen=True)
class SamplerConfig:
    """Sizes of the device batch; sizes are counts.

    trees           T, arenas on the device at once
    branches        G, samples of one tree in flight at once
    prompt_columns  P, the longest prompt in tokens
    arena_columns   A, room for grown tokens per tree; a tree that fills it is compacted, else retired and counted
    stop_tokens     tokens that end a sample, which keeps the one that ended it
    round_steps     decode steps between two looks of the host
    """

    trees: int
    branches: int
    prompt_columns: int
    arena_columns: int
    stop_tokens: tuple[int, ...]
    round_steps: int = 16


@dataclass(frozen=True)
class Request:
    """`samples` continuations of the prompt and `path`, each of at most `budget` tokens.

    node and expansion name the request within its tree: with the seed, the growth's key and the sample's number they
    determine the randomness, so the same request gives the same samples in any company.
    """

    path: tuple[int, ...]
    samples: int
    budget: int
    node: int = 0
    expansion: int = 0
    temperature: float = 1.0
    top_p: float = 1.0


@dataclass(frozen=True)
class Sample:
    """A continuation with the log-probs of its tokens at temperature 1; `end` says what ended it."""

    tokens: tuple[int, ...]
    logprobs: tuple[float, ...]
    end: Literal["stop", "budget"]


class Growth(Protocol):
    """A tree that wants to grow. `requests` is asked whenever nothing of the tree is in flight; [] ends the tree."""

    @property
    def key(self) -> int:
        """32 bits that identify the example."""
        ...

    @property
    def prompt(self) -> Sequence[int]: ...

    def requests(self) -> Sequence[Request]: ...


Finished = tuple[Any, Request, list[Sample]]  # the growth comes back as what it is


@dataclass
class SamplerStats:
    """Counts over the life of a sampler; `retired` are the growths that ended because their arena was full."""

    tokens: int = 0
    rounds: int = 0
    slot_steps: int = 0
    compactions: int = 0
    retired: list[Growth] = field(default_factory=list)

    @property
    def occupancy(self) -> float:
        """Share of the decoded slots that held an active branch."""
        return self.tokens / max(1, self.slot_steps)


@dataclass
class _Job:
    request: Request
    number: int
    results: list[Sample | None]
    base: int = 0
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)


@dataclass
class _Tree:
    growth: Growth
    columns: TreeColumns
    waiting: list[_Job]
    running: dict[int, _Job]
    retired: bool = False

    @property
    def in_flight(self) -> bool:
        return bool(self.waiting or self.running)


def prompt_columns(longest: int) -> int:
    """Columns for prompts of at most so many tokens, in steps of 64 so that few programs are compiled."""
    return -(-longest // 64) * 64


def arena_sharding(cfg: DecoderConfig, mesh: AnyMesh) -> NamedSharding:
    """Trees over (data, fsdp); KV heads over tensor where they divide, else on every device."""
    heads = "tensor" if cfg.kv_heads % mesh.shape["tensor"] == 0 else None
    return NamedSharding(mesh, P(None, BATCH, heads))


def _jobs(requests: Sequence[Request]) -> list[_Job]:
    jobs = []
    for request in requests:
        results: list[Sample | None] = [None] * request.samples
        jobs.extend(_Job(request, number, results) for number in range(request.samples))
    return jobs


def _unfinished(tree: _Tree) -> list[Finished]:
    """What a retired tree's waiting requests have got so far, where that is anything."""
    requests = {id(job.results): (job.request, job.results) for job in tree.waiting}
    got = [(request, [sample for sample in results if sample is not None]) for request, results in requests.values()]
    return [(tree.growth, request, samples) for request, samples in got if samples]


class TreeSampler:
    """Grows trees under one policy. Randomness comes from (seed, growth key, node, expansion, sample, token) alone."""

    def __init__(self, policy: Policy, cfg: SamplerConfig, seed: int, mesh: Mesh | None = None):
        self.cfg, self.stats = cfg, SamplerStats()
        self._mesh = mesh or make_mesh()
        if cfg.trees % batch_divisor(self._mesh):
            raise UserError(
                f"{cfg.trees} trees (config.round.search.trees, config.evaluate.slots) do not divide over the "
                f"{batch_divisor(self._mesh)} devices of mesh data x fsdp: choose a multiple."
            )
        self._policy = policy.replace(  # pyright: ignore
            params=shard(policy.params, self._mesh, only=WEIGHTS),
            adapters=shard(policy.adapters, self._mesh, only=WEIGHTS),
        )
        self._seed = jnp.uint32(seed)
        self._stops = jnp.asarray(cfg.stop_tokens, jnp.int32)
        self._arena = self._empty_arena()
        self._slots = idle_slots(cfg.trees, cfg.branches, cfg.arena_columns)
        self._prompt_length = np.zeros(cfg.trees, np.int32)
        self._trees: list[_Tree | None] = [None] * cfg.trees
        self._partial: list[Finished] = []

    def grow(self, growths: Iterable[Growth], receive: Callable[[list[Finished]], None]) -> Iterator[Growth]:
        """Grows trees to their ends, T at a time, and yields each as it ends.

        `receive` gets all requests that finished since the last round, in the order of the trees' places, before their
        growths are asked for more.
        """
        queue = iter(growths)
        while True:
            yield from self._turn_over(queue)
            if not any(self._trees):
                return
            self._assign()
            receive(self._decode())

    def _turn_over(self, queue: Iterator[Growth]) -> Iterator[Growth]:
        """Lets ended trees go and newcomers in, until every place is busy or the queue is empty."""
        while True:
            for place, tree in enumerate(self._trees):
                if tree is not None and not tree.in_flight:
                    tree.waiting = [] if tree.retired else _jobs(tree.growth.requests())
                    if not tree.waiting:
                        self._trees[place] = None
                        yield tree.growth
            vacant = [place for place, tree in enumerate(self._trees) if tree is None]
            newcomers = [(place, growth) for place, growth in zip(vacant, queue, strict=False)]
            if not newcomers:
                return
            self._admit(newcomers)

    def _admit(self, newcomers: list[tuple[int, Growth]]) -> None:
        cfg = self.cfg
        by_width: dict[int, list[tuple[int, Growth]]] = {}
        for place, growth in newcomers:
            length = len(growth.prompt)
            if length > cfg.prompt_columns:
                raise ValueError(f"a prompt of {length} tokens does not fit {cfg.prompt_columns} prompt columns")
            by_width.setdefault(min(cfg.prompt_columns, bucket(length)), []).append((place, growth))
            self._prompt_length[place] = length
            self._trees[place] = _Tree(growth, TreeColumns(cfg.arena_columns), [], {})
        group = batch_divisor(self._mesh)  # one size for all, so that a prompt's bits do not depend on its company
        for width, alike in by_width.items():
            for start in range(0, len(alike), group):
                tokens = np.zeros((group, width), np.int32)
                places = np.full(group, cfg.trees, np.int32)
                for row, (place, growth) in enumerate(alike[start : start + group]):
                    tokens[row, : len(growth.prompt)], places[row] = growth.prompt, place
                self._arena = prefill(self._policy, self._arena, self._rows(tokens), jnp.asarray(places))

    def _assign(self) -> None:
        """Puts waiting jobs into idle slots, with columns of their own; makes room or retires where there are none."""
        crowded = []
        for place, tree in enumerate(self._trees):
            if tree is not None and not self._assign_tree(place, tree) and not tree.running:
                crowded.append(place)
        if not crowded:
            return
        self._compact(crowded)
        for place in crowded:
            tree = self._trees[place]
            assert tree is not None
            if not self._assign_tree(place, tree) and not tree.running:
                self.stats.retired.append(tree.growth)
                self._partial += _unfinished(tree)
                tree.waiting.clear()
                tree.retired = True

    def _assign_tree(self, place: int, tree: _Tree) -> bool:
        """Assigns what fits; False where a job found a slot but no columns."""
        for slot in range(self.cfg.branches):
            if not tree.waiting:
                return True
            if slot in tree.running:
                continue
            base = tree.columns.reserve(tree.waiting[0].request.budget)
            if base is None:
                return False
            job = tree.waiting.pop(0)
            job.base, tree.running[slot] = base, job
            self._fill(place, slot, tree, job)
        return True

    def _fill(self, place: int, slot: int, tree: _Tree, job: _Job) -> None:
        request, here, s = job.request, (place, slot), self._slots
        prompt, path = tree.growth.prompt, request.path
        s.token[here] = path[-1] if path else prompt[-1]
        s.position[here] = len(prompt) + len(path) - 1
        s.base[here], s.produced[here], s.budget[here], s.active[here] = job.base, 0, request.budget, True
        s.identity[here] = (tree.growth.key & 0xFFFFFFFF, request.node, request.expansion, job.number)
        s.temperature[here], s.top_p[here] = request.temperature, request.top_p
        s.visible[here] = False
        s.visible[place, slot, tree.columns.find(path)] = True

    def _compact(self, places: list[int]) -> None:
        columns = np.tile(np.arange(self._arena.k.shape[3], dtype=np.int32), (self.cfg.trees, 1))
        for place in places:
            tree = self._trees[place]
            assert tree is not None
            columns[place, self.cfg.prompt_columns :] = self.cfg.prompt_columns + tree.columns.compact()
        self._arena = rearrange(self._arena, self._rows(columns))
        self.stats.compactions += len(places)

    def _decode(self) -> list[Finished]:
        """One round on the device; returns the requests whose last sample came, or whose tree was retired."""
        partial, self._partial = self._partial, []
        if not self._slots.active.any():
            return partial
        slots = Slots(*(self._rows(array) for array in self._slots))
        self._arena, result = decode_round(
            self._policy,
            self._arena,
            slots,
            self._rows(self._prompt_length),
            self._stops,
            self._seed,
            self.cfg.round_steps,
        )
        result = jax.device_get(result)
        self._slots = Slots(*(np.array(array) for array in result.slots))
        self.stats.rounds += 1
        self.stats.tokens += int(result.count.sum())
        self.stats.slot_steps += int(result.count.max()) * result.count.size
        return partial + [done for place in range(self.cfg.trees) for done in self._collect(place, result)]

    def _collect(self, place: int, result) -> Iterator[Finished]:
        tree = self._trees[place]
        if tree is None:
            return
        for slot, job in list(tree.running.items()):
            count = result.count[place, slot]
            job.tokens.extend(result.tokens[place, slot, :count].tolist())
            job.logprobs.extend(result.logprobs[place, slot, :count].tolist())
            if self._slots.active[place, slot]:
                continue
            del tree.running[slot]
            tree.columns.store(job.request.path, job.tokens, job.base, job.request.budget)
            end = "stop" if job.tokens[-1] in self.cfg.stop_tokens else "budget"
            job.results[job.number] = Sample(tuple(job.tokens), tuple(job.logprobs), end)
            samples = [sample for sample in job.results if sample is not None]
            if len(samples) == job.request.samples:
                yield tree.growth, job.request, samples

    def _empty_arena(self) -> KVCache:
        cfg = self.cfg
        make = lambda: empty_cache(self._policy.config, cfg.trees, cfg.prompt_columns + cfg.arena_columns)
        return jax.jit(make, out_shardings=arena_sharding(self._policy.config, self._mesh))()

    def _rows(self, array: np.ndarray) -> jax.Array:
        return jax.device_put(array, NamedSharding(self._mesh, P(BATCH)))
