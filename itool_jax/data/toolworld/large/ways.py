"""Alternatives written as one text, divided by `|`: how the tables of the large world list what can be said."""


def ways(text: str) -> tuple[str, ...]:
    return tuple(text.split("|"))
