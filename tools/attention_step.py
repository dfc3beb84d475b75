"""A training step of the 15M model with attention in blocks and over all scores: seconds, and what XLA sets aside.

    python tools/attention_step.py [--small] [--repeats 5]

SimPO on the forests of docs/performance.md, workloads B and B2048, and SFT on one row of so many tokens with one
conversation. The sides take turns, forwards and backwards; medians. On a busy machine they mean nothing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from itool_jax.forest import chain
from itool_jax.models.decoder import Decoder
from itool_jax.models.policy import Policy
from itool_jax.training.objectives import ObjectiveFn, preference, sft
from search_figures.workload import weights
from side_by_side import alternate
from training_figures.ours import SIMPO, Training, forest_batch, packed_batches
from training_figures.workload import CASES, SMALL

WAYS = ("blockwise", "dense")
CHAINS = (1024, 4096)
MB = 10**6


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="a tiny model and short rows, to see that all works")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args(arguments)
    policy = weights(options.small)
    for name, objective, batch in batches(policy.config.vocab_size, options.small):
        steps = {how: Training(reading(policy, how), objective, [batch]) for how in WAYS}
        first = {how: step.run()["loss"] for how, step in steps.items()}
        assert abs(first["blockwise"] - first["dense"]) < 1e-4 * abs(first["dense"]), first
        aside = {how: step.temporaries() for how, step in steps.items()}
        taken = alternate({how: step.seconds for how, step in steps.items()}, options.repeats, lambda told: None)
        seconds = {how: taken[how]["median"] for how in WAYS}
        told = "; ".join(f"{how} {seconds[how]:.2f} s, {aside[how] / MB:,.0f} MB aside" for how in WAYS)
        print(f"{name}: {told}: {seconds['dense'] / seconds['blockwise']:.2f} x as fast in blocks", flush=True)


def reading(policy: Policy, how: str) -> Policy:
    """The same policy with another attention."""
    return policy.replace(decoder=Decoder(replace(policy.config, attention=how), None))  # pyright: ignore


def batches(vocabulary: int, small: bool) -> Iterator[tuple[str, ObjectiveFn, Any]]:
    """Name, objective and batch of every case."""
    for name, work in ({"small": SMALL} if small else CASES).items():
        batch = forest_batch(work.groups(vocabulary), work.row_tokens)
        yield f"SimPO on {name}, {work.trees} rows of {work.row_tokens} tokens", preference("simpo", **SIMPO), batch
    rng = np.random.default_rng(0)
    for length in (64,) if small else CHAINS:
        tokens = rng.integers(1, vocabulary, length).tolist()
        row = chain(tokens[: -length // 16], tokens[-length // 16 :])
        (batch,) = packed_batches([row], length, 1, 1)
        yield f"SFT on a row of {length} tokens", sft, batch


if __name__ == "__main__":
    main(sys.argv[1:])
