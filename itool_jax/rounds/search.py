"""The search of a round: trees around the policy's own answers on the selected examples, and the pairs they give."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from itool_jax import files
from itool_jax.config import round_config, round_name
from itool_jax.data.prepared import Prepared
from itool_jax.models.policy import Policy
from itool_jax.progress import note, progress
from itool_jax.rounds.chain import policy_before
from itool_jax.rounds.next_round import next_round
from itool_jax.rounds.pair_files import Row, add_references, pair_row, write_pairs
from itool_jax.rounds.run_directory import RunDirectory
from itool_jax.rounds.score import selected_examples, selection
from itool_jax.rounds.session import Session, policy_digest
from itool_jax.rounds.settings import pair_config, sampling_config, search_config
from itool_jax.rounds.stage import Stage, StageResult
from itool_jax.search.fragments import fragment_cuts
from itool_jax.search.pairs import Pair, PairReader
from itool_jax.search.reallocation import BaseTrees
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
    scored = selection(session, index)

    def body(stage: Stage):
        return _Harvest(session, index, stage).reap(selected_examples(session, index))

    return session.run.stage(
        f"{name}/search",
        inputs={
            "policy": policy_digest(session.trained(policy_before(index))),
            "selected": scored.digests["selected"],
            "data": session.data_digest,
        },
        outputs={"trees": f"{name}/trees", "pairs": f"{name}/pairs.jsonl", "stats": f"{name}/stats.json"},
        body=body,
    )


class _Harvest:
    """Grows the trees that are not kept yet, and reads pairs and counts off each as it ends."""

    def __init__(self, session: Session, index: int, stage: Stage):
        self.session, self.index, self.stage = session, index, stage
        self.cfg = round_config(session.config, index)
        self.kept_file = stage.kept / "trees.jsonl"

    def reap(self, examples: Sequence[Prepared]) -> Mapping[str, Any]:
        cfg, kept = self.cfg.search, files.kept_rows(self.kept_file)
        policy = self.session.policy(policy_before(self.index))
        search = Search(policy, self.session.dialect, search_config(cfg), sampling_config(cfg))
        context = self.session.base.config.context
        fitting = [p for p in examples if search.tokens_needed(p) <= context]
        over_budget = sum(bool(p.example.calls) and len(p.answer) > cfg.answer_tokens for p in fitting)
        if over_budget:
            note(
                f"{self.stage.name}: the calls of {over_budget} of {len(fitting)} prompts are longer, as the data "
                f"write them, than config.round.search.answer_tokens = {cfg.answer_tokens}: few samples can be right"
            )
        waiting = [p for p in fitting if p.id not in kept]
        pairs = sum(len(row["pairs"]) for row in kept.values())
        cost = f"at most {cfg.iterations} x {cfg.samples} samples each"
        with progress(f"Search {self.stage.name}", len(fitting), "trees", done=len(kept), cost=cost) as bar:
            for growth, retired in self._grow(policy, search, waiting, fitting):
                row = kept[growth.prepared.id] = self._row(growth, retired)
                pairs += len(row["pairs"])
                bar.advance(1, pairs=float(pairs))
        counts = {"prompts_too_long": len(examples) - len(fitting), "answers_over_budget": over_budget}
        return self._write([kept[p.id] for p in sorted(fitting, key=lambda p: p.id)], counts)

    def _grow(
        self, policy: Policy, search: Search, examples: Sequence[Prepared], whole: Sequence[Prepared]
    ) -> Iterator[tuple[SearchGrowth, bool]]:
        """Grows the trees of `examples`; shapes come from the `whole` search, so a resumed one has the same bits."""
        if not examples:
            return
        cfg = self.cfg.search
        seed = self.session.config.seed + 1_000_003 * (self.index + 1)
        sampler = self.session.sampler(
            policy,
            whole,
            cfg.trees,
            branches=cfg.samples,
            arena_tokens=cfg.arena_tokens,
            seed=seed,
            longest=search.longest_prompt(whole),
        )
        search.reserve(whole)
        base_trees = BaseTrees(self.stage.kept / "base_trees.jsonl") if cfg.extra_iterations else None
        for growth in search.run(sampler, examples, base_trees):
            yield growth, any(growth is lost for lost in sampler.stats.retired)

    def _row(self, growth: SearchGrowth, retired: bool) -> dict[str, Any]:
        """Writes the tree down and returns its row: pairs as token ids, and counts."""
        dialect, prepared = self.session.dialect, growth.prepared
        cuts = fragment_cuts(prepared.answer, dialect.tokenizer.token_bytes, dialect.end_of_turn)
        truth = [prepared.answer[a:b] for a, b in zip([0, *cuts[:-1]], cuts, strict=True)]
        reader = PairReader(
            pair_config(self.cfg.pairs), prepared.example, truth, dialect.text, 1.0 + self.cfg.search.self_eval_weight
        )
        pairs = reader.pairs(growth.tree)
        record = tree_record(growth, pairs, dialect)
        row = {
            "id": prepared.id,
            "pairs": [pair_row(prepared, pair, dialect) for pair in pairs],
            "removed": dict(reader.removed),
            "counts": _counts(growth, pairs, retired),
            "record": record,
        }
        files.keep_row(self.kept_file, row)
        return row

    def _write(self, rows: Sequence[Mapping[str, Any]], prompt_counts: Mapping[str, int]) -> Mapping[str, Any]:
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
            **prompt_counts,
        }
        files.write_json(self.stage.output("stats"), stats)
        return stats

    def _referenced(self, pairs: list[Row]) -> list[Row]:
        """The pairs with their log-probs under the policy that grew the trees, the round's reference."""
        cfg = self.cfg.prefer
        prompts = {p.id: p.prompt for p in selected_examples(self.session, self.index)}
        add_references(self.session.policy(policy_before(self.index)), pairs, prompts, cfg.row_tokens, cfg.rows)
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
        **growth.counts(),
        "all_right": int(right == root.visits),
        "none_right": int(right == 0),
        "with_pairs": int(bool(pairs)),
        "retired": int(retired),
    }
