"""How another library is asked, in an environment of its own: lines of JSON over stdin and stdout.

The first line out says {"versions": {...}}. Then each line in is a request, the arguments of the answering function,
and each line out its answer, with "seconds", what answering took, where the function does not say itself.
This file imports nothing but the standard library.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from importlib.metadata import version


def serve(answer: Callable[..., dict], packages: tuple[str, ...], say: int) -> None:
    """Answers requests until stdin ends; `say` is the descriptor that `own_stdout` gave."""
    with os.fdopen(say, "w") as out:
        print(json.dumps({"versions": {name: version(name) for name in packages}}), file=out, flush=True)
        for line in sys.stdin:
            request = json.loads(line)
            start = time.monotonic()
            found = answer(**request)
            print(json.dumps({"seconds": time.monotonic() - start} | found), file=out, flush=True)


def own_stdout() -> int:
    """Keeps stdout for answers: returns its descriptor, and sends what libraries print to stderr."""
    say = os.dup(1)
    os.dup2(2, 1)
    return say
