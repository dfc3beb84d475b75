"""Preference pairs read off a search tree: right against wrong fragment after one shared prefix."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from itool_jax.data.example import Example
from itool_jax.search.rewards import read_prefix
from itool_jax.search.tree import Node, SearchTree
from itool_jax.toolcall import ABSENT, ParsedAnswer
from itool_jax.toolcall.prefix import open_brackets


@dataclass(frozen=True)
class PairConfig:
    """Which forks become pairs.

    min_gap                smallest difference in Q between the two sides
    per_tree_max           pairs of one tree at most, those with the largest gap; 0 for no limit
    ground_truth_stand_in  where no sampled child is right, the ground truth's fragment is the chosen side
    """

    min_gap: float = 0.0
    per_tree_max: int = 8
    ground_truth_stand_in: bool = False


@dataclass(frozen=True)
class Pair:
    """`chosen` and `rejected` continue the prompt and `prefix`; all are token ids of the answer.

    They part at their first tokens. `gap` is the difference in Q; `node` is the fork; `source` says whether the chosen
    side was sampled or is the ground truth's; `children` are the two nodes of the tree, the chosen one -1 if it is not
    in the tree.
    """

    prefix: tuple[int, ...]
    chosen: tuple[int, ...]
    rejected: tuple[int, ...]
    gap: float
    node: int
    children: tuple[int, int]
    source: Literal["sampled", "ground_truth"]


@dataclass(frozen=True)
class _Candidate:
    tokens: tuple[int, ...]
    value: float
    node: int
    source: Literal["sampled", "ground_truth"]


class PairReader:
    """Reads the pairs of one example's trees; `removed` counts what each filter took away."""

    def __init__(
        self,
        cfg: PairConfig,
        example: Example,
        truth: Sequence[Sequence[int]],
        decode: Callable[[Sequence[int]], str],
        best_reward: float = 1.0,
    ):
        """`truth` is the ground-truth answer as fragments of token ids; `decode` turns answer ids into text.

        best_reward is the largest R there is, 1 + w_C: the value of a ground-truth fragment that was never sampled.
        """
        self.cfg, self.example, self.decode, self.best_reward = cfg, example, decode, best_reward
        self.removed: Counter[str] = Counter()
        self._truth: dict[tuple[int, ...], tuple[int, ...]] = {}
        path: tuple[int, ...] = ()
        for fragment in truth:
            self._truth[path] = tuple(fragment)
            path = (*path, *fragment)

    def pairs(self, tree: SearchTree) -> list[Pair]:
        """The pairs of all forks, best gap first, at most `per_tree_max`."""
        values = tree.action_values()
        found = [pair for node in range(len(tree.nodes)) if (pair := self._at(tree, node, values)) is not None]
        unique = list({(p.prefix, p.chosen, p.rejected): p for p in found}.values())
        unique.sort(key=lambda pair: (-pair.gap, pair.node))
        kept = unique[: self.cfg.per_tree_max or None]
        self.removed["duplicate"] += len(found) - len(unique)
        self.removed["over_limit"] += len(unique) - len(kept)
        return kept

    def _at(self, tree: SearchTree, node: int, values: Sequence[float]) -> Pair | None:
        """The pair at one fork, or None, with what removed it counted."""
        children = [c for c in tree.nodes[node].children if tree.nodes[c].end != "budget"]
        if not children:
            return None
        path = tree.path(node)
        chosen = self._chosen(tree, node, path, children, values)
        wrong = [
            c for c in children if not tree.nodes[c].right and (chosen is None or tree.nodes[c].tokens != chosen.tokens)
        ]
        if chosen is None:
            self.removed["no_right_child"] += bool(wrong) and len(children) > 1
            return None
        if not wrong:
            return None
        proven = [c for c in wrong if self._proven_wrong(tree.nodes[c], path)]
        if not proven:
            self.removed["not_proven_wrong"] += 1
            return None
        rejected = min(proven, key=lambda c: (values[c], c))
        return self._pair(
            path, node, chosen, _Candidate(tree.nodes[rejected].tokens, values[rejected], rejected, "sampled")
        )

    def _chosen(self, tree, node: int, path, children: Sequence[int], values: Sequence[float]) -> _Candidate | None:
        right = [c for c in children if tree.nodes[c].right]
        if right:
            best = max(right, key=lambda c: (values[c], -c))
            return _Candidate(tree.nodes[best].tokens, values[best], best, "sampled")
        if not self.cfg.ground_truth_stand_in or path not in self._truth:
            return None
        fragment = self._truth[path]
        same = next((c for c in tree.nodes[node].children if tree.nodes[c].tokens == fragment), -1)
        return _Candidate(fragment, self.best_reward, same, "ground_truth")

    def _proven_wrong(self, child: Node, path: tuple[int, ...]) -> bool:
        """Whether a child without a right sample is wrong beyond doubt, not by one unlucky roll-out.

        It is where its fragment completes the answer or fills a slot as no right answer does, or two finished samples
        through it failed.
        """
        if child.end == "stop" or child.finished >= 2:
            return True
        _, comparison = read_prefix(self.example, self.decode((*path, *child.tokens)))
        return any(slot.error is not None and slot.predicted is not ABSENT for slot in comparison.slots)

    def _pair(self, path: tuple[int, ...], node: int, chosen: _Candidate, rejected: _Candidate) -> Pair | None:
        gap = chosen.value - rejected.value
        if gap < self.cfg.min_gap:
            self.removed["small_gap"] += 1
            return None
        if self._reading((*path, *chosen.tokens)) == self._reading((*path, *rejected.tokens)):
            self.removed["same_reading"] += 1
            return None
        shared = _common_prefix(chosen.tokens, rejected.tokens)
        sides = chosen.tokens[shared:], rejected.tokens[shared:]
        if not all(sides):
            self.removed["empty_remainder"] += 1
            return None
        prefix = (*path, *chosen.tokens[:shared])
        return Pair(prefix, *sides, gap, node, (chosen.node, rejected.node), chosen.source)

    def _reading(self, tokens: Sequence[int]) -> tuple[ParsedAnswer | str, str]:
        """What an answer says so far and what it leaves open; a prose answer is its own text."""
        text = self.decode(tokens)
        parsed, _ = read_prefix(self.example, text)
        return (text if parsed.kind == "prose" else parsed), open_brackets(text)


def _common_prefix(a: Sequence[int], b: Sequence[int]) -> int:
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
