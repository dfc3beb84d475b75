"""The whole loop: warm-up, then rounds of score, select, search and preference training, each step evaluated."""

from __future__ import annotations

from itool_jax.config import round_config, round_name
from itool_jax.parallel.mesh import batch_divisor
from itool_jax.rounds import evaluate, prefer, report, score, search, warmup
from itool_jax.rounds.chain import BASE, WARMUP
from itool_jax.rounds.run_directory import RunDirectory
from itool_jax.rounds.session import Session
from itool_jax.rounds.settings import reward_function, rows_per_step, searches


def require_rounds(session: Session) -> None:
    """Raises UserError where a stage's rows or trees do not divide over the devices, or a reward cannot be imported.

    Better now than hours later.
    """
    divisor = batch_divisor(session.mesh)
    rows_per_step(session.config.warmup, divisor, "warmup")
    session.own_trees(session.config.evaluate.slots)
    for index in range(session.config.rounds):
        cfg = round_config(session.config, index)
        rows_per_step(cfg.prefer, divisor, "round.prefer")
        if searches(cfg):
            session.own_trees(cfg.search.trees, cfg.search.cohorts)
            reward_function(cfg.search)


def command(run: RunDirectory) -> None:
    session = Session(run)
    require_rounds(session)
    evaluate.evaluate(session, BASE)
    warmup.warmup(session)
    evaluate.evaluate(session, WARMUP)
    for index in range(run.config.rounds):
        score.score(session, index)
        if searches(round_config(session.config, index)):
            search.search(session, index)
        prefer.prefer(session, index)
        evaluate.evaluate(session, round_name(index))
    report.write(run)
