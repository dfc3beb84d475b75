"""The search of a round: one tree per selected example, all growing side by side in the tree sampler."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from itool_jax.data.prepared import Dialect, Prepared
from itool_jax.models.policy import Policy
from itool_jax.sampling.sampler import Finished, Request, Sample, TreeSampler
from itool_jax.search.fragments import fragment_cuts
from itool_jax.search.pool import TreePool
from itool_jax.search.reallocation import BaseTrees, is_mixed
from itool_jax.search.rewards import Grade, Reward, grade_answer, grade_prefix
from itool_jax.search.self_evaluation import SelfEvaluator
from itool_jax.search.tree import ROOT, Fragment, SearchConfig, SearchTree


@dataclass(frozen=True)
class SamplingConfig:
    """How completions are drawn, and how self-evaluation is weighed.

    answer_tokens        tokens of an answer at most; one that reaches it is truncated and worth 0
    self_eval_weight     w_C in R = O + w_C C; at 0 no self-evaluation is made
    self_eval_orderings  orders of the options to average over, 1 or 2
    """

    answer_tokens: int = 64
    temperature: float = 1.0
    top_p: float = 1.0
    self_eval_weight: float = 0.0
    self_eval_orderings: int = 2


@dataclass
class SearchGrowth:
    """One example's tree, and what it asks the sampler for; grades, opinions and cuts of its answers are kept.

    read  tokens of the answer that the sampler reads as part of the prompt, for a tree whose arena is gone
    """

    prepared: Prepared
    tree: SearchTree
    sampling: SamplingConfig
    grades: dict[tuple[int, ...], Grade] = field(default_factory=dict)
    opinions: dict[tuple[int, ...], float] = field(default_factory=dict)
    cuts: dict[tuple[int, ...], list[int]] = field(default_factory=dict)
    read: tuple[int, ...] = ()

    @property
    def key(self) -> int:
        return self.prepared.key

    @property
    def prompt(self) -> Sequence[int]:
        return self.prepared.prompt + self.read

    def answer(self, request: Request, sample: Sample) -> tuple[int, ...]:
        """The whole answer that a sample ends."""
        return (*self.read, *request.path, *sample.tokens)

    def counts(self) -> dict[str, int]:
        """What the options of the search did to this tree, for its stage's statistics."""
        tree = self.tree
        return {
            "expansions_widened": tree.widened,
            "expansions_by_entropy": tree.expansions - 1 if tree.cfg.select_by == "entropy" else 0,
            "expansions_unused": max(0, tree.cfg.iterations - tree.expansions),
            "expansions_extra": max(0, tree.expansions - tree.cfg.iterations),
            "stopped_unanimous": int(tree.stopped),
        }

    def requests(self) -> Sequence[Request]:
        if self.tree.finished:
            return ()
        node, expansion = self.tree.begin_expansion()
        path, s = self.tree.path(node), self.sampling
        budget = s.answer_tokens - len(path)
        below = path[len(self.read) :]
        return (Request(below, self.tree.cfg.samples, budget, node, expansion, s.temperature, s.top_p),)


class Search:
    """Grows trees and grades their samples."""

    def __init__(
        self,
        policy: Policy,
        dialect: Dialect,
        tree_cfg: SearchConfig,
        sampling: SamplingConfig,
        reward: Reward = grade_answer,
    ):
        self.dialect, self.tree_cfg, self.sampling, self._reward = dialect, tree_cfg, sampling, reward
        self._evaluator = SelfEvaluator(
            policy, dialect, tree_cfg.samples, sampling.answer_tokens, sampling.self_eval_orderings
        )

    def tokens_needed(self, prepared: Prepared) -> int:
        """The longest sequence that the search of this example makes the model read."""
        longest = len(prepared.prompt) + self.sampling.answer_tokens
        return max(longest, self._evaluator.longest_path(prepared)) if self.sampling.self_eval_weight else longest

    def reserve(self, examples: Sequence[Prepared]) -> None:
        """Fixes the shapes of self-evaluation for these examples; a resumed search names all of them again."""
        self._evaluator.reserve(examples)

    def longest_prompt(self, examples: Sequence[Prepared]) -> int:
        """Prompt columns that the sampler needs: trees that get extra expansions have their answers read with it."""
        longest = max((len(prepared.prompt) for prepared in examples), default=0)
        return longest + (self.sampling.answer_tokens if self.tree_cfg.extra_iterations else 0)

    def run(
        self, sampler: TreeSampler, examples: Sequence[Prepared], base_trees: BaseTrees | None = None
    ) -> Iterator[SearchGrowth]:
        """Yields every example's growth when its tree has ended.

        base_trees is needed for `extra_iterations`. A search that goes on after a kill is given the examples that were
        not yielded, with the same file.
        """
        pool, extra = TreePool(self.tree_cfg), self.tree_cfg.extra_iterations
        if not extra:
            for growth in self._grow(sampler, pool, examples):
                growth.tree.detach()
                yield growth
            return
        if base_trees is None:
            raise ValueError("extra_iterations needs base_trees to keep what waits for them")
        for growth in self._grow(sampler, pool, [p for p in examples if not base_trees.waits(p.id)]):
            waiting = self._may_go_on(growth) and not _is_retired(growth, sampler)
            base_trees.keep(growth, waiting)
            growth.tree.detach()
            if not waiting:
                yield growth
        base_trees.gather()
        shares = base_trees.shares(self.tree_cfg.iterations, extra)
        rest = sorted((p for p in examples if base_trees.waits(p.id)), key=lambda p: p.id)
        for start in range(0, len(rest), sampler.cfg.trees):
            growths = [self._growth(prepared, pool) for prepared in rest[start : start + sampler.cfg.trees]]
            for growth in growths:
                base_trees.restore(growth)
            yield from self._grow_on(sampler, growths, shares)

    def _growth(self, prepared: Prepared, pool: TreePool) -> SearchGrowth:
        return SearchGrowth(prepared, SearchTree(self.tree_cfg, pool), self.sampling)

    def _grow(self, sampler: TreeSampler, pool: TreePool, examples: Sequence[Prepared]) -> Iterator[SearchGrowth]:
        for growth in sampler.grow((self._growth(prepared, pool) for prepared in examples), self.receive):
            assert isinstance(growth, SearchGrowth)
            yield growth

    @staticmethod
    def _may_go_on(growth: SearchGrowth) -> bool:
        """Whether a tree that had its own expansions can use more."""
        tree = growth.tree
        return not tree.stopped and not tree.nodes[ROOT].closed and is_mixed(growth)

    def _grow_on(
        self, sampler: TreeSampler, growths: Sequence[SearchGrowth], shares: Mapping[str, int]
    ) -> Iterator[SearchGrowth]:
        """Gives restored trees their shares, one expansion of each at a time: the arenas of before are gone."""
        while growths:
            going = []
            for growth in growths:
                tree = growth.tree
                tree.limit = self.tree_cfg.iterations + shares[growth.prepared.id]
                if tree.finished or _is_retired(growth, sampler):
                    tree.detach()
                    yield growth
                else:
                    tree.selected, tree.limit = tree.select(), tree.expansions + 1
                    growth.read = tree.path(tree.selected)
                    going.append(growth)
            growths = going
            for _ in sampler.grow(growths, self.receive):
                pass

    def receive(self, finished: Sequence[Finished]) -> None:
        """Grades what came, by slots and where asked by the policy itself, and enters it into the trees.

        All trees' numbers are brought up to date together, and the nodes selected that they expand next.
        """
        if not finished:
            return
        graded = [
            (growth, request, samples, self._grades(growth, request, samples)) for growth, request, samples in finished
        ]
        opinions = self._opinions(finished)
        entered = [
            (growth.tree.place, *self._enter(growth, request, sample, grade, c))
            for (growth, request, samples, grades), cs in zip(graded, opinions, strict=True)
            for sample, grade, c in zip(samples, grades, cs, strict=True)
        ]
        if self.tree_cfg.stop_unanimous:
            rewards = iter([reward for _, _, reward, _ in entered])
            for growth, _, samples in finished:
                own = list(itertools.islice(rewards, len(samples)))
                first = growth.tree.expansions == 1 and len(samples) == self.tree_cfg.samples
                growth.tree.stopped |= first and self._agree(samples, own)
        pool = finished[0][0].tree.pool
        pool.backup(*zip(*entered, strict=True))
        trees = list({growth.tree.place: growth.tree for growth, _, _ in finished}.values())
        pool.close([tree.place for tree in trees])
        growing = [tree for tree in trees if not tree.finished]
        if growing:
            for tree, node in zip(growing, pool.select([tree.place for tree in growing]).tolist(), strict=True):
                tree.selected = node

    def _agree(self, samples: Sequence[Sample], rewards: Sequence[float]) -> bool:
        """Whether samples from one node have the same end, reward and text, be it of other tokens."""
        texts = {sample.tokens for sample in samples}
        if len(texts) > 1:
            texts = {self.dialect.text(tokens) for tokens in texts}
        return len(texts) == len(set(rewards)) == len({sample.end for sample in samples}) == 1

    def _grades(self, growth, request: Request, samples: Sequence[Sample]) -> list[Grade]:
        grades = []
        for sample in samples:
            if sample.end == "budget":
                grades.append(Grade(0.0, False))
                continue
            answer = growth.answer(request, sample)
            grade = growth.grades.get(answer)
            if grade is None:
                grade = growth.grades[answer] = self._reward(growth.prepared.example, self.dialect.text(answer))
            grades.append(grade)
        return grades

    def _opinions(self, finished: Sequence[Finished]) -> list[list[float]]:
        """C of every sample; 0 for truncated ones, and everywhere where self-evaluation weighs nothing."""
        if not self.sampling.self_eval_weight:
            return [[0.0] * len(samples) for _, _, samples in finished]
        answers = [
            [growth.answer(request, sample) if sample.end == "stop" else None for sample in samples]
            for growth, request, samples in finished
        ]
        asked = [
            (growth, sorted({a for a in own if a is not None and a not in growth.opinions}))
            for (growth, _, _), own in zip(finished, answers, strict=True)
        ]
        asked = [(growth, own) for growth, own in asked if own]
        scores = self._evaluator.grade([(growth.prepared, [a[:-1] for a in own]) for growth, own in asked])
        for (growth, own), values in zip(asked, scores, strict=True):
            growth.opinions.update(zip(own, values, strict=True))
        return [
            [0.0 if a is None else growth.opinions[a] for a in own]
            for (growth, _, _), own in zip(finished, answers, strict=True)
        ]

    def _enter(
        self, growth: SearchGrowth, request: Request, sample: Sample, grade: Grade, opinion: float
    ) -> tuple[int, float, bool]:
        """Inserts a sample; returns its leaf, its reward and whether it is right."""
        tree, start = growth.tree, len(growth.read) + len(request.path)
        cuts = [start, *(cut for cut in self._cuts(growth, growth.answer(request, sample)) if cut > start)]
        fragments = [
            Fragment(sample.tokens[a - start : b - start], sample.logprobs[a - start : b - start])
            for a, b in itertools.pairwise(cuts)
        ]
        known = tree.size
        leaf = tree.insert(request.node, fragments, sample.end)
        if tree.cfg.gamma < 1:
            for node in range(known, tree.size):
                if node != leaf:
                    text = self.dialect.text(tree.path(node))
                    tree.set_inner_reward(node, grade_prefix(growth.prepared.example, text))
        reward = 0.0 if sample.end == "budget" else grade.score + self.sampling.self_eval_weight * opinion
        return leaf, reward, grade.right

    def _cuts(self, growth: SearchGrowth, answer: tuple[int, ...]) -> list[int]:
        cuts = growth.cuts.get(answer)
        if cuts is None:
            dialect = self.dialect
            cuts = growth.cuts[answer] = fragment_cuts(answer, dialect.tokenizer.token_bytes, dialect.end_of_turn)
        return cuts


def _is_retired(growth: SearchGrowth, sampler: TreeSampler) -> bool:
    return any(growth is lost for lost in sampler.stats.retired)
