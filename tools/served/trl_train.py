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
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast, TrainerCallback
    from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer
    from trl.experimental.cpo import CPOConfig, CPOTrainer

    class Times(TrainerCallback):
        """When each step begins and ends."""

        def __init__(self):
            self.begun, self.ended = [], []

        def on_step_begin(self, *_, **__):
            self.begun.append(time.monotonic())

        def on_step_end(self, *_, **__):
            self.ended.append(time.monotonic())

    class IdCPOTrainer(CPOTrainer):
        """Takes texts that are token ids with blanks between them."""

        def tokenize_row(self, feature, model=None):
            ids = {name: [int(word) for word in feature[name].split()] for name in ("prompt", "chosen", "rejected")}
            row = {"prompt_input_ids": ids["prompt"], "prompt_attention_mask": [1] * len(ids["prompt"])}
            for side in ("chosen", "rejected"):
                whole = ids["prompt"] + ids[side]
                row |= {f"{side}_input_ids": whole, f"{side}_attention_mask": [1] * len(whole)}
                row[f"{side}_labels"] = [-100] * len(ids["prompt"]) + ids[side]
            return row

    class IdDPOTrainer(DPOTrainer):
        """Takes token ids as they are."""

        def _prepare_dataset(self, dataset, *_):
            return dataset

    def tokenizer_for(model):
        words = {str(i): i for i in range(model.config.vocab_size)}
        backend = Tokenizer(WordLevel(words, "0"))
        return PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="0", eos_token="1", bos_token="2")

    def train(kind, rows, accumulate, steps, beta=0.0, gamma=0.0, row_tokens=0, pairs=(), conversations=()):
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        with tempfile.TemporaryDirectory() as out:
            shared = dict(
                output_dir=out, max_steps=1 + steps, per_device_train_batch_size=rows, learning_rate=1e-5,
                gradient_accumulation_steps=accumulate, lr_scheduler_type="constant", optim="adamw_torch",
                max_grad_norm=1.0, use_cpu=True, bf16=False, report_to=[], save_strategy="no", logging_steps=1,
                gradient_checkpointing=False, disable_tqdm=True,
            )  # fmt: skip
            ready = dict(model=model, processing_class=tokenizer_for(model))
            if kind == "simpo":
                args = CPOConfig(
                    loss_type="simpo", simpo_gamma=gamma, cpo_alpha=0.0, beta=beta, max_length=None, **shared
                )
                data = [{key: " ".join(map(str, ids)) for key, ids in pair.items()} for pair in pairs]
                trainer = IdCPOTrainer(args=args, train_dataset=Dataset.from_list(data), **ready)
            elif kind == "dpo":
                args = DPOConfig(
                    loss_type=["sigmoid"], beta=beta, max_length=None, precompute_ref_log_probs=True, **shared
                )
                data = [{f"{key}_ids": ids for key, ids in pair.items()} for pair in pairs]
                trainer = IdDPOTrainer(args=args, train_dataset=Dataset.from_list(data), **ready)
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
