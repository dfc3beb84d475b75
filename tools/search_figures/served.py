"""The sides of other libraries: their samplers, each a process in its own environment (tools/served/)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from search_figures.workload import Samples, Tokens, Workload, expand
from served.process import Process


class ServedSide:
    """A library with the weights of a Hugging Face directory. A context: its process ends with it.

    compiles  whether each shape has to be met once before it is timed
    Times are those that the process takes itself, without the way there and back.
    """

    def __init__(self, name: str, python: str, folder: Path, compiles: bool):
        self.name, self._compiles, self._seconds = name, compiles, 0.0
        self._process = Process(f"{name}_generate.py", python, f"--{name}-python", str(folder))

    def __enter__(self) -> ServedSide:
        self._process.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._process.__exit__(*error)

    @property
    def versions(self) -> dict[str, str]:
        return self._process.versions

    def warm_up(self, workload: Workload) -> None:
        """The whole workload where it compiles, else its first expansion."""
        self.run(workload if self._compiles else replace(workload, expansions=1))

    def run(self, workload: Workload) -> tuple[Samples, float]:
        self._seconds = 0.0
        return expand(self._generate, workload), self._seconds

    def _generate(
        self, sequences: Sequence[Tokens], branches: int, tokens: int, temperature: float
    ) -> list[list[Tokens]]:
        answer = self._process.ask(sequences=sequences, branches=branches, tokens=tokens, temperature=temperature)
        self._seconds += answer["seconds"]
        return answer["samples"]
