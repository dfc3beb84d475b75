"""Kills a small run (SIGKILL) at every durable step it makes, lets it go on, and checks where it ends.

    python tests/killed_at_every_moment.py FOLDER [LOGS STRIDE]

FOLDER may be in a bucket of tests/gcs_server.py, whose address STORAGE_EMULATOR_HOST has; the logs are local. STRIDE 3
takes every third moment. Run by test_run_directory as a process of its own: it forks, which a process that has loaded
JAX, or has used gcsfs, must not do.
"""

import json
import os
import signal
import sys
from pathlib import Path
from urllib.parse import quote
from urllib.request import urlopen

from etils import epath
from gcsfs.core import GCSFileSystem  # here and not in every child, which takes a second

from itool_jax import files
from itool_jax.config import default_config
from itool_jax.rounds.run_directory import open_run

STAGES = ("warmup/easy", "round_000/search")
STEPS = ("replace", "rename", "fsync", "mkdir", "write", "remove", "rmdir", "unlink")


def kill_at(moment, local):
    """Makes the process kill itself before its `moment`-th durable step, all of which go through these functions."""
    count = 0

    def step():
        nonlocal count
        count += 1
        if count == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    if not local:
        kill_at_requests(step)
        return

    def watched(function):
        def call(*arguments, **settings):
            step()
            return function(*arguments, **settings)

        return call

    os.fsync = lambda descriptor: None  # what a dying process has written stays; only a dying machine needs this
    for name in STEPS:
        setattr(os, name, watched(getattr(os, name)))


def kill_at_requests(step):
    request = GCSFileSystem._request

    async def watched(self, method, *arguments, **settings):
        if method != "GET":
            step()
        return await request(self, method, *arguments, **settings)

    GCSFileSystem._request = watched


def work(folder, log):
    """Two stages, the second made from the first; each keeps three items, then writes a file and a folder."""

    def say(line):
        with log.open("a") as out:
            out.write(f"{line}\n")

    def body(stage):
        say(stage.name)
        done = [path for path in files.children(stage.kept) if path.name.isdigit()]
        for i in range(len(done), 3):
            say(f"{stage.name}:{i}")
            files.write_atomic(stage.kept / str(i), f"{stage.name} {i} ".encode())
        stage.output("one").write_text("".join((stage.kept / str(i)).read_text() for i in range(3)))
        files.make_folder(stage.output("many"))
        for i in range(2):
            (stage.output("many") / str(i)).write_text(f"{stage.name} {i}")

    with open_run(folder, default_config()) as run:
        digest = "none"
        for name in STAGES:
            outputs = {"one": f"{name}/one.txt", "many": f"{name}/many"}
            digest = run.stage(name, inputs={"before": digest}, outputs=outputs, body=body).digests["one"]


def in_child(folder, log, moment=0):
    """Works in a forked process that is killed at `moment` (0: never); returns its status."""
    pid = os.fork()
    if pid == 0:
        kill_at(moment, files.is_local(folder))
        work(folder, log)
        os._exit(0)
    return os.waitpid(pid, 0)[1]


def everything(folder):
    """Every file with its text; of a bucket without gcsfs, whose threads would not outlive a fork."""
    if files.is_local(folder):
        found = {path.relative_to(folder).as_posix(): path for path in sorted(Path(folder).rglob("*"))}
        return {name: path.read_text() for name, path in found.items() if path.is_file()}
    bucket, _, prefix = os.fspath(folder).removeprefix("gs://").partition("/")
    url = f"{os.environ['STORAGE_EMULATOR_HOST']}/storage/v1/b/{bucket}/o"
    with urlopen(f"{url}?prefix={prefix}/") as answer:
        names = [item["name"] for item in json.load(answer)["items"]]
    texts = {}
    for name in names:
        with urlopen(f"{url}/{quote(name, safe='')}?alt=media") as answer:
            texts[name.removeprefix(f"{prefix}/")] = answer.read().decode()
    return texts


def content(folder):
    """Every file but those that hold times and process ids."""
    return {name: text for name, text in everything(folder).items() if name not in ("manifest.json", ".lock")}


def kill_and_go_on(root, logs, moment, expected):
    """True if work was resumed half-way through a stage, False if not, None if the run ended before the moment came."""
    folder, log = root / f"run{moment}", logs / f"log{moment}"
    status = in_child(folder, log, moment)
    if status == 0:
        return None
    assert os.WTERMSIG(status) == signal.SIGKILL, f"moment {moment}: status {status}"
    left = everything(folder)
    complete = set(json.loads(left.get("manifest.json", '{"stages": {}}'))["stages"])
    open_stages = [name for name in STAGES if name not in complete]
    places = {f"{name}:{i}": f".partial/{name.replace('/', '.')}/kept/{i}" for name in open_stages for i in range(3)}
    kept = {item for item, place in places.items() if place in left}
    before = log.read_text().split() if log.exists() else []
    assert in_child(folder, log) == 0, f"moment {moment}: could not go on"
    again = set(log.read_text().split()[len(before) :]) if log.exists() else set()
    assert content(folder) == expected, f"moment {moment}: another end"
    assert not complete & again, f"moment {moment}: complete stages {complete & again} were done again"
    assert not kept & again, f"moment {moment}: kept items {kept & again} were made again"
    return bool(kept)


def main(root, logs, stride=1):
    assert in_child(root / "run0", logs / "log0") == 0
    expected, outcomes = content(root / "run0"), []
    while (outcome := kill_and_go_on(root, logs, stride * len(outcomes) + 1, expected)) is not None:
        outcomes.append(outcome)
    print(json.dumps({"kills": len(outcomes), "resumed": sum(outcomes), "files": list(expected)}))


if __name__ == "__main__":
    folder, *more = sys.argv[1:]
    main(epath.Path(folder), Path(more[0] if more else folder), *map(int, more[1:]))
