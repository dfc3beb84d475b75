"""Figure 4: what a SimPO step sets aside while it computes, with logits in chunks and with whole logits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from itool_jax.models.config import DecoderConfig
from itool_jax.models.policy import init_policy
from itool_jax.training.objectives import preference
from training_figures.ours import SIMPO, Training, forest_batch, simpo_of_whole_logits
from training_figures.workload import Pairs

TARGET = 0.25  # of the bytes with whole logits, at most
VOCABULARY, ROWS, ROW_TOKENS = 128_256, 4, 2048


def temporaries(shape: DecoderConfig, small: bool) -> dict[str, Any]:
    """XLA's temporaries of the compiled steps, in bytes; neither runs. A test has it that they are one step."""
    rows, tokens, vocabulary = (2, 64, 512) if small else (ROWS, ROW_TOKENS, VOCABULARY)
    work = Pairs(prompt=tokens // 4, trees=rows, pairs=tokens // 32, fragment=12)
    assert work.row_tokens == tokens, (work.row_tokens, tokens)
    policy = init_policy(replace(shape, vocab_size=vocabulary), seed=0)
    batch = forest_batch(work.groups(vocabulary), tokens)
    objectives = {"itool_jax": preference("simpo", **SIMPO), "whole logits": simpo_of_whole_logits}
    steps = {name: Training(policy, objective, [batch]) for name, objective in objectives.items()}
    bytes_of = {name: step.temporaries() for name, step in steps.items()}
    return {
        "temporaries": bytes_of,
        "ratio": bytes_of["itool_jax"] / bytes_of["whole logits"],
        "target": TARGET,
        "sizes": work.sizes() | {"rows": rows, "row_tokens": tokens, "vocabulary": vocabulary},
        "logits": int(np.prod([rows, tokens, vocabulary, 4], dtype=np.int64)),
    }
