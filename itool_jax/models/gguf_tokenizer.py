"""The tokenizer in a GGUF file's metadata: byte-level BPE, and the split into words that its name stands for."""

from __future__ import annotations

from tokenizers import AddedToken, decoders, models, pre_tokenizers
from tokenizers import Tokenizer as Backend

from itool_jax.data.tokenizer import Tokenizer
from itool_jax.errors import UserError
from itool_jax.models.gguf import GgufFile

# llama.cpp's names of pre-tokenizers. "smollm": every digit apart, then GPT-2's split into words.
PRE_TOKENIZERS = {
    "smollm": lambda: pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    ),
}

_CONTROL, _USER_DEFINED = 3, 4  # of llama.cpp's token types


def gguf_tokenizer(file: GgufFile) -> Tokenizer:
    """The file's tokenizer, whose end of turn is its end-of-sequence token; raises UserError for any other kind."""
    for key, known in {"tokenizer.ggml.model": ("gpt2",), "tokenizer.ggml.pre": tuple(PRE_TOKENIZERS)}.items():
        found = file.value(key, str)
        if found not in known:
            raise UserError(f"{key!r} of {file.path} is {found!r}: only {', '.join(map(repr, known))} can be imported.")
    tokens = file.value("tokenizer.ggml.tokens", list)
    types = file.value("tokenizer.ggml.token_type", list)
    merges = [_merge(merge) for merge in file.value("tokenizer.ggml.merges", list)]
    eos = file.value("tokenizer.ggml.eos_token_id", int)
    _check(file, tokens, types, merges, eos)
    backend = Backend(models.BPE({token: number for number, token in enumerate(tokens)}, merges))
    backend.pre_tokenizer = PRE_TOKENIZERS[file.value("tokenizer.ggml.pre", str)]()
    backend.decoder = decoders.ByteLevel()
    for kind, add in ((_CONTROL, backend.add_special_tokens), (_USER_DEFINED, backend.add_tokens)):
        special = kind == _CONTROL
        add([AddedToken(t, special=special, normalized=False) for t, k in zip(tokens, types, strict=True) if k == kind])
    return Tokenizer(backend, tokens[eos])


def _merge(text: str) -> tuple[str, str]:
    left, _, right = text.partition(" ")
    return left, right


def _check(file: GgufFile, tokens: list, types: list, merges: list[tuple[str, str]], eos: int) -> None:
    known = set(tokens)
    faults = {
        "tokens that occur twice": len(tokens) != len(known),
        "tokens without a type, or types without a token": len(types) != len(tokens),
        "merges whose parts or result are no tokens": any(
            not known.issuperset((left, right, left + right)) for left, right in merges
        ),
        "an end-of-sequence token that is no control token": not 0 <= eos < len(types) or types[eos] != _CONTROL,
    }
    found = [fault for fault, there in faults.items() if there]
    if found:
        raise UserError(f"the tokenizer in {file.path} is damaged, it has {' and '.join(found)}: get the file anew.")
