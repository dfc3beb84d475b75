"""The sides of this project: a preference step on forests or on separate rows, and SFT on packed rows."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from itool_jax.errors import UserError
from itool_jax.forest import TokenTree, build_batch, capacity_for, chain
from itool_jax.models.forest_attention import AncestorMask
from itool_jax.models.policy import Policy
from itool_jax.parallel.mesh import shard_batch
from itool_jax.training import losses
from itool_jax.training.dataset import SftRows
from itool_jax.training.logprobs import completion_sums, token_logprobs
from itool_jax.training.objectives import Objective, ObjectiveFn, PreferenceBatch, preference, sft
from itool_jax.training.preference_data import PairGroup, PreferenceRows
from itool_jax.training.step import OptimizerConfig, frozen_part, init_state, make_optimizer, make_train_step
from search_figures.ours import one_device
from training_figures.workload import Pairs

SIMPO = {"beta": 2.5, "gamma": 0.5}
DPO = {"beta": 0.1}
PAIRS_AT_ONCE = 8  # of separate rows, here and in other libraries: a step sums the gradients of so many at a time


class Training:
    """Steps of an objective over the parts [A, B, ...] of one batch after the other."""

    def __init__(self, policy: Policy, objective: ObjectiveFn, batches: Sequence[Any]):
        mesh = one_device()
        optimizer = make_optimizer(OptimizerConfig(1e-5, steps=10**6, warmup_fraction=0.0))
        self._batches = [shard_batch(batch, mesh, axis=1) for batch in batches]
        self.state = init_state(policy, optimizer, mesh)
        self.step, self.frozen = make_train_step(objective, optimizer, self.state), frozen_part(policy)

    def run(self) -> dict[str, float]:
        """The metrics of the last batch's step."""
        metrics: dict[str, Any] = {}
        for batch in self._batches:
            self.state, metrics = self.step(self.state, self.frozen, batch)
        return {name: float(value) for name, value in metrics.items()}

    def seconds(self) -> float:
        """What a step over each batch takes."""
        start = time.monotonic()
        self.run()
        return time.monotonic() - start

    def temporaries(self) -> int:
        """Bytes that the compiler sets aside for what a step computes on its way."""
        compiled = self.step.lower(self.state, self.frozen, self._batches[0]).compile()
        return compiled.memory_analysis().temp_size_in_bytes


def forest_batch(groups: Sequence[PairGroup], row_tokens: int) -> Any:
    """Every tree in a row of its own, all in one part."""
    rows = PreferenceRows(groups, row_tokens)
    return jax.tree.map(lambda *parts: np.stack(parts)[None], *(rows[row] for row in range(len(rows))))


def on_forests(policy: Policy, work: Pairs, loss: str, settings: dict[str, float]) -> Training:
    """One step on all pairs, a row for each tree."""
    groups = work.groups(policy.config.vocab_size)
    return Training(policy, preference(loss, **settings), [forest_batch(groups, work.row_tokens)])


def on_separate_rows(policy: Policy, work: Pairs) -> Training:
    """The same step by SimPO on rows of one prompt and one side."""
    return Training(policy, separate_simpo, [separate_batch(work.groups(policy.config.vocab_size))])


def separate_batch(groups: Sequence[PairGroup]) -> Any:
    """Rows of a prompt with a side, chosen and rejected in turn, [A, 2 * PAIRS_AT_ONCE, ...]."""
    rows = [
        chain(group.prompt, (*pair.prefix, *side)) for group in groups for pair in group.pairs for side in pair.sides
    ]
    longest = max(map(len, rows))
    capacity = capacity_for(rows, [(i,) for i in range(len(rows))], longest)
    capacity = capacity._replace(counted=max(row.counted for row in rows))  # without room that nobody needs
    forest = build_batch([[row] for row in rows], capacity)
    at_once = min(2 * PAIRS_AT_ONCE, len(rows))
    return jax.tree.map(lambda leaf: leaf.reshape(-1, at_once, *leaf.shape[1:]), forest)


def separate_simpo(policy: Policy, forest: Any) -> Objective:
    """SimPO of rows that are chosen and rejected in turn."""
    sums, lengths = completion_sums(token_logprobs(policy, forest), forest)
    each = losses.simpo(sums[::2, 0], sums[1::2, 0], lengths[::2, 0], lengths[1::2, 0], **SIMPO)
    tokens = jnp.sum(forest.node < forest.select.shape[-1])
    return Objective(jnp.sum(each), jnp.float32(len(each)), tokens, {})


def gradient(policy: Policy, objective: ObjectiveFn, batch: Any) -> Any:
    """Of the mean loss over all parts of a batch."""

    def mean(trainable: Any, part: Any) -> jax.Array:
        found = objective(policy.with_trainable(trainable), part)
        return found.total / found.weight

    of_part = jax.jit(jax.grad(mean))
    parts = [jax.tree.map(lambda leaf, at=at: leaf[at], batch) for at in range(len(jax.tree.leaves(batch)[0]))]
    found = [of_part(policy.trainable, part) for part in parts]
    return jax.tree.map(lambda *leaves: sum(leaves) / len(leaves), *found)


def apart(one: Any, other: Any) -> float:
    """The norm of the difference of two gradients over that of the first."""
    square = lambda tree: sum(float(jnp.sum(jnp.square(leaf))) for leaf in jax.tree.leaves(tree))
    return (square(jax.tree.map(jnp.subtract, one, other)) / square(one)) ** 0.5


def packed_batches(trees: Sequence[TokenTree], row_tokens: int, rows: int, steps: int) -> list[Any]:
    """So many batches [1, rows, ...] of packed rows, drawn from all: the longest conversations lie in the first ones.

    Raises UserError where there are fewer rows.
    """
    packed = SftRows(trees, row_tokens)
    if len(packed) < rows * steps:
        raise UserError(f"{len(trees)} conversations fill {len(packed)} rows, but {rows * steps} are to be trained on.")
    chosen = [packed[int(row)] for row in np.random.default_rng(0).permutation(len(packed))[: rows * steps]]
    return [
        jax.tree.map(lambda *parts: np.stack(parts)[None], *chosen[start : start + rows])
        for start in range(0, len(chosen), rows)
    ]


def on_packed_rows(policy: Policy, trees: Sequence[TokenTree], row_tokens: int, steps: int) -> tuple[Training, int]:
    """SFT steps on one packed row each, and the tokens of conversations that those hold."""
    batches = packed_batches(trees, row_tokens, 1, steps)
    tokens = sum(int(np.sum(batch.node < batch.select.shape[-1])) for batch in batches)
    return Training(policy, sft, batches), tokens


def simpo_of_whole_logits(policy: Policy, batch: PreferenceBatch) -> Objective:
    """SimPO on forests as `preference` has it, but with the logits of all tokens of all rows at once."""
    forest = batch.forest
    hidden_BSD, _ = policy.hidden(forest.tokens, forest.positions, AncestorMask(forest.end))
    before_BSD = jnp.take_along_axis(hidden_BSD, forest.predecessor[..., None], axis=1)
    logprobs_BSV = jax.nn.log_softmax(policy.logits(before_BSD), axis=-1)
    logprobs_BS = jnp.take_along_axis(logprobs_BSV, forest.tokens[..., None], axis=-1)[..., 0]
    (chosen, rejected), (long, short) = (
        jnp.moveaxis(jnp.take_along_axis(values_BC[:, None], batch.sides, axis=2), 2, 0)
        for values_BC in completion_sums(logprobs_BS, forest)
    )
    each = losses.simpo(chosen, rejected, jnp.maximum(long, 1), jnp.maximum(short, 1), **SIMPO)
    return Objective(jnp.sum(each * batch.weight), jnp.sum(batch.weight), jnp.sum(forest.weight > 0), {})
