"""Which special tokens of a rendered conversation the template wrote, and which stand in somebody's text.

The conversation is rendered a second time in disguise: in all its texts, each character with which the name of a
special token begins (`<`) is replaced by a private-use character. A name in that rendering was begun by the template.
Without the disguise it must read as the plain rendering does, so that the template did the same to both.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from itool_jax.data.chat.format import Segment, Segments

_PRIVATE_USE = range(0xE000, 0xF900)


class LooksIntoTexts(Exception):
    """A template treats a conversation and its disguise differently where special tokens are at stake."""


def guarded_segments(conversation: Any, render: Callable[[Any], str], names: frozenset[str]) -> Segments:
    """The rendering of a conversation (JSON) with the template's special tokens apart from all other text.

    `names` are those of all special tokens. A template may look for tags of its own within a text, as Qwen3's does for
    </think>, and so not see the disguised ones; then only the names are disguised, and the special tokens must be the
    same ones, in the same order, as in the full disguise. Raises LooksIntoTexts where they are not.
    """
    plain = render(conversation)
    name, initial = _patterns(names)
    if not _any_text(conversation, initial):
        return _cut(plain, name, {})
    free = (chr(code) for code in _PRIVATE_USE if chr(code) not in plain)
    disguise = dict(zip(sorted({text[0] for text in names}), free, strict=False))
    undisguise = str.maketrans({mask: letter for letter, mask in disguise.items()})

    full = render(_mapped(conversation, lambda text: initial.sub(lambda m: disguise[m[0]], text)))
    if full.translate(undisguise) == plain:
        return _cut(full, name, undisguise)
    narrow = render(_mapped(conversation, lambda text: name.sub(lambda m: disguise[m[0][0]] + m[0][1:], text)))
    if narrow.translate(undisguise) != plain or name.findall(narrow) != name.findall(full):
        raise LooksIntoTexts
    return _cut(narrow, name, undisguise)


def special_name(names: frozenset[str], text: str) -> str | None:
    """The first name of a special token in a text, None where there is none."""
    match = _patterns(names)[0].search(text)
    return match[0] if match else None


@lru_cache
def _patterns(names: frozenset[str]) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """What finds the names, the longest where several begin, and what finds their first characters."""
    longest_first = sorted(names, key=lambda text: (-len(text), text))
    initials = sorted({text[0] for text in names})
    return re.compile("|".join(map(re.escape, longest_first))), re.compile("|".join(map(re.escape, initials)))


def _cut(rendered: str, name: re.Pattern[str], undisguise: Mapping[int, str]) -> Segments:
    segments, start = [], 0
    for match in name.finditer(rendered):
        segments += [Segment(rendered[start : match.start()].translate(undisguise)), Segment(match[0], special=True)]
        start = match.end()
    return (*segments, Segment(rendered[start:].translate(undisguise)))


def _any_text(value: Any, found: re.Pattern[str]) -> bool:
    """Whether the pattern is found in any text of a JSON value, keys of objects too."""
    if isinstance(value, str):
        return found.search(value) is not None
    if isinstance(value, Mapping):
        return any(_any_text(key, found) or _any_text(item, found) for key, item in value.items())
    return isinstance(value, list | tuple) and any(_any_text(item, found) for item in value)


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    """The value with every text in it changed, keys of objects too."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {_mapped(key, change): _mapped(item, change) for key, item in value.items()}
    return [_mapped(item, change) for item in value] if isinstance(value, list | tuple) else value
