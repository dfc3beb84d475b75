"""A calendar: events are made, found, moved, joined and cancelled."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from itool_jax.data.toolworld import values
from itool_jax.data.toolworld.large import slots as s
from itool_jax.data.toolworld.large.clock import any_day, draw_time
from itool_jax.data.toolworld.large.concept import Slot, tool
from itool_jax.data.toolworld.tasks.backend import Arguments, Family, Function, State, a_date, a_time, known, new_id
from itool_jax.data.toolworld.tasks.play import Play

# fmt: off
EVENT = s.ident("event", "event id", "event_id")
GUEST = s.PERSON.as_("guest", "with {}|bringing {} in|for {} to join", "First and last name", label="guest")
LENGTH = s.MINUTES.said("for {}|lasting {}", names="minutes")
# fmt: on


def _create(state: State, a: Arguments) -> dict:
    when = {"date": a_date(a["date"]), "time": a_time(a["time"]), "minutes": a["minutes"]}
    event = {"title": a["title"], **when, "guests": []}
    key = new_id("EV", state["events"], event)
    state["events"][key] = event
    return {"event_id": key}


def _find(state: State, a: Arguments) -> dict:
    found = {key: event for key, event in state["events"].items() if event["title"] == a["title"]}
    return {"events": [{"event_id": key, **found[key]} for key in sorted(found)]}


def _move(state: State, a: Arguments) -> dict:
    event = known(state["events"], a["event_id"], "event")
    event.update(date=a_date(a["date"]), time=a_time(a["time"]))
    return {"status": "moved"}


def _lengthen(state: State, a: Arguments) -> dict:
    known(state["events"], a["event_id"], "event")["minutes"] = a["minutes"]
    return {"status": "changed"}


def _cancel(state: State, a: Arguments) -> dict:
    known(state["events"], a["event_id"], "event")
    del state["events"][a["event_id"]]
    return {"status": "cancelled"}


def _invite(state: State, a: Arguments) -> dict:
    event = known(state["events"], a["event_id"], "event")
    event["guests"] = sorted({*event["guests"], a["guest"]})
    return {"guests": event["guests"]}


def _agenda(state: State, a: Arguments) -> dict:
    day = a_date(a["date"])
    events = [(e["time"], e["title"], key) for key, e in state["events"].items() if e["date"] == day]
    return {"agenda": [{"event_id": key, "title": title, "time": time} for time, title, key in sorted(events)]}


def _initial(rng: Random) -> State:
    state: State = {"events": {}}
    day = any_day(rng, told=True).today.isoformat()
    while len(state["events"]) < 5:
        time = draw_time(rng, any_day(rng, told=True))
        event = {"title": values.title(rng), "date": day, "time": time, "minutes": rng.randrange(15, 120, 15)}
        _create(state, event)
    return state


def _id(play: Play, title: str) -> str:
    return play.found("meeting", title, lambda: play.call("find_event", title=title)["events"][0]["event_id"])


def _some(play: Play) -> tuple[str, str] | None:
    """An event that only one title has, and how it is referred to."""
    titles = [event["title"] for event in play.state["events"].values()]
    single = sorted(title for title in titles if titles.count(title) == 1)
    if not single:
        return None
    title = play.choose("meeting", single)
    return title, play.mention("meeting", title, play.rng.choice(('the meeting "{}"', 'the event called "{}"', '"{}"')))


def create(play: Play) -> bool:
    given = {slot.names[0]: play.draw(slot) for slot in (s.TITLE, s.DAY, s.AT, LENGTH)}
    play.ids["meeting", given["title"]] = play.call("create_event", **given)["event_id"]
    play.last = {"meeting": given["title"]}
    play.ask("create_event", given)
    return True


def _change(name: str, **kinds: Slot) -> Callable[[Play], bool]:
    """A move that asks for one event to be changed, to values drawn of these kinds."""

    def change(play: Play) -> bool:
        some = _some(play)
        if some is None:
            return False
        given = {key: play.draw(kind) for key, kind in kinds.items()}
        play.call(name, event_id=_id(play, some[0]), **given)
        play.ask(name, given, some[1])
        return True

    return change


move = _change("move_event", date=s.DAY, time=s.AT)
lengthen = _change("set_event_length", minutes=LENGTH)
invite = _change("invite_guest", guest=GUEST)


def cancel(play: Play) -> bool:
    some = _some(play)
    if some is None or len(play.state["events"]) < 3:
        return False
    play.call("cancel_event", event_id=_id(play, some[0]))
    play.ask("cancel_event", {}, some[1])
    play.last = {}
    return True


def agenda(play: Play) -> bool:
    given = {"date": play.draw(s.DAY)}
    play.call("get_agenda", **given)
    play.ask("get_agenda", given, wanted=True)
    return True


# fmt: off
FAMILY = Family(
    "calendar",
    (
        Function(
            tool(
                "create_event", "Puts an event into the calendar and returns its event_id.",
                "schedule a meeting|put a meeting in my calendar|block some time|set up an event",
                s.TITLE.said("called {}|titled {}|named {}"), s.DAY, s.AT, LENGTH,
            ),
            _create,
        ),
        Function(tool("find_event", "Finds events by their exact title.", "find an event", s.TITLE), _find),
        Function(
            tool(
                "move_event", "Moves an event to another date and time.",
                "move {o}|reschedule {o}|shift {o}|push {o}",
                EVENT, s.DAY.said("to {}|onto {}"), s.AT,
            ),
            _move,
        ),
        Function(
            tool(
                "set_event_length", "Changes how long an event lasts.",
                "change the length of {o}|have {o} last longer or shorter, namely|make {o} last",
                EVENT, LENGTH.said("{}|exactly {}"),
            ),
            _lengthen,
        ),
        Function(
            tool(
                "invite_guest", "Adds a guest to an event.",
                "add somebody to {o}|invite another guest to {o}|have one more person in {o}",
                EVENT, GUEST.said("namely {}|and that is {}|whose name is {}"),
            ),
            _invite,
        ),
        Function(
            tool(
                "cancel_event", "Removes an event.",
                "cancel {o}|call off {o}|drop {o}|take {o} out of my calendar",
                EVENT,
            ),
            _cancel,
        ),
        Function(
            tool(
                "get_agenda", "Lists the events of a day by time.",
                "show my agenda|list my meetings|?what is in my calendar|?what do I have planned",
                s.DAY,
            ),
            _agenda,
        ),
    ),
    _initial,
    (create, create, move, move, lengthen, invite, cancel, agenda),
)
