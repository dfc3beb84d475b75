"""The tool world: a seeded simulator of tools and conversations, each with one right answer.

A concept (book a hotel) becomes a tool whose name, parameter names, enum spellings, order and optional parameters
change from conversation to conversation; candidates around it look alike. Requests are composed of paraphrased clauses;
every value of an answer stands in the conversation, and optional parameters are used only where they are mentioned.
"""

from itool_jax.data.toolworld.generate import SPLITS, Split, ToolWorld, split_of
from itool_jax.data.toolworld.pool import TOOL_SETS, ToolSet

__all__ = ["SPLITS", "TOOL_SETS", "Split", "ToolSet", "ToolWorld", "split_of"]
