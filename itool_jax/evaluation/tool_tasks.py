"""The tool world's tasks as a benchmark: a model's own calls run on a back end, judged by the state that they leave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from itool_jax.data.example import Message
from itool_jax.data.jsonl import example_to_json
from itool_jax.data.toolworld.pool import ToolSet
from itool_jax.data.toolworld.tasks import Session, Task, TaskWorld, task_error, task_examples
from itool_jax.evaluation.dialogue import Dialogue, Script, Texts, shown_turns, users_turns
from itool_jax.toolcall import ToolCall, parse_calls, write_calls

CATEGORIES: Mapping[str, ToolSet] = {"tasks": "train", "unseen_tasks": "unseen"}
SOURCE = "toolworld"
COUNT = 200
_SEED = 0


def scripts(category: str) -> tuple[Script, ...]:
    """COUNT held-out tasks, the same ever; those of `unseen_tasks` are of families that no training data have."""
    world = TaskWorld(_SEED, "heldout", CATEGORIES[category])
    return tuple(_script(world.task(number)) for number in range(COUNT))


class TaskDialogue(Dialogue):
    """A task on its way, on a back end of its own. A call in any form that `parse_calls` reads is made."""

    def __init__(self, task: Task):
        super().__init__(task.id, len(task.turns), SOURCE, {"family": task.family})
        self._task, self._session = task, Session(task)
        self.tools = task.tools
        self.begin()

    def opening(self, turn: int) -> Sequence[Message]:
        request = Message("user", self._task.turns[turn].request)
        return (request,) if turn else (Message("system", self._task.system), request)

    def read(self, text: str) -> tuple[ToolCall, ...]:
        return parse_calls(text).calls

    def execute(self, calls: Sequence[ToolCall]) -> Sequence[str]:
        return [self._session.run(call) for call in calls]


def judge(task: Task, texts: Texts) -> str | None:
    """What is wrong with a dialogue's raw answers, or None if it is right.

    "too_many_steps" where a turn was given up, else as `task_error` says.
    """
    if len(texts) < len(task.turns) or parse_calls(texts[-1][-1]).calls:
        return "too_many_steps"
    return task_error(task, [[call for text in steps for call in parse_calls(text).calls] for steps in texts])


def _script(task: Task) -> Script:
    said = [[Message("user", turn.request)] for turn in task.turns]
    examples = tuple(task_examples(task))
    return Script(
        id=task.id,
        example=examples[0],
        questions=users_turns(task.id, SOURCE, said),
        expected=shown_turns([" ".join(write_calls(step) for step in turn.steps) for turn in task.turns]),
        content=[example_to_json(example) for example in examples],
        open=lambda: TaskDialogue(task),
        judge=lambda texts: judge(task, texts),
    )
