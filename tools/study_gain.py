"""What the search buys: rounds of search against further SFT, over several seeds.

    python tools/study_gain.py --config=FILE --workdir=DIR [--seeds=0,1,2] [--config.a.b=value ...]

For every seed the whole loop runs in DIR/seed_N; configs/quickstart.py:study and :new_tools are meant for it. Beside
the rounds stands a chain of controls, from the warm-up too: SFT on the ground truth of the prompts that each round
selected, with as many gradient tokens as its preference step had (chosen and rejected sides and anchors, over all
epochs), at the warm-up's learning rate and at a third of it. The table gives exact match in points: the warm-up's, and
the gain of rounds and controls over it, with 95 % t-intervals over seeds. A run that was stopped goes on with the same
command.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from itool_jax.config import round_name
from itool_jax.config_loading import load_config
from itool_jax.errors import UserError
from itool_jax.evaluation import read_summaries, summarize, write_evaluation
from itool_jax.forest import chain
from itool_jax.models.policy import Policy
from itool_jax.parallel.mesh import batch_divisor
from itool_jax.progress import progress
from itool_jax.rounds import loop
from itool_jax.rounds.chain import WARMUP, policy_stage
from itool_jax.rounds.evaluate import answer_sets
from itool_jax.rounds.run_directory import RunDirectory, open_run
from itool_jax.rounds.score import selected_examples
from itool_jax.rounds.session import Session, policy_digest
from itool_jax.rounds.settings import fit_config, rows_per_step
from itool_jax.rounds.stage import Stage
from itool_jax.training.dataset import SftRows, batched
from itool_jax.training.fit import fit
from itool_jax.training.objectives import sft

RATES = {"control": 1.0, "control_third_rate": 1 / 3}
# 97.5 % quantiles of Student's t by degrees of freedom.
STUDENT = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True)
    parser.add_argument("--workdir", type=Path, required=True)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    overrides = [argument for argument in arguments if argument.startswith("--config.")]
    options = parser.parse_args([argument for argument in arguments if argument not in overrides])
    seeds = [int(seed) for seed in options.seeds.split(",")]
    if len(seeds) > len(STUDENT) + 1:
        raise UserError(f"--seeds names {len(seeds)} seeds; the table of t-quantiles ends at {len(STUDENT) + 1}.")
    figures: dict[int, dict[str, dict[str, float]]] = {}
    for seed in seeds:
        config = load_config(options.config, [*overrides, f"--config.seed={seed}"])
        with open_run(options.workdir / f"seed_{seed}", config) as run:
            loop.command(run)
            session = Session(run)
            for name in RATES:
                add_control(session, name)
            figures[seed] = read_figures(run)
    show(figures)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))
    return 0


def add_control(session: Session, name: str) -> None:
    """The stages NAME/round_NNN: SFT on what round NNN selected, from the control of the round before."""
    policy: Policy | None = None
    digest = policy_digest(session.trained(WARMUP))
    for index in range(session.config.rounds):
        before = policy

        def body(stage: Stage, index: int = index, before: Policy | None = before):
            start = before if before is not None else session.policy(WARMUP)
            trained, counts = train_control(session, stage, index, start, RATES[name])
            session.save(stage.output("checkpoint"), trained)
            graded = answer_sets(session, trained, stage.name)
            write_evaluation(stage.output("eval"), graded)
            return counts | {set_name: summarize(rows).exact_match for set_name, rows in graded.items()}

        scored = session.run.result(f"{round_name(index)}/score")
        assert scored is not None
        folder = f"{name}/{round_name(index)}"
        result = session.run.stage(
            folder,
            inputs={
                "policy": digest,
                "selected": scored.digests["selected"],
                "tokens": str(gradient_tokens(session, index)),
                "heldout": session.heldout_digest,
            },
            outputs={"checkpoint": f"{folder}/checkpoint", "eval": f"{folder}/eval"},
            body=body,
        )
        digest, policy = result.digests["checkpoint"], session.load(result.paths["checkpoint"])


def gradient_tokens(session: Session, index: int) -> int:
    """Tokens that the round's preference step took gradients of, over its epochs: both sides of pairs, and anchors."""
    return session.run.stages[policy_stage(round_name(index))].summary["gradient_tokens"]


def train_control(session: Session, stage: Stage, index: int, policy: Policy, rate: float):
    """SFT on the answers of the round's selected prompts until as many answer tokens were read."""
    cfg = session.config.warmup
    selected = selected_examples(session, index)
    trees = [chain(p.prompt, p.answer) for p in selected if len(p) <= cfg.row_tokens]
    if not trees:
        raise UserError(f"{stage.name}: none of the selected prompts fits config.warmup.row_tokens = {cfg.row_tokens}.")
    answer_tokens = sum(len(tree.segments[1]) for tree in trees)
    passes = gradient_tokens(session, index) / answer_tokens
    rows = SftRows(trees, cfg.row_tokens)
    seed = session.config.seed + 1000 * (index + 1)
    per_step = rows_per_step(cfg, batch_divisor(session.mesh), "warmup.rows")
    steps = max(1, round(passes * len(rows) / per_step))
    batches = batched(rows, epochs=math.ceil(passes) + 1, rows_per_step=per_step, accumulate=cfg.accumulate, seed=seed)
    settings = fit_config(cfg, session.config.model, steps)
    optimizer = replace(settings.optimizer, learning_rate=cfg.learning_rate * rate)
    with progress(stage.name, steps, "steps") as bar:
        on_step = lambda step, metrics: bar.advance(step - bar.done, loss=metrics["loss"])
        policy = fit(
            policy, sft, batches[:steps], replace(settings, optimizer=optimizer), session.mesh, stage.kept, on_step
        )
    too_long = len(selected) - len(trees)
    return policy, {"prompts": len(trees), "too_long": too_long, "passes": passes, "steps": steps}


def read_figures(run: RunDirectory) -> dict[str, dict[str, float]]:
    """Exact match in points by stage and set."""
    names = ["base", "warmup", *(round_name(index) for index in range(run.config.rounds))]
    names += [f"{control}/{round_name(index)}" for control in RATES for index in range(run.config.rounds)]
    summaries = {name: read_summaries(run.path / name / "eval") for name in names}
    return {
        name: {
            set_name: 100 * summary.exact_match for set_name, summary in sets.items() if summary.exact_match is not None
        }
        for name, sets in summaries.items()
    }


def show(figures: dict[int, dict[str, dict[str, float]]]) -> None:
    first = next(iter(figures.values()))
    table = Table(title=f"Exact match in points, seeds {', '.join(map(str, figures))}; gains are over the warm-up")
    table.add_column("")
    for set_name in first["warmup"]:
        table.add_column(set_name, justify="right")
    for name in first:
        cells = []
        for set_name in first["warmup"]:
            values = np.array([by_name[name][set_name] for by_name in figures.values()])
            if name not in ("base", "warmup"):
                values = values - [by_name["warmup"][set_name] for by_name in figures.values()]
            cells.append(mean_with_interval(values, signed=name not in ("base", "warmup")))
        table.add_row(name, *cells)
    Console().print(table)


def mean_with_interval(values: np.ndarray, *, signed: bool) -> str:
    mean = f"{values.mean():+.1f}" if signed else f"{values.mean():.1f}"
    if len(values) < 2:
        return mean
    half = STUDENT[len(values) - 1] * values.std(ddof=1) / math.sqrt(len(values))
    return f"{mean} ± {half:.1f}"


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except UserError as error:
        sys.exit(f"study_gain: {error}")
