"""How another library is asked for samples, in an environment of its own: lines of JSON over stdin and stdout.

The first line out says {"versions": {...}}. Then each line in is a request
    {"sequences": [[token, ...], ...], "branches": 3, "tokens": 48, "temperature": 1.0}
whose sequences have one length, and each line out its answer
    {"samples": [[[token, ...], ...], ...], "seconds": what generating took}
by sequence and branch. This file imports nothing but the standard library.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from importlib.metadata import version


def serve(generate: Callable[..., list[list[list[int]]]], packages: tuple[str, ...], say: int) -> None:
    """Answers requests until stdin ends; `say` is the descriptor that `own_stdout` gave."""
    with os.fdopen(say, "w") as out:
        print(json.dumps({"versions": {name: version(name) for name in packages}}), file=out, flush=True)
        for line in sys.stdin:
            request = json.loads(line)
            start = time.monotonic()
            samples = generate(**request)
            print(json.dumps({"samples": samples, "seconds": time.monotonic() - start}), file=out, flush=True)


def own_stdout() -> int:
    """Keeps stdout for answers: returns its descriptor, and sends what libraries print to stderr."""
    say = os.dup(1)
    os.dup2(2, 1)
    return say
