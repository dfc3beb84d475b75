"""A file store: files lie in folders, and are moved, copied, renamed, locked and deleted."""

from __future__ import annotations

from random import Random

from itool_jax.data.toolworld import pools, values
from itool_jax.data.toolworld.large import slots as s
from itool_jax.data.toolworld.large.concept import tool
from itool_jax.data.toolworld.large.kinds import text, words
from itool_jax.data.toolworld.tasks.backend import Arguments, Family, Function, Refused, State, known
from itool_jax.data.toolworld.tasks.play import Play

# fmt: off
FOLDERS = ("inbox", "archive", "shared", "drafts", "finance")
FILE = s.named("path", text(values.file_name), "{}", "Path such as inbox/plan.txt", leads=True)
NAME = s.named("name", text(values.file_name), "{}|called {}", "Name of the file", label="file name")
FOLDER = s.named("folder", words(" ".join(FOLDERS)), "to the folder {}|into {}", "Name of the folder")
LABEL = s.named("label", text(values.one_of(pools.TAGS)), "with the label {}|as {}", "Label")
# fmt: on


def _list(state: State, a: Arguments) -> dict:
    _folder(state, a["folder"])
    return {"files": sorted(path for path in state["files"] if path.startswith(f"{a['folder']}/"))}


def _find(state: State, a: Arguments) -> dict:
    return {"paths": sorted(path for path in state["files"] if path.partition("/")[2] == a["name"])}


def _move(state: State, a: Arguments) -> dict:
    target = _free(state, _folder(state, a["folder"]), a["path"])
    state["files"][target] = state["files"].pop(a["path"])
    return {"path": target}


def _copy(state: State, a: Arguments) -> dict:
    target = _free(state, _folder(state, a["folder"]), a["path"])
    state["files"][target] = dict(state["files"][a["path"]])
    return {"path": target}


def _rename(state: State, a: Arguments) -> dict:
    known(state["files"], a["path"], "file")
    target = f"{a['path'].partition('/')[0]}/{a['name']}"
    if "/" in a["name"] or not a["name"] or target in state["files"]:
        raise Refused("this name cannot be given")
    state["files"][target] = state["files"].pop(a["path"])
    return {"path": target}


def _delete(state: State, a: Arguments) -> dict:
    known(state["files"], a["path"], "file")
    del state["files"][a["path"]]
    return {"status": "deleted"}


def _label(state: State, a: Arguments) -> dict:
    file = known(state["files"], a["path"], "file")
    file["labels"] = sorted({*file["labels"], a["label"]})
    return {"labels": file["labels"]}


def _folder(state: State, name: str) -> str:
    if name not in state["folders"]:
        raise Refused("folder not found")
    return name


def _free(state: State, folder: str, path: str) -> str:
    known(state["files"], path, "file")
    target = f"{folder}/{path.partition('/')[2]}"
    if target in state["files"]:
        raise Refused("there is such a file in the folder")
    return target


def _initial(rng: Random) -> State:
    names = sorted({values.file_name(rng) for _ in range(10)})
    files = {f"{rng.choice(FOLDERS)}/{name}": {"labels": []} for name in names}
    return {"folders": list(FOLDERS), "files": files}


def _some(play: Play) -> tuple[str, str, str] | None:
    """Path of a file whose name is unique, its name, and how it is referred to."""
    names = [path.partition("/")[2] for path in play.state["files"]]
    single = sorted(name for name in names if names.count(name) == 1)
    if not single:
        return None
    name = play.choose("file", single)
    path = play.found("file", name, lambda: play.call("find_file", name=name)["paths"][0])
    return path, name, play.mention("file", name, play.rng.choice(("the file {}", "{}", "my file {}")))


def move(play: Play) -> bool:
    some = _some(play)
    if some is None:
        return False
    path, name, said = some
    given = {"folder": play.rng.choice([folder for folder in FOLDERS if not path.startswith(f"{folder}/")])}
    play.ids["file", name] = play.call("move_file", path=path, **given)["path"]
    play.ask("move_file", given, said)
    return True


def copy(play: Play) -> bool:
    some = _some(play)
    if some is None:
        return False
    path, _, said = some
    given = {"folder": play.rng.choice([folder for folder in FOLDERS if not path.startswith(f"{folder}/")])}
    play.call("copy_file", path=path, **given)
    play.ask("copy_file", given, said)
    play.last = {}
    return True


def rename(play: Play) -> bool:
    some = _some(play)
    new = values.file_name(play.rng)
    if some is None or any(path.endswith(f"/{new}") for path in play.state["files"]):
        return False
    play.ids["file", new] = play.call("rename_file", path=some[0], name=new)["path"]
    play.ask("rename_file", {"name": new}, some[2])
    play.last = {"file": new}
    return True


def label(play: Play) -> bool:
    some = _some(play)
    if some is None:
        return False
    given = {"label": play.draw(LABEL)}
    play.call("label_file", path=some[0], **given)
    play.ask("label_file", given, some[2])
    return True


def delete(play: Play) -> bool:
    some = _some(play)
    if some is None or len(play.state["files"]) < 4:
        return False
    play.call("delete_file", path=some[0])
    play.ask("delete_file", {}, some[2])
    play.last = {}
    return True


def show(play: Play) -> bool:
    given = {"folder": play.draw(FOLDER)}
    play.call("list_folder", **given)
    play.ask("list_folder", given, wanted=True)
    return True


# fmt: off
FAMILY = Family(
    "files",
    (
        Function(
            tool(
                "list_folder", "Lists the paths of the files in a folder.",
                "list the files|show me what lies there|?which files are there",
                FOLDER.said("in the folder {}|under {}"),
            ),
            _list,
        ),
        Function(tool("find_file", "Finds the paths of files with a name.", "find a file", NAME), _find),
        Function(
            tool(
                "move_file", "Moves a file to a folder and returns its new path.",
                "move {o}|put {o} elsewhere, that is|shift {o}",
                FILE, FOLDER,
            ),
            _move,
        ),
        Function(
            tool(
                "copy_file", "Copies a file to a folder and returns the path of the copy.",
                "copy {o}|make a copy of {o}|duplicate {o}",
                FILE, FOLDER,
            ),
            _copy,
        ),
        Function(
            tool(
                "rename_file", "Gives a file another name in its folder and returns the new path.",
                "rename {o}|change the name of {o}",
                FILE, NAME.said("to {}|into {}"),
            ),
            _rename,
        ),
        Function(tool("label_file", "Puts a label on a file.", "mark {o}|label {o}|tag {o}", FILE, LABEL), _label),
        Function(tool("delete_file", "Deletes a file.", "delete {o}|get rid of {o}|throw {o} away", FILE), _delete),
    ),
    _initial,
    (move, move, copy, rename, label, delete, show),
)
