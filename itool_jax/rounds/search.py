"""The search of a round: trees around the policy's own answers on the selected examples, and the pairs they give."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from etils import epath

from itool_jax import files
from itool_jax.config import round_config, round_name
from itool_jax.data.prepared import Prepared
from itool_jax.errors import UserError
from itool_jax.progress import progress
from itool_jax.rounds.evaluate import make_sampler
from itool_jax.rounds.next_round import next_round
from itool_jax.rounds.pair_files import Row, add_references, pair_row, write_pairs
from itool_jax.rounds.run_directory import RunDirectory
from itool_jax.rounds.session import Session
from itool_jax.rounds.settings import pair_config, sampling_config, search_config
from itool_jax.rounds.stage import Stage, StageResult
from itool_jax.search.fragments import fragment_cuts
from itool_jax.search.pairs import Pair, PairReader
from itool_jax.search.records import compress_line, tree_record
from itool_jax.search.search import Search, SearchGrowth
from itool_jax.search.tree import ROOT


def command(run: RunDirectory, round: int | None) -> None:
    session = Session(run)
    search(session, next_round(session, "search") if round is None else round)


def search(session: Session, index: int) -> StageResult:
    """The stage round_NNN/search: trees/*.jsonl.zst, pairs.jsonl, and stats.json with what was counted.

    Finished trees are kept as they come, so a killed search loses only those in flight.
    """
    name = round_name(index)
    scored = session.run.result(f"{name}/score")
    if scored is None:
        raise UserError(f"the search of {name} takes what {name}/score selects, and that is not complete: score first.")

    def body(stage: Stage):
        return _Harvest(session, index, stage).reap(_selected(session, scored.paths["selected"]))

    return session.run.stage(
        f"{name}/search",
        inputs={"policy": session.policy_digest(index)[1], "selected": scored.digests["selected"]},
        outputs={"trees": f"{name}/trees", "pairs": f"{name}/pairs.jsonl", "stats": f"{name}/stats.json"},
        body=body,
    )


def _selected(session: Session, path: epath.Path) -> list[Prepared]:
    by_id = {p.id: p for p in session.training.buffer}
    return [by_id[json.loads(line)["id"]] for line in path.read_text().splitlines()]


class _Harvest:
    """Grows the trees that are not kept yet, and reads pairs and counts off each as it ends."""

    def __init__(self, session: Session, index: int, stage: Stage):
        self.session, self.index, self.stage = session, index, stage
        self.cfg = round_config(session.config, index)
        self.kept_file = stage.kept / "trees.jsonl"

    def reap(self, examples: Sequence[Prepared]) -> Mapping[str, Any]:
        cfg, kept = self.cfg.search, self._kept()
        context = self.session.base.config.context
        fitting = [p for p in examples if len(p.prompt) + cfg.answer_tokens <= context]
        waiting = [p for p in fitting if p.id not in kept]
        cost = f"{len(fitting)} trees of at most {cfg.iterations} x {cfg.samples} samples"
        with progress(f"Search {self.stage.name}", len(fitting), "trees", cost=cost) as bar:
            bar.advance(len(kept))
            for growth, retired, occupancy in self._grow(waiting):
                row = self._row(growth, retired)
                kept[row["id"]] = row
                bar.advance(1, pairs=float(sum(len(r["pairs"]) for r in kept.values())), occupancy=occupancy)
        return self._write([kept[p.id] for p in sorted(fitting, key=lambda p: p.id)], len(examples) - len(fitting))

    def _grow(self, examples: Sequence[Prepared]) -> Iterator[tuple[SearchGrowth, bool, float]]:
        if not examples:
            return
        cfg, warmup = self.cfg.search, self.session.config.warmup
        policy = self.session.policy_before(self.index)
        sampler = make_sampler(
            self.session, policy, examples, cfg.trees, branches=cfg.branches, arena_tokens=cfg.arena_tokens
        )
        search = Search(
            policy,
            self.session.dialect,
            search_config(cfg),
            sampling_config(cfg),
            row_tokens=cfg.self_eval_row_tokens,
            rows=warmup.rows,
        )
        for growth in search.run(sampler, examples):
            yield growth, growth.key in sampler.stats.retired, sampler.stats.occupancy

    def _row(self, growth: SearchGrowth, retired: bool) -> dict[str, Any]:
        """Writes the tree down and returns its row: pairs as token ids, and counts."""
        dialect, prepared = self.session.dialect, growth.prepared
        cuts = fragment_cuts(prepared.answer, dialect.tokenizer.token_bytes, dialect.end_of_turn)
        truth = [prepared.answer[a:b] for a, b in zip([0, *cuts[:-1]], cuts, strict=True)]
        reader = PairReader(pair_config(self.cfg.pairs), prepared.example, truth, dialect.text)
        pairs = reader.pairs(growth.tree)
        record = tree_record(growth, pairs, dialect)
        row = {
            "id": prepared.id,
            "pairs": [pair_row(prepared, pair, dialect) for pair in pairs],
            "removed": dict(reader.removed),
            "counts": _counts(growth, pairs, retired),
            "record": record,
        }
        with self.kept_file.open("a") as file:
            file.write(json.dumps(row) + "\n")
        return row

    def _kept(self) -> dict[str, dict[str, Any]]:
        """Rows of trees that an earlier attempt finished; a last line that a kill cut off is dropped from the file."""
        if not self.kept_file.exists():
            return {}
        whole, _, cut_off = self.kept_file.read_bytes().rpartition(b"\n")
        if cut_off:
            files.write_atomic(self.kept_file, whole + b"\n" if whole else b"")
        return {row["id"]: row for row in map(json.loads, whole.splitlines())}

    def _write(self, rows: Sequence[Mapping[str, Any]], too_long: int) -> Mapping[str, Any]:
        trees = self.stage.output("trees")
        trees.mkdir(parents=True, exist_ok=True)
        with (trees / "00000.jsonl.zst").open("wb") as file:
            for row in rows:
                file.write(compress_line(row["record"]))
        pairs = self._referenced([pair for row in rows for pair in row["pairs"]])
        write_pairs(self.stage.output("pairs"), pairs)
        counts, removed, sources = Counter(), Counter(), Counter(pair["source"] for pair in pairs)
        for row in rows:
            counts.update(row["counts"])
            removed.update(row["removed"])
        stats = {
            "trees": dict(counts),
            "pairs": {"kept": len(pairs), **sources},
            "pairs_removed": dict(removed),
            "prompts_too_long": too_long,
        }
        files.write_json(self.stage.output("stats"), stats)
        return stats

    def _referenced(self, pairs: list[Row]) -> list[Row]:
        """The pairs with their log-probs under the policy that grew the trees, the round's reference."""
        cfg = self.cfg.prefer
        prompts = {p.id: p.prompt for p in self.session.training.buffer}
        add_references(self.session.policy_before(self.index), pairs, prompts, cfg.row_tokens, cfg.rows)
        return pairs


def _counts(growth: SearchGrowth, pairs: Sequence[Pair], retired: bool) -> dict[str, int]:
    nodes, root = growth.tree.nodes, growth.tree.nodes[ROOT]
    leaves = [node for node in nodes if node.end is not None]
    right = sum(node.visits for node in leaves if node.right)
    return {
        "grown": 1,
        "samples": root.visits,
        "right_samples": right,
        "truncated_samples": sum(node.visits for node in leaves if node.end == "budget"),
        "nodes": len(nodes),
        "distinct_answers": len(leaves),
        "expansions": growth.tree.expansions,
        "all_right": int(right == root.visits),
        "none_right": int(right == 0),
        "with_pairs": int(bool(pairs)),
        "retired": int(retired),
    }
