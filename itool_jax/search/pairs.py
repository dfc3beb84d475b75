"""Preferences read off a search tree: right against wrong fragments after one shared prefix, as pairs or as lists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from itool_jax.data.example import Example
from itool_jax.search.rewards import read_prefix
from itool_jax.search.tree import ROOT, Node, SearchTree
from itool_jax.toolcall import ABSENT, ParsedAnswer
from itool_jax.toolcall.prefix import open_brackets

Tokens = tuple[int, ...]
PairMode = Literal["best_worst", "all", "listwise", "answers", "right", "group"]
PairWeight = Literal["", "gap"]
Source = Literal["sampled", "ground_truth"]


@dataclass(frozen=True)
class PairConfig:
    """Which forks become preferences.

    mode                   best_worst: the best right child against the worst wrong one; all: every right child against
                           every wrong one; listwise: one ranking of the children, the right ones before the wrong ones;
                           of whole answers, answers: the best right one against the worst wrong one; right: all right
                           ones; group: every sample of the root
    min_gap                smallest difference in Q between a right and a wrong side
    per_tree_max           preferences of one tree at most, those with the largest gap; 0 for no limit
    ground_truth_stand_in  where no sampled child is right, the ground truth's fragment is the chosen side
    weight                 "": every preference counts 1; gap: the difference in Q of its best and worst side, and
                           sides of equal Q make no pair
    """

    mode: PairMode = "best_worst"
    min_gap: float = 0.0
    per_tree_max: int = 8
    ground_truth_stand_in: bool = False
    weight: PairWeight = ""


@dataclass(frozen=True)
class Preference:
    """Fragments that continue the prompt and `prefix`, best first; all are token ids of the answer.

    sides     two of a pair, two or more of a list; not all of them begin with the same token
    values    Q of each side
    node      the fork
    children  the sides' nodes in the tree; -1 for a ground-truth fragment that is not in it
    source    whether the first side was sampled or is the ground truth's; the others are sampled
    weight    what it counts in the loss
    """

    prefix: Tokens
    sides: tuple[Tokens, ...]
    values: tuple[float, ...]
    node: int
    children: tuple[int, ...]
    source: Source
    weight: float = 1.0

    @property
    def chosen(self) -> Tokens:
        return self.sides[0]

    @property
    def rejected(self) -> Tokens:
        return self.sides[-1]

    @property
    def gap(self) -> float:
        return self.values[0] - self.values[-1]


@dataclass(frozen=True)
class _Side:
    tokens: Tokens
    value: float
    node: int
    source: Source = "sampled"


class PairReader:
    """Reads the preferences of one example's trees; `removed` counts what each filter took away.

    Counted are pairs, and with mode listwise children that are left out of a list; no_right_child and, with mode
    best_worst, not_proven_wrong count forks.
    """

    def __init__(
        self,
        cfg: PairConfig,
        example: Example,
        truth: Sequence[Sequence[int]],
        decode: Callable[[Sequence[int]], str],
        best_reward: float = 1.0,
        slots_prove: bool = True,
    ):
        """`truth` is the ground-truth answer as fragments of token ids; `decode` turns answer ids into text.

        best_reward is the largest R there is, 1 + w_C: the value of a ground-truth fragment that was never sampled.
        slots_prove says whether a slot filled otherwise than in the ground truth proves a fragment wrong, which holds
        for rewards that are computed from the slots.
        """
        self.cfg, self.example, self.decode = cfg, example, decode
        self.best_reward, self.slots_prove = best_reward, slots_prove
        self.removed: Counter[str] = Counter()
        self._truth: dict[Tokens, Tokens] = {}
        path: Tokens = ()
        for fragment in truth:
            self._truth[path] = tuple(fragment)
            path = (*path, *fragment)

    def pairs(self, tree: SearchTree) -> list[Preference]:
        """The preferences of all forks, best gap first, at most `per_tree_max`."""
        if self.cfg.mode in ("answers", "right", "group"):
            made = self._of_answers(tree)
            return [made] if made else []
        values = tree.action_values()
        found = [made for node in range(len(tree.nodes)) for made in self._at(tree, node, values)]
        unique = list({(made.prefix, made.sides): made for made in found}.values())
        unique.sort(key=lambda made: (-made.gap, made.node, made.children))
        kept = unique[: self.cfg.per_tree_max or None]
        self.removed["duplicate"] += len(found) - len(unique)
        self.removed["over_limit"] += len(unique) - len(kept)
        return kept

    def _of_answers(self, tree: SearchTree) -> Preference | None:
        """The pair of whole answers, the right ones, or the group of all samples."""
        leaves = [i for i, node in enumerate(tree.nodes) if node.end is not None]
        side = lambda leaf: _Side(tree.path(leaf), tree.nodes[leaf].reward, leaf)
        if self.cfg.mode == "group":
            samples = sorted((side(i) for i in leaves for _ in range(tree.nodes[i].visits)), key=_best_first)
            if samples and samples[0].value > samples[-1].value:
                return self._whole(samples)
            self.removed["same_reward"] += bool(samples)
            return None
        ended = [i for i in leaves if tree.nodes[i].end == "stop"]
        right = sorted((side(i) for i in ended if tree.nodes[i].right), key=_best_first)
        wrong = sorted((side(i) for i in ended if not tree.nodes[i].right), key=lambda side: (side.value, side.node))
        if not right and self.cfg.ground_truth_stand_in:
            whole = tuple(token for fragment in self._truth.values() for token in fragment)
            right = [_Side(whole, self.best_reward, -1, "ground_truth")]
        self.removed["no_right_answer"] += not right and bool(leaves)
        if right and self.cfg.mode == "right":
            return self._whole(right)
        return self._whole([right[0], wrong[0]]) if right and wrong and self._apart(right[0], wrong[0]) else None

    def _at(self, tree: SearchTree, node: int, values: Sequence[float]) -> Iterator[Preference]:
        """The preferences at one fork, with what removed others counted."""
        children = [c for c in tree.nodes[node].children if tree.nodes[c].end != "budget"]
        if not children:
            return
        path, mode = tree.path(node), self.cfg.mode
        right = self._right(tree, node, path, children, values)
        taken = {side.tokens for side in right}
        wrong = [c for c in children if not tree.nodes[c].right and tree.nodes[c].tokens not in taken]
        if not right:
            self.removed["no_right_child"] += bool(wrong) and len(children) > 1
            return
        if not wrong:
            return
        proven = [c for c in wrong if self._proven_wrong(tree.nodes[c], path)]
        rejected = sorted((_Side(tree.nodes[c].tokens, values[c], c) for c in proven), key=_best_first)
        unproven = len(wrong) - len(proven)
        if mode == "listwise":
            self.removed["not_proven_wrong"] += unproven
            made = self._ranking(path, node, right, rejected) if rejected else None
            yield from [made] if made else []
            return
        if mode == "best_worst":
            self.removed["not_proven_wrong"] += not proven
            # the lowest Q, and of several the lowest id
            right, rejected = right[:1], sorted(rejected, key=lambda side: (side.value, side.node))[:1]
        else:
            self.removed["not_proven_wrong"] += unproven * len(right)
        for best in right:
            for worst in rejected:
                if made := self._pair(path, node, best, worst):
                    yield made

    def _right(
        self, tree: SearchTree, node: int, path: Tokens, children: Sequence[int], values: Sequence[float]
    ) -> list[_Side]:
        """The right children, best first, or what stands in for them."""
        right = [_Side(tree.nodes[c].tokens, values[c], c) for c in children if tree.nodes[c].right]
        if right:
            return sorted(right, key=_best_first)
        if not self.cfg.ground_truth_stand_in or path not in self._truth:
            return []
        fragment = self._truth[path]
        same = next((c for c in tree.nodes[node].children if tree.nodes[c].tokens == fragment), -1)
        return [_Side(fragment, self.best_reward, same, "ground_truth")]

    def _proven_wrong(self, child: Node, path: Tokens) -> bool:
        """Whether a child without a right sample is wrong beyond doubt, not by one unlucky roll-out.

        It is where its fragment completes the answer or fills a slot as no right answer does, or two finished samples
        through it failed.
        """
        if child.end == "stop" or child.finished >= 2:
            return True
        if not self.slots_prove:
            return False
        _, comparison = read_prefix(self.example, self.decode((*path, *child.tokens)))
        return any(slot.error is not None and slot.predicted is not ABSENT for slot in comparison.slots)

    def _pair(self, path: Tokens, node: int, best: _Side, worst: _Side) -> Preference | None:
        if not self._apart(best, worst, path):
            return None
        if _begins(best.tokens, worst.tokens) or _begins(worst.tokens, best.tokens):
            self.removed["empty_remainder"] += 1
        else:
            return self._preference(path, node, [best, worst])
        return None

    def _apart(self, best: _Side, worst: _Side, path: Tokens = ()) -> bool:
        """Whether two sides differ in value and in what they say; if not, counts why."""
        gap = best.value - worst.value
        if gap < self.cfg.min_gap or (self.cfg.weight == "gap" and gap == 0):
            self.removed["small_gap"] += 1
        elif self._reading((*path, *best.tokens)) == self._reading((*path, *worst.tokens)):
            self.removed["same_reading"] += 1
        else:
            return True
        return False

    def _ranking(self, path: Tokens, node: int, right: list[_Side], wrong: list[_Side]) -> Preference | None:
        """The best right child, the wrong ones below it, and the other right ones that are above all of those.

        Of children that read the same the best stays, and none whose fragment begins another's; None where no right or
        no wrong one is left.
        """
        best, *others = right
        below = [side for side in wrong if self._above(best, side)]
        others = [side for side in others if not below or self._above(side, below[0])]
        self.removed["small_gap"] += len(right) + len(wrong) - (1 + len(others) + len(below))
        ranked: list[tuple[object, _Side]] = []
        for side in (best, *others, *below):
            reading = self._reading((*path, *side.tokens))
            if all(reading != known for known, _ in ranked):
                ranked.append((reading, side))
        self.removed["same_reading"] += 1 + len(others) + len(below) - len(ranked)
        fragments = [side.tokens for _, side in ranked]
        sides = [side for _, side in ranked if sum(_begins(tokens, side.tokens) for tokens in fragments) == 1]
        self.removed["empty_remainder"] += len(ranked) - len(sides)
        rejected = {side.node for side in below}
        if len({side.node in rejected for side in sides}) < 2:
            return None
        return self._preference(path, node, sides)

    def _preference(self, path: Tokens, node: int, sides: Sequence[_Side]) -> Preference:
        """What all sides share at their beginning goes to the prefix."""
        columns = zip(*(side.tokens for side in sides), strict=False)
        shared = next(i for i, column in enumerate(columns) if len(set(column)) > 1)
        made = self._whole(sides)
        rest = tuple(tokens[shared:] for tokens in made.sides)
        return replace(made, prefix=(*path, *sides[0].tokens[:shared]), sides=rest, node=node)

    def _whole(self, sides: Sequence[_Side]) -> Preference:
        """A preference at the root, of the sides as they are."""
        return Preference(
            prefix=(),
            sides=tuple(side.tokens for side in sides),
            values=tuple(side.value for side in sides),
            node=ROOT,
            children=tuple(side.node for side in sides),
            source=sides[0].source,
            weight=sides[0].value - sides[-1].value if self.cfg.weight == "gap" else 1.0,
        )

    def _above(self, a: _Side, b: _Side) -> bool:
        return a.value > b.value and a.value - b.value >= self.cfg.min_gap

    def _reading(self, tokens: Sequence[int]) -> tuple[ParsedAnswer | str, str]:
        """What an answer says so far and what it leaves open; a prose answer is its own text."""
        text = self.decode(tokens)
        parsed, _ = read_prefix(self.example, text)
        return (text if parsed.kind == "prose" else parsed), open_brackets(text)


def _best_first(side: _Side) -> tuple[float, int]:
    return -side.value, side.node


def _begins(whole: Tokens, start: Tokens) -> bool:
    return whole[: len(start)] == start


def sampled(tree: SearchTree, pair: Preference) -> list[tuple[float, ...] | None]:
    """The log-probs of each side's tokens as the sampler drew them; None for a side that it did not draw."""

    def drawn(side: Tokens, child: int) -> tuple[float, ...] | None:
        logprobs = tree.logprobs(child) if child > ROOT else None
        return logprobs and logprobs[-len(side) :]  # what the sides share at their beginning went to the prefix

    return [drawn(side, child) for side, child in zip(pair.sides, pair.children, strict=True)]
