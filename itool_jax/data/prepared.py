"""Examples as token ids: encoded once, and never cut. What does not fit the model is set aside and counted."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from itool_jax.data.chat import ChatFormat, encode_answer, encode_prompt
from itool_jax.data.example import Example
from itool_jax.data.tokenizer import Tokenizer


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

    @property
    def end_of_turn(self) -> int:
        return self.tokenizer.special_id(self.chat.end_of_turn)

    def prepare(self, example: Example) -> Prepared:
        prompt = encode_prompt(self.chat, self.tokenizer, example)
        return Prepared(example, tuple(prompt), tuple(encode_answer(self.chat, self.tokenizer, example.answer)))

    def text(self, answer: Iterable[int]) -> str:
        """Text of sampled answer ids, without the end-of-turn token that closes them."""
        return self.tokenizer.decode(answer)


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
