"""Whether calls reach a task's goal: the final state, and what the user wanted to know."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Literal

from itool_jax.data.toolworld.tasks.backend import State, execute, fresh
from itool_jax.data.toolworld.tasks.families import family_of
from itool_jax.data.toolworld.tasks.task import Task
from itool_jax.errors import UserError
from itool_jax.toolcall.types import ToolCall

TaskError = Literal["missing_result", "final_state"]


class Session:
    """A fresh back end for a task, on which a model's calls are run."""

    def __init__(self, task: Task):
        self._family = family_of(task.family)
        self.state: State = fresh(task.initial)

    def run(self, call: ToolCall) -> str:
        """The result of a call as JSON text, as the model is to see it; bad calls give an error result."""
        return json.dumps(execute(self._family, self.state, call), sort_keys=True)


def check_final_state(task: Task, calls: Sequence[Sequence[ToolCall]]) -> bool:
    """Whether `task_error` finds nothing wrong."""
    return task_error(task, calls) is None


def task_error(task: Task, calls: Sequence[Sequence[ToolCall]]) -> TaskError | None:
    """What is wrong with calls, given turn by turn; None where they reach the goal.

    "missing_result": what the user wanted to know in a turn must have been read, from the same function with the same
    result, by the end of that turn. "final_state": they leave another state than the right calls leave. Any order,
    detour or repetition that comes to the same state is right.
    Raises UserError unless there is one sequence of calls for each turn.
    """
    if len(calls) != len(task.turns):
        raise UserError(f"the task {task.id} has {len(task.turns)} turns; calls were given for {len(calls)}.")
    right, given = Session(task), Session(task)
    seen: set[tuple[str, str]] = set()
    for turn, made in zip(task.turns, calls, strict=True):
        wanted = {(call.name, result) for call in turn.calls for result in [right.run(call)] if call in turn.wanted}
        seen |= {(call.name, given.run(call)) for call in made}
        if not wanted <= seen:
            return "missing_result"
    return None if right.state == given.state else "final_state"
