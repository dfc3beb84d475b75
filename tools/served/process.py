"""The asking side of protocol.py."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from itool_jax.errors import UserError


class Process:
    """A script of this folder under an interpreter of its own. A context: the process ends with it.

    option    of the command line that names the interpreter, for messages
    versions  what the process says of its packages
    """

    def __init__(self, script: str, python: str, option: str, *arguments: str):
        self._option, self.versions = option, dict[str, str]()
        self._command: Sequence[str] = [python, str(Path(__file__).with_name(script)), *arguments]

    def __enter__(self) -> Process:
        try:
            self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        except OSError as error:
            raise UserError(f"{self._option}={self._command[0]} does not start: {error}.") from error
        self.versions = self._line()["versions"]
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stdin.close()  # pyright: ignore[reportOptionalMemberAccess]
        self._process.wait()

    def ask(self, **request: Any) -> dict[str, Any]:
        """The answer to a request, with its "seconds"."""
        print(json.dumps(request), file=self._process.stdin, flush=True)
        return self._line()

    def _line(self) -> dict[str, Any]:
        line = self._process.stdout.readline()  # pyright: ignore[reportOptionalMemberAccess]
        if not line:
            raise UserError(
                f"`{' '.join(self._command)}` ended with status {self._process.wait()}: what it says is above. "
                f"{self._option} names the interpreter of the environment that it needs."
            )
        return json.loads(line)
