"""Serves the sampler of Tunix (google-tunix 0.1.7): one batch over trees and branches.

python tunix_generate.py FOLDER    a Hugging Face directory of the Llama family without scaled RoPE; computed in f32
Requests and answers are those of transformers_generate.py.
"""

import sys

from protocol import own_stdout, serve


class Ids:
    """The tokenizer that Tunix asks for, over texts that are token ids already: none begins, pads or ends a text."""

    def encode(self, text, **_):
        return [int(word) for word in text.split()]

    def decode(self, ids, **_):
        return " ".join(map(str, ids))

    def bos_id(self):
        return None

    def pad_id(self):
        return -1

    eos_id = pad_id


def main(folder: str) -> None:
    say = own_stdout()
    import jax
    from tunix.generate.sampler import CacheConfig, Sampler
    from tunix_model import load

    model, cfg, mesh = load(folder)
    samplers: dict[int, Sampler] = {}  # by cache size: each is as long as its sequences get, and no longer
    calls = 0

    def generate(sequences, branches, tokens, temperature):
        nonlocal calls
        calls += 1
        length = len(sequences[0])
        if length + tokens not in samplers:
            size = CacheConfig(length + tokens, cfg.num_layers, cfg.num_kv_heads, cfg.head_dim)
            samplers[length + tokens] = Sampler(model, Ids(), size)
        texts = [" ".join(map(str, sequence)) for sequence in sequences for _ in range(branches)]
        drawing = {"temperature": temperature, "top_p": 1.0, "seed": calls} if temperature else {}
        with jax.set_mesh(mesh):
            out = samplers[length + tokens](texts, tokens, max_prompt_length=length, eos_tokens=[-1], **drawing)
        drawn = [one.tolist() for one in out.tokens]
        return {"samples": [drawn[start : start + branches] for start in range(0, len(drawn), branches)]}

    serve(generate, ("google-tunix", "jax", "flax"), say)


if __name__ == "__main__":
    main(*sys.argv[1:])
