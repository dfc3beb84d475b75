"""What the TPU compiler says of the stages of the shipped TPU configs: what fits, peaks, times, collectives.

    python tools/compile_tpu.py --out=runs/tpu                             everything: hours on two cores
    python tools/compile_tpu.py --out=runs/tpu --config=configs/qwen3_8b.py --mode=v5e-16 --stage=sft
    python tools/compile_tpu.py --out=runs/tpu --config=configs/quickstart.py --topology=v5e:2x2

It needs the extra `tpu` and no TPU. Each stage's plan lies in the folder as JSON once it is made, and is not made again
while config, topology and compiler are the same: a second call goes on where the first stopped. After a change of the
code take another folder. A line for each program is printed as it is compiled, at the end the table of docs/scaling.md,
and how far estimates by shapes are from the compiler's peaks. Exit status 1 where something does not fit.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax

from itool_jax.config_large import ADAPTERS, MACHINES, MODES, machine_of
from itool_jax.config_loading import config_to_json, load_config
from itool_jax.errors import UserError
from itool_jax.plan.abstract import require_own_weights
from itool_jax.plan.layout import require_layout
from itool_jax.plan.plan import make_plan
from itool_jax.plan.programs import STAGES, stages_of
from itool_jax.plan.show import to_json
from itool_jax.plan.target import GIB, topology_devices, topology_target

SHIPPED = {
    **{f"configs/{model}.py": MODES for model in ("llama3_1_8b", "qwen2_5_7b", "qwen3_8b")},
    "configs/paper.py": ADAPTERS,
}


class Case(NamedTuple):
    """A config with its mode on a topology."""

    file: str
    mode: str
    topology: str

    @property
    def spec(self) -> str:
        return f"{self.file}:{self.mode}" if self.mode else self.file

    @property
    def name(self) -> str:
        return f"{Path(self.file).stem}{self.mode and f'.{self.mode}'}.{self.topology.replace(':', '_')}"


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    jax.config.update("jax_platforms", "cpu")
    options.out.mkdir(parents=True, exist_ok=True)
    plans: dict[Case, dict[str, Any]] = {}
    for case in cases(options.config, options.mode, options.topology):
        for stage in options.stage or STAGES:
            made = planned(options.out, case, stage)
            for program in made:
                print(f"{case.spec} {case.topology} {stage}: {in_words(program)}", flush=True)
            plans.setdefault(case, {})[stage] = made
    programs = [program for of in plans.values() for made in of.values() for program in made]
    print("\n" + "\n".join(table(plans)) + "\n\n" + agreement(programs))
    return 0 if all(program["fits"] for program in programs) else 1


def cases(files: Sequence[str], modes: Sequence[str], topology: str | None) -> list[Case]:
    """Shipped configs in the modes that are for TPUs; with a topology, any config on that."""
    if topology:
        return [Case(file, mode, topology) for file in files or SHIPPED for mode in modes or [""]]
    if strange := [file for file in files if file not in SHIPPED]:
        raise UserError(f"--config={strange[0]} has no machine by its mode: give --topology=v5e:4x4 too.")
    found = [
        Case(file, mode, machine_of(mode).topology)
        for file in files or SHIPPED
        for mode in SHIPPED[file]
        if (not modes or mode in modes) and machine_of(mode).topology
    ]
    if not found:
        tpus = [name for name, machine in MACHINES.items() if machine.topology]
        raise UserError(f"--mode={modes[0]} is for no TPU: modes are {', '.join(tpus)}, each also with -full.")
    return found


def planned(folder: Path, case: Case, stage: str) -> list[dict[str, Any]]:
    """Programs of a stage as the folder has them, or newly compiled; none where the config has no such stage."""
    config = load_config(case.spec)
    if stage not in stages_of(config):
        return []
    file = folder / f"{case.name}.{stage}.json"
    key = {
        "config": hashlib.sha256(json.dumps(config_to_json(config), sort_keys=True).encode()).hexdigest(),
        "topology": case.topology,
        "versions": {name: importlib.metadata.version(name) for name in ("jax", "libtpu")},
    }
    if file.exists() and (kept := json.loads(file.read_text()))["of"] == key:
        return kept["stages"][stage]
    require_own_weights(config.model)
    require_layout(config, len(topology_devices(case.topology)), (stage,))
    began = time.monotonic()
    made = to_json(make_plan(config, topology_target(config.mesh, case.topology, None), only=(stage,)), None)
    written = file.with_suffix(".partial")
    written.write_text(json.dumps({"of": key, "seconds": time.monotonic() - began, **made}, indent=1))
    written.rename(file)
    return made["stages"][stage]


def in_words(program: dict[str, Any]) -> str:
    """One program in a line: whether it fits, its peak, time and collectives."""
    compiled, shapes = program["compiled"], program["estimate"]["peak"]
    fits = "fits" if program["fits"] else "DOES NOT FIT"
    if "out_of_memory" in compiled:
        return f"{program['program']}: {fits}, refused; {shapes / GIB:.2f} GiB by shapes"
    seconds = f"{compiled['seconds']:.3g} s" if compiled["seconds"] else "no time"
    without = f" without {compiled['untimed']:,} operations" if compiled["untimed"] else ""
    sent = ", ".join(
        f"{one['calls']:,} {kind} of {one['bytes'] / GIB:,.2f} GiB" for kind, one in compiled["collectives"].items()
    )
    return (
        f"{program['program']}: {fits}, peak {compiled['peak'] / GIB:.2f} GiB "
        f"(by shapes {shapes / compiled['peak'] - 1:+.0%}), needs {program['needs'] / GIB:.2f}, {seconds}{without}, "
        f"{sent or 'no collectives'}"
    )


def table(plans: dict[Case, dict[str, Any]]) -> Iterator[str]:
    """A row for each case: GiB that each stage needs at most on a chip, and a training step's time and collectives."""
    stages = [stage for stage in STAGES if any(stage in of for of in plans.values())]
    yield f"| config | slice | {' | '.join(stages)} | fits | s a step | GiB gathered, reduced, other |"
    yield "|---" * (len(stages) + 5) + "|"
    for case, of in plans.items():
        needs = [f"{max(p['needs'] for p in of[stage]) / GIB:.2f}" if of.get(stage) else "–" for stage in stages]
        short = [p["program"] for made in of.values() for p in made if not p["fits"]]
        step = next((made[0]["compiled"] for stage, made in of.items() if stage in ("sft", "prefer") and made), {})
        time = f"{step['seconds']:.2f}" if step.get("seconds") else "–"
        name = f"{Path(case.file).stem}{case.mode and f':{case.mode}'}"
        fits = f"no: {', '.join(short)}" if short else "yes"
        yield f"| {name} | {case.topology} | {' | '.join(needs)} | {fits} | {time} | {sent_in(step)} |"


def agreement(programs: Sequence[dict[str, Any]]) -> str:
    """How far estimates by shapes are from what the compiler says, over all programs that it compiled."""
    compiled = [program for program in programs if "out_of_memory" not in program["compiled"]]
    said = f"{len(compiled)} of {len(programs)} programs compiled"
    if not compiled:
        return said
    off = [program["estimate"]["peak"] / program["compiled"]["peak"] - 1 for program in compiled]
    exact = sum(sum(one["estimate"]["arguments"].values()) == one["compiled"]["arguments"] for one in compiled)
    bounds = f"peaks by shapes are {min(off):+.0%} to {max(off):+.0%} off the compiler's"
    return f"{said}: {bounds}, arguments agree to the byte in {exact}"


def sent_in(step: dict[str, Any]) -> str:
    """What collectives of a step give each chip, in GiB: gathers, reductions, and all others."""
    if "collectives" not in step:
        return "–"
    sums = {"all-gather": 0, "all-reduce": 0, "": 0}
    for kind, one in step["collectives"].items():
        as_what = "all-reduce" if kind == "reduce-scatter" else kind
        sums[as_what if as_what in sums else ""] += one["bytes"]
    return ", ".join(f"{size / GIB:.1f}" for size in sums.values())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the plans as JSON")
    parser.add_argument("--config", action="append", default=[], metavar="FILE", help="this config; may be repeated")
    parser.add_argument("--mode", action="append", default=[], metavar="MODE", help="this mode; may be repeated")
    parser.add_argument("--stage", action="append", choices=STAGES, help="this stage; may be repeated")
    parser.add_argument("--topology", metavar="NAME", help="compile for this one, such as v5e:2x2, any config")
    return parser


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UserError as error:
        sys.exit(f"compile_tpu: {error}")
