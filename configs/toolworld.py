"""The tool world at the size of a study: a finite set for several epochs until it is flat, then rounds on fresh data.

The warm-up and the buffer share no conversation: what the policy has memorised teaches the rounds nothing.
Modes: `toolworld.py` as it is, `toolworld.py:smoke` to see every stage once.
"""

from ml_collections import ConfigDict

from itool_jax.config import check_mode, default_config


def get_config(mode: str = "") -> ConfigDict:
    check_mode(mode, ("", "smoke"))
    config = default_config()
    config.model.checkpoint = "checkpoints/tiny_base"
    config.data.warmup_share = 0.6
    config.data.buffer_share = 0.4
    config.data.toolworld.train.update(easy=2000, medium=3000, hard=5000)
    config.data.toolworld.heldout = 1000
    config.warmup.update(learning_rate=1e-3, rows=8, eval_every=150)
    config.warmup.epochs.update(easy=1, medium=2, hard=4)
    config.round.select.share = 0.3
    config.round.search.update(samples=3, iterations=5, trees=64, answer_tokens=96, arena_tokens=768)
    config.round.prefer.update(learning_rate=1e-4, rows=8, row_tokens=512, epochs=2, sft_weight=0.2)
    config.evaluate.update(answer_tokens=128, slots=64)
    if mode == "smoke":
        config.data.toolworld.train.update(easy=64, medium=64, hard=64)
        config.data.toolworld.heldout = 16
        config.warmup.epochs.update(easy=1, medium=1, hard=1)
        config.rounds = 1
        config.round.select.limit = 8
    return config
