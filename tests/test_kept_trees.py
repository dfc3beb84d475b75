"""What a killed search goes on from: rows on disk, whatever a kill left of the last of them."""

from __future__ import annotations

import pytest
from etils import epath

from itool_jax.errors import UserError
from itool_jax.rounds.kept_trees import KeptTrees


def row(number: int) -> dict:
    return {"id": f"r{number}", "pairs": [number] * number, "record": {"text": f"tree {number} " * 20}}


def filled(folder, count=5, file_bytes=150):
    kept = KeptTrees(epath.Path(folder), file_bytes)
    for number in range(count):
        kept.keep(row(number))
    return kept


def test_rows_come_back_in_the_order_asked_for(tmp_path):
    kept = filled(tmp_path)
    assert len(list(tmp_path.glob("000/*.jsonl.zst"))) > 1
    for reader in (kept, KeptTrees(epath.Path(tmp_path))):
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


def test_a_row_that_was_changed_is_told(tmp_path):
    kept = filled(tmp_path, 2)
    file = tmp_path / "000/00000.jsonl.zst"
    file.write_bytes(b"\0" * file.stat().st_size)
    with pytest.raises(UserError, match=r"00000\.jsonl\.zst cannot be read at byte 0, where the tree of 'r0' lies"):
        list(kept.rows(["r0"]))
