"""The figures of training (docs/performance.md says what they mean): all five, or those that are named.

    python tools/bench_training.py [--figure N ...] [--json FILE] [--case B ...] [--repeats 5]
        [--trl-python PATH] [--tunix-python PATH] [--seal-tools FOLDER --tokenizer FOLDER]

1  pairs per second of a preference step on forest rows, against separate rows of a prompt with a side
2  the same against TRL's CPOTrainer and DPOTrainer and Tunix's DPOTrainer, each in an environment of its own
3  tokens per second of SFT on packed rows of real conversations, against TRL's SFTTrainer with its packing
4  memory of a SimPO step with logits in chunks, against whole logits
5  on a GPU, tokens per second and the share of its matmul peak

Ratios come from one run, whose sides take turns in alternating order; figures are medians. On a busy machine they mean
nothing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from itool_jax.errors import UserError
from itool_jax.models.config import DecoderConfig
from itool_jax.models.loading import load
from itool_jax.models.policy import init_policy
from itool_jax.progress import note
from search_figures.workload import LLAMA_15M, LLAMA_TINY
from side_by_side import report_figures
from training_figures.gpu import on_gpu
from training_figures.memory import temporaries
from training_figures.steps import against_frameworks, against_separate_rows, sft_against_trl
from training_figures.workload import CASES, SMALL, conversations, random_conversations

SFT_CASES = {"15M": (2048, 6), "SmolLM2": (1024, 2)}  # tokens of a row, and rows that are timed


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", action="append", choices=(*CASES, *SFT_CASES), help="of figures 1 to 3")
    parser.add_argument("--trl-python", default="", help="an interpreter with trl==1.16; without it TRL waits")
    parser.add_argument("--tunix-python", default="", help="an interpreter with google-tunix; without it Tunix waits")
    parser.add_argument("--seal-tools", type=Path, help="a file or folder of Seal-Tools, for figure 3")
    parser.add_argument("--tokenizer", type=Path, help="a Hugging Face folder with the tokenizer that cuts it")
    return report_figures(parser, arguments, 5, measured)


def measured(number: int, options: argparse.Namespace) -> dict[str, Any]:
    """One figure by its number."""
    small, repeats = options.small, options.repeats
    shape = LLAMA_TINY if small else LLAMA_15M
    policy = init_policy(shape, seed=0)
    works = {"tiny": SMALL} if small else {name: CASES[name] for name in options.case or CASES if name in CASES}
    pythons = {"trl": options.trl_python, "tunix": options.tunix_python}
    say = lambda line: note(f"figure {number}: {line}")
    figures: dict[int, Callable[[], dict[str, Any]]] = {
        1: lambda: {name: against_separate_rows(name, policy, work, repeats, say) for name, work in works.items()},
        2: lambda: {
            name: against_frameworks(name, policy, work, pythons, repeats, say) for name, work in works.items()
        },
        3: lambda: packed_sft(options, shape, say),
        4: lambda: temporaries(shape, small),
        5: lambda: on_gpu(repeats, say, small),
    }
    return figures[number]()


def packed_sft(options: argparse.Namespace, shape: DecoderConfig, say: Callable[[str], None]) -> dict[str, Any]:
    """Figure 3 for its cases."""
    if options.small:
        policy, trees = init_policy(shape, seed=0), random_conversations(40, 24, 8, shape.vocab_size)
        return {"tiny": sft_against_trl("tiny", policy, trees, 64, 2, options.trl_python, options.repeats, say)}
    if not (options.seal_tools and options.tokenizer):
        return {"left_out": "left out: --seal-tools and --tokenizer name no data"}
    found = {}
    for name in options.case or SFT_CASES:
        if name not in SFT_CASES:
            continue
        row_tokens, steps = SFT_CASES[name]
        policy = load("smollm2_135m").policy if name == "SmolLM2" else init_policy(shape, seed=0)
        repeats = min(options.repeats, 3) if name == "SmolLM2" else options.repeats
        trees = conversations(options.seal_tools, options.tokenizer, policy.config.vocab_size, row_tokens)
        say(f"{name}: {len(trees)} conversations")
        found[name] = sft_against_trl(name, policy, trees, row_tokens, steps, options.trl_python, repeats, say)
    return found


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except UserError as error:
        sys.exit(f"bench_training: {error}")
