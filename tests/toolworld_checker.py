"""Whether an answer's values follow from a conversation, by rules and tables of the tests' own."""

import json
import re

from itool_jax.data.example import Example
from itool_jax.toolcall import Parameter

NUMBER_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty"
)
WORDS = {word: number for number, word in enumerate(NUMBER_WORDS.split())}

# How requests say enum values that are not their own words.
SAID = {
    "C": "Celsius", "F": "Fahrenheit", "metric": "Celsius", "imperial": "Fahrenheit",
    "S": "small", "M": "medium", "L": "large",
    "EUR": "euros", "USD": "dollars", "GBP": "pounds", "JPY": "yen",
    "fr": "French", "de": "German", "es": "Spanish", "ja": "Japanese",
    "stage": "staging", "prod": "production", "DOCX": "Word",
    "miles_to_km": "from miles to kilometers", "km_to_miles": "from kilometers to miles",
    "feet_to_m": "from feet to meters",
    "daily": ("daily", "every day"), "weekly": ("weekly", "every week"), "monthly": ("monthly", "every month"),
}  # fmt: skip

# How requests say booleans, by the parameter's names: what means true, what means false.
BOOLEANS = {
    ("breakfast", "with_breakfast"): ("with breakfast|including breakfast", "without breakfast"),
    ("notify", "notify_all", "send_notice"): ("and notify everyone", "without notifying anyone"),
    ("urgent", "is_urgent"): ("marked as urgent", "marked as not urgent"),
    ("insurance", "insured"): ("with insurance", "without insurance|with no insurance"),
    ("gift", "gift_wrap", "wrap"): ("(?<!not )(wrapped as a gift|(?<!wrapped )as a gift)", "not wrapped as a gift"),
    ("pool", "with_pool"): ("with a( swimming)? pool", "without a pool"),
    ("direct", "direct_only", "nonstop"): ("without stops|only direct ones", "with stops allowed"),
    ("online", "virtual", "remote"): ("(?<!not )online|as an online meeting", "not online|in person"),
    ("unread", "unread_only"): ("only the unread ones|that are unread", "read or unread"),
    ("can_edit", "editable", "write_access"): ("with the right to edit", "without the right to edit"),
    ("outside", "outdoor", "terrace"): ("on the terrace|(?<!not )outside", "inside|not outside"),
    ("vegan", "vegan_only"): ("that are vegan|(?<!not )only vegan ones", "not only vegan ones"),
    ("express", "fast_shipping", "express_delivery"): ("(?<!not )by express|with express delivery", "not by express"),
    ("public", "is_public", "visible"): ("that everyone can see|as a public one", "as a private one"),
    ("shuffle", "random_order"): ("in random order|(?<!not )shuffled", "not shuffled"),
    ("subtitles", "with_subtitles"): ("with subtitles", "without subtitles"),
    ("dry_run", "simulate"): ("(?<!not )as a dry run", "for real|not as a dry run"),
    ("force", "forced"): ("by force|(?<!without )forcing it", "without forcing it"),
    ("replace", "send_new", "reissue"): ("and send a new one", "without sending a new one"),
    ("reminder", "as_reminder"): ("(?<!not )as a reminder", "not as a reminder"),
    ("covered", "roofed", "indoor"): ("(?<!not )under a roof", "not under a roof"),
    ("large_print", "big_letters"): ("in large print", "in normal print"),
    ("with_car", "bring_car"): ("with a car", "without a car"),
}
TRUE_AND_FALSE = {name: patterns for names, patterns in BOOLEANS.items() for name in names}


def conversation(example: Example) -> str:
    """All that was said, with tool results in plain text too."""
    texts = [message.content for message in example.messages]
    for message in example.messages:
        if message.role == "tool" and message.content.startswith("{"):
            texts += [str(value) for value in json.loads(message.content).values()]
            texts += [str(part) for v in json.loads(message.content).values() if isinstance(v, list) for part in v]
    return "\n".join(texts)


def stands_in(value, parameter: Parameter, text: str) -> bool:
    """Whether the conversation says the value, by rules of this test's own."""
    if isinstance(value, bool):
        return re.search(TRUE_AND_FALSE[parameter.name][not value], text, re.IGNORECASE) is not None
    if isinstance(value, int | float):
        digits = {float(number.replace(",", "")) for number in re.findall(r"-?\d[\d,]*(?:\.\d+)?", text) if number}
        spelled = {WORDS[word] for word in re.findall(r"[a-z]+", text.lower()) if word in WORDS}
        return value in digits | spelled
    if isinstance(value, list):
        return all(stands_in(part, Parameter(parameter.name, parameter.schema["items"]), text) for part in value)
    if parameter.enum:
        said = SAID.get(value, value)
        return any(words.lower() in text.lower() for words in ([said] if isinstance(said, str) else said))
    return value in text


def valid(value, schema) -> bool:
    kinds = {"string": str, "integer": int, "number": float, "boolean": bool, "array": list}
    if type(value) is not kinds[schema["type"]] or ("enum" in schema and value not in schema["enum"]):
        return False
    return schema["type"] != "array" or all(valid(part, schema["items"]) for part in value)
