"""Tasks of several turns over a back end whose state calls change, and the check of the state that they leave."""

from itool_jax.data.toolworld.tasks.checker import Session, check_final_state, task_error
from itool_jax.data.toolworld.tasks.task import Task, Turn
from itool_jax.data.toolworld.tasks.world import TaskWorld, task_examples

__all__ = ["Session", "Task", "TaskWorld", "Turn", "check_final_state", "task_error", "task_examples"]
