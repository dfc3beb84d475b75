"""Serves transformers' generate: torch, KV cache, one batch over trees, branches as num_return_sequences.

python transformers_generate.py FOLDER    a Hugging Face directory; weights are computed with in f32
Requests are {"sequences": [[token, ...], ...], "branches": 3, "tokens": 48, "temperature": 1.0}, whose sequences have
one length, and answers {"samples": [[[token, ...], ...], ...]} by sequence and branch.
"""

import sys

from protocol import own_stdout, serve


def main(folder: str) -> None:
    say = own_stdout()
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    model.generation_config.eos_token_id = None  # nothing stops a sample early
    model.generation_config.pad_token_id = 0
    torch.manual_seed(0)

    @torch.inference_mode()
    def generate(sequences, branches, tokens, temperature):
        ids = torch.tensor(sequences)
        drawing = {"do_sample": False}
        if temperature:
            drawing = {"do_sample": True, "temperature": temperature, "top_k": 0, "top_p": 1.0}
        elif branches > 1:  # generate refuses several greedy answers, which are all the same
            ids = ids.repeat_interleave(branches, 0)
        out = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=tokens,
            use_cache=True,
            num_return_sequences=branches if temperature else 1,
            **drawing,
        )
        return {"samples": out[:, ids.shape[1] :].reshape(len(sequences), branches, tokens).tolist()}

    serve(generate, ("transformers", "torch"), say)


if __name__ == "__main__":
    main(*sys.argv[1:])
