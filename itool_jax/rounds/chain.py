"""Which policy comes from which: the names of a run's policies, and the stage that each stage starts from."""

from __future__ import annotations

from itool_jax.config import round_name
from itool_jax.data.difficulty import DIFFICULTIES

MODEL, DATA, BASE, WARMUP, OWN_PAIRS = "model", "data", "base", "warmup", "own_pairs"
WARMUP_STAGES = tuple(f"warmup/{level}" for level in DIFFICULTIES)


def policy_stage(name: str) -> str:
    """The stage that makes the policy of this name: base, warmup, round_NNN or own_pairs."""
    return {BASE: MODEL, WARMUP: WARMUP_STAGES[-1]}.get(name, f"{name}/prefer")


def policy_before(index: int) -> str:
    """Name of the policy that round `index` starts from."""
    return round_name(index - 1) if index else WARMUP


def start_of(stage: str) -> str:
    """The stage whose policy a stage of the warm-up or of a round starts from."""
    if stage in WARMUP_STAGES:
        return (MODEL, *WARMUP_STAGES)[WARMUP_STAGES.index(stage)]
    return policy_stage(policy_before(int(stage.partition("/")[0].removeprefix("round_"))))
