"""The small world stays as it is, byte for byte: the checkpoint that is shipped was trained on it."""

import hashlib
import json

import pytest

from itool_jax.data.difficulty import DIFFICULTIES
from itool_jax.data.example import Example
from itool_jax.data.toolworld import ToolWorld
from itool_jax.toolcall import tool_to_json

GOLDEN = {
    ("train", "easy"): "cb84de2e4ed7a7f03a6387038c24c7f9099c9931a8931a9bb17ffec89263c9ab",
    ("train", "medium"): "00a06638a709a55c03cb692aac06c5ca59c449b98d1b1c5bfe4a9c3e3a269947",
    ("train", "hard"): "c79dd22423835517cea1df0523173d38c96806fa7442a66c32acde3c5f386110",
    ("unseen", "easy"): "e8f37c11b8a99ca9e0a3b67c73e050da7554d0be569b0eb93556938a79f52d28",
    ("unseen", "medium"): "b0c572024537e7f5dc2f627970b618713302652f8cbf331a3296d210c673ab69",
    ("unseen", "hard"): "87946b585ed4fb2920bbe49343d2ffe041fbbdfd99a21f0b126e094b700710b7",
}


def digest(examples) -> str:
    content = hashlib.sha256()
    for example in examples:
        content.update(json.dumps(row(example), ensure_ascii=False).encode())
    return content.hexdigest()


def row(example: Example) -> list:
    messages = [[m.role, m.content, [[c.name, dict(c.arguments)] for c in m.calls]] for m in example.messages]
    calls = [[call.name, dict(call.arguments)] for call in example.calls]
    tools = [tool_to_json(tool) for tool in example.tools]
    return [example.id, tools, messages, example.answer, calls, example.source, dict(example.meta)]


@pytest.mark.parametrize("level", DIFFICULTIES)
@pytest.mark.parametrize("tools", ["train", "unseen"])
def test_the_small_world_is_what_it_was(tools, level):
    worlds = ToolWorld(7, "train", tools), ToolWorld(7, "heldout", tools)
    assert digest(e for world in worlds for e in world.examples(level, 150)) == GOLDEN[tools, level]
