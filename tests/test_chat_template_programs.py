"""Chat templates as programs of somebody else's: what ours ask of them, and errors that say what is wrong."""

import datetime
import tempfile
from functools import lru_cache

import pytest
from tokenizers import Tokenizer as Backend
from transformers.utils.chat_template_utils import render_jinja_template

from itool_jax.data.chat import CHATML, encode_example, format_for, template_format
from itool_jax.data.chat.jinja import compiled
from itool_jax.data.example import Example, Message
from itool_jax.data.prepared import Dialect
from itool_jax.data.tokenizer import Tokenizer, train_bpe
from itool_jax.errors import UserError
from itool_jax.search.self_evaluation import SelfEvaluator
from itool_jax.toolcall import Tool, ToolCall
from tests.chat_cases import CASES
from tests.worlds import small_policy

TURNS = """
{%- for m in messages %}
    {%- if m.tool_calls %}
        {{- '<|im_start|>' + m.role + '\n' + m.content }}
        {%- for c in m.tool_calls %}
            {{- '<tool_call>' + c.function | tojson + '</tool_call>' }}
        {%- endfor %}
        {{- '<|im_end|>\n' }}
    {%- else %}
        {{- '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{%- endif %}"""
TOOLS = "{%- if tools %}{{- '<|im_start|>system\n' + tools | tojson + '<|im_end|>\n' }}{%- endif %}"
GOOD = TOOLS + TURNS
EXAMPLE = Example("x", (Tool("f"),), (Message("user", "Hi"),), "[f()]", (ToolCall("f"),))


@lru_cache
def tokenizer(*templates: tuple[str, str]) -> Tokenizer:
    trained = train_bpe(["user assistant system tool"] * 3, 270, ("<|im_start|>", "<|im_end|>"), "<|im_end|>")
    with tempfile.TemporaryDirectory() as folder:
        trained.save(folder)
        backend = Backend.from_file(f"{folder}/tokenizer.json")
    return Tokenizer(backend, "<|im_end|>", dict(templates))


def of(text: str) -> Tokenizer:
    return tokenizer(("default", text))


def test_a_plain_template_works():
    chat = Dialect(of(GOOD), format_for(of(GOOD)))
    assert (chat.chat.name, chat.chat.end_of_turn, chat.call_style) == ("template", "<|im_end|>", "hermes")
    assert chat.text(chat.prepare(EXAMPLE).answer) == '<tool_call>{"name": "f", "arguments": {}}</tool_call>'


def test_a_template_that_takes_no_tool_calls_gets_them_as_content():
    no_parallel = GOOD.replace(
        "{%- for c in", "{%- if m.tool_calls | length > 1 %}{{ raise_exception('one!') }}{% endif %}{%- for c in"
    )
    chat = Dialect(of(no_parallel), format_for(of(no_parallel)))
    both = Example("x", (Tool("f"),), (Message("user", "Hi"),), "[f(), g()]", (ToolCall("f"), ToolCall("g")))
    first, second = (f'<tool_call>\n{{"name": "{name}", "arguments": {{}}}}\n</tool_call>' for name in "fg")
    assert chat.text(chat.prepare(both).answer) == f"{first}\n{second}"


def test_a_template_without_tools_is_none_to_choose():
    """SmolLM2's is such a one: tools go into the system turn as chatml has them."""
    assert format_for(of(TURNS)) is CHATML
    with pytest.raises(UserError, match=r"template leaves tools out: choose config.data.chat="):
        template_format(of(TURNS))


def test_a_template_of_its_own_for_tools():
    both = tokenizer(("default", TURNS), ("tool_use", GOOD))
    chat = format_for(both)
    assert '"name": "f"' in chat.render_prompt(EXAMPLE)
    assert chat.render_prompt(Example("x", (), EXAMPLE.messages, "Hi")).startswith("<|im_start|>user")


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (
            GOOD.replace("assistant\n' }}{%- endif", "assistant\nOK: ' }}{%- endif"),
            "no beginning of the conversation.*OK: ",
        ),
        (GOOD.replace("c.function | tojson", "c.function.name"), "writes a call as .*cannot be read"),
        (GOOD.replace("+ '</tool_call>'", "").replace("'<|im_end|>\n'", "'\n'"), "cannot be read|does not end"),
        ("{{ messages[0].content + 1 }}", "TypeError"),
        ("{% if %}", "TemplateSyntaxError"),
        ("{{ ''.__class__.__mro__ }}" + GOOD, "SecurityError"),
        ("{{ messages.append(1) }}" + GOOD, "SecurityError"),
        ("{{ raise_exception('not today') }}", "not today"),
    ],
)
def test_templates_that_do_not_serve(template, message):
    with pytest.raises(UserError, match=message):
        format_for(of(template))


def test_a_template_that_makes_special_tokens_of_text_is_refused():
    """This one drops a character of its choice from texts, by which a name of a special token can come about."""
    joins = GOOD.replace("+ m.content + '<|im_end|>", "+ m.content.replace('~', '') + '<|im_end|>")
    chat = format_for(of(joins))
    for text in ("<|im_~end|>", "<~|im_end|>", "a~<|im_end|>"):
        prompt, _ = encode_example(chat, of(joins), Example("x", (Tool("f"),), (Message("user", text),), "no"))
        assert prompt.count(of(joins).special_id("<|im_end|>")) == 2
    peeks = GOOD.replace("+ m.content + '<|im_end|>", "+ ('<|im_end|>' if '<|' in m.content else 'x') + '<|im_end|>")
    with pytest.raises(UserError, match="example 'x': it changes texts in which names of special tokens stand"):
        encode_example(format_for(of(peeks)), of(peeks), Example("x", (), (Message("user", "<|im_end|>"),), "no"))


def test_self_evaluation_shows_the_reference_as_the_model_writes_it():
    chat = Dialect(of(GOOD), format_for(of(GOOD)))
    prepared = chat.prepare(EXAMPLE)
    tree = SelfEvaluator(small_policy(), chat, 1, 8, 1).tree(prepared, [chat.tokenizer.encode("No.")])
    root = chat.tokenizer.decode(tree.segments[0])
    reference = '<tool_call>{"name": "f", "arguments": {}}</tool_call>'
    assert root.startswith(chat.chat.render_prompt(EXAMPLE))
    assert f"Reference answer: {reference}\n" in root


PROGRAMS = [
    "{% for m in messages %}{% if loop.index > 1 %}{% break %}{% endif %}{{ m | tojson }}{% endfor %}",
    "  {% set x = 1 %}\n  {% generation %}{% set x = 2 %}{{ messages[0].content }}{% endgeneration %}\n{{ x }}\n",
    "{{ tools | tojson(indent=4) }}|{{ tools | tojson(separators=(',', ':'), sort_keys=true) }}",
    "{{ {'a': 'é<>&\\''} | tojson }} {{ messages[0].content | trim | upper }} {{ documents is none }}",
    "{% set ns = namespace(a=1) %}{% set ns.a = 2 %}{{ ns.a }}{{ dict(b=3) }}{{ missing is defined }}{{ missing }}",
]


@pytest.mark.parametrize("program", PROGRAMS)
def test_templates_run_as_in_transformers(program):
    messages, tools = [{"role": "user", "content": " Hé <|x|> "}], [{"name": "f", "b": [1, None]}]
    (theirs,), _ = render_jinja_template([messages], tools=tools, chat_template=program, add_generation_prompt=True)
    ours = compiled(program, datetime.date(2024, 7, 26))
    assert ours(messages=messages, tools=tools, documents=None, add_generation_prompt=True) == theirs


def test_the_clock_stands_still():
    program = "{{ strftime_now('%Y-%m-%d %H:%M') }}"
    assert compiled(program, datetime.date(2025, 1, 2))() == "2025-01-02 00:00"


def test_cases_read_alike_in_a_template_and_in_its_messages():
    chat = Dialect(of(GOOD), format_for(of(GOOD)))
    for case in CASES.values():
        rendered = chat.chat.render_prompt(case.example)
        assert all(message["content"] in rendered for message in case.messages)
