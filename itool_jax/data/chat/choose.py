"""Chat formats by name, and the one that goes with a tokenizer."""

from __future__ import annotations

from collections.abc import Mapping

from itool_jax.data.chat.format import ChatFormat
from itool_jax.data.chat.own import CHATML, COMPACT, chat_template
from itool_jax.data.chat.template import TEMPLATE, TEMPLATE_DATE, knows_tools, template_format
from itool_jax.data.tokenizer import Tokenizer
from itool_jax.errors import UserError

AUTO = "auto"
OWN_FORMATS = {chat.name: chat for chat in (COMPACT, CHATML)}


def chat_format(name: str) -> ChatFormat:
    """One of our own formats by name, which needs no tokenizer; "auto" is compact. Raises UserError for any other."""
    if name == TEMPLATE:
        raise UserError(
            'chat format "template" is the tokenizer\'s own, so config.model.checkpoint or config.model.tokenizer has '
            "to name a model that has one; a tokenizer trained on the data has none."
        )
    if name not in (AUTO, *OWN_FORMATS):
        raise UserError(f"unknown chat format {name!r}; known are {', '.join((AUTO, TEMPLATE, *OWN_FORMATS))}.")
    return OWN_FORMATS.get(name, COMPACT)


def format_for(tokenizer: Tokenizer, name: str = AUTO, date: str = TEMPLATE_DATE, thinking: bool = False) -> ChatFormat:
    """The chat format of this name for a tokenizer; `date` and `thinking` as in `template_format`.

    "auto" is the tokenizer's own template if that shows tools to the model, else chatml or compact, whichever the
    special tokens are there for. Raises UserError where the tokenizer does not serve the format.
    """
    if name == TEMPLATE or (name == AUTO and knows_tools(tokenizer)):
        return template_format(tokenizer, date, thinking)
    known = tokenizer.special_names
    if name == AUTO:
        fitting = [chat for chat in (CHATML, COMPACT) if known.issuperset(chat.special_tokens)]
        if not fitting:
            raise UserError(
                "no chat format goes with the tokenizer: it has no chat template that knows tools, and neither the "
                f"special tokens of chatml nor those of compact (it has {', '.join(sorted(known)[:12]) or 'none'})."
            )
        return fitting[0]
    chat = chat_format(name)
    for token in chat.special_tokens:
        tokenizer.special_id(token)
    return chat


def exported_templates(chat: ChatFormat, tokenizer: Tokenizer) -> Mapping[str, str]:
    """The chat templates that go with a model that is spoken to in this format, by name."""
    return tokenizer.templates if chat.name == TEMPLATE else {"default": chat_template(chat)}
