"""The warm-up: easy-to-hard SFT, the three subsets one after another."""

from __future__ import annotations

import statistics

import numpy as np

from itool_jax.data.corpus import Chains, Corpus
from itool_jax.data.difficulty import DIFFICULTIES, Difficulty
from itool_jax.errors import UserError
from itool_jax.models.policy import Policy
from itool_jax.parallel.mesh import batch_divisor, row_share
from itool_jax.progress import note, progress
from itool_jax.rounds.evaluate import quick_scores
from itool_jax.rounds.requirements import require_warmup
from itool_jax.rounds.run_directory import RunDirectory
from itool_jax.rounds.session import Session
from itool_jax.rounds.settings import fit_config, rows_per_step
from itool_jax.rounds.stage import Stage, StageResult
from itool_jax.training.dataset import SftRows, batched
from itool_jax.training.fit import fit
from itool_jax.training.objectives import sft


def command(run: RunDirectory) -> None:
    session = Session(run)
    require_warmup(session)
    warmup(session)


def warmup(session: Session) -> StageResult:
    """Does the stages warmup/easy, warmup/medium and warmup/hard; each starts from the one before."""
    digest, before = session.model.digests["model"], None
    result = None
    for level in DIFFICULTIES:
        result = _warm_up_on(session, level, before, digest)
        digest, before = result.digests["checkpoint"], result
    assert result is not None
    return result


def _warm_up_on(session: Session, level: Difficulty, before: StageResult | None, digest: str) -> StageResult:
    def body(stage: Stage):
        policy = session.load(before.paths["checkpoint"]) if before else session.base
        examples = session.training.warmup.of_level(level)
        policy, counts = train_on(session, stage, policy, examples, session.config.warmup.epochs[level])
        session.save(stage.output("checkpoint"), policy)
        return counts

    return session.run.stage(
        f"warmup/{level}",
        inputs={"policy": digest, "data": session.data_digest},
        outputs={"checkpoint": f"warmup/{level}/checkpoint"},
        body=body,
    )


def train_on(
    session: Session, stage: Stage, policy: Policy, examples: Corpus, epochs: int
) -> tuple[Policy, dict[str, int]]:
    """SFT on the examples' answers; returns the policy, and counts of what was trained on and left out."""
    cfg = session.config.warmup
    fitting = examples.where(examples.lengths <= cfg.row_tokens)
    too_long = len(examples) - len(fitting)
    counts = {"examples": len(fitting), "too_long": too_long, "steps": 0}
    if too_long and not fitting:
        raise UserError(
            f"{stage.name}: all {too_long} examples are longer than config.warmup.row_tokens = {cfg.row_tokens}; "
            f"the shortest has {examples.lengths.min()} tokens."
        )
    if not fitting or not epochs:
        note(f"{stage.name}: nothing to train on ({len(fitting)} examples, {epochs} epochs)")
        return policy, counts
    rows = SftRows(Chains(fitting), cfg.row_tokens, fitting.parts)
    per_step = rows_per_step(cfg, batch_divisor(session.mesh), "warmup.rows")
    batches = batched(
        rows,
        epochs=epochs,
        rows_per_step=per_step,
        accumulate=cfg.accumulate,
        seed=session.config.seed,
        process=row_share(session.mesh),
    )
    counts |= {"rows": len(rows), "steps": len(batches), "tokens": epochs * int(fitting.lengths.sum(dtype=np.int64))}
    with progress(f"SFT {stage.name}", len(batches), "steps", cost=f"{len(fitting)} examples, {epochs} epochs") as bar:

        def on_step(step: int, metrics: dict[str, float]) -> None:
            session.run.metrics.write(step, stage.name, metrics)
            bar.advance(step - bar.done, loss=metrics["loss"])

        def on_eval(step: int, policy: Policy) -> float:
            scores = quick_scores(session, policy)
            session.run.metrics.write(step, f"{stage.name}/heldout", scores)
            return statistics.fmean(scores.values())

        policy = fit(
            policy,
            sft,
            batches,
            fit_config(cfg, session.config.model, len(batches), cfg.eval_every),
            session.mesh,
            stage.kept,
            on_step,
            on_eval,
            session.run.metrics.flush,
        )
    return policy, counts
