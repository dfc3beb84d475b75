"""What to hold the search against: other uses of the quickstart's data, each in the place of its rounds' search.

Modes: `baselines.py`, the search itself, as in configs/quickstart.py; `:sft`, further SFT on the data's answers to the
selected prompts; `:rejection`, SFT on the samples that are right; `:best_of_n`, pairs of a right and a wrong whole
answer; `:random`, the search with prompts chosen at random instead of by perplexity; `:grpo`, GRPO with the reward of
the slots. Model, data and warm-up are the same in all, and the rounds select as many prompts; those that sample draw
nine answers to each.
"""

import runpy
from pathlib import Path

from ml_collections import ConfigDict

from itool_jax.config import check_mode


def get_config(mode: str = "") -> ConfigDict:
    check_mode(mode, ("", "sft", "rejection", "best_of_n", "random", "grpo"))
    config = runpy.run_path(str(Path(__file__).with_name("quickstart.py")))["get_config"]()
    round = config.round
    if mode == "random":
        round.select.by = "random"
    if mode in ("rejection", "best_of_n", "grpo"):
        round.search.samples *= round.search.iterations
        round.search.update(iterations=1, trees=24, arena_tokens=1024)
    if mode in ("sft", "rejection"):
        round.pairs.mode = "truth" if mode == "sft" else "right"
        # the warm-up's rate; and no anchors: the answers are what is trained on
        round.prefer.update(loss="sft", learning_rate=config.warmup.learning_rate, anchor_weight=0.0)
    if mode == "best_of_n":
        round.pairs.mode = "answers"
    if mode == "grpo":
        round.pairs.mode, round.prefer.loss = "group", "grpo"
        round.prefer.update(rows=2, row_tokens=1024)  # nine whole answers to a prompt are longer than its pairs
    return config
