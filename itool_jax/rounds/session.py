"""What the stages of a run share: its data as token ids, its dialect, and the policy that each stage starts from."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

from etils import epath
from jax.sharding import Mesh

from itool_jax.config import round_name
from itool_jax.data.chat import chat_format
from itool_jax.data.example import Example
from itool_jax.data.jsonl import example_to_json
from itool_jax.data.prepared import Dialect, Prepared, prepare_all
from itool_jax.errors import UserError
from itool_jax.models.policy import Policy
from itool_jax.parallel.mesh import make_mesh
from itool_jax.progress import note
from itool_jax.rounds.base_model import load_base, write_base
from itool_jax.rounds.inputs import heldout_examples, heldout_names, training_examples
from itool_jax.rounds.run_directory import RunDirectory, digest_of
from itool_jax.rounds.stage import Stage, StageResult
from itool_jax.training.checkpoints import load_policy, save_policy


@dataclass(frozen=True)
class TrainingData:
    """Examples of the warm-up and of the buffer that rounds select from, and what was left out of both."""

    warmup: tuple[Prepared, ...]
    buffer: tuple[Prepared, ...]
    too_long: tuple[str, ...]


class Session:
    """A run directory with everything its stages need, each made when it is first asked for."""

    def __init__(self, run: RunDirectory):
        self.run, self.config = run, run.config

    @cached_property
    def mesh(self) -> Mesh:
        return make_mesh(**self.config.mesh)

    @cached_property
    def model(self) -> StageResult:
        """The stage "model": the tokenizer and the base weights as the run uses them."""

        def body(stage: Stage):
            return write_base(self.config, self._training_examples, stage.output("model"))

        return self.run.stage("model", inputs={}, outputs={"model": "model"}, body=body)

    @cached_property
    def _base(self) -> tuple[Policy, Dialect]:
        policy, tokenizer = load_base(self.config, self.model.paths["model"])
        return policy, Dialect(tokenizer, chat_format(self.config.data.chat))

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
        return load_policy(directory, self.base.config, self.base)

    @cached_property
    def _training_examples(self) -> list[Example]:
        return training_examples(self.config)

    @cached_property
    def training(self) -> TrainingData:
        """The training examples in a random but fixed order: the warm-up takes the head of it, the buffer the tail."""
        data = self.config.data
        prepared, too_long = prepare_all(self._training_examples, self.dialect, self.base.config.context)
        if not prepared:
            raise UserError(
                f"none of the {len(too_long)} training examples fits the model's {self.base.config.context} tokens."
            )
        if too_long:
            note(f"{len(too_long)} training examples are longer than the model's context and are left out")
        order = sorted(prepared, key=lambda p: (zlib.crc32(f"split {self.config.seed} {p.id}".encode()), p.id))
        head, tail = round(len(order) * data.warmup_share), round(len(order) * data.buffer_share)
        return TrainingData(tuple(order[:head]), tuple(order[len(order) - tail :]), tuple(too_long))

    @cached_property
    def heldout(self) -> Mapping[str, tuple[list[Prepared], list[str]]]:
        """By name of the set: its examples, and the ids of those that do not fit the model with an answer."""
        cfg, names = self.config.evaluate, heldout_names(self.config)
        if unknown := [name for name in cfg.sets if name not in names]:
            raise UserError(f"config.evaluate.sets names {unknown[0]!r}, but the held-out sets are {', '.join(names)}.")
        return {name: self._fitting(heldout_examples(self.config, name)) for name in cfg.sets or names}

    def _fitting(self, examples: Iterable[Example]) -> tuple[list[Prepared], list[str]]:
        cfg, context = self.config.evaluate, self.base.config.context
        prepared = [self.dialect.prepare(example) for example in islice(examples, cfg.limit or None)]
        fits = [len(p.prompt) + cfg.answer_tokens <= context for p in prepared]
        too_long = [p.id for p, fit in zip(prepared, fits, strict=True) if not fit]
        return [p for p, fit in zip(prepared, fits, strict=True) if fit], too_long

    @cached_property
    def data_digest(self) -> str:
        """Digest of the training examples' contents."""
        return digest_of([example_to_json(example) for example in self._training_examples])

    def policy_digest(self, index: int) -> tuple[str, str]:
        """Stage name and digest of the policy that round `index` starts from."""
        name = "warmup/hard" if index == 0 else f"{round_name(index - 1)}/prefer"
        result = self.run.result(name)
        if result is None:
            raise UserError(
                f"round {index} starts from the result of {name}, which is not complete: do that stage first."
            )
        return name, result.digests["checkpoint"]

    def policy_before(self, index: int) -> Policy:
        """The policy that round `index` starts from."""
        name, _ = self.policy_digest(index)
        result = self.run.result(name)
        assert result is not None
        return self.load(result.paths["checkpoint"])
