"""The dialogue in the terminal: what is typed, commands that begin with a slash, answers as they come."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import replace

from rich.console import Console

from itool_jax.chat.conversation import Conversation, read_tools
from itool_jax.chat.partner import Partner
from itool_jax.chat.show import plain, show_verdict
from itool_jax.errors import UserError
from itool_jax.toolcall import signature

COMMANDS = {
    "/result": "/result TEXT   what the next call returned, such as JSON; after the last one the model goes on",
    "/tools": "/tools [FILE]  the tools on offer, or others from a JSON file",
    "/system": "/system TEXT   the system message; without a text there is none",
    "/reset": "/reset         a new conversation with the same tools and system message",
    "/help": "/help          this list; a message that is to begin with a slash is typed with two",
    "/quit": "/quit          end; so does Ctrl-D. Ctrl-C stops an answer",
}
PROMPT = "> "


class Terminal:
    """A conversation with a partner; an error or Ctrl-C leaves it as it was before the line that was typed."""

    def __init__(self, partner: Partner, conversation: Conversation, console: Console):
        self.conversation = conversation
        self._partner, self._console = partner, console

    def run(self, read: Callable[[str], str] = input) -> None:
        """Talks until the input ends or /quit; `read` gives a line, as `input` does."""
        while True:
            try:
                line = read(PROMPT).strip()
                if line == "/quit":
                    return
                if line:
                    self._take(line)
            except EOFError:
                self._console.print()
                return
            except KeyboardInterrupt:
                self._say("stopped; /quit or Ctrl-D ends", "yellow")
            except UserError as error:
                self._say(" ".join(str(error).split()), "red")

    def _take(self, line: str) -> None:
        name, _, text = line.partition(" ")
        if not line.startswith("/") or line.startswith("//"):
            self._ask(self.conversation.asked(line.removeprefix("/")))
        elif name not in COMMANDS:
            near = difflib.get_close_matches(name, COMMANDS, n=1)
            hint = f"did you mean {near[0]}?" if near else "/help lists the commands."
            raise UserError(f"there is no command {name}: {hint}")
        else:
            getattr(self, f"_{name[1:]}")(text.strip())

    def _result(self, text: str) -> None:
        if not text:
            raise UserError("/result is followed by what the call returned.")
        conversation = self.conversation.with_result(text)
        if conversation.waiting:
            self.conversation = conversation
            self._say(f"{conversation.waiting} more to come", "dim")
        else:
            self._ask(conversation)

    def _tools(self, path: str) -> None:
        if path:
            self.conversation = replace(self.conversation, tools=read_tools(path))
        for tool in self.conversation.tools:
            self._say(signature(tool))
            self._say(f"    {tool.description}", "dim")
        if not self.conversation.tools:
            self._say("no tools: /tools FILE offers some", "dim")

    def _system(self, text: str) -> None:
        self.conversation = replace(self.conversation, system=text)
        self._say(f"the system message is now {text!r}" if text else "no system message", "dim")

    def _reset(self, _: str) -> None:
        self.conversation = replace(self.conversation, messages=(), waiting=0)
        self._say("a new conversation", "dim")

    def _help(self, _: str) -> None:
        for line in COMMANDS.values():
            self._say(line)

    def _ask(self, conversation: Conversation) -> None:
        try:
            answer = self._partner.answer(conversation.prompt(), self._write)
        finally:
            self._console.print()
        self.conversation = conversation.answered(answer)
        show_verdict(answer, conversation.tools, self._console)
        if waiting := self.conversation.waiting:
            self._say(f"/result TEXT tells what {'it' if waiting == 1 else 'each of them'} returned", "dim")

    def _write(self, text: str) -> None:
        self._console.print(plain(text), end="", soft_wrap=True)

    def _say(self, text: str, style: str = "") -> None:
        self._console.print(plain(text, style), soft_wrap=True)
