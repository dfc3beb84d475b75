"""Chat templates as programs: Jinja in its sandbox, with what transformers offers to templates and a fixed clock."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from jinja2 import TemplateError, nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment


@lru_cache(maxsize=16)
def compiled(template: str, date: datetime.date) -> Callable[..., str]:
    """A template as a function of its variables; where it asks for the time, it is `date` at midnight.

    Any exception can come out of it, when it is compiled and when it is called: a template is somebody else's program.
    Filters, functions, tags and the treatment of white space are those of transformers' apply_chat_template.
    """
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols]
    )
    environment.filters["tojson"] = _to_json
    environment.globals |= {"raise_exception": _refuse, "strftime_now": date.strftime}
    return environment.from_string(template).render


class _Generation(Extension):
    """{% generation %}: in transformers it marks what the assistant writes; here the block is its own scope."""

    tags = {"generation"}  # noqa: RUF012

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        return nodes.Scope(parser.parse_statements(("name:endgeneration",), drop_needle=True), lineno=line)


def _to_json(
    value: Any, ensure_ascii: bool = False, indent: int | None = None, separators: Any = None, sort_keys: bool = False
) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _refuse(message: str) -> None:
    raise TemplateError(message)
