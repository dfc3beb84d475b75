"""Batches of rows: the same after a restart and whatever the number of processes, read from disk only where needed."""

from __future__ import annotations

import grain
import jax
import numpy as np
import pytest

from itool_jax.data.corpus import Chains, Corpus
from itool_jax.data.store import PreparedStore
from itool_jax.data.toolworld import ToolWorld
from itool_jax.forest import chain
from itool_jax.training.dataset import SftRows, batched
from tests.worlds import dialect

EXAMPLES, ROW_TOKENS = 90, 256
STEP = {"rows_per_step": 8, "accumulate": 2, "seed": 5}


def prepared():
    mixture = ToolWorld(6).mixture({"easy": 2, "medium": 1}, EXAMPLES)
    return [p for p in map(dialect().prepare, mixture) if len(p) <= ROW_TOKENS]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    writer = pytest.importorskip("itool_jax.data.store_writer", reason="stores need tensorflow-datasets")
    path = tmp_path_factory.mktemp("stores") / "store"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "SHARD_EXAMPLES", 20)
        writer.write_store(path, prepared(), dialect())
    return path


def rows_of(corpus: Corpus) -> SftRows:
    return SftRows(Chains(corpus), ROW_TOKENS, corpus.parts)


def stored_batches(store, process=(0, 1), epochs=3):
    """As a process that has just started makes them."""
    return batched(rows_of(PreparedStore(store, dialect()).corpus()), epochs=epochs, process=process, **STEP)


def assert_equal(one, other):
    jax.tree.map(np.testing.assert_array_equal, one, other)


def iterate(dataset):
    return iter(dataset.to_iter_dataset(grain.ReadOptions(num_threads=1, prefetch_buffer_size=2)))


def test_rows_read_from_a_store_are_those_of_memory(store):
    examples = prepared()
    memory = SftRows([chain(p.prompt, p.answer) for p in examples], ROW_TOKENS)
    stored = rows_of(PreparedStore(store, dialect()).corpus())
    assert len(stored) == len(memory) > 8
    for row in range(len(memory)):
        assert_equal(stored[row], memory[row])
    assert_equal(stored.empty, memory.empty)


def test_rows_hold_every_chain_once_and_have_room_for_the_fullest():
    chains = [chain([n + 1] * (n % 7 + 1), [99]) for n in range(40)]
    rows = SftRows(chains, row_tokens=16)
    tokens = np.concatenate([rows[row].tokens[rows[row].node < rows[row].select.shape[1]] for row in range(len(rows))])
    expected = np.concatenate([np.concatenate(tree.segments) for tree in chains])
    np.testing.assert_array_equal(np.sort(tokens), np.sort(expected))
    completions = [int(rows[row].select.any(1).sum()) for row in range(len(rows))]
    assert max(completions) <= rows.empty.select.shape[0] < 2 * max(completions)


@pytest.mark.parametrize("count", [1, 2])
def test_a_restart_in_the_middle_of_an_epoch_goes_on_with_the_same_batches(store, count):
    """Each process opens the store anew, and knows nothing but the step."""
    for index in range(count):
        whole = list(iterate(stored_batches(store, (index, count))))
        per_epoch = len(whole) / 3
        stop = int(per_epoch) + 1  # inside the second pass
        assert stop % per_epoch and len(whole) > stop + 1
        for after in (stop, len(whole)):
            rest = list(iterate(stored_batches(store, (index, count))[after:]))
            assert len(rest) == len(whole) - after
            for expected, found in zip(whole[after:], rest, strict=True):
                assert_equal(found, expected)


def test_processes_share_every_batch(store):
    alone = stored_batches(store)
    parts = [stored_batches(store, (index, 2)) for index in range(2)]
    assert len(alone) == len(parts[0]) == len(parts[1])
    for step in range(len(alone)):
        together = [part[step] for part in parts]
        assert together[0].tokens.shape == (2, 2, ROW_TOKENS) and alone[step].tokens.shape == (2, 4, ROW_TOKENS)
        rows = sorted(row.tobytes() for part in together for row in part.tokens.reshape(-1, ROW_TOKENS))
        assert rows == sorted(row.tobytes() for row in alone[step].tokens.reshape(-1, ROW_TOKENS))


def test_a_step_reads_the_same_rows_however_they_are_laid_out(store):
    """Rows times batches a step is the same, in one process and in two."""
    corpus = PreparedStore(store, dialect()).corpus()
    made = [
        [batched(rows_of(corpus), epochs=2, rows_per_step=8, accumulate=parts, seed=5, process=(i, count))
         for i in range(count)]
        for parts, count in ((1, 1), (2, 1), (4, 1), (1, 2), (2, 2))
    ]  # fmt: skip
    for step in range(len(made[0][0])):
        read = [sorted(row.tobytes() for of in parts for row in rows_of_step(of[step])) for parts in made]
        assert all(rows == read[0] for rows in read)


def rows_of_step(batch):
    return batch.tokens.reshape(-1, ROW_TOKENS)


def test_a_process_reads_its_own_rows_only(store):
    class Counting:
        def __init__(self, rows):
            self.rows, self.read, self.empty = rows, [], rows.empty

        def __len__(self):
            return len(self.rows)

        def __getitem__(self, row):
            self.read.append(row)
            return self.rows[row]

    read = []
    for index in range(2):
        rows = Counting(rows_of(PreparedStore(store, dialect()).corpus()))
        batches = batched(rows, epochs=1, process=(index, 2), **STEP)
        for step in range(len(batches)):
            batches[step]
        read.append(rows.read)
    assert sorted(read[0] + read[1]) == list(range(len(rows.rows))) and abs(len(read[0]) - len(read[1])) <= 1


def test_a_batch_is_a_function_of_seed_and_step():
    rows = rows_of(Corpus.of(prepared()))
    batches = batched(rows, epochs=2, **STEP)
    in_order = list(iterate(batches))
    for step in (3, 0, len(batches) - 1):
        assert_equal(batches[step], in_order[step])
    other = batched(rows, epochs=2, **(STEP | {"seed": 6}))
    assert not np.array_equal(other[0].tokens, batches[0].tokens)
    first, second = ([row.tobytes() for row in epoch] for epoch in np.split(rows_in_order(in_order, len(rows)), 2))
    assert sorted(first) == sorted(second) and first != second


def rows_in_order(batches, count):
    tokens = np.concatenate([batch.tokens.reshape(-1, ROW_TOKENS) for batch in batches])
    return tokens[: 2 * count]


def test_a_short_last_batch_is_filled_with_rows_that_weigh_nothing():
    rows = rows_of(Corpus.of(prepared()[:20]))
    batches = batched(rows, epochs=1, rows_per_step=2 * len(rows), accumulate=1, seed=0)
    (batch,) = iterate(batches)
    weights = batch.weight[0].sum(1)
    assert (weights > 0).sum() == len(rows) and len(weights) == 2 * len(rows)


def test_rows_that_do_not_divide_are_refused():
    rows = rows_of(Corpus.of(prepared()[:4]))
    with pytest.raises(ValueError, match="8 rows a step do not divide into 2 parts on 3 hosts"):
        batched(rows, epochs=1, process=(0, 3), **STEP)
