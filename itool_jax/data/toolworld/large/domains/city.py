"""The city: public transport, parking, maps."""

from itool_jax.data.toolworld import values
from itool_jax.data.toolworld.large import slots as s
from itool_jax.data.toolworld.large.concept import domain, tool
from itool_jax.data.toolworld.large.kinds import integer, many, text, words

# fmt: off
TAXI = s.ident("taxi_ride", "ride number", "ride_id trip_id")
PERMIT = s.ident("parking_permit", "parking permit number", "permit_id permit")
PLATE = s.named(
    "plate", text(values.code), "for the plate {}|with the license plate {}", "License plate",
    names="license_plate plate", label="license plate",
)
LINE = s.named("line", integer(1, 99), "of line {}|on line {}", "Number of the line", names="line line_number")
STOP = s.named(
    "stop", text(values.place), "at the stop {}|from the stop {}", "Name of the stop", names="stop stop_name",
)
PICKUP = s.ADDRESS.as_("pickup", "from {}|with pick-up at {}", "Where to be picked up", names="pickup pickup_address")
HOURS = s.named(
    "hours", integer(2, 72), "for the next {} hours|over {} hours", "Number of hours", names="hours num_hours",
    label="number of hours",
)
MODE = s.choice(
    "mode", "by {}|going by {}", "Means of travel",
    {"car": "car", "bicycle": "bike|bicycle", "transit": "public transport", "foot": "foot"}, names="mode travel_mode",
    label="means of travel",
)
FROM_PLACE = s.PLACE.as_(
    "from_place", "from {}|starting at {}", "Where the way begins", names="from_place start", label="start",
)
TO_PLACE = s.PLACE.as_("to_place", "to {}|ending at {}", "Where the way ends", names="to_place goal", label="goal")
KIND = s.choice(
    "place_kind", "of the kind {}", "Kind of place", "pharmacy bank supermarket museum playground bakery",
    names="kind category", label="kind of place",
)

CONCEPTS = (
    *domain(
        "transit",
        tool(
            "plan_transit_trip plan_journey", "Plans a trip by bus, tram and metro.",
            "plan a trip on public transport|work out a bus and metro connection|"
            "?how do I get there by public transport",
            FROM_PLACE, TO_PLACE,
            s.AT.said(
                "arriving by {}|to be there by {}", "Latest arrival, HH:MM", names="arrive_by", label="latest arrival",
            ).opt,
            s.flag(
                "step_free", "Whether the way has no stairs", "without stairs|step-free",
                "stairs are fine|stairs do not matter", "step_free accessible",
            ),
        ),
        tool(
            "next_bus get_bus_times", "Tells when the next buses of a line leave a stop.",
            "tell me when the next bus leaves|?when is the next bus",
            LINE, STOP, s.LIMIT.opt, gives=(s.AT,),
        ),
        tool(
            "buy_transit_ticket buy_metro_ticket", "Buys tickets for city transport.",
            "buy tickets for the metro|get bus and metro tickets",
            s.choice("zone", "for zone {}|in zone {}", "Fare zone", "A B C AB ABC", names="zone fare_zone"), s.PEOPLE,
            s.choice(
                "ticket_type", "as a {} ticket", "Type of ticket", "single day weekly", names="ticket_type fare",
                label="ticket type",
            ).opt,
            gives=(s.TOTAL,),
        ),
        tool(
            "get_line_disruptions service_alerts", "Lists disruptions of a transport line.",
            "check for disruptions|find out whether anything is blocked|?are there any service alerts",
            LINE, s.CITY.opt,
        ),
        tool(
            "order_taxi call_taxi", "Sends a taxi.",
            "order a taxi|call me a cab|send a taxi",
            PICKUP,
            s.ADDRESS.said(
                "going to {}|with the destination {}", "Where to go", names="dropoff destination_address",
                label="destination",
            ).opt,
            s.AT.opt, s.PEOPLE.opt, gives=(TAXI, s.TOTAL),
        ),
        tool(
            "cancel_taxi cancel_ride", "Cancels a taxi that was ordered.",
            "cancel the taxi with ride|call off my cab, ride",
            TAXI,
        ),
        tool(
            "estimate_taxi_fare taxi_fare", "Estimates what a taxi would cost.",
            "estimate the taxi fare|?what would a taxi cost|tell me roughly what a cab costs",
            PICKUP,
            s.ADDRESS.said(
                "going to {}|with the destination {}", "Where to go", names="dropoff destination_address",
                label="destination",
            ),
            gives=(s.TOTAL,),
        ),
        tool(
            "unlock_bike rent_city_bike", "Unlocks a shared bike at a station.",
            "unlock a shared bike|rent a city bike",
            STOP.as_(
                "bike_station", "at the bike station {}|from the bike station {}", "Name of the bike station",
                names="bike_station station",
            ),
            s.MINUTES.opt, gives=(s.ident("bike_ride", "bike ride number"),),
        ),
        tool(
            "find_scooters nearby_scooters", "Finds shared scooters nearby.",
            "find shared scooters|look for an e-scooter",
            s.COORDINATES, s.RADIUS,
            s.named(
                "battery", integer(20, 90), "with at least {} percent battery|charged to {} percent or more",
                "Least battery level in percent", names="min_battery battery", label="least battery level",
            ).opt,
        ),
    ),
    *domain(
        "parking",
        tool(
            "find_parking search_parking", "Finds free parking.",
            "find parking|look for somewhere to park|?where can I park",
            s.CITY, s.RADIUS.opt,
            s.flag(
                "covered", "Whether it has a roof", "under a roof|covered", "in the open|not covered", "covered roofed",
            ),
            s.MAX_PRICE.opt, gives=(s.PLACE, s.STREET),
        ),
        tool(
            "book_parking_spot reserve_parking", "Reserves a parking spot.",
            "reserve a parking spot|book a space to park",
            s.PLACE, PLATE, s.DAY, s.AT, HOURS.said("for {} hours|staying {} hours"), gives=(PERMIT, s.TOTAL),
        ),
        tool(
            "extend_parking prolong_parking", "Extends a running parking session.",
            "extend the parking session under permit|add time to parking permit",
            PERMIT, s.MINUTES.said("by {}|adding {}", "Minutes to add"), gives=(s.TOTAL,),
        ),
        tool(
            "pay_parking_fine settle_parking_fine", "Pays a parking fine.",
            "pay the parking fine|settle the parking fine",
            s.ident("fine", "fine number"),
            s.EMAIL.said("with a receipt to {}|mailing the receipt to {}", "Where the receipt goes").opt,
        ),
        tool(
            "contest_parking_fine appeal_parking_fine", "Files an objection to a parking fine.",
            "contest the parking fine|appeal against the parking fine",
            s.ident("fine", "fine number"),
            s.MESSAGE.said("giving the reason {}|because of {}", "Why the fine is wrong", names="reason grounds"),
        ),
        tool(
            "register_resident_parking resident_permit", "Applies for a resident's parking permit.",
            "apply for a resident parking permit|register for resident parking",
            PLATE, s.ADDRESS.said("living at {}|for the address {}", "Home address"), s.MONTHS, gives=(PERMIT,),
        ),
        tool(
            "find_charging_station charging_points", "Finds charging points for electric cars.",
            "find a charging station|?where can I charge the car",
            s.CITY,
            s.named(
                "power", integer(11, 300), "with at least {} kW|giving {} kW or more", "Least power in kW",
                names="min_power_kw power", label="least power",
            ).opt,
            s.choice("plug", "with a {} plug", "Plug", "CCS CHAdeMO Type2", names="plug connector").opt,
            gives=(s.STREET, s.COORDINATES),
        ),
    ),
    *domain(
        "maps",
        tool(
            "get_directions plan_route", "Finds a route between two places.",
            "get directions|find the best route|?how do I get there",
            FROM_PLACE, TO_PLACE, MODE,
            s.named(
                "avoid", many(words("tolls ferries motorways")), "avoiding {}|keeping clear of {}", "What to avoid",
                names="avoid avoidances",
            ).opt,
            gives=(s.DISTANCE,),
        ),
        tool(
            "search_places find_places", "Finds places of a kind around a point.",
            "search for places|find places nearby",
            KIND, s.COORDINATES, s.RADIUS,
            s.flag(
                "open_now", "Whether the place is open now", "open right now|only open ones",
                "open or closed|even if closed", "open_now only_open",
            ),
            gives=(s.PLACE, s.STREET),
        ),
        tool(
            "geocode_address address_to_coordinates", "Turns an address into coordinates.",
            "look up the coordinates of an address|geocode an address",
            s.ADDRESS.said("namely {}|of {}"), gives=(s.COORDINATES,),
        ),
        tool(
            "reverse_geocode coordinates_to_address", "Turns coordinates into an address.",
            "find the address of a point|?which address lies there",
            s.COORDINATES, gives=(s.STREET,),
        ),
        tool(
            "get_travel_time travel_time", "Tells how long a way takes.",
            "work out the travel time|?how long does it take",
            FROM_PLACE, TO_PLACE, MODE,
            s.AT.said(
                "departing at {}|setting off at {}", "Departure, HH:MM", names="departure_time", label="departure",
            ).opt,
            gives=(s.MINUTES,),
        ),
        tool(
            "save_favorite_place save_place", "Saves a place under a label.",
            "save a place to my favorites|remember a place",
            s.PLACE.said("namely {}|called {}"), s.STREET, s.TAGS.opt,
        ),
        tool(
            "get_traffic_report traffic_report", "Tells about traffic jams in a city.",
            "check the traffic|?how bad is the traffic|look for traffic jams",
            s.CITY, s.AT.opt,
        ),
        tool(
            "share_live_location share_position", "Shares one's position for a while.",
            "share my live location|let somebody see where I am",
            s.CONTACT.said("with {}|letting {} see it"), s.MINUTES,
        ),
        tool(
            "measure_area land_area", "Measures the area between points on a map.",
            "measure the area on the map|?how large is the area",
            s.named(
                "corners", many(s.COORDINATES.kind, 3, 4, "lat"), "between the corners {}|spanned by {}",
                "Corners of the area", names="corners polygon",
            ),
        ),
    ),
)
