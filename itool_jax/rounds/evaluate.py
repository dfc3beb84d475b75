"""Evaluation of a policy of the run on the held-out sets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from rich.console import Console

from itool_jax.data.prepared import Prepared
from itool_jax.errors import UserError
from itool_jax.evaluation import report
from itool_jax.evaluation.benchmarks import benchmark_names
from itool_jax.evaluation.exact_match import Graded, grade, summarize
from itool_jax.evaluation.generate import greedy_answers
from itool_jax.evaluation.records import write_evaluation
from itool_jax.models.policy import Policy
from itool_jax.progress import progress
from itool_jax.rounds.benchmarks import evaluate_benchmarks
from itool_jax.rounds.chain import BASE, policy_stage
from itool_jax.rounds.requirements import require_evaluation
from itool_jax.rounds.run_directory import RunDirectory
from itool_jax.rounds.session import Session, policy_digest
from itool_jax.rounds.stage import Stage, StageResult
from itool_jax.sampling.sampler import Sample


def command(run: RunDirectory, checkpoint: str | None, benchmark: Sequence[str], limit: int | None) -> None:
    if limit is not None and not benchmark:
        raise UserError("--limit goes with --benchmark; config.evaluate.limit is the limit of the held-out sets.")
    benchmark_names(benchmark)
    session = Session(run)
    if checkpoint is not None:
        session.check_name("--checkpoint", checkpoint)
    require_evaluation(session)
    for name in session.policy_names:
        if name == checkpoint or (checkpoint is None and (name == BASE or session.current(policy_stage(name)))):
            if benchmark:
                evaluate_benchmarks(session, name, benchmark, run.config.evaluate.limit if limit is None else limit)
            else:
                evaluate(session, name)
    if benchmark:
        report.show(report.collect(run.path), Console())


def evaluate(session: Session, name: str) -> StageResult:
    """The stage NAME/eval: answers of every held-out set, and a summary, of the base, the warm-up or a round.

    The config's benchmarks are stages of their own, done before it.
    """
    cfg = session.config.evaluate
    evaluate_benchmarks(session, name, cfg.benchmarks, cfg.limit)

    def body(stage: Stage):
        policy = session.policy(name)
        skipped = {set_name: len(too_long) for set_name, (_, too_long) in session.heldout.items()}
        summaries = write_evaluation(stage.output("eval"), answer_sets(session, policy, name), skipped)
        return {set_name: summary.exact_match for set_name, summary in summaries.items()}

    return session.run.stage(
        f"{name}/eval",
        inputs={"policy": policy_digest(session.trained(name)), "heldout": session.heldout_digest},
        outputs={"eval": f"{name}/eval"},
        body=body,
    )


def answer_sets(session: Session, policy: Policy, title: str) -> Mapping[str, list[Graded]]:
    """Greedy answers of the policy on every held-out set, graded; all sets share the batches."""
    total = sum(len(examples) for examples, _ in session.heldout.values())
    with progress(f"Evaluating {title}", total, "answers") as bar:
        return _answer(session, policy, on_done=lambda *_: bar.advance(1))


def quick_scores(session: Session, policy: Policy) -> dict[str, float]:
    """Exact match of every held-out set, for a curve; on its first `config.warmup.eval_limit` examples."""
    graded = _answer(session, policy, session.config.warmup.eval_limit)  # within the training's bar, so without its own
    return {name: summarize(rows).exact_match or 0.0 for name, rows in graded.items()}


def _answer(
    session: Session,
    policy: Policy,
    limit: int = 0,
    on_done: Callable[[Prepared, Sample], None] = lambda _prepared, _sample: None,
) -> dict[str, list[Graded]]:
    cfg = session.config.evaluate
    everything = [(name, p) for name, (examples, _) in session.heldout.items() for p in examples[: limit or None]]
    if not everything:
        raise UserError("the held-out sets hold no example that fits the model: check config.data and config.evaluate.")
    examples = [p for _, p in everything]
    sampler = session.sampler(
        policy,
        examples,
        cfg.slots,
        "evaluate.slots",
        branches=1,
        arena_tokens=cfg.answer_tokens,
        seed=session.config.seed,
    )
    samples = greedy_answers(sampler, examples, cfg.answer_tokens, on_done=on_done)
    graded: dict[str, list[Graded]] = {name: [] for name in session.heldout}
    for (name, prepared), sample in zip(everything, samples, strict=True):
        graded[name].append(grade(prepared.example, session.dialect.text(sample.tokens), finished=sample.end == "stop"))
    return graded
