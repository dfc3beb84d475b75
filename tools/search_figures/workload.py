"""What is computed: expansions from nodes ever deeper in each prompt's tree, and the weights that compute it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from itool_jax.models.config import DecoderConfig
from itool_jax.models.loading import load
from itool_jax.models.policy import Policy, init_policy

Tokens = list[int]
# Samples by prompt, expansion and branch.
Samples = list[list[list[Tokens]]]
# Continues each sequence by `branches` samples of so many tokens, at a temperature.
Generate = Callable[[Sequence[Tokens], int, int, float], list[list[Tokens]]]

LLAMA_15M = DecoderConfig(
    vocab_size=32_000, dim=288, layers=6, heads=6, kv_heads=6, head_dim=48, ffn=768, tied=True, context=4096
)
LLAMA_TINY = DecoderConfig(vocab_size=97, dim=32, layers=2, heads=4, kv_heads=2, head_dim=8, ffn=64, context=512)


def weights(small: bool) -> Policy:
    """The random weights of all figures, or tiny ones."""
    return init_policy(LLAMA_TINY if small else LLAMA_15M, seed=0)


@dataclass(frozen=True)
class Workload:
    """Of each prompt `expansions` expansions of `branches` samples; sizes are counts.

    tokens       of every sample: nothing stops one earlier
    stride       the w-th expansion starts `w * stride` tokens below the root, on the path that the first samples of
                 the expansions before make
    temperature  0 is greedy
    """

    prompts: tuple[tuple[int, ...], ...]
    expansions: int = 5
    branches: int = 3
    tokens: int = 48
    stride: int = 24
    temperature: float = 1.0

    @property
    def generated(self) -> int:
        """Tokens that all samples have together."""
        return len(self.prompts) * self.expansions * self.branches * self.tokens

    @property
    def prompt_tokens(self) -> int:
        return max(map(len, self.prompts))

    def sizes(self) -> dict[str, int]:
        return {
            "prompts": len(self.prompts),
            "prompt_tokens": self.prompt_tokens,
            "expansions": self.expansions,
            "branches": self.branches,
            "tokens": self.tokens,
            "stride": self.stride,
            "generated": self.generated,
        }

    def sample(self, prompts: int) -> Workload:
        """Two greedy expansions of the first prompts, from the root and from an inner node."""
        return replace(self, prompts=self.prompts[:prompts], expansions=2, temperature=0.0)


@dataclass(frozen=True)
class Case:
    """A workload with the weights that compute it, and how often it is repeated."""

    name: str
    policy: Policy
    workload: Workload
    repeats: int


def random_prompts(policy: Policy, count: int, tokens: int) -> tuple[tuple[int, ...], ...]:
    """Seeded prompts of one length, without token 0, which some models pad with."""
    ids = np.random.default_rng(0).integers(1, policy.config.vocab_size, (count, tokens))
    return tuple(map(tuple, ids.tolist()))


def case(name: str, repeats: int) -> Case:
    """The issue's cases: "A", "A2048", "SmolLM2" (A with 4 trees); "tiny" is for a test."""
    if name == "tiny":
        policy = init_policy(LLAMA_TINY, seed=0)
        workload = Workload(random_prompts(policy, 3, 20), expansions=2, branches=2, tokens=8, stride=4)
    elif name == "SmolLM2":
        policy = load("smollm2_135m").policy
        workload, repeats = Workload(random_prompts(policy, 4, 512)), min(repeats, 3)
    else:
        policy = init_policy(LLAMA_15M, seed=0)
        workload = Workload(random_prompts(policy, 16, {"A": 512, "A2048": 2048}[name]))
    return Case(name, policy, workload, repeats)


def expand(generate: Generate, workload: Workload) -> Samples:
    """The workload on an engine that shares nothing: each expansion is the prompt and the path to its node, read anew.

    The expansions of all prompts that are equally deep are one call.
    """
    paths: list[Tokens] = [[] for _ in workload.prompts]
    samples: Samples = [[] for _ in workload.prompts]
    for _ in range(workload.expansions):
        sequences = [[*prompt, *path] for prompt, path in zip(workload.prompts, paths, strict=True)]
        drawn = generate(sequences, workload.branches, workload.tokens, workload.temperature)
        for of_prompt, path, branches in zip(samples, paths, drawn, strict=True):
            of_prompt.append(branches)
            path.extend(branches[0][: workload.stride])
    return samples
