"""Kills a small run (SIGKILL) at every durable step it makes, lets it go on, and checks where it ends.

    python tests/killed_at_every_moment.py FOLDER

Run by test_run_directory as a process of its own: it forks, which a process that has loaded JAX must not do.
"""

import json
import os
import signal
import sys
from pathlib import Path

from etils import epath

from itool_jax import files
from itool_jax.config import default_config
from itool_jax.rounds import manifest
from itool_jax.rounds.run_directory import open_run

STAGES = ("warmup/easy", "round_000/search")
STEPS = ("replace", "rename", "fsync", "mkdir", "write", "remove", "rmdir", "unlink")


def kill_at(moment):
    """Makes the process kill itself before its `moment`-th durable step, all of which go through these functions."""
    os.fsync = lambda descriptor: None  # what a dying process has written stays; only a dying machine needs this
    count = 0

    def watched(function):
        def call(*arguments, **settings):
            nonlocal count
            count += 1
            if count == moment:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **settings)

        return call

    for name in STEPS:
        setattr(os, name, watched(getattr(os, name)))


def work(folder, log):
    """Two stages, the second made from the first; each keeps three items, then writes a file and a folder."""

    def say(line):
        with log.open("a") as out:
            out.write(f"{line}\n")

    def body(stage):
        say(stage.name)
        for i in range(len(items(stage.kept)), 3):
            say(f"{stage.name}:{i}")
            files.write_atomic(stage.kept / str(i), f"{stage.name} {i} ".encode())
        stage.output("one").write_text("".join((stage.kept / str(i)).read_text() for i in range(3)))
        stage.output("many").mkdir()
        for i in range(2):
            (stage.output("many") / str(i)).write_text(f"{stage.name} {i}")

    with open_run(folder, default_config()) as run:
        digest = "none"
        for name in STAGES:
            outputs = {"one": f"{name}/one.txt", "many": f"{name}/many"}
            digest = run.stage(name, inputs={"before": digest}, outputs=outputs, body=body).digests["one"]


def items(kept):
    return sorted(path.name for path in kept.iterdir() if path.name.isdigit()) if kept.is_dir() else []


def in_child(folder, log, moment=0):
    """Works in a forked process that is killed at `moment` (0: never); returns its status."""
    pid = os.fork()
    if pid == 0:
        kill_at(moment)
        work(folder, log)
        os._exit(0)
    return os.waitpid(pid, 0)[1]


def content(folder):
    """Every file but those that hold times and process ids."""
    found = {
        path.relative_to(folder).as_posix(): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()
    }
    return {name: text for name, text in found.items() if name not in ("manifest.json", ".lock")}


def kill_and_go_on(root, moment, expected):
    """True if work was resumed half-way through a stage, False if not, None if the run ended before the moment came."""
    folder, log = root / f"run{moment}", root / f"log{moment}"
    status = in_child(folder, log, moment)
    if status == 0:
        return None
    assert os.WTERMSIG(status) == signal.SIGKILL, f"moment {moment}: status {status}"
    complete = set(manifest.read_manifest(epath.Path(folder)))
    open_stages = [name for name in STAGES if name not in complete]
    kept = {f"{name}:{i}" for name in open_stages for i in items(folder / ".partial" / name.replace("/", ".") / "kept")}
    before = log.read_text().split() if log.exists() else []
    assert in_child(folder, log) == 0, f"moment {moment}: could not go on"
    again = set(log.read_text().split()[len(before) :]) if log.exists() else set()
    assert content(folder) == expected, f"moment {moment}: another end"
    assert not complete & again, f"moment {moment}: complete stages {complete & again} were done again"
    assert not kept & again, f"moment {moment}: kept items {kept & again} were made again"
    return bool(kept)


def main(root):
    assert in_child(root / "run0", root / "log0") == 0
    expected, outcomes = content(root / "run0"), []
    while (outcome := kill_and_go_on(root, len(outcomes) + 1, expected)) is not None:
        outcomes.append(outcome)
    print(json.dumps({"kills": len(outcomes), "resumed": sum(outcomes), "files": list(expected)}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
