"""Data sets of the Hugging Face hub, streamed through `datasets`: "hub:OWNER/NAME[@REVISION][/CONFIG][:SPLIT]"."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from itool_jax.data.sources.rows import row_text
from itool_jax.errors import UserError

PREFIX = "hub:"
_WORD = r"[\w][\w.-]*"
_FORM = re.compile(
    rf"{PREFIX}(?P<name>{_WORD}/{_WORD})(?:@(?P<revision>{_WORD}))?(?:/(?P<config>{_WORD}))?(?::(?P<split>{_WORD}))?"
)


class HubData(NamedTuple):
    """A data set of the hub; `split` is "train" where the text names none."""

    name: str
    revision: str | None
    config: str | None
    split: str

    @property
    def label(self) -> str:
        """What ids carry: name, config and split; no revision, so that pinning one changes no id."""
        return "/".join(part for part in (self.name, self.config, self.split) if part)


def parse_hub(text: str) -> HubData:
    """Reads "hub:OWNER/NAME[@REVISION][/CONFIG][:SPLIT]"; raises UserError where it is anything else."""
    found = _FORM.fullmatch(text)
    if not found:
        raise UserError(
            f"{text!r} names no data set of the hub. Expected {PREFIX}OWNER/NAME[@REVISION][/CONFIG][:SPLIT], such as "
            f"{PREFIX}NousResearch/hermes-function-calling-v1/func_calling:train."
        )
    return HubData(found["name"], found["revision"], found["config"], found["split"] or "train")


def hub_rows(data: HubData) -> Iterator[tuple[int, bytes]]:
    """The rows' JSON text, numbered from 1, fetched as they are asked for; code of a data set is never run.

    A folder OWNER/NAME below the current one is read in the place of the hub's, as `datasets` does. Raises UserError
    where `datasets` is not installed or cannot load the data.
    """
    try:
        from datasets import load_dataset
    except ImportError as error:
        raise UserError(
            f"{data.name}: reading the hub needs the package datasets. Install it (pip install 'itool-jax[hub]'), or "
            "download the files and name their folder."
        ) from error
    number = 0
    try:
        stream = load_dataset(data.name, data.config, split=data.split, revision=data.revision, streaming=True)
        for row in stream:
            number += 1
            yield number, row_text(row)
    except Exception as error:  # whatever the network, the hub or the files have thrown
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise UserError(
            f"cannot read the hub's data set {data.name}, config {data.config or 'default'}, split {data.split}, after "
            f"{number} rows: {reason}. Check the name and the connection, or download the files and name their folder."
        ) from error
