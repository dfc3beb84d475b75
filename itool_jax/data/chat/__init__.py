"""Chat formats: how tools and conversation become the prompt, how calls are written, and which token ends the answer.

compact and chatml (own.py) are ours; template (template.py) is the tokenizer's own, as transformers renders it.
"""

from itool_jax.data.chat.choose import OWN_FORMATS, chat_format, exported_templates, format_for
from itool_jax.data.chat.format import ChatFormat, Segment, encode_example, encode_prompt, encode_segments
from itool_jax.data.chat.own import CHATML, CHATML_INSTRUCTION, COMPACT, chat_template
from itool_jax.data.chat.template import TEMPLATE_DATE, template_format

__all__ = [
    "CHATML",
    "CHATML_INSTRUCTION",
    "COMPACT",
    "OWN_FORMATS",
    "TEMPLATE_DATE",
    "ChatFormat",
    "Segment",
    "chat_format",
    "chat_template",
    "encode_example",
    "encode_prompt",
    "encode_segments",
    "exported_templates",
    "format_for",
    "template_format",
]
