"""Expansions that ended trees left over go to trees with right and wrong samples, where pairs are still to be found.

One budget, `iterations` for every tree of a search, is spent in two parts. First each tree grows by itself; what it
was then is kept on disk if it may grow further. When all have, the expansions left over are shared out among those, by
their ids. So who gets how many is the same in whatever order trees end, and after a kill.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple
from typing import TYPE_CHECKING, Any

from etils import epath

from itool_jax.growing import RowLog, kept_rows
from itool_jax.parallel import processes
from itool_jax.search.rewards import Grade
from itool_jax.search.tree import ROOT

if TYPE_CHECKING:
    from itool_jax.search.search import SearchGrowth


class BaseTrees:
    """What is known of the trees that had their own expansions, by id, in files that outlive a kill: one a process."""

    def __init__(self, folder: epath.Path, process: int = 0):
        self._folder, self._log = folder, RowLog(folder / f"base_trees_{process:03d}.jsonl")
        self._rows: dict[str, dict[str, Any]] = {}
        self._read()

    def _read(self) -> None:
        for file in sorted(self._folder.glob("base_trees_*.jsonl")):
            self._rows |= kept_rows(file)

    def gather(self) -> None:
        """Waits until all processes have grown their trees, and reads of all of them."""
        if processes.several():
            self.flush()
            processes.together("trees that may get more expansions")
            self._read()

    def waits(self, id: str) -> bool:
        """Whether a tree is known to wait for more expansions."""
        return bool(self._rows.get(id, {}).get("growth"))

    def restore(self, growth: SearchGrowth) -> None:
        """Makes a new growth the one that waits."""
        state = self._rows[growth.prepared.id]["growth"]
        growth.tree.restore(state["tree"])
        growth.grades.update((tuple(answer), Grade(*grade)) for answer, grade in state["grades"])
        growth.opinions.update((tuple(answer), opinion) for answer, opinion in state["opinions"])

    def keep(self, growth: SearchGrowth, waits: bool) -> None:
        """Notes how many expansions a tree took, and if it waits for more, all of it."""
        id = growth.prepared.id
        if id not in self._rows:
            state = _state(growth) if waits else None
            row = {"id": id, "expansions": growth.tree.expansions, "growth": state}
            self._log.keep(row)
            self._rows[id] = row

    def flush(self) -> None:
        """What was kept outlives a kill from here on."""
        self._log.flush()

    def close(self) -> None:
        """The same, and gives the file free; more may be kept."""
        self._log.close()

    def shares(self, iterations: int, most: int) -> Mapping[str, int]:
        """How many expansions each waiting tree gets: equal shares of those left, the first ids one more, up to `most`.

        To be asked when all trees of the search are known.
        """
        left = sum(iterations - row["expansions"] for row in self._rows.values())
        waiting = sorted(id for id, row in self._rows.items() if row["growth"])
        each, over = divmod(left, max(len(waiting), 1))
        return {id: min(most, each + (place < over)) for place, id in enumerate(waiting)}


def is_mixed(growth: SearchGrowth) -> bool:
    """Whether some samples are strictly right and some are not."""
    nodes = growth.tree.nodes
    right = sum(node.visits for node in nodes if node.end is not None and node.right)
    return 0 < right < nodes[ROOT].visits


def _state(growth: SearchGrowth) -> dict[str, Any]:
    """All that a tree needs to grow on, as JSON values."""
    return {
        "tree": growth.tree.state(),
        "grades": [[answer, astuple(grade)] for answer, grade in growth.grades.items()],
        "opinions": list(growth.opinions.items()),
    }
