"""Slots that tools of several domains share."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random
from typing import Any

from itool_jax.data.toolworld import pools, values
from itool_jax.data.toolworld.large import clock, texts
from itool_jax.data.toolworld.large.clock import Day
from itool_jax.data.toolworld.large.concept import Slot, slot
from itool_jax.data.toolworld.large.kinds import (
    DATE,
    PAST_DATE,
    TIME,
    Kind,
    enum,
    euros,
    integer,
    many,
    minutes,
    number,
    record,
    text,
    words,
    yes_no,
)

# fmt: off
PERSON_NAME = text(values.person)
CITY_NAME = text(values.city)
TITLE_NAME = text(values.title, 1.0)
CODE = text(values.code)


def ident(key: str, what: str, names: str = "") -> Slot:
    """A code that one tool gives and another takes."""
    names = names or f"{key}_id {key}_number {key}_code"
    says = f"{{}}|{{}}|number {{}}|with the {what} {{}}|({what} {{}})"
    return slot(key, names, CODE, says, f"The {what}", label=what, leads=True)


def flag(key: str, about: str, yes: str, no: str, names: str = "") -> Slot:
    """An optional switch."""
    return slot(key, names or key, yes_no(yes, no), "{}", about).opt


def choice(key: str, says: str, about: str, said: dict[str, str] | str, *, names: str = "", label: str = "") -> Slot:
    """An enum: a mapping of values to wordings, or values that are said as they are spelled."""
    kind = words(said) if isinstance(said, str) else enum(said)
    return slot(key, names or key, kind, says, about, label=label)


def named(
    key: str, kind: Kind, says: str, about: str, *, names: str = "", label: str = "", leads: bool = False
) -> Slot:
    return slot(key, names or key, kind, says, about, label=label, leads=leads)


def _draw_period(rng: Random, day: Day) -> dict[str, Any]:
    start = clock.draw_date(rng, day)
    return {"start": start, "end": (date.fromisoformat(start) + timedelta(days=rng.randint(2, 20))).isoformat()}


def _say_period(value: dict[str, Any], rng: Random, day: Day) -> str:
    start, end = (clock.say_date(value[name], rng, day) for name in ("start", "end"))
    return rng.choice(("from {} to {}", "from {} until {}", "between {} and {}")).format(start, end)


CITY = slot("city", "city town location", CITY_NAME, "in {}|in {}|in the city of {}|over in {}", "Name of the city")
ORIGIN = slot(
    "origin", "origin from_city departure", CITY_NAME, "from {}|leaving from {}|starting in {}", "City of departure",
)
DESTINATION = slot(
    "destination", "destination to_city arrival", CITY_NAME, "to {}|going to {}|bound for {}", "City of arrival",
)
COUNTRY = slot(
    "country", "country nation",
    text(
        values.one_of(
            (
                "Portugal", "Norway", "Japan", "Kenya", "Peru", "Canada", "Greece", "Vietnam", "Chile", "Poland",
                "Morocco", "Iceland",
            ),
        ),
    ),
    "in {}|for {}|within {}", "Name of the country",
)
PERSON = slot(
    "person", "name person full_name", PERSON_NAME, "for {}|in the name of {}|under the name {}", "First and last name",
)
CONTACT = slot("contact", "contact recipient person", PERSON_NAME, "to {}", "Name of the recipient", label="recipient")
EMAIL = slot(
    "email", "email email_address mail", text(values.email, format="email"), "to {}|to the address {}", "Email address",
)
PHONE = slot(
    "phone", "phone phone_number", text(values.phone), "on {}|reachable on {}|with the phone number {}", "Phone number",
    label="phone number",
)
URL = slot("url", "url link address", text(texts.url), "{}|at {}", "Web address", leads=True)
FILE = slot("file", "path file file_name", text(texts.path), "{}|called {}", "Path of the file", leads=True)
FOLDER = slot("folder", "folder directory", text(texts.folder), "in the folder {}|under {}", "Name of the folder")

DAY = slot("date", "date day on_date", DATE, "on {}|on {}|on {}|for {}", "Date as YYYY-MM-DD")
PAST = slot("past_date", "past_date date day", PAST_DATE, "on {}", "Day that is over, as YYYY-MM-DD", label="day")
AT = slot("time", "time at_time clock_time", TIME, "at {}|at {}|at around {}", "Time of day as HH:MM, 24 hours")
UNTIL = DAY.as_(
    "until", "until {}|valid until {}|up to {}", "Last day, as YYYY-MM-DD", names="until end_date", label="last day",
)
BY_DATE = DAY.as_(
    "due", "by {}|due on {}|due by {}", "Day when it is due, as YYYY-MM-DD", names="due_date deadline due",
    label="due date",
)
PERIOD = slot(
    "period", "period date_range dates",
    Kind(
        {"type": "object", "properties": {"start": DATE.schema, "end": DATE.schema}, "required": ["start", "end"]},
        _draw_period, _say_period, phrase=True,
    ),
    "{}", "First and last day, as YYYY-MM-DD",
)
MINUTES = slot(
    "minutes", "duration_minutes minutes length", minutes(10, 180), "for {}|lasting {}", "Length in minutes",
    label="length",
)
DAYS = slot(
    "days", "days num_days", integer(2, 30), "for {} days|for the next {} days|over {} days", "Number of days",
    label="number of days",
)
NIGHTS = slot(
    "nights", "nights num_nights", integer(2, 16), "for {} nights|staying {} nights|{} nights", "Number of nights",
    label="number of nights",
)
MONTHS = slot(
    "months", "months num_months term", integer(3, 72), "for {} months|over {} months", "Number of months",
    label="number of months",
)
PEOPLE = slot(
    "people", "people guests party_size", integer(2, 14), "for {} people|for a group of {}|for {} of us",
    "Number of people", label="number of people",
)
COUNT = slot(
    "count", "count quantity amount_of_items", integer(2, 60), "{} of them|{} pieces|times {}", "Number of pieces",
    label="quantity",
)
LIMIT = slot(
    "limit", "limit max_results", integer(3, 50), "at most {}|no more than {}|up to {} of them",
    "Largest number of results", label="limit",
)

AMOUNT = slot("amount", "amount sum value", euros(3, 2500), "of {}|worth {}|to the amount of {}", "Amount in euros")
MAX_PRICE = slot(
    "max_price", "max_price budget price_limit", euros(15, 900), "for at most {}|under {}|for no more than {}",
    "Highest price in euros", label="highest price",
)
PRICE_RANGE = slot(
    "price_range", "price_range price",
    record(
        "{min} to {max} euros|{min}-{max} euros|{min} up to {max} euros", min=integer(10, 90, 5),
        max=integer(100, 900, 10),
    ),
    "for {}|costing {}|priced {}", "Lowest and highest price in euros", label="price range",
)
PERCENT = slot(
    "percent", "percent level percentage", integer(5, 95), "to {} percent|at {} percent|at {}%",
    "Percentage from 0 to 100", label="percentage",
)
DISTANCE = slot(
    "distance", "distance_km distance km", number(1, 90), "over {} km|for {} kilometers|of {} km",
    "Distance in kilometers",
)
RADIUS = slot(
    "radius", "radius_km radius", number(0.5, 30), "within {} km|in a radius of {} km|no further than {} km",
    "Radius in kilometers",
)
WEIGHT = slot(
    "weight", "weight_kg weight kg", number(0.3, 140), "weighing {} kg|of {} kg|with a weight of {} kg",
    "Weight in kilograms",
)
DEGREES = slot(
    "degrees", "degrees temperature target", number(5, 30), "to {} degrees|at {} degrees",
    "Temperature in degrees Celsius", label="temperature",
)
SCORE = slot(
    "score", "score rating stars", integer(1, 5), "with {} stars|giving {} stars|rated {} out of 5",
    "Rating from 1 to 5", label="rating",
)

ADDRESS = slot(
    "address", "address postal_address location",
    record(
        "{street}, {postcode} {city}|{street} in {postcode} {city}|{street}, {city} {postcode}",
        {"floor": " (floor {floor})"},
        street=text(texts.street), postcode=text(texts.postcode), city=CITY_NAME, floor=integer(1, 12),
    ),
    "to {}|to the address {}", "Postal address",
)
STREET = slot(
    "street", "street street_address", text(texts.street), "at {}|at the address {}", "Street and house number",
    label="street address",
)
COORDINATES = slot(
    "coordinates", "coordinates position point",
    record(
        "latitude {lat} and longitude {lon}|{lat}, {lon}|lat {lat}, lon {lon}", lat=number(-60, 60, 3),
        lon=number(-170, 170, 3),
    ),
    "at {}|at the point {}", "Latitude and longitude in degrees",
)

TITLE = slot("title", "title name", TITLE_NAME, "called {}|titled {}|with the title {}|named {}", "Title")
SUBJECT = slot(
    "subject", "subject topic about", text(texts.subject, 0.5), "about {}|on {}|regarding {}", "Subject",
    label="subject",
)
QUERY = slot(
    "query", "query keywords search_text", text(texts.subject, 0.7), "about {}|matching {}|that mention {}",
    "Words to search for", label="search text",
)
MESSAGE = slot(
    "message", "message text body", text(texts.message, 1.0), "saying {}|with the text {}|that reads {}",
    "Text of the message", label="text",
)
NOTE = slot(
    "note", "note comment remark", text(texts.note, 1.0), "with the note {}|adding the note {}|and note {} on it",
    "A remark",
).opt
PRODUCT = slot(
    "product", "product item article", text(values.product), "{}|called {}", "Name of the product", leads=True,
)
PLACE = slot(
    "place", "place venue place_name", text(values.place, 0.4), "at {}|at the place called {}", "Name of the place",
)
TAGS = slot(
    "tags", "tags labels keywords", many(text(values.one_of(pools.TAGS))), "tagged {}|with the tags {}|labelled {}",
    "Tags",
)
PEOPLE_LIST = slot(
    "attendees", "attendees participants invitees", many(PERSON_NAME), "with {}|inviting {}|together with {}",
    "Names of those who take part", label="attendees",
)
EMAILS = slot(
    "emails", "emails recipients email_addresses", many(text(values.email, format="email"), 1, 3), "to {}|with {}",
    "Email addresses", label="recipients",
)
ITEMS = slot(
    "items", "items order_items products",
    many(
        record(
            "{quantity} x {product}|{product} ({quantity} pieces)|{product}, {quantity} of them|"
            "{quantity} times the {product}",
            product=text(values.product), quantity=integer(2, 20),
        ),
        1, 3, "product",
    ),
    "for {}|with {}|containing {}", "Products and their quantities", label="items",
)
TRAVELLERS = slot(
    "travellers", "travellers passengers guests_list",
    many(
        record("{name} ({age})|{name}, aged {age}|{name}, {age} years old", name=PERSON_NAME, age=integer(2, 88)), 1, 3,
        "name",
    ),
    "for {}|with the travellers {}", "Names and ages of the travellers", label="travellers",
)

REPEAT = choice(
    "repeat", "repeating {}|to repeat {}|on a {} basis", "How often it repeats", "daily weekly monthly yearly",
    names="repeat frequency recurrence", label="frequency",
).opt
PRIORITY = choice(
    "priority", "with {} priority|at {} priority|priority {}", "How urgent it is",
    {"low": "low", "medium": "medium|middling", "high": "high|top", "critical": "critical"}, names="priority urgency",
)
SORT = choice(
    "sort", "sorted by {}|ordered by {}|in order of {}", "What the results are ordered by", "price rating distance",
    names="sort_by order_by", label="order",
)
CURRENCY = choice(
    "currency", "in {}", "Currency of the result",
    {
        "EUR": "euros|EUR", "USD": "US dollars|USD", "GBP": "British pounds|GBP", "JPY": "Japanese yen|JPY",
        "CHF": "Swiss francs|CHF",
    },
    names="currency currency_code",
)
LANGUAGE = choice(
    "language", "into {}|to {}", "Language of the result", "French German Spanish Japanese Italian Turkish",
    names="language target_language", label="language",
)
FORMAT = choice(
    "format", "as {}|in {} format|as a {} file", "Format of the file",
    {"pdf": "PDF", "csv": "CSV", "xlsx": "Excel", "docx": "Word"}, names="format file_format",
).opt
SIZE = choice(
    "size", "in size {}|in {}", "Size", {"S": "small", "M": "medium", "L": "large", "XL": "extra large"}, names="size",
)
COLOR = choice("color", "in {}|in the color {}", "Color", "red blue green white black yellow", names="color colour")
ROOM = slot("room", "room area zone", text(values.one_of(pools.ROOMS)), "in the {}|for the {}", "Room of the house")
UNIT = choice(
    "unit", "in {}|in degrees {}", "Unit of the temperature", {"celsius": "Celsius", "fahrenheit": "Fahrenheit"},
    names="unit units",
).opt

URGENT = flag(
    "urgent", "Whether it is urgent", "marked as urgent|as an urgent one|and it is urgent",
    "not urgent|without any hurry|and it is not urgent", "urgent is_urgent",
)
NOTIFY = flag(
    "notify", "Whether those concerned are told", "and let everyone know|and notify them|with a notice to everyone",
    "without telling anyone|and notify nobody|without a notice", "notify send_notice",
)
INSURANCE = flag(
    "insurance", "Whether insurance is included", "with insurance|insurance included|plus insurance",
    "without insurance|no insurance|insurance not needed", "insurance insured",
)
BREAKFAST = flag(
    "breakfast", "Whether breakfast is included", "with breakfast|breakfast included|plus breakfast",
    "without breakfast|no breakfast|breakfast not needed", "breakfast with_breakfast",
)
EXPRESS = flag(
    "express", "Whether it is sent by express", "by express|with express delivery",
    "by standard delivery|not by express", "express fast_shipping",
)
GIFT = flag(
    "gift", "Whether it is wrapped as a gift", "gift-wrapped|wrapped as a gift",
    "not gift-wrapped|without gift wrapping", "gift gift_wrap",
)
PUBLIC = flag(
    "public", "Whether everyone can see it", "visible to everyone|as a public one",
    "visible only to me|as a private one", "public is_public",
)

TOTAL = AMOUNT.as_("total", "costing {}", "Total in euros", names="total")
STATUS = choice("status", "with the status {}", "State", "open confirmed pending closed")
