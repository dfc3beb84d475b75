"""The main job on two CPU cores in about ten minutes: the tool world, a decoder of a million parameters, two rounds.

It starts from checkpoints/tiny_base, which tools/make_tiny_base.py made from a stream of another seed. The warm-up and
the buffer share no conversation: what the policy has memorised teaches the rounds nothing.
Modes: `quickstart.py` as it is, `quickstart.py:smoke` to see every stage once in about a minute.
"""

from ml_collections import ConfigDict

from itool_jax.config import check_mode, default_config


def get_config(mode: str = "") -> ConfigDict:
    check_mode(mode, ("", "smoke"))
    config = default_config()
    config.model.checkpoint = "checkpoints/tiny_base"
    config.data.warmup_share, config.data.buffer_share = 0.6, 0.4
    config.data.toolworld.train.update(easy=500, medium=1000, hard=2000)
    config.data.toolworld.heldout = 250
    config.warmup.update(learning_rate=1e-3, rows=8)
    config.warmup.epochs.update(easy=1, medium=1, hard=3)
    config.round.search.update(trees=64, answer_tokens=96, arena_tokens=768)
    config.round.prefer.update(learning_rate=1e-4, rows=8, row_tokens=512, sft_weight=0.2)
    config.evaluate.update(answer_tokens=128, slots=64)
    if mode == "smoke":
        config.data.toolworld.train.update(easy=64, medium=64, hard=64)
        config.data.toolworld.heldout = 16
        config.warmup.epochs.update(easy=1, medium=1, hard=1)
        config.rounds = 1
        config.round.select.limit = 8
        config.round.search.update(trees=8, iterations=2)
        config.round.prefer.update(rows=4, epochs=1)
        config.round.pairs.ground_truth_stand_in = True  # a model that has seen so little is seldom right by itself
    return config
