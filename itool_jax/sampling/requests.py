"""What is asked of the tree sampler and what comes back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from itool_jax.errors import UserError


@dataclass(frozen=True)
class Request:
    """`samples` continuations of the prompt and `path`, each of at most `budget` tokens.

    node and expansion name the request within its tree: with the seed, the growth's key and the sample's number they
    determine the randomness, so the same request gives the same samples in any company. Temperature and filters are
    those of `draw.Rules`. stop_tokens end a sample, which keeps the one that ended it; None is the sampler's own.
    """

    path: tuple[int, ...]
    samples: int
    budget: int
    node: int = 0
    expansion: int = 0
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    stop_tokens: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        expected = {
            "samples": (self.samples >= 1, "at least 1"),
            "budget": (self.budget >= 1, "at least 1 token"),
            "temperature": (self.temperature >= 0, "0 (greedy) or more"),
            "top_p": (0 < self.top_p <= 1, "more than 0 and at most 1 (off)"),
            "top_k": (self.top_k >= 0, "0 (off) or more"),
            "min_p": (0 <= self.min_p <= 1, "0 (off) to 1"),
        }
        for name, (fine, words) in expected.items():
            if not fine:
                raise UserError(f"a request's {name} is {getattr(self, name)}: expected {words}.")


@dataclass(frozen=True)
class Sample:
    """A continuation with the log-probs of its tokens at temperature 1; `end` says what ended it."""

    tokens: tuple[int, ...]
    logprobs: tuple[float, ...]
    end: Literal["stop", "budget"]


class Growth(Protocol):
    """A tree that wants to grow. `requests` is asked whenever nothing of the tree is in flight; [] ends the tree."""

    @property
    def key(self) -> int:
        """32 bits that identify the example."""
        ...

    @property
    def prompt(self) -> Sequence[int]: ...

    def requests(self) -> Sequence[Request]: ...


Finished = tuple[Any, Request, list[Sample]]  # the growth comes back as what it is
