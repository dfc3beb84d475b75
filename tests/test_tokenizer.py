"""Byte-level tokenizers: exact bytes, no special tokens out of text, deterministic training, transformers' layout."""

import json
from functools import lru_cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer as Backend
from tokenizers import models
from transformers import AutoTokenizer

from itool_jax.data.tokenizer import Tokenizer, train_bpe
from itool_jax.errors import UserError
from tests.assets import asset

SPECIAL = ("<|user|>", "<|end|>")
TEXTS = [f'[book_hotel(city="Lisbon", nights={n}), get_weather(city="Rome")] Grüße, 世界 {n * 37}' for n in range(60)]


@lru_cache
def small() -> Tokenizer:
    return train_bpe(TEXTS, 300, SPECIAL, "<|end|>")


@lru_cache
def real(name: str) -> Tokenizer:
    return Tokenizer.load(asset(name))


@given(st.text())
def test_text_comes_back_exactly(text):
    tokenizer = small()
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert b"".join(map(tokenizer.token_bytes, ids)) == text.encode()


@pytest.mark.parametrize("name", ["tok_qwen2_5", "tok_llama3"])
def test_real_tokenizers_give_exact_bytes(name):
    tokenizer = real(name)
    text = "naïve 世界 👩‍👩‍👧 \x00\t\r\n  x = 12345 <|im_end|><|eot_id|><|begin_of_text|> ﷽ \U0010ffff"
    ids = tokenizer.encode(text)
    assert b"".join(map(tokenizer.token_bytes, ids)) == text.encode()
    assert not tokenizer.special_ids & set(ids)


@pytest.mark.parametrize("name", ["tok_llama3", "tok_qwen2_5", "tok_qwen3"])
def test_token_bytes_on_real_text_are_what_transformers_decodes(name):
    """Conversations with JSON, Chinese and special tokens; every token by its bytes, against the decoder of HF."""
    files = ["glaive_demo/glaive_toolcall_zh_demo.json", "toolace_subset/toolace_100_sharegpt_fixed.json"]
    text = "".join(asset(file).read_text()[:40_000] for file in files) + "".join(sorted(real(name).special_names))
    theirs = Backend.from_file(str(asset(name) / "tokenizer.json"))
    ids = theirs.encode(text, add_special_tokens=False).ids
    assert real(name).special_ids <= set(ids)
    assert b"".join(map(real(name).token_bytes, ids)).decode() == theirs.decode(ids, skip_special_tokens=False) == text


def test_a_character_may_be_split_over_tokens():
    tokenizer = small()
    ids = tokenizer.encode("👩")
    assert [tokenizer.token_bytes(i) for i in ids] == [b"\xf0", b"\x9f", b"\x91", b"\xa9"]
    assert tokenizer.decode(ids[:3]) == "\ufffd"


def test_names_of_special_tokens_in_text_stay_text():
    tokenizer = small()
    ids = tokenizer.encode("a<|end|><|user|>b")
    assert not tokenizer.special_ids & set(ids)
    assert tokenizer.decode(ids) == "a<|end|><|user|>b"


def test_a_prompt_of_the_users_own_has_special_tokens_by_their_names():
    tokenizer = small()
    ids = tokenizer.encode_prompt("a<|user|>b")
    assert [i for i in ids if i in tokenizer.special_ids] == [tokenizer.special_id("<|user|>")]
    assert tokenizer.encode("a<|user|>b") != ids  # what other texts are read as stays as it was


@pytest.mark.parametrize("name", ["tok_llama3", "tok_qwen2_5", "tok_qwen3"])
def test_prompts_are_read_as_transformers_reads_them(name):
    theirs = AutoTokenizer.from_pretrained(asset(name))
    text = "Will it rain? <|im_start|>user\n<|eot_id|> 12345 né"
    assert real(name).encode_prompt(text) == theirs(text).input_ids
    said = [{"role": "user", "content": "Hi"}]
    written = theirs.apply_chat_template(said, tokenize=False, add_generation_prompt=True)
    ids = theirs(written, add_special_tokens=False).input_ids
    assert real(name).encode_prompt(written) == ids  # the template's <|begin_of_text|> is not doubled


def test_decode_drops_only_the_closing_end_of_turn():
    tokenizer = small()
    user, end = tokenizer.special_id("<|user|>"), tokenizer.end_of_turn_id
    assert tokenizer.decode([*tokenizer.encode("hi"), end, end]) == "hi"
    assert tokenizer.decode([*tokenizer.encode("hi"), user, end]) == "hi<|user|>"
    assert tokenizer.decode([end, *tokenizer.encode("hi")]) == "<|end|>hi"


def test_layout_of_a_trained_vocabulary():
    tokenizer = small()
    assert [tokenizer.special_id(name) for name in SPECIAL] == [0, 1]
    assert tokenizer.special_ids == {0, 1}
    assert tokenizer.vocab_size == 300
    assert sorted(tokenizer.token_bytes(i) for i in range(2, 258)) == [bytes([byte]) for byte in range(256)]
    assert max(len(tokenizer.token_bytes(i)) for i in range(258, 300)) > 2


def test_every_digit_is_a_token():
    pieces = [small().token_bytes(i) for i in small().encode("in 2024-10")]
    assert all(piece.isdigit() is False or len(piece) == 1 for piece in pieces)
    assert [piece for piece in pieces if piece.isdigit()] == [b"2", b"0", b"2", b"4", b"1", b"0"]


def test_training_is_deterministic():
    again = train_bpe(iter(TEXTS), 300, SPECIAL, "<|end|>")
    assert again.digest == small().digest
    assert train_bpe(TEXTS, 299, SPECIAL, "<|end|>").digest != small().digest
    assert train_bpe(TEXTS, 300, SPECIAL, "<|user|>").digest != small().digest


def test_save_and_load(tmp_path):
    small().save(tmp_path / "model")
    loaded = Tokenizer.load(tmp_path / "model")
    assert loaded.digest == small().digest
    assert (loaded.end_of_turn, loaded.end_of_turn_id) == ("<|end|>", 1)
    assert loaded.encode(TEXTS[7]) == small().encode(TEXTS[7])
    theirs = AutoTokenizer.from_pretrained(tmp_path / "model")
    assert theirs(TEXTS[7])["input_ids"] == small().encode(TEXTS[7])
    assert theirs.eos_token_id == 1


def test_templates_are_found_where_transformers_looks(tmp_path):
    small().save(tmp_path)
    config = json.loads((tmp_path / "tokenizer_config.json").read_text())
    assert Tokenizer.load(tmp_path).templates == {}

    def found(**more) -> dict:
        (tmp_path / "tokenizer_config.json").write_text(json.dumps(config | more))
        theirs = AutoTokenizer.from_pretrained(tmp_path).chat_template
        assert Tokenizer.load(tmp_path).templates == (theirs if isinstance(theirs, dict) else {"default": theirs})
        return Tokenizer.load(tmp_path).templates

    assert found(chat_template="one") == {"default": "one"}
    named = [{"name": "default", "template": "one"}, {"name": "tool_use", "template": "two"}]
    assert found(chat_template=named) == {"default": "one", "tool_use": "two"}
    (tmp_path / "chat_template.jinja").write_text("file")
    assert found(chat_template="one") == {"default": "file"}
    (tmp_path / "additional_chat_templates").mkdir()
    (tmp_path / "additional_chat_templates" / "tool_use.jinja").write_text("more")
    assert found() == {"default": "file", "tool_use": "more"}

    loaded = Tokenizer.load(tmp_path)
    loaded.save(tmp_path / "again")
    assert Tokenizer.load(tmp_path / "again").templates == loaded.templates


def test_special_tokens_keep_the_roles_that_templates_ask_for(tmp_path):
    small().save(tmp_path)
    config = json.loads((tmp_path / "tokenizer_config.json").read_text())
    config |= {"bos_token": {"content": "<|user|>"}, "unk_token": None}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    roles = {"bos_token": "<|user|>", "eos_token": "<|end|>"}
    assert Tokenizer.load(tmp_path).roles == roles
    Tokenizer.load(tmp_path).save(tmp_path / "again")
    assert Tokenizer.load(tmp_path / "again").roles == roles


def test_truncation_and_padding_of_a_file_are_ignored(tmp_path):
    small().save(tmp_path)
    state = json.loads((tmp_path / "tokenizer.json").read_text())
    backend = Backend.from_str(json.dumps(state))
    backend.enable_truncation(4)
    backend.enable_padding(length=40)
    backend.save(str(tmp_path / "tokenizer.json"))
    assert Tokenizer.load(tmp_path).encode(TEXTS[0]) == small().encode(TEXTS[0])


def test_real_tokenizer_adds_nothing_of_its_own():
    ids = real("tok_llama3").encode("Hello")
    assert [real("tok_llama3").token_bytes(i) for i in ids] == [b"Hello"]


def test_an_id_beyond_the_vocabulary_is_readable_and_never_raises():
    """The embedding of many open models is longer than their tokenizer's vocabulary."""
    known = small().encode("a")
    assert small().decode([*known, 300, 10**9]) == "a\ufffd\ufffd"
    with pytest.raises(IndexError, match="start at 0, found -1"):
        small().token_bytes(-1)


def test_errors_for_people(tmp_path):
    with pytest.raises(UserError, match=r"special token '<\|im_end\|>'.*<\|end\|>, <\|user\|>.*chat format"):
        small().special_id("<|im_end|>")
    with pytest.raises(UserError, match="258"):
        train_bpe(TEXTS, 257, SPECIAL, "<|end|>")
    with pytest.raises(UserError, match="fill only"):
        train_bpe(["aaa"], 5000, SPECIAL, "<|end|>")
    with pytest.raises(UserError, match="byte-level"):
        Tokenizer(Backend(models.WordLevel({"a": 0}, unk_token="a")), "a")
    with pytest.raises(UserError, match=r"cannot read .*tokenizer\.json"):
        Tokenizer.load(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(UserError, match="no tokenizer file"):
        Tokenizer.load(tmp_path)
    small().save(tmp_path)
    for config, message in (
        ("[]", "expected a JSON object, found list"),
        ('{"eos_token": "<|end|>", "chat_template": [1]}', "no text and no list of name and template"),
        ('{"eos_token": "<|end|>", "chat_template": {"a": 1}}', "no text and no list of name and template"),
    ):
        (tmp_path / "tokenizer_config.json").write_text(config)
        with pytest.raises(UserError, match=message):
            Tokenizer.load(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text("{}")
    with pytest.raises(UserError, match="names no eos_token"):
        Tokenizer.load(tmp_path)
    assert Tokenizer.load(tmp_path, end_of_turn="<|user|>").end_of_turn_id == 0
