"""Our own two formats: compact for tiny models, chatml for models that know ChatML but no tools.

compact   <|tools|>{signatures, one a line}<|user|>...<|assistant|>...<|end|><|tool|>{result}<|assistant|>
          A system message stands before the signatures, on lines of its own.
chatml    <|im_start|>system
          {system message, a blank line}You can call these tools:
          {tools, one compact JSON object a line}
          {instruction}<|im_end|>
          <|im_start|>user
          ...<|im_end|>
          <|im_start|>assistant
          A tool's result is a user turn that begins with the line "Tool result:". Without tools the system turn holds
          the system message alone; without either there is none.

Both write calls in Python style.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from itool_jax.data.chat.format import ChatFormat, Segment, Segments, turn_text
from itool_jax.data.example import Example, Message
from itool_jax.toolcall import signature, tool_to_json

CHATML_INSTRUCTION = (
    'Answer with calls in Python style, for example [f(a=1, b="x"), g()], and nothing else. '
    "If no tool fits or a required value is missing, answer in plain words."
)


def chat_template(chat: ChatFormat) -> str:
    """The Jinja template that writes one of our own formats elsewhere: shared.jinja, then that of the format.

    It writes what the format writes, for tools whose schemas are JSON Schema without references; words before calls
    stand on a line of their own. compact's raises for any other schema. The bounds of toolcall/literals.py do not hold
    there. In transformers the name of a special token within a text becomes the token, unless it is told to
    sanitize_control_tokens.
    """
    folder = Path(__file__).parent
    return "".join((folder / f"{name}.jinja").read_text() for name in ("shared", chat.name))


def _compact(example: Example, answered: bool) -> Segments:
    system, messages = _leading_system(example.messages)
    lines = [*system, *map(signature, example.tools)]
    segments = [Segment("<|tools|>", special=True), Segment("\n".join(lines))]
    for message in _turns(messages, example, answered):
        role = "tools" if message.role == "system" else message.role
        segments += [Segment(f"<|{role}|>", special=True), Segment(message.content)]
        if message.role == "assistant":
            segments.append(Segment("<|end|>", special=True))
    return tuple(segments) if answered else (*segments, Segment("<|assistant|>", special=True))


def _chatml(example: Example, answered: bool) -> Segments:
    system, messages = _leading_system(example.messages)
    if example.tools:
        listing = "\n".join(_compact_json(tool_to_json(tool)) for tool in example.tools)
        system = [*system, f"You can call these tools:\n{listing}\n{CHATML_INSTRUCTION}"]
    segments = [part for text in ["\n\n".join(system)] if text for part in _chatml_turn("system", text)]
    for message in _turns(messages, example, answered):
        if message.role == "tool":
            segments += _chatml_turn("user", f"Tool result:\n{message.content}")
        else:
            segments += _chatml_turn(message.role, message.content)
    return tuple(segments) if answered else (*segments, Segment("<|im_start|>", special=True), Segment("assistant\n"))


def _chatml_turn(role: str, content: str) -> list[Segment]:
    return [
        Segment("<|im_start|>", special=True),
        Segment(f"{role}\n{content}"),
        Segment("<|im_end|>", special=True),
        Segment("\n"),
    ]


def _turns(messages: Sequence[Message], example: Example, answered: bool) -> list[Message]:
    """The messages, and the answer where it is wanted, with calls in Python style."""
    answer = [Message("assistant", example.answer, example.calls)] if answered else []
    return [
        Message(message.role, turn_text(message.content, message.calls, "python")) for message in [*messages, *answer]
    ]


def _leading_system(messages: Sequence[Message]) -> tuple[list[str], Sequence[Message]]:
    count = next((i for i, message in enumerate(messages) if message.role != "system"), len(messages))
    return [message.content for message in messages[:count]], messages[count:]


def _compact_json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


COMPACT = ChatFormat(
    name="compact",
    special_tokens=("<|tools|>", "<|user|>", "<|assistant|>", "<|tool|>", "<|end|>"),
    end_of_turn="<|end|>",
    call_style="python",
    write=_compact,
)
CHATML = ChatFormat(
    name="chatml",
    special_tokens=("<|im_start|>", "<|im_end|>"),
    end_of_turn="<|im_end|>",
    call_style="python",
    write=_chatml,
)
