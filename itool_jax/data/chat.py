"""Chat formats: how tools and conversation become the prompt, and which token ends the answer.

A format is a list of segments, each either the name of a special token or plain text. Special tokens enter a prompt by
id and text is encoded as text, so nothing that a user or a tool writes can turn into a special token.

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
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from itool_jax.data.example import Example, Message
from itool_jax.data.tokenizer import Tokenizer
from itool_jax.errors import UserError
from itool_jax.toolcall import signature, tool_to_json

CHATML_INSTRUCTION = (
    'Answer with calls in Python style, for example [f(a=1, b="x"), g()], and nothing else. '
    "If no tool fits or a required value is missing, answer in plain words."
)


@dataclass(frozen=True)
class Segment:
    """A piece of a prompt: plain text, or the name of a special token."""

    text: str
    special: bool = False


@dataclass(frozen=True)
class ChatFormat:
    """A way to write prompts.

    special_tokens  names of the special tokens that it uses
    end_of_turn     the one of them that closes an assistant's turn
    segments        the prompt of an example, up to and including the header of the assistant's turn
    """

    name: str
    special_tokens: tuple[str, ...]
    end_of_turn: str
    segments: Callable[[Example], tuple[Segment, ...]]

    def render_prompt(self, example: Example) -> str:
        """The prompt as text, for people and for templates; use `encode_prompt` for ids."""
        return "".join(segment.text for segment in self.segments(example))


def encode_prompt(chat_format: ChatFormat, tokenizer: Tokenizer, example: Example) -> list[int]:
    """Token ids of the prompt. By definition prompt and answer are encoded apart and never again together."""
    return encode_segments(tokenizer, chat_format.segments(example))


def encode_answer(chat_format: ChatFormat, tokenizer: Tokenizer, answer: str) -> list[int]:
    """Token ids of an assistant's turn, with the end-of-turn token."""
    return [*tokenizer.encode(answer), tokenizer.special_id(chat_format.end_of_turn)]


def encode_segments(tokenizer: Tokenizer, segments: Sequence[Segment]) -> list[int]:
    """Token ids of segments: special tokens by id, runs of plain text as one text each."""
    ids: list[int] = []
    text = ""
    for segment in segments:
        if not segment.special:
            text += segment.text
            continue
        ids += tokenizer.encode(text)
        ids.append(tokenizer.special_id(segment.text))
        text = ""
    return ids + tokenizer.encode(text)


def chat_format(name: str) -> ChatFormat:
    """A format by name; raises UserError where there is none."""
    if name not in CHAT_FORMATS:
        raise UserError(f"unknown chat format {name!r}; known are {', '.join(CHAT_FORMATS)}.")
    return CHAT_FORMATS[name]


def _compact(example: Example) -> tuple[Segment, ...]:
    system, messages = _leading_system(example.messages)
    lines = [*system, *map(signature, example.tools)]
    segments = [Segment("<|tools|>", special=True), Segment("\n".join(lines))]
    for message in messages:
        role = "tools" if message.role == "system" else message.role
        segments += [Segment(f"<|{role}|>", special=True), Segment(message.content)]
        if message.role == "assistant":
            segments.append(Segment("<|end|>", special=True))
    return (*segments, Segment("<|assistant|>", special=True))


def _chatml(example: Example) -> tuple[Segment, ...]:
    system, messages = _leading_system(example.messages)
    if example.tools:
        listing = "\n".join(_compact_json(tool_to_json(tool)) for tool in example.tools)
        system = [*system, f"You can call these tools:\n{listing}\n{CHATML_INSTRUCTION}"]
    segments = [part for text in ["\n\n".join(system)] if text for part in _chatml_turn("system", text)]
    for message in messages:
        if message.role == "tool":
            segments += _chatml_turn("user", f"Tool result:\n{message.content}")
        else:
            segments += _chatml_turn(message.role, message.content)
    return (*segments, Segment("<|im_start|>", special=True), Segment("assistant\n"))


def _chatml_turn(role: str, content: str) -> list[Segment]:
    return [
        Segment("<|im_start|>", special=True),
        Segment(f"{role}\n{content}"),
        Segment("<|im_end|>", special=True),
        Segment("\n"),
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
    segments=_compact,
)
CHATML = ChatFormat(
    name="chatml", special_tokens=("<|im_start|>", "<|im_end|>"), end_of_turn="<|im_end|>", segments=_chatml
)
CHAT_FORMATS = {chat.name: chat for chat in (COMPACT, CHATML)}
