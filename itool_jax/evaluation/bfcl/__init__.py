"""The Berkeley Function Calling Leaderboard (BFCL v4): its entries as prompts, and its verdicts on answers."""

from itool_jax.evaluation.bfcl.entries import CATEGORIES, MULTI_TURN, SINGLE_TURN, Entry, categories, read_entries
from itool_jax.evaluation.bfcl.multi_turn import Conversation, converse, judge
from itool_jax.evaluation.bfcl.prompts import example
from itool_jax.evaluation.bfcl.scoring import error_kinds, score

__all__ = [
    "CATEGORIES",
    "MULTI_TURN",
    "SINGLE_TURN",
    "Conversation",
    "Entry",
    "categories",
    "converse",
    "error_kinds",
    "example",
    "judge",
    "read_entries",
    "score",
]
