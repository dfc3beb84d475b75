"""Files and folders on disk and in a bucket: the same calls leave the same names and bytes."""

from __future__ import annotations

import hashlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from etils import epath

from itool_jax import files, growing, object_store
from itool_jax.errors import UserError
from itool_jax.growing import AppendedFile, RowLog, kept_rows
from tests.gcs_server import Object, Refused

TREE = {"b.txt": b"1", "b/c": b"22", "b/d/e": b"", "z": b"4444"}


def written(folder):
    for name, content in TREE.items():
        files.make_folder((folder / name).parent)
        files.write_atomic(folder / name, content)
    return folder


def names(folder):
    """Of all files below a folder."""
    found = []
    for child in files.children(folder):
        found += [f"{child.name}/{name}" for name in names(child)] if child.is_dir() else [child.name]
    return found


def test_where_nothing_is_there_are_no_children(anywhere):
    assert files.children(anywhere / "none") == []
    assert [path.name for path in files.children(written(anywhere / "run"))] == ["b", "b.txt", "z"]
    assert files.children(anywhere / "ru") == []  # which is no folder, though its name begins one


def test_a_folder_moves_into_a_new_folder_and_replaces_what_is_there(anywhere):
    old = written(anywhere / "new/deep/target")
    files.write_atomic(old / "b/older", b"x")
    files.move(written(anywhere / "source"), old)
    assert sorted(names(old)) == sorted(TREE) and files.children(anywhere / "source") == []
    assert (old / "b/c").read_bytes() == b"22"
    files.move(old / "z", anywhere / "elsewhere/y")
    assert (anywhere / "elsewhere/y").read_bytes() == b"4444" and not (old / "z").exists()
    with pytest.raises(FileNotFoundError):
        files.move(anywhere / "none", anywhere / "some")


def test_what_is_removed_is_gone_and_nothing_else(anywhere):
    files.write_atomic(written(anywhere / "run").parent / "run2", b"stays")
    for _ in range(2):
        files.remove(anywhere / "run")
    assert names(anywhere) == ["run2"]
    files.remove(anywhere / "run2")
    assert names(anywhere) == []


def test_a_digest_is_the_same_wherever_the_files_are(anywhere):
    found = files.digest(written(anywhere / "run"))
    lines = "".join(f"{name}\0{hashlib.sha256(TREE[name]).hexdigest()}\n" for name in ("b/c", "b/d/e", "b.txt", "z"))
    assert (found.sha256, found.size, found.files) == (hashlib.sha256(lines.encode()).hexdigest(), 7, 4)
    one = files.digest(anywhere / "run/z")
    assert (one.sha256, one.size, one.files) == (hashlib.sha256(b"4444").hexdigest(), 4, 1)


def test_a_large_object_is_read_in_pieces(bucket, monkeypatch):
    monkeypatch.setattr(object_store, "_CHUNK", 1000)
    content = bytes(range(256)) * 50
    files.write_atomic(bucket / "large", content)
    assert files.digest(bucket / "large").sha256 == hashlib.sha256(content).hexdigest()


def test_a_stamp_changes_with_every_write(anywhere):
    folder = written(anywhere / "run")
    before = files.stamp(folder)
    assert files.stamp(folder) == before
    files.write_atomic(folder / "z", b"5555")
    assert files.stamp(folder) != before


def test_what_others_write_is_seen_at_once(bucket, storage):
    """Orbax and other processes write beside gcsfs: no listing may come from its memory."""
    folder = written(bucket / "run")
    assert len(files.children(folder)) == 3 and not (folder / "other").exists() and not list(folder.glob("o*"))
    with storage.lock:
        objects = storage.buckets[bucket.name]
        objects["run/other"] = objects["run/z"]
    assert len(files.children(folder)) == 4 and (folder / "other").exists() and list(folder.glob("o*"))


def test_objects_by_which_other_tools_mark_folders_are_none_of_the_files(bucket, storage):
    folder = written(bucket / "run")
    before = files.digest(folder).sha256
    for name in ("run/", "run/b/", "run/empty/"):
        storage.buckets[bucket.name][name] = Object(b"", storage.number(), "2026-01-01T00:00:00.000Z")
    assert [path.name for path in files.children(folder)] == ["b", "b.txt", "empty", "z"]
    assert files.digest(folder).sha256 == before
    files.move(folder, bucket / "other")
    assert files.digest(bucket / "other").sha256 == before and files.children(folder) == []


def test_a_listing_of_many_pages_is_whole(bucket, storage, monkeypatch):
    monkeypatch.setattr(storage, "page", 3)
    for number in range(11):
        files.write_atomic(bucket / f"run/{number:02d}/x", b"x")
    assert len(files.children(bucket / "run")) == 11 and files.digest(bucket / "run").files == 11
    files.remove(bucket / "run")
    assert not storage.files(bucket.name)


def test_a_server_that_is_down_for_a_moment_is_asked_again(bucket, storage):
    storage.fails = 1
    files.write_atomic(bucket / "x", b"x")
    assert storage.files(bucket.name) == {"x": b"x"} and storage.fails == 0


def test_a_move_that_breaks_off_is_replaced_by_the_next(bucket, storage, monkeypatch):
    written(bucket / "source")

    def breaks_off(method, name, key):
        if key == "target/z":
            raise Refused(403, "no more")

    monkeypatch.setattr(storage, "before", breaks_off)
    with pytest.raises(OSError):
        files.move(bucket / "source", bucket / "target")
    monkeypatch.undo()
    assert files.digest(bucket / "source").files == 4  # nothing is deleted before all is copied
    files.write_atomic(bucket / "source/newer", b"")
    files.remove(bucket / "source/z")
    files.move(bucket / "source", bucket / "target")
    assert sorted(storage.files(bucket.name)) == ["target/b.txt", "target/b/c", "target/b/d/e", "target/newer"]


def test_spans_of_files(anywhere):
    folder = written(anywhere / "run")
    assert files.read_spans([(folder / "z", 1, 2), (folder / "b/c", 0, 2)]) == [b"44", b"22"]
    assert files.read_spans([]) == []


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("gs://no-such-bucket/run", "there is no bucket no-such-bucket"),
        ("s3://bucket/run", "expected a local folder or gs://BUCKET/NAME"),
        ("gs://", "expected a local folder or gs://BUCKET/NAME"),
    ],
)
def test_a_bucket_that_cannot_be_used_is_told(storage, path, says):
    with pytest.raises(UserError, match=says):
        files.require_reachable(epath.Path(path))


def test_a_bucket_that_may_not_be_read_is_told(bucket, monkeypatch):
    monkeypatch.setattr("tests.gcs_server._Handler._get_bucket", refuse)
    monkeypatch.setattr("tests.gcs_server._Handler._list_objects", refuse)
    with pytest.raises(UserError, match=r"cannot be read \(Forbidden.*gcloud auth"):
        files.require_reachable(bucket / "run")


def refuse(self, bucket):
    raise Refused(403, "not for you")


def test_rows_come_back_by_id_and_the_last_one_counts(anywhere):
    path = anywhere / "kept/rows.jsonl"
    assert kept_rows(path) == {}
    for text in ("old", "new"):
        log = RowLog(path)
        for number in range(3):
            log.keep({"id": f"e{number}", "text": text + "\u2028\n"})
        log.close()
    assert kept_rows(path) == {f"e{n}": {"id": f"e{n}", "text": "new\u2028\n"} for n in range(3)}


def test_in_a_bucket_rows_lie_in_parts_of_bounded_size(bucket, storage, monkeypatch):
    monkeypatch.setattr(growing, "SECONDS", 0)
    monkeypatch.setattr(growing, "PART_BYTES", 200)
    log, path = RowLog(bucket / "rows.jsonl"), bucket / "rows.jsonl"
    for number in range(40):
        log.keep({"id": f"e{number}"})
    parts = storage.files(bucket.name)
    assert list(parts) == [f"rows.jsonl/{n:05d}" for n in range(len(parts))] and len(parts) > 2
    assert all(len(content) < 250 for content in parts.values())
    assert list(kept_rows(path)) == [f"e{n}" for n in range(40)]


def test_in_a_bucket_rows_wait_to_go_up_together(bucket, storage):
    log = RowLog(bucket / "rows.jsonl")
    for number in range(5):
        log.keep({"id": f"e{number}"})
    assert kept_rows(bucket / "rows.jsonl") == {}
    before = len(storage.requests)
    log.flush()
    assert len(kept_rows(bucket / "rows.jsonl")) == 5
    assert sum("upload" in request for request in storage.requests[before:]) == 1


def until(holds, seconds=20):
    """Waits for a thread."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"did not come within {seconds} s"
        time.sleep(0.01)


def test_in_a_bucket_rows_go_up_though_no_other_row_comes(bucket, storage, monkeypatch, flushers):
    monkeypatch.setattr(growing, "SECONDS", 0.3)
    before, threads = len(storage.requests), flushers()
    log = RowLog(bucket / "rows.jsonl")
    for wave in range(2):
        for number in range(5):
            log.keep({"id": f"e{wave}{number}"})
        until(lambda wave=wave: len(kept_rows(bucket / "rows.jsonl")) == 5 * wave + 5)
    assert sum("upload" in request for request in storage.requests[before:]) < 10
    log.close()
    assert flushers() == threads
    log.keep({"id": "f"})
    until(lambda: "f" in kept_rows(bucket / "rows.jsonl"))
    log.close()


def test_in_a_bucket_no_row_is_lost_between_the_writer_and_its_thread(bucket, storage, monkeypatch):
    monkeypatch.setattr(growing, "SECONDS", 0.001)
    monkeypatch.setattr(growing, "PART_BYTES", 1000)
    log = RowLog(bucket / "rows.jsonl")
    for number in range(500):
        log.keep({"id": number})
        if number % 20 == 0:
            time.sleep(0.002)
    log.close()
    assert list(kept_rows(bucket / "rows.jsonl")) == list(range(500))
    lines = b"".join(storage.files(bucket.name).values()).splitlines()
    assert len(lines) == 500


@pytest.mark.parametrize("next_call", ["keep", "flush", "close"])
def test_in_a_bucket_an_upload_that_fails_in_the_thread_is_told_to_the_writer(bucket, storage, monkeypatch, next_call):
    """The store works again by then, so it can only be the error of before; and the rows are there nonetheless."""
    monkeypatch.setattr(growing, "SECONDS", 0.3)
    refused = threading.Event()

    def full(method, name, key):
        refused.set()
        raise Refused(403, "full")

    log, rest = RowLog(bucket / "rows.jsonl"), {"keep": [{"id": "b"}]}.get(next_call, [])
    with monkeypatch.context() as patched:
        patched.setattr(storage, "before", full)
        log.keep({"id": "a"})
        assert refused.wait(20)
    with pytest.raises(OSError, match="full"):
        getattr(log, next_call)(*rest)
    log.close()
    assert list(kept_rows(bucket / "rows.jsonl")) == ["a", *(row["id"] for row in rest)]


def test_kept_rows_survive_a_cut_and_name_a_damaged_line(tmp_path):
    path = epath.Path(tmp_path / "kept.jsonl")
    log = RowLog(path)
    for number in range(3):
        log.keep({"id": f"e{number}", "text": "\u2028\n"})
    rows = kept_rows(path)
    assert list(rows) == ["e0", "e1", "e2"] and rows["e1"]["text"] == "\u2028\n"
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"id": "cut o')
    assert kept_rows(path) == rows
    lines = whole.splitlines()
    for damage in (b'{"id": "e1", "te', b"[1]", b"{}", b"\xff", b"", b"[" * 100_000):
        path.write_bytes(b"\n".join([lines[0], damage, lines[2], b""]))
        with pytest.raises(UserError, match=r"kept\.jsonl, line 2 cannot be read .*delete that line"):
            kept_rows(path)
    path.write_bytes(b"\n".join([lines[0], lines[2], b""]))
    assert list(kept_rows(path)) == ["e0", "e2"]


def test_readers_leave_a_cut_file_alone_and_its_log_goes_on_where_it_is_whole(tmp_path):
    """Processes of a run read the same files on a shared disk at once, also the one that was cut off by a kill."""
    path = epath.Path(tmp_path / "kept.jsonl")
    cut = b'{"id": "a"}\n' * 500 + b'{"id": "cut o'
    path.write_bytes(cut)
    with ThreadPoolExecutor(4) as readers:
        found = list(readers.map(lambda _: kept_rows(path), range(100)))
    assert found == [{"a": {"id": "a"}}] * 100
    assert path.read_bytes() == cut and list(tmp_path.iterdir()) == [tmp_path / "kept.jsonl"]
    log = RowLog(path)
    assert path.read_bytes() == cut  # until something is kept
    for id in "bc":
        log.keep({"id": id})
    log.close()
    assert path.read_bytes() == b'{"id": "a"}\n' * 500 + b'{"id": "b"}\n{"id": "c"}\n'
    path.write_bytes(b'{"id": "cut o')
    log.keep({"id": "d"})
    assert kept_rows(path) == {"d": {"id": "d"}}


def test_an_appended_file_goes_on_where_it_was(anywhere):
    files.make_folder(anywhere)
    file = AppendedFile(anywhere / "x")
    assert [file.append(b"ab"), file.append(b"c")] == [0, 2]
    file.close()
    again = AppendedFile(anywhere / "x")
    assert again.append(b"d") == 3
    again.close()
    assert (anywhere / "x").read_bytes() == b"abcd"


def test_a_large_object_is_written_anew_less_often(bucket, monkeypatch):
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    file = AppendedFile(bucket / "x")
    file.append(bytes(10 << 20))
    assert file.seconds_left == 40
    now = 31.0
    assert file.seconds_left == 9
    file.flush()
    assert file.seconds_left is None
