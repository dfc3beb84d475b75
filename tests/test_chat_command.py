"""`itool-jax chat`: answers, calls with their faults, the dialogue in the terminal, bad input."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from itool_jax import cli
from itool_jax.chat.conversation import Conversation, read_tools
from itool_jax.chat.partner import Answer, Partner, Sampling
from itool_jax.chat.show import show_verdict, to_json
from itool_jax.chat.terminal import COMMANDS, Terminal
from itool_jax.data.chat import encode_prompt
from itool_jax.errors import UserError
from itool_jax.models import Loaded, export_hf
from itool_jax.models.generate import continuations
from itool_jax.sampling import arena
from itool_jax.toolcall import ErrorKind, Parameter, Tool, ToolCall, parse_calls, schema_faults
from tests.worlds import dialect, examples, small_policy

WEATHER = Tool(
    "get_weather",
    "Weather of a city",
    (
        Parameter("city", {"type": "string"}),
        Parameter("days", {"type": "array", "items": {"type": "integer"}}, required=False),
        Parameter("unit", {"type": "string", "enum": ["c", "f"]}, required=False),
    ),
)
JSON_TOOLS = [{"name": "f", "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}}}]


def answer(text: str, finished: bool = True) -> Answer:
    return Answer(text, parse_calls(text), finished, 10, 5)


# --- faults


@pytest.mark.parametrize(
    ("call", "faults"),
    [
        (ToolCall("get_weather", {"city": "Oslo", "days": [1, 2], "unit": "c"}), []),
        (ToolCall("get_wether", {}), [("function_name", "", "no such tool is offered; did it mean get_weather?")]),
        (ToolCall("xyz", {"a": 1}), [("function_name", "", "no such tool is offered")]),
        (ToolCall("get_weather"), [("missing_parameter", "city", "required, but not given")]),
        (
            ToolCall("get_weather", {"city": 3, "town": "Oslo", "days": ["x"]}),
            [
                ("parameter_type", "city", "number; expected str"),
                ("unexpected_parameter", "town", "the tool has no such parameter"),
                ("parameter_type", "days", "array; expected [int]"),
            ],
        ),
        (ToolCall("get_weather", {"city": "x", "unit": "k"}), [("parameter_value", "unit", "expected one of c|f")]),
        (
            ToolCall("get_weather", {}, ("Oslo",)),
            [
                ("unexpected_parameter", "#0", "an argument without a name"),
                ("missing_parameter", "city", "required, but not given"),
            ],
        ),
    ],
)
def test_faults_by_the_schemas(call, faults):
    assert [(str(kind), name, problem) for kind, name, problem in schema_faults(call, [WEATHER])] == faults


# --- the partner


def partner(**changes) -> Partner:
    return Partner(small_policy(), dialect(), (), Sampling(**changes))


def test_an_answer_told_in_pieces_is_the_one_that_generate_gives():
    """Over several pieces, a stop among them, and cut off."""
    ends = set()
    for prepared in examples(6):
        for limit in (40, 5, 1):
            told: list[str] = []
            found = partner(max_tokens=limit).answer(prepared.example, told.append)
            stop = (dialect().end_of_turn,)
            (tokens,) = continuations(small_policy(), [prepared.prompt], stop, max_tokens=limit)
            assert found.text == dialect().tokenizer.decode(tokens) == "".join(told)
            assert (found.prompt_tokens, found.answer_tokens) == (len(prepared.prompt), len(tokens))
            assert found.finished == (len(tokens) < limit)
            ends.add(found.finished)
    assert False in ends


def test_a_stop_token_in_the_middle_of_a_piece_ends_the_answer():
    prompt = examples(1)[0]
    whole = partner(max_tokens=40).answer(prompt.example)
    tokens = continuations(small_policy(), [prompt.prompt], (dialect().end_of_turn,), max_tokens=40)[0]
    for place in (3, 15, 16, 20):
        stop = tokens[place]
        before = tokens.index(stop)
        told: list[str] = []
        made = Partner(small_policy(), dialect(), (stop,), Sampling(40)).answer(prompt.example, told.append)
        assert made.finished and made.answer_tokens == before
        assert whole.text.startswith(made.text) and "".join(told) == made.text == dialect().tokenizer.decode(
            tokens[:before]
        )


def test_a_seed_and_a_temperature_decide_the_samples():
    prompt = examples(1)[0].example
    texts = [partner(max_tokens=24, temperature=1.0, seed=seed).answer(prompt).text for seed in (0, 0, 1)]
    assert texts[0] == texts[1] != texts[2]
    one = partner(max_tokens=24, temperature=1.0)
    assert one.answer(prompt).text != one.answer(prompt).text


def test_messages_of_like_length_share_their_programs():
    shared, sizes = partner(max_tokens=8), []
    for prepared in sorted(examples(12), key=len)[:6]:
        shared.answer(prepared.example)
        sizes.append((arena.decode_round._cache_size(), len(prepared.prompt)))
    assert len({length for _, length in sizes}) > 2
    assert sizes[0][0] == sizes[-1][0]


def test_a_conversation_that_fills_the_model_is_refused_and_the_last_tokens_are_used():
    prompt = examples(1)[0].example
    length = len(encode_prompt(dialect().chat, dialect().tokenizer, prompt))
    policy = small_policy()

    def of_context(context: int) -> Partner:
        short = policy.replace(decoder=policy.decoder.clone(cfg=replace(policy.config, context=context)))
        return Partner(short, dialect(), (), Sampling(40))

    with pytest.raises(UserError, match=f"has {length} tokens .* takes {length} with the answer"):
        of_context(length).answer(prompt)
    found = of_context(length + 3).answer(prompt)
    assert not found.finished and found.answer_tokens == 3


# --- what is shown


def shown(show) -> str:
    console = Console(file=io.StringIO(), width=100)
    show(console)
    return console.file.getvalue()


def test_calls_are_shown_with_their_faults():
    said = answer('A moment.\n[get_weather(city=3, town="[red]\\u202e"), nothing()]')
    text = shown(lambda console: show_verdict(said, [WEATHER], console))
    for part in ("get_weather", "number; expected str", '"[red]\ufffd"', "no such parameter", "no such tool"):
        assert part in text
    found = json.loads(json.dumps(to_json(said, [WEATHER])))
    assert found["kind"] == "calls" and found["calls"][0]["arguments"]["city"] == 3
    assert found["calls"][0]["faults"][0] == {
        "kind": "parameter_type", "parameter": "city", "problem": "number; expected str"
    }  # fmt: skip


def test_what_cannot_be_read_or_was_cut_off_is_said():
    text = shown(lambda console: show_verdict(answer("[f(a=", finished=False), (), console))
    assert "cut off after 5 tokens" in text and "a call that cannot be read" in text
    assert to_json(answer("[f(a="), ())["problem"].endswith("at character 5")
    assert shown(lambda console: show_verdict(answer("Hello."), (), console)) == ""


# --- the dialogue


class Scripted:
    """A partner that says what it is told to, and keeps what it was asked."""

    def __init__(self, *answers):
        self.answers, self.prompts = list(answers), []

    def answer(self, example, on_text):
        self.prompts.append(example)
        found = self.answers.pop(0)
        if isinstance(found, BaseException):
            raise found
        on_text(found)
        return answer(found)


def talk(partner, *lines, conversation=None):
    """The terminal after these lines, and what it printed."""
    console, left = Console(file=io.StringIO(), width=100), list(lines)
    terminal = Terminal(partner, conversation or Conversation((WEATHER,)), console)

    def read(_: str) -> str:
        if not left:
            raise EOFError
        return left.pop(0)

    terminal.run(read)
    return terminal, console.file.getvalue()


def roles(conversation: Conversation) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in conversation.messages]


def test_results_are_given_by_the_user_and_the_model_goes_on_after_the_last():
    call = '[get_weather(city="Oslo"), get_weather(city="Rome")]'
    partner = Scripted(call, "Rain in both.")
    terminal, text = talk(partner, "Weather?", "/result rain", '/result {"sky": "rain"}', "/quit", "never read")
    assert roles(terminal.conversation) == [
        ("user", "Weather?"),
        ("assistant", call),
        ("tool", "rain"),
        ("tool", '{"sky": "rain"}'),
        ("assistant", "Rain in both."),
    ]
    assert terminal.conversation.messages[1].calls == parse_calls(call).calls
    assert [len(example.messages) for example in partner.prompts] == [1, 4]
    assert "1 more to come" in text and "Rain in both." in text


def test_commands(tmp_path):
    tools = tmp_path / "tools.json"
    tools.write_text(json.dumps(JSON_TOOLS))
    lines = ["/tools", f"/tools {tools}", "/system Be brief.", "//reset", "/help", "/rest", "/what", "/result 1", ""]
    terminal, text = talk(Scripted("Yes."), *lines)
    assert roles(terminal.conversation) == [("user", "/reset"), ("assistant", "Yes.")]
    assert [tool.name for tool in terminal.conversation.tools] == ["f"]
    assert terminal.conversation.prompt().messages[0].content == "Be brief."
    for part in ("get_weather(city:str", "did you mean /reset?", "/help lists", "no call waits for a result"):
        assert part in text
    assert all(line in text for line in COMMANDS.values())
    terminal, _ = talk(Scripted("Yes."), "Hi", "/reset", conversation=terminal.conversation)
    assert (roles(terminal.conversation), terminal.conversation.system) == ([], "Be brief.")


def test_an_error_or_an_interrupt_leaves_the_conversation_as_it_was():
    partner = Scripted("Yes.", UserError("the conversation\nis too long"), KeyboardInterrupt(), "Again.")
    terminal, text = talk(partner, "one", "two", "three", "four", "/tools nowhere.json")
    assert roles(terminal.conversation) == [
        ("user", "one"), ("assistant", "Yes."), ("user", "four"), ("assistant", "Again."),
    ]  # fmt: skip
    assert "the conversation is too long" in text and "stopped" in text and "cannot read the tools file" in text


def test_what_a_model_writes_is_no_markup_and_moves_no_cursor():
    _, text = talk(Scripted("[bold]x[/bold] [/nothing] \x1b[2J\x07"), "Hi")
    assert "[bold]x[/bold] [/nothing] \u241b[2J\u2407" in text


# --- the command line


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model as a folder."""
    path = tmp_path_factory.mktemp("model") / "m"
    tokenizer = dialect().tokenizer
    export_hf(Loaded(small_policy(), tokenizer, (tokenizer.end_of_turn_id,)), path)
    return path


def test_once_prints_an_answer_for_scripts(folder, tmp_path, capsys):
    tools = tmp_path / "tools.json"
    tools.write_text(json.dumps({"tools": JSON_TOOLS}))
    line = ["chat", f"--model={folder}", f"--tools={tools}", "--once=f of 1", "--max-tokens=8"]
    assert cli.main(line) == 0
    told = capsys.readouterr()
    assert told.out and "chat format compact" in told.err
    assert cli.main([*line, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"answer", "finished", "kind", "calls", "problem", "prompt_tokens", "answer_tokens"}
    assert found["prompt_tokens"] > 10 and found["answer_tokens"] <= 8
    assert cli.main([*line, "--chat=chatml"]) == 2
    assert "no special token '<|im_start|>'" in capsys.readouterr().err


def test_the_dialogue_reads_standard_input(folder, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", io.StringIO("Hello\n/nothing\n"))
    assert cli.main(["chat", f"--model={folder}", "--max-tokens=4"]) == 0
    told = capsys.readouterr()
    assert "there is no command /nothing" in told.out and "Ctrl-D ends" in told.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "either --model=PATH_OR_NAME or --workdir=RUN"),
        (["--model=x", "--workdir=y"], "either --model"),
        (["--model=nowhere/at/all"], "there is no model 'nowhere/at/all'"),
        (["--model=x", "--checkpoint=base"], "--checkpoint goes with --workdir"),
        (["--workdir=x", "--chat=chatml"], "--chat goes with --model"),
        (["--workdir=nowhere"], "holds no run"),
        (["--model=x", "--json"], "--json goes with --once"),
        (["--model=x", "--once="], "is empty"),
        (["--model=x", "--max-tokens=0"], "whole number from 1"),
        (["--model=x", "--temperature=-1"], "a number from 0"),
        (["--model=x", "--tools=nowhere.json"], "cannot read the tools file nowhere.json"),
        (["--model=x", "--config.seed=1"], "takes no config"),
    ],
)
def test_bad_input_is_told_in_a_paragraph(arguments, says, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["chat", *arguments]) == 2
    told = capsys.readouterr()
    assert says in told.err and told.err.startswith("itool-jax: ") and told.err.count("\n") == 1 and told.out == ""


def test_bytes_that_are_no_text_are_asked_as_replacement_characters(folder, capsys):
    assert cli.main(["chat", f"--model={folder}", "--once", "hi \udcff there", "--max-tokens=2"]) == 0
    assert Conversation().asked("hi \udcff").messages[0].content == "hi \ufffd"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "is no JSON"),
        ("3", "expected a list of tool descriptions, found int"),
        ("[]", "holds no tools"),
        ('[{"name": ""}]', "tool 0, field name"),
        ('[{"name": "f"}, {"name": "f"}]', "more than one tool of the name 'f'"),
        ("[" * 100_000, "is no JSON"),
    ],
)
def test_bad_tools_files_are_told_with_their_name(text, says, tmp_path):
    path = tmp_path / "tools.json"
    path.write_text(text)
    with pytest.raises(UserError, match=rf"tools\.json.*{says}"):
        read_tools(str(path))


def test_faults_are_of_the_kinds_that_answers_are_graded_by():
    assert {kind for kind, *_ in schema_faults(ToolCall("g"), [WEATHER])} == {ErrorKind.FUNCTION_NAME}
