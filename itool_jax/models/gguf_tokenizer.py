"""The tokenizer in a GGUF file's metadata: byte-level BPE, and the split into words that its name stands for."""

from __future__ import annotations

from tokenizers import AddedToken, Regex, decoders, models, normalizers, pre_tokenizers
from tokenizers import Tokenizer as Backend

from itool_jax.data.tokenizer import Tokenizer
from itool_jax.errors import UserError
from itool_jax.models.gguf import GgufFile

_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}%s| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def _split(digits: str):
    words = pre_tokenizers.Split(Regex(_WORDS % digits), behavior="isolated")
    return pre_tokenizers.Sequence([words, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


# llama.cpp's names of pre-tokenizers. "smollm": every digit apart, then GPT-2's split into words.
PRE_TOKENIZERS = {
    "smollm": lambda: pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    ),
    "llama-bpe": lambda: _split("{1,3}"),
    "qwen2": lambda: _split(""),
}
_NORMALIZERS = {"qwen2": normalizers.NFC}
_WHOLE_WORDS_FIRST = ("llama-bpe",)  # a word that is a token is that token, whatever its merges

_ROLES = {"bos": "bos", "unk": "unknown", "pad": "padding"}
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
    name = file.value("tokenizer.ggml.pre", str)
    vocabulary = {token: number for number, token in enumerate(tokens)}
    backend = Backend(models.BPE(vocabulary, merges, ignore_merges=name in _WHOLE_WORDS_FIRST))
    backend.pre_tokenizer = PRE_TOKENIZERS[name]()
    if name in _NORMALIZERS:
        backend.normalizer = _NORMALIZERS[name]()
    backend.decoder = decoders.ByteLevel()
    for kind, add in ((_CONTROL, backend.add_special_tokens), (_USER_DEFINED, backend.add_tokens)):
        special = kind == _CONTROL
        add([AddedToken(t, special=special, normalized=False) for t, k in zip(tokens, types, strict=True) if k == kind])
    template = file.value("tokenizer.chat_template", str, "")
    return Tokenizer(backend, tokens[eos], {"default": template} if template else None, _roles(file, tokens))


def _roles(file: GgufFile, tokens: list) -> dict[str, str]:
    """Names of the special tokens that templates ask for."""
    ids = {f"{role}_token": file.value(f"tokenizer.ggml.{key}_token_id", int, -1) for role, key in _ROLES.items()}
    return {role: tokens[number] for role, number in ids.items() if 0 <= number < len(tokens)}


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
