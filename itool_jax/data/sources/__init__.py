"""Importers of third-party data: `scan_source(name, path)` and `read_source(name, path)` for each name in SOURCES."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from etils import epath

from itool_jax.data.example import Example
from itool_jax.data.jsonl import content_digest, example_from_json, parse_json
from itool_jax.data.problems import Problem, Rows, UniqueIds, collect, parse_rows, refuse
from itool_jax.data.sources import api_bank, glaive, hermes, hub, seal_tools, sgd, toolace, toolrl, xlam
from itool_jax.data.sources.rows import numbered_rows
from itool_jax.data.sources.source import Row, Source
from itool_jax.errors import UserError
from itool_jax.progress import note

__all__ = ["SOURCES", "Row", "Source", "check_names", "located", "read_source", "scan_source", "stream_source"]

SOURCES: Mapping[str, Source] = {
    "toolace": toolace.SOURCE,
    "xlam": xlam.SOURCE,
    "glaive": glaive.SOURCE,
    "hermes": hermes.SOURCE,
    "seal_tools": seal_tools.SOURCE,
    "sgd": sgd.SOURCE,
    "api_bank": api_bank.SOURCE,
    "toolrl": toolrl.SOURCE,
    "jsonl": Source(lambda row: [example_from_json(row.value)], files=("*.jsonl",), ids_in_rows=True),
}
_ENDINGS = (".gz", ".jsonl", ".json", ".parquet")


def read_source(name: str, path: str | os.PathLike[str], *, skip_bad: bool = False) -> Rows[Example]:
    """All examples of `scan_source`, with the problems of its bad rows, which are a UserError unless `skip_bad`.

    Without one good row they are an error in any case.
    """
    rows = collect(scan_source(name, path), skip_bad=skip_bad)
    if not rows.items:
        raise _none_good(name, rows.problems[0], len(rows.problems))
    return rows


def scan_source(
    name: str, path: str | os.PathLike[str], tell: Callable[[str], None] = note
) -> Iterator[Example | Problem]:
    """Examples in the named form, in their order, and a Problem for each bad row; one row is held at a time.

    `path` is a file, a folder (its files that the source knows, sorted by name) or a data set of the hub
    (`hub.parse_hub`). `tell` hears at the end how many repeated examples were left out, if the source has such. Raises
    UserError for an unknown name, for a file that is missing or broken, and where there is no row at all.
    """
    if name not in SOURCES:
        raise UserError(f"no data source is named {name!r}; there are {', '.join(SOURCES)}.")
    source, ids, fresh = SOURCES[name], UniqueIds(), _Fresh()
    empty = True
    for file, label, rows in _files(name, source, path):
        parse = _parser(source, label, source.context(file), ids, fresh)
        numbered = ((number, (number, text)) for number, text in rows)
        for item in parse_rows(os.fspath(path if file is None else file), numbered, parse):
            empty = False
            yield from [item] if isinstance(item, Problem) else item
    if empty:
        raise UserError(f"{os.fspath(path)} holds no examples; expected rows in the form of {name}.")
    if fresh.repeated:
        tell(f"{os.fspath(path)}: left out {fresh.repeated} turns that another row holds word for word")


def stream_source(
    name: str,
    path: str | os.PathLike[str],
    on_bad: Callable[[Problem], None],
    *,
    skip_bad: bool = False,
    tell: Callable[[str], None] = note,
) -> Iterator[Example]:
    """The examples of `scan_source`; `on_bad` gets each bad row.

    At the end UserError where no row was good or, unless `skip_bad`, where any was bad.
    """
    first: list[Problem] = []
    good = bad = 0
    for item in scan_source(name, path, tell):
        if isinstance(item, Problem):
            bad += 1
            first += [item][: 3 - len(first)]
            on_bad(item)
        else:
            good += 1
            yield item
    if not skip_bad:
        refuse(first, count=bad)
    if not good:
        raise _none_good(name, first[0], bad)


def check_names(name: str, paths: Sequence[str]) -> None:
    """Raises UserError where files of several paths would give the same ids, which are made of the files' names."""
    source = SOURCES[name]
    seen: dict[str, str] = {}
    for path in paths if not source.ids_in_rows else ():
        for file, label in _labelled(name, source, path):
            place = path if file is None else os.fspath(file)
            if label in seen:
                raise UserError(
                    f"{seen[label]} and {place} cannot be used together: the ids of both are {name}/{label}/ROW, made "
                    "of the file's name. Rename one file, or name each but once."
                )
            seen[label] = place


def _none_good(name: str, first: Problem, count: int) -> UserError:
    """The error for rows of which none could be read."""
    rows = "1 bad row" if count == 1 else f"{count} bad rows"
    return UserError(f"{rows} and no good one, the first: {first}. Expected rows in the form of {name}.")


def located(folder: str | os.PathLike[str], path: str) -> str:
    """A path of a config: below `folder` unless it is absolute or of the hub."""
    return path if path.startswith(hub.PREFIX) else os.fspath(epath.Path(folder) / path)


class _Fresh:
    """Tells examples from those that were there before, and counts the latter."""

    def __init__(self):
        self.repeated = 0
        self._seen: set[bytes] = set()

    def __call__(self, example: Example) -> bool:
        digest = content_digest(example)
        found = digest in self._seen
        self._seen.add(digest)
        self.repeated += found
        return not found


def _parser(
    source: Source, label: str, context: Any, ids: UniqueIds, fresh: _Fresh
) -> Callable[[tuple[int, bytes]], Sequence[Example]]:
    def parse(row: tuple[int, bytes]) -> Sequence[Example]:
        examples = source.examples(Row(label, row[0], parse_json(row[1]), context))
        for example in examples if source.ids_in_rows else ():
            ids.add(example.id)
        return list(filter(fresh, examples)) if source.repeats else examples

    return parse


def _files(
    name: str, source: Source, path: str | os.PathLike[str]
) -> Iterator[tuple[epath.Path | None, str, Iterator[tuple[int, bytes]]]]:
    """Each file with the label that ids carry, and its rows."""
    for file, label in _labelled(name, source, path):
        yield file, label, hub.hub_rows(hub.parse_hub(os.fspath(path))) if file is None else numbered_rows(file)


def _labelled(name: str, source: Source, path: str | os.PathLike[str]) -> list[tuple[epath.Path | None, str]]:
    """The files of a path with the labels that ids carry; None is the file of a data set of the hub."""
    text = os.fspath(path)
    if text.startswith(hub.PREFIX):
        return [(None, hub.parse_hub(text).label)]
    files = [epath.Path(path)]
    if files[0].is_dir():
        files = _known(name, source, files[0])
    return [(file, _label(file.name)) for file in files]


def _known(name: str, source: Source, folder: epath.Path) -> list[epath.Path]:
    children = sorted(folder.iterdir(), key=lambda child: child.name)
    known = [child for child in children if any(fnmatchcase(child.name.removesuffix(".gz"), p) for p in source.files)]
    if not known:
        raise UserError(
            f"the folder {folder} has no file of {name}: expected {' or '.join(source.files)}, found "
            f"{', '.join(child.name for child in children[:8]) or 'nothing'}. "
            "A file of another name can be given by its own path."
        )
    labels = [_label(child.name) for child in known]
    if twice := next((label for label in labels if labels.count(label) > 1), None):
        raise UserError(f"the folder {folder} has two files named {twice}, of which ids are made: rename one.")
    return known


def _label(name: str) -> str:
    for ending in _ENDINGS:
        name = name.removesuffix(ending)
    return name
