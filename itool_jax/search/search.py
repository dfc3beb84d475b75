"""The search of a round: one tree per selected example, all growing side by side in the tree sampler."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from itool_jax.data.prepared import Dialect, Prepared
from itool_jax.models.policy import Policy
from itool_jax.sampling.sampler import Finished, Request, Sample, TreeSampler
from itool_jax.search.fragments import fragment_cuts
from itool_jax.search.rewards import Grade, Reward, grade_answer, grade_prefix
from itool_jax.search.self_evaluation import SelfEvaluator
from itool_jax.search.tree import Fragment, SearchConfig, SearchTree


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
    """One example's tree, and what it asks the sampler for."""

    prepared: Prepared
    tree: SearchTree
    sampling: SamplingConfig
    grades: dict[tuple[int, ...], Grade] = field(default_factory=dict)
    opinions: dict[tuple[int, ...], float] = field(default_factory=dict)

    @property
    def key(self) -> int:
        return self.prepared.key

    @property
    def prompt(self) -> Sequence[int]:
        return self.prepared.prompt

    def requests(self) -> Sequence[Request]:
        if self.tree.finished:
            return ()
        node, expansion = self.tree.begin_expansion()
        path, s = self.tree.path(node), self.sampling
        budget = s.answer_tokens - len(path)
        return (Request(path, self.tree.cfg.samples, budget, node, expansion, s.temperature, s.top_p),)


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

    def run(self, sampler: TreeSampler, examples: Sequence[Prepared]) -> Iterator[SearchGrowth]:
        """Yields every example's growth when its tree has ended."""
        growths = (SearchGrowth(prepared, SearchTree(self.tree_cfg), self.sampling) for prepared in examples)
        for growth in sampler.grow(growths, self.receive):
            assert isinstance(growth, SearchGrowth)
            yield growth

    def receive(self, finished: Sequence[Finished]) -> None:
        """Grades what came, by slots and where asked by the policy itself, and enters it into the trees."""
        graded = [
            (growth, request, samples, self._grades(growth, request, samples)) for growth, request, samples in finished
        ]
        opinions = self._opinions([(growth, request, samples) for growth, request, samples, _ in graded])
        for (growth, request, samples, grades), cs in zip(graded, opinions, strict=True):
            for sample, grade, c in zip(samples, grades, cs, strict=True):
                self._enter(growth, request, sample, grade, c)
            growth.tree.end_expansion()

    def _grades(self, growth, request: Request, samples: Sequence[Sample]) -> list[Grade]:
        grades = []
        for sample in samples:
            if sample.end == "budget":
                grades.append(Grade(0.0, False))
                continue
            answer = (*request.path, *sample.tokens)
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
            [(*request.path, *sample.tokens) if sample.end == "stop" else None for sample in samples]
            for _, request, samples in finished
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

    def _enter(self, growth, request: Request, sample: Sample, grade: Grade, opinion: float) -> None:
        tree: SearchTree = growth.tree
        path = request.path
        answer = (*path, *sample.tokens)
        cuts = fragment_cuts(answer, self.dialect.tokenizer.token_bytes, self.dialect.end_of_turn)
        cuts = [cut - len(path) for cut in cuts if cut > len(path)]
        fragments = [
            Fragment(sample.tokens[start:stop], sample.logprobs[start:stop])
            for start, stop in zip([0, *cuts[:-1]], cuts, strict=True)
        ]
        known = len(tree.nodes)
        leaf = tree.insert(request.node, fragments, sample.end)
        if tree.cfg.gamma < 1:
            for index in range(known, len(tree.nodes)):
                if tree.nodes[index].end is None:
                    text = self.dialect.text(tree.path(index))
                    tree.nodes[index].reward = grade_prefix(growth.prepared.example, text)
        reward = 0.0 if sample.end == "budget" else grade.score + self.sampling.self_eval_weight * opinion
        tree.backup(leaf, reward, grade.right)
