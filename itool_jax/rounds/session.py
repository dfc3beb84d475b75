"""What the stages of a run share: its data as token ids, its dialect, and the policy that each stage starts from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

from etils import epath
from jax.sharding import Mesh

from itool_jax.config import round_name
from itool_jax.data.corpus import Corpus
from itool_jax.data.example import Example
from itool_jax.data.jsonl import example_to_json
from itool_jax.data.prepared import Dialect, Prepared, prepare_all
from itool_jax.data.store import Manifest, PreparedStore, read_removed
from itool_jax.data.tally import REMOVED, Tally
from itool_jax.errors import UserError
from itool_jax.models.decoder import Decoder
from itool_jax.models.loading import Loaded
from itool_jax.models.policy import Policy
from itool_jax.parallel import processes
from itool_jax.parallel.mesh import make_mesh
from itool_jax.progress import note, progress
from itool_jax.rounds.base_model import base_inputs, load_base, write_base
from itool_jax.rounds.chain import BASE, DATA, MODEL, OWN_PAIRS, WARMUP, policy_stage, start_of
from itool_jax.rounds.data_settings import matching_manifest
from itool_jax.rounds.inputs import check_masks, heldout_examples, heldout_names, limited_corpus, training_examples
from itool_jax.rounds.run_directory import RunDirectory, digest_of
from itool_jax.rounds.settings import dialect_for
from itool_jax.rounds.stage import Stage, StageResult
from itool_jax.sampling.sampler import SamplerConfig, TreeSampler, own_places, prompt_columns
from itool_jax.training.checkpoints import load_policy, save_policy


@dataclass(frozen=True)
class TrainingData:
    """Examples of the warm-up and of the buffer that rounds select from, and the ids of what was left out of both."""

    warmup: Corpus
    buffer: Corpus
    too_long: tuple[str, ...]


class Session:
    """A run directory with everything its stages need, each made when it is first asked for."""

    def __init__(self, run: RunDirectory):
        self.run, self.config = run, run.config
        self._told: set[str] = set()

    @cached_property
    def mesh(self) -> Mesh:
        return make_mesh(**self.config.mesh)

    @cached_property
    def model(self) -> StageResult:
        """The stage "model": the tokenizer and the base weights as the run uses them.

        Raises UserError where the run is only looked at and they are not there yet.
        """
        if self.run.reading:
            found = self.run.result(MODEL)
            if found is None:
                raise UserError(f"{self.run.path} holds no model yet: start the run with `itool-jax run` first.")
            return found

        def body(stage: Stage):
            examples = () if self.config.data.prepared else self._training_examples
            return write_base(self.config, examples, stage.output("model"), self.mesh)

        inputs = base_inputs(self.config)
        if "tokenizer" not in inputs and "checkpoint" not in inputs:
            inputs["data"] = self.data_digest
        return self.run.stage(MODEL, inputs=inputs, outputs={"model": "model"}, body=body)

    @cached_property
    def _base(self) -> tuple[Policy, Dialect]:
        policy, tokenizer = load_base(self.config, self.model.paths["model"], self.mesh)
        dialect = dialect_for(self.config.data, tokenizer)
        check_masks(self.config, dialect.chat)
        return policy, dialect

    @property
    def base(self) -> Policy:
        """The policy before any training, with fresh adapters where the config asks for LoRA."""
        return self._base[0]

    @property
    def dialect(self) -> Dialect:
        return self._base[1]

    def save(self, directory: epath.Path, policy: Policy) -> None:
        save_policy(directory, policy, adapters_only=policy.adapters is not None)

    def load(self, directory: epath.Path) -> Policy:
        return load_policy(directory, self.base.config, self.base, mesh=self.mesh)

    @cached_property
    def _read_training(self) -> tuple[list[Example], Tally]:
        tally = Tally()
        examples = training_examples(self.config, tally)
        self._tell(tally)
        return examples, tally

    def _tell(self, tally: Tally) -> None:
        """Says what was left out, each thing once: held-out sets are read for comparison too."""
        for line in tally.notes():
            if line not in self._told:
                note(line)
        self._told.update(tally.notes())

    @property
    def _training_examples(self) -> list[Example]:
        return self._read_training[0]

    @cached_property
    def _manifest(self) -> Manifest:
        return matching_manifest(self.config)

    @cached_property
    def training(self) -> TrainingData:
        """The training examples in a random but fixed order: the warm-up takes the head of it, the buffer the tail."""
        data = self.config.data
        fitting, too_long = self._fitting_training(self.base.config.context)
        if not fitting:
            raise UserError(
                f"none of the {len(too_long)} training examples fits the model's {self.base.config.context} tokens."
            )
        if too_long:
            note(f"{len(too_long)} training examples are longer than the model's context and are left out")
        order = fitting.shuffled(f"split {self.config.seed}")
        head, start = round(len(order) * data.warmup_share), len(order) - round(len(order) * data.buffer_share)
        if data.warmup_share + data.buffer_share <= 1:
            start = max(start, head)  # two halves of an odd count share none
        return TrainingData(order[:head], order[start:], tuple(too_long))

    def _fitting_training(self, context: int) -> tuple[Corpus, list[str]]:
        """Training examples of the store that the config names, else tokenised now; and the ids of those too long."""
        if self.config.data.prepared:
            corpus = limited_corpus(self.config, PreparedStore(self.config.data.prepared, self.dialect).corpus())
            return corpus.where(corpus.lengths <= context), corpus.where(corpus.lengths > context).ids
        examples = self._training_examples
        with progress("Tokenising the training data", len(examples), "examples") as bar:
            prepared, too_long = prepare_all(examples, self.dialect, context, lambda: bar.advance(1))
        return Corpus.of(prepared), too_long

    @cached_property
    def heldout(self) -> Mapping[str, tuple[list[Prepared], list[str]]]:
        """By name of the set: its examples, and the ids of those that do not fit the model with an answer."""
        cfg, names = self.config.evaluate, heldout_names(self.config)
        if unknown := [name for name in cfg.sets if name not in names]:
            raise UserError(f"config.evaluate.sets names {unknown[0]!r}, but the held-out sets are {', '.join(names)}.")
        tally = Tally()
        sets = {name: self._fitting(heldout_examples(self.config, name, tally)) for name in cfg.sets or names}
        self._tell(tally)
        calls = [p.answer for fitting, _ in sets.values() for p in fitting if p.example.calls]
        if over := sum(len(answer) > cfg.answer_tokens for answer in calls):
            note(
                f"the calls of {over} of {len(calls)} held-out examples are longer, as the data write them, than "
                f"config.evaluate.answer_tokens = {cfg.answer_tokens}: what is cut off there counts as wrong"
            )
        return sets

    def _fitting(self, examples: Iterable[Example]) -> tuple[list[Prepared], list[str]]:
        cfg, context = self.config.evaluate, self.base.config.context
        prepared = [self.dialect.prepare(example) for example in islice(examples, cfg.limit or None)]
        fits = [len(p.prompt) + cfg.answer_tokens <= context for p in prepared]
        too_long = [p.id for p, fit in zip(prepared, fits, strict=True) if not fit]
        return [p for p, fit in zip(prepared, fits, strict=True) if fit], too_long

    @cached_property
    def data_digest(self) -> str:
        """Digest of the training examples' contents; with them the stage "data" says what was left out of them."""
        if self.config.data.prepared:
            digest, count = self._manifest.digest, self._manifest.examples
        else:
            examples = self._training_examples
            digest, count = digest_of([example_to_json(example) for example in examples]), len(examples)
        self._record_data(digest, count)
        return digest

    def _record_data(self, digest: str, count: int) -> None:
        """The stage "data": counts of what was left out and added, and the list of what repeats held-out examples."""
        compares = bool(self.config.data.decontaminate)
        if self.config.data.prepared:
            left_out = self._manifest.left_out
            removed = read_removed(self.config.data.prepared) if compares else b""
        else:
            tally = self._read_training[1]
            left_out, removed = tally.to_json(), tally.removed_lines()

        def body(stage: Stage):
            if compares:
                stage.output("removed").write_bytes(removed)
            return {"examples": count, **left_out}

        inputs = {"examples": digest, "left_out": digest_of([dict(left_out), removed.decode()])}
        outputs = {"removed": f"data/{REMOVED}"} if compares else {}
        self.run.stage(DATA, inputs=inputs, outputs=outputs, body=body)

    @cached_property
    def heldout_digest(self) -> str:
        """Digest of the held-out examples' contents."""
        sets = {name: [example_to_json(p.example) for p in fitting] for name, (fitting, _) in self.heldout.items()}
        return digest_of(sets)

    def current(self, stage: str) -> StageResult | None:
        """What a stage left; None where it is not complete, or older than the policy that it starts from."""
        result = self.run.result(stage)
        if result is None or stage in (MODEL, policy_stage(OWN_PAIRS)):
            return result
        start = self.current(start_of(stage))
        fresh = start is not None and self.run.stages[stage].inputs["policy"] == policy_digest(start)
        return result if fresh else None

    def trained(self, name: str) -> StageResult:
        """The stage that made the policy of this name; raises UserError where it is still to be done."""
        stage = policy_stage(name)
        result = self.model if name == BASE else self.current(stage)
        if result is None:
            raise UserError(
                f"there is no policy of {name} yet: the stage {stage} is not complete, or older than what it starts "
                f"from. Do that stage first."
            )
        return result

    @property
    def policy_names(self) -> tuple[str, ...]:
        """Names of all policies that the run can have."""
        return (BASE, WARMUP, *(round_name(index) for index in range(self.config.rounds)), OWN_PAIRS)

    @property
    def newest(self) -> str:
        """Name of the newest policy of the run's own chain."""
        chain = self.policy_names[:-1]
        return [name for name in chain if name == BASE or self.current(policy_stage(name))][-1]

    def check_name(self, option: str, name: str) -> None:
        """Raises UserError unless the run can have a policy of the name that an option gives."""
        if name not in self.policy_names:
            done = [known for known in self.policy_names if known == BASE or self.current(policy_stage(known))]
            raise UserError(f"{option}={name}: the policies of this run so far are {', '.join(done)}.")

    def loaded(self, name: str) -> Loaded:
        """The policy of this name as a model by itself, with all that ends its answers."""
        policy = self.policy(name)
        if name == BASE:
            policy = Policy(Decoder(policy.config), policy.params)
        named = self.model.summary.get("stop_tokens", ())  # of a run by an older version: none
        stops = dict.fromkeys((self.dialect.tokenizer.end_of_turn_id, self.dialect.end_of_turn, *named))
        return Loaded(policy, self.dialect.tokenizer, tuple(stops))

    def policy(self, name: str) -> Policy:
        """The policy of this name: base, warmup, round_NNN or own_pairs."""
        return self.base if name == BASE else self.load(self.trained(name).paths["checkpoint"])

    def own_trees(self, trees: int, key: str, cohorts: int = 1) -> int:
        """This process's share of so many trees; raises UserError where they do not divide over its devices.

        key  where their number stands in the config
        """
        return own_places(trees, cohorts, processes.own_mesh(self.mesh), f"config.{key}", processes.count())

    def sampler(
        self,
        policy: Policy,
        examples: Sequence[Prepared],
        trees: int,
        key: str,
        *,
        branches: int,
        arena_tokens: int,
        seed: int,
        longest: int = 0,
        cohorts: int = 1,
    ) -> TreeSampler:
        """A sampler whose arenas hold the longest of these prompts, and `longest` tokens, in steps of 64 columns.

        trees  of all processes together;  key  where their number stands in the config
        """
        longest = max(longest, *(len(p.prompt) for p in examples))
        cfg = SamplerConfig(
            trees=self.own_trees(trees, key, cohorts),
            branches=branches,
            prompt_columns=prompt_columns(longest),
            arena_columns=arena_tokens,
            stop_tokens=(self.dialect.end_of_turn,),
            cohorts=cohorts,
        )
        return TreeSampler(policy, cfg, seed=seed, mesh=self.mesh)


def policy_digest(result: StageResult) -> str:
    """Digest of the policy that a stage made."""
    return result.digests[MODEL if result.name == MODEL else "checkpoint"]
