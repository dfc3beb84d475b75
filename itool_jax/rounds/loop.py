"""The whole loop: warm-up, then rounds of score, select, search and preference training, each step evaluated."""

from __future__ import annotations

from itool_jax.config import round_name
from itool_jax.rounds import evaluate, prefer, report, score, search, warmup
from itool_jax.rounds.run_directory import RunDirectory
from itool_jax.rounds.session import Session


def command(run: RunDirectory) -> None:
    session = Session(run)
    evaluate.evaluate(session, evaluate.BASE)
    warmup.warmup(session)
    evaluate.evaluate(session, evaluate.WARMUP)
    for index in range(run.config.rounds):
        score.score(session, index)
        search.search(session, index)
        prefer.prefer(session, index)
        evaluate.evaluate(session, round_name(index))
    report.write(run)
