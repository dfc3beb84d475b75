"""A plan: every program of every stage with what it needs on each device, and whether that fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ml_collections import ConfigDict

from itool_jax.models.policy import run_as
from itool_jax.plan.abstract import abstract_policy, vocabulary
from itool_jax.plan.compiler import Compiled, OutOfMemory, compile_program
from itool_jax.plan.memory import Estimate, estimate, live
from itool_jax.plan.programs import Lengths, Program, lengths, stage_programs, stages_of
from itool_jax.plan.target import Target
from itool_jax.progress import note
from itool_jax.training.flops import Flops, matmul_flops


@dataclass(frozen=True)
class ProgramPlan:
    """One program; bytes are those of each device, FLOPs those of a call on all of them together.

    tokens    that a call reads, padding included
    compiled  the compiler's word, where it was asked
    """

    name: str
    tokens: int
    flops: Flops
    estimate: Estimate
    compiled: Compiled | OutOfMemory | None

    @property
    def peak(self) -> int:
        """The compiler's figure where there is one, else the estimate."""
        return self.compiled.peak if isinstance(self.compiled, Compiled) else self.estimate.peak

    @property
    def needs(self) -> int:
        """The peak, and what else of the stage lies beside the program."""
        return self.peak + sum(self.estimate.beside.values())

    def fits(self, hbm: int) -> bool:
        return not isinstance(self.compiled, OutOfMemory) and self.needs <= hbm


Stages = Mapping[str, Sequence[ProgramPlan]]


@dataclass(frozen=True)
class Plan:
    """Stages in the order of a run.

    left_out     stages of the run that were not asked for
    assumptions  what the figures take for granted, in words
    """

    target: Target
    stages: Stages
    left_out: Sequence[str]
    assumptions: Sequence[str]

    @property
    def fits(self) -> bool:
        return all(program.fits(self.target.hbm) for programs in self.stages.values() for program in programs)


def make_plan(config: ConfigDict, target: Target, prompt: int | None = None, only: Sequence[str] = ()) -> Plan:
    """The plan of a config on a target, for prompts of `prompt` tokens; `only` names stages, () is all.

    Programs are compiled where the target has a compiler. Raises UserError where the config cannot be run there.
    """
    data = lengths(config, prompt)
    policy = abstract_policy(config)
    policy = run_as(policy, attention=policy.config.attention or target.attention)
    made = stage_programs(config, policy, target.mesh, data, only)
    stages = {name: [_planned(program, target) for program in programs] for name, programs in made.items()}
    left_out = [name for name in stages_of(config) if name not in stages]
    return Plan(target, stages, left_out, _assumptions(config, data, prompt is None))


def _planned(program: Program, target: Target) -> ProgramPlan:
    traced = program.trace()
    jaxpr, reads = live(traced.jaxpr)
    compiled = None
    if target.compiles:
        note(f"the TPU compiler is at work on: {program.name}")
        compiled = compile_program(traced, target)
    return ProgramPlan(
        program.name, program.tokens, matmul_flops(jaxpr), estimate(program, target, jaxpr, reads), compiled
    )


def _assumptions(config: ConfigDict, data: Lengths, derived: bool) -> list[str]:
    source = "config.warmup.row_tokens less the answer; --prompt-tokens sets another" if derived else "--prompt-tokens"
    return [
        f"prompts of up to {data.prompt:,} tokens ({source}), answers of up to {data.answer:,} "
        "(config.round.search.answer_tokens)",
        f"a vocabulary of {vocabulary(config):,}; rounds as the first one; every row full",
        "FLOPs are those of matrix products, attention over blocks on and below the diagonal of a row, what "
        "rematerialisation computes again included",
    ]
