"""Concepts that no training conversation sees: library, parking, pets and garden, and look-alikes of known ones."""

from itool_jax.data.toolworld import pools, values
from itool_jax.data.toolworld.concept import concept
from itool_jax.data.toolworld.domains.home import ORDER
from itool_jax.data.toolworld.domains.money import ACCOUNT, INVOICE
from itool_jax.data.toolworld.domains.office import MAIL, MEETING, TICKET
from itool_jax.data.toolworld.slots import (
    ADDRESS,
    AMOUNT,
    CITY,
    DATE,
    DAYS,
    DESTINATION,
    EMAILS,
    FILE,
    INSURANCE,
    LEVEL,
    MESSAGE,
    MINUTES,
    NOTE,
    NUMBERS,
    ORIGIN,
    PEOPLE,
    PERSON,
    PLACE,
    QUANTITY,
    REPEAT,
    ROOM,
    SIZE,
    STARS,
    TIME,
    TITLE,
    TOPIC,
    URGENT,
    flag,
    reference,
    slot,
)

LOAN_CODE = reference("book_loan", "loan_id loan_code lending_id", "loan code")
PLATE = slot(
    "plate", "plate license_plate vehicle_plate", values.string(values.code), "for the plate {}", "with the plate {}"
)
PARKING = reference("parking", "parking_id spot_id permit", "permit number")
PET = slot("pet", "pet pet_name animal", values.string(values.first_name), "{}", "by the name of {}", leads=True)
SPECIES = slot(
    "species",
    "species animal_kind",
    values.choices({a: (f"which is a {a}", f"of the {a} kind") for a in ("dog", "cat", "rabbit")}),
)
PLANT = slot(
    "plant", "plant crop plant_name", values.string(values.one_of(pools.FOODS)), "of the kind {}", "of the sort {}"
)
BOOK = TITLE.said("{}", "called {}", names=("book", "book_title", "volume"), leads=True)
WRAPPING = slot(
    "wrapping",
    "paper wrapping style",
    values.choices({"plain": ("in plain paper",), "festive": ("in festive paper",)}),
)
EPISODE = slot("episode", "episode episode_number", values.integer(2, 300), "episode {}", "starting with episode {}")
COVERED = flag("covered", "covered roofed indoor", ("under a roof",), ("not under a roof",))
LARGE_PRINT = flag("large_print", "large_print big_letters", ("in large print",), ("in normal print",))

CONCEPTS = (
    concept(
        "library", "borrow lend", "book volume", ("borrow the book", "take out the book"),
        BOOK, DAYS.said("for {} days").optional(), LARGE_PRINT, returns=(LOAN_CODE, DATE),
    ),
    concept(
        "library", "renew", "loan book_loan", ("renew the book loan", "keep the borrowed book longer"),
        LOAN_CODE, DAYS.said("by {} days", "for another {} days"),
    ),
    concept(
        "library", "return", "book volume", ("return the borrowed book", "bring back the book loan"),
        LOAN_CODE, NOTE,
    ),
    concept(
        "library", "find search", "books", ("find books", "look for books"),
        TOPIC, QUANTITY.said("at most {}", names=("limit", "max_books")).optional(), returns=(TITLE,),
    ),
    concept(
        "parking", "book reserve", "parking parking_spot", ("book a parking spot", "reserve a place to park"),
        PLATE, CITY, MINUTES, COVERED, returns=(PARKING, AMOUNT),
    ),
    concept(
        "parking", "extend prolong", "parking parking_time", ("extend the parking permit", "prolong my parking permit"),
        PARKING, MINUTES.said("by {} minutes"),
    ),
    concept(
        "parking", "pay settle", "parking_fine fine", ("pay the parking fine", "settle the parking fine"),
        INVOICE.said("{}", "number {}", names=("fine_id", "fine", "notice"), label="notice number", leads=True),
        PLATE.optional(),
    ),
    concept(
        "pets", "register add", "pet animal", ("register a pet", "sign up my pet"),
        PET, SPECIES, slot("age", "age years_old", values.integer(2, 15), "aged {} years").optional(),
    ),
    concept(
        "pets", "book make", "vet_visit vet", ("book a visit to the vet", "make a date with the vet"),
        PET.said("for the pet {}", "for my pet {}"), DATE, TIME.optional(), URGENT,
    ),
    concept(
        "pets", "feed", "pet animal", ("feed the pet", "give food to the pet"),
        PET, slot("grams", "grams portion", values.integer(20, 400, step=10), "with {} grams", "giving {} grams"),
    ),
    concept("garden", "plant sow", "seeds plants", ("plant seeds", "sow seeds"), PLANT, QUANTITY, DATE),
    concept(
        "garden", "water", "plants garden_bed", ("water the plants", "sprinkle the plants"),
        MINUTES, REPEAT.optional(), TIME.optional(),
    ),
    concept("hotel", "rate review", "hotel", ("rate the hotel", "review the hotel"), PLACE, STARS, NOTE),
    concept(
        "ferry", "book reserve", "ferry", ("book a ferry", "reserve a place on the ferry"),
        ORIGIN, DESTINATION, PEOPLE.optional(),
        flag("with_car", "with_car bring_car", ("with a car",), ("without a car",)), INSURANCE, returns=(AMOUNT,),
    ),
    concept(
        "taxi", "order call", "taxi cab", ("order a taxi", "call a cab"),
        ADDRESS.said("from {}", names=("pickup", "from_address")), TIME.optional(), PEOPLE.optional(),
        returns=(AMOUNT,),
    ),
    concept(
        "weather", "get check", "uv_index", ("check the UV index", "tell me how strong the sun is"),
        CITY, DATE.optional(),
    ),
    concept(
        "calendar", "confirm accept", "meeting invitation", ("confirm the meeting", "accept the meeting invitation"),
        MEETING, NOTE,
    ),
    concept("mail", "archive file_away", "email mail", ("archive the email", "put the email into the archive"), MAIL),
    concept(
        "mail", "send write", "postcard", ("send a postcard", "write a postcard"),
        PERSON.said("to {}", names=("recipient", "addressee")), ADDRESS.said("at {}", "living at {}"), MESSAGE,
    ),
    concept(
        "document", "print", "document file", ("print the file", "make a printout of the file"),
        FILE, QUANTITY.said("{} times", "in {} copies", names=("copies", "count")).optional(),
        SIZE.said("{}", names=("paper", "paper_size")).optional(),
    ),
    concept("document", "email_out mail_out", "document file", ("mail out the file", "email the file"), FILE, EMAILS),
    concept("ticket", "reopen", "ticket issue", ("reopen the ticket", "open the closed ticket again"), TICKET, NOTE),
    concept("lights", "set lower", "blinds shutters", ("set the blinds", "move the shutters"), ROOM, LEVEL),
    concept("shop", "gift_wrap wrap", "order", ("wrap the order", "have the order wrapped"), ORDER, WRAPPING),
    concept("bank", "close", "account bank_account", ("close the account", "shut down the account"), ACCOUNT, DATE),
    concept("maths", "compute calculate", "median", ("compute the median", "find the median"), NUMBERS),
    concept(
        "music", "play", "podcast", ("play the podcast", "put on the podcast"),
        TITLE.said("{}", "called {}", names=("podcast", "show", "title"), leads=True), EPISODE.optional(),
    ),
)  # fmt: skip
