"""Flights: seats are booked, moved to another flight, given bags, and cancelled."""

from __future__ import annotations

from datetime import timedelta
from random import Random

from itool_jax.data.toolworld import pools, values
from itool_jax.data.toolworld.large import slots as s
from itool_jax.data.toolworld.large.clock import any_day
from itool_jax.data.toolworld.large.concept import tool
from itool_jax.data.toolworld.large.kinds import integer, text, words
from itool_jax.data.toolworld.tasks.backend import Arguments, Family, Function, Refused, State, known, new_id
from itool_jax.data.toolworld.tasks.play import Play

# fmt: off
FLIGHT = s.named("flight", text(values.flight_number), "{}", "Flight number", names="flight_number", leads=True)
NEW_FLIGHT = FLIGHT.said("to the flight {}|onto flight {}")
BOOKING = s.ident("booking", "booking code", "booking_code")
PASSENGER = s.PERSON.said("for {}|in the name of {}", names="passenger", label="passenger")
BAGS = s.named("bags", integer(1, 5), "with {} bags|making it {} bags in all", "Bags in all", label="number of bags")
MEAL = s.named("meal", words("vegan halal kosher standard"), "{}|with {} food", "Kind of meal")
# fmt: on


def _search(state: State, a: Arguments) -> dict:
    way = a["origin"], a["destination"]
    found = {key: f for key, f in state["flights"].items() if (f["origin"], f["destination"]) == way}
    return {"flights": [{"flight_number": key, **found[key]} for key in sorted(found)]}


def _book(state: State, a: Arguments) -> dict:
    _seat(state, a["flight_number"])
    booking = {"flight": a["flight_number"], "passenger": a["passenger"], "bags": 0, "meal": "standard"}
    key = new_id("BK", state["bookings"], {**booking, "flight": ""})
    state["flights"][a["flight_number"]]["seats"] -= 1
    state["bookings"][key] = booking
    return {"booking_code": key}


def _find(state: State, a: Arguments) -> dict:
    found = sorted(key for key, booking in state["bookings"].items() if booking["passenger"] == a["passenger"])
    return {"bookings": [{"booking_code": key, **state["bookings"][key]} for key in found]}


def _rebook(state: State, a: Arguments) -> dict:
    booking = known(state["bookings"], a["booking_code"], "booking")
    if booking["flight"] == a["flight_number"]:
        raise Refused("the booking is for this flight already")
    _seat(state, a["flight_number"])
    state["flights"][booking["flight"]]["seats"] += 1
    state["flights"][a["flight_number"]]["seats"] -= 1
    booking["flight"] = a["flight_number"]
    return {"status": "rebooked"}


def _set_bags(state: State, a: Arguments) -> dict:
    if not 0 <= a["bags"] <= 5:
        raise Refused("from 0 to 5 bags are allowed")
    known(state["bookings"], a["booking_code"], "booking")["bags"] = a["bags"]
    return {"price": 30 * a["bags"]}


def _set_meal(state: State, a: Arguments) -> dict:
    known(state["bookings"], a["booking_code"], "booking")["meal"] = a["meal"]
    return {"status": "noted"}


def _cancel(state: State, a: Arguments) -> dict:
    booking = known(state["bookings"], a["booking_code"], "booking")
    state["flights"][booking["flight"]]["seats"] += 1
    del state["bookings"][a["booking_code"]]
    return {"status": "cancelled"}


def _seat(state: State, flight: str) -> None:
    if known(state["flights"], flight, "flight")["seats"] < 1:
        raise Refused("the flight is full")


def _initial(rng: Random) -> State:
    today = any_day(rng, told=True).today
    cities = rng.sample(pools.CITIES, 4)
    flights, pairs = {}, [rng.sample(cities, 2) for _ in range(5)]
    while len(flights) < 7:
        origin, destination = pairs[len(flights) % len(pairs)]
        day = (today + timedelta(days=rng.randint(1, 60))).isoformat()
        flight = {"origin": origin, "destination": destination, "date": day, "seats": rng.randint(4, 90)}
        flights[values.flight_number(rng)] = flight
    state: State = {"flights": flights, "bookings": {}}
    for _ in range(3):
        _book(state, {"flight_number": rng.choice(sorted(flights)), "passenger": values.person(rng)})
    return state


def _booking(play: Play) -> tuple[str, str] | None:
    """Code of a booking whose passenger has no other, and how it is referred to."""
    names = [booking["passenger"] for booking in play.state["bookings"].values()]
    single = sorted(name for name in names if names.count(name) == 1)
    if not single:
        return None
    name = play.choose("booking", single)
    find = lambda: play.call("find_bookings", passenger=name)["bookings"][0]["booking_code"]
    code = play.found("booking", name, find)
    return code, play.mention("booking", name, play.rng.choice(("the booking of {}", "the flight booking for {}")))


def search(play: Play) -> bool:
    flight = play.state["flights"][play.rng.choice(sorted(play.state["flights"]))]
    given = {"origin": flight["origin"], "destination": flight["destination"]}
    play.call("search_flights", **given)
    play.ask("search_flights", given, wanted=True)
    return True


def book(play: Play) -> bool:
    number, name = play.rng.choice(sorted(play.state["flights"])), play.draw(PASSENGER)
    if any(booking["passenger"] == name for booking in play.state["bookings"].values()):
        return False
    play.ids["booking", name] = play.call("book_flight", flight_number=number, passenger=name)["booking_code"]
    play.last = {"booking": name}
    play.ask("book_flight", {"flight": number, "person": name})
    return True


def rebook(play: Play) -> bool:
    some = _booking(play)
    if some is None:
        return False
    code, said = some
    number = play.rng.choice([n for n in sorted(play.state["flights"]) if n != play.state["bookings"][code]["flight"]])
    play.call("rebook_flight", booking_code=code, flight_number=number)
    play.ask("rebook_flight", {"flight": number}, said)
    return True


def bags(play: Play) -> bool:
    some = _booking(play)
    if some is None:
        return False
    given = {"bags": play.draw(BAGS)}
    play.call("set_bags", booking_code=some[0], **given)
    play.ask("set_bags", given, some[1])
    return True


def meal(play: Play) -> bool:
    some = _booking(play)
    if some is None:
        return False
    given = {"meal": play.draw(MEAL)}
    play.call("choose_meal", booking_code=some[0], **given)
    play.ask("choose_meal", given, some[1])
    return True


def cancel(play: Play) -> bool:
    some = _booking(play)
    if some is None or len(play.state["bookings"]) < 2:
        return False
    play.call("cancel_booking", booking_code=some[0])
    play.ask("cancel_booking", {}, some[1])
    play.last = {}
    return True


# fmt: off
FAMILY = Family(
    "flights",
    (
        Function(
            tool(
                "search_flights", "Lists the flights between two cities.",
                "look up the flights|list the flights|?which flights are there",
                s.ORIGIN, s.DESTINATION,
            ),
            _search,
        ),
        Function(
            tool(
                "book_flight", "Books a seat and returns the booking_code.",
                "book a seat on flight|reserve a seat on the flight|get me onto flight",
                FLIGHT, PASSENGER,
            ),
            _book,
        ),
        Function(tool("find_bookings", "Finds the bookings of a passenger.", "find bookings", PASSENGER), _find),
        Function(
            tool(
                "rebook_flight", "Moves a booking to another flight.",
                "move {o}|rebook {o}|change {o}",
                BOOKING, NEW_FLIGHT,
            ),
            _rebook,
        ),
        Function(
            tool(
                "set_bags", "Sets the number of bags of a booking and tells their price.",
                "set the luggage of {o}|change the bags on {o}|fix the luggage for {o}",
                BOOKING, BAGS,
            ),
            _set_bags,
        ),
        Function(
            tool(
                "choose_meal", "Chooses the meal of a booking.",
                "change the meal on {o} to|choose the meal for {o}, namely|order food with {o}, that is",
                BOOKING, MEAL.said("{}|the {} one"),
            ),
            _set_meal,
        ),
        Function(tool("cancel_booking", "Cancels a booking.", "cancel {o}|call off {o}|give up {o}", BOOKING), _cancel),
    ),
    _initial,
    (search, book, book, rebook, bags, meal, cancel),
)
