"""The command line: `itool-jax COMMAND --config=FILE[:MODE] --workdir=DIR [--config.a.b=value ...]`."""

from __future__ import annotations

import argparse
import difflib
import importlib
import os
import sys
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, NoReturn

from itool_jax.errors import UserError
from itool_jax.stopping import Stopped, stopped_by_signals

BAD_INPUT, INTERRUPTED = 2, 130
STOPPED = 75  # EX_TEMPFAIL of sysexits.h, "try again later": a launcher can tell it from failure


@dataclass(frozen=True)
class Command:
    """A command that works in a run directory: `itool_jax.rounds.<module>.command(run, **options)` does it.

    options  arguments of its own beside --config, --workdir and --redo, as argparse takes them
    writes   it does stages, so it locks the run directory
    """

    module: str
    help: str
    options: dict[str, dict[str, Any]] = field(default_factory=dict)
    writes: bool = True


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected a whole number from 0, found {text!r}")
    return int(text)


_ROUND = {"--round": {"type": int, "metavar": "N", "help": "which round, from 0 (default: the first that lacks this)"}}
COMMANDS = {
    "run": Command("loop", "the whole loop: warm-up, rounds, evaluation, report"),
    "warmup": Command("warmup", "easy-to-hard supervised fine-tuning, up to the model that the rounds start from"),
    "score": Command("score", "perplexity of the buffer's answers under the current policy, and the selection", _ROUND),
    "search": Command("search", "tree search around the policy's answers, and the preference pairs", _ROUND),
    "prefer": Command(
        "prefer",
        "preference training on the pairs of a round, or on your own",
        {
            **_ROUND,
            "--pairs": {"metavar": "FILE", "help": "train on these pairs instead: JSONL with prompt, chosen, rejected"},
            "--start": {"metavar": "NAME", "help": "with --pairs: base, warmup or round_NNN (default: the newest)"},
        },
    ),
    "evaluate": Command(
        "evaluate",
        "right answers and error kinds on the held-out sets, or on benchmarks",
        {
            "--checkpoint": {"metavar": "NAME", "help": "base, warmup or round_NNN (default: all that the run has)"},
            "--benchmark": {
                "metavar": "NAME[:PART,...]",
                "action": "append",
                "default": [],
                "help": "instead of the held-out sets: bfcl:simple_python,multiple or bfcl:live or "
                "api_bank:level_1, ...; may be repeated",
            },
            "--limit": {"type": _count, "metavar": "N", "help": "with --benchmark: a fixed sample of N per category"},
        },
    ),
    "export": Command(
        "export",
        "a policy as a Hugging Face directory or a PEFT adapter, with a model card",
        {
            "--out": {"metavar": "DIR", "required": True, "help": "folder for the model: a new name, or an empty one"},
            "--checkpoint": {"metavar": "NAME", "help": "base, warmup, round_NNN or own_pairs (default: the newest)"},
            "--adapter": {
                "action": "store_true",
                "help": "the LoRA adapters alone, for PEFT, without the weights",
            },
            "--dtype": {
                "choices": ("float32", "bfloat16"),
                "help": "of the weights (default: config.model.dtype; of adapters float32)",
            },
        },
        writes=False,
    ),
    "report": Command(
        "report",
        "what a run reached: a table here and report.html in the run directory",
        {"--json": {"action": "store_true", "help": "print the figures as JSON instead of the table"}},
        writes=False,
    ),
}

_EPILOG = """examples:
  itool-jax run --config=configs/quickstart.py --workdir=runs/quickstart
  itool-jax run --config=configs/quickstart.py:smoke --workdir=runs/smoke --config.seed=1
  itool-jax report --workdir=runs/quickstart --json
  itool-jax export --workdir=runs/quickstart --out=exported --dtype=bfloat16
  itool-jax plan --config=configs/llama3_1_8b.py --topology=v5e:4x4

A run that was stopped goes on with the same command. `itool-jax COMMAND --help` tells a command's options.
"""
_CHAT_HELP = "talk to a model with tools, and see the calls that it makes; nothing is executed"
_CHAT_EPILOG = """examples:
  itool-jax chat --model=smollm2_135m --tools=tools.json
  itool-jax chat --workdir=runs/quickstart --checkpoint=warmup --tools=tools.json --once "Rain in Oslo?" --json
"""
SOURCES = ("toolace", "xlam", "glaive", "hermes", "seal_tools", "sgd", "api_bank", "toolrl", "jsonl")
_PATH_HELP = "a file, a folder with files of the source, or hub:OWNER/NAME[@REVISION][/CONFIG][:SPLIT]"
_AGAINST_HELP = "evaluation data: such a path, bfcl:CATEGORY[,...] or api_bank:level_1[,level_2]"
_THRESHOLD_HELP = "share of its words, in runs of three, from which a text counts as repeated (default 0.7)"
_PLAN_HELP = "what each stage would need in memory and FLOPs on accelerators that need not be there"
_CONFIG_HELP = "Any key of the config can be set by --config.a.b=value; itool_jax/config.py lists them all."


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command line and returns its exit status.

    0; 2 on bad input, told in a paragraph; 130 if interrupted; 75 where a signal asked it to stop (`stopping.SIGNALS`).
    """
    try:
        return _run(list(sys.argv[1:] if arguments is None else arguments))
    except UserError as error:
        print(f"itool-jax: {' '.join(str(error).split())}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print("\nitool-jax: interrupted; run the same command to go on", file=sys.stderr)
        return INTERRUPTED
    except Stopped as stopped:
        print(f"\nitool-jax: stopped by {stopped}; run the same command to go on", file=sys.stderr)
        return STOPPED
    except BrokenPipeError:  # the reader of our output, such as `head`, has gone; spare the flush at exit its error
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _run(arguments: list[str]) -> int:
    overrides = [argument for argument in arguments if argument.startswith("--config.")]
    try:
        options = _parser().parse_args([argument for argument in arguments if argument not in overrides])
    except SystemExit as end:  # --help
        return int(end.code or 0)
    if options.command == "chat":
        if overrides:
            raise UserError(f"{overrides[0]}: `itool-jax chat` takes no config; see itool-jax chat --help")
        return _chat(options)
    if options.command == "data":
        if options.action == "prepare":
            return _prepare(options, overrides)
        if overrides:
            raise UserError(f"{overrides[0]}: `itool-jax data` takes no config; see itool-jax data --help")
        return _run_data(options)
    if options.command == "plan":
        return _plan(options, overrides)
    with stopped_by_signals() if COMMANDS[options.command].writes else nullcontext():
        return _run_command(COMMANDS[options.command], options, overrides)


def _run_command(command: Command, options: argparse.Namespace, overrides: list[str]) -> int:
    from itool_jax.config_loading import load_config
    from itool_jax.rounds.run_directory import open_run, read_run

    if overrides and not options.config:
        raise UserError(f"{overrides[0].partition('=')[0]} changes a config: give --config=FILE too")
    config = load_config(options.config, overrides) if options.config else None
    own = {name.lstrip("-"): getattr(options, name.lstrip("-")) for name in command.options}
    with (
        _joined(options) if command.writes else nullcontext(),
        open_run(options.workdir, config) if command.writes else read_run(options.workdir, config) as run,
    ):
        _check_round(own.get("round"), run.config.rounds)
        for stage in options.redo if command.writes else ():
            _check_complete(stage, run.stages)
            run.forget(stage)
        importlib.import_module(f"itool_jax.rounds.{command.module}").command(run, **own)
    return 0


def _joined(options: argparse.Namespace) -> AbstractContextManager[None]:
    """Becomes one of several processes, where the command line says so; their work is to be done in the context."""
    named = (options.coordinator, options.processes, options.process)
    if any(value is not None for value in named) and None in named:
        raise UserError("--coordinator, --processes and --process go together: give all three, or --distributed.")
    if options.distributed and options.coordinator:
        raise UserError("--distributed finds out what --coordinator, --processes and --process say: leave them out.")
    if options.distributed or options.coordinator:
        from itool_jax.parallel.processes import join, last_words

        join(*named)
        return last_words()
    return nullcontext()


def _check_round(index: int | None, rounds: int) -> None:
    if index is not None and not 0 <= index < rounds:
        raise UserError(f"--round={index}: config.rounds is {rounds}, so rounds count from 0 to {rounds - 1}")


def _check_complete(stage: str, stages: Collection[str]) -> None:
    if stage not in stages:
        near = difflib.get_close_matches(stage, stages, n=1)
        hint = f"Did you mean {near[0]}?" if near else f"It has {', '.join(stages) or 'none yet'}."
        raise UserError(
            f"--redo={stage}: the run has no such complete stage. {hint} "
            "If it is being done again already, leave --redo out to go on with it."
        )


def _run_data(options: argparse.Namespace) -> int:
    from itool_jax import data_commands

    own = {name: value for name, value in vars(options).items() if name not in ("command", "action")}
    return getattr(data_commands, options.action)(**own)


def _chat(options: argparse.Namespace) -> int:
    from itool_jax.chat.command import chat

    return chat(**{name: value for name, value in vars(options).items() if name != "command"})


def _prepare(options: argparse.Namespace, overrides: list[str]) -> int:
    from itool_jax.data_prepare import prepare

    return prepare(options.config, overrides, options.out)


def _plan(options: argparse.Namespace, overrides: list[str]) -> int:
    from itool_jax.plan_command import plan

    own = {name: value for name, value in vars(options).items() if name != "command"}
    return plan(overrides=overrides, **own)


def _share(text: str) -> float:
    try:
        if 0 <= float(text) <= 1:
            return float(text)
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"expected a share from 0 to 1, found {text!r}")


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, found {text!r}")
    return int(text)


def _temperature(text: str) -> float:
    try:
        if 0 <= float(text) < float("inf"):
            return float(text)
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"expected a number from 0, found {text!r}")


def _above_zero(text: str) -> float:
    try:
        if 0 < float(text) < 1e6:
            return float(text)
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"expected a number above 0, found {text!r}")


class _Parser(argparse.ArgumentParser):
    def __init__(self, **settings: Any):
        super().__init__(allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter, **settings)

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; see {self.prog} --help")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="itool-jax",
        description="Iterative reinforced fine-tuning of language models for tool calling.",
        epilog=_EPILOG,
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, command in COMMANDS.items():
        sub = commands.add_parser(name, help=command.help, description=f"{command.help}.", epilog=_CONFIG_HELP)
        sub.add_argument("--config", metavar="FILE[:MODE]", help="the config (default: the one the run was begun with)")
        made = "; made where there is none" if command.writes else ""
        sub.add_argument("--workdir", metavar="DIR", required=True, help=f"the run directory{made}")
        if command.writes:
            _add_processes(sub)
            sub.add_argument(
                "--redo",
                metavar="STAGE",
                action="append",
                default=[],
                help="do this complete stage again; may be repeated",
            )
        for option, settings in command.options.items():
            sub.add_argument(option, **settings)
    _add_chat(commands.add_parser("chat", help=_CHAT_HELP, description=f"{_CHAT_HELP}.", epilog=_CHAT_EPILOG))
    _add_plan(commands.add_parser("plan", help=_PLAN_HELP, description=f"{_PLAN_HELP}.", epilog=_CONFIG_HELP))
    _add_data(commands.add_parser("data", help="make, convert and check data files", description="Data files."))
    return parser


def _add_processes(parser: argparse.ArgumentParser) -> None:
    several = parser.add_argument_group("several processes", "the same command in each; --workdir is one for all")
    several.add_argument("--distributed", action="store_true", help="find the others: on TPU pods, SLURM, Kubernetes")
    several.add_argument("--coordinator", metavar="HOST:PORT", help="where process 0 listens to the others")
    several.add_argument("--processes", type=_positive, metavar="N", help="how many there are")
    several.add_argument("--process", type=_count, metavar="I", help="which one this is, from 0")


def _add_chat(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", metavar="NAME", help="a folder, GGUF file, preset or OWNER/NAME on the hub")
    parser.add_argument("--workdir", metavar="RUN", help="a run directory instead, for a policy of it")
    parser.add_argument("--checkpoint", metavar="NAME", help="with --workdir: base, warmup, ... (default: the newest)")
    parser.add_argument("--tools", metavar="FILE", help="JSON with the tools: of OpenAI's form, ToolACE's or BFCL's")
    parser.add_argument("--system", default="", metavar="TEXT", help="the system message")
    formats = ("auto", "template", "chatml", "compact")
    parser.add_argument("--chat", choices=formats, help="with --model: the chat format (default: auto, which fits)")
    parser.add_argument("--max-tokens", type=_positive, default=256, metavar="N", help="of an answer (default 256)")
    parser.add_argument("--temperature", type=_temperature, default=0.0, metavar="T", help="default 0: the likeliest")
    parser.add_argument("--seed", type=_count, default=0, metavar="N", help="of sampling (default 0)")
    parser.add_argument("--once", metavar="MESSAGE", help="answer this message and end")
    parser.add_argument("--json", action="store_true", help="with --once: the answer and its calls as JSON")


def _add_plan(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", metavar="FILE[:MODE]", required=True, help="the config that the run will have")
    parser.add_argument("--devices", type=_positive, metavar="N", help="plan from shapes for so many devices")
    parser.add_argument("--hbm", type=_above_zero, metavar="GIB", help="memory of a device (a topology knows its own)")
    parser.add_argument(
        "--topology",
        metavar="NAME",
        help="plan for a TPU slice such as v5e:4x4, v6e:4x4 or v5p:2x2x4, by the TPU compiler of the extra `tpu`",
    )
    parser.add_argument(
        "--prompt-tokens",
        type=_positive,
        metavar="N",
        help="the longest prompt (default: what a row of the warm-up holds beside an answer)",
    )
    parser.add_argument(
        "--stage",
        action="append",
        default=[],
        choices=("sft", "score", "search", "prefer"),
        help="plan this stage only; may be repeated",
    )
    parser.add_argument("--json", action="store_true", help="print the figures as JSON instead of tables")


def _add_data(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    world = actions.add_parser("toolworld", help="conversations of the simulator: train.jsonl and held-out sets")
    world.add_argument("--out", metavar="DIR", required=True, help="folder for the files")
    world.add_argument("--seed", type=_count, default=0, metavar="N", help="of tools and conversations (default 0)")
    world.add_argument("--world", choices=("small", "large"), default="small", help="which simulator (default small)")
    for level in ("easy", "medium", "hard"):
        help = f"{level} conversations to train on (default 1000)"
        world.add_argument(f"--{level}", type=_count, default=1000, metavar="N", help=help)
    world.add_argument("--heldout", type=_count, default=200, metavar="N", help="size of a held-out set (default 200)")
    world.add_argument("--no-call-share", type=_share, metavar="X", help="share of right answers in prose")
    world.add_argument("--follow-up-share", type=_share, metavar="X", help="share that goes on after a tool's result")

    prepare = actions.add_parser("prepare", help="a config's training data as token ids on disk, for large data sets")
    prepare.add_argument("--config", metavar="FILE[:MODE]", required=True, help="the config that the runs will have")
    prepare.add_argument("--out", metavar="DIR", required=True, help="folder for the store; must not exist yet")

    convert = actions.add_parser("convert", help="write a source's data as the project's own JSONL")
    convert.add_argument("--source", required=True, choices=SOURCES, help="form of the input")
    convert.add_argument("--input", required=True, metavar="PATH", help=_PATH_HELP)
    convert.add_argument("--out", required=True, metavar="FILE", help="JSONL file to write; packed if it ends in .gz")
    convert.add_argument("--skip-malformed", action="store_true", help="skip and count bad rows instead of stopping")
    convert.add_argument("--problems", metavar="FILE", help="write the bad rows here as JSONL instead of listing them")

    check = actions.add_parser("check", help="what a data file holds, and its bad rows; exit status 1 if there are any")
    check.add_argument("path", metavar="PATH", help=_PATH_HELP)
    check.add_argument("--source", default="jsonl", choices=SOURCES, help="form of the data (default jsonl)")
    check.add_argument("--tokenizer", metavar="DIR", help="count lengths in the tokens of this folder's tokenizer too")
    check.add_argument("--problems", metavar="FILE", help="write the bad rows here as JSONL instead of listing them")
    check.add_argument("--json", action="store_true", help="print the figures as JSON instead of tables")

    clean = actions.add_parser("decontaminate", help="training data without what repeats evaluation data, and a report")
    clean.add_argument("--train", required=True, metavar="PATH", help=_PATH_HELP)
    clean.add_argument("--source", default="jsonl", choices=SOURCES, help="form of --train (default jsonl)")
    clean.add_argument("--against", required=True, nargs="+", metavar="PATH", help=_AGAINST_HELP)
    clean.add_argument("--against-source", default="jsonl", choices=SOURCES, help="form of --against (default jsonl)")
    clean.add_argument("--api-bank", metavar="DIR", help="folder of API-Bank's level files (default data/api_bank)")
    clean.add_argument("--threshold", type=_share, default=0.7, metavar="X", help=_THRESHOLD_HELP)
    clean.add_argument("--out", required=True, metavar="FILE", help="JSONL file for what is kept")
    clean.add_argument(
        "--report",
        metavar="FILE",
        help="JSONL file that names what was removed, and why (default: beside --out, NAME.removed.jsonl)",
    )
    clean.add_argument("--skip-malformed", action="store_true", help="skip and count bad rows instead of stopping")


if __name__ == "__main__":
    sys.exit(main())
