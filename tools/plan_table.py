"""The table of docs/plan.md: what the shown configs need on TPU slices, by shapes and by the TPU compiler.

    python tools/plan_table.py --out=runs/plans

A plan that lies in the folder already is not made again. One compiles for some minutes on two cores.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from itool_jax.cli import main as itool

CONFIGS = {
    "Llama-3.1-8B, LoRA": "configs/llama3_1_8b.py",
    "Llama-3.1-8B, full": "configs/llama3_1_8b.py:full",
    "Qwen2.5-7B, LoRA": "configs/qwen2_5_7b.py",
    "Qwen2.5-7B, full": "configs/qwen2_5_7b.py:full",
}
TOPOLOGIES = ("v5e:4x4", "v6e:4x4", "v5p:2x2x2")
SHOWN = ("SFT step", "scored batch", "prompts", "decoded tokens", "compaction", "simpo step")
GIB = 2**30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for the plans as JSON")
    parser.add_argument("--only", default="", help="plan only what has this in its name")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    print(f"| model | slice | {' | '.join(SHOWN)} | fits | s a step |")
    print("|---" * (len(SHOWN) + 4) + "|")
    for name, config in CONFIGS.items():
        for topology in TOPOLOGIES:
            file = options.out / f"{name} {topology}.json".replace(" ", "_").replace(":", "_")
            if options.only in file.name:
                print(row(name, topology, planned(file, config, topology)), flush=True)


def planned(file: Path, config: str, topology: str) -> dict[str, Any]:
    """The plan in this file, made if there is none."""
    if not file.exists():
        text = io.StringIO()
        with contextlib.redirect_stdout(text):
            itool(["plan", f"--config={config}", f"--topology={topology}", "--json"])
        file.write_text(text.getvalue())
    return json.loads(file.read_text())


def row(name: str, topology: str, plan: dict[str, Any]) -> str:
    """Peaks by the compiler in GiB, and how far the estimate is from them."""
    programs = {program["program"]: program for program in programs_of(plan)}
    cells = [peak(programs[program]) for program in SHOWN]
    over = {
        stage: max(p["needs"] for p in of) for stage, of in plan["stages"].items() if not all(p["fits"] for p in of)
    }
    fits = "yes" if plan["fits"] else "no: " + ", ".join(f"{stage} {need / GIB:.1f}" for stage, need in over.items())
    compiled = programs["SFT step"]["compiled"]
    seconds = f"{compiled['seconds']:.2f}" if "seconds" in compiled else "–"
    return f"| {name} | {topology} | {' | '.join(cells)} | {fits} | {seconds} |"


def programs_of(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for programs in plan["stages"].values():
        yield from programs


def peak(program: dict[str, Any]) -> str:
    estimate, compiled = program["estimate"], program["compiled"]
    if "peak" not in compiled:
        return f"refused (shapes: {estimate['peak'] / GIB:.2f})"
    same = "" if compiled["arguments"] == sum(estimate["arguments"].values()) else " (arguments differ)"
    return f"{compiled['peak'] / GIB:.2f} ({estimate['peak'] / compiled['peak'] - 1:+.0%}){same}"


if __name__ == "__main__":
    main()
