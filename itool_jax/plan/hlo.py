"""What a TPU program says about itself in its optimised text: how often its loops run, its cycles, its collectives."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from typing import NamedTuple

_COMPUTATION = re.compile(r"^(ENTRY )?%?([\w.\-]+) \(.*\{$")
_LOOP = re.compile(r" while\(.*condition=%?([\w.\-]+), body=%?([\w.\-]+)")
_CALLED = re.compile(r"(?:calls|to_apply|branch_computations|called_computations)=\{?%?([\w.\-]+(?:, %?[\w.\-]+)*)")
_BOUND = re.compile(r"%?([\w.\-]+) = s32\[\]\S* constant\((\d+)\)")
_LESS = re.compile(r"ROOT .* compare\((.*)\), direction=LT")
_CYCLES = re.compile(r'"estimated_cycles":"(\d+)"')
_NO_CYCLES = str(2**63 - 1)  # what a TPU compiler writes where its cost model has no word, as for the sparse cores
_KERNEL = 'custom_call_target="tpu_custom_call"'
_COLLECTIVE = re.compile(
    r" = (\(?\w+\[.*) (all-gather|all-reduce|reduce-scatter|all-to-all|collective-permute)(-start)?\(.*channel_id=(\d+)"
)
_SHAPE = re.compile(r"(?:pred|[a-z]+(\d+)\w*)\[([\d,]*)\]")


class Collective(NamedTuple):
    """Calls of one kind in a run of the program on each device, and the bytes that they give."""

    calls: int
    bytes: int


class ProgramText:
    """A compiled program's text, read once.

    A loop whose bound is no constant counts as one turn, and of a condition's branches the cheapest.
    """

    def __init__(self, text: str):
        self._lines: dict[str, list[str]] = {}
        entry, lines = "", []
        for line in text.splitlines():
            if (head := _COMPUTATION.match(line)) is not None:
                lines = self._lines.setdefault(head[2], [])
                entry = head[2] if head[1] else entry
            else:
                lines.append(line)
        self._entry = entry
        self._turns: dict[str, int] = defaultdict(int)
        self._count(entry, 1)

    @property
    def cycles(self) -> int:
        """The compiler's estimate of a run."""
        return sum(turns * self._own_cycles(name) for name, turns in self._turns.items())

    @property
    def untimed(self) -> int:
        """Calls of kernels and other operations that the compiler has no estimate of: `cycles` are without them."""
        return sum(turns * sum(map(_is_untimed, self._lines.get(name, ()))) for name, turns in self._turns.items())

    @property
    def loop_cycles(self) -> int:
        """Those of `cycles` that are spent in loops: a step, where the only outer loop has no constant bound."""
        return self.cycles - self._own_cycles(self._entry)

    def _own_cycles(self, name: str) -> int:
        found = (_CYCLES.search(line) for line in self._lines.get(name, ()))
        return sum(int(match[1]) for match in found if match is not None and match[1] != _NO_CYCLES)

    @property
    def collectives(self) -> dict[str, Collective]:
        """By kind. A collective that the compiler wrote into several fusions, to overlap it, is one by its channel."""
        found: dict[tuple[str, str], Collective] = {}
        for name, turns in self._turns.items():
            for line in self._lines.get(name, ()):
                if (match := _COLLECTIVE.search(line)) is not None:
                    kind = "reduce-scatter" if name.startswith("all-reduce-scatter") else match[2]
                    found[kind, match[4]] = Collective(turns, turns * _bytes(match[1], kind, bool(match[3])))
        kinds: dict[str, Collective] = {}
        for (kind, _), one in sorted(found.items()):
            before = kinds.get(kind, Collective(0, 0))
            kinds[kind] = Collective(before.calls + one.calls, before.bytes + one.bytes)
        return kinds

    def _count(self, name: str, turns: int) -> None:
        self._turns[name] += turns
        for line in self._lines.get(name, ()):
            if (loop := _LOOP.search(line)) is not None:
                self._count(loop[2], turns * self._bound(loop[1]))
            elif (called := _CALLED.search(line)) is not None:
                callees = re.split(r", %?", called[1])
                if " conditional(" in line:
                    callees = [min(callees, key=self._all_cycles)]
                for callee in callees:
                    self._count(callee, turns)

    def _all_cycles(self, name: str) -> int:
        """Cycles of a computation with those that it calls."""
        total = self._own_cycles(name)
        for line in self._lines.get(name, ()):
            if (loop := _LOOP.search(line)) is not None:
                total += self._bound(loop[1]) * self._all_cycles(loop[2])
            elif (called := _CALLED.search(line)) is not None:
                costs = map(self._all_cycles, re.split(r", %?", called[1]))
                total += min(costs) if " conditional(" in line else sum(costs)
        return total

    def _bound(self, condition: str) -> int:
        lines = self._lines.get(condition, ())
        constants = {match[1]: int(match[2]) for line in lines if (match := _BOUND.search(line))}
        for line in lines:
            if (less := _LESS.search(line)) is not None:
                names = re.findall(r"%?([\w.\-]+)(?:,|$)", less[1])
                return next((constants[name] for name in names if name in constants), 1)
        return 1


def _is_untimed(line: str) -> bool:
    return _KERNEL in line or ((match := _CYCLES.search(line)) is not None and match[1] == _NO_CYCLES)


def _bytes(shapes: str, kind: str, starts: bool) -> int:
    """Of a result; the start of a gather or permutation gives a tuple of what goes in, what comes out, and marks."""
    found = ((int(bits or 8), filter(None, dims.split(","))) for bits, dims in _SHAPE.findall(shapes))
    sizes = [bits * math.prod(map(int, dims)) // 8 for bits, dims in found]
    return sizes[1] if starts and kind in ("all-gather", "collective-permute") else sum(sizes)
