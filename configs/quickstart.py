"""The main job on two CPU cores: the tool world, a decoder of a million parameters from nothing, two rounds.

Modes: `quickstart.py` as it is, `quickstart.py:smoke` to see every stage once in about a minute.
"""

from ml_collections import ConfigDict

from itool_jax.config import check_mode, default_config


def get_config(mode: str = "") -> ConfigDict:
    check_mode(mode, ("", "smoke"))
    config = default_config()
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
