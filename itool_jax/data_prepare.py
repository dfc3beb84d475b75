"""`itool-jax data prepare`: the training examples that a config names, tokenised into a store for many runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from itool_jax.config_loading import load_config
from itool_jax.data.prepared import Prepared
from itool_jax.data.store_writer import write_store
from itool_jax.data.tally import Tally
from itool_jax.progress import note, progress
from itool_jax.rounds.base_model import tokenizer_of
from itool_jax.rounds.data_settings import deciding_settings
from itool_jax.rounds.inputs import check_masks, evaluation_index, stream_training_examples
from itool_jax.rounds.settings import dialect_for


def prepare(config: str, overrides: Sequence[str], out: str) -> int:
    """Writes the store and says what it holds; returns the exit status.

    The config's own `data.prepared`, which may name the store that is written here, is not read.
    """
    cfg = load_config(config, overrides)
    with cfg.unlocked():
        cfg.data.prepared = ""
    tally = Tally()
    index = evaluation_index(cfg, tally)
    dialect = dialect_for(cfg.data, tokenizer_of(cfg, stream_training_examples(cfg, Tally(), index)))
    check_masks(cfg, dialect.chat)
    with progress(f"Preparing {out}", unit="examples") as bar:

        def prepared() -> Iterator[Prepared]:
            for example in stream_training_examples(cfg, tally, index):
                yield dialect.prepare(example)
                bar.advance()

        manifest = write_store(out, prepared(), dialect, data=deciding_settings(cfg), tally=tally)
    for line in tally.notes():
        note(line)
    tokens = manifest.prompt_tokens + manifest.answer_tokens
    note(
        f"{manifest.examples} examples of {tokens} tokens are in {out}, {sum(manifest.shards.values()) / 1e6:.1f} MB: "
        f"train on them with --config.data.prepared={out}"
    )
    return 0
