"""The sides of other libraries, each a process in its own environment that serve_*.py runs in."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from itool_jax.errors import UserError
from search_figures.workload import Samples, Tokens, Workload, expand


class ServedSide:
    """A library with the weights of a Hugging Face directory. A context: its process ends with it.

    compiles  whether each shape has to be met once before it is timed
    Times are those that the process takes itself, without the way there and back.
    """

    def __init__(self, name: str, python: str, folder: Path, compiles: bool):
        self.name, self._compiles, self._seconds = name, compiles, 0.0
        self._command = [python, str(Path(__file__).with_name(f"serve_{name}.py")), str(folder)]

    def __enter__(self) -> ServedSide:
        try:
            self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        except OSError as error:
            raise UserError(f"--{self.name}-python={self._command[0]} does not start: {error}.") from error
        self.versions: dict[str, str] = self._line()["versions"]
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stdin.close()  # pyright: ignore[reportOptionalMemberAccess]
        self._process.wait()

    def warm_up(self, workload: Workload) -> None:
        """The whole workload where it compiles, else its first expansion."""
        self.run(workload if self._compiles else replace(workload, expansions=1))

    def run(self, workload: Workload) -> tuple[Samples, float]:
        self._seconds = 0.0
        return expand(self._generate, workload), self._seconds

    def _generate(
        self, sequences: Sequence[Tokens], branches: int, tokens: int, temperature: float
    ) -> list[list[Tokens]]:
        request = {"sequences": sequences, "branches": branches, "tokens": tokens, "temperature": temperature}
        print(json.dumps(request), file=self._process.stdin, flush=True)
        answer = self._line()
        self._seconds += answer["seconds"]
        return answer["samples"]

    def _line(self) -> dict[str, Any]:
        line = self._process.stdout.readline()  # pyright: ignore[reportOptionalMemberAccess]
        if not line:
            raise UserError(
                f"`{' '.join(self._command)}` ended with status {self._process.wait()}: what it says is above. "
                f"--{self.name}-python names the interpreter of an environment with {self.name}."
            )
        return json.loads(line)
