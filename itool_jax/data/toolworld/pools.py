"""Word lists that the tool world composes its values from."""


def _words(text: str, *more: str) -> tuple[str, ...]:
    """The words of the text, and names of several words."""
    return (*text.split(), *more)


FIRST_NAMES = _words(
    """Ana Ben Carla David Elena Farid Grace Hugo Ines Jonas Kira Liam Maya Nadia Omar Paula Quinn Rosa Samir Tara Ulf
    Vera Will Xenia Yusuf Zoe Anton Bianca Chloe Dario Edith Felix Greta Hana Ivan Julia Karim Lena Marco Nora Oscar
    Petra Ravi Sofia Tomas Uma Victor Wanda Yara Zain Amir Bella Cyril Dora Emil Fiona Gavin Heidi Igor Jade Kofi
    Lucia Milan Nina Otto Pia Ruben Selma Theo Ursula Viola Walter Yves Zelda Aisha Boris Clara Diego Esra Frida
    George Helga Isaac Jana Klaus Linda Mona Nico Olga Pedro Ruth Stefan Tilda Umar Vito Wilma Yoko Zora""",
)
LAST_NAMES = _words(
    """Silva Meyer Okafor Rossi Novak Tanaka Brown Costa Dubois Evans Fischer Garcia Haddad Ito Jensen Khan Lopez
    Moreau Nkosi Olsen Patel Ramos Schmidt Torres Ueda Vargas Weber Yilmaz Zhang Adams Bauer Chen Diaz Eriksen
    Ferrari Green Horvat Ibrahim Jovic Kaya Larsen Marino Nagy Owens Petrov Quist Rivera Sato Turner Urban Visser
    Wagner Young Ziegler Berg Cole Dahl Engel Frost Gupta Hansen Iyer Keller Lang Mendes Nolan Osman Parker Reyes
    Stone Thorn""",
)
CITIES = _words(
    """Lisbon Paris Rome Oslo Vienna Prague Madrid Berlin London Dublin Athens Warsaw Zurich Geneva Milan Naples Porto
    Seville Lyon Nice Hamburg Munich Cologne Bremen Bergen Turku Riga Vilnius Tallinn Sofia Zagreb Split Cairo Tunis
    Rabat Dakar Accra Lagos Nairobi Lima Quito Bogota Santiago Recife Salvador Boston Denver Seattle Austin Dallas
    Chicago Toronto Montreal Havana Kyoto Osaka Tokyo Seoul Busan Hanoi Manila Jakarta Delhi Mumbai Chennai Dhaka
    Karachi Tehran Ankara Izmir Baku Perth Sydney Hobart Auckland""",
    "New York",
    "San Jose",
    "Cape Town",
    "Port Louis",
    "Los Angeles",
    "Buenos Aires",
    "Hong Kong",
    "Tel Aviv",
    "St. Gallen",
)
CITY_LEADS = _words("Port New San Lake Fort North East Mount")
ONSETS = _words("b br c ch d dr f g gr h j k kr l m n p pr qu r s sh st t th tr v w y z")
VOWELS = _words("a e i o u ai ea io ou")
CODAS = ("", "", "", "l", "m", "n", "r", "s", "t", "x", "nd", "rk", "st")
STREETS = _words(
    """Hill Station Garden Mill Church River Park Market Forest Castle Bridge School Harbour King Queen Lake Rose Oak
    Elm North South Field Spring Tower Wall Baker Canal Abbey""",
)
STREET_KINDS = _words("Road Street Lane Avenue Square Way")
ADJECTIVES = _words(
    """blue golden silent broken little last first hidden wild empty bright cold warm slow quick gentle old new green
    dark lonely happy bitter sweet distant endless frozen royal hollow quiet lucky crimson silver ancient modern
    secret restless open final early late heavy light strange simple perfect double northern stolen""",
)
NOUNS = _words(
    """moon river train garden winter summer road letter house bridge window mirror fire rain storm island forest
    shadow song dream door tower ocean engine market stone wolf crow fox horse lion ship star night morning machine
    clock mountain valley harbor lantern desert circus kingdom orchard signal paper castle anchor compass feather
    ladder meadow piano planet rocket temple violin wagon whistle""",
)
MATERIALS = _words("wooden leather cotton steel glass plastic paper copper ceramic linen rubber bamboo woolen")
GOODS = _words(
    """chair lamp table mug bottle backpack jacket keyboard notebook pillow blanket basket clock mirror wallet belt
    kettle pan knife bowl shelf desk scarf hat camera speaker cable charger umbrella suitcase tent helmet""",
)
FOODS = _words(
    """tomato rice onion garlic cheese spinach mushroom pepper olive basil ham salmon tuna egg potato carrot lentil
    bean corn avocado lemon apple banana pear bread pasta tofu yogurt honey walnut pumpkin cabbage leek shrimp
    chicken beef""",
)
ROOMS = _words(
    """kitchen bedroom office hall bathroom garage attic cellar nursery library pantry studio lounge balcony workshop
    laundry conservatory""",
    "living room",
    "dining room",
    "guest room",
    "music room",
)
TAGS = _words(
    """work home urgent travel health budget family school draft review sales legal design launch summer garden music
    sports taxes research client internal backup hiring""",
)
SERVICES = _words(
    "billing search login gateway mailer payments reports catalog chat cache scheduler images audit profile",
)
FILE_WORDS = _words("report notes plan invoice photo draft slides budget summary letter contract map scan minutes")
FILE_ENDINGS = _words("pdf txt docx csv png md xlsx")
MAIL_HOSTS = _words("mail.com post.org inbox.net office.io web.de")
MONTHS = _words("January February March April May June July August September October November December")
WEEKDAYS = _words("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
REASONS = (
    "wrong size",
    "arrived late",
    "changed my mind",
    "found it cheaper",
    "is damaged",
    "ordered twice",
    "feeling ill",
)
NUMBER_WORDS = _words(
    """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
    eighteen nineteen twenty""",
)
