"""Byte-level BPE tokenizers: a thin face over the `tokenizers` library that knows the exact bytes of every token."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from etils import epath
from tokenizers import Regex, decoders, models, pre_tokenizers, trainers
from tokenizers import Tokenizer as Backend

from itool_jax.errors import UserError

_FILE, _CONFIG = "tokenizer.json", "tokenizer_config.json"
_TEMPLATE, _MORE_TEMPLATES = "chat_template.jinja", "additional_chat_templates"
_ROLES = ("bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token", "mask_token")


class Tokenizer:
    """Text to token ids and back.

    `encode` reads text as text: the name of a special token inside it is encoded letter by letter, and nothing is
    added, truncated or padded. Special tokens go in by id only (`special_id`).
    """

    def __init__(
        self,
        backend: Backend,
        end_of_turn: str,
        templates: Mapping[str, str] | None = None,
        roles: Mapping[str, str] | None = None,
    ):
        """Wraps a private copy of a byte-level `backend`; `end_of_turn` names the special token that closes a turn.

        `templates` are the model's own chat templates (Jinja) by name, "default" and perhaps "tool_use"; `roles` the
        names of special tokens that templates ask for, such as bos_token.
        """
        self._json = backend.to_str()
        if not _is_byte_level(json.loads(self._json)):
            raise UserError("the tokenizer has no ByteLevel decoder; only byte-level BPE tokenizers are supported.")
        self._backend = Backend.from_str(self._json)
        self._backend.no_truncation()
        self._backend.no_padding()
        self._backend.encode_special_tokens = True
        self.end_of_turn = end_of_turn
        self.end_of_turn_id = self.special_id(end_of_turn)
        self.templates = dict(templates or {})
        self.roles = {**(roles or {}), "eos_token": end_of_turn}

    def encode(self, text: str) -> list[int]:
        """Ids of a text in which special tokens are letters like any others."""
        return self._backend.encode(text, add_special_tokens=False).ids

    def encode_prompt(self, text: str) -> list[int]:
        """Ids of a text that its user wrote for the model, as transformers gives them.

        Names of special tokens are those tokens, and what the tokenizer puts before a text (Llama 3's
        <|begin_of_text|>) stands there, once. Not for texts from elsewhere, which could speak for others.
        """
        ids = self._with_special.encode(text, add_special_tokens=True).ids
        return ids[1:] if len(ids) > 1 and ids[0] == ids[1] and ids[0] in self.special_ids else ids

    @cached_property
    def _with_special(self) -> Backend:
        backend = Backend.from_str(self._backend.to_str())
        backend.encode_special_tokens = False
        return backend

    def decode(self, ids: Iterable[int]) -> str:
        """Text of a turn: without the end-of-turn tokens that close it, any other special token by its name.

        Bytes that are no UTF-8 become U+FFFD.
        """
        ids = list(ids)
        while ids and ids[-1] == self.end_of_turn_id:
            ids.pop()
        return b"".join(map(self.token_bytes, ids)).decode(errors="replace")

    def token_bytes(self, token: int) -> bytes:
        """The exact bytes of a token, which may be a part of a character.

        An id without a piece reads as U+FFFD: embeddings are often longer than the vocabulary, so a model can say it.
        """
        if token < 0:
            raise IndexError(f"token ids start at 0, found {token}")
        piece = self._pieces[token] if token < self.vocab_size else None
        return "\ufffd".encode() if piece is None else piece

    def special_id(self, token: str) -> int:
        """Id of a special token by its name; raises UserError where the vocabulary has no such special token."""
        if token not in self._special:
            known = ", ".join(sorted(self._special)[:12]) or "none"
            raise UserError(
                f"the tokenizer has no special token {token!r} (it has {known}); choose another chat format."
            )
        return self._special[token]

    @cached_property
    def special_ids(self) -> frozenset[int]:
        return frozenset(self._special.values())

    @property
    def special_names(self) -> frozenset[str]:
        return frozenset(self._special)

    @cached_property
    def vocab_size(self) -> int:
        """One past the highest token id."""
        return max(self._backend.get_vocab(with_added_tokens=True).values()) + 1

    @cached_property
    def digest(self) -> str:
        """SHA-256 over all that decides the ids, for run manifests."""
        return hashlib.sha256(f"{self._json}\n{self.end_of_turn}".encode()).hexdigest()

    def with_templates(self, templates: Mapping[str, str]) -> Tokenizer:
        """The same tokenizer with other chat templates."""
        return Tokenizer(Backend.from_str(self._json), self.end_of_turn, templates, self.roles)

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Writes tokenizer.json and tokenizer_config.json, which transformers' AutoTokenizer loads too."""
        target = epath.Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        config = {
            "tokenizer_class": "PreTrainedTokenizerFast",
            **self.roles,
            "clean_up_tokenization_spaces": False,
        }
        if self.templates:
            named = [{"name": name, "template": text} for name, text in self.templates.items()]
            config["chat_template"] = self.templates["default"] if set(self.templates) == {"default"} else named
        (target / _FILE).write_text(self._json)
        (target / _CONFIG).write_text(json.dumps(config, indent=2) + "\n")

    @staticmethod
    def is_in(folder: epath.Path) -> bool:
        """Whether the folder holds a tokenizer in transformers' layout, be it one that `load` refuses."""
        return (folder / _FILE).exists() or (folder / _CONFIG).exists()

    @classmethod
    def load(cls, folder: str | os.PathLike[str], end_of_turn: str | None = None) -> Tokenizer:
        """Reads a folder in transformers' layout; `end_of_turn` defaults to the `eos_token` of its config."""
        source = epath.Path(folder)
        backend = _read(source / _FILE, Backend.from_str)
        config = _read(source / _CONFIG, _object) if end_of_turn is None or (source / _CONFIG).exists() else {}
        roles = {key: name for key in _ROLES if isinstance(name := _content(config.get(key)), str)}
        end_of_turn = end_of_turn or roles.get("eos_token")
        if end_of_turn is None:
            raise UserError(f"{source / _CONFIG} names no eos_token; say which special token ends a turn.")
        return cls(backend, end_of_turn, _templates(source, config), roles)

    @cached_property
    def _special(self) -> dict[str, int]:
        added = self._backend.get_added_tokens_decoder()
        return {token.content: number for number, token in added.items() if token.special}

    @cached_property
    def _pieces(self) -> list[bytes | None]:
        letters = _bytes_of_letters()
        pieces: list[bytes | None] = [None] * self.vocab_size
        for token, number in self._backend.get_vocab(with_added_tokens=False).items():
            if all(letter in letters for letter in token):
                pieces[number] = bytes(letters[letter] for letter in token)
        for number, added in self._backend.get_added_tokens_decoder().items():
            pieces[number] = added.content.encode()
        return pieces


def train_bpe(texts: Iterable[str], vocab_size: int, special_tokens: Sequence[str], end_of_turn: str) -> Tokenizer:
    """Learns a byte-level BPE vocabulary in which words are the same tokens with and without a space before them.

    Merges stay within a word, a run of spaces and punctuation, or a single digit: so a value is spelled alike in a
    request and between the quotes of a call, and small models can copy it.

    Ids: the special tokens in their order, the 256 bytes, then the merges; the same texts give the same vocabulary.
    Raises UserError where `vocab_size` leaves no room for the bytes or asks for more than the texts can fill.
    """
    least = 256 + len(special_tokens)
    if vocab_size < least:
        raise UserError(f"vocab_size {vocab_size} is too small: 256 bytes and the special tokens take {least}.")
    backend = Backend(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\p{L}+|\p{N}|[^\p{L}\p{N}]+"), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(special_tokens),
        initial_alphabet=sorted(_bytes_of_letters()),
        show_progress=False,
    )
    backend.train_from_iterator(texts, trainer)
    tokenizer = Tokenizer(backend, end_of_turn)
    if tokenizer.vocab_size < vocab_size:
        raise UserError(
            f"the texts fill only {tokenizer.vocab_size} tokens of {vocab_size}; give more text or ask for less."
        )
    return tokenizer


def _bytes_of_letters() -> dict[str, int]:
    """GPT-2's letters for the 256 bytes: printable ones stand for themselves, the others follow from U+0100."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(0x100 + i): byte for i, byte in enumerate(others)}


def _is_byte_level(state: dict) -> bool:
    decoder = state.get("decoder") or {}
    return any(part.get("type") == "ByteLevel" for part in [decoder, *decoder.get("decoders", [])])


def _object(text: str) -> dict:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError(f"expected a JSON object, found {type(value).__name__}")
    return value


def _content(token: object) -> object:
    return token.get("content") if isinstance(token, dict) else token


def _templates(folder: epath.Path, config: Mapping[str, Any]) -> dict[str, str]:
    """Chat templates by name as transformers finds them: files of their own go before tokenizer_config.json."""
    files = {"default": folder / _TEMPLATE} if (folder / _TEMPLATE).exists() else {}
    if (folder / _MORE_TEMPLATES).is_dir():
        files |= {path.stem: path for path in sorted((folder / _MORE_TEMPLATES).glob("*.jinja"))}
    if files:
        return {name: _read(path, str) for name, path in files.items()}
    given = config.get("chat_template") or []
    entries = [{"name": "default", "template": given}] if isinstance(given, str) else given
    if not isinstance(entries, list) or not all(map(_is_template, entries)):
        raise UserError(f"{folder / _CONFIG}: chat_template is no text and no list of name and template.")
    return {entry["name"]: entry["template"] for entry in entries}


def _is_template(entry: object) -> bool:
    return isinstance(entry, dict) and all(isinstance(entry.get(key), str) for key in ("name", "template"))


def _read(path: epath.Path, parse):
    try:
        return parse(path.read_text())
    except OSError as error:
        raise UserError(
            f"cannot read {path}: {error.strerror or type(error).__name__}. Give a tokenizer folder."
        ) from error
    except Exception as error:
        raise UserError(f"{path} is no tokenizer file that can be read: {error}.") from error
