"""`itool-jax chat`: from its options to a conversation, or to one answer with --once."""

from __future__ import annotations

import json as json_format
from contextlib import suppress

from etils import epath
from rich.console import Console

from itool_jax.chat.conversation import Conversation, read_tools
from itool_jax.chat.partner import Partner, Sampling
from itool_jax.chat.show import plain, show_verdict, to_json
from itool_jax.chat.terminal import Terminal
from itool_jax.data.chat import format_for
from itool_jax.data.prepared import Dialect
from itool_jax.errors import UserError
from itool_jax.evaluation.report.wording import clean
from itool_jax.models.loading import Loaded, load
from itool_jax.models.policy import count_parameters
from itool_jax.progress import note
from itool_jax.rounds.run_directory import is_run, read_run
from itool_jax.rounds.session import Session


def chat(
    model: str | None,
    workdir: str | None,
    checkpoint: str | None,
    tools: str | None,
    system: str,
    chat: str | None,
    max_tokens: int,
    temperature: float,
    seed: int,
    once: str | None,
    json: bool,
) -> int:
    """Talks, or answers one message; returns the exit status."""
    if (model is None) == (workdir is None):
        raise UserError("itool-jax chat needs one model: either --model=PATH_OR_NAME or --workdir=RUN, and not both.")
    if model is not None and checkpoint is not None:
        raise UserError("--checkpoint goes with --workdir: it names a policy of a run.")
    if workdir is not None and chat is not None:
        raise UserError("--chat goes with --model: a run's policy is spoken to as config.data.chat of the run says.")
    if json and once is None:
        raise UserError("--json goes with --once.")
    conversation = Conversation(read_tools(tools) if tools else (), system)
    if once is not None and not once.strip():
        raise UserError("--once is followed by the message, which is empty here.")
    loaded, dialect, name = _model(model, chat) if model else _policy(workdir or "", checkpoint)
    note(f"{name}: {count_parameters(loaded.policy.params) / 1e6:.4g} M parameters, chat format {dialect.chat.name}")
    partner = Partner(loaded.policy, dialect, loaded.stop_tokens, Sampling(max_tokens, temperature, seed))
    if once is None:
        with suppress(KeyboardInterrupt):  # between two lines; during one it only stops that
            _talk(partner, conversation)
    else:
        _answer_once(partner, conversation.asked(once), json)
    return 0


def _model(name: str, chat: str | None) -> tuple[Loaded, Dialect, str]:
    if is_run(epath.Path(name)):
        raise UserError(f"--model={name} is a run directory: give it as --workdir={name}.")
    loaded = load(name)
    return loaded, Dialect(loaded.tokenizer, format_for(loaded.tokenizer, chat or "auto")), name


def _policy(workdir: str, checkpoint: str | None) -> tuple[Loaded, Dialect, str]:
    with read_run(workdir) as run:
        session = Session(run)
        if checkpoint is not None:
            session.check_name("--checkpoint", checkpoint)
        name = checkpoint or session.newest
        return session.loaded(name), session.dialect, f"{run.path.name} {name}"


def _answer_once(partner: Partner, conversation: Conversation, json: bool) -> None:
    answer = partner.answer(conversation.prompt())
    if json:
        print(json_format.dumps(to_json(answer, conversation.tools), indent=1))
        return
    console = Console()
    console.print(plain(answer.text), soft_wrap=True)
    show_verdict(answer, conversation.tools, console)


def _talk(partner: Partner, conversation: Conversation) -> None:
    with suppress(ImportError):
        import readline  # noqa: F401  # gives `input` a history and an editor
    names = ", ".join(tool.name for tool in conversation.tools)
    note(f"tools: {clean(names)}" if names else "no tools: --tools=FILE offers some")
    note("/help lists the commands, Ctrl-D ends; the first answer takes longer, as its programs are compiled")
    Terminal(partner, conversation, Console()).run()
