"""SmolLM2-135M-Instruct with LoRA on real conversations of Seal-Tools (the weights need the extra `gguf`).

The data are not part of the project: `--config.data.folder=DIR` names the folder that holds the Seal-Tools files.
Modes: `smollm2_135m.py` for an accelerator; `smollm2_135m.py:smoke` for the same stages on tens of examples, in a
quarter of an hour on two CPU cores.
"""

from ml_collections import ConfigDict

from itool_jax.config import check_mode, default_config


def get_config(mode: str = "") -> ConfigDict:
    check_mode(mode, ("", "smoke"))
    config = default_config()
    config.model.update(preset="smollm2_135m", checkpoint="smollm2_135m", lora_rank=8, lora_alpha=16.0)
    config.data.update(
        source="seal_tools",
        folder="data/seal_tools",
        train=("finetune_dev.json", "finetune_test_in_domain.json"),
        heldout={"out_of_domain": "finetune_test_out_domain.json"},
        skip_malformed=True,  # 5 of 1,400 rows call a tool that is not among their candidates
        chat="chatml",
    )
    config.warmup.update(rows=8, row_tokens=2048, learning_rate=5e-4)
    config.warmup.epochs.update(easy=1, medium=1, hard=2)
    config.round.search.update(answer_tokens=160, self_eval_weight=0.2, trees=8, arena_tokens=1024)
    config.round.pairs.ground_truth_stand_in = True  # after little SFT few samples are right
    config.round.prefer.update(rows=4, row_tokens=2048, learning_rate=5e-5, sft_weight=0.2)
    config.evaluate.update(answer_tokens=160, slots=8)
    if mode == "smoke":
        config.rounds = 1
        config.data.update(limit=40, warmup_share=0.8, buffer_share=0.2)
        config.warmup.update(rows=2, row_tokens=1152)
        config.warmup.epochs.hard = 1
        config.round.select.share = 1.0
        config.round.search.update(trees=4, iterations=2)
        config.round.prefer.update(rows=2, row_tokens=1280, epochs=1)
        config.evaluate.update(limit=16, slots=4)
    return config
