"""Self-evaluation C: the policy grades its own answers by reading, not by sampling.

One tree per example: the conversation, the instruction and the ground truth are the root, the answers branch off it,
and under each answer stand the options, listed in two orders. C = P(A) under a softmax over the log-probs of the four
exact option sequences, averaged over the orders, so that a bias for a position cancels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from itool_jax.data.prepared import Dialect, Prepared
from itool_jax.forest import TokenTree, batches, branch
from itool_jax.models.policy import Policy
from itool_jax.training.logprobs import score_forest

CRITERIA = (
    "the function name",
    "the number of parameters",
    "the parameter names",
    "their values and types",
    "the meaning",
)
OPTIONS = (("A", "excellent"), ("B", "acceptable"), ("C", "fair"), ("D", "poor"))

_QUESTION = """
Grade an answer to the request above against the reference answer. Compare {criteria}.
Reference answer: {reference}
Answer to grade: """
_CHOICES = """
Options: {options}
Grade:"""


def evaluation_tree(prepared: Prepared, answers: Sequence[str], dialect: Dialect, orderings: int) -> TokenTree:
    """The forest's tree for one example; completion ((a * orderings) + o) * 4 + k is answer a, order o, option k."""
    encode = dialect.tokenizer.encode
    question = _QUESTION.format(criteria="; ".join(CRITERIA), reference=prepared.example.answer)
    root = [*prepared.prompt, *encode(question)]
    orders = [OPTIONS, OPTIONS[::-1]][:orderings]
    paths = []
    for answer in answers:
        for order in orders:
            choices = _CHOICES.format(options=", ".join(f"({letter}) {word}" for letter, word in order))
            prefix = [*root, *encode(answer), *encode(choices)]
            paths.extend((prefix, encode(f" {letter}")) for letter, _ in OPTIONS)
    return branch(paths)


def self_evaluate(
    policy: Policy,
    answered: Sequence[tuple[Prepared, Sequence[str]]],
    dialect: Dialect,
    *,
    row_tokens: int,
    rows: int,
    orderings: int = 2,
) -> list[list[float]]:
    """C in [0, 1] of every answer of every example, by forward passes over batches of `rows` x `row_tokens`."""
    trees = [evaluation_tree(prepared, answers, dialect, orderings) for prepared, answers in answered]
    scores: list[list[float]] = [[] for _ in trees]
    for forest, placements in batches(trees, row_tokens, rows):
        sums, _ = score_forest(policy, forest)
        sums = np.asarray(sums, np.float64)
        for tree, row, first in placements:
            count = len(trees[tree].completions)
            options = sums[row, first : first + count].reshape(-1, orderings, len(OPTIONS))
            chances = np.exp(options - options.max(-1, keepdims=True))
            scores[tree] = (chances[..., 0] / chances.sum(-1)).mean(-1).tolist()
    return scores
