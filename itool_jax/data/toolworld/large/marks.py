"""Marked text: a request while it is composed, in which the wording of values stands between two marks.

What is marked is never misspelled, lowered or otherwise played with.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

_OPEN, _CLOSE = "\x02", "\x03"
_MARKED = re.compile(f"({_OPEN}[^{_CLOSE}]*{_CLOSE})")
_WORD = re.compile(r"[A-Za-z]{5,}")


def mark(text: str) -> str:
    return f"{_OPEN}{text}{_CLOSE}"


def plain(text: str) -> str:
    """The text without its marks."""
    return text.replace(_OPEN, "").replace(_CLOSE, "")


def outside(text: str, change: Callable[[str], str]) -> str:
    """The text with what stands outside the marks changed."""
    return "".join(part if part.startswith(_OPEN) else change(part) for part in _MARKED.split(text))


def capital(text: str) -> str:
    """The text with a capital at its start, unless a value stands there."""
    return text if text.startswith(_OPEN) else text[:1].upper() + text[1:]


def misspelled(text: str, rng: Random, count: int) -> str:
    """The text with a slip of the fingers in up to `count` words of five letters or more outside the marks."""
    places: list[int] = []
    outside(text, lambda part: places.extend([0] * len(_WORD.findall(part))) or part)
    chosen = set(rng.sample(range(len(places)), min(count, len(places))))
    seen = iter(range(len(places)))

    def slip(match: re.Match[str]) -> str:
        return _slip(match[0], rng) if next(seen) in chosen else match[0]

    return outside(text, lambda part: _WORD.sub(slip, part))


def _slip(word: str, rng: Random) -> str:
    place = rng.randrange(1, len(word) - 1)
    way = rng.randrange(3)
    if way == 0:
        return word[:place] + word[place + 1 :]
    if way == 1:
        return word[:place] + word[place] + word[place:]
    return word[:place] + word[place + 1] + word[place] + word[place + 2 :]
