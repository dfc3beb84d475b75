"""HTML and SVG elements that escape what they are given; only `Markup` passes as it is."""

from __future__ import annotations

import html
from collections.abc import Iterable

from itool_jax.evaluation.report.wording import clean

_VOID = {"meta", "br", "col"}


class Markup(str):
    """Text that is HTML already, made by `element` alone."""

    __slots__ = ()


Child = str | Markup | None


def element(tag: str, /, *children: Child, **attributes: object) -> Markup:
    """An element; children and attribute values are escaped, None and False left out, "_" in names written "-".

    `class_` stands for class; floats are written with two decimals at most.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(_value(value))}"'
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if tag in _VOID:
        return Markup(f"<{tag}{written}>")
    return Markup(f"<{tag}{written}>{join(children)}</{tag}>")


def join(children: Iterable[Child], between: str = "") -> Markup:
    """Children one after another, escaped."""
    return Markup(html.escape(between).join(escape(child) for child in children if child is not None))


def escape(child: str | Markup) -> Markup:
    return child if isinstance(child, Markup) else Markup(html.escape(clean(child)))


def raw_text_element(name: str, content: str) -> Markup:
    """A style element, whose content is not escaped; only for text of our own."""
    if "</" in content:
        raise ValueError(f"the content of {name} would end it")
    return Markup(f"<{name}>{content}</{name}>")


def _value(value: object) -> str:
    if value is True:
        return ""
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return clean(str(value))
