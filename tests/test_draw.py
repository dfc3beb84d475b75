"""Drawing tokens: against a plain sort in float64, token by token."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from itool_jax.sampling import draw
from itool_jax.sampling.draw import Rules, sample_tokens


@pytest.fixture(params=["blocks", "bisection"], autouse=True)
def way(request, monkeypatch):
    """Both ways to a token, whatever platform this is."""
    chosen = "cpu" if request.param == "blocks" else "default"
    monkeypatch.setattr(draw, "platform_dependent", lambda *args, **ways: ways[chosen](*args))


def rules(shape, temperature=1.0, top_k=0, top_p=1.0, min_p=0.0):
    full = lambda value, dtype: jnp.full(shape, value, dtype)
    return Rules(full(temperature, "float32"), full(top_k, "int32"), full(top_p, "float32"), full(min_p, "float32"))


def filtered(logits, temperature, top_k, top_p, min_p):
    """Probabilities by sorting, in float64."""
    probs = np.exp((logits.astype(np.float64) - logits.max()) / temperature)
    order = np.argsort(-probs, kind="stable")
    if top_k:
        probs[order[top_k:]] = 0
    probs /= probs.sum()
    before = np.cumsum(probs[order]) - probs[order]
    probs[order[before >= top_p]] = 0
    probs[probs < min_p * probs.max()] = 0
    return probs / probs.sum()


CASES = [
    (1.0, 0, 1.0, 0.0),
    (0.6, 0, 1.0, 0.0),
    (1.0, 5, 1.0, 0.0),
    (1.0, 0, 0.7, 0.0),
    (1.0, 0, 1.0, 0.2),
    (1.4, 40, 0.8, 0.05),
    (0.8, 1, 1.0, 0.0),
]


@pytest.mark.parametrize("vocabulary", [61, 300, 1024])
def test_samples_follow_the_filtered_distribution(vocabulary):
    """Evenly spread uniform numbers give each token its share, to within two of them."""
    draws = 1000
    logits = np.random.default_rng(vocabulary).normal(size=(len(CASES), vocabulary)).astype(np.float32) * 2
    uniform = np.tile((np.arange(draws) + 0.5) / draws, (len(CASES), 1)).astype(np.float32)
    columns = (jnp.asarray(column)[:, None] for column in zip(*CASES, strict=True))
    spread = Rules(*(jnp.broadcast_to(column, uniform.shape) for column in columns))
    one = jax.jit(lambda u, r: sample_tokens(jnp.asarray(logits)[:, None], u[:, None], Rules(*(x[:, None] for x in r))))
    tokens, logprobs = jax.lax.map(lambda slot: one(*slot), (uniform.T, Rules(*(x.T for x in spread))))
    for case, rule in enumerate(CASES):
        counts = np.bincount(tokens[:, case, 0], minlength=vocabulary)
        expected = filtered(logits[case], *rule) * draws
        np.testing.assert_allclose(counts, expected, atol=2.001)
        assert not counts[expected == 0].any()
        plain = np.log(filtered(logits[case], 1.0, 0, 1.0, 0.0))
        np.testing.assert_allclose(logprobs[:, case, 0], plain[tokens[:, case, 0]], atol=1e-5)


def test_greedy_slots_stand_beside_others():
    logits = jnp.asarray(np.random.default_rng(0).normal(size=(1, 3, 200)), jnp.float32).at[0, 1, [7, 190]].set(9.0)
    mixed = rules((1, 3))._replace(temperature=jnp.array([[0.0, 0.0, 1.0]]))
    tokens, _ = sample_tokens(logits, jnp.full((1, 3), 0.999), mixed)
    assert tokens[0, :2].tolist() == [int(jnp.argmax(logits[0, 0])), 7]
    sampled, _ = sample_tokens(logits, jnp.full((1, 3), 0.999), rules((1, 3)))
    assert tokens[0, 2] == sampled[0, 2] != int(jnp.argmax(logits[0, 2]))


def test_no_uniform_number_draws_an_impossible_token():
    logits = jnp.full((1, 2, 500), -jnp.inf).at[0, 0, 3].set(0.0).at[0, 1, [100, 400]].set(1.0)
    for uniform in (0.0, 0.5, float(np.nextafter(np.float32(1), np.float32(0)))):
        tokens, logprobs = sample_tokens(logits, jnp.full((1, 2), uniform), rules((1, 2)))
        assert tokens[0, 0] == 3 and int(tokens[0, 1]) in (100, 400)
        np.testing.assert_allclose(logprobs[0], [0.0, -np.log(2)], atol=1e-6)
