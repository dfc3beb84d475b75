"""What a killed search goes on from: rows on disk, whatever a kill left of the last of them."""

from __future__ import annotations

import threading
import time

import pytest
from etils import epath

from itool_jax import growing
from itool_jax.errors import UserError
from itool_jax.rounds.kept_trees import KeptTrees
from tests.gcs_server import Refused


def row(number: int) -> dict:
    return {"id": f"r{number}", "pairs": [number] * number, "record": {"text": f"tree {number} " * 20}}


def filled(folder, count=5, file_bytes=150):
    kept = KeptTrees(epath.Path(folder), file_bytes)
    for number in range(count):
        kept.keep(row(number))
    return kept


def test_rows_come_back_in_the_order_asked_for(anywhere):
    kept = filled(anywhere)
    kept.close()
    assert len(list(anywhere.glob("000/*.jsonl.zst"))) > 1
    for reader in (kept, KeptTrees(anywhere)):
        assert len(reader) == 5 and "r3" in reader and "r5" not in reader and reader.pairs == 10
        assert list(reader.rows(["r4", "r0", "r2"])) == [row(4), row(0), row(2)]


@pytest.mark.parametrize("whole", [True, False])
def test_what_a_kill_cut_off_is_passed_over(tmp_path, whole):
    """A kill between the row and its line in the index, and one within the row."""
    filled(tmp_path, 3, file_bytes=1 << 20)
    file, index = tmp_path / "000/00000.jsonl.zst", tmp_path / "000/index.jsonl"
    lines = index.read_bytes().splitlines(keepends=True)
    index.write_bytes(b"".join(lines[:2]) + (b"" if whole else lines[2][:-4]))
    if not whole:
        file.write_bytes(file.read_bytes()[:-7])
    kept = KeptTrees(epath.Path(tmp_path))
    assert len(kept) == 2 and "r2" not in kept
    for number in (2, 3):
        kept.keep(row(number))
    assert list(KeptTrees(epath.Path(tmp_path)).rows(["r3", "r2", "r1", "r0"])) == [row(n) for n in (3, 2, 1, 0)]


def test_in_a_bucket_rows_go_up_together_and_count_with_the_index(bucket, storage, monkeypatch):
    kept = filled(bucket, 2)
    assert not storage.files(bucket.name)  # nothing has waited for long
    assert list(kept.rows(["r1", "r0"])) == [row(1), row(0)]
    monkeypatch.setattr(growing, "SECONDS", 0)
    kept.keep(row(2))
    found = storage.files(bucket.name)
    assert list(found) == ["000/00000.jsonl.zst", "000/index.jsonl/00000"]
    monkeypatch.setattr(growing, "SECONDS", 1e6)
    lost = KeptTrees(bucket, before=lambda: pytest.fail("nothing is to be written"))
    lost.keep(row(3))  # and the process is killed
    again = KeptTrees(bucket)
    assert len(again) == 3
    for number in (4, 5):
        again.keep(row(number))
    again.close()
    ids = ["r5", "r0", "r4", "r2", "r1"]
    assert list(KeptTrees(bucket).rows(ids)) == [row(int(id[1])) for id in ids]


def test_in_a_bucket_a_kill_between_a_row_and_the_index_passes_the_row_over(bucket, storage, monkeypatch):
    filled(bucket, 2).close()

    def full(method, name, key):
        if "index" in key:
            raise Refused(403, "full")

    monkeypatch.setattr(storage, "before", full)
    kept = KeptTrees(bucket)
    kept.keep(row(2))
    with pytest.raises(OSError):
        kept.close()
    monkeypatch.undo()
    again = KeptTrees(bucket)
    assert len(again) == 2 and "r2" not in again
    again.keep(row(3))
    again.close()
    assert list(KeptTrees(bucket).rows(["r3", "r1"])) == [row(3), row(1)]


def test_what_must_be_there_before_a_row_counts_is_asked_for_first(bucket, storage):
    seen = []
    kept = KeptTrees(bucket, before=lambda: seen.append(list(storage.files(bucket.name))))
    kept.keep(row(1))
    kept.close()
    assert seen == [[]] and len(storage.files(bucket.name)) == 2


def test_in_a_bucket_a_wave_of_trees_goes_up_though_the_next_one_is_far(bucket, monkeypatch):
    """Whoever looks finds no tree without its frame, nor without what it tells of, though a thread sends them up."""
    monkeypatch.setattr(growing, "SECONDS", 0.1)
    noted, there = [], set()
    kept = KeptTrees(bucket, 150, before=lambda: there.update(noted))
    for wave in range(3):
        for number in range(8 * wave, 8 * wave + 8):
            noted.append(f"r{number}")
            kept.keep(row(number))
            time.sleep(0.01)
        rows_when_there(bucket, noted, there)
    kept.close()


def rows_when_there(folder, ids, before=()):
    """Waits until these rows count, and reads those that do again and again."""
    found, end = [], time.monotonic() + 20
    while found != ids:
        assert time.monotonic() < end
        reader = KeptTrees(folder)
        found = [id for id in ids if id in reader]
        assert not before or before.issuperset(found)
        assert list(reader.rows(found)) == [row(int(id[1:])) for id in found]


def test_in_a_bucket_a_row_that_comes_while_others_go_up_goes_up_next(bucket, storage, monkeypatch):
    monkeypatch.setattr(growing, "SECONDS", 0.3)
    under_way = threading.Event()

    def slow(method, name, key):
        if not under_way.is_set():
            under_way.set()
            time.sleep(0.3)

    monkeypatch.setattr(storage, "before", slow)
    kept = KeptTrees(bucket)
    kept.keep(row(0))
    assert under_way.wait(20)
    kept.keep(row(1))
    rows_when_there(bucket, ["r0", "r1"])
    kept.close()


def test_a_row_that_was_changed_is_told(tmp_path):
    kept = filled(tmp_path, 2)
    file = tmp_path / "000/00000.jsonl.zst"
    file.write_bytes(b"\0" * file.stat().st_size)
    with pytest.raises(UserError, match=r"00000\.jsonl\.zst cannot be read at byte 0, where the tree of 'r0' lies"):
        list(kept.rows(["r0"]))
