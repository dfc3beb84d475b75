"""Which round a command means that does not say: the first that lacks the stage."""

from __future__ import annotations

from itool_jax.config import round_name
from itool_jax.errors import UserError
from itool_jax.rounds.session import Session


def next_round(session: Session, stage: str) -> int:
    """Index of the first round whose `stage` is not complete; raises UserError where all rounds have it."""
    for index in range(session.config.rounds):
        if session.current(f"{round_name(index)}/{stage}") is None:
            return index
    raise UserError(
        f"all {session.config.rounds} rounds of this run have their {stage}: name one with --round, "
        f"and add --redo=round_NNN/{stage} to do it again."
    )
