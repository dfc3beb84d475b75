"""Trains with Tunix's DPOTrainer (google-tunix 0.1.7): f32, AdamW, no reference, so that none costs time.

python tunix_train.py FOLDER    a Hugging Face directory of the Llama family without scaled RoPE; every request trains
                                its weights anew
Requests and answers are those of trl_train.py with "kind" dpo; "loss" is that of the weights before the first step.
"""

import sys
import time

from protocol import own_stdout, serve


def main(folder: str) -> None:
    say = own_stdout()
    import jax
    import numpy as np
    import optax
    from flax import nnx
    from tunix.sft.dpo.dpo_trainer import DPOTrainer, DPOTrainingConfig, TrainingInput, dpo_loss_fn
    from tunix_model import load

    def train(kind, pairs, rows, accumulate, steps, beta, gamma=0.0):
        assert kind == "dpo"
        model, _, mesh = load(folder)
        ids = {name: np.array([pair[name] for pair in pairs]) for name in ("prompt", "chosen", "rejected")}
        parts = []
        for start in range(0, len(pairs), rows):
            part = {name: tokens[start : start + rows] for name, tokens in ids.items()}
            given = {f"{name}_ids": tokens for name, tokens in part.items()}
            parts.append(TrainingInput(**given, **{f"{name}_mask": np.ones_like(x) for name, x in part.items()}))
        begun = 0.0

        def stream():
            nonlocal begun
            yield from parts
            jax.block_until_ready(nnx.state(model))
            begun = time.monotonic()
            for _ in range(steps):
                yield from parts

        cfg = DPOTrainingConfig(
            eval_every_n_steps=10**6, max_steps=1 + steps, gradient_accumulation_steps=accumulate, beta=beta
        )
        with jax.set_mesh(mesh):
            trainer = DPOTrainer(model, None, optax.adamw(1e-5), cfg)
            found = [dpo_loss_fn(model, trainer._prepare_inputs(part), beta=beta)[0] for part in parts]
            trainer.train(stream())
            jax.block_until_ready(nnx.state(model))
        return {"seconds": time.monotonic() - begun, "loss": float(np.mean(found)), "grad_norm": None, "tokens": 0}

    serve(train, ("google-tunix", "jax", "flax"), say)


if __name__ == "__main__":
    main(*sys.argv[1:])
