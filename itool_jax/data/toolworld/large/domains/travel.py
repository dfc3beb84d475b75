"""Travel: flights, hotels, trains, rented cars."""

from itool_jax.data.toolworld.large import slots as s
from itool_jax.data.toolworld.large.concept import domain, tool
from itool_jax.data.toolworld.large.kinds import integer, many, text, words
from itool_jax.data.toolworld.values import flight_number

# fmt: off
FLIGHT = s.named(
    "flight", text(flight_number), "{}|with the number {}", "Flight number such as LH123", names="flight_number flight",
    label="flight number", leads=True,
)
FLIGHT_BOOKING = s.ident("flight_booking", "flight booking code")
HOTEL = s.ident("hotel", "hotel id", "hotel_id property_id")
STAY = s.ident("stay", "hotel booking code", "booking_id stay_id reservation_id")
TRAIN_TICKET = s.ident("train_ticket", "train ticket number")
RENTAL = s.ident("rental", "rental agreement number", "rental_id agreement_id")
CABIN = s.choice(
    "cabin", "in {}", "Cabin class",
    {
        "economy": "economy|economy class|coach", "premium_economy": "premium economy",
        "business": "business class|business", "first": "first class",
    },
    names="cabin travel_class",
).opt
BAGS = s.named(
    "bags", integer(1, 4), "with {} checked bags|and {} suitcases", "Number of checked bags", names="bags checked_bags",
    label="number of bags",
)
SEAT = s.choice(
    "seat", "at the {}|with a {} seat", "Place in the row", "window aisle middle", names="seat seat_type", label="seat",
)
CAR = s.choice(
    "car_class", "of the class {}|as a {} car", "Class of car", "compact midsize estate van convertible",
    names="car_class vehicle_class", label="car class",
)
CHECK_IN = s.DAY.as_(
    "check_in", "from {}|arriving on {}|checking in on {}", "Day of arrival, as YYYY-MM-DD",
    names="check_in arrival_date", label="check-in date",
)
STATION = s.CITY.as_("station", "from {}|at {} station", "Name of the station", names="station from_station")
NEW_DAY = s.DAY.as_("new_date", "to {}|onto {}", "New day, as YYYY-MM-DD", names="new_date to_date", label="new date")
DIRECT = s.flag(
    "direct", "Whether only direct connections count", "without changes|direct ones only|non-stop",
    "changes are fine|not only direct ones", "direct_only direct",
)
ROOM_TYPE = s.choice(
    "room_type", "in a {} room|as a {} room", "Type of room", "single double twin family", names="room_type room",
    label="room type",
)

CONCEPTS = (
    *domain(
        "flights",
        tool(
            "search_flights find_flights", "Lists flights between two cities on a day.",
            "search for flights|find me a flight|?which flights are there|look up flights",
            s.ORIGIN, s.DESTINATION, s.DAY, CABIN, DIRECT, s.LIMIT.opt, gives=(FLIGHT, s.TOTAL),
        ),
        tool(
            "book_flight reserve_flight", "Books seats on a flight.",
            "book the flight|reserve the flight|get us onto flight",
            FLIGHT, s.TRAVELLERS, CABIN, BAGS.opt, gives=(FLIGHT_BOOKING, s.TOTAL),
        ),
        tool(
            "cancel_flight_booking cancel_flight", "Cancels a flight booking and tells the refund.",
            "cancel my flight booking|call off the flight booking|drop the flight reservation",
            FLIGHT_BOOKING, gives=(s.AMOUNT.said("of {}", "Refund in euros", names="refund"),),
        ),
        tool(
            "change_flight_date rebook_flight", "Moves a flight booking to another day.",
            "move my flight booking|rebook the flight booking|shift the flight booking",
            FLIGHT_BOOKING, NEW_DAY, gives=(FLIGHT, s.TOTAL),
        ),
        tool(
            "get_flight_status flight_status", "Tells whether a flight is on time.",
            "check the status of flight|?is there any delay for flight|find out whether there is a delay on flight",
            FLIGHT, s.DAY.opt, gives=(s.STATUS, s.AT),
        ),
        tool(
            "select_seat choose_flight_seat", "Picks a kind of seat for a flight booking.",
            "pick a seat for the flight booking|choose my seat on the flight booking",
            FLIGHT_BOOKING, SEAT, gives=(s.TOTAL,),
        ),
        tool(
            "add_checked_baggage add_bags", "Adds checked bags to a flight booking.",
            "add luggage to the flight booking|put more bags on the flight booking",
            FLIGHT_BOOKING, BAGS, gives=(s.TOTAL,),
        ),
        tool(
            "check_in_flight online_check_in", "Checks passengers in and makes the boarding pass.",
            "check in for the flight booking|do the online check-in for the flight booking",
            FLIGHT_BOOKING,
            s.EMAIL.said("sending the boarding pass to {}|boarding pass to {}", "Where the boarding pass goes").opt,
            gives=(s.FILE,),
        ),
        tool(
            "track_fare_price watch_fare", "Watches the fare of a route and tells when it falls.",
            "watch the fares|set up a fare alert|keep an eye on ticket prices for flying",
            s.ORIGIN, s.DESTINATION, s.MAX_PRICE, s.EMAIL.said("mailing me at {}|with mails to {}", "Who is told"),
        ),
        tool(
            "get_airport_info airport_details", "Tells the terminals and services of a city's airport.",
            "look up the airport|tell me about the airport|?what does the airport offer",
            s.CITY, gives=(s.PHONE, s.URL),
        ),
    ),
    *domain(
        "hotels",
        tool(
            "search_hotels find_hotels", "Finds hotels with free rooms in a city.",
            "find a hotel|search for hotels|look for a place to sleep|?which hotels have rooms",
            s.CITY, CHECK_IN, s.NIGHTS, s.PRICE_RANGE.opt,
            s.SCORE.said(
                "with at least {} stars|rated {} stars or better", "Least number of stars", names="min_stars stars",
                label="least number of stars",
            ).opt,
            s.SORT.opt, gives=(HOTEL, s.PLACE),
        ),
        tool(
            "book_hotel_room reserve_hotel_room", "Books a room at a hotel.",
            "book a room at the hotel|reserve a room in the hotel|take a room at the hotel",
            HOTEL, CHECK_IN, s.NIGHTS, ROOM_TYPE.opt, s.BREAKFAST, s.PERSON.opt, gives=(STAY, s.TOTAL),
        ),
        tool(
            "cancel_hotel_booking cancel_stay", "Cancels a hotel booking.",
            "cancel my hotel booking|call off the hotel stay|undo the hotel reservation",
            STAY, gives=(s.TOTAL.said("of {}", "Refund in euros", names="refund"),),
        ),
        tool(
            "extend_hotel_stay add_nights", "Adds nights to a hotel booking.",
            "extend my hotel booking|stay longer on the hotel booking",
            STAY,
            s.NIGHTS.said(
                "by {} nights|for another {} nights|adding {} nights", "Nights to add", names="extra_nights nights",
            ),
            gives=(s.TOTAL,),
        ),
        tool(
            "request_late_checkout late_checkout", "Asks for a later check-out time.",
            "ask for a late check-out on the hotel booking|request to leave the room later on the hotel booking",
            STAY, s.AT, gives=(s.STATUS,),
        ),
        tool(
            "get_hotel_reviews hotel_reviews", "Shows what guests say about a hotel.",
            "show me guest reviews of the hotel|read what guests wrote about the hotel|"
            "?what do guests say about the hotel",
            HOTEL, s.LIMIT.opt, s.SORT.opt, gives=(s.SCORE,),
        ),
        tool(
            "rate_hotel review_hotel", "Stores a guest's rating of a hotel.",
            "rate the hotel|leave a review for the hotel|write a rating of the hotel",
            HOTEL, s.SCORE, s.NOTE,
        ),
        tool(
            "order_room_service room_service", "Orders items to a room at a hotel.",
            "order room service|have something brought up to my room",
            STAY.said("on booking {}|for the booking {}"), s.ITEMS, s.AT.opt, gives=(s.TOTAL,),
        ),
        tool(
            "request_wake_up_call wake_up_call", "Orders a wake-up call in a hotel.",
            "arrange a wake-up call|have the reception wake me",
            STAY.said("on booking {}|for the booking {}"), s.AT,
        ),
    ),
    *domain(
        "trains",
        tool(
            "search_trains find_trains", "Lists train connections between two cities.",
            "look up trains|find a train|?what trains go|search train connections",
            s.ORIGIN, s.DESTINATION, s.DAY,
            s.AT.said(
                "leaving after {}|after {}", "Earliest departure, HH:MM", names="after earliest",
                label="earliest departure",
            ).opt,
            DIRECT, gives=(s.AT, s.TOTAL),
        ),
        tool(
            "buy_train_ticket book_train", "Buys train tickets.",
            "buy train tickets|get a train ticket|book seats on the train",
            s.ORIGIN, s.DESTINATION, s.DAY, s.AT, s.PEOPLE.opt,
            s.choice(
                "class", "in {} class", "Class", {"1": "first", "2": "second"}, names="travel_class coach_class",
                label="class",
            ).opt,
            gives=(TRAIN_TICKET, s.TOTAL),
        ),
        tool(
            "refund_train_ticket return_train_ticket", "Gives a train ticket back for a refund.",
            "return the train ticket|get my money back for the train ticket|refund the train ticket",
            TRAIN_TICKET, gives=(s.AMOUNT,),
        ),
        tool(
            "get_departures station_board", "Shows the next departures at a station.",
            "show the next departures|?what leaves soon|pull up the departure board",
            STATION, s.AT.said("after {}|from {} on", "Time from which on, HH:MM").opt, s.LIMIT.opt,
        ),
        tool(
            "reserve_train_seat seat_reservation", "Reserves a seat for a train ticket.",
            "reserve a seat for the train ticket|add a seat reservation to the train ticket",
            TRAIN_TICKET, SEAT,
            s.flag(
                "quiet", "Whether the seat is in the quiet coach", "in the quiet coach|where it is quiet",
                "not in the quiet coach|outside the quiet coach", "quiet_coach quiet",
            ),
        ),
        tool(
            "report_train_delay claim_train_delay", "Claims compensation for a late train.",
            "claim compensation for the late train on ticket|file a delay claim for the train ticket",
            TRAIN_TICKET,
            s.MINUTES.said("arriving {} late|with a delay of {}", "Delay in minutes", names="delay_minutes delay"),
            gives=(s.ident("claim", "claim number"),),
        ),
        tool(
            "buy_rail_pass get_rail_pass", "Buys a rail pass for a country.",
            "buy a rail pass|get me a rail pass",
            s.COUNTRY.said("in {}|valid in {}"), s.DAYS, s.PERSON.opt, gives=(s.TOTAL,),
        ),
        tool(
            "book_night_train reserve_sleeper", "Books a berth on a night train.",
            "book a berth on the night train|reserve a sleeper on the night train",
            s.ORIGIN, s.DESTINATION, s.DAY,
            s.choice(
                "berth", "in a {}", "Kind of berth", "couchette sleeper deluxe_sleeper", names="berth berth_type",
                label="berth",
            ),
            gives=(TRAIN_TICKET, s.TOTAL),
        ),
    ),
    *domain(
        "car_rental",
        tool(
            "search_rental_cars find_rental_cars", "Lists cars for rent in a city.",
            "find a rental car|look for cars to rent|?which cars can I rent",
            s.CITY, s.PERIOD, CAR.opt, s.MAX_PRICE.opt, gives=(s.TOTAL,),
        ),
        tool(
            "rent_car book_rental_car", "Rents a car.",
            "rent a car|book a rental car|hire a car",
            s.CITY, s.PERIOD, CAR, s.INSURANCE,
            s.named(
                "extras", many(words("child_seat snow_chains roof_box navigation")), "with {} as extras|adding {}",
                "Extras", names="extras add_ons",
            ).opt,
            gives=(RENTAL, s.TOTAL),
        ),
        tool(
            "cancel_car_rental cancel_rental", "Cancels a car rental.",
            "cancel my car rental|call off the rental car under agreement",
            RENTAL,
        ),
        tool(
            "extend_car_rental prolong_rental", "Prolongs a car rental.",
            "keep the rental car longer under agreement|extend the car rental|prolong the car rental",
            RENTAL, s.UNTIL, gives=(s.TOTAL,),
        ),
        tool(
            "report_car_damage report_rental_damage", "Reports damage to a rented car.",
            "report damage to the rental car under agreement|register a scratch on the rental car under agreement",
            RENTAL,
            s.choice(
                "part", "on the {}", "Damaged part", "bumper door windscreen mirror tyre", names="part damaged_part",
                label="damaged part",
            ),
            s.NOTE, gives=(s.ident("claim", "claim number"),),
        ),
        tool(
            "add_rental_driver add_driver", "Adds a second driver to a rental.",
            "add a second driver to the car rental|put another driver on the car rental",
            RENTAL, s.PERSON.said("namely {}|by the name of {}", names="driver driver_name"),
            s.named("age", integer(21, 80), "aged {}|who is {} years old", "Age in years", names="age driver_age"),
            gives=(s.TOTAL,),
        ),
        tool(
            "locate_rental_station rental_station", "Finds the nearest office of the rental company.",
            "find the nearest rental car office|?where is the nearest rental office",
            s.COORDINATES, s.RADIUS.opt, gives=(s.STREET, s.PHONE),
        ),
        tool(
            "book_camper_van rent_camper", "Rents a camper van.",
            "rent a camper van|book a motorhome",
            s.CITY, s.PERIOD,
            s.named(
                "beds", integer(2, 7), "with {} beds|that sleeps {}", "Number of beds", names="beds sleeps",
                label="number of beds",
            ),
            s.flag(
                "pets", "Whether pets come along", "pets allowed|with our dog on board", "no pets|without pets",
                "pets_allowed pets",
            ),
            gives=(RENTAL, s.TOTAL),
        ),
    ),
)
