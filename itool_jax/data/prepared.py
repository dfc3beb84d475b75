"""Examples as token ids: encoded once, and never cut. What does not fit the model is set aside and counted."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

from itool_jax.data.chat import ChatFormat, encode_example
from itool_jax.data.example import Example
from itool_jax.data.tokenizer import Tokenizer
from itool_jax.toolcall import CallStyle


@dataclass(frozen=True)
class Prepared:
    """An example with the token ids of its prompt and of its ground-truth answer, end-of-turn token included."""

    example: Example
    prompt: tuple[int, ...]
    answer: tuple[int, ...]

    @property
    def id(self) -> str:
        return self.example.id

    @property
    def key(self) -> int:
        """32 bits of the id, from which random keys derive."""
        return zlib.crc32(self.example.id.encode())

    def __len__(self) -> int:
        return len(self.prompt) + len(self.answer)


@dataclass(frozen=True)
class Dialect:
    """How a model is spoken to: its tokenizer and its chat format."""

    tokenizer: Tokenizer
    chat: ChatFormat

    @cached_property
    def end_of_turn(self) -> int:
        return self.tokenizer.special_id(self.chat.end_of_turn)

    @property
    def call_style(self) -> CallStyle:
        """How the model is taught to write calls; `parse_calls` reads it with and without this name."""
        return self.chat.call_style

    def prepare(self, example: Example) -> Prepared:
        """The example's token ids; raises UserError where the chat format cannot write it."""
        prompt, answer = encode_example(self.chat, self.tokenizer, example)
        return Prepared(example, tuple(prompt), tuple(answer))

    def text(self, answer: Iterable[int]) -> str:
        """Text of answer ids, sampled ones too, without the end-of-turn tokens that close them."""
        ids = list(answer)
        while ids and ids[-1] == self.end_of_turn:
            ids.pop()
        return self.tokenizer.decode(ids)


def prepare_all(
    examples: Iterable[Example], dialect: Dialect, longest: int, on_each: Callable[[], None] = lambda: None
) -> tuple[list[Prepared], list[str]]:
    """Examples whose prompt and answer fit `longest` tokens, and the ids of those that do not."""
    fitting, too_long = [], []
    for example in examples:
        prepared = dialect.prepare(example)
        on_each()
        if len(prepared) <= longest:
            fitting.append(prepared)
        else:
            too_long.append(example.id)
    return fitting, too_long
