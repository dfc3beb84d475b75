"""Evaluation on held-out sets: grading of answers, summaries with intervals, and the report of a run."""

from itool_jax.evaluation.exact_match import Graded, SetSummary, grade, summarize
from itool_jax.evaluation.records import read_graded, read_summaries, write_evaluation

__all__ = ["Graded", "SetSummary", "grade", "read_graded", "read_summaries", "summarize", "write_evaluation"]
