"""The main job on two CPU cores: the tool world, a decoder of a million parameters, two rounds.

It starts from checkpoints/tiny_base, which tools/make_tiny_base.py made from a stream of another seed. The warm-up and
the buffer share no conversation: what the policy has memorised teaches the rounds nothing.
Modes: `quickstart.py` as it is, sized to end within twelve minutes; `quickstart.py:study` and `:new_tools`, the sizes
at which tools/study_gain.py measures what the rounds gain, on tools that the base model knows and on tools that are new
to it; `quickstart.py:smoke` to see every stage once, on little data.
"""

from ml_collections import ConfigDict

from itool_jax.config import check_mode, default_config


def get_config(mode: str = "") -> ConfigDict:
    check_mode(mode, ("", "study", "new_tools", "smoke"))
    config = default_config()
    config.model.update(preset="tiny", checkpoint="checkpoints/tiny_base")
    config.data.warmup_share, config.data.buffer_share = 0.6, 0.4
    config.data.toolworld.train.update(easy=400, medium=800, hard=2800)
    config.data.toolworld.heldout = 400
    config.warmup.update(learning_rate=3e-4, rows=8)
    config.warmup.epochs.update(easy=1, medium=1, hard=3)
    config.round.select.share = 0.5
    config.round.search.update(iterations=3, trees=64, answer_tokens=96, arena_tokens=768)
    config.round.prefer.update(learning_rate=1e-4, rows=4, row_tokens=512, epochs=1, anchor_weight=1.0)
    config.evaluate.update(answer_tokens=128, slots=64)
    if mode in ("study", "new_tools"):
        config.data.toolworld.train.update(easy=800, medium=1600, hard=5600)
        config.data.toolworld.heldout = 2000
        config.evaluate.sets = ("hard",)
        config.warmup.update(eval_every=150, eval_limit=500)
    if mode == "new_tools":
        config.data.toolworld.tools = "unseen"
        config.data.warmup_share, config.data.buffer_share = 0.5, 0.5
        config.round.select.share = 1.0
        config.warmup.learning_rate = 1e-3
        config.warmup.epochs.hard = 6
        config.round.prefer.update(learning_rate=3e-4, rows=8, epochs=2)
    if mode == "smoke":
        config.data.toolworld.train.update(easy=64, medium=64, hard=64)
        config.data.toolworld.heldout = 16
        config.warmup.epochs.update(easy=1, medium=1, hard=1)
        config.rounds = 1
        config.round.select.limit = 8
        config.round.search.update(trees=8, iterations=2)
        config.round.pairs.ground_truth_stand_in = True  # a model that has seen so little is seldom right by itself
    return config
