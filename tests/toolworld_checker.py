"""Whether an answer's values follow from a conversation, by rules and tables of the tests' own."""

import json
import re
from datetime import date, timedelta

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


# The large world: dates, times, spans and objects are read from the conversation by parsers of the tests' own.

MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
TENS = dict(
    zip(["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], range(20, 100, 10), strict=True)
)

# By the parameter's names in snake case: what means true, what means false.
FLAGS = {
    "direct_only direct": (r"non-stop|without changes|(?<!not only )direct ones", r"changes are fine|not only"),
    "breakfast with_breakfast": (r"(with|plus) breakfast|breakfast included", r"(no|without) breakfast|breakfast not"),
    "quiet_coach quiet": (r"(?<!not )in the quiet coach|where it is quiet", r"not in the quiet|outside the quiet"),
    "insurance insured": (r"(with|plus) insurance|insurance included", r"(no|without) insurance|insurance not"),
    "pets_allowed pets": (r"pets allowed|with our dog", r"(no|without) pets"),
    "step_free accessible": (r"step-free|without stairs", r"stairs (are fine|do not)"),
    "covered roofed": (r"(?<!not )covered|under a roof", r"not covered|in the open"),
    "open_now only_open": (r"only open|open right now", r"even if closed|open or closed"),
    "express fast_shipping": (r"(?<!not )by express|with express", r"not by express|by standard"),
    "green_only green": (r"(?<!not only )green energy only|renewables only", r"green or not|not only green"),
    "cheap_hours cheap_only": (r"power is cheap|with cheap power", r"no matter the price|whatever power costs"),
    "urgent is_urgent": (r"(it is|marked as|an) urgent", r"not urgent|without any hurry"),
    "cut_edges edges": (r"edges too|including the edges", r"(not|without) the edges"),
    "organic organic_only": (r"certified organic|(?<!not )organic ones", r"not organic|organic is not"),
    "outdoor_seating terrace": (r"with a terrace|with tables outside", r"terrace is not|indoors is fine"),
    "public is_public": (r"as a public|visible to everyone", r"as a private|visible only"),
    "gift gift_wrap": (r"(?<!not )gift-wrapped|as a gift", r"not gift-wrapped|without gift"),
    "replace send_new": (r"send a new one|with a replacement", r"no new card|without a replacement"),
    "no_fee free_only": (r"free of charge|without fees", r"even with fees|fees are fine"),
    "online virtual": (r"online|video call", r"face to face|in person"),
    "notify send_notice": (r"everyone know|notify them|with a notice", r"nobody|without (a notice|telling)"),
    "reply_all to_all": (r"replying to all|(?<!not )to all of them", r"not to all|only to the sender"),
    "unread_only unread": (r"that are unread|unread ones only", r"read or unread|unread or not"),
    "billable chargeable": (r"(?<!not )billable|(?<!not )to be billed", r"not (billable|to be billed)"),
    "dry_run simulate": (r"(?<!not )as a dry run|only simulated", r"for real|not as a dry"),
    "force hard": (r"by force|forcing", r"gently|without force"),
    "draft is_draft": (r"(?<!not )as a draft|still a draft", r"not as a draft|ready for review"),
    "overwrite replace_existing": (r"(?<!without )overwriting|replacing what", r"keeping what|without overwriting"),
    "permanent skip_bin": (r"beyond recovery|(?<!not )for good", r"only to the bin|not for good"),
    "has_header header": (r"holds names|with a header", r"no header|without a header"),
    "duplex double_sided": (r"double-sided|both sides", r"one side only|single-sided"),
    "shuffle random_order": (r"random order|(?<!not )shuffled", r"in the given order|not shuffled"),
    "fade_out fade": (r"(?<!without )fading|fade-out", r"stopping at once|without fading"),
    "original_version original": (r"original language|undubbed", r"\bdubbed"),
    "indoor hall": (r"indoors|inside a hall", r"open air|outdoors"),
    "delivery_receipt receipt": (r"confirming delivery|with a delivery", r"no receipt|without a delivery"),
    "silent quietly": (r"(?<!not )quietly|without the others", r"letting the others|not quietly"),
    "speaker loudspeaker": (r"(?<!not )on speaker|speaker on", r"not on speaker|speaker off"),
    "for_everyone everyone": (r"for (all of us|everyone)", r"on my side|only for me"),
    "alerts notifications": (r"tell me of new|with alerts", r"(no|without) alerts"),
    "smoker smoking": (r"a smoker|somebody smokes", r"non-smoker|nobody smokes"),
    "remote home_office": (r"from home|(?<!not )remotely", r"not remotely|on site"),
    "certificate with_certificate": (r"with a certificate", r"is not needed|without a certificate"),
    "scores with_scores": (r"(showing the|with) scores", r"(no|without) scores"),
    "timestamps with_times": (r"including times|with time stamps", r"(no|without) time stamps"),
    "workdays_only workdays": (r"without weekends|working days only", r"including weekends|weekends too"),
}  # fmt: skip
FLAGS = {name: patterns for names, patterns in FLAGS.items() for name in names.split()}

# How requests of the large world say enum values that are not their own words.
ALIASES = {
    "economy": "coach", "first": "first class", "1": "first|1st", "2": "second", "15": "15th|fifteenth",
    "bicycle": "bike|bicycle", "transit": "public transport", "xlsx": "Excel", "docx": "Word",
    "gluten_free": "gluten-free",
    "USD": "US dollars", "EUR": "euros", "GBP": "British pounds", "JPY": "yen", "CHF": "francs",
    "S": "small", "M": "medium", "L": "large", "XL": "extra large",
    "damaged": "broken", "late": "too late", "unwanted": "no longer wanted",
    "medium": "middling", "high": "top", "BTC": "Bitcoin", "ETH": "Ether", "SOL": "Solana", "XRP": "Ripple",
    "view": "viewing|viewers", "comment": "comment", "edit": "editing|editors", "vacation": "holiday",
    "production": "prod", "development": "dev", "squash": "squash", "rebase": "rebas", "merge": "merge",
    "wont_fix": "won't fix", "sport": "sport", "print": "printed", "ebook": "e-books", "id_card": "identity card",
    "lamp": "street lamp", "dump": "rubbish dump",
}  # fmt: skip


def snake(name: str) -> str:
    return re.sub(r"(?<!^)([A-Z])", lambda match: f"_{match[1].lower()}", name)


def heard(example: Example) -> str:
    """All that a user said or a tool gave back, results in plain text too."""
    texts = []
    for message in example.messages:
        if message.role == "user":
            texts.append(message.content)
        if message.role == "tool":
            texts += [message.content, *leaves(json.loads(message.content))]
    return "\n".join(texts)


def leaves(value) -> list[str]:
    if isinstance(value, dict | list):
        return [text for part in (value.values() if isinstance(value, dict) else value) for text in leaves(part)]
    return [str(value)]


def is_said(value, name: str, schema, example: Example, text: str) -> bool:
    """Whether the conversation gives the value of a parameter."""
    if isinstance(value, bool):
        return re.search(FLAGS[snake(name)][not value], text, re.IGNORECASE) is not None
    if isinstance(value, int | float):
        return any(abs(value - other) < 1e-9 for other in numbers(text))
    if isinstance(value, list):
        return all(is_said(part, name, schema["items"], example, text) for part in value)
    if isinstance(value, dict):
        return all(is_said(part, key, schema["properties"][key], example, text) for key, part in value.items())
    if "enum" in schema:
        ways = [value.replace("_", " "), *ALIASES.get(value, value).split("|")]
        return any(way.lower() in text.lower() for way in ways)
    match schema.get("format"):
        case "date":
            return value in dates(text, told_day(example))
        case "time":
            return value in times(text)
        case "date-time":
            return value[:10] in dates(text, told_day(example)) and value[11:] in times(text)
    return value in text


def told_day(example: Example) -> date | None:
    """The day that the system message tells."""
    if example.messages[0].role != "system":
        return None
    found = re.search(r"(\d+) (\w+) (\d{4})", example.messages[0].content)
    return found and date(int(found[3]), MONTHS.index(found[2].lower()) + 1, int(found[1]))


def numbers(text: str) -> set[float]:
    """Numbers in digits and words, and spans of time in minutes."""
    text = text.lower()
    found = {float(digits.replace(",", "")) for digits in re.findall(r"-?\d[\d,]*(?:\.\d+)?", text)}
    found |= {-number for number in found}
    for tens, unit in re.findall(rf"\b(?:({'|'.join(TENS)})(?:-|\b))?({'|'.join(WORDS)})?\b", text):
        found.add(TENS.get(tens, 0) + WORDS.get(unit, 0))
    found |= {int(whole) + int(cents) / 100 for whole, cents in re.findall(r"(\d+) euros and (\d+) cents", text)}
    found |= {6, 12} if "half a dozen" in text else {12} if "a dozen" in text else set()
    hours = {"an": 1, "one": 1, **WORDS}
    for hour, rest in re.findall(r"\b(\w+) (?:hours?|h)\b(?: (?:and )?(\d+) min)?", text):
        if hour in hours or hour.isdecimal():
            found.add(60 * (hours[hour] if hour in hours else int(hour)) + int(rest or 0))
    spans = {"half an hour": 30, "three quarters of an hour": 45, "an hour and a half": 90, "a quarter of an hour": 15}
    return found | {minutes for span, minutes in spans.items() if span in text}


def dates(text: str, today: date | None) -> set[str]:
    """Dates in any of the forms, those without a year and relative ones where the day is told."""
    text = text.lower()
    found = set(re.findall(r"\d{4}-\d\d-\d\d", text))
    names = "|".join(sorted({*MONTHS, *(month[:3] for month in MONTHS)}, key=len, reverse=True))
    forms = (rf"(?P<d>\d+)(?:st|nd|rd|th)? (?:of )?(?P<m>{names})\b,?(?: (?P<y>\d{{4}}))?",
             rf"\b(?P<m>{names}) (?P<d>\d+)(?:st|nd|rd|th)?\b,?(?: (?P<y>\d{{4}}))?")  # fmt: skip
    for match in (match for form in forms for match in re.finditer(form, text)):
        month = next(i for i, name in enumerate(MONTHS, 1) if name.startswith(match["m"]))
        if 1 <= int(match["d"]) <= 31 and (match["y"] or today):
            found |= _of_year(int(match["d"]), month, int(match["y"]) if match["y"] else None, today)
    if today:
        found |= {(today + timedelta(days=ahead)).isoformat() for ahead in _days_ahead(text, today)}
    return found


def times(text: str) -> set[str]:
    text = text.lower()
    found = set()
    for hour, minute, half in re.findall(r"\b(\d{1,2})(?:[:.](\d\d))? ?(am|pm)?\b", text):
        shift = 12 if half == "pm" and int(hour) != 12 else 0
        if minute or half:
            found.add(f"{int(hour) + shift:02d}:{minute or '00'}")
    parts = {"morning": (0, 11), "afternoon": (12, 17), "evening": (18, 23)}
    clock = (
        rf"(?:(quarter past|half past|quarter to) )?\b({'|'.join(WORDS)}|\d+)(?: o'clock)? in the ({'|'.join(parts)})"
    )
    for past, hour, part in re.findall(clock, text):
        minutes = {"quarter past": 15, "half past": 30, "quarter to": -15}.get(past, 0)
        number = (WORDS[hour] if hour in WORDS else int(hour)) % 12
        low, high = parts[part]
        for half in (0, 12):
            hours, rest = divmod((number + half) * 60 + minutes, 60)
            if low <= hours <= high:
                found.add(f"{hours:02d}:{rest:02d}")
    return found | ({"12:00"} if "noon" in text else set())


def _of_year(day: int, month: int, year: int | None, today: date | None) -> set[str]:
    years = [year] if year else [today.year, today.year + 1] if today else []
    for each in years:
        try:
            when = date(each, month, day)
        except ValueError:
            continue
        if year or (today and when > today):
            return {when.isoformat()}
    return set()


def _days_ahead(text: str, today: date) -> set[int]:
    counts = {word: number for word, number in WORDS.items() if number}
    found = {
        counts[n] if n in counts else int(n)
        for n in re.findall(r"in (\d+|[a-z]+) days", text)
        if n in counts or n.isdecimal()
    }
    fixed = {"tomorrow": 1, "the day after tomorrow": 2, "in a week": 7, "a week from today": 7, "in two weeks": 14}
    found |= {days for words, days in fixed.items() if words in text}
    for weekday in re.findall(rf"(?:on the|this) coming ({'|'.join(WEEKDAYS)})", text):
        found.add((WEEKDAYS.index(weekday) - today.weekday() - 1) % 7 + 1)
    return found


def fits(value, schema) -> bool:
    """Whether the value has the schema's type, enum, format and required fields, at every depth."""
    kinds = {"string": str, "integer": int, "number": float, "boolean": bool, "array": list, "object": dict}
    if type(value) is not kinds[schema["type"]] or ("enum" in schema and value not in schema["enum"]):
        return False
    if isinstance(value, list):
        return bool(value) and all(fits(part, schema["items"]) for part in value)
    if isinstance(value, dict):
        fields = schema["properties"]
        known = set(schema["required"]) <= value.keys() <= fields.keys()
        return known and all(fits(part, fields[name]) for name, part in value.items())
    patterns = {"date": r"\d{4}-\d\d-\d\d", "time": r"\d\d:\d\d", "date-time": r"\d{4}-\d\d-\d\dT\d\d:\d\d"}
    pattern = patterns.get(schema.get("format", ""))
    return pattern is None or re.fullmatch(pattern, value) is not None
