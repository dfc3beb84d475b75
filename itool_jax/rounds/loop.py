"""The whole loop: warm-up, then rounds of score, select, search and preference training, each step evaluated."""

from __future__ import annotations

from itool_jax.config import round_config, round_name
from itool_jax.rounds import evaluate, prefer, report, score, search, warmup
from itool_jax.rounds.chain import BASE, WARMUP
from itool_jax.rounds.requirements import require_rounds
from itool_jax.rounds.run_directory import RunDirectory
from itool_jax.rounds.session import Session
from itool_jax.rounds.settings import searches


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
