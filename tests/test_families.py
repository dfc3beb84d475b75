"""Every family against transformers: logits, greedy answers, and config.json of both of its major versions."""

from __future__ import annotations

import copy
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from itool_jax.errors import UserError
from itool_jax.models import load
from itool_jax.models.families import config_from_json, config_to_json, family_of
from itool_jax.models.hf import hf_config
from itool_jax.models.presets import PRESETS
from itool_jax.models.rope import RopeScaling, inverse_frequencies
from tests.worlds import dialect

torch = pytest.importorskip("torch", reason="torch is the reference here")
transformers = pytest.importorskip("transformers")
torch.set_num_threads(1)  # tests run side by side

LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64}
SIZES = {
    "vocab_size": 400,
    "hidden_size": 48,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "tie_word_embeddings": False,
}
MODELS = {
    "llama": ("Llama", {}),
    "llama3": ("Llama", {"rope_parameters": {"rope_theta": 5e5, **LLAMA3}, "tie_word_embeddings": True}),
    "llama_linear": ("Llama", {"rope_parameters": {"rope_theta": 1e4, "rope_type": "linear", "factor": 2.0}}),
    "qwen2": ("Qwen2", {"rope_parameters": {"rope_theta": 1e6, "rope_type": "default"}}),
    "qwen2_yarn": ("Qwen2", {"rope_parameters": {"rope_theta": 1e6, **YARN}, "tie_word_embeddings": True}),
    "qwen3": ("Qwen3", {"head_dim": 16, "rope_parameters": {"rope_theta": 1e6, "rope_type": "default"}}),
    "qwen3_tied": ("Qwen3", {"head_dim": 32, "tie_word_embeddings": True}),
    "smollm2": ("Llama", {"rope_parameters": {"rope_theta": 1e5, "rope_type": "default"}, "tie_word_embeddings": True}),
}


def random_model(name: str, seed: int = 0):
    """transformers' model with weights that leave no part of it without effect."""
    kind, changes = MODELS[name]
    config = getattr(transformers, f"{kind}Config")(**{**SIZES, **changes}, attn_implementation="eager")
    torch.manual_seed(seed)
    model = getattr(transformers, f"{kind}ForCausalLM")(config).eval()
    with torch.no_grad():
        for key, weight in model.named_parameters():
            weight.uniform_(0.5, 1.5) if "norm" in key else weight.normal_(0, 0.2)
    return model


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """By name: the reference, and the folder it was written to with a tokenizer, in several files."""

    def make(name):
        if name not in made:
            folder = tmp_path_factory.mktemp(name)
            model = random_model(name)
            model.save_pretrained(folder, max_shard_size="100KB")
            dialect().tokenizer.save(folder)
            made[name] = model, folder
        return made[name]

    made: dict = {}
    return make


def reference_logits(model, tokens, **more):
    with torch.no_grad():
        return model(torch.tensor(np.array(tokens)), **more).logits.double().numpy()


@pytest.mark.parametrize("name", MODELS)
def test_logits_are_those_of_transformers_at_all_positions(saved, name):
    model, folder = saved(name)
    assert len(list(folder.glob("*.safetensors"))) > 1
    tokens = np.random.default_rng(0).integers(0, 400, (2, 300))
    expected = reference_logits(copy.deepcopy(model).double(), tokens)  # what differs is ours
    found = np.asarray(load(folder).logits(tokens))
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("name", ["llama3", "qwen2_yarn", "qwen3"])
def test_padding_on_the_left_and_late_positions_change_nothing_else(saved, name):
    """Padding is masked out, and positions start where they are told to, as they do in a packed forest."""
    model, folder = saved(name)
    policy = load(folder).policy
    tokens = np.random.default_rng(1).integers(0, 400, (2, 40))
    pads, start = np.array([0, 9]), 400
    real = np.arange(40) >= pads[:, None]
    positions = start + np.maximum(np.arange(40) - pads[:, None], 0)
    expected = reference_logits(
        model, tokens, attention_mask=torch.tensor(real.astype(np.int64)), position_ids=torch.tensor(positions)
    )
    mask = np.tril(np.ones((40, 40), bool)) & real[:, None, :]
    hidden, _ = policy.hidden(jnp.asarray(tokens), jnp.asarray(positions), jnp.asarray(mask))
    found = np.asarray(policy.logits(hidden))
    np.testing.assert_allclose(found[real], expected[real], atol=1e-4 * np.abs(expected[real]).max())


@pytest.mark.parametrize("name", MODELS)
def test_greedy_answers_are_those_of_transformers_token_for_token(saved, name):
    model, folder = saved(name)
    loaded = load(folder)
    prompts = [list(np.random.default_rng(n).integers(3, 400, 5 + 7 * n)) for n in range(3)]
    stop = list(loaded.stop_tokens)
    for prompt, found in zip(prompts, loaded.generate(prompts, max_tokens=64), strict=True):
        with torch.no_grad():
            made = model.generate(
                torch.tensor([prompt]), max_new_tokens=64, do_sample=False, eos_token_id=stop, pad_token_id=stop[0]
            )
        answer = made[0, len(prompt) :].tolist()
        assert found == loaded.tokenizer.decode(answer[:-1] if answer[-1] in stop else answer)


@pytest.mark.parametrize("name", MODELS)
def test_config_json_comes_back_from_what_we_write(saved, name):
    _, folder = saved(name)
    cfg = hf_config(folder)
    written = json.loads(json.dumps(config_to_json(cfg, "bfloat16")))
    assert config_from_json(written, "x") == cfg
    theirs = transformers.AutoConfig.for_model(**written)
    rope = theirs.rope_parameters
    assert rope["rope_theta"] == cfg.rope_theta
    assert rope["rope_type"] == (cfg.rope_scaling.kind if cfg.rope_scaling else "default")


def test_config_json_of_transformers_4():
    rope = {"type": "yarn", "factor": 4.0}
    values = {**SIZES, "architectures": ["Qwen2ForCausalLM"], "rope_theta": 1e6, "rope_scaling": rope}
    values |= {"torch_dtype": "bfloat16", "sliding_window": 131072, "use_sliding_window": False, "hidden_act": "silu"}
    cfg = config_from_json(values, "x")
    assert (cfg.rope_theta, cfg.rope_scaling) == (1e6, RopeScaling("yarn", 4.0, 512))
    assert cfg.qkv_bias and not cfg.qk_norm
    assert config_from_json({**values, "rope_scaling": None}, "x").rope_scaling is None


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"architectures": ["MixtralForCausalLM"]}, "only LlamaForCausalLM, Qwen2ForCausalLM, Qwen3ForCausalLM"),
        ({"attention_bias": True, "hidden_act": "gelu"}, "attention_bias = True, hidden_act = 'gelu'"),
        ({"layer_types": ["full_attention", "sliding_attention"]}, "layer_types of sliding_attention"),
        ({"quantization_config": {"quant_method": "gptq"}}, "quantised by 'gptq'"),
        ({"rope_scaling": {"rope_type": "dynamic", "factor": 2.0}}, "'dynamic': only linear, llama3, yarn"),
        ({"rope_scaling": {**YARN, "mscale": 0.7}}, "yarn scaling with mscale"),
        ({"rope_scaling": {**LLAMA3, "high_freq_factor": 1.0}}, "do not fit together: llama3 scaling between"),
        ({"rope_scaling": {"rope_type": "yarn"}}, "do not fit together"),
        ({"rope_scaling": {"rope_type": "linear", "factor": "2"}}, "do not fit together"),
        ({"rope_scaling": [2]}, "expected an object"),
        ({"hidden_size": 0}, "hidden_size is 0"),
        ({"num_key_value_heads": 4}, "6 heads do not divide into 4"),
    ],
)
def test_what_the_decoder_cannot_be_is_refused(change, says):
    values = {**SIZES, "architectures": ["LlamaForCausalLM"], **change}
    with pytest.raises(UserError, match=says):
        config_from_json(values, "there/config.json")


@pytest.mark.parametrize(
    ("scaling", "theirs"),
    [
        (RopeScaling("llama3", 32.0), {**LLAMA3, "factor": 32.0, "original_max_position_embeddings": 8192}),
        (RopeScaling("yarn", 4.0, 32_768), {**YARN, "original_max_position_embeddings": 32_768}),
        (RopeScaling("yarn", 3.0, 77, truncate=False),
         {**YARN, "factor": 3.0, "original_max_position_embeddings": 77, "truncate": False}),
        (RopeScaling("yarn", 8.0, 4096, beta_fast=20.0, beta_slow=2.0, attention_factor=1.5),
         {**YARN, "factor": 8.0, "original_max_position_embeddings": 4096, "beta_fast": 20, "beta_slow": 2,
          "attention_factor": 1.5}),
        (RopeScaling("linear", 3.0), {"rope_type": "linear", "factor": 3.0}),
    ],
)  # fmt: skip
@pytest.mark.parametrize(("head_dim", "theta"), [(128, 5e5), (64, 1e6), (12, 1e4)])
def test_scaled_frequencies_are_those_of_transformers(scaling, theirs, head_dim, theta):
    config = transformers.LlamaConfig(
        hidden_size=2 * head_dim, num_attention_heads=2, rope_parameters={"rope_theta": theta, **theirs}
    )
    expected, amplitude = transformers.modeling_rope_utils.ROPE_INIT_FUNCTIONS[scaling.kind](config)
    np.testing.assert_allclose(inverse_frequencies(head_dim, theta, scaling), expected.numpy(), rtol=1e-6)
    assert scaling.amplitude == pytest.approx(amplitude)


def test_every_preset_is_of_a_family_and_has_the_size_of_its_name():
    """Parameters in billions as the models' cards state them."""
    cards = {
        "smollm2_135m": 0.135, "smollm2_360m": 0.362, "smollm2_1_7b": 1.71,
        "llama3_2_1b": 1.24, "llama3_2_3b": 3.21, "llama3_1_8b": 8.03, "llama3_1_70b": 70.6, "llama3_3_70b": 70.6,
        "qwen2_5_0_5b": 0.49, "qwen2_5_1_5b": 1.54, "qwen2_5_3b": 3.09, "qwen2_5_7b": 7.61, "qwen2_5_14b": 14.7,
        "qwen2_5_32b": 32.5, "qwen2_5_72b": 72.7,
        "qwen3_0_6b": 0.6, "qwen3_1_7b": 1.72, "qwen3_4b": 4.0, "qwen3_8b": 8.2, "qwen3_14b": 14.8, "qwen3_32b": 32.8,
    }  # fmt: skip
    from itool_jax.models.policy import count_parameters, init_policy

    for name, cfg in PRESETS.items():
        shapes = jax.eval_shape(lambda cfg=cfg: init_policy(cfg, 0).params)
        assert family_of(cfg)
        if name in cards:
            assert count_parameters(shapes) / 1e9 == pytest.approx(cards[name], rel=0.011, abs=0.006), name
    assert cards.keys() == PRESETS.keys() - {"nano", "tiny"}
