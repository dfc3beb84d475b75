"""The search of a round: one tree per selected example, all growing side by side in the tree sampler."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from itool_jax.data.prepared import Dialect, Prepared
from itool_jax.models.policy import Policy
from itool_jax.sampling.sampler import Finished, Request, Sample, TreeSampler
from itool_jax.search.fragments import fragment_cuts
from itool_jax.search.rewards import Grade, grade_answer, grade_prefix
from itool_jax.search.self_evaluation import self_evaluate
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
    """Grows and grades trees; `counts` adds up what was sampled and how it was graded."""

    def __init__(
        self,
        policy: Policy,
        dialect: Dialect,
        tree_cfg: SearchConfig,
        sampling: SamplingConfig,
        *,
        row_tokens: int,
        rows: int,
    ):
        """Self-evaluation reads batches of `rows` x `row_tokens` tokens; a tree that does not fit raises ValueError."""
        self.policy, self.dialect, self.tree_cfg, self.sampling = policy, dialect, tree_cfg, sampling
        self.counts: Counter[str] = Counter()
        self._row_tokens, self._rows = row_tokens, rows

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

    def _grades(self, growth, request: Request, samples: Sequence[Sample]) -> list[Grade]:
        grades = []
        for sample in samples:
            self.counts["samples"] += 1
            if sample.end == "budget":
                self.counts["truncated"] += 1
                grades.append(Grade(0.0, False))
                continue
            answer = (*request.path, *sample.tokens)
            grade = growth.grades.get(answer)
            if grade is None:
                grade = growth.grades[answer] = grade_answer(growth.prepared.example, self.dialect.text(answer))
            self.counts["right"] += grade.right
            grades.append(grade)
        return grades

    def _opinions(self, finished: Sequence[Finished]) -> list[list[float]]:
        """C of every sample; 0 for truncated ones, and everywhere where self-evaluation weighs nothing."""
        opinions = [[0.0] * len(samples) for _, _, samples in finished]
        if not self.sampling.self_eval_weight:
            return opinions
        asked = [
            (f, [n for n, sample in enumerate(samples) if sample.end == "stop"])
            for f, (_, _, samples) in enumerate(finished)
        ]
        asked = [(f, numbers) for f, numbers in asked if numbers]
        answered = []
        for f, numbers in asked:
            growth, request, samples = finished[f]
            texts = [self.dialect.text((*request.path, *samples[n].tokens)) for n in numbers]
            answered.append((growth.prepared, texts))  # pyright: ignore[reportAttributeAccessIssue]
        scores = self_evaluate(
            self.policy,
            answered,
            self.dialect,
            row_tokens=self._row_tokens,
            rows=self._rows,
            orderings=self.sampling.self_eval_orderings,
        )
        for (f, numbers), values in zip(asked, scores, strict=True):
            for n, value in zip(numbers, values, strict=True):
                opinions[f][n] = value
        return opinions

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
        self.counts["merged"] += len(tree.nodes) == known
        tree.backup(leaf, reward, grade.right)
