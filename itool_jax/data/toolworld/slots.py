"""Slots: what a tool can ask for, under which parameter names, and how a request says it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from itool_jax.data.toolworld import pools, values
from itool_jax.data.toolworld.values import Kind, boolean, choices, integer, number, quoted, several, string


@dataclass(frozen=True)
class Slot:
    """One thing that a tool can ask for.

    key       what it is; a result with this key can fill a parameter with this key
    label     its name in a sentence ("booking code")
    names     parameter names that tools give it
    kinds     kinds of value; a tool has one of them
    phrases   how a request says it, {} standing for the value's wording
    leads     the phrase stands right behind what is asked for ("cancel the order KX-4821")
    """

    key: str
    label: str
    names: tuple[str, ...]
    kinds: tuple[Kind, ...]
    phrases: tuple[str, ...]
    required: bool = True
    leads: bool = False

    def optional(self) -> Slot:
        return replace(self, required=False)

    def said(self, *phrases: str, names: Sequence[str] = (), label: str = "", leads: bool = False) -> Slot:
        """The same slot with other phrases, and with other names and another label where given."""
        return replace(self, phrases=phrases, names=tuple(names) or self.names, label=label or self.label, leads=leads)


def slot(
    key: str, names: str, kind: Kind | tuple[Kind, ...], *phrases: str, label: str = "", leads: bool = False
) -> Slot:
    kinds = kind if isinstance(kind, tuple) else (kind,)
    return Slot(key, label or key.replace("_", " "), tuple(names.split()), kinds, phrases or ("{}",), leads=leads)


def reference(key: str, names: str, label: str) -> Slot:
    """A code that a result gives and another tool takes."""
    phrases = ("{}", "{}", "number {}", f"with the {label} {{}}")
    return slot(key, names, string(values.code), *phrases, label=label, leads=True)


def flag(key: str, names: str, yes: Sequence[str], no: Sequence[str]) -> Slot:
    return slot(key, names, (boolean(yes, no), boolean(yes, no, default=True))).optional()


CITY = slot("city", "city town location place", string(values.city), "in {}", "in the city of {}", "in {}")
ORIGIN = slot("origin", "origin from_city start departure", string(values.city), "from {}", "leaving from {}")
DESTINATION = slot("destination", "destination to_city goal arrival", string(values.city), "to {}", "going to {}")
PERSON = slot("person", "name person full_name", string(values.person), "for {}", "in the name of {}")
ADDRESS = slot(
    "address", "address street deliver_to", quoted(values.address, always=False), "to {}", "to the address {}"
)
EMAIL = slot("email", "email recipient to mail_address", string(values.email), "to {}", "to the address {}")
PHONE = slot("phone", "phone phone_number number", string(values.phone), "{}", "the number {}", leads=True)
FILE = slot("file", "file file_name path", string(values.file_name), "{}", "called {}", label="file", leads=True)

DATE = slot("date", "date day on_date", string(values.date), "on {}", "on {}", "for {}")
TIME = slot("time", "time at_time start_time hour", string(values.clock_time), "at {}", "at {}", "for {} sharp")
DAYS = slot("days", "days num_days day_count", integer(2, 14), "for {} days", "for the next {} days")
NIGHTS = slot("nights", "nights num_nights stay", integer(2, 14), "for {} nights", "staying {} nights")
MINUTES = slot(
    "minutes",
    "minutes duration length_min",
    integer(5, 180, step=5),
    "for {} minutes",
    "lasting {} minutes",
    label="duration",
)
PEOPLE = slot("people", "people guests party_size", integer(2, 12), "for {} people", "for a group of {}")
QUANTITY = slot("quantity", "quantity count pieces", integer(2, 40), "{} of them", "quantity {}", "{} pieces")
STARS = slot("stars", "stars rating score", integer(2, 5), "with {} stars", "rated {} stars")
LEVEL = slot("level", "level percent strength", integer(5, 100, step=5), "to {} percent", "at {} percent")
AMOUNT = slot("amount", "amount sum value", number(2, 900, digits=2), "of {}", "over {}", "worth {}", label="amount")
MAX_PRICE = slot("max_price", "max_price budget price_limit", number(20, 400), "for at most {} euros", "under {} euros")
TEMPERATURE = slot("temperature", "temperature degrees target", number(12, 28), "to {} degrees", "at {} degrees")
DISTANCE = slot("distance", "distance km distance_km", number(1, 42), "over {} km", "for {} kilometers")

TITLE = slot("title", "title name", quoted(values.title), "called {}", "titled {}", "with the title {}")
TOPIC = slot("topic", "topic subject about", quoted(values.topic, always=False), "about {}", "on the subject of {}")
MESSAGE = slot("message", "message text body content", quoted(values.sentence), "saying {}", "with the text {}")
NOTE = slot("note", "note comment remark", quoted(values.sentence), "with the note {}", "adding the note {}").optional()
PRODUCT = slot("product", "product item article", quoted(values.product, always=False), "{}", "called {}", leads=True)
PLACE = slot("place", "name venue", quoted(values.place, always=False), "{}", "called {}", leads=True)
ARTIST = slot("artist", "artist singer band", string(values.person), "by {}", "of the artist {}")
ROOM = slot("room", "room area zone", string(values.one_of(pools.ROOMS)), "in the {}", "for the {}")

ATTENDEES = slot("attendees", "attendees guests invitees", several(string(values.person)), "with {}", "inviting {}")
EMAILS = slot("emails", "emails recipients share_with", several(string(values.email), 1, 2), "with {}", "to {}")
TAGS = slot("tags", "tags labels keywords", several(string(values.one_of(pools.TAGS))), "tagged {}", "with the tags {}")
FOODS = slot(
    "foods", "ingredients foods items", several(string(values.one_of(pools.FOODS)), 2, 4), "with {}", "using {}"
)
NUMBERS = slot("numbers", "numbers values data", several(integer(0, 250), 3, 5), "of {}", "of the numbers {}")

UNIT = slot(
    "unit",
    "unit units scale",
    choices(
        {"celsius": ("in Celsius", "in degrees Celsius"), "fahrenheit": ("in Fahrenheit", "in degrees Fahrenheit")},
        ("C", "F"),
        ("metric", "imperial"),
    ),
)
CABIN = slot(
    "cabin",
    "cabin seat_class travel_class",
    choices(
        {
            "economy": ("in economy class", "in economy"),
            "business": ("in business class",),
            "first": ("in first class",),
        },
        ("ECONOMY", "BUSINESS", "FIRST"),
    ),
)
PRIORITY = slot(
    "priority",
    "priority urgency level",
    choices(
        {
            "low": ("with low priority", "at low priority"),
            "medium": ("with medium priority",),
            "high": ("with high priority", "at high priority"),
        },
        ("LOW", "MEDIUM", "HIGH"),
    ),
)
SIZE = slot(
    "size",
    "size format",
    choices(
        {"small": ("in size small", "in small"), "medium": ("in size medium",), "large": ("in size large", "in large")},
        ("S", "M", "L"),
    ),
)
COLOR = slot(
    "color",
    "color colour",
    choices({color: (f"in {color}", f"in the color {color}") for color in ("red", "blue", "green", "white")}),
)
SORT = slot(
    "sort",
    "sort order_by sort_by",
    choices({"price": ("sorted by price", "ordered by price"), "rating": ("sorted by rating", "ordered by rating")}),
)
CURRENCY = slot(
    "currency",
    "currency currency_code",
    choices(
        {"EUR": ("in euros",), "USD": ("in dollars", "in US dollars"), "GBP": ("in pounds",), "JPY": ("in yen",)},
        ("euro", "dollar", "pound", "yen"),
    ),
)
REPEAT = slot(
    "repeat",
    "repeat frequency every",
    choices(
        {"daily": ("every day", "daily"), "weekly": ("every week", "weekly"), "monthly": ("every month", "monthly")}
    ),
)
LANGUAGE = slot(
    "language",
    "language to_language target",
    choices(
        {
            "French": ("into French", "to French"),
            "German": ("into German", "to German"),
            "Spanish": ("into Spanish", "to Spanish"),
            "Japanese": ("into Japanese", "to Japanese"),
        },
        ("fr", "de", "es", "ja"),
    ),
)

BREAKFAST = flag(
    "breakfast", "breakfast with_breakfast", ("with breakfast", "including breakfast"), ("without breakfast",)
)
NOTIFY = flag("notify", "notify notify_all send_notice", ("and notify everyone",), ("without notifying anyone",))
URGENT = flag("urgent", "urgent is_urgent", ("marked as urgent",), ("marked as not urgent",))
INSURANCE = flag("insurance", "insurance insured", ("with insurance",), ("without insurance", "with no insurance"))
GIFT = flag("gift", "gift gift_wrap wrap", ("wrapped as a gift", "as a gift"), ("not wrapped as a gift",))
