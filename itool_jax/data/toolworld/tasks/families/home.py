"""A smart home: lights, heating, doors and scenes that set several things at once."""

from __future__ import annotations

from random import Random

from itool_jax.data.toolworld.large import slots as s
from itool_jax.data.toolworld.large.concept import tool
from itool_jax.data.toolworld.large.kinds import integer, number, words
from itool_jax.data.toolworld.tasks.backend import Arguments, Family, Function, Refused, State, known
from itool_jax.data.toolworld.tasks.play import Play

# fmt: off
ROOMS = ("kitchen", "bedroom", "office", "hall", "bathroom", "studio")
DOORS = ("front", "back", "garage", "cellar")
SCENES = {"evening": (30, 20.5), "away": (0, 16.5), "work": (90, 21.5), "sleep": (0, 17.5)}
ROOM = s.named("room", words(" ".join(ROOMS)), "in the {}|for the {}", "Room")
DOOR = s.named("door", words(" ".join(DOORS)), "at the {}|which is the {} one", "Door")
PERCENT = s.named("percent", integer(5, 100), "to {} percent|at {}%", "Brightness in percent", label="brightness")
STEP = s.named("step", integer(5, 30, 5), "by {} percentage points|{} points", "Percentage points", label="step")
DEGREES = s.named("degrees", number(15, 25), "to {} degrees|at {} degrees", "Degrees Celsius", label="temperature")
SCENE = s.named("scene", words(" ".join(SCENES)), "called {}|{}", "Name of the scene")
COLOR = s.named("color", words("white red blue green orange"), "to {}|into {}", "Color of the light")
# fmt: on


def _light(state: State, a: Arguments) -> dict:
    if not 0 <= a["percent"] <= 100:
        raise Refused("from 0 to 100 percent")
    known(state["rooms"], a["room"], "room")["light"] = a["percent"]
    return {"light": a["percent"]}


def _brighten(state: State, a: Arguments) -> dict:
    room = known(state["rooms"], a["room"], "room")
    if a["step"] <= 0:
        raise Refused("the step must be above 0")
    room["light"] = min(100, room["light"] + a["step"])
    return {"light": room["light"]}


def _heat(state: State, a: Arguments) -> dict:
    if not 5 <= a["degrees"] <= 30:
        raise Refused("from 5 to 30 degrees")
    known(state["rooms"], a["room"], "room")["degrees"] = a["degrees"]
    return {"degrees": a["degrees"]}


def _paint(state: State, a: Arguments) -> dict:
    known(state["rooms"], a["room"], "room")["color"] = a["color"]
    return {"color": a["color"]}


def _lock(state: State, a: Arguments) -> dict:
    known(state["doors"], a["door"], "door")
    state["doors"][a["door"]] = "locked"
    return {"door": a["door"], "state": "locked"}


def _unlock(state: State, a: Arguments) -> dict:
    known(state["doors"], a["door"], "door")
    state["doors"][a["door"]] = "open"
    return {"door": a["door"], "state": "open"}


def _scene(state: State, a: Arguments) -> dict:
    light, degrees = SCENES[a["scene"]]
    known(state["rooms"], a["room"], "room").update(light=light, degrees=degrees)
    return {"light": light, "degrees": degrees}


def _read(state: State, a: Arguments) -> dict:
    return dict(known(state["rooms"], a["room"], "room"))


def _doors(state: State, a: Arguments) -> dict:
    return {"doors": dict(sorted(state["doors"].items()))}


def _initial(rng: Random) -> State:
    rooms = {
        room: {"light": rng.randrange(0, 65, 5), "degrees": rng.randint(320, 440) / 20, "color": "white"}
        for room in ROOMS
    }
    return {"rooms": rooms, "doors": {door: rng.choice(("locked", "open")) for door in DOORS}}


def _simple(function: str, *slots, wanted: bool = False):
    """A move that needs nothing but values."""

    def move(play: Play) -> bool:
        given = {slot.key: play.draw(slot) for slot in slots}
        if function in ("lock_door", "unlock_door"):
            state = "open" if function == "lock_door" else "locked"
            fitting = [door for door in DOORS if play.state["doors"][door] == state]
            if not fitting:
                return False
            given = {"door": play.rng.choice(fitting)}
        play.call(function, **given)
        play.ask(function, given, wanted=wanted)
        return True

    return move


# fmt: off
FAMILY = Family(
    "home",
    (
        Function(
            tool(
                "set_light", "Sets the brightness of the light in a room.",
                "set the light|dim the light|put the lights",
                ROOM, PERCENT,
            ),
            _light,
        ),
        Function(
            tool(
                "brighten_light", "Makes the light in a room brighter by some percentage points, up to 100.",
                "make the light brighter|turn up the light",
                ROOM, STEP,
            ),
            _brighten,
        ),
        Function(
            tool(
                "set_heating", "Sets the temperature of a room.",
                "set the heating|adjust the temperature|heat",
                ROOM, DEGREES,
            ),
            _heat,
        ),
        Function(
            tool(
                "color_light", "Sets the color of the light in a room.",
                "change the light color|color the light",
                ROOM, COLOR,
            ),
            _paint,
        ),
        Function(
            tool(
                "lock_door", "Locks a door.",
                "lock the door|make sure nobody comes in through the door",
                DOOR,
            ),
            _lock,
        ),
        Function(tool("unlock_door", "Unlocks a door.", "unlock the door|open the lock of the door", DOOR), _unlock),
        Function(
            tool(
                "run_scene", "Sets the light and heating of a room to a scene.",
                "run the scene|switch on the scene",
                SCENE, ROOM,
            ),
            _scene,
        ),
        Function(
            tool(
                "get_room", "Tells the light and temperature of a room.",
                "check the room settings|?what are light and temperature like",
                ROOM,
            ),
            _read,
        ),
        Function(tool("get_doors", "Tells which doors are locked.", "check the doors|?are all doors locked"), _doors),
    ),
    _initial,
    (
        _simple("set_light", ROOM, PERCENT),
        _simple("brighten_light", ROOM, STEP),
        _simple("set_heating", ROOM, DEGREES),
        _simple("color_light", ROOM, COLOR),
        _simple("lock_door", DOOR),
        _simple("unlock_door", DOOR),
        _simple("run_scene", SCENE, ROOM),
        _simple("get_room", ROOM, wanted=True),
        _simple("get_doors", wanted=True),
    ),
)
