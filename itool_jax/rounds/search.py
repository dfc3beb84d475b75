"""The search of a round: trees around the policy's own answers on the selected examples, and the pairs they give."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from itool_jax import files
from itool_jax.config import round_config, round_key, round_name
from itool_jax.data.prepared import Prepared
from itool_jax.errors import UserError
from itool_jax.models.policy import Policy, own_policy
from itool_jax.parallel import processes
from itool_jax.progress import note, progress
from itool_jax.rounds.chain import policy_before
from itool_jax.rounds.kept_trees import KeptTrees
from itool_jax.rounds.next_round import next_round
from itool_jax.rounds.pair_files import add_references, pair_line, pair_row, plain_logprobs
from itool_jax.rounds.requirements import require_search
from itool_jax.rounds.run_directory import RunDirectory
from itool_jax.rounds.score import selected_examples, selection
from itool_jax.rounds.session import Session, policy_digest
from itool_jax.rounds.settings import pair_config, reward_function, sampling_config, search_config, searches
from itool_jax.rounds.stage import Stage, StageResult
from itool_jax.rounds.trl_pairs import TrlPairs, whole_answers
from itool_jax.search.fragments import fragment_cuts
from itool_jax.search.pairs import PairReader, Preference, sampled
from itool_jax.search.reallocation import BaseTrees
from itool_jax.search.records import RecordWriter, tree_record
from itool_jax.search.rewards import Reward
from itool_jax.search.search import Search, SearchGrowth
from itool_jax.search.tree import ROOT
from itool_jax.search.user_reward import UserReward

_TREES_AT_ONCE = 256  # whose rows are in memory when the outputs are written
_NAMES = {"reward": "mean_reward", "score": "mean_score", "self_evaluation": "mean_self_evaluation"}


def command(run: RunDirectory, round: int | None) -> None:
    session = Session(run)
    index = next_round(session, "search") if round is None else round
    require_search(session, index)
    search(session, index)


def search(session: Session, index: int) -> StageResult:
    """The stage round_NNN/search: trees/*.jsonl.zst, pairs.jsonl, the same for TRL, and stats.json with all counts.

    Finished trees are kept as they come, so a killed search loses only those in flight.
    """
    name = round_name(index)
    if not searches(round_config(session.config, index)):
        raise UserError(
            f"{name} searches nothing: its pairs.mode is 'truth', SFT on the ground truth. Do `itool-jax prefer` next."
        )
    scored = selection(session, index)
    reward = reward_function(round_config(session.config, index).search)
    inputs = {
        "policy": policy_digest(session.trained(policy_before(index))),
        "selected": scored.digests["selected"],
        "data": session.data_digest,
    }
    if isinstance(reward, UserReward):
        inputs["reward"] = reward.digest

    def body(stage: Stage):
        return _Harvest(session, index, stage, reward).reap(selected_examples(session, index))

    files_by_name = {"pairs": "pairs.jsonl", "trl": "pairs_trl.jsonl", "stats": "stats.json", "trees": "trees"}
    outputs = {key: f"{name}/{file}" for key, file in files_by_name.items()}
    return session.run.stage(f"{name}/search", inputs=inputs, outputs=outputs, body=body)


class _Harvest:
    """Grows the trees that are not kept yet, and reads pairs and counts off each as it ends."""

    def __init__(self, session: Session, index: int, stage: Stage, reward: Reward):
        self.session, self.index, self.stage, self.reward = session, index, stage, reward
        self.cfg = round_config(session.config, index)
        extra = self.cfg.search.extra_iterations
        self.base_trees = BaseTrees(stage.kept, processes.number()) if extra else None
        self.kept = self._kept_trees()

    def _kept_trees(self) -> KeptTrees:
        """What all processes have kept; they read it together, before any of them keeps more."""
        kept = KeptTrees(self.stage.kept, process=processes.number(), before=self._flush)
        processes.together(f"{self.stage.name}: kept trees")
        return kept

    def _flush(self) -> None:
        """What is noted of a tree is on disk before the tree counts as kept."""
        self.session.run.metrics.flush()
        if self.base_trees:
            self.base_trees.flush()

    def reap(self, examples: Sequence[Prepared]) -> Mapping[str, Any]:
        cfg, kept = self.cfg.search, self.kept
        policy = self.session.policy(policy_before(self.index))
        own = own_policy(policy, self.session.mesh) if processes.several() else policy
        search = Search(own, self.session.dialect, search_config(cfg), sampling_config(cfg), self.reward)
        context = self.session.base.config.context
        fitting = [p for p in examples if search.tokens_needed(p) <= context]
        over_budget = sum(bool(p.example.calls) and len(p.answer) > cfg.answer_tokens for p in fitting)
        if over_budget:
            note(
                f"{self.stage.name}: the calls of {over_budget} of {len(fitting)} prompts are longer, as the data "
                f"write them, than config.round.search.answer_tokens = {cfg.answer_tokens}: few samples can be right"
            )
        waiting = [p for p in fitting if p.id not in kept]
        cost = f"at most {cfg.iterations} x {cfg.samples} samples each"
        try:
            with progress(f"Search {self.stage.name}", len(fitting), "trees", done=len(kept), cost=cost) as bar:
                pairs = kept.pairs
                for growth, retired in self._grow(own, search, waiting, fitting):
                    pairs += self._keep(growth, retired)
                    bar.advance(1, pairs=float(pairs))
        finally:
            kept.close()
            if self.base_trees:
                self.base_trees.close()
        if processes.several():
            processes.together(f"{self.stage.name}: trees are grown")
            self.kept = self._kept_trees()
        counts = {"prompts_too_long": len(examples) - len(fitting), "answers_over_budget": over_budget}
        return self._write(policy, sorted(fitting, key=lambda p: p.id), counts)

    def _grow(
        self, policy: Policy, search: Search, examples: Sequence[Prepared], whole: Sequence[Prepared]
    ) -> Iterator[tuple[SearchGrowth, bool]]:
        """Grows this process's share of `examples`; shapes come from the `whole` search, so resuming keeps the bits."""
        if not examples:
            return
        cfg, own = self.cfg.search, processes.own_share(examples)
        seed = self.session.config.seed + 1_000_003 * (self.index + 1)
        sampler = self.session.sampler(
            policy,
            whole,
            cfg.trees,
            round_key(self.session.config, self.index, "search.trees"),
            branches=cfg.samples,
            arena_tokens=cfg.arena_tokens,
            seed=seed,
            longest=search.longest_prompt(whole),
            cohorts=cfg.cohorts,
        )
        search.reserve(whole)
        for growth in search.run(sampler, own, self.base_trees):
            yield growth, any(growth is lost for lost in sampler.stats.retired)

    def _keep(self, growth: SearchGrowth, retired: bool) -> int:
        """Writes down the tree, its pairs as token ids, and its counts; returns how many pairs it gave."""
        dialect, prepared = self.session.dialect, growth.prepared
        cuts = fragment_cuts(prepared.answer, dialect.tokenizer.token_bytes, dialect.end_of_turn)
        truth = [prepared.answer[a:b] for a, b in zip([0, *cuts[:-1]], cuts, strict=True)]
        reader = PairReader(
            pair_config(self.cfg.pairs),
            prepared.example,
            truth,
            dialect.text,
            best_reward=1.0 + self.cfg.search.self_eval_weight,
            slots_prove=not isinstance(self.reward, UserReward),
        )
        pairs = reader.pairs(growth.tree)
        counts, record = _counts(growth, pairs, retired), tree_record(growth, pairs, dialect)
        rewards = _rewards(record["nodes"])
        shown = {name: total / count for name, (total, count) in rewards.items() if count}
        shown |= {"right": counts["right_samples"] / max(1, counts["samples"]), "pairs": len(pairs)}
        self.session.run.metrics.write(len(self.kept) + 1, self.stage.name, shown)
        self.kept.keep(
            {
                "id": prepared.id,
                "pairs": [
                    pair_row(prepared, pair, dialect)
                    | {
                        "answers": whole_answers(prepared, growth.tree, pair),
                        "sampler": [side and plain_logprobs(side) for side in sampled(growth.tree, pair)],
                    }
                    for pair in pairs
                ],
                "removed": dict(reader.removed),
                "counts": counts,
                "rewards": rewards,
                "record": record,
            }
        )
        return len(pairs)

    def _write(
        self, policy: Policy, examples: Sequence[Prepared], prompt_counts: Mapping[str, int]
    ) -> Mapping[str, Any]:
        """The outputs, in the order of `examples`; of the kept trees a few are in memory at a time."""
        totals = _Totals()
        trl, cfg = TrlPairs(self.session.dialect), self.cfg.prefer
        with (
            RecordWriter(self.stage.output("trees")) as trees,
            self.stage.output("pairs").open("w") as pair_file,
            self.stage.output("trl").open("w") as trl_file,
        ):
            for start in range(0, len(examples), _TREES_AT_ONCE):
                chunk = {p.id: p for p in examples[start : start + _TREES_AT_ONCE]}
                pairs = []
                for row in self.kept.rows(chunk):
                    trees.write(row["record"])
                    totals.add(row)
                    pairs += row["pairs"]
                for pair in pairs:
                    trl_file.write(trl.line(chunk[pair["id"]], pair))
                    del pair["answers"]
                add_references(policy, pairs, {id: p.prompt for id, p in chunk.items()}, cfg.row_tokens, cfg.rows)
                for pair in pairs:
                    totals.compare(pair, pair.pop("sampler", None))
                pair_file.writelines(map(pair_line, pairs))
        stats = {**totals.stats(), "trl_pairs": dict(trl.counts), **prompt_counts}
        files.write_json(self.stage.output("stats"), stats)
        return stats


class _Totals:
    """Sums over the trees of a round."""

    def __init__(self) -> None:
        self._counts, self._removed, self._pairs = Counter(), Counter(), Counter(kept=0)
        self._rewards = {name: [0.0, 0] for name in _NAMES}
        self._not_compared, self._compared, self._difference, self._largest = 0, 0, 0.0, 0.0

    def add(self, row: Mapping[str, Any]) -> None:
        self._counts.update(row["counts"])
        self._removed.update(row["removed"])
        for pair in row["pairs"]:
            self._pairs.update(["kept", pair["source"]])
            self._pairs["sides"] += len(pair["sides"])
        for name, (total, count) in row["rewards"].items():
            self._rewards[name][0] += total
            self._rewards[name][1] += count

    def compare(self, pair: Mapping[str, Any], sampler: Sequence[Any] | None) -> None:
        """How far the log-prob that training begins with is from the one that the sampler drew by, token by token.

        `sampler` has those of each side, or None for it; in a tree that an earlier version kept a sum, or is None.
        """
        unknown = [None] * len(pair["sides"])
        for reference, drawn in zip(pair["reference"] or unknown, sampler or unknown, strict=True):
            if reference is None or not isinstance(drawn, Sequence):
                self._not_compared += 1
                continue
            differences = [abs(ours - theirs) for ours, theirs in zip(reference, drawn, strict=True)]
            self._compared += len(differences)
            self._difference += sum(differences)
            self._largest = max(self._largest, *differences)

    def stats(self) -> dict[str, Any]:
        tokens = self._compared
        differences = (
            {"mean": round(self._difference / tokens, 9), "largest": round(self._largest, 9)} if tokens else {}
        )
        compared = {"tokens": tokens, **differences, "sides_not_compared": self._not_compared}
        means = {_NAMES[name]: round(total / count, 6) for name, (total, count) in self._rewards.items() if count}
        return {
            "trees": dict(self._counts),
            "rewards": means,
            "pairs": dict(self._pairs),
            "pairs_removed": dict(self._removed),
            "sampler_difference": compared,
        }


def _rewards(nodes: Sequence[Mapping[str, Any]]) -> dict[str, tuple[float, int]]:
    """Sum over the samples, and how many, of R, of O and of C; a truncated sample has no O and no C, and R = 0."""
    leaves = [node for node in nodes if node["end"] is not None]
    sums = {}
    for name in _NAMES:
        known = [node for node in leaves if node[name] is not None]
        sums[name] = sum(node[name] * node["visits"] for node in known), sum(node["visits"] for node in known)
    return sums


def _counts(growth: SearchGrowth, pairs: Sequence[Preference], retired: bool) -> dict[str, int]:
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
