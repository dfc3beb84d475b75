"""The config tree: every key with its default and its meaning, and how a round's settings are resolved."""

from __future__ import annotations

from typing import Any

from ml_collections import ConfigDict

from itool_jax.errors import UserError

LINEAR = ("q", "k", "v", "o", "gate", "up", "down")  # as in models.config, which imports JAX

# Mappings whose keys the user chooses; every other key is fixed by `default_config`.
OPEN_MAPPINGS = ("data.heldout", "round_overrides")

# Kinds of data.augment, each with the share of examples that get one.
AUGMENTATIONS = (
    "function_names",
    "parameter_names",
    "shuffled_tools",
    "distractors",
    "irrelevant_tools",
    "missing_parameter",
    "given_parameter",
)

# What may stand at a key that takes a name.
CHOICES = {
    "model.dtype": ("float32", "bfloat16"),
    "model.param_dtype": ("float32", "bfloat16"),
    "model.remat": ("", "none", "dots", "full"),
    "model.attention": ("", "dense", "blockwise"),
    "model.quantize": ("", "int8", "nf4"),
    "model.lora_targets": LINEAR,
    "data.source": (
        *("toolworld", "toolace", "xlam", "glaive", "hermes", "seal_tools", "sgd", "api_bank", "toolrl", "jsonl"),
    ),
    "data.chat": ("auto", "template", "chatml", "compact"),
    "data.toolworld.world": ("small", "large"),
    "data.toolworld.tools": ("train", "unseen"),
    "round.select.by": ("perplexity", "random"),
    "round.search.self_eval_orderings": (1, 2),
    "round.search.select_by": ("puct", "entropy"),
    "round.pairs.mode": ("best_worst", "all", "listwise", "answers", "right", "truth", "group"),
    "round.pairs.weight": ("", "gap"),
    "round.prefer.loss": ("simpo", "dpo", "ipo", "ipo_averaged", "orpo", "list_mle", "sft", "grpo"),
    **{f"{group}.optimizer": ("adamw", "adafactor") for group in ("warmup", "round.prefer")},
    **{f"{group}.schedule": ("cosine", "linear", "constant") for group in ("warmup", "round.prefer")},
    "warmup.keep_best": ("", "loss", "heldout"),
    "round.prefer.keep_best": ("", "loss", "accuracy", "margin"),
}

# Losses that `label_smoothing` is defined for, those that compare no pairs, and the values of round.pairs.mode that
# losses train on; others train on pairs.
SMOOTHED = ("simpo", "dpo")
NOT_OF_PAIRS = ("sft", "grpo")
PAIRS = ("best_worst", "all", "answers")
MODES_OF_LOSS = {"list_mle": (*PAIRS, "listwise"), "sft": ("truth", "right"), "grpo": ("group",)}
# What round.prefer.beta is where it is 0: the values that are usual for a loss differ by as much as their scales.
BETA_OF_LOSS = {"simpo": 2.5, "list_mle": 2.5, "dpo": 0.1, "ipo": 0.1, "ipo_averaged": 0.1, "orpo": 0.1}

# Least value of numbers that 0 makes no sense for, by the last part of the key; every other number is at least 0.
MINIMUMS = {
    **dict.fromkeys(("rows", "row_tokens", "accumulate", "checkpoint_every", "answer_tokens", "slots", "keep_last"), 1),
    **dict.fromkeys(
        ("samples", "iterations", "expansions_max", "trees", "cohorts", "arena_tokens", "vocab_size", "epochs"), 1
    ),
    **dict.fromkeys(("data", "fsdp", "tensor"), -1),  # sizes of the mesh
    **dict.fromkeys(("temperature", "top_p", "ratio_clip", "lora_alpha"), 1e-6),
}
# Greatest value of numbers that have one, by the end of the key; every number is finite.
MAXIMUMS = {
    **dict.fromkeys(("share", "decontaminate", ".top_p", ".warmup_fraction", "search.gamma", ".widening_power"), 1),
    ".ratio_clip": 1,
    **{f"augment.{kind}": 1 for kind in AUGMENTATIONS},
    ".label_smoothing": 0.5,
    "seed": 2**31 - 1,
}


# Keys that results depend on by rounding alone: how work lies over devices, and how states are kept. A run takes new
# values of them when it goes on, and is refused where any other key changed; `config_loading.deciding_differences`
# makes the exceptions. (Rounding may turn a draw that is on the edge, as it may on other devices.)
LAYOUT = (
    *("mesh.data", "mesh.fsdp", "mesh.tensor"),  # batches, random keys and saved states know nothing of devices
    *("model.remat", "model.attention", "model.sequence_sharding"),  # other ways to the same numbers
    *("round.search.trees", "round.search.cohorts"),  # a tree draws by keys of its own and shares nothing
    "evaluate.slots",  # an answer is greedy and stands by itself
    *("warmup.keep_last", "round.prefer.keep_last"),  # any number has the newest; the best is kept beside them
    *("warmup.checkpoint_every", "round.prefer.checkpoint_every"),  # but where saved states compete to be the best
    # But with another product: the seed alone chooses the rows of a step, which sums over all of them.
    *("warmup.rows", "warmup.accumulate", "round.prefer.rows", "round.prefer.accumulate"),
)


def default_config() -> ConfigDict:
    """Every key there is, with its default. Config files start from this and change what they need."""
    config = ConfigDict()
    config.seed = 0  # random keys of every stage derive from it
    config.model = _model()
    config.mesh = ConfigDict(
        {
            "data": -1,  # rows of a batch over this many devices; -1 takes what the other two leave
            "fsdp": 1,  # rows, and parameters with their optimiser state, over this many
            "tensor": 1,  # heads, ffn and vocabulary over this many
        }
    )
    config.data = _data()
    config.warmup = _warmup()
    config.rounds = 2  # rounds of score, select, search, pairs and preference training after the warm-up
    config.round = ConfigDict(
        {"select": _select(), "search": _search(), "pairs": _pairs(), "prefer": _prefer()},
    )
    config.round_overrides = ConfigDict()  # round_000: any part of `round` that differs in that round, and so on
    config.evaluate = ConfigDict(
        {
            "sets": (),  # held-out sets to evaluate; () is all of them
            "limit": 0,  # examples per set at most; 0 is no limit
            "benchmarks": (),  # to answer after each stage as well: bfcl:simple_python, bfcl:live, api_bank, ...
            "api_bank": "data/api_bank",  # folder with API-Bank's level-1-api.json and level-2-api.json
            "answer_tokens": 96,  # longer ones are cut off: wrong on held-out sets, else judged by what they say so far
            "slots": 32,  # answers decoded side by side
        }
    )
    config.lock()
    config.data.heldout.unlock()
    config.round_overrides.unlock()
    return config


def check_mode(mode: str, known: tuple[str, ...]) -> None:
    """Raises UserError unless `mode`, what stands after the colon of --config=FILE:MODE, is one of the file's modes."""
    if mode not in known:
        raise UserError(f"the config has no mode {mode!r}: its modes are {', '.join(repr(name) for name in known)}")


def round_config(config: ConfigDict, index: int) -> ConfigDict:
    """The settings of round `index`: `config.round` with `config.round_overrides.round_NNN` laid over it."""
    return resolve_round(config, round_name(index))


def resolve_round(config: ConfigDict, name: str) -> ConfigDict:
    """`config.round` with the overrides of this name, if there are any, laid over it."""
    resolved = config.round.copy_and_resolve_references()
    overrides = config.round_overrides.get(name)
    if overrides is not None:
        resolved.update(overrides)
    return resolved.lock()


def resolve_beta(prefer: ConfigDict) -> float:
    """The beta that the loss of these settings gets: theirs, or the usual one; 0 for a loss that has none."""
    return prefer.beta or BETA_OF_LOSS[prefer.loss] if prefer.loss in BETA_OF_LOSS else 0.0


def round_key(config: ConfigDict, index: int, key: str) -> str:
    """Path of the key that decides the setting `key` of round `index`, such as "search.trees"."""
    place: Any = config.round_overrides.get(round_name(index))
    for part in key.split("."):
        place = place.get(part) if isinstance(place, ConfigDict) else None
    return f"round.{key}" if place is None else f"round_overrides.{round_name(index)}.{key}"


def round_name(index: int) -> str:
    """Name of a round in the run directory, in stage names and in `round_overrides`."""
    return f"round_{index:03d}"


def _model() -> ConfigDict:
    return ConfigDict(
        {
            "preset": "",  # shapes: a name in itool_jax.models.presets; "" is the checkpoint's own, tiny without one
            "checkpoint": "",  # weights to start from: a folder, a GGUF file, adapters to merge; "" starts from nothing
            "tokenizer": "",  # a tokenizer folder or GGUF file; "" is the checkpoint's own, or one trained on the data
            "vocab_size": 768,  # size of a tokenizer trained on the data
            "dtype": "float32",  # of activations, and of the base under adapters; losses and moments are float32
            "param_dtype": "float32",  # of the parameters where all are trained; adapters are float32
            "master_copy": True,  # with bfloat16 parameters: keep a float32 copy that updates add up in. Without it an
            # update of less than 2^-9 of a weight, which is most at small learning rates, changes nothing
            "freeze_embeddings": False,  # train all but the embedding, and so not the head of a tied model, which is it
            "remat": "",  # what the backward pass computes again: none, dots, full; "" is the preset's, or full
            "attention": "",  # how training and scoring read rows: dense, with an array of all scores; blockwise; "" is
            # the TPU's kernel on TPUs and blockwise elsewhere. Results are the same up to rounding
            "sequence_sharding": False,  # between layers, the tokens of a row lie over mesh tensor: for long rows
            "lora_rank": 0,  # rank of the adapters; 0 trains all parameters
            "lora_alpha": 16.0,  # adapters are scaled by lora_alpha / lora_rank
            "lora_rslora": False,  # scale them by lora_alpha / sqrt(lora_rank) instead, so that high ranks learn
            "lora_targets": LINEAR,  # the linear layers that have adapters
            "quantize": "",  # with LoRA, the linear layers of the base in int8 or nf4 (QLoRA)
        }
    )


def _data() -> ConfigDict:
    return ConfigDict(
        {
            "source": "toolworld",  # what the training data are: the simulator, or files of one of these forms
            "folder": "",  # relative paths in train and heldout start here; "" is the current folder
            "train": (),  # files, folders or hub:OWNER/NAME[/CONFIG][:SPLIT] to train on; unused by the simulator
            "heldout": {},  # set name: file, folder or hub:... to evaluate on; the simulator names its own sets
            "limit": 0,  # training examples to take, by a seeded choice; 0 is all
            "decontaminate": 0.0,  # leave out what shares this much with a held-out or benchmark example; 0: nothing
            "skip_malformed": False,  # skip and count rows that cannot be read, instead of stopping at them
            "chat": "auto",  # how conversations are written: by the model's template, our chatml or compact; auto fits
            "chat_date": "2024-07-26",  # what a template takes for today; Llama 3's tells the model
            "chat_thinking": False,  # whether a template that knows `enable_thinking` (Qwen3's) lets the model reason
            "augment": {  # new training examples made of this share of the old ones, by kind: itool_jax.data.augment
                "seed": 0,
                "function_names": 0.0,  # candidates named at random; in chat formats that show descriptions
                "parameter_names": 0.0,  # their parameters likewise
                "shuffled_tools": 0.0,  # candidates in another order
                "distractors": 0.0,  # more candidates, of other examples
                "irrelevant_tools": 0.0,  # the tools that serve are taken away: none serves is the right answer
                "missing_parameter": 0.0,  # the tool needs a value that nobody has said: to ask for it is right
                "given_parameter": 0.0,  # the same tool, with that value said
            },
            "prepared": "",  # a store that `itool-jax data prepare` made: training examples are read there instead
            "warmup_share": 0.9,  # share of the training examples that the warm-up sees
            "buffer_share": 0.5,  # share that the rounds select from; the two overlap as far as they sum to over 1
            "toolworld": {
                "seed": 0,  # of the world: its tools and its conversations
                "world": "small",  # small; large has many tools, free wording, nested calls, tasks
                "tools": "train",  # which tools the conversations call: train, or unseen, those kept apart from them
                "train": {"easy": 2500, "medium": 2500, "hard": 2500},  # training conversations by difficulty
                "heldout": 1000,  # conversations in each set: easy, medium, hard and, where there are any, unseen_tools
                "no_call_share": 0.1,  # requests whose right answer is prose: a parameter is missing, or no tool serves
                "follow_up_share": 0.1,  # conversations that go on after a tool's result
                "large": {  # what the large world alone has: without effect where world is small
                    "nested_share": 0.1,  # medium and hard requests whose later calls take results of earlier ones
                    "task_share": 0.15,  # hard examples that are a turn of a task over a back end with a state
                    "long_share": 0.05,  # hard examples with a long tool set
                    "tool_characters": 37_000,  # most of a long tool set, as compact JSON: 8k tokens, by Llama 3's
                    # template, which indents it, 16k
                    "typo_share": 0.1,  # users' messages that are misspelled; values never are
                },
            },
        }
    )


def _optimizer(learning_rate: float) -> dict:
    return {
        "optimizer": "adamw",  # adamw, or adafactor: a hundredth of its state, for full training where memory is short
        "learning_rate": learning_rate,  # at the peak, after the linear warm-up and before the schedule's decay
        "schedule": "cosine",  # cosine or linear decay to 0 at the last step, or constant
        "warmup_fraction": 0.1,  # share of the steps over which the learning rate rises
        "weight_decay": 0.0,  # decoupled: times the learning rate, on matrices only
        "clip": 1.0,  # largest global norm of the gradient; 0 does not clip
        "rows": 16,  # rows of a batch; a multiple of mesh data x fsdp
        "row_tokens": 256,  # length of a row; a tree that is longer is left out and counted
        "accumulate": 1,  # batches whose gradients are summed, weighted by their tokens, into one step
        "checkpoint_every": 200,  # steps between checkpoints from which a killed run goes on
        "keep_last": 2,  # the newest of them that stay on disk while the stage trains
        "keep_best": "",  # keep the best of them too and end with its policy: the best by loss, or in the warm-up by
        # heldout, exact match as eval_every has it, in round.prefer by accuracy or margin; "" ends with the last policy
    }


def _warmup() -> ConfigDict:
    return ConfigDict(
        {
            "epochs": {"easy": 4, "medium": 4, "hard": 4},  # passes over each subset, in this order
            "eval_every": 0,  # steps between evaluations on the held-out sets, for a curve; 0 for none
            "eval_limit": 0,  # examples per set that such an evaluation takes at most; 0 is no limit
            **_optimizer(1e-3),
        }
    )


def _select() -> ConfigDict:
    return ConfigDict(
        {
            "by": "perplexity",  # what is taken first: the highest perplexity of the answer, or random
            "share": 0.3,  # share of the buffer that is taken, of the answers with calls and of those without
            "limit": 0,  # examples at most; 0 is no limit
        }
    )


def _search() -> ConfigDict:
    return ConfigDict(
        {
            "samples": 3,  # n: completions drawn at each expansion
            "iterations": 5,  # expansions per tree
            "temperature": 1.0,  # of sampling; priors are always taken at 1
            "top_p": 1.0,  # smallest set of tokens with this probability is sampled from; 1 is all of them
            "c_puct": 1.0,  # weight of the prior against the value in the selection
            "prior_length_power": 1.25,  # a fragment's log-probability is divided by its length to this power
            "gamma": 1.0,  # discount of the backup; below 1, unfinished answers are graded by the slots filled so far
            "expansions_max": 2,  # E_max: expansions at one node, after which it is open no longer of itself
            "select_by": "puct",  # what is expanded next: puct, or entropy: where the policy is least sure (Tool-Light)
            "widening": 0.0,  # progressive widening (Coulom 2007): with puct, a node that N samples passed is expanded
            # again, whatever E_max, while fewer than widening * N^widening_power samples were drawn at it; 0: never
            "widening_power": 0.5,  # how the samples drawn at a node grow with those that passed it
            "stop_unanimous": False,  # end a tree whose first samples agree in text and reward: it has no signal
            "extra_iterations": 0,  # most expansions that a tree with right and wrong samples gets beyond `iterations`,
            # out of those that trees which ended early left over; 0 gives them to nobody
            "max_depth": 0,  # fragments below which nothing is expanded; 0 is no limit
            "answer_tokens": 64,  # budget of an answer; one that reaches it is truncated, worth 0, and in no pair
            "reward": "",  # package.module:function that grades answers instead of O by slots: see docs/search.md
            "self_eval_weight": 0.0,  # w_C in R = O + w_C C; 0 leaves the self-evaluation out
            "self_eval_orderings": 2,  # orderings of the four options over which C is averaged
            "trees": 32,  # trees grown side by side
            "cohorts": 1,  # parts of them that decode in turn: 2 hide the host's work behind the device's, but every
            # step reads the weights for half as many trees
            "arena_tokens": 512,  # tokens that a tree can hold beside its prompt
        }
    )


def _pairs() -> ConfigDict:
    return ConfigDict(
        {
            "mode": "best_worst",  # at each fork: best right against worst wrong child; all such pairs; or, listwise,
            # one ranking of the children, for the loss list_mle. Baselines, of whole answers: answers, the best right
            # against the worst wrong one; for sft, all right ones, or truth, that of the data; for grpo, the group
            "min_gap": 0.0,  # smallest difference in Q between chosen and rejected
            "weight": "",  # what a pair counts in the loss: "" is 1; gap is the difference in Q of its sides
            "per_tree_max": 8,  # pairs of one tree at most, those with the largest gap; 0 is no limit
            "ground_truth_stand_in": False,  # where no sampled child is right, the ground truth's is the chosen one
        }
    )


def _prefer() -> ConfigDict:
    return ConfigDict(
        {
            "loss": "simpo",  # simpo, dpo, ipo, ipo_averaged (TRL's, per token) or orpo of pairs; list_mle of rankings,
            # which of a pair is simpo; sft of right answers; grpo of a group
            "beta": 0.0,  # scale of the reward; tau of ipo, lambda of orpo; 0 is the usual one, of BETA_OF_LOSS
            "gamma": 0.5,  # the margin of simpo and list_mle, absolute
            "label_smoothing": 0.0,  # how often the sides of a pair are taken to be the wrong way round; simpo and dpo
            "ratio_clip": 0.2,  # grpo: how far from 1 the ratio of a token's chances before and now still counts
            "kl_weight": 0.0,  # grpo: weight of the KL to the policy at the start of the round
            "sft_weight": 0.0,  # weight of the SFT loss on the chosen side
            "anchor_weight": 0.0,  # what -log pi of a selected prompt's right answer counts against a pair's loss
            "epochs": 2,  # passes over the pairs
            **_optimizer(1e-5),
        }
    )
