"""Music, cinema, sport and health."""

from itool_jax.data.toolworld import values
from itool_jax.data.toolworld.concept import concept
from itool_jax.data.toolworld.slots import (
    AMOUNT,
    ARTIST,
    CITY,
    DATE,
    DISTANCE,
    FOODS,
    LEVEL,
    MINUTES,
    NOTE,
    PERSON,
    QUANTITY,
    TIME,
    TITLE,
    TOPIC,
    flag,
    reference,
    slot,
)

APPOINTMENT = reference("appointment", "appointment_id appointment visit_id", "appointment code")
SEATS = reference("cinema_seats", "order_code seats_id cinema_booking", "seat code")
SONG = TITLE.said("{}", "called {}", names=("title", "song", "track"), leads=True)
FILM = TITLE.said("{}", "called {}", names=("film", "movie", "title"), leads=True)
SONGS = slot("songs", "songs tracks titles", values.several(values.quoted(values.title), 2, 3), "with the songs {}")
PUBLIC = flag("public", "public is_public visible", ("that everyone can see", "as a public one"), ("as a private one",))
SHUFFLE = flag("shuffle", "shuffle random_order", ("in random order", "shuffled"), ("not shuffled",))
SUBTITLES = flag("subtitles", "subtitles with_subtitles", ("with subtitles",), ("without subtitles",))
SPORT = slot(
    "sport",
    "sport activity kind",
    values.choices(
        {"running": ("of running",), "cycling": ("of cycling",), "swimming": ("of swimming",), "yoga": ("of yoga",)}
    ),
)
WEIGHT = slot("weight", "weight kg weight_kg", values.number(45, 120), "of {} kg", "of {} kilograms")
HEIGHT = slot(
    "height", "height height_m", values.number(1.4, 2.05, digits=2), "at a height of {} m", "with a height of {} m"
)
CALORIES = slot("calories", "calories kcal energy", values.integer(150, 2500), "with {} calories", "of {} kcal")
DOCTOR = PERSON.said("with Dr. {}", "with doctor {}", names=("doctor", "physician", "with_doctor"))

CONCEPTS = (
    concept(
        "music", "play", "song track", ("play the song", "put on the song"),
        SONG, ARTIST.optional(), SHUFFLE, returns=(ARTIST,),
    ),
    concept(
        "music", "play", "album record", ("play the album", "put on the album"),
        SONG.said("{}", "called {}", names=("album", "title", "record"), leads=True), SHUFFLE,
    ),
    concept(
        "music", "get find", "lyrics", ("get the lyrics", "find the lyrics"),
        SONG.said("of {}", "to {}", leads=True), ARTIST.optional(),
    ),
    concept(
        "music", "create make", "playlist", ("create a playlist", "make a playlist"),
        TITLE, SONGS.optional(), PUBLIC,
    ),
    concept("music", "set change", "volume", ("set the volume", "turn the volume"), LEVEL),
    concept("music", "stop pause", "music playback", ("stop the music", "pause the music")),
    concept(
        "music", "find search", "concerts", ("find concerts", "look for concerts"),
        ARTIST, CITY.optional(), returns=(DATE,),
    ),
    concept(
        "music", "buy book", "concert_tickets", ("buy concert tickets", "get concert tickets"),
        ARTIST, QUANTITY, DATE.optional(), returns=(AMOUNT,),
    ),
    concept(
        "cinema", "find get", "film_times movie_times",
        ("find the showing times of the film", "tell me when they show the film"),
        FILM, CITY, DATE.optional(), SUBTITLES, returns=(TIME,),
    ),
    concept(
        "cinema", "book buy", "cinema_seats movie_seats", ("book cinema seats", "reserve seats at the cinema"),
        FILM.said("for the film {}", "to see {}"), QUANTITY, TIME, returns=(SEATS,),
    ),
    concept(
        "cinema", "cancel", "cinema_seats movie_seats", ("cancel the cinema seats", "give up the seats at the cinema"),
        SEATS, returns=(AMOUNT,),
    ),
    concept(
        "cinema", "find search", "films movies", ("find films", "search for movies"),
        TOPIC, QUANTITY.said("at most {}", names=("limit", "top")).optional(), returns=(TITLE,),
    ),
    concept(
        "sport", "log record", "workout training", ("log a workout", "record my training"),
        SPORT, MINUTES, DISTANCE.optional(), NOTE,
    ),
    concept(
        "sport", "set", "training_goal weekly_goal", ("set a training goal", "make it my weekly goal to train"),
        SPORT, MINUTES,
    ),
    concept(
        "sport", "plan find", "running_route route", ("plan a running route", "find me a route to run"),
        CITY, DISTANCE, returns=(MINUTES,),
    ),
    concept("health", "log record", "weight", ("log my weight", "record my weight"), WEIGHT, DATE.optional()),
    concept(
        "health", "log record", "meal food", ("log a meal", "record what I ate: a meal"),
        FOODS.said("with {}", "of {}", names=("foods", "items", "dishes")), CALORIES.optional(), TIME.optional(),
    ),
    concept(
        "health", "compute calculate", "bmi", ("compute my BMI", "calculate the body mass index"),
        WEIGHT.said("for a weight of {} kg"), HEIGHT,
    ),
    concept(
        "health", "book make", "doctor_appointment appointment", ("make an appointment", "book a doctor's appointment"),
        DOCTOR, DATE, TIME, NOTE, returns=(APPOINTMENT,),
    ),
    concept(
        "health", "cancel", "doctor_appointment appointment",
        ("cancel the appointment", "call off the doctor's appointment"),
        APPOINTMENT,
    ),
)  # fmt: skip
