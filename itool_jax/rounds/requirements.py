"""What stages ask of the devices and of the Python path: looked at before one begins or a layout is recorded."""

from __future__ import annotations

from itool_jax.config import round_config, round_key
from itool_jax.parallel.mesh import batch_divisor
from itool_jax.rounds.session import Session
from itool_jax.rounds.settings import reward_function, rows_per_step, searches


def require_rounds(session: Session) -> None:
    """Raises UserError where a stage's rows or trees do not divide over the devices, or a reward cannot be imported.

    Better now than hours later.
    """
    require_warmup(session)
    require_evaluation(session)
    for index in range(session.config.rounds):
        require_preference(session, index)
        require_search(session, index)


def require_warmup(session: Session) -> None:
    rows_per_step(session.config.warmup, batch_divisor(session.mesh), "warmup.rows")
    if session.config.warmup.eval_every:
        require_evaluation(session)


def require_evaluation(session: Session) -> None:
    session.own_trees(session.config.evaluate.slots, "evaluate.slots")


def require_scoring(session: Session) -> None:
    """Rows of a score are made to divide, so all it needs is that there is such a mesh."""
    batch_divisor(session.mesh)


def require_search(session: Session, index: int) -> None:
    cfg = round_config(session.config, index)
    if searches(cfg):
        session.own_trees(cfg.search.trees, round_key(session.config, index, "search.trees"), cfg.search.cohorts)
        reward_function(cfg.search)


def require_preference(session: Session, index: int) -> None:
    cfg, key = round_config(session.config, index).prefer, round_key(session.config, index, "prefer.rows")
    rows_per_step(cfg, batch_divisor(session.mesh), key)
