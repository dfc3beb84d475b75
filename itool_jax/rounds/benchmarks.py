"""Benchmarks answered by a policy of the run: a stage for each category, which goes on where it was killed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from itool_jax import files
from itool_jax.data.prepared import Prepared
from itool_jax.evaluation.benchmarks import Benchmark, benchmark_names, grade_dialogue, load_benchmark
from itool_jax.evaluation.bfcl.results import result_path, write_results
from itool_jax.evaluation.dialogue import Dialogue, Script
from itool_jax.evaluation.exact_match import Graded, SetSummary
from itool_jax.evaluation.generate import greedy_answers
from itool_jax.evaluation.records import write_evaluation
from itool_jax.growing import RowLog, kept_rows
from itool_jax.models.policy import Policy
from itool_jax.progress import note, progress
from itool_jax.rounds.run_directory import digest_of
from itool_jax.rounds.session import Session, policy_digest
from itool_jax.rounds.stage import Stage, StageResult
from itool_jax.sampling.sampler import Sample

FOLDER, OFFICIAL = "benchmarks", "official"
_SHORTEST = 256  # prompts up to so many tokens share a sampler; above that, those up to the same power of two
_PAYLOAD = "answers.jsonl"

Row = dict[str, Any]


def evaluate_benchmarks(session: Session, name: str, specs: Sequence[str], limit: int) -> list[StageResult]:
    """The stages NAME/benchmarks/FAMILY_CATEGORY: answers, prompts, verdicts and summary of every category named.

    BFCL's answers also go to NAME/benchmarks/official/result/itool-jax-NAME/..., as `bfcl evaluate` reads them.
    """
    folder = session.config.evaluate.api_bank
    loaded = [load_benchmark(*names, limit, folder) for names in benchmark_names(specs)]
    return [_evaluate(session, name, benchmark) for benchmark in loaded]


def _evaluate(session: Session, name: str, benchmark: Benchmark) -> StageResult:
    target, model = f"{name}/{FOLDER}", f"itool-jax-{name}"
    outputs = {"eval": f"{target}/{benchmark.name}"}
    if benchmark.family == "bfcl":
        placed = result_path(f"{target}/{OFFICIAL}", model, benchmark.category)
        outputs["result"] = placed.as_posix()

    def body(stage: Stage) -> Mapping[str, Any]:
        answered = _Answers(session, benchmark, stage)
        try:
            graded, raw = answered.dialogues(name) if benchmark.scripts else answered.examples(name)
        finally:
            answered.close()
        folder = stage.output("eval")
        written = write_evaluation(folder, {benchmark.name: graded}, {benchmark.name: answered.too_long})
        files.write_atomic(folder / _PAYLOAD, "".join(map(_line, answered.rows())).encode())
        if "result" in outputs:
            _write_result(stage, model, benchmark.category, raw)
        return _counts(written[benchmark.name], benchmark)

    content = {"examples": benchmark.contents(), "answer_tokens": session.config.evaluate.answer_tokens}
    return session.run.stage(
        f"{name}/{FOLDER}/{benchmark.name}",
        inputs={"policy": policy_digest(session.trained(name)), "benchmark": digest_of(content)},
        outputs=outputs,
        body=body,
    )


def context_of(session: Session) -> int:
    """Tokens that the model can hold, an answer included."""
    return session.base.config.context


class _Answers:
    """The answers of one category: those that an earlier attempt kept, and the rest as they come.

    Every answer is kept, as a line of JSON, when it is there: id, the prompt as text, the answer or the texts of all
    steps by turn, and how it ended.
    """

    def __init__(self, session: Session, benchmark: Benchmark, stage: Stage):
        self.session, self.benchmark, self.stage = session, benchmark, stage
        self.budget, self.context = session.config.evaluate.answer_tokens, context_of(session)
        self.too_long = 0
        self._cut_off: set[str] = set()  # dialogues of which some step ran into the budget
        self._log = RowLog(stage.kept / _PAYLOAD)
        self._kept = kept_rows(stage.kept / _PAYLOAD)

    def close(self) -> None:
        """What was answered outlives a kill from here on."""
        self._log.close()

    def rows(self) -> list[Row]:
        return [self._kept[key] for key in sorted(self._kept)]

    def examples(self, name: str) -> tuple[list[Graded], dict[str, str]]:
        """The verdicts on single answers, and the answers as text."""
        prepared = [self.session.dialect.prepare(example) for example in self.benchmark.examples]
        fitting = [p for p in prepared if len(p.prompt) + self.budget <= self.context]
        self.too_long = len(prepared) - len(fitting)
        self._tell(len(fitting))
        with self._progress(name, len(fitting), "answers") as bar:

            def keep(done: Prepared, sample: Sample) -> None:
                text = self.session.dialect.text(sample.tokens)
                ended = {"finished": sample.end == "stop", "tokens": len(sample.tokens)}
                self._keep({"id": done.id, "prompt": self._render(done), "answer": text, **ended})
                bar.advance(1)

            if any(p.id not in self._kept for p in fitting):
                self._answer(self.session.policy(name), fitting, keep)
        rows = {p.id: self._kept[p.id] for p in fitting}
        graded = [
            self.benchmark.grade(p.example, rows[p.id]["answer"], finished=rows[p.id]["finished"]) for p in fitting
        ]
        return graded, {key: row["answer"] for key, row in rows.items()}

    def dialogues(self, name: str) -> tuple[list[Graded], dict[str, list[list[str]]]]:
        """The verdicts on dialogues, and their texts by turn; `slots` of them go on side by side."""
        scripts = {script.id: script for script in self.benchmark.scripts}
        waiting = [script for key, script in scripts.items() if key not in self._kept]
        with ExitStack() as stack, self._progress(name, len(scripts), "dialogues") as bar:
            policy = self.session.policy(name) if waiting else None
            going: list[Dialogue] = []
            while waiting or going:
                while waiting and len(going) < self.session.config.evaluate.slots:
                    going.append(stack.enter_context(waiting.pop(0).open()))
                assert policy is not None
                self._step(policy, going)
                for dialogue in [one for one in going if one.done]:
                    self._keep(self._dialogue_row(scripts[dialogue.id], dialogue))
                    bar.advance(1)
                going = [one for one in going if not one.done]
        asked = [key for key in scripts if any(self._kept[key]["turns"])]
        self.too_long = len(scripts) - len(asked)  # those whose very first prompt was
        self._tell(len(asked))
        graded = [Graded(**self._kept[key]["graded"]) for key in asked]
        return graded, {key: self._kept[key]["turns"] for key in asked}

    def _step(self, policy: Policy, going: Sequence[Dialogue]) -> None:
        """Asks every dialogue for its next answer; one whose prompt has outgrown the context is given up."""
        prompts = {one.id: self.session.dialect.prepare(one.prompt) for one in going}
        by_prompt = {prompts[one.id].id: one for one in going}
        for one in going:
            if len(prompts[one.id].prompt) + self.budget > self.context:
                one.stop("context")

        def receive(done: Prepared, sample: Sample) -> None:
            dialogue = by_prompt[done.id]
            if sample.end != "stop":
                self._cut_off.add(dialogue.id)
            dialogue.receive(self.session.dialect.text(sample.tokens))

        self._answer(policy, [prompts[one.id] for one in going if not one.done], receive)

    def _answer(
        self, policy: Policy, examples: Sequence[Prepared], on_done: Callable[[Prepared, Sample], None]
    ) -> None:
        """Greedy answers of those that are not kept yet, prompts of like length together: few shapes to compile."""
        groups: dict[int, list[Prepared]] = {}
        for prepared in examples:
            if prepared.id not in self._kept:
                columns = max(_SHORTEST, 1 << (len(prepared.prompt) - 1).bit_length())
                groups.setdefault(columns, []).append(prepared)
        cfg = self.session.config.evaluate
        for columns, group in sorted(groups.items()):
            sampler = self.session.sampler(
                policy,
                group,
                cfg.slots,
                "evaluate.slots",
                branches=1,
                arena_tokens=self.budget,
                seed=self.session.config.seed,
                longest=columns,
            )
            greedy_answers(sampler, group, self.budget, on_done)

    def _dialogue_row(self, script: Script, dialogue: Dialogue) -> Row:
        graded = grade_dialogue(script, dialogue, finished=script.id not in self._cut_off)
        return {
            "id": script.id,
            "prompt": self.session.dialect.chat.render_prompt(dialogue.prompt),
            "turns": dialogue.texts,
            "ending": dialogue.ending,
            "graded": {name: getattr(graded, name) for name in Graded.__dataclass_fields__},
        }

    def _render(self, prepared: Prepared) -> str:
        return self.session.dialect.chat.render_prompt(prepared.example)

    def _keep(self, row: Row) -> None:
        self._kept[row["id"]] = row
        if self.stage.writes:
            self._log.keep(row)

    def _progress(self, name: str, total: int, unit: str):
        title = f"{self.benchmark.name.replace('_', ' ')}, {name}"
        return progress(title, total, unit, done=min(len(self._kept), total))

    def _tell(self, asked: int) -> None:
        if self.too_long:
            note(
                f"{self.benchmark.name}: {self.too_long} of {self.too_long + asked} prompts with an answer of "
                f"{self.budget} tokens are longer than the model's {self.context}, and are left out"
            )


def _write_result(stage: Stage, model: str, category: str, raw: Mapping[str, Any]) -> None:
    target = stage.output("result")
    scratch = target.parent / "unplaced"
    written = write_results(scratch, model, {category: raw})[category]
    files.move(written, target)
    files.remove(scratch)


def _counts(summary: SetSummary, benchmark: Benchmark) -> Mapping[str, Any]:
    asked = len(benchmark.examples) + len(benchmark.scripts)
    return {
        "right": summary.right,
        "count": summary.count,
        "sampled_of": benchmark.total if asked < benchmark.total else None,
        "too_long": summary.skipped_too_long,
        "unfinished": summary.unfinished,
    }


def _line(row: Mapping[str, Any]) -> str:
    return json.dumps(row) + "\n"
