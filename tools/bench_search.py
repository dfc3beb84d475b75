"""The figures of the tree search (docs/performance.md says what they mean): all six, or those that are named.

    python tools/bench_search.py [--figure N ...] [--json FILE] [--case A ...] [--repeats 5] [--tunix-python PATH]

1  tokens per second against transformers' generate and, in an environment of its own, Tunix
2  the same against this engine with its sharing off
3  trees per second of a whole search against the reference algorithm's control flow
4  the host's share of the time at 256 trees, and the bytes of the arena against dense caches
5  prefill and decode round of Llama-3.1-8B, compiled for v5e:4x4 and v6e:4x4 (needs the extra `tpu`)
6  on a GPU, the share of its bandwidth and of its matmul peak

Ratios come from one run, whose sides take turns in alternating order; figures are medians. On a busy machine they mean
nothing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Any

from itool_jax.errors import UserError
from itool_jax.progress import note
from search_figures.engines import libraries, unshared
from search_figures.gpu import on_gpu
from search_figures.host import host_share
from search_figures.tpu import compiled
from search_figures.whole_search import Recorded, recorded, tool_world_task, whole_search
from search_figures.workload import weights
from side_by_side import report_figures

CASES = ("A", "A2048", "SmolLM2")


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", action="append", choices=CASES, help="of figures 1 and 2 (SmolLM2 only of 1)")
    parser.add_argument("--examples", type=int, default=96, help="trees that figure 3 grows")
    parser.add_argument("--trees", type=int, default=16, help="trees at once of figure 3")
    parser.add_argument("--threads", type=int, default=2, help="of the reference's control flow in figure 3")
    parser.add_argument("--tpu-trees", type=int, default=32, help="trees at once of figure 5")
    parser.add_argument("--transformers-python", default="", help="an interpreter with transformers; this one if empty")
    parser.add_argument("--tunix-python", default="", help="an interpreter with google-tunix; without it Tunix waits")
    return report_figures(parser, arguments, 6, measured)


def measured(number: int, options: argparse.Namespace) -> dict[str, Any]:
    """One figure by its number."""
    small, repeats = options.small, options.repeats
    cases = ["tiny"] if small else options.case or list(CASES)
    say = lambda line: note(f"figure {number}: {line}")
    figures: dict[int, Callable[[], dict[str, Any]]] = {
        1: lambda: libraries(cases, repeats, options.transformers_python, options.tunix_python, say),
        2: lambda: unshared([name for name in cases if name != "SmolLM2"], repeats, say),
        3: lambda: whole_search(searched(options), repeats, say),
        4: lambda: host_share(repeats, say, small),
        5: lambda: compiled(options.tpu_trees, say),
        6: lambda: on_gpu(repeats, say, small),
    }
    return figures[number]()


def searched(options: argparse.Namespace) -> Recorded:
    """What figure 3 grows."""
    sizes = (4, 2) if options.small else (options.examples, options.trees)
    task = tool_world_task(*sizes, options.threads, options.small)
    return recorded(task, task.policy if options.small else weights(small=False))


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except UserError as error:
        sys.exit(f"bench_search: {error}")
