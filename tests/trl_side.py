"""TRL's side of tests/test_trl_losses.py: `python trl_side.py FOLDER`, by an interpreter that has TRL, with
tools/served on its path.

Reads inputs.npz, groups.npz, plan.json and two Hugging Face models from the folder; writes losses.npz and group0.npz
and so on, what TRL's own functions make of the inputs in float64, and for each step of plan.json, and one of GRPO, the
weights after it.
"""

import json
import sys
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM
from trl import DPOConfig, DPOTrainer, GRPOConfig, GRPOTrainer
from trl.experimental.cpo import CPOConfig, CPOTrainer
from trl.experimental.orpo import ORPOConfig, ORPOTrainer
from trl_ids import IdDPOTrainer, as_ids, as_texts, with_ids, words_tokenizer

same = lambda value: value
ACCELERATOR = SimpleNamespace(device="cpu", gather=same, gather_for_metrics=same, reduce=lambda value, reduction: value)


def cpo_losses(loss, chosen, rejected, beta, gamma, smoothing):
    """CPOTrainer's, of one number for each side: mean log-probs for simpo, log ratios for its sigmoid and ipo."""
    trainer = SimpleNamespace(
        loss_type=loss, beta=beta, simpo_gamma=gamma, label_smoothing=smoothing, alpha=0.0, accelerator=ACCELERATOR
    )
    return CPOTrainer.cpo_loss(trainer, chosen, rejected)[0].numpy()


def dpo_losses(loss, chosen, rejected, references, lengths, beta):
    """DPOTrainer's, pair by pair, from made-up log-probs of tokens: its loss of a batch is one number."""
    trainer = SimpleNamespace(
        model=SimpleNamespace(training=False),
        accelerator=ACCELERATOR,
        aux_loss_enabled=False,
        ld_alpha=None,
        precompute_ref_logps=True,
        f_divergence_type="reverse_kl",
        loss_types=[loss],
        loss_weights=[1.0],
        beta=beta,
        use_weighting=False,
        _metrics=defaultdict(lambda: defaultdict(list)),
        _total_train_tokens=0,
        _tp_size=1,
    )
    found = []
    for y, z, r, s, n, m in zip(chosen, rejected, *references, *lengths, strict=True):
        mask = torch.zeros(2, 1 + int(max(n, m)))
        logprobs = torch.zeros(2, int(max(n, m)), dtype=torch.float64)
        for row, (total, length) in enumerate(((y, n), (z, m))):
            mask[row, 1 : 1 + int(length)] = 1
            logprobs[row, : int(length)] = total / length
        none = torch.zeros_like(logprobs)
        outputs = SimpleNamespace(log_probs=logprobs, entropy=none, mean_logits=none, is_top1=none.bool())
        inputs = {"input_ids": mask.long(), "attention_mask": mask, "completion_mask": mask}
        inputs |= {"ref_chosen_logps": r[None], "ref_rejected_logps": s[None]}
        found.append(DPOTrainer._compute_loss(trainer, lambda outputs=outputs, **_: outputs, inputs, False).item())
    return np.array(found)


def orpo_losses(chosen, rejected, beta):
    """ORPOTrainer's without its SFT term, of mean log-probs. It casts to float32."""
    return -ORPOTrainer.odds_ratio_loss(SimpleNamespace(beta=beta, accelerator=ACCELERATOR), chosen, rejected)[
        0
    ].numpy()


def losses(inputs, settings):
    (y, z, *references), (n, m) = map(torch.tensor, inputs["sums"]), map(torch.tensor, inputs["lengths"])
    ratios = y - references[0], z - references[1]
    made = {}
    for number, (loss, beta, gamma, smoothing) in enumerate(settings):
        match loss:
            case "simpo":
                made[str(number)] = cpo_losses("simpo", y / n, z / m, beta, gamma, smoothing)
            case "dpo" if smoothing:
                made[str(number)] = cpo_losses("sigmoid", *ratios, beta, gamma, smoothing)
            case "dpo":
                made[str(number)] = dpo_losses("sigmoid", y, z, references, (n, m), beta)
            case "ipo":
                made[str(number)] = cpo_losses("ipo", *ratios, beta, gamma, smoothing)
            case "ipo_averaged":
                made[str(number)] = dpo_losses("ipo", y, z, references, (n, m), beta)
            case "orpo":
                made[str(number)] = orpo_losses(y / n, z / m, beta) - (y / n).numpy()
    return made


def grpo_loss(now, sampled, mask, advantages, clip, kl_weight):
    """GRPOTrainer's of one group, from made-up log-probs of tokens; and its slope by those of now."""
    now, sampled, advantages = (torch.tensor(values, dtype=torch.float64) for values in (now, sampled, advantages))
    now.requires_grad_()
    trainer = SimpleNamespace(
        _get_per_token_logps_and_entropies=lambda *_, **__: (now, torch.zeros_like(now), None),
        model=SimpleNamespace(training=False),
        accelerator=ACCELERATOR,
        args=SimpleNamespace(delta=None, use_bias_correction_kl=False),
        aux_loss_enabled=False,
        top_entropy_quantile=1.0,
        off_policy_mask_threshold=None,
        importance_sampling_level="token",
        loss_type="grpo",
        beta=kl_weight,
        epsilon_low=clip,
        epsilon_high=clip,
        use_vllm=False,
        current_gradient_accumulation_steps=1,
        _entropy_bonus_enabled=False,
        _metrics=defaultdict(lambda: defaultdict(list)),
    )
    prompt, tokens = torch.ones(len(now), 1, dtype=torch.long), torch.ones(now.shape, dtype=torch.long)
    inputs = {"prompt_ids": prompt, "prompt_mask": prompt, "completion_ids": tokens, "advantages": advantages}
    inputs |= {"completion_mask": torch.tensor(mask).long(), "old_per_token_logps": sampled}
    loss = GRPOTrainer._compute_loss(trainer, None, inputs | {"ref_per_token_logps": sampled})
    loss.backward()
    return loss.item(), now.grad.numpy()


def loaded(folder, name):
    return AutoModelForCausalLM.from_pretrained(folder / name, dtype=torch.float64)


def one_step(folder, rows, rate):
    """Settings of any trainer for one step of plain gradient descent on so many rows at a time."""
    return dict(
        output_dir=str(folder / "out"), max_steps=1, per_device_train_batch_size=rows, learning_rate=rate,
        lr_scheduler_type="constant", optim="sgd", max_grad_norm=0.0, use_cpu=True, bf16=False, report_to=[],
        save_strategy="no", gradient_checkpointing=False, disable_tqdm=True,
    )  # fmt: skip


def trained(trainer):
    trainer.train()
    return {name: value.detach().numpy() for name, value in trainer.model.state_dict().items()}


def of_dpo_trainer(pairs, loss, beta, smoothing):
    """DPOTrainer's settings for a loss, and the pairs that it takes at a time.

    Its sigmoid knows no smoothing, but its aot does, which is DPO of a single pair. Its ipo averages over tokens: where
    all sides have n of them (h/n - 1/(2 n beta))^2 is IPO over n^2.
    """
    if loss == "ipo":
        (n,) = {len(pair[side]) for pair in pairs for side in ("chosen", "rejected")}
        return dict(loss_type=["ipo"], beta=n * beta, loss_weights=[float(n**2)]), len(pairs)
    if smoothing:
        return dict(loss_type=["aot"], beta=beta, label_smoothing=smoothing), 1
    return dict(loss_type=[{"dpo": "sigmoid", "ipo_averaged": "ipo"}[loss]], beta=beta), len(pairs)


def step(folder, pairs, loss, beta, gamma, smoothing, sft_weight, rate):
    """The weights after one step of plain gradient descent on all pairs."""
    model = loaded(folder, "policy")
    tokenizer = words_tokenizer(model.config.vocab_size)
    if loss in ("dpo", "ipo", "ipo_averaged"):
        of_loss, at_a_time = of_dpo_trainer(pairs, loss, beta, smoothing)
        shared = one_step(folder, at_a_time, rate) | {"gradient_accumulation_steps": len(pairs) // at_a_time}
        trainer = IdDPOTrainer(
            model, loaded(folder, "reference"), args=DPOConfig(max_length=None, **of_loss, **shared),
            train_dataset=Dataset.from_list(as_ids(pairs)), processing_class=tokenizer,
        )  # fmt: skip
    else:
        shared = one_step(folder, len(pairs), rate) | {"beta": beta}
        if loss == "simpo":
            of_loss = dict(loss_type="simpo", simpo_gamma=gamma, label_smoothing=smoothing, cpo_alpha=sft_weight)
            kind, settings = with_ids(CPOTrainer), CPOConfig(**of_loss, **shared)
        else:
            kind, settings = with_ids(ORPOTrainer), ORPOConfig(**shared)
        trainer = kind(model, settings, train_dataset=Dataset.from_list(as_texts(pairs)), processing_class=tokenizer)
    return trained(trainer)


def logprobs(model, prompts, answers):
    """Of the tokens of every answer, after its prompt."""
    logits = model(torch.cat([prompts, answers], 1)).logits[:, prompts.shape[1] - 1 : -1]
    return torch.log_softmax(logits, -1).gather(2, answers[..., None])[..., 0]


def grpo_step(folder, samples, clip, kl_weight, rate):
    """The weights after one step on groups of equally many samples, drawn by the policy `reference`; all prompts have
    one length. By default TRL weighs the KL of each token with its ratio, which the paper does not."""
    width, fill = max(len(side) for group in samples for side in group["sides"]), 0
    sides = [(group["prompt"], side) for group in samples for side in group["sides"]]
    prompts = torch.tensor([prompt for prompt, _ in sides])
    answers = torch.tensor([side + [fill] * (width - len(side)) for _, side in sides])
    mask = torch.tensor([[place < len(side) for place in range(width)] for _, side in sides])
    with torch.no_grad():
        sampled = logprobs(loaded(folder, "reference"), prompts, answers)
    made = {
        "prompt_ids": prompts, "prompt_mask": torch.ones_like(prompts), "completion_ids": answers,
        "completion_mask": mask.long(), "old_per_token_logps": sampled, "ref_per_token_logps": sampled,
        "advantages": torch.tensor([value for group in samples for value in group["advantages"]], dtype=torch.float64),
    }  # fmt: skip

    class Sampled(GRPOTrainer):
        def _generate_and_score_completions(self, inputs):
            return made

    model = loaded(folder, "policy")
    count = len(samples[0]["sides"])
    settings = GRPOConfig(
        loss_type="grpo", epsilon=clip, beta=kl_weight, use_bias_correction_kl=False, num_generations=count,
        max_completion_length=width, **one_step(folder, len(sides), rate),
    )  # fmt: skip
    trainer = Sampled(
        model, reward_funcs=lambda completions, **_: [0.0] * len(completions), args=settings,
        train_dataset=Dataset.from_list([{"prompt": str(number)} for number in range(len(samples))]),
        processing_class=words_tokenizer(model.config.vocab_size),
    )  # fmt: skip
    return trained(trainer)


def main(folder):
    plan = json.loads((folder / "plan.json").read_text())
    np.savez(folder / "losses.npz", **losses(np.load(folder / "inputs.npz"), plan["losses"]))
    groups = np.load(folder / "groups.npz")
    for number, settings in enumerate(plan["groups"]):
        arguments = (groups[f"{name}{number}"] for name in ("now", "sampled", "mask", "advantages"))
        loss, slope = grpo_loss(*arguments, *settings)
        np.savez(folder / f"group{number}.npz", loss=loss, slope=slope)
    for name, (pairs, *settings) in plan["steps"].items():
        np.savez(folder / f"{name}.npz", **step(folder, plan["pairs"][pairs], *settings, plan["rate"]))
    np.savez(folder / "grpo.npz", **grpo_step(folder, *plan["grpo"], plan["rate"]))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
