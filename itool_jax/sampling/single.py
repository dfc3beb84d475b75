"""The smallest tree there is: one branch after a prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from itool_jax.sampling.sampler import Request, Sample


@dataclass
class SingleBranch:
    """A growth that asks once, for one sample; `of` is what it belongs to."""

    key: int
    prompt: Sequence[int]
    request: Request
    of: Any = None
    sample: Sample | None = None
    asked: bool = False

    def requests(self) -> Sequence[Request]:
        if self.asked:
            return ()
        self.asked = True
        return (self.request,)
