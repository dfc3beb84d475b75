"""Hotels, flights, trains, cars and the weather."""

from itool_jax.data.toolworld import values
from itool_jax.data.toolworld.concept import concept
from itool_jax.data.toolworld.slots import (
    AMOUNT,
    BREAKFAST,
    CABIN,
    CITY,
    DATE,
    DAYS,
    DESTINATION,
    INSURANCE,
    MAX_PRICE,
    NIGHTS,
    ORIGIN,
    PEOPLE,
    PERSON,
    PLACE,
    SORT,
    STARS,
    TEMPERATURE,
    TIME,
    UNIT,
    flag,
    reference,
    slot,
)

HOTEL_BOOKING = reference("hotel_booking", "booking_id booking booking_code", "booking code")
FLIGHT_BOOKING = reference("flight_booking", "reservation reservation_id booking_ref", "reservation code")
TRAIN_TICKET = reference("train_ticket", "ticket_id ticket ticket_code", "ticket code")
RENTAL = reference("rental", "rental_id contract contract_id", "contract number")
FLIGHT = slot(
    "flight", "flight flight_number flight_no", values.string(values.flight_number), leads=True, label="flight number"
)
PASSENGERS = PEOPLE.said("for {} passengers", "for {} travelers", names=("passengers", "travelers", "seats"))
SEAT = slot(
    "seat",
    "seat seat_type",
    values.choices(
        {"window": ("with a window seat", "at the window"), "aisle": ("with an aisle seat", "at the aisle")}
    ),
).optional()
CAR = slot(
    "car",
    "car_type vehicle model",
    values.choices(
        {"compact": ("of the compact type",), "van": ("of the van type",), "electric": ("of the electric type",)},
        ("COMPACT", "VAN", "ELECTRIC"),
    ),
).optional()
EVENT = slot(
    "event",
    "event hazard kind",
    values.choices({"storm": ("for storms",), "frost": ("for frost",), "flood": ("for floods", "for flooding")}),
)
AIR_INDEX = slot("air_index", "index", values.integer(1, 10), label="air index")
LATITUDE = slot("latitude", "latitude lat", values.number(-60, 70, digits=2), "at latitude {}", "at a latitude of {}")
LONGITUDE = slot(
    "longitude", "longitude lon", values.number(-170, 170, digits=2), "at longitude {}", "at a longitude of {}"
)
POOL = flag("pool", "pool with_pool", ("with a pool", "with a swimming pool"), ("without a pool",))
DIRECT = flag("direct", "direct direct_only nonstop", ("without stops", "only direct ones"), ("with stops allowed",))

CONCEPTS = (
    concept(
        "hotel", "book reserve", "hotel hotel_room",
        ("book a hotel", "reserve a hotel room", "book me a room in a hotel"),
        CITY, NIGHTS, PEOPLE.optional(), BREAKFAST, MAX_PRICE.optional(), returns=(HOTEL_BOOKING, AMOUNT),
    ),
    concept(
        "hotel", "find search list", "hotels", ("find hotels", "look for hotels", "show me hotels"),
        CITY, STARS.optional(), POOL, MAX_PRICE.optional(), SORT.optional(), returns=(PLACE,),
    ),
    concept(
        "hotel", "cancel", "hotel hotel_booking", ("cancel the hotel booking", "cancel my hotel reservation"),
        HOTEL_BOOKING, returns=(AMOUNT,),
    ),
    concept(
        "hotel", "extend prolong", "hotel hotel_stay", ("extend the hotel stay", "prolong my hotel booking"),
        HOTEL_BOOKING, NIGHTS.said("by {} nights", "for another {} nights"), returns=(AMOUNT,),
    ),
    concept(
        "flight", "book reserve", "flight", ("book a flight", "reserve a flight", "get me a plane ticket"),
        ORIGIN, DESTINATION, DATE, CABIN.optional(), PASSENGERS.optional(), returns=(FLIGHT_BOOKING, FLIGHT),
    ),
    concept(
        "flight", "find search list", "flights", ("find flights", "look for flights", "list the flights"),
        ORIGIN, DESTINATION, DATE.optional(), DIRECT, MAX_PRICE.optional(), returns=(FLIGHT,),
    ),
    concept(
        "flight", "cancel", "flight flight_booking", ("cancel the flight reservation", "cancel my flight"),
        FLIGHT_BOOKING, INSURANCE, returns=(AMOUNT,),
    ),
    concept(
        "flight", "get track", "flight_status", ("check the status of the flight", "track the flight"),
        FLIGHT, DATE.optional(), returns=(TIME,),
    ),
    concept(
        "flight", "check_in", "flight passenger",
        ("check me in with the reservation", "do the check-in for the reservation"),
        FLIGHT_BOOKING, SEAT, returns=(FLIGHT,),
    ),
    concept(
        "train", "buy book", "train_ticket", ("buy a train ticket", "book a seat on the train"),
        ORIGIN, DESTINATION, TIME.optional(), CABIN.optional(), returns=(TRAIN_TICKET, AMOUNT),
    ),
    concept(
        "train", "get list", "train_times", ("list the trains", "show the train times"),
        ORIGIN, DESTINATION, DATE.optional(), returns=(TIME,),
    ),
    concept(
        "train", "refund return", "train_ticket", ("refund the train ticket", "give back my train ticket"),
        TRAIN_TICKET, returns=(AMOUNT,),
    ),
    concept(
        "car", "rent hire", "car", ("rent a car", "hire a car"),
        CITY, DAYS.said("for {} days"), CAR, INSURANCE, returns=(RENTAL, AMOUNT),
    ),
    concept(
        "car", "return end", "car car_rental", ("return the rental car", "end the car rental"),
        RENTAL, CITY.optional(), returns=(AMOUNT,),
    ),
    concept(
        "car", "add", "driver car_driver", ("add a driver to the rental", "enter a second driver for the rental"),
        RENTAL, PERSON.said("by the name of {}", "named {}", names=("driver", "name")),
    ),
    concept(
        "weather", "get check", "weather current_weather", ("get the weather", "check the current weather"),
        CITY, UNIT.optional(), returns=(TEMPERATURE,),
    ),
    concept(
        "weather", "get check", "weather_at local_weather", ("get the weather", "check the current weather"),
        LATITUDE, LONGITUDE, UNIT.optional(), returns=(TEMPERATURE,),
    ),
    concept(
        "weather", "get check", "forecast weather_forecast", ("get the forecast", "show the weather forecast"),
        CITY, DAYS, UNIT.optional(), returns=(TEMPERATURE,),
    ),
    concept(
        "weather", "get check", "air_quality", ("check the air quality", "tell me how clean the air is"),
        CITY, returns=(AIR_INDEX,),
    ),
    concept(
        "weather", "set create", "weather_alert", ("set a weather alert", "warn me about the weather"),
        CITY, EVENT, DATE.optional(),
    ),
    concept(
        "weather", "get", "sunrise sunrise_time", ("get the time of sunrise", "tell me when the sun rises"),
        CITY, DATE.optional(), returns=(TIME,),
    ),
)  # fmt: skip
