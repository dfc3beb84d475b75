"""How people ask: registers with their frames, openings and endings; `{c}` is a command, `{g}` its gerund."""

from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random

from itool_jax.data.toolworld.large.ways import ways


@dataclass(frozen=True)
class Register:
    """A way to talk.

    openers, closers  stand before and after a request, with the probabilities `opened` and `closed`
    frames            sentences around a command or its gerund
    asides            probability of a sentence that has nothing to do with the request
    apart             probability that a value is told in a sentence of its own
    careless          probability that capitals and the last full stop are left out
    """

    openers: tuple[str, ...]
    frames: tuple[str, ...]
    closers: tuple[str, ...]
    opened: float
    closed: float
    asides: float
    apart: float
    careless: float = 0.0


_TERSE = Register(
    ways("hi|hey|quick one:|asap:|yo|now:|next:|request:|todo:|again me,"),
    ways(
        "{c}|{c}|{c}|{c}.|pls {c}|{c} pls|plz {c}|need to {c}|need you to {c}|{c} thx|must {c}|gotta {c}|"
        "{c}, quickly|want to {c}|can u {c}|just {c}|{c} now please"
    ),
    ways("thx|ty|thanks|cheers|that's it|done after that|ok?|go|!!"),
    *(0.25, 0.2, 0.02, 0.2, 0.6),
)
_PLAIN = Register(
    ways("Hello.|Hi.|Good morning.|Good evening.|Hello again.|One more thing.|Next thing.|Okay.|So."),
    ways(
        "{c}.|{c}.|Please {c}.|Please {c}.|{c}, please.|I want to {c}.|I need to {c}.|I have to {c}.|We need to {c}.|"
        "We want to {c}.|I want you to {c}.|I need you to {c}.|Now {c}.|Go and {c}.|Let's {c}.|It is time to {c}.|"
        "Help me {c}.|Can you {c}?|Will you {c}?|I'd like to {c}.|Go ahead and {c}.|What I want is to {c}.|"
        "I'd like some help {g}.|Next, {c}.|We have to {c}."
    ),
    ways("Thanks.|Thank you.|That is all.|Tell me when it is done.|I am waiting.|That would be it."),
    *(0.2, 0.2, 0.12, 0.3, 0.1),
)
_POLITE = Register(
    ways(
        "Good morning!|Good afternoon.|Good evening!|Hello there.|I hope you are well.|Excuse me.|"
        "Sorry to bother you.|Hello, I have a small favor to ask.|Pardon the interruption.|Greetings."
    ),
    ways(
        "Could you {c}?|Could you please {c}?|Would you {c}?|Would you kindly {c}?|Can I ask you to {c}?|"
        "I would like you to {c}.|Would you mind {g}?|I'd be grateful if you could {c}.|May I ask you to {c}?|"
        "Do you think you could {c}?|It would be great if you could {c}.|I'd appreciate it if you could {c}.|"
        "Please be so kind as to {c}.|Might I trouble you to {c}?|If possible, please {c}.|Kindly {c}.|"
        "Would it be possible to {c}?|I was wondering if you could {c}.|Perhaps you could {c}?|"
        "It would help me a lot if you could {c}.|I wonder whether you would {c} for me, please."
    ),
    ways(
        "Thank you very much!|Many thanks in advance.|That would be lovely.|Thank you for your help.|Much obliged.|"
        "I really appreciate it.|Thanks a lot for taking care of it.|With many thanks.|I would be very thankful."
    ),
    *(0.35, 0.35, 0.12, 0.35),
)
_CHATTY = Register(
    ways(
        "Hey!|Heya,|Okay so,|Right, so|Oh, by the way,|Listen,|Guess what,|Ugh, long day.|Me again!|"
        "So here's the thing:|Quick favor:|You won't believe it, but|Alright,|Hmm,|Ooh,|Funny story, but"
    ),
    ways(
        "can you {c}?|could you {c} for me real quick?|mind {g}?|how about {g}?|any chance you could {c}?|"
        "I basically need to {c}.|I really should {c}, so do that.|let's just {c}, okay?|I'd love to {c}!|"
        "what I need is for you to {c}.|I keep forgetting to {c}, can you handle that?|wanna {c} for me?|"
        "please please {c}!|be a dear and {c}.|do me a favor and {c}.|I guess we gotta {c}.|why don't you {c}?|"
        "I was thinking of {g}, so go for it.|feel like {g}? Because that's what I need.|let me {c} with your help.|"
        "time to {c}, I think!|you know what, just {c}.|I'd be so happy if you could {c}.|we're {g}, please!"
    ),
    ways(
        "Thanks a bunch!|You're the best.|Cheers!|Love it.|Thanks, you're a star!|Okay, that's it from me.|"
        "haha thanks|Thank youuu|I owe you one.|Let me know how it goes!|And then I can finally relax.|Cool, thanks!"
    ),
    *(0.55, 0.3, 0.3, 0.4, 0.2),
)
_INDIRECT = Register(
    ways("Well,|Hm.|Let me see.|Hello.|Okay, next point.|Here is my problem.|You know,|There is something else."),
    ways(
        "I'm trying to {c}.|I've been meaning to {c}.|I was hoping to {c}.|I'm supposed to {c}.|My plan is to {c}.|"
        "Someone has to {c}, and I guess that is you.|The next thing on my list is to {c}.|"
        "I could use some help {g}.|We still have to {c}.|I don't have the time to {c} myself.|"
        "It's my job today to {c}.|I promised to {c}.|I'm not sure how to {c}, so please do it.|I was asked to {c}.|"
        "It would be wise to {c}.|I'm thinking of {g}.|I can't manage to {c} on my own.|"
        "Nobody bothered to {c} so far.|I'd feel better {g}.|What's left is {g}.|The idea is to {c}.|"
        "I never got around to {g}.|It looks like I have to {c}.|There's no way around {g}."
    ),
    ways(
        "Could you take care of that?|You know what to do.|Please sort it out.|I leave it to you.|Can you do that?|"
        "See to it, please."
    ),
    *(0.3, 0.5, 0.25, 0.45),
)
_FORM = Register(
    ways("Request:|New request.|For the assistant:|Task:|Memo.|Note to the assistant.|Order of the day:"),
    ways("{c}|{c}.|Please {c}:|To do: {c}|What to do: {c}.|Wanted: {g}|Subject: {g}|{c}, details below:"),
    ways("Thanks.|End of request.|Over.|Please confirm.|That is everything."),
    *(0.5, 0.25, 0.03, 0.95, 0.1),
)
_MAIL = Register(
    ways(
        "Dear assistant,|Dear all,|Hello,|Hi team,|To whom it may concern,|Good day,|Dear support,|Hello everyone,|"
        "Dear colleagues,|Hi,"
    ),
    ways(
        "please {c}.|could you please {c}?|I am writing because I need to {c}.|we kindly ask you to {c}.|"
        "I would like to {c}.|this is to ask you to {c}.|as discussed, please {c}.|I'd need your help {g}.|"
        "following up on our talk, we want to {c}.|it is about {g}.|I hereby ask you to {c}.|our team has to {c}."
    ),
    ways(
        "Best regards|Kind regards|Many thanks and best wishes|Sincerely yours|Yours, in haste|All the best|Best|"
        "Warm regards|With kind regards|Thanks and bye"
    ),
    *(1.0, 0.9, 0.2, 0.45),
)
_REGISTERS = {_TERSE: 13, _PLAIN: 20, _POLITE: 19, _CHATTY: 17, _INDIRECT: 16, _FORM: 8, _MAIL: 7}
FORM, MAIL = _FORM, _MAIL

QUESTIONS = ways(
    "{q}?|{q}?|{q}?|Tell me, {q}?|Quick question: {q}?|Do you know: {q}?|My question is: {q}?|Any idea - {q}?|"
    "I wonder, {q}?|Let me ask: {q}?|{q}, please?|One question: {q}?|Say, {q}?"
)
STATEMENTS = ways(
    "the {l} {is} {v}|the {l} {is} {v}|{l}: {v}|make the {l} {v}|as the {l}, take {v}|the {l} should be {v}|"
    "use {v} as the {l}|regarding the {l}: {v}|the {l} would be {v}|let the {l} be {v}|that's {p}|it's {p}|"
    "we settled on {v} as the {l}|it would be {p}|I mean {p}|specifically, {p}|put {v} as the {l}|it has to be {p}|"
    "for the {l}, {v}|{l} {v}|{v} would be the {l}|when it comes to the {l}, {v}|I'd go for {v} as the {l}"
)
PHRASED = ways("that's {p}|it's {p}|it would be {p}|I mean {p}|specifically, {p}|it has to be {p}|{p}, that is")
PAIRS = ways(" and |; |, and |, while | - and ")
NEXT = ways(
    "Then {c}.|After that, {c}.|Also {c}.|And {c}.|Next, {c}.|Besides, {c}.|On top of that, {c}.|Oh, and {c}.|"
    "While you are at it, {c}.|I also need to {c}.|Could you also {c}?|Once that is done, {c}.|Another thing: {c}.|"
    "Plus, {c}.|In addition, please {c}.|Furthermore, {c}.|And would you mind {g}?|Apart from that, {c}."
)
LAST = ("Finally, {c}.", "Lastly, {c}.", "And in the end, {c}.", "The last thing is to {c}.", "To finish, {c}.", *NEXT)
LISTS = ways(
    "There are {n} things to do:|I need {n} things.|My list for you:|{n} jobs:|Here is what I need:|Please do these:"
)
EACH = ways(
    "{c}, {list}|{c}: {list}|{c} - {list}|{c}, namely {list}|{c}, and do that {list}|{c}, {list}, all separately|"
    "{c}, each one by itself: {list}|{c}, first to last: {list}"
)
AGAIN = ways(", and the same |, and another one |; once more |, then again |, plus one |. And the same thing ")
CORRECTIONS = ways(
    "{}, no, {}|{} - sorry, {}|{}, I mean {}|{}, or rather {}|{}... wait, make that {}|{}, scratch that, {}"
)
COUNTS = {2: "two", 3: "three", 4: "four"}

_DOUBLED = ways(
    "set|get|put|cut|plan|run|stop|swap|scan|chat|log|pin|ship|let|drop|zip|tag|submit|transfer|quiz|sit|dim|flag|flip|"
    "plot|reset|shut|split|program"
)


def fitting(frames: tuple[str, ...], command: str) -> tuple[str, ...]:
    """The frames that the command fits into: "show me the menu" is nothing that the speaker does."""
    return _OTHERS[frames] if _ME.search(command) else frames


def draw_register(rng: Random) -> Register:
    return rng.choices(tuple(_REGISTERS), tuple(_REGISTERS.values()))[0]


def gerund(command: str) -> str:
    """The command with its verb in -ing form: `book a hotel` gives `booking a hotel`."""
    verb, space, rest = command.partition(" ")
    if verb in _DOUBLED:
        verb += verb[-1]
    elif verb.endswith("e") and not verb.endswith(("ee", "ye", "oe")):
        verb = verb[:-1]
    return f"{verb}ing{space}{rest}"


def _done_by_others(frames: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(frame for frame in frames if "you" in frame or not _SPEAKER.search(frame))


_ME = re.compile(r"\b(me|us)\b")
_SPEAKER = re.compile(r"\b(I|we|us|our|my)\b|\b(need to|must|gotta|want to)\b", re.IGNORECASE)
_OTHERS = {frames: _done_by_others(frames) for frames in (*(r.frames for r in _REGISTERS), NEXT, LAST)}
