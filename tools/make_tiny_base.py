"""Makes the base model of the quickstart: a decoder of a million parameters that has read a stream of the tool world.

    python tools/make_tiny_base.py --out=FOLDER [--conversations=90000] [--seed=7]

The stream comes from another seed than any config's training or held-out data, and no conversation is read twice. The
same arguments on the same number of devices give the same bits.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from etils import epath

from itool_jax.data.chat import chat_format
from itool_jax.data.prepared import Dialect, Prepared
from itool_jax.data.tokenizer import train_bpe
from itool_jax.data.toolworld import ToolWorld
from itool_jax.evaluation.exact_match import grade, summarize
from itool_jax.evaluation.generate import greedy_answers
from itool_jax.forest import chain
from itool_jax.models.hf import save_hf
from itool_jax.models.policy import Policy, init_policy
from itool_jax.models.presets import preset
from itool_jax.parallel.mesh import make_mesh
from itool_jax.progress import note, progress
from itool_jax.sampling.sampler import SamplerConfig, TreeSampler
from itool_jax.training.dataset import SftRows, batched
from itool_jax.training.fit import FitConfig, fit
from itool_jax.training.objectives import sft
from itool_jax.training.step import OptimizerConfig

ROW_TOKENS = 256


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for the tokenizer and the policy")
    parser.add_argument("--conversations", type=int, default=90_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--shares", default="easy=4,medium=3,hard=3", help="mixture of difficulties")
    parser.add_argument("--learning-rate", type=float, default=3e-3)
    parser.add_argument("--prompt-weight", type=float, default=0.1, help="what a prompt's token counts against 1")
    parser.add_argument("--rows", type=int, default=8, help="rows of 256 tokens in a batch")
    parser.add_argument("--eval-every", type=int, default=500)
    options = parser.parse_args()
    shares = {level: float(share) for level, share in (part.split("=") for part in options.shares.split(","))}

    chat = chat_format("compact")
    world = ToolWorld(options.seed)
    examples = list(world.mixture(shares, options.conversations))
    texts = [t for e in examples[:8000] for t in (*(s.text for s in chat.segments(e) if not s.special), e.answer)]
    tokenizer = train_bpe(texts, preset("tiny").vocab_size, chat.special_tokens, chat.end_of_turn)
    dialect = Dialect(tokenizer, chat)
    prepared = [dialect.prepare(example) for example in examples]
    trees = [chain(p.prompt, p.answer) for p in prepared if len(p) <= ROW_TOKENS]
    trees = [replace(tree, weights=(options.prompt_weight, 1.0)) for tree in trees]
    note(f"{len(prepared) - len(trees)} of {len(prepared)} conversations are longer than a row and are left out")
    batches = batched(SftRows(trees, ROW_TOKENS), epochs=1, rows_per_step=options.rows, accumulate=1, seed=options.seed)
    heldout = {
        level: [dialect.prepare(e) for e in ToolWorld(options.seed, "heldout").examples(level, 200)] for level in shares
    }
    with progress("SFT on the stream", len(batches), "steps") as bar:
        policy = fit(
            init_policy(preset("tiny"), options.seed),
            sft,
            batches,
            FitConfig(
                OptimizerConfig(options.learning_rate, steps=len(batches)),
                checkpoint_every=500,
                eval_every=options.eval_every,
            ),
            make_mesh(),
            options.out.with_name(options.out.name + ".training"),
            lambda step, metrics: (
                bar.advance(step - bar.done, loss=metrics["loss"]),
                step % 50 or note(f"step {step}: loss {metrics['loss']:.3f}"),
            ),
            lambda step, policy: note(f"step {step}: {scores(policy, dialect, heldout)}"),
        )
    note(f"at the end: {scores(policy, dialect, heldout)}")
    tokenizer.save(options.out)
    save_hf(epath.Path(options.out), policy)


def scores(policy: Policy, dialect: Dialect, sets: dict[str, list[Prepared]]) -> dict[str, float]:
    """Exact match of the greedy answers on each set."""
    cfg = SamplerConfig(64, 1, 256, 128, (dialect.end_of_turn,))
    result = {}
    for name, examples in sets.items():
        samples = greedy_answers(TreeSampler(policy, cfg, seed=0), examples, 128)
        pairs = zip(examples, samples, strict=True)
        graded = [grade(p.example, dialect.text(s.tokens), finished=s.end == "stop") for p, s in pairs]
        result[name] = round(summarize(graded).exact_match or 0.0, 3)
    return result


if __name__ == "__main__":
    main()
