"""Figures 1 to 3: steps of this project against separate rows, and against TRL and Tunix."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from etils import epath

from itool_jax.errors import UserError
from itool_jax.forest import TokenTree
from itool_jax.models.hf import save_hf
from itool_jax.models.policy import Policy
from itool_jax.training.objectives import preference
from itool_jax.training.preference_data import with_reference
from served.process import Process
from side_by_side import alternate
from training_figures.ours import (
    DPO,
    PAIRS_AT_ONCE,
    SIMPO,
    Training,
    apart,
    forest_batch,
    gradient,
    on_forests,
    on_packed_rows,
    on_separate_rows,
    separate_batch,
    separate_simpo,
)
from training_figures.workload import Pairs

# Ratios to reach, by case and other side.
SEPARATE_TARGETS = {"B": 5.0, "B2048": 9.0}
FRAMEWORK_TARGETS = {"B": {"TRL simpo": 7.0, "TRL dpo": 7.0, "Tunix dpo": 7.0}}
SFT_TARGETS = {"15M": 1.2}
SAME_GRADIENT = 1e-4  # relative norm of a difference that is rounding, in f32
SAME_LOSS = 1e-3
OURS = "itool_jax"

Say = Callable[[str], None]


def against_separate_rows(name: str, policy: Policy, work: Pairs, repeats: int, say: Say) -> dict[str, Any]:
    """Figure 1: pairs a second of forest rows, and of rows of a prompt with a side; the gradients have to be equal."""
    groups = work.groups(policy.config.vocab_size)
    difference = apart(
        gradient(policy, separate_simpo, separate_batch(groups)),
        gradient(policy, preference("simpo", **SIMPO), forest_batch(groups, work.row_tokens)),
    )
    say(f"{name}: gradients are {difference:.1e} apart")
    if not difference <= SAME_GRADIENT:
        raise UserError(f"the gradients of both sides differ by {difference:.3g} of their norm: they train otherwise.")
    sides = {OURS: on_forests(policy, work, "simpo", SIMPO), "separate rows": on_separate_rows(policy, work)}
    for side in sides.values():
        side.run()
    times = alternate(
        {side: training.seconds for side, training in sides.items()}, repeats, lambda line: say(f"{name}: {line}")
    )
    target = {"separate rows": SEPARATE_TARGETS[name]} if name in SEPARATE_TARGETS else {}
    return _figure(times, work.count, "pairs_per_second", target, repeats) | {
        "sizes": work.sizes() | {"pairs_at_once": PAIRS_AT_ONCE},
        "gradients_apart": difference,
    }


def against_frameworks(
    name: str, policy: Policy, work: Pairs, pythons: Mapping[str, str], repeats: int, say: Say
) -> dict[str, Any]:
    """Figure 2: pairs a second against TRL's CPOTrainer (simpo) and DPOTrainer, and Tunix's DPOTrainer.

    Losses before the first step have to be the others', and where they tell it the norm of the gradient.
    """
    groups = work.groups(policy.config.vocab_size)
    of_start = with_reference(policy, groups, work.row_tokens, work.trees)
    pairs = [
        {"prompt": group.prompt, "chosen": pair.sides[0], "rejected": pair.sides[1]}
        for group in groups
        for pair in group.pairs
    ]
    rows = min(PAIRS_AT_ONCE, len(pairs))
    ask: dict[str, Any] = {"pairs": pairs, "rows": rows, "accumulate": len(pairs) // rows, "steps": 1}
    training = lambda loss, settings, of: Training(
        policy, preference(loss, **settings), [forest_batch(of, work.row_tokens)]
    )
    sides = {
        "TRL simpo": ("trl", training("simpo", SIMPO, groups), {"kind": "simpo", **SIMPO}),
        "TRL dpo": ("trl", training("dpo", DPO, of_start), {"kind": "dpo", **DPO}),
        "Tunix dpo": ("tunix", training("dpo", DPO, groups), {"kind": "dpo", **DPO}),
    }
    results, left_out = {}, {}
    with ExitStack() as stack:
        processes = _started(stack, policy, pythons)
        for side, (library, ours, settings) in sides.items():
            if library not in processes:
                left_out[side] = f"left out: --{library}-python names no environment with it"
                continue
            theirs = lambda process=processes[library], settings=settings: process.ask(**ask, **settings)
            first, found = ours.run(), theirs()
            for what in ("loss", "grad_norm"):
                if found[what] is not None and not abs(first[what] - found[what]) <= SAME_LOSS * abs(first[what]):
                    raise UserError(
                        f"{side} computes another {what}: {found[what]:.6g}, and this project {first[what]:.6g}."
                    )
            say(f"{name}, {side}: {first['loss']:.6f} here, {found['loss']:.6f} there")
            runs = {OURS: ours.seconds, side: lambda theirs=theirs: theirs()["seconds"]}
            times = alternate(runs, repeats, lambda line, side=side: say(f"{name}, {side}: {line}"))
            goal = FRAMEWORK_TARGETS.get(name, {})
            results[side] = _figure(times, work.count, "pairs_per_second", goal, repeats)
        versions = {library: process.versions for library, process in processes.items()}
    return results | {"sizes": work.sizes(), "versions": versions, "left_out": left_out}


def sft_against_trl(
    name: str,
    policy: Policy,
    trees: Sequence[TokenTree],
    row_tokens: int,
    steps: int,
    python: str,
    repeats: int,
    say: Say,
) -> dict[str, Any]:
    """Figure 3: tokens of conversations a second, on packed rows, one in a step; of both sides answers are trained."""
    if not python:
        return {"left_out": "left out: --trl-python names no environment with trl==1.16"}
    ours, tokens = on_packed_rows(policy, trees, row_tokens, steps)
    ours.run()
    said = [{"prompt": tree.segments[0], "answer": tree.segments[1]} for tree in trees]
    counted: list[float] = []

    def seconds_of_as_many(process: Process) -> float:
        """What TRL takes for as many tokens as our rows hold: its rows may hold a few more or less."""
        found = process.ask(kind="sft", conversations=said, rows=1, accumulate=1, steps=steps, row_tokens=row_tokens)
        counted.append(found["tokens"])
        return found["seconds"] * tokens / found["tokens"]

    with ExitStack() as stack:
        process = _started(stack, policy, {"trl": python})["trl"]
        runs = {OURS: ours.seconds, "TRL": lambda: seconds_of_as_many(process)}
        times = alternate(runs, repeats, lambda line: say(f"{name}: {line}"))
        versions = {"trl": process.versions}
    target = {"TRL": SFT_TARGETS[name]} if name in SFT_TARGETS else {}
    return _figure(times, tokens, "tokens_per_second", target, repeats) | {
        "sizes": {
            "conversations": len(trees),
            "row_tokens": row_tokens,
            "rows": steps,
            "tokens": tokens,
            "tokens_of_trl": counted,
            "filled": tokens / (steps * row_tokens),
        },
        "versions": versions,
    }


def _started(stack: ExitStack, policy: Policy, pythons: Mapping[str, str]) -> dict[str, Process]:
    """A process of each library that has an interpreter, with the policy's weights."""
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    save_hf(epath.Path(folder), policy)
    return {
        library: stack.enter_context(Process(f"{library}_train.py", python, f"--{library}-python", str(Path(folder))))
        for library, python in pythons.items()
        if python
    }


def _figure(times: dict[str, Any], work: int, unit: str, targets: Mapping[str, float], repeats: int) -> dict[str, Any]:
    """What was timed, with the ratios to this project's side; of the targets, those of sides that are there."""
    for one in times.values():
        one[unit] = work / one["median"]
    ratios = {side: one["median"] / times[OURS]["median"] for side, one in times.items() if side != OURS}
    targets = {side: target for side, target in targets.items() if side in ratios}
    return {"sides": times, "ratios": ratios, "targets": targets, "repeats": repeats}
