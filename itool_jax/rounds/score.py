"""Where the policy is deficient: perplexity of the buffer's answers under it, and the choice of the hardest."""

from __future__ import annotations

import json
import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from ml_collections import ConfigDict

from itool_jax.config import round_config, round_name
from itool_jax.data.corpus import Chains, Corpus
from itool_jax.data.difficulty import DIFFICULTIES
from itool_jax.data.prepared import Prepared
from itool_jax.errors import UserError
from itool_jax.forest import batches, bucket
from itool_jax.models.policy import Policy
from itool_jax.parallel.mesh import batch_divisor
from itool_jax.progress import progress
from itool_jax.rounds.chain import policy_before
from itool_jax.rounds.next_round import next_round
from itool_jax.rounds.requirements import require_scoring
from itool_jax.rounds.run_directory import RunDirectory
from itool_jax.rounds.session import Session, policy_digest
from itool_jax.rounds.stage import Stage, StageResult
from itool_jax.training.logprobs import score_rows

_IN_MEMORY = 8192  # examples whose tokens are held at a time


def command(run: RunDirectory, round: int | None) -> None:
    session = Session(run)
    require_scoring(session)
    score(session, next_round(session, "score") if round is None else round)


def score(session: Session, index: int) -> StageResult:
    """The stage round_NNN/score: scores.parquet of the whole buffer, and selected.jsonl, what the search takes."""
    name = round_name(index)
    cfg = round_config(session.config, index).select

    def body(stage: Stage):
        buffer = session.training.buffer
        if not buffer:
            raise UserError("the buffer is empty: raise config.data.buffer_share or give more training data.")
        complexity = perplexities(session, session.policy(policy_before(index)), buffer, f"Scoring {name}")
        order = complexity
        if cfg.by == "random":
            order = np.random.default_rng([session.config.seed, index]).permutation(len(buffer))
        chosen = select(buffer.columns.calls > 0, order, cfg.share, cfg.limit)
        table = {
            "id": buffer.columns.ids,
            "perplexity": complexity,
            "tokens": buffer.columns.answer_tokens,
            "difficulty": [DIFFICULTIES[level] for level in buffer.columns.levels],
            "selected": np.isin(np.arange(len(buffer)), chosen),
        }
        with stage.output("scores").open("wb") as file:
            pq.write_table(pa.table(table), file)
        ids = buffer.take(chosen).ids
        rows = [json.dumps({"id": ids[n], "perplexity": round(float(complexity[i]), 6)}) for n, i in enumerate(chosen)]
        stage.output("selected").write_text("".join(f"{row}\n" for row in rows))
        return {
            "buffer": len(buffer),
            "selected": len(chosen),
            "training_examples_too_long": len(session.training.too_long),
            "selected_without_calls": int((buffer.columns.calls[chosen] == 0).sum()),
            "mean_perplexity": float(complexity.mean()),
            "selected_mean_perplexity": float(complexity[chosen].mean()),
        }

    return session.run.stage(
        f"{name}/score",
        inputs={"policy": policy_digest(session.trained(policy_before(index))), "data": session.data_digest},
        outputs={"scores": f"{name}/scores.parquet", "selected": f"{name}/selected.jsonl"},
        body=body,
    )


def selection(session: Session, index: int) -> StageResult:
    """The score stage of round `index`; raises UserError before it is complete."""
    scored = session.current(f"{round_name(index)}/score")
    if scored is None:
        raise UserError(f"{round_name(index)} has selected nothing yet: do `itool-jax score` first.")
    return scored


def selected_examples(session: Session, index: int) -> list[Prepared]:
    """What round `index` selected, in the order of the buffer."""
    buffer = session.training.buffer
    place = {id: place for place, id in enumerate(buffer.ids)}
    lines = selection(session, index).paths["selected"].read_text().splitlines()
    return list(buffer.take([place[json.loads(line)["id"]] for line in lines]))


def perplexities(session: Session, policy: Policy, examples: Corpus, title: str) -> np.ndarray:
    """h = exp(-(1/n) sum_t log pi(y*_t | q, T, y*_<t)) of every example's ground-truth answer, its tokens only."""
    cfg = session.config.warmup
    by_length: dict[int, list[int]] = {}
    for i, length in enumerate(examples.lengths.tolist()):
        by_length.setdefault(row_length(cfg, length), []).append(i)
    result = np.zeros(len(examples))
    with progress(title, len(examples), "examples") as bar:
        for row_tokens, members in sorted(by_length.items()):  # one long prompt does not make all rows as long
            rows = rows_of_batch(cfg, row_tokens, batch_divisor(session.mesh))
            for start in range(0, len(members), _IN_MEMORY):
                part = members[start : start + _IN_MEMORY]
                for forest, placements in batches(list(Chains(examples.take(part))), row_tokens, rows):
                    sums, lengths = score_rows(policy, forest)
                    for tree, row, completion in placements:
                        result[part[tree]] = math.exp(-sums[row, completion] / lengths[row, completion])
                    bar.advance(len(placements))
    return result


def row_length(cfg: ConfigDict, length: int) -> int:
    """Tokens of the rows that an example of this length is scored in: those of training, if it fits them."""
    return max(cfg.row_tokens, bucket(length))


def rows_of_batch(cfg: ConfigDict, row_tokens: int, divisor: int) -> int:
    """Rows of this length that hold about as many tokens as a batch of training; a multiple of `divisor`."""
    return max(cfg.rows * cfg.row_tokens // row_tokens // divisor, 1) * divisor


def select(calling: np.ndarray, order: np.ndarray, share: float, limit: int) -> list[int]:
    """Indices of the highest share, by `order`, of answers that call tools (`calling`) and of those that do not, apart.

    `limit` caps the whole, both kinds in their proportion; ties go to the lower index. At least one of each kind that
    there is, if the share is above 0. In ascending order of index.
    """
    kinds = [np.flatnonzero(calling == calls).tolist() for calls in (True, False)]
    counts = [min(len(kind), max(1, round(share * len(kind)))) if kind and share > 0 else 0 for kind in kinds]
    if limit and sum(counts) > limit:
        counts = [max(bool(count), round(count * limit / sum(counts))) for count in counts]
        counts[0] = min(counts[0], max(limit - counts[1], 0))
    chosen: list[int] = []
    for kind, count in zip(kinds, counts, strict=True):
        chosen += sorted(kind, key=lambda i: (-order[i], i))[:count]
    return sorted(chosen)
