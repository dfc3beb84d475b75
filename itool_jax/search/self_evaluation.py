"""Self-evaluation C: the policy grades its own answers by reading, not by sampling.

One tree per example: the conversation, the instruction and the ground truth are the root, the answers branch off it,
and under each answer stand the options, listed in two orders. C = P(A) under a softmax over the log-probs of the four
exact option sequences, averaged over the orders, so that a bias for a position cancels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from itool_jax.data.prepared import Dialect, Prepared
from itool_jax.forest import Capacity, TokenTree, branch, bucket, build_batch, counted_capacity
from itool_jax.models.policy import Policy
from itool_jax.training.logprobs import score_rows

CRITERIA = (
    "the function name",
    "the number of parameters",
    "the parameter names",
    "their values and types",
    "the meaning",
)
OPTIONS = (("A", "excellent"), ("B", "acceptable"), ("C", "fair"), ("D", "poor"))

MOST_ROWS = 8
_QUESTION = """
Grade an answer to the request above against the reference answer. Compare {criteria}.
Reference answer: {reference}
Answer to grade: """
_CHOICES = """
Options: {options}
Grade:"""


class SelfEvaluator:
    """Grades up to `answers` answers of at most `answer_tokens` tokens to an example, in batches of few shapes."""

    def __init__(self, policy: Policy, dialect: Dialect, answers: int, answer_tokens: int, orderings: int):
        self._policy, self._dialect = policy, dialect
        self._answers, self._answer_tokens = answers, answer_tokens
        encode = dialect.tokenizer.encode
        self._choices = [
            encode(_CHOICES.format(options=", ".join(f"({letter}) {word}" for letter, word in order)))
            for order in (OPTIONS, OPTIONS[::-1])[:orderings]
        ]
        self._options = [encode(f" {letter}") for letter, _ in OPTIONS]
        self._row_tokens = 0

    def longest_path(self, prepared: Prepared) -> int:
        """Tokens from the root to the end of an option, at most: what the model's context has to hold."""
        return (
            len(self._root(prepared))
            + self._answer_tokens
            + max(map(len, self._choices))
            + max(map(len, self._options))
        )

    def reserve(self, examples: Iterable[Prepared]) -> None:
        """Makes rows long enough for every one of these examples; to be called once before grading."""
        below = sum(len(choices) + sum(map(len, self._options)) for choices in self._choices) + self._answer_tokens
        longest = max((len(self._root(p)) for p in examples), default=0) + self._answers * below
        self._row_tokens = bucket(max(self._row_tokens, longest))

    def tree(self, prepared: Prepared, answers: Sequence[Sequence[int]]) -> TokenTree:
        """Completion (a * orders + o) * 4 + k is option k under order o of answer a."""
        root = self._root(prepared)
        return branch(
            [
                ([*root, *answer, *choices], option)
                for answer in answers
                for choices in self._choices
                for option in self._options
            ]
        )

    def grade(self, answered: Sequence[tuple[Prepared, Sequence[Sequence[int]]]]) -> list[list[float]]:
        """C in [0, 1] of every answer of every example; answers are token ids without the end-of-turn token."""
        orders = len(self._choices)
        per_answer = orders * len(OPTIONS)
        capacity = Capacity(
            self._row_tokens,
            bucket(self._answers * (2 + 3 * per_answer)),
            bucket(self._answers * per_answer),
            counted_capacity(self._answers * orders * sum(map(len, self._options)), self._row_tokens),
        )
        scores: list[list[float]] = []
        for start in range(0, len(answered), MOST_ROWS):
            trees = [self.tree(prepared, answers) for prepared, answers in answered[start : start + MOST_ROWS]]
            rows = 1 << (len(trees) - 1).bit_length()
            sums, _ = score_rows(self._policy, build_batch([[tree] for tree in trees], capacity, rows))
            for row, tree in zip(sums.astype(np.float64), trees, strict=False):
                options = row[: len(tree.completions)].reshape(-1, orders, len(OPTIONS))
                chances = np.exp(options - options.max(-1, keepdims=True))
                scores.append((chances[..., 0] / chances.sum(-1)).mean(-1).tolist())
        return scores

    def _root(self, prepared: Prepared) -> list[int]:
        question = _QUESTION.format(criteria="; ".join(CRITERIA), reference=self._dialect.text(prepared.answer))
        return [*prepared.prompt, *self._dialect.tokenizer.encode(question)]
