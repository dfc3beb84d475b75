"""Sentences that have nothing to do with a request; they hold no names, numbers, dates or places."""

from __future__ import annotations

from random import Random

from itool_jax.data.toolworld.large.ways import ways

_WHO = ways(
    "my sister|my boss|the neighbour|our cat|the baby|my flatmate|somebody|the landlord|the boy next door|my uncle|"
    "the whole team|our intern|my better half|the new colleague|an old friend|my dentist|the plumber|everyone here|"
    "nobody|the man upstairs|my trainer|our accountant|the woman from the bakery|grandma"
)
_DID = ways(
    "keeps talking about it|forgot the umbrella again|spilled coffee over my notes|is singing under the shower|"
    "lost the keys|cannot stop laughing|broke the good vase|wants to hear every detail|fell asleep on the sofa|"
    "has been nagging me|is waiting outside|ate the last piece of cake|complains about the noise|just called|"
    "is in a strange mood|painted the fence|burned the toast|wore two different shoes|left in a hurry|"
    "is practising the trumpet|told me a terrible joke|took the wrong bus|found my old diary|is on the phone"
)
_TAILS = ways(
    "||| again| as always|, of all days|, believe it or not|, but never mind|, which is typical|, what a mess|"
    ", though that's another story|, poor thing|, I swear|, and it shows| all morning|, no idea why"
)
_MOODS = ways(
    "I'm half asleep|It has been a long day|My head is spinning|I'm typing with one hand|It's so loud in here|"
    "I barely slept|The coffee machine is broken|My glasses are all foggy|It is raining cats and dogs|I'm starving|"
    "I can't concentrate|I'm so behind with everything|Everything is chaos here|I'm new to this|"
    "I've been at it for hours|I'm sitting on the train|My desk is a mess|I'd rather be in bed|I'm in a great mood|"
    "The radio is driving me mad"
)
_REASONS = ways(
    "since {}, I want this off my plate|because {}, I leave it to you|now that {}, I finally have a minute|"
    "while {}, let's get something done|as {}, I'm a little distracted"
)


def aside(rng: Random) -> str:
    """A sentence without its full stop, beginning with a small letter unless it begins with "I"."""
    roll = rng.random()
    fact = f"{rng.choice(_WHO)} {rng.choice(_DID)}"
    if roll < 0.45:
        return fact + rng.choice(_TAILS)
    if roll < 0.75:
        return rng.choice(_MOODS) + rng.choice((f" because {fact}", f" and {fact}", "", "", f", {fact}"))
    return rng.choice(_REASONS).format(fact)
