"""Playlists: songs are added, taken out and put in order."""

from __future__ import annotations

from random import Random

from itool_jax.data.toolworld import values
from itool_jax.data.toolworld.large import slots as s
from itool_jax.data.toolworld.large.concept import tool
from itool_jax.data.toolworld.large.kinds import integer
from itool_jax.data.toolworld.tasks.backend import Arguments, Family, Function, Refused, State, known, new_id
from itool_jax.data.toolworld.tasks.play import Play

# fmt: off
PLAYLIST = s.ident("playlist", "playlist id", "playlist_id")
TITLE = s.TITLE.said("called {}|named {}", names="title")
SONG = s.TITLE.as_("song", "{}|called {}", "Title of the song", leads=True)
PLACE = s.named("place", integer(1, 3), "to place {}|onto number {}", "Place in the list, from 1")
# fmt: on


def _create(state: State, a: Arguments) -> dict:
    key = new_id("PL", state["playlists"], a["title"])
    state["playlists"][key] = {"title": a["title"], "songs": []}
    return {"playlist_id": key}


def _find(state: State, a: Arguments) -> dict:
    found = sorted(key for key, playlist in state["playlists"].items() if playlist["title"] == a["title"])
    return {"playlists": [{"playlist_id": key, "songs": len(state["playlists"][key]["songs"])} for key in found]}


def _add(state: State, a: Arguments) -> dict:
    songs = known(state["playlists"], a["playlist_id"], "playlist")["songs"]
    if a["song"] in songs or len(songs) >= 100:
        raise Refused("the song is on the playlist already, or the playlist is full")
    songs.append(a["song"])
    return {"songs": len(songs)}


def _remove(state: State, a: Arguments) -> dict:
    songs = known(state["playlists"], a["playlist_id"], "playlist")["songs"]
    if a["song"] not in songs:
        raise Refused("the song is not on the playlist")
    songs.remove(a["song"])
    return {"songs": len(songs)}


def _place(state: State, a: Arguments) -> dict:
    songs = known(state["playlists"], a["playlist_id"], "playlist")["songs"]
    if a["song"] not in songs or not 1 <= a["place"] <= len(songs):
        raise Refused("there is no such song or place on the playlist")
    songs.remove(a["song"])
    songs.insert(a["place"] - 1, a["song"])
    return {"songs": list(songs)}


def _list(state: State, a: Arguments) -> dict:
    return {"songs": list(known(state["playlists"], a["playlist_id"], "playlist")["songs"])}


def _delete(state: State, a: Arguments) -> dict:
    known(state["playlists"], a["playlist_id"], "playlist")
    del state["playlists"][a["playlist_id"]]
    return {"status": "deleted"}


def _initial(rng: Random) -> State:
    state: State = {"playlists": {}}
    for title in sorted({values.title(rng) for _ in range(4)}):
        key = _create(state, {"title": title})["playlist_id"]
        state["playlists"][key]["songs"] = sorted({values.title(rng) for _ in range(rng.randint(3, 5))})
    return state


def _some(play: Play, least: int) -> tuple[str, str] | None:
    """A playlist with `least` songs or more, and how it is referred to."""
    titles = sorted(p["title"] for p in play.state["playlists"].values() if len(p["songs"]) >= least)
    if not titles:
        return None
    title = play.choose("playlist", titles)
    key = play.found("playlist", title, lambda: play.call("find_playlist", title=title)["playlists"][0]["playlist_id"])
    return key, play.mention("playlist", title, play.rng.choice(('the playlist "{}"', 'my list "{}"')))


def create(play: Play) -> bool:
    title = play.draw(TITLE)
    if any(playlist["title"] == title for playlist in play.state["playlists"].values()):
        return False
    play.ids["playlist", title] = play.call("create_playlist", title=title)["playlist_id"]
    play.last = {"playlist": title}
    play.ask("create_playlist", {"title": title})
    return True


def add(play: Play) -> bool:
    some, song = _some(play, 0), play.draw(SONG)
    if some is None or song in play.state["playlists"][some[0]]["songs"]:
        return False
    play.call("add_song", playlist_id=some[0], song=song)
    play.ask("add_song", {"song": song}, some[1])
    return True


def remove(play: Play) -> bool:
    some = _some(play, 2)
    if some is None:
        return False
    song = play.rng.choice(play.state["playlists"][some[0]]["songs"])
    play.call("remove_song", playlist_id=some[0], song=song)
    play.ask("remove_song", {"song": song}, some[1])
    return True


def place(play: Play) -> bool:
    some = _some(play, 3)
    if some is None:
        return False
    given = {"song": play.rng.choice(play.state["playlists"][some[0]]["songs"]), "place": play.draw(PLACE)}
    play.call("place_song", playlist_id=some[0], **given)
    play.ask("place_song", given, some[1])
    return True


def songs(play: Play) -> bool:
    some = _some(play, 1)
    if some is None:
        return False
    play.call("list_songs", playlist_id=some[0])
    play.ask("list_songs", {}, some[1], wanted=True)
    return True


def delete(play: Play) -> bool:
    some = _some(play, 0)
    if some is None or len(play.state["playlists"]) < 3:
        return False
    play.call("delete_playlist", playlist_id=some[0])
    play.ask("delete_playlist", {}, some[1])
    play.last = {}
    return True


# fmt: off
FAMILY = Family(
    "playlists",
    (
        Function(
            tool(
                "create_playlist", "Makes an empty playlist and returns its playlist_id.",
                "make a playlist|start a new playlist|create a list of songs",
                TITLE,
            ),
            _create,
        ),
        Function(tool("find_playlist", "Finds playlists by their exact title.", "find a playlist", TITLE), _find),
        Function(
            tool(
                "add_song", "Puts a song at the end of a playlist.",
                "add to {o} the song|put on {o} the song|extend {o} by the song",
                PLAYLIST, SONG,
            ),
            _add,
        ),
        Function(
            tool(
                "remove_song", "Takes a song off a playlist.",
                "take off {o} the song|remove from {o} the song|strike from {o} the song",
                PLAYLIST, SONG,
            ),
            _remove,
        ),
        Function(
            tool(
                "place_song", "Puts a song of a playlist at a place.",
                "move in {o} the song|reorder {o}: bring the song",
                PLAYLIST, SONG, PLACE,
            ),
            _place,
        ),
        Function(
            tool(
                "list_songs", "Lists the songs of a playlist in order.",
                "list the songs of {o}|read me what is on {o}|?what is on {o}|?which songs are on {o}",
                PLAYLIST,
            ),
            _list,
        ),
        Function(tool("delete_playlist", "Deletes a playlist.", "delete {o}|throw out {o}", PLAYLIST), _delete),
    ),
    _initial,
    (create, add, add, remove, place, songs, delete),
)
