"""The tool world: seeded simulators of tools and conversations, each with one right answer.

There are two worlds. The small one (`ToolWorld`) makes a concept (book a hotel) into a tool whose name, parameter
names, enum spellings, order and optional parameters change from conversation to conversation; candidates look alike.
The large one (`LargeWorld`) has hundreds of concepts with descriptions, nested values, nested calls, long tool sets and
free wording, and `TaskWorld` tasks of several turns over back ends whose state calls change. In all of them every
value of an answer stands in the conversation, and optional parameters are used only where they are mentioned.
"""

from itool_jax.data.toolworld.generate import SPLITS, Split, ToolWorld, split_of
from itool_jax.data.toolworld.large.world import LargeWorld
from itool_jax.data.toolworld.pool import TOOL_SETS, ToolSet
from itool_jax.data.toolworld.tasks import Task, TaskWorld, Turn, check_final_state, task_examples

__all__ = [
    "SPLITS",
    "TOOL_SETS",
    "LargeWorld",
    "Split",
    "Task",
    "TaskWorld",
    "ToolSet",
    "ToolWorld",
    "Turn",
    "check_final_state",
    "split_of",
    "task_examples",
]
