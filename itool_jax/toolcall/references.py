"""`$ref` in JSON-Schema: what it points to takes its place, with bounds, so that a schema stands by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import unquote

from itool_jax.errors import UserError

MAX_REFERENCES = 1_000


@dataclass(frozen=True)
class References:
    """Resolves the references of one parameters object.

    root    the schema that holds `$defs` or `definitions`, to which `#/...` points
    where   the place that errors name
    path    the references that lead to the present part of the schema
    """

    root: Mapping[str, Any]
    where: str
    path: tuple[str, ...] = ()
    _counter: list[int] = field(default_factory=lambda: [0])

    def resolve(self, schema: Mapping[str, Any]) -> tuple[Mapping[str, Any], References]:
        """The schema with its own `$ref`, or its `allOf` of one, replaced, and the references for its parts.

        Keys beside them win. Raises UserError for a reference that leads back to itself, leads nowhere or out of the
        schema, and for more than MAX_REFERENCES in one parameters object.
        """
        here = self
        while True:
            reference, parts = schema.get("$ref"), schema.get("allOf")
            if isinstance(reference, str):
                target, here = here._follow(reference), replace(here, path=(*here.path, reference))
                schema = {**target, **{key: value for key, value in schema.items() if key != "$ref"}}
            elif isinstance(parts, list | tuple) and len(parts) == 1 and isinstance(parts[0], Mapping):
                schema = {**parts[0], **{key: value for key, value in schema.items() if key != "allOf"}}
            else:
                return schema, here

    def _follow(self, reference: str) -> Mapping[str, Any]:
        if reference in self.path:
            cycle = " -> ".join((*self.path, reference))
            raise UserError(
                f"{self.where}: a schema that holds itself ({cycle}). Write out the levels that are needed."
            )
        self._counter[0] += 1
        if self._counter[0] > MAX_REFERENCES:
            raise UserError(f"{self.where}: more than {MAX_REFERENCES} references, found at {reference!r}.")
        return self._target(reference)

    def _target(self, reference: str) -> Mapping[str, Any]:
        pointer, slash, rest = reference.partition("/")
        found: Any = self.root if pointer == "#" and slash else None
        for key in rest.split("/"):
            key = unquote(key).replace("~1", "/").replace("~0", "~")
            found = found.get(key) if isinstance(found, Mapping) else None
        if not isinstance(found, Mapping):
            raise UserError(
                f"{self.where}: $ref {reference[:80]!a} does not lead to a schema. Expected a pointer into the same "
                "parameters object, such as '#/$defs/Name'."
            )
        return found
