"""The host side of the trees that share an arena: who grows where, and what the next round is to do."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from itool_jax.errors import UserError
from itool_jax.forest import bucket
from itool_jax.models.config import DecoderConfig
from itool_jax.models.decoder import KVCache, LayerPast, columns_apart, empty_cache, layers_apart
from itool_jax.models.policy import Policy
from itool_jax.parallel.mesh import BATCH, AnyMesh, batch_divisor
from itool_jax.sampling.arena import (
    Apart,
    RoundResult,
    columns_in_use,
    decode_round,
    gather_columns,
    idle_slots,
    prefill,
    rearrange,
)
from itool_jax.sampling.columns import TreeColumns
from itool_jax.sampling.requests import Finished, Growth, Request, Sample

STOPS = 8  # stop tokens that any request may have
_LEAST_WINDOW = 96  # columns, below which it saves little to read fewer
_PREFILL_TOKENS = 256  # that a device reads at once at least, so that short prompts do not come one by one


@dataclass(frozen=True)
class SamplerConfig:
    """Sizes of the device batch; sizes are counts.

    trees           T, arenas on the device at once
    branches        G, samples of one tree in flight at once
    prompt_columns  P, the longest prompt in tokens
    arena_columns   A, room for grown tokens per tree; a tree that fills it is compacted, else retired and counted
    stop_tokens     tokens that end a sample, which keeps the one that ended it
    round_steps     decode steps between two looks of the host
    cohorts         parts of the trees that decode in turn: while one is on the device, the host works for another.
                    Each reads the weights for itself, so more than 1 pays where the host takes long or the batch is
                    large
    """

    trees: int
    branches: int
    prompt_columns: int
    arena_columns: int
    stop_tokens: tuple[int, ...]
    round_steps: int = 16
    cohorts: int = 1

    @property
    def cohort_trees(self) -> int:
        return self.trees // self.cohorts


@dataclass
class SamplerStats:
    """Counts over the life of a sampler; `retired` are the growths that ended because their arena was full.

    slot_steps  slots times decode steps, busy or not
    waited      seconds in which the host had nothing to do but wait for the device
    """

    tokens: int = 0
    rounds: int = 0
    slot_steps: int = 0
    compactions: int = 0
    waited: float = 0.0
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


def arena_sharding(cfg: DecoderConfig, mesh: AnyMesh) -> NamedSharding:
    """Trees over (data, fsdp); KV heads over tensor where they divide, else on every device."""
    heads = "tensor" if cfg.kv_heads % mesh.shape["tensor"] == 0 else None
    return NamedSharding(mesh, P(None, BATCH, heads))


def prompt_width(length: int, cfg: SamplerConfig) -> int:
    """Columns of the program that reads a prompt of so many tokens."""
    return min(cfg.prompt_columns, bucket(length))


def prompt_rows(width: int, mesh: AnyMesh) -> int:
    """Prompts that are read at once: as many for all of one width, so that a prompt's bits are those of any company."""
    return batch_divisor(mesh) * max(1, _PREFILL_TOKENS // width)


def prompt_windows(columns: int) -> tuple[int, ...]:
    """Numbers of prompt columns that there are programs for, ascending: all, half and a quarter of them."""
    return tuple(-(-columns // part) for part in (4, 2, 1) if part == 1 or columns // part >= _LEAST_WINDOW)


def grown_windows(columns: int) -> tuple[int, ...]:
    """Numbers of grown columns that there are programs for, ascending: _LEAST_WINDOW, half as many more, twice, ..."""
    sizes = [_LEAST_WINDOW]
    while sizes[-1] < columns:
        sizes.append(sizes[-1] * 3 // 2 if len(sizes) % 2 else sizes[-1] * 4 // 3)
    return (*sizes[:-1], columns) if len(sizes) > 1 else (columns,)


class _Programs(NamedTuple):
    """What a cohort runs on the device, and what with; `layers` is None where rounds loop over layers."""

    policy: Policy
    seed: jax.Array
    mesh: Mesh
    layers: tuple[Any, ...] | None


class Cohort:
    """Trees that share a device batch. `step` is a look of the host: it takes a round's results and starts the next."""

    def __init__(self, policy: Policy, cfg: SamplerConfig, seed: int, mesh: Mesh, stats: SamplerStats):
        self.cfg, self.stats = cfg, stats
        on_cpu = mesh.devices.flat[0].platform == "cpu"
        self._run = _Programs(policy, jnp.uint32(seed), mesh, layers_apart(policy.variables) if on_cpu else None)
        self.arena = self._empty_arena()
        self._prompts: tuple[LayerPast, ...] = ()  # of as many columns as the last round read
        self._slots = idle_slots(cfg.cohort_trees, cfg.branches, cfg.arena_columns, max(STOPS, len(cfg.stop_tokens)))
        self._prompt_length = np.zeros(cfg.cohort_trees, np.int32)
        self._trees: list[_Tree | None] = [None] * cfg.cohort_trees
        self._partial: list[Finished] = []
        self._round: RoundResult | None = None

    @property
    def busy(self) -> bool:
        """Whether any tree is here."""
        return any(tree is not None for tree in self._trees)

    def turn_over(self, queue: Iterator[Growth]) -> Iterator[Growth]:
        """Lets ended trees go and newcomers in, until every place is busy or the queue is empty."""
        while True:
            for place, tree in enumerate(self._trees):
                if tree is not None and not tree.in_flight:
                    tree.waiting = [] if tree.retired else _jobs(tree.growth.requests())
                    if not tree.waiting:
                        self._trees[place] = None
                        self._prompt_length[place] = 0
                        yield tree.growth
            vacant = [place for place, tree in enumerate(self._trees) if tree is None]
            newcomers = [(place, growth) for place, growth in zip(vacant, queue, strict=False)]
            if not newcomers:
                return
            self._admit(newcomers)

    def start_round(self) -> None:
        """Fills idle slots and sends the next round to the device, without waiting for it."""
        self._assign()
        if self._slots.active.any():
            used = columns_in_use(self._slots)
            longest, most = int(self._prompt_length.max()), int(used.sum(1).max())
            fit = lambda sizes, least: next(size for size in sizes if size >= least)
            cfg = self.cfg
            self._round = self._decode(
                fit(prompt_windows(cfg.prompt_columns), longest),
                fit(grown_windows(cfg.arena_columns), most),
                used,
            )

    def end_round(self) -> list[Finished]:
        """Waits for the round; returns the requests whose last sample came, or whose tree was retired."""
        partial, self._partial = self._partial, []
        if self._round is None:
            return partial
        began = time.perf_counter()
        result, self._round = jax.device_get(self._round), None
        self.stats.waited += time.perf_counter() - began
        self.stats.rounds += 1
        self.stats.tokens += int(result.count.sum())
        self.stats.slot_steps += int(result.count.max()) * result.count.size
        self._advance(result)
        return partial + [done for place in range(len(self._trees)) for done in self._collect(place, result)]

    def warm_up(self, lengths: Iterable[int]) -> None:
        """Compiles what prompts of these lengths may need, by running it on nothing."""
        cfg = self.cfg
        for width in sorted({prompt_width(length, cfg) for length in lengths}):
            rows = prompt_rows(width, self._run.mesh)
            self._prefill(
                np.zeros((rows, width), np.int32), np.ones(rows, np.int32), np.full(rows, cfg.cohort_trees, np.int32)
            )
        nothing = np.zeros((cfg.cohort_trees, cfg.arena_columns), bool)
        for prompt_used in prompt_windows(cfg.prompt_columns):
            for grown_used in grown_windows(cfg.arena_columns):
                self._decode(prompt_used, grown_used, nothing)
        self._rearrange(np.tile(np.arange(self.arena.k.shape[3], dtype=np.int32), (cfg.cohort_trees, 1)))

    def _admit(self, newcomers: list[tuple[int, Growth]]) -> None:
        cfg = self.cfg
        by_width: dict[int, list[tuple[int, Growth]]] = {}
        for place, growth in newcomers:
            length = len(growth.prompt)
            if not 0 < length <= cfg.prompt_columns:
                raise UserError(
                    f"a prompt of {length} tokens: expected at least 1, and at most the sampler's {cfg.prompt_columns} "
                    "prompt columns."
                )
            by_width.setdefault(prompt_width(length, cfg), []).append((place, growth))
            self._prompt_length[place] = length
            self._trees[place] = _Tree(growth, TreeColumns(cfg.arena_columns), [], {})
        for width, alike in by_width.items():
            rows = prompt_rows(width, self._run.mesh)
            for start in range(0, len(alike), rows):
                tokens, lengths = np.zeros((rows, width), np.int32), np.ones(rows, np.int32)
                places = np.full(rows, cfg.cohort_trees, np.int32)
                for row, (place, growth) in enumerate(alike[start : start + rows]):
                    tokens[row, width - len(growth.prompt) :] = growth.prompt
                    lengths[row], places[row] = len(growth.prompt), place
                self._prefill(tokens, lengths, places)

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
        for name, rule in s.rules._asdict().items():
            rule[here] = getattr(request, name)
        stops = self._stops(request)
        s.stops[here] = (*stops, *(-1,) * (s.stops.shape[-1] - len(stops)))
        s.visible[here] = False
        s.visible[place, slot, tree.columns.find(path)] = True

    def _stops(self, request: Request) -> tuple[int, ...]:
        stops = self.cfg.stop_tokens if request.stop_tokens is None else request.stop_tokens
        if len(stops) > self._slots.stops.shape[-1]:
            raise UserError(
                f"a request has {len(stops)} stop tokens, but the sampler takes at most {self._slots.stops.shape[-1]}: "
                "give the sampler as many in its config."
            )
        return stops

    def _advance(self, result: RoundResult) -> None:
        """The slots after a round."""
        s, count = self._slots, result.count
        ran = count > 0
        last = np.take_along_axis(result.tokens, np.maximum(count - 1, 0)[..., None], -1)[..., 0]
        column = np.arange(s.visible.shape[-1])
        first, beyond = s.base + np.maximum(s.produced - 1, 0), s.base + s.produced + count - 1
        kept = ran[..., None] & (column >= first[..., None]) & (column < beyond[..., None])
        s.visible[...] |= kept
        s.token[ran] = last[ran]
        s.position[...] += count
        s.produced[...] += count
        s.active[...] = result.active

    def _collect(self, place: int, result: RoundResult) -> Iterator[Finished]:
        tree = self._trees[place]
        if tree is None:
            return
        for slot, job in list(tree.running.items()):
            count = result.count[place, slot]
            job.tokens.extend(result.tokens[place, slot, :count].tolist())
            job.logprobs.extend(result.logprobs[place, slot, :count].tolist())
            if result.active[place, slot]:
                continue
            del tree.running[slot]
            tree.columns.store(job.request.path, job.tokens, job.base, job.request.budget)
            end = "stop" if job.tokens[-1] in self._stops(job.request) else "budget"
            job.results[job.number] = Sample(tuple(job.tokens), tuple(job.logprobs), end)
            samples = [sample for sample in job.results if sample is not None]
            if len(samples) == job.request.samples:
                yield tree.growth, job.request, samples

    def _compact(self, places: list[int]) -> None:
        columns = np.tile(np.arange(self.arena.k.shape[3], dtype=np.int32), (self.cfg.cohort_trees, 1))
        for place in places:
            tree = self._trees[place]
            assert tree is not None
            columns[place, self.cfg.prompt_columns :] = self.cfg.prompt_columns + tree.columns.compact()
        self._rearrange(columns)
        self.stats.compactions += len(places)

    def _decode(self, prompt_used: int, grown_used: int, in_use: np.ndarray) -> RoundResult:
        """Starts a round that reads so many columns, of the grown ones those in use [T, A]."""
        run, cfg = self._run, self.cfg
        columns, visible = gather_columns(in_use, self._slots.visible, grown_used)
        slots = jax.tree.map(self._rows, self._slots._replace(visible=visible))
        self.arena, result = decode_round(
            run.policy, self.arena, slots, self._rows(columns), self._rows(self._prompt_length), run.seed,
            self._apart(prompt_used),
            steps=cfg.round_steps, prompt_columns=cfg.prompt_columns, prompt_used=prompt_used,
        )  # fmt: skip
        return result

    def _apart(self, prompt_used: int) -> Apart | None:
        if self._run.layers is None:
            return None
        if not self._prompts or self._prompts[0].v.shape[-2] != prompt_used:
            self._prompts = columns_apart(self.arena, self.cfg.prompt_columns - prompt_used, prompt_used)
        return Apart(self._run.layers, self._prompts)

    def _prefill(self, tokens: np.ndarray, lengths: np.ndarray, places: np.ndarray) -> None:
        self._prompts = ()
        self.arena = prefill(
            self._run.policy, self.arena, self._rows(tokens), self._rows(lengths), jnp.asarray(places),
            prompt_columns=self.cfg.prompt_columns,
        )  # fmt: skip

    def _rearrange(self, columns: np.ndarray) -> None:
        self.arena = rearrange(self.arena, self._rows(columns))

    def _empty_arena(self) -> KVCache:
        cfg, model = self.cfg, self._run.policy.config
        make = lambda: empty_cache(model, cfg.cohort_trees, cfg.prompt_columns + cfg.arena_columns)
        return jax.jit(make, out_shardings=arena_sharding(model, self._run.mesh))()

    def _rows(self, array: np.ndarray) -> jax.Array:
        """On the mesh, as a copy: the host's arrays change while a round runs."""
        return jax.device_put(array.copy(), NamedSharding(self._run.mesh, P(BATCH)))


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
