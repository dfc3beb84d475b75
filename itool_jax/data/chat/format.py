"""ChatFormat: a conversation as segments, and from there to the token ids of prompt and answer.

A segment is the name of a special token or plain text. Special tokens enter by id and text is encoded as text, so
nothing that a user or a tool writes can turn into a special token.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from itool_jax.data.example import Example
from itool_jax.data.tokenizer import Tokenizer
from itool_jax.errors import UserError
from itool_jax.toolcall import CallStyle, ToolCall, compare, parse_calls, write_calls

_START, _MOST_STARTS = re.compile(r"[\[{<]"), 16


@dataclass(frozen=True)
class Segment:
    """A piece of a conversation: plain text, or the name of a special token."""

    text: str
    special: bool = False


Segments = tuple[Segment, ...]


@dataclass(frozen=True)
class ChatFormat:
    """A way to write conversations.

    special_tokens  names of the special tokens that it needs
    end_of_turn     the special token that closes an assistant's turn
    call_style      how it writes calls
    write           the conversation of an example: with True up to its answer's end, else up to and including the
                    header of that turn; raises ValueError for calls that the style cannot say
    settings        what, beside the name, decides what it writes: values by what they are called
    """

    name: str
    special_tokens: tuple[str, ...]
    end_of_turn: str
    call_style: CallStyle
    write: Callable[[Example, bool], Segments]
    settings: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def identity(self) -> dict[str, str]:
        """What decides how it writes, by what it is called."""
        return {"chat format": self.name, **self.settings}

    def segments(self, example: Example) -> Segments:
        """The conversation up to and including the header of the assistant's turn."""
        return self._segments(example, answered=False)

    def conversation(self, example: Example) -> Segments:
        """The conversation with the example's answer."""
        return self._segments(example, answered=True)

    def render_prompt(self, example: Example) -> str:
        """The prompt as text, for people; use `encode_prompt` for ids."""
        return _text(self.segments(example))

    def _segments(self, example: Example, *, answered: bool) -> Segments:
        try:
            return _joined(self.write(example, answered))
        except ValueError as error:
            raise UserError(
                f"chat format {self.name} cannot write a call of example {example.id!r} in the style "
                f"{self.call_style}: {error}. Change the example, or choose another config.data.chat."
            ) from error


def encode_prompt(chat: ChatFormat, tokenizer: Tokenizer, example: Example) -> list[int]:
    """Token ids of the prompt, as the model is asked with."""
    return encode_segments(tokenizer, chat.segments(example))


def encode_example(chat: ChatFormat, tokenizer: Tokenizer, example: Example) -> tuple[list[int], list[int]]:
    """Token ids of the prompt and of the answer with its end-of-turn token.

    The whole conversation is written and encoded once, and cut where the prompt ends that the model is asked with. A
    token that would reach over the cut is split there, since no model that is asked with the prompt can say it. Raises
    UserError where the prompt is no beginning of the conversation, so that training would show another prompt than the
    model is asked with, and where the answer does not say the example's calls.
    """
    prompt, whole = chat.segments(example), chat.conversation(example)
    shared = _shared(prompt, whole)
    head, header, rest = prompt[:shared], prompt[shared:], whole[shared:]
    if not _begins(rest, header):
        raise broken_prefix(chat.name, example, _text(header), _text(rest))
    end = Segment(chat.end_of_turn, special=True)
    if end not in rest:
        raise UserError(f"chat format {chat.name}: {chat.end_of_turn} does not end the answer of {example.id!r}.")
    turn = rest[: rest.index(end) + 1]
    asked, ids = encode_segments(tokenizer, header), encode_segments(tokenizer, turn)
    if ids[: len(asked)] == asked:
        answer = ids[len(asked) :]
    else:
        answer = encode_segments(tokenizer, (Segment(turn[0].text[len(_text(header)) :]), *turn[1:]))
    _check_calls(chat, example, _text(turn[:-1])[len(_text(header)) :])
    return encode_segments(tokenizer, head) + asked, answer


def encode_segments(tokenizer: Tokenizer, segments: Sequence[Segment]) -> list[int]:
    """Token ids of segments, each encoded by itself: special tokens by id, the others as text."""
    ids: list[int] = []
    for segment in segments:
        ids += [tokenizer.special_id(segment.text)] if segment.special else tokenizer.encode(segment.text)
    return ids


def broken_prefix(name: str, example: Example, asked: str, taught: str) -> UserError:
    """The error for a format whose prompt, `asked`, is no beginning of the conversation with the answer, `taught`."""
    first = next((i for i, (a, b) in enumerate(zip(asked, taught, strict=False)) if a != b), len(taught))
    start = max(first - 40, 0)
    return UserError(
        f"chat format {name}: the prompt of example {example.id!r} is no beginning of the conversation with its "
        f"answer. Where they part the prompt has {asked[start : first + 40]!r}, the conversation "
        f"{taught[start : first + 40]!r}. The model would be trained on another prompt than it is asked with: choose "
        f"another config.data.chat, or change the example."
    )


def turn_text(content: str, calls: Sequence[ToolCall], style: CallStyle) -> str:
    """An assistant's turn with its calls in `style`: as it is where they are so already, else prose and then calls.

    Raises ValueError for calls that the style cannot say.
    """
    if not calls:
        return content
    written = write_calls(calls, style)
    if written in content:
        return content
    return "\n".join(part for part in (prose_before_calls(content, calls), written) if part)


def prose_before_calls(content: str, calls: Sequence[ToolCall]) -> str:
    """What an assistant's turn says before its calls, without a mark that opens a fence around them."""
    end = content.find(write_calls(calls))
    if end < 0:  # not as write_calls has it: where what opens a call may stand, and the rest makes these calls
        thought = content.rfind("</think>") + 1
        starts = (match.start() for match in _START.finditer(content, thought))
        end = next((i for i in islice(starts, _MOST_STARTS) if parse_calls(content[i:]).calls == tuple(calls)), 0)
    return content[:end].partition("```")[0].strip()


def _joined(segments: Sequence[Segment]) -> Segments:
    """The segments with neighbouring texts as one, and without empty ones: text is encoded in runs."""
    joined: list[Segment] = []
    for segment in segments:
        if joined and not segment.special and not joined[-1].special:
            joined[-1] = Segment(joined[-1].text + segment.text)
        elif segment.text:
            joined.append(segment)
    return tuple(joined)


def _shared(a: Sequence[Segment], b: Sequence[Segment]) -> int:
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def _begins(rest: Segments, header: Segments) -> bool:
    """Whether `rest` begins with `header`, what of a prompt is not shared: nothing, or the beginning of a text."""
    if not header:
        return True
    own, first = header[0], rest[0] if rest else Segment("", special=True)
    return len(header) == 1 and not own.special and not first.special and first.text.startswith(own.text)


def _text(segments: Sequence[Segment]) -> str:
    return "".join(segment.text for segment in segments)


def _check_calls(chat: ChatFormat, example: Example, answer: str) -> None:
    if not example.calls:
        return
    parsed = parse_calls(answer, chat.call_style)
    if parsed.calls != example.calls and not compare(parsed, example.calls, example.tools).right:
        raise UserError(
            f"chat format {chat.name} writes the calls of example {example.id!r} so that they read otherwise "
            f"({parsed.problem or 'other calls'}): {answer[:200]!r}. Change the example, or choose another "
            "config.data.chat."
        )
