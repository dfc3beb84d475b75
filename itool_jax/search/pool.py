"""The numbers of many search trees at once: backup, closing, values and selection as array operations over all of them.

Shapes: T trees that the pool has room for, R nodes that each of them has room for, M trees that a call is about. Node r
of tree t is entry [t, r] of every array, so nodes keep their numbers (those of a tree in order of creation, a parent
before its children) whatever else the pool holds, and a tree that ends gives its place to another. Sums run in the
order in which samples come, so that a tree's numbers do not depend on its company, to the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

ROOT = 0
INNER, STOP, BUDGET = 0, 1, 2  # entries of `end`: no leaf; ended by itself; truncated at its budget
_BY_NODE = ("parent", "depth", "visits", "finished", "expansions", "prior", "reward", "total", "right", "closed", "end")


@dataclass(frozen=True)
class SearchConfig:
    """How one tree grows.

    samples         n, completions drawn at each expansion
    iterations      expansions a tree gets at most
    c_puct          weight of the prior against the value
    prior_power     a fragment's log-probability is divided by its length to this power
    expansions_max  E_max, expansions at one node after which it may close
    max_depth       fragments below which nothing is expanded; 0 for no limit
    gamma           discount; below 1, inner nodes must carry rewards of their own
    select_by       what is expanded next: by PUCT, or the boundary of highest entropy (see `TreePool.select`)
    widening        k: a node passed N times is expanded again while fewer than k N^alpha samples were drawn at it;
                    0 for never
    widening_power  alpha, below 1
    stop_unanimous  a tree ends after its first expansion where all samples have the same text and reward
    extra_iterations  more expansions that a tree with mixed outcomes may get, out of those that ended trees left
    """

    samples: int = 3
    iterations: int = 5
    c_puct: float = 1.0
    prior_power: float = 1.25
    expansions_max: int = 2
    max_depth: int = 0
    gamma: float = 1.0
    select_by: Literal["puct", "entropy"] = "puct"
    widening: float = 0.0
    widening_power: float = 0.5
    stop_unanimous: bool = False
    extra_iterations: int = 0


class TreePool:
    """Statistics of all trees of a search, one array for each.

    parent      [T, R]  -1 at the root;  depth [T, R]  fragments above and in the node
    prior       [T, R]  p(a|s) of the fragment that leads to the node
    end         [T, R]  INNER, STOP or BUDGET;  reward [T, R]  R: of a leaf, and with gamma < 1 of an inner node
    visits      [T, R]  N, samples that passed or ended here;  total [T, R]  W, the sum of their rewards
    finished    [T, R]  samples among the visits that ended by themselves
    right       [T, R]  whether a strictly right sample passed or ended here
    expansions  [T, R]  E, expansions that started here
    closed      [T, R]  whether nothing below is left to expand
    size        [T]     nodes of each tree
    version             grows with every change
    """

    def __init__(self, cfg: SearchConfig, trees: int = 1, nodes: int = 32):
        self.cfg, self.version = cfg, 0
        shape = trees, nodes
        self.parent, self.depth, self.visits, self.finished, self.expansions = np.zeros((5, *shape), np.int32)
        self.prior, self.reward, self.total = np.zeros((3, *shape), np.float64)
        self.right, self.closed = np.zeros((2, *shape), np.bool_)
        self.end = np.zeros(shape, np.int8)
        self.size = np.zeros(trees, np.int32)
        self._vacant = list(range(trees))[::-1]

    def take_place(self) -> int:
        """A place for a new tree, which holds its root."""
        if not self._vacant:
            trees, nodes = self.parent.shape
            self._resize(2 * trees, nodes)
            self._vacant = list(range(trees, 2 * trees))[::-1]
        place = self._vacant.pop()
        for name in _BY_NODE:
            getattr(self, name)[place] = 0
        self.parent[place, ROOT], self.prior[place, ROOT], self.size[place] = -1, 1.0, 1
        self.version += 1
        return place

    def release(self, place: int) -> None:
        """Gives a tree's place free."""
        self.size[place] = 0
        self._vacant.append(place)
        self.version += 1

    def add(self, place: int, parent: int, prior: float, end: int) -> int:
        """A new node below `parent`, not visited yet; returns its number."""
        node = int(self.size[place])
        if node == self.parent.shape[1]:
            self._resize(len(self.size), 2 * node)
        self.parent[place, node] = parent
        self.depth[place, node] = self.depth[place, parent] + 1
        self.prior[place, node] = prior
        self.end[place, node] = end
        self.size[place] = node + 1
        self.version += 1
        return node

    def _resize(self, trees: int, nodes: int) -> None:
        grown = [0, trees - self.parent.shape[0]], [0, nodes - self.parent.shape[1]]
        for name in _BY_NODE:
            setattr(self, name, np.pad(getattr(self, name), grown))
        self.size = np.pad(self.size, grown[0])

    def backup(self, places: ArrayLike, leaves: ArrayLike, rewards: ArrayLike, right: ArrayLike) -> None:
        """Adds one visit and the leaf's reward to every node from each sample's leaf up to its root.

        All arguments are [S], one entry a sample; a tree's samples stand in the order in which they came.
        """
        places, node = np.asarray(places), np.asarray(leaves)
        rewards, right = np.asarray(rewards, np.float64), np.asarray(right, bool)
        self.reward[places, node] = rewards
        stopped = self.end[places, node] == STOP
        sample, steps = np.arange(len(node)), []
        while len(sample):
            steps.append((sample, places[sample], node))
            above = self.parent[places[sample], node]
            sample, node = sample[above >= ROOT], above[above >= ROOT]
        sample, place, node = map(np.concatenate, zip(*steps, strict=True))
        order = np.argsort(sample, kind="stable")
        sample, passed = sample[order], (place[order], node[order])
        np.add.at(self.visits, passed, 1)
        np.add.at(self.total, passed, rewards[sample])
        np.add.at(self.finished, passed, stopped[sample])
        np.logical_or.at(self.right, passed, right[sample])
        self.version += 1

    def close(self, places: ArrayLike) -> None:
        """Says anew which nodes of the trees at `places` [M] are closed.

        Leaves and over-deep nodes are; an inner node is when all its children are and its expansions are spent.
        """
        cfg, block = self.cfg, _Block(self, places)
        end, depth, expansions = block.read("end", "depth", "expansions")
        spent = expansions >= cfg.expansions_max
        shut = (end != INNER) | ((depth >= cfg.max_depth) if cfg.max_depth else False)
        has_children, open_children = np.zeros_like(spent), np.zeros_like(expansions)
        for nodes in block.levels():
            shut[nodes] |= spent[nodes] & has_children[nodes] & (open_children[nodes] == 0)
            above = block.parent[nodes]
            has_children[above] = True
            np.add.at(open_children, above[~shut[nodes]], 1)
        roots = block.roots
        shut[roots] = spent[roots] & has_children[roots] & (open_children[roots] == 0)
        self.closed[block.places, : block.width] = shut.reshape(-1, block.width)
        self.version += 1

    def action_values(self, places: ArrayLike) -> np.ndarray:
        """Q(s, a) of the fragment that leads to each node, [M, widest tree]; 0 for roots and where no node is.

        With gamma = 1 it is U(s') - R(s), and inner rewards telescope away; else the recursion
        Q(s,a) = R(s') - R(s) + gamma V(s'),  V(s) = sum_a N(s,a) Q(s,a) / sum_a N(s,a)  runs from the leaves.
        """
        block = _Block(self, places)
        return _action_values(block, self.cfg.gamma).reshape(-1, block.width)

    def select(self, places: ArrayLike) -> np.ndarray:
        """The node of each tree [M] that is expanded next; only for trees whose root is open.

        puct     from the root, down to the child of the highest Q + c p sqrt(N(s)) / (1 + N(s,a)), until a node that
                 was never expanded, has no open child, or, with progressive widening (Coulom 2007; Couetoux et al.
                 2011, "Continuous Upper Confidence Trees"), at which fewer than k N^alpha samples were drawn
        entropy  the open node, expanded fewer than E_max times, at which the policy is least sure how to go on, by
                 the mean over the samples that went on of -log p(a|s), p the length-penalised prior; with prior_power
                 0 this estimates the entropy of the next fragment. Tool-Light branches where entropy is high, which it
                 measures at every token; here it is taken at fragment boundaries, from the samples at hand
        Ties go to the lowest number.
        """
        block = _Block(self, places)
        node = self._by_entropy(block) if self.cfg.select_by == "entropy" else self._by_puct(block)
        return node - block.roots

    def _by_puct(self, block: _Block) -> np.ndarray:
        cfg = self.cfg
        visits, prior, closed, expansions = block.read("visits", "prior", "closed", "expansions")
        explore = cfg.c_puct * np.sqrt(visits)[block.parent]
        score = _action_values(block, cfg.gamma) + explore * prior / (1 + visits)
        child = _best_children(block, score, block.is_child & ~closed)
        passed = (expansions >= 1) & (child >= 0)
        if cfg.widening:
            passed &= cfg.samples * expansions >= cfg.widening * visits**cfg.widening_power
        node = block.roots
        while (down := passed[node]).any():
            node = np.where(down, child[node], node)
        return node

    def _by_entropy(self, block: _Block) -> np.ndarray:
        visits, prior, closed, expansions, end = block.read("visits", "prior", "closed", "expansions", "end")
        whole = np.flatnonzero(block.is_child & (end != BUDGET))  # the fragment of a truncated leaf is cut short
        surprise = -np.log(np.maximum(prior[whole], np.finfo(np.float64).tiny))
        sums, counts = np.zeros_like(prior), np.zeros_like(prior)
        np.add.at(sums, block.parent[whole], visits[whole] * surprise)
        np.add.at(counts, block.parent[whole], visits[whole])
        candidate = block.is_node & ~closed & (end == INNER) & (expansions < self.cfg.expansions_max)
        entropy = np.where(candidate, sums / np.maximum(counts, 1), -np.inf)
        return block.roots + entropy.reshape(-1, block.width).argmax(1)


class _Block:
    """The used columns of some trees as flat arrays [M * width]; node r of the m-th tree is entry m * width + r."""

    def __init__(self, pool: TreePool, places: ArrayLike):
        self.pool, self.places = pool, np.asarray(places)
        size = pool.size[self.places]
        self.width = int(size.max())
        self.roots = np.arange(len(size)) * self.width
        number = np.arange(self.width)
        self.is_node = (number < size[:, None]).reshape(-1)
        self.is_child = self.is_node & (np.tile(number, len(size)) > ROOT)
        parent = pool.parent[self.places, : self.width] + self.roots[:, None]
        self.parent = np.where(self.is_child, parent.reshape(-1), 0)  # 0 stands where there is none
        self.parent_is_root = self.parent == np.repeat(self.roots, self.width)

    def read(self, *names: str) -> list[np.ndarray]:
        return [getattr(self.pool, name)[self.places, : self.width].reshape(-1) for name in names]

    def levels(self) -> list[np.ndarray]:
        """Nodes but the roots by depth, the deepest first, and among equals those that were created last."""
        (depth,) = self.read("depth")
        nodes = np.flatnonzero(self.is_child)[::-1]
        nodes = nodes[np.argsort(-depth[nodes], kind="stable")]
        return np.split(nodes, np.flatnonzero(np.diff(depth[nodes])) + 1)


def _action_values(block: _Block, gamma: float) -> np.ndarray:
    visits, total, reward = block.read("visits", "total", "reward")
    visited = np.maximum(visits, 1)
    inner = np.where(block.parent_is_root, 0.0, reward[block.parent])
    if gamma == 1.0:
        return np.where(block.is_child, total / visited - inner, 0.0)
    (end,) = block.read("end")
    values, weighted = np.zeros_like(total), np.zeros_like(total)
    for nodes in block.levels():
        below = np.where(end[nodes] == INNER, weighted[nodes] / visited[nodes], 0.0)
        values[nodes] = reward[nodes] - inner[nodes] + gamma * below
        np.add.at(weighted, block.parent[nodes], visits[nodes] * values[nodes])
    return values


def _best_children(block: _Block, score: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """The allowed child of the highest score of every node, the first of equals; -1 where there is none."""
    best = np.full(len(score), -np.inf)
    children = np.flatnonzero(allowed)
    np.maximum.at(best, block.parent[children], score[children])
    children = children[score[children] == best[block.parent[children]]]
    first = np.full(len(score), len(score))
    np.minimum.at(first, block.parent[children], children)
    return np.where(first < len(score), first, -1)
