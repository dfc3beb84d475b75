"""TRL's (1.16) trainers of pairs, fed with token ids instead of texts."""

from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast
from trl import DPOTrainer


class IdDPOTrainer(DPOTrainer):
    """Takes rows of prompt_ids, chosen_ids and rejected_ids as they are."""

    def _prepare_dataset(self, dataset, *_):
        return dataset


def with_ids(trainer):
    """CPOTrainer or ORPOTrainer for rows of texts that are token ids with blanks between them."""

    class IdTrainer(trainer):
        def tokenize_row(self, feature, model=None):
            ids = {name: [int(word) for word in feature[name].split()] for name in ("prompt", "chosen", "rejected")}
            row = {"prompt_input_ids": ids["prompt"], "prompt_attention_mask": [1] * len(ids["prompt"])}
            for side in ("chosen", "rejected"):
                whole = ids["prompt"] + ids[side]
                row |= {f"{side}_input_ids": whole, f"{side}_attention_mask": [1] * len(whole)}
                row[f"{side}_labels"] = [-100] * len(ids["prompt"]) + ids[side]
            return row

    return IdTrainer


def as_texts(pairs):
    """Pairs of token ids as `with_ids` wants them."""
    return [{key: " ".join(map(str, ids)) for key, ids in pair.items()} for pair in pairs]


def as_ids(pairs):
    """Pairs of token ids as `IdDPOTrainer` wants them."""
    return [{f"{key}_ids": ids for key, ids in pair.items()} for pair in pairs]


def words_tokenizer(vocabulary):
    """A tokenizer whose words are the ids; 0 pads, 1 ends and 2 begins a text."""
    backend = Tokenizer(WordLevel({str(i): i for i in range(vocabulary)}, "0"))
    return PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="0", eos_token="1", bos_token="2")
