"""A plan as tables for people, and as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from itool_jax.plan.advice import MORE, Advice
from itool_jax.plan.compiler import Compiled, OutOfMemory
from itool_jax.plan.layout import as_flags
from itool_jax.plan.plan import Plan, ProgramPlan
from itool_jax.plan.target import GIB, Target, devices_in_words

TITLES = {"sft": "Warm-up SFT", "score": "Score", "search": "Search", "prefer": "Preference training"}
Programs = Sequence[ProgramPlan]
Row = tuple[str, Callable[[ProgramPlan], str]]


def show(plan: Plan, advice: Advice | None, console: Console) -> None:
    """Prints a table for each stage, a column for each of its programs, and then what to change."""
    sizes = " x ".join(f"{axis} {size}" for axis, size in plan.target.mesh.shape.items())
    verdict = "everything fits" if plan.fits else "NOT everything fits"
    _say(console, f"{plan.target.name} of {_gib(plan.target.hbm)} GiB, mesh {sizes}: {verdict}", "bold")
    for line in plan.assumptions:
        _say(console, f"  {line}", "dim")
    for name, programs in plan.stages.items():
        console.print(_table(TITLES[name], programs, plan.target))
        for program in programs:
            if isinstance(program.compiled, OutOfMemory):
                _say(console, f"{program.name}: the TPU compiler refuses it. {program.compiled.message}", "red")
    if advice is not None:
        heading, *lines = _advice(plan, advice)
        _say(console, heading, "bold")
        for line in lines:
            _say(console, f"  {line}")


def _advice(plan: Plan, advice: Advice) -> Iterator[str]:
    here, there = devices_in_words(plan.target.mesh.size), devices_in_words(advice.devices)
    if not advice.fits:
        yield f"Nothing that was tried fits, on {here} or up to {MORE[-1]} times as many. On {here} this needs least:"
    elif advice.devices != plan.target.mesh.size:
        yield f"Nothing that was tried fits on {here}. On {there} this fits:"
    elif advice.changes_method:
        yield "Settings that keep the results as they are are not enough. With others, that change the method, it fits:"
    else:
        yield "It fits with settings that keep the results as they are:"
    if advice.keeps_results:
        yield f"keeps the results: {as_flags(advice.keeps_results)}"
    if advice.changes_method:
        yield f"changes the method: {as_flags(advice.changes_method)}"
    if not advice.settings:
        yield "the config as it is"
    yield "GiB on each device then: " + ", ".join(f"{name} {_gib(need)}" for name, need in advice.needs.items())
    if plan.left_out:
        others = ", ".join(plan.left_out)
        yield f"(tried on the stages above alone; config.model and config.mesh are those of {others} too)"


def to_json(plan: Plan, advice: Advice | None) -> dict[str, Any]:
    """Sizes in bytes on each device, times in seconds, FLOPs over all devices."""
    return {
        "target": plan.target.name,
        "mesh": dict(plan.target.mesh.shape),
        "hbm": plan.target.hbm,
        "fits": plan.fits,
        "assumptions": list(plan.assumptions),
        "stages": {name: [_program_json(program, plan.target) for program in of] for name, of in plan.stages.items()},
        "advice": asdict(advice) if advice else None,
    }


def _program_json(program: ProgramPlan, target: Target) -> dict[str, Any]:
    compiled = program.compiled
    if isinstance(compiled, Compiled):
        found = {name: one._asdict() for name, one in compiled.collectives.items()}
        word = {**asdict(compiled), "collectives": found}
    else:
        word = {"out_of_memory": asdict(compiled)} if compiled else None
    estimate = program.estimate
    return {
        "program": program.name,
        "tokens": program.tokens,
        "flops": {**program.flops._asdict(), "total": program.flops.total},
        "estimate": {**asdict(estimate), "peak": estimate.peak},
        "compiled": word,
        "needs": program.needs,
        "fits": program.fits(target.hbm),
    }


def _table(title: str, programs: Programs, target: Target) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("GiB on each device")
    for program in programs:
        table.add_column(program.name, justify="right")
    for label, cell in (*_byte_rows(programs), *_verdict_rows(target), *_work_rows(target), *_compiler_rows(programs)):
        table.add_row(label, *(cell(program) for program in programs))
    return table


def _byte_rows(programs: Programs) -> list[Row]:
    def names(part: str) -> list[str]:
        return list(dict.fromkeys(name for program in programs for name in getattr(program.estimate, part)))

    def row(part: str, name: str, label: str) -> Row:
        return label, lambda program: _gib(getattr(program.estimate, part).get(name))

    rows = [row("arguments", name, name) for name in names("arguments")]
    rows += [row("kept", name, name) for name in names("kept")]
    rows += [row("working", name, f"temporary: {name}") for name in names("working")]
    rows.append(("peak by shapes", lambda program: _gib(program.estimate.peak)))
    if any(program.compiled for program in programs):
        rows.append(("peak by the TPU compiler", _compiled(lambda compiled: _gib(compiled.peak))))
    return rows + [row("beside", name, f"also held: {name}") for name in names("beside")]


def _verdict_rows(target: Target) -> list[Row]:
    return [
        ("needs", lambda program: _gib(program.needs)),
        (f"fits {_gib(target.hbm)}", lambda program: "yes" if program.fits(target.hbm) else "NO"),
    ]


def _work_rows(target: Target) -> list[Row]:
    devices = target.mesh.size
    rows: list[Row] = [
        ("tokens a call", lambda program: f"{program.tokens:,}" if program.tokens else "–"),
        ("TFLOP a call and device", lambda program: _figure(program.flops.total / devices / 1e12)),
        ("  of it attention", lambda program: _figure(program.flops.attention / devices / 1e12)),
    ]
    if target.chip:
        best = target.chip.flops
        rows.append(("s a call at best", lambda program: _figure(program.flops.total / devices / best)))
    return rows


def _compiler_rows(programs: Programs) -> list[Row]:
    compiled = [program.compiled for program in programs if isinstance(program.compiled, Compiled)]
    if not compiled:
        return []
    kinds = sorted({kind for one in compiled for kind in one.collectives})

    def collective(kind: str) -> Row:
        def cell(compiled: Compiled) -> str:
            one = compiled.collectives.get(kind)
            return f"{one.calls:,}: {one.bytes / GIB:,.2f} GiB" if one else "–"

        return kind, _compiled(cell)

    return [
        ("s a call, the compiler thinks", _compiled(lambda one: _figure(one.seconds) if one.seconds else "–")),
        ("  without operations", _compiled(lambda one: f"{one.untimed:,}" if one.untimed else "–")),
        *map(collective, kinds),
    ]


def _compiled(cell: Callable[[Compiled], str]) -> Callable[[ProgramPlan], str]:
    def of(program: ProgramPlan) -> str:
        if isinstance(program.compiled, Compiled):
            return cell(program.compiled)
        return "refused" if program.compiled else "–"

    return of


def _gib(count: int | None) -> str:
    if not count:
        return "–"
    return f"{count / GIB:,.2f}" if count >= GIB / 200 else "< 0.01"


def _figure(value: float) -> str:
    return f"{value:,.3g}" if value < 100 else f"{value:,.0f}"


def _say(console: Console, text: str, style: str = "") -> None:
    console.print(Text(text, style=style), soft_wrap=True)
