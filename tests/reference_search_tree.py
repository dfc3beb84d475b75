"""The reference that the pool of trees is held to: one tree, node by node, in plain Python, by docs/method.md."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from itool_jax.search.tree import ROOT, End, Fragment, SearchConfig


@dataclass
class Node:
    """A state: the prompt and the fragments on the way here.

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
    end: End | None = None
    reward: float = 0.0
    visits: int = 0
    total: float = 0.0
    finished: int = 0
    expansions: int = 0
    closed: bool = False
    right: bool = False
    children: list[int] = field(default_factory=list)


class ReferenceTree:
    """Nodes in order of creation; node 0 is the prompt."""

    def __init__(self, cfg: SearchConfig):
        self.cfg = cfg
        self.nodes = [Node(parent=-1, tokens=(), prior=1.0, depth=0)]
        self.expansions = 0

    @property
    def finished(self) -> bool:
        return self.nodes[ROOT].closed or self.expansions >= self.cfg.iterations

    def path(self, node: int) -> tuple[int, ...]:
        """Tokens of the answer up to and including this node's fragment."""
        fragments = []
        while node != ROOT:
            fragments.append(self.nodes[node].tokens)
            node = self.nodes[node].parent
        return tuple(token for fragment in reversed(fragments) for token in fragment)

    def insert(self, node: int, fragments: Sequence[Fragment], end: End) -> int:
        """Adds a sample's fragments below `node` and returns its leaf.

        A fragment equal to a child's tokens is that child; the last one of a truncated sample is a leaf of its own.
        """
        for number, fragment in enumerate(fragments, 1):
            last = number == len(fragments)
            child = None if last and end == "budget" else self._child(node, fragment.tokens)
            if child is None:
                child = self._add(node, fragment, end if last else None)
            node = child
        return node

    def _child(self, node: int, tokens: tuple[int, ...]) -> int | None:
        nodes = self.nodes
        return next((c for c in nodes[node].children if nodes[c].tokens == tokens and nodes[c].end != "budget"), None)

    def _add(self, parent: int, fragment: Fragment, end: End | None) -> int:
        prior = math.exp(sum(fragment.logprobs) / len(fragment.tokens) ** self.cfg.prior_power)
        self.nodes.append(Node(parent, fragment.tokens, prior, self.nodes[parent].depth + 1, end))
        self.nodes[parent].children.append(len(self.nodes) - 1)
        return len(self.nodes) - 1

    def backup(self, leaf: int, reward: float, right: bool) -> None:
        """Adds one visit and the leaf's reward to every node from the leaf up to the root."""
        self.nodes[leaf].reward = reward
        finished = self.nodes[leaf].end == "stop"
        while leaf >= ROOT:
            node = self.nodes[leaf]
            node.visits += 1
            node.total += reward
            node.finished += finished
            node.right |= right
            leaf = node.parent

    def end_expansion(self) -> None:
        """Says anew which nodes are closed, once all samples of an expansion are in.

        Leaves and over-deep nodes are; an inner node is when all its children are and its expansions are spent.
        """
        cfg = self.cfg
        for node in reversed(self.nodes):
            spent = bool(node.children) and node.expansions >= cfg.expansions_max
            node.closed = (
                node.end is not None
                or 0 < cfg.max_depth <= node.depth
                or (spent and all(self.nodes[child].closed for child in node.children))
            )

    def begin_expansion(self) -> tuple[int, int]:
        """Selects a node and counts an expansion there; returns it and how many it had before."""
        chosen = self.select()
        before = self.nodes[chosen].expansions
        self.nodes[chosen].expansions += 1
        self.expansions += 1
        return chosen, before

    def select(self) -> int:
        """Walks down by PUCT until a node that was never expanded or has no open child."""
        node, values = ROOT, self.action_values()
        if self.cfg.select_by == "entropy":
            return self._least_sure()
        while self.nodes[node].expansions >= 1 and not self._widens(self.nodes[node]):
            here = self.nodes[node]
            open_children = [child for child in here.children if not self.nodes[child].closed]
            if not open_children:
                return node
            explore = self.cfg.c_puct * math.sqrt(here.visits)
            score = lambda c: values[c] + explore * self.nodes[c].prior / (1 + self.nodes[c].visits)  # noqa: B023
            node = max(open_children, key=lambda child: (score(child), -child))
        return node

    def _widens(self, node: Node) -> bool:
        return self.cfg.samples * node.expansions < self.cfg.widening * node.visits**self.cfg.widening_power

    def _least_sure(self) -> int:
        open_nodes = [
            i
            for i, n in enumerate(self.nodes)
            if n.end is None and not n.closed and n.expansions < self.cfg.expansions_max
        ]

        def entropy(index: int) -> float:
            children = [self.nodes[c] for c in self.nodes[index].children if self.nodes[c].end != "budget"]
            total = sum(-math.log(child.prior) * child.visits for child in children)
            return total / max(sum(child.visits for child in children), 1)

        best = max(map(entropy, open_nodes))
        return next(index for index in open_nodes if entropy(index) > best - 1e-12)

    def action_values(self) -> list[float]:
        """Q(s, a) of the fragment that leads to each node; 0 for the root.

        With gamma = 1 it is U(s') - R(s), and inner rewards telescope away; else the recursion
        Q(s,a) = R(s') - R(s) + gamma V(s'),  V(s) = sum_a N(s,a) Q(s,a) / sum_a N(s,a)  runs from the leaves.
        """
        nodes = self.nodes
        if self.cfg.gamma == 1.0:
            return [0.0] + [n.total / max(n.visits, 1) - self._inner_reward(n.parent) for n in nodes[1:]]
        q, weighted = [0.0] * len(nodes), [0.0] * len(nodes)
        for index in range(len(nodes) - 1, ROOT, -1):
            node = nodes[index]
            value = weighted[index] / max(node.visits, 1) if node.end is None else 0.0
            q[index] = node.reward - self._inner_reward(node.parent) + self.cfg.gamma * value
            weighted[node.parent] += node.visits * q[index]
        return q

    def _inner_reward(self, node: int) -> float:
        return 0.0 if node == ROOT else self.nodes[node].reward
