"""Trains with TRL (1.16): CPOTrainer's simpo, DPOTrainer, SFTTrainer with its packing; torch in f32, AdamW.

python trl_train.py FOLDER    a Hugging Face directory; every request trains its weights anew
A request's "kind" is simpo or dpo, of "pairs" [{"prompt": ids, "chosen": ids, "rejected": ids}, ...], or sft, of
"conversations" [{"prompt": ids, "answer": ids}, ...]. A step has `accumulate` parts of `rows` pairs, or of packed rows
of `row_tokens`. One step goes ahead of the `steps` that "seconds" counts; "loss" and "grad_norm" are the
first's, and "tokens" those of conversations in the steps that count.
"""

import sys
import tempfile
import time

from protocol import own_stdout, serve


def main(folder: str) -> None:
    say = own_stdout()
    import torch
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, TrainerCallback
    from trl import DPOConfig, SFTConfig, SFTTrainer
    from trl.experimental.cpo import CPOConfig, CPOTrainer
    from trl_ids import IdDPOTrainer, as_ids, as_texts, with_ids, words_tokenizer

    class Times(TrainerCallback):
        """When each step begins and ends."""

        def __init__(self):
            self.begun, self.ended = [], []

        def on_step_begin(self, *_, **__):
            self.begun.append(time.monotonic())

        def on_step_end(self, *_, **__):
            self.ended.append(time.monotonic())

    def train(kind, rows, accumulate, steps, beta=0.0, gamma=0.0, row_tokens=0, pairs=(), conversations=()):
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        with tempfile.TemporaryDirectory() as out:
            shared = dict(
                output_dir=out, max_steps=1 + steps, per_device_train_batch_size=rows, learning_rate=1e-5,
                gradient_accumulation_steps=accumulate, lr_scheduler_type="constant", optim="adamw_torch",
                max_grad_norm=1.0, use_cpu=True, bf16=False, report_to=[], save_strategy="no", logging_steps=1,
                gradient_checkpointing=False, disable_tqdm=True,
            )  # fmt: skip
            ready = dict(model=model, processing_class=words_tokenizer(model.config.vocab_size))
            if kind == "simpo":
                args = CPOConfig(
                    loss_type="simpo", simpo_gamma=gamma, cpo_alpha=0.0, beta=beta, max_length=None, **shared
                )
                trainer = with_ids(CPOTrainer)(args=args, train_dataset=Dataset.from_list(as_texts(pairs)), **ready)
            elif kind == "dpo":
                args = DPOConfig(
                    loss_type=["sigmoid"], beta=beta, max_length=None, precompute_ref_log_probs=True, **shared
                )
                trainer = IdDPOTrainer(args=args, train_dataset=Dataset.from_list(as_ids(pairs)), **ready)
            else:
                args = SFTConfig(packing=True, max_length=row_tokens, completion_only_loss=True, **shared)
                data = [
                    {
                        "input_ids": one["prompt"] + one["answer"],
                        "completion_mask": [0] * len(one["prompt"]) + [1] * len(one["answer"]),
                    }
                    for one in conversations
                ]
                trainer = SFTTrainer(args=args, train_dataset=Dataset.from_list(data), **ready)
            times = Times()
            trainer.add_callback(times)
            trainer.train()
        logged = [entry for entry in trainer.state.log_history if "loss" in entry]
        read = [entry["num_tokens"] for entry in logged if "num_tokens" in entry]
        return {
            "seconds": times.ended[-1] - times.begun[1],
            "loss": logged[0]["loss"],
            "grad_norm": logged[0]["grad_norm"],
            "tokens": read[-1] - read[0] if read else 0,
        }

    serve(train, ("trl", "transformers", "torch"), say)


if __name__ == "__main__":
    main(*sys.argv[1:])
