"""The preference step of a round: training on the pairs of its search and on anchors, or on pairs of a user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from etils import epath

from itool_jax.config import NOT_OF_PAIRS, round_config, round_key, round_name
from itool_jax.data.prepared import Prepared
from itool_jax.errors import UserError
from itool_jax.models.policy import Policy
from itool_jax.parallel.mesh import batch_divisor, row_share
from itool_jax.progress import note, progress
from itool_jax.rounds.chain import OWN_PAIRS, policy_before, policy_stage
from itool_jax.rounds.next_round import next_round
from itool_jax.rounds.pair_files import read_pairs
from itool_jax.rounds.requirements import require_preference
from itool_jax.rounds.run_directory import RunDirectory, digest_file
from itool_jax.rounds.score import selected_examples, selection
from itool_jax.rounds.session import Session, policy_digest
from itool_jax.rounds.settings import fit_config, preference_objective, rows_per_step, searches
from itool_jax.rounds.stage import Stage, StageResult
from itool_jax.rounds.user_pairs import read_user_pairs
from itool_jax.training.dataset import batched
from itool_jax.training.fit import fit
from itool_jax.training.preference_data import PairGroup, PreferenceRows, TokenPreference, fitting_rows, with_reference
from itool_jax.training.utilization import is_of_the_machine


def command(run: RunDirectory, round: int | None, pairs: str | None, start: str | None) -> None:
    session = Session(run)
    if pairs:
        require_preference(session, 0)
        prefer_own(session, epath.Path(pairs), start or session.newest)
    elif start:
        raise UserError("--start goes with --pairs=FILE: a round starts from the policy of the round before.")
    else:
        index = next_round(session, "prefer") if round is None else round
        require_preference(session, index)
        prefer(session, index)


def prefer(session: Session, index: int) -> StageResult:
    """The stage round_NNN/prefer: the policy after training on the round's pairs, and on anchors where they weigh."""
    name, before, cfg = round_name(index), policy_before(index), round_config(session.config, index)
    inputs = {
        "policy": policy_digest(session.trained(before)),
        "selected": selection(session, index).digests["selected"],
        "data": session.data_digest,
    }
    found = _searched(session, name, inputs["selected"]) if searches(cfg) else None
    if found:
        inputs["pairs"] = found.digests["pairs"]

    def body(stage: Stage):
        examples = selected_examples(session, index)
        groups = read_pairs(found.paths["pairs"], {p.id: p.prompt for p in examples}) if found else truths(examples)
        if cfg.prefer.anchor_weight:
            groups = anchored(groups, examples)
        policy, counts = train_on_pairs(session, stage, index, session.policy(before), groups)
        session.save(stage.output("checkpoint"), policy)
        return counts

    return session.run.stage(policy_stage(name), inputs=inputs, outputs={"checkpoint": f"{name}/checkpoint"}, body=body)


def _searched(session: Session, name: str, selected: str) -> StageResult:
    """The search of a round; raises UserError where there is none of what is selected now."""
    found = session.current(f"{name}/search")
    if found is None:
        raise UserError(f"{name} has no pairs yet: do `itool-jax search` first, or bring your own with --pairs=FILE.")
    if session.run.stages[f"{name}/search"].inputs["selected"] != selected:
        raise UserError(f"the pairs of {name} are of an older selection: do `itool-jax search` again first.")
    return found


def truths(selected: Sequence[Prepared]) -> list[PairGroup]:
    """Every selected prompt with its ground-truth answer, for SFT."""
    return [PairGroup(p.id, p.prompt, (TokenPreference((), (p.answer,), (0,)),)) for p in selected]


def anchored(groups: Sequence[PairGroup], selected: Sequence[Prepared]) -> list[PairGroup]:
    """Every selected prompt with its ground-truth answer as anchor, and with its pairs if it has any."""
    pairs = {group.id: group.pairs for group in groups}
    return [PairGroup(p.id, p.prompt, pairs.get(p.id, ()), p.answer) for p in selected]


def prefer_own(session: Session, path: epath.Path, start: str) -> StageResult:
    """The stage own_pairs/prefer: the policy `start` after training on a user's pairs, as the first round would."""
    loss = round_config(session.config, 0).prefer.loss
    if loss in NOT_OF_PAIRS:
        raise UserError(
            f"{path} holds pairs, but config.round.prefer.loss is {loss!r}, which is not of pairs: name one that is, "
            "such as 'simpo'."
        )
    digest = digest_file(path)

    def body(stage: Stage):
        groups, too_long = read_user_pairs(session.dialect, path, session.base.config.context)
        if round_config(session.config, 0).prefer.anchor_weight:
            note("a user's pairs name no ground truth: config.round.prefer.anchor_weight is not used")
        policy, counts = train_on_pairs(session, stage, 0, session.policy(start), groups)
        session.save(stage.output("checkpoint"), policy)
        return {**counts, "start": start, "longer_than_context": too_long}

    return session.run.stage(
        policy_stage(OWN_PAIRS),
        inputs={"policy": policy_digest(session.trained(start)), "pairs": digest},
        outputs={"checkpoint": f"{OWN_PAIRS}/checkpoint"},
        body=body,
    )


def train_on_pairs(
    session: Session, stage: Stage, index: int, policy: Policy, groups: Sequence[PairGroup]
) -> tuple[Policy, Mapping[str, Any]]:
    """Preference training; the starting policy is the reference, asked where the pairs do not bring its log-probs.

    Counts what was used and what did not fit a row.
    """
    cfg = round_config(session.config, index).prefer
    fitting = fitting_rows(groups, cfg.row_tokens)
    offered, counts = _count(groups), _count(fitting)
    counts |= {f"{name}_too_long": offered[name] - counts[name] for name in ("pairs", "anchors")}
    counts |= {"gradient_tokens": cfg.epochs * _completion_tokens(fitting), "steps": 0}
    if groups and not fitting:
        raise UserError(
            f"{stage.name}: no tree of pairs or anchors fits config.round.prefer.row_tokens = {cfg.row_tokens}; the "
            f"smallest has {min(len(group.tree()) for group in groups)} tokens."
        )
    if not fitting:
        note(f"{stage.name}: the search gave no pairs, so the policy stays as it is")
        return policy, counts
    if not counts["pairs"]:
        note(f"{stage.name}: the search gave no pairs, so this is SFT on {counts['anchors']} anchors alone")
    if any(pair.reference is None for group in fitting for pair in group.pairs):
        fitting = with_reference(policy, fitting, cfg.row_tokens, cfg.rows)
    rows = PreferenceRows(fitting, cfg.row_tokens)
    key = round_key(session.config, index, "prefer.rows")
    per_step = rows_per_step(cfg, batch_divisor(session.mesh), key)
    seed = session.config.seed + 1000 * (index + 1)
    batches = batched(
        rows,
        epochs=cfg.epochs,
        rows_per_step=per_step,
        accumulate=cfg.accumulate,
        seed=seed,
        process=row_share(session.mesh),
    )
    counts |= {"rows": len(rows), "steps": len(batches)}
    last: dict[str, float] = {}
    cost = f"{counts['pairs']} pairs, {counts['anchors']} anchors"
    with progress(f"{cfg.loss} {stage.name}", len(batches), "steps", cost=cost) as bar:

        def on_step(step: int, metrics: dict[str, float]) -> None:
            session.run.metrics.write(step, stage.name, metrics)
            last.update({name: value for name, value in metrics.items() if not is_of_the_machine(name)})
            shown = {name: metrics[name] for name in ("loss", "accuracy") if name in metrics}
            bar.advance(step - bar.done, **shown)

        how = fit_config(cfg, session.config.model, len(batches))
        policy = fit(
            policy,
            preference_objective(cfg),
            batches,
            how,
            session.mesh,
            stage.kept,
            on_step,
            on_save=session.run.metrics.flush,
        )
    return policy, counts | {f"last_{name}": value for name, value in last.items()}


def _count(groups: Sequence[PairGroup]) -> dict[str, int]:
    return {
        "prompts": len(groups),
        "pairs": sum(len(group.pairs) for group in groups),
        "anchors": sum(bool(group.anchor) for group in groups),
    }


def _completion_tokens(groups: Sequence[PairGroup]) -> int:
    """Tokens of all sides of pairs and lists and of all anchors: what one epoch takes gradients of."""
    sides = sum(sum(map(len, pair.sides)) for group in groups for pair in group.pairs)
    return sides + sum(len(group.anchor) for group in groups)
