"""The search tree over fragments of one answer: which fragments there are, and a view of its numbers.

Rules are those of iTool (arXiv 2501.09766) and MCTS-DPO (arXiv 2405.00451) as docs/method.md states them: every sample
adds one visit and its leaf's reward to each node on its way; values follow from these sums. The numbers of all trees of
a search stand in one `TreePool`, which works on all of them at once; a tree alone has a pool of its own.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from itool_jax.search.pool import BUDGET, INNER, ROOT, STOP, SearchConfig, TreePool

__all__ = ["ROOT", "End", "Fragment", "Node", "SearchConfig", "SearchTree"]

End = Literal["stop", "budget"]
_ENDS: dict[End | None, int] = {None: INNER, "stop": STOP, "budget": BUDGET}
_NUMBERS = ("reward", "visits", "total", "finished", "expansions", "right")
_KEPT = ("parent", "tokens", "prior", "end", *_NUMBERS)
_END_NAMES = {number: name for name, number in _ENDS.items()}


class Node(NamedTuple):
    """A state: the prompt and the fragments on the way here, as it was when it was read.

    tokens      of the last fragment; empty at the root
    prior       p(a|s) of that fragment
    visits      N, samples that passed or ended here;  total: W, the sum of their rewards
    expansions  E, expansions that started here
    finished    samples among the visits that ended by themselves, not at their budget
    right       a strictly right sample passed or ended here
    end         None for an inner node, else what ended the answer here; `reward` is then R of the leaf
    """

    parent: int
    tokens: tuple[int, ...]
    prior: float
    depth: int
    end: End | None
    reward: float
    visits: int
    total: float
    finished: int
    expansions: int
    closed: bool
    right: bool
    children: list[int]


@dataclass(frozen=True)
class Fragment:
    """A piece of a sample: its tokens and their log-probs at temperature 1."""

    tokens: tuple[int, ...]
    logprobs: tuple[float, ...]


class SearchTree:
    """Nodes in order of creation; node 0 is the prompt.

    expansions  how many were begun;  widened: those that progressive widening began where PUCT would have gone down
    limit       how many it may have
    stopped     whether it was ended for giving no signal
    selected    the node that the next expansion starts at, where that was worked out together with other trees'
    """

    def __init__(self, cfg: SearchConfig, pool: TreePool | None = None):
        self.cfg, self.expansions, self.widened, self.stopped = cfg, 0, 0, False
        self.limit = cfg.iterations
        self.selected: int | None = None
        self._pool: TreePool | None = pool or TreePool(cfg)
        self._place = self._pool.take_place()
        self._parents, self._fragments = [-1], [b""]
        self._logprobs: list[bytes | None] = [b""]  # of the fragments' tokens, float32 as the sampler has them
        self._children: dict[tuple[int, bytes], int] = {}
        self._read: tuple[int, list[Node], list[float]] = -1, [], []

    @property
    def pool(self) -> TreePool:
        """Where its numbers are; raises RuntimeError once it was detached."""
        if self._pool is None:
            raise RuntimeError("a tree that left its search grows no more")
        return self._pool

    @property
    def place(self) -> int:
        """Its row in the pool."""
        return self._place

    def detach(self) -> None:
        """Leaves the pool, whose place is free again; the tree can be read as before, but grows no more."""
        self._snapshot()
        self.pool.release(self._place)
        self._pool = None

    @property
    def nodes(self) -> list[Node]:
        return self._snapshot()[0]

    def action_values(self) -> list[float]:
        """Q(s, a) of the fragment that leads to each node; 0 for the root. See `TreePool.action_values`."""
        return self._snapshot()[1]

    @property
    def finished(self) -> bool:
        closed = self._read[1][ROOT].closed if self._pool is None else self._pool.closed[self._place, ROOT]
        return self.stopped or self.expansions >= self.limit or bool(closed)

    @property
    def size(self) -> int:
        """How many nodes there are."""
        return len(self._parents)

    def path(self, node: int) -> tuple[int, ...]:
        """Tokens of the answer up to and including this node's fragment."""
        return _tokens(b"".join(self._fragments[passed] for passed in self._way(node)))

    def logprobs(self, node: int) -> tuple[float, ...] | None:
        """Log-probs of the tokens of `path` as they were first drawn; None where a restored tree does not have them."""
        pieces = [self._logprobs[passed] for passed in self._way(node)]
        known = [piece for piece in pieces if piece is not None]
        return tuple(array("f", b"".join(known))) if len(known) == len(pieces) else None

    def _way(self, node: int) -> list[int]:
        """The nodes from the root, without it, to this one."""
        way = []
        while node != ROOT:
            way.append(node)
            node = self._parents[node]
        return way[::-1]

    def insert(self, node: int, fragments: Sequence[Fragment], end: End) -> int:
        """Adds a sample's fragments below `node` and returns its leaf.

        A fragment equal to a child's tokens is that child; the last one of a truncated sample is a leaf of its own.
        """
        for number, fragment in enumerate(fragments, 1):
            last = number == len(fragments)
            key = node, array("i", fragment.tokens).tobytes()
            child = None if last and end == "budget" else self._children.get(key)
            if child is None:
                prior = math.exp(sum(fragment.logprobs) / len(fragment.tokens) ** self.cfg.prior_power)
                child = self._add(key, prior, end if last else None, array("f", fragment.logprobs).tobytes())
            node = child
        return node

    def _add(self, key: tuple[int, bytes], prior: float, end: End | None, logprobs: bytes | None) -> int:
        parent, tokens = key
        child = self.pool.add(self._place, parent, prior, _ENDS[end])
        self._parents.append(parent)
        self._fragments.append(tokens)
        self._logprobs.append(logprobs)
        if end != "budget":
            self._children[key] = child
        return child

    def set_inner_reward(self, node: int, reward: float) -> None:
        """R of an inner node, where gamma < 1."""
        self.pool.reward[self._place, node] = reward
        self.pool.version += 1

    def backup(self, leaf: int, reward: float, right: bool) -> None:
        """Adds one visit and the leaf's reward to every node from the leaf up to the root."""
        self.pool.backup([self._place], [leaf], [reward], [right])

    def end_expansion(self) -> None:
        """Says anew which nodes are closed, once all samples of an expansion are in."""
        self.pool.close([self._place])

    def begin_expansion(self) -> tuple[int, int]:
        """Selects a node and counts an expansion there; returns it and how many it had before."""
        chosen = self.select() if self.selected is None else self.selected
        self.selected = None
        before = int(self.pool.expansions[self._place, chosen])
        self.widened += bool(self.cfg.widening and before and self._has_open_child(chosen))
        self.pool.expansions[self._place, chosen] += 1
        self.pool.version += 1
        self.expansions += 1
        return chosen, before

    def _has_open_child(self, node: int) -> bool:
        below = self.pool.parent[self._place, : self.size] == node
        return not self.pool.closed[self._place, : self.size][below].all()

    def select(self) -> int:
        """The node that the rules expand next. See `TreePool.select`."""
        return int(self.pool.select([self._place])[0])

    def state(self) -> dict[str, Any]:
        """All of an unfinished tree as JSON values, to `restore` it from."""
        return {
            "expansions": self.expansions,
            "widened": self.widened,
            "nodes": [[getattr(node, name) for name in _KEPT] for node in self.nodes],
            "logprobs": [None if logprobs is None else logprobs.hex() for logprobs in self._logprobs],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Makes a new tree the one that `state` was taken of, in every bit; earlier versions kept no log-probs."""
        pool, logprobs = self.pool, state.get("logprobs") or [None] * len(state["nodes"])
        self.expansions, self.widened = state["expansions"], state["widened"]
        for index, (parent, tokens, prior, end, *numbers) in enumerate(state["nodes"]):
            if index != ROOT:
                packed = logprobs[index]
                drawn = None if packed is None else bytes.fromhex(packed)
                self._add((parent, array("i", tokens).tobytes()), prior, end, drawn)
            for name, number in zip(_NUMBERS, numbers, strict=True):
                getattr(pool, name)[self._place, index] = number
        pool.close([self._place])

    def _snapshot(self) -> tuple[list[Node], list[float]]:
        """Nodes and action values, read again if the pool has changed."""
        version, nodes, values = self._read
        if self._pool is not None and self._pool.version != version:
            nodes = self._read_nodes(self._pool)
            values = self._pool.action_values([self._place])[0].tolist()
            self._read = self._pool.version, nodes, values
        return nodes, values

    def _read_nodes(self, pool: TreePool) -> list[Node]:
        own = np.s_[self._place, : len(self._parents)]
        children: list[list[int]] = [[] for _ in self._parents]
        for child, parent in enumerate(self._parents[1:], 1):
            children[parent].append(child)
        columns = (
            self._parents,
            map(_tokens, self._fragments),
            pool.prior[own].tolist(),
            pool.depth[own].tolist(),
            map(_END_NAMES.__getitem__, pool.end[own].tolist()),
            *(a[own].tolist() for a in (pool.reward, pool.visits, pool.total, pool.finished, pool.expansions)),
            pool.closed[own].tolist(),
            pool.right[own].tolist(),
            children,
        )
        return list(map(Node, *columns))


def _tokens(packed: bytes) -> tuple[int, ...]:
    return tuple(array("i", packed))
