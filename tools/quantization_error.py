"""What int8 and nf4 cost a model: its logits and perplexity on conversations, against those of f32 weights.

    python tools/quantization_error.py --source=seal_tools --data=finetune_test_out_domain.json [--examples=8]

Takes the first conversations that fit --tokens. The errors are over all their tokens: of the logits |found - exact| /
|exact|, KL(exact || found) in nats a token, and how often the likeliest token stays the same.
"""

from __future__ import annotations

import argparse
from itertools import islice

import jax
import jax.numpy as jnp
import numpy as np

from itool_jax.data.chat import format_for
from itool_jax.data.prepared import Dialect, Prepared
from itool_jax.data.sources import read_source
from itool_jax.models.config import LINEAR
from itool_jax.models.generate import all_logits
from itool_jax.models.loading import load
from itool_jax.models.quantize import KINDS, quantize_params
from itool_jax.training.memory import device_bytes

_ROWS = 2  # conversations at once: their logits are held twice


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="smollm2_135m", help="what itool_jax.models.load takes")
    parser.add_argument("--source", default="seal_tools", help="form of the data, as config.data.source")
    parser.add_argument("--data", required=True, help="file or folder with conversations")
    parser.add_argument("--chat", default="auto", help="as config.data.chat")
    parser.add_argument("--examples", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=768, help="the longest conversation taken")
    options = parser.parse_args()

    loaded = load(options.model, dtype="float32")
    dialect = Dialect(loaded.tokenizer, format_for(loaded.tokenizer, options.chat, "2024-07-26", False))
    prepared = map(dialect.prepare, read_source(options.source, options.data, skip_bad=True).items)
    fitting = list(islice((p for p in prepared if len(p) <= options.tokens), options.examples))
    tokens, answer_tokens = sum(map(len, fitting)) - len(fitting), sum(len(p.answer) for p in fitting)
    print(f"{len(fitting)} conversations of {tokens} tokens, {answer_tokens} of them of answers")

    policies = {"f32": loaded.policy}
    for kind in KINDS:
        policies[kind] = loaded.policy.replace(params=quantize_params(loaded.policy.params, kind))
    totals = {name: np.zeros(6) for name in policies}
    for start in range(0, len(fitting), _ROWS):
        rows = rows_of(fitting[start : start + _ROWS], options.tokens)
        exact = all_logits(loaded.policy, rows[0])
        for name, policy in policies.items():
            found = exact if name == "f32" else all_logits(policy, rows[0])
            totals[name] += np.asarray(measure(exact, found, *rows))

    print("| base | all weights | linear layers | error of logits | KL | same top token | perplexity | of answers |")
    print("|---|---|---|---|---|---|---|---|")
    for name, (error, size, kl, same, text, answers) in totals.items():
        kernels = [policies[name].params["layers"][part]["kernel"] for part in LINEAR]
        figures = (
            f"{device_bytes(policies[name].params) / 1e6:.1f} MB",
            f"{device_bytes(kernels) / 1e6:.1f} MB",
            f"{(error / size) ** 0.5:.2%}",
            f"{kl / tokens:.4f}",
            f"{same / tokens:.1%}",
            f"{np.exp(text / tokens):.3f}",
            f"{np.exp(answers / answer_tokens):.3f}",
        )
        print(f"| {name} | {' | '.join(figures)} |")


def rows_of(prepared: list[Prepared], tokens: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Token ids [B, S], which of them are there, and which are of answers."""
    ids = np.zeros((_ROWS, tokens), np.int32)
    there, answer = np.zeros(ids.shape, bool), np.zeros(ids.shape, bool)
    for row, p in enumerate(prepared):
        ids[row, : len(p)] = p.prompt + p.answer
        there[row, : len(p)] = True
        answer[row, len(p.prompt) : len(p)] = True
    return ids, there, answer


@jax.jit
def measure(exact_BSV, found_BSV, ids_BS, there_BS, answer_BS) -> jax.Array:
    """Sums over tokens that have one before them: squared error and size of the logits, KL, equal tops, -log p."""
    there, answer, following = there_BS[:, 1:], answer_BS[:, 1:], ids_BS[:, 1:, None]
    exact, found = exact_BSV[:, :-1], found_BSV[:, :-1]
    log_p, log_q = jax.nn.log_softmax(exact), jax.nn.log_softmax(found)
    missed = -jnp.take_along_axis(log_q, following, -1)[..., 0]
    return jnp.stack(
        [
            jnp.sum((found - exact) ** 2 * there[..., None]),
            jnp.sum(exact**2 * there[..., None]),
            jnp.sum(jnp.sum(jnp.exp(log_p) * (log_p - log_q), -1) * there),
            jnp.sum((exact.argmax(-1) == found.argmax(-1)) * there),
            jnp.sum(missed * there),
            jnp.sum(missed * answer),
        ]
    )


if __name__ == "__main__":
    main()
