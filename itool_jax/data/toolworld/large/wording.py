"""Requests in words: values in phrases and sentences, commands around them, and the message as a whole."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from itool_jax.data.toolworld.large import clock, grammar
from itool_jax.data.toolworld.large.chatter import aside
from itool_jax.data.toolworld.large.clock import Day
from itool_jax.data.toolworld.large.concept import Concept, Slot
from itool_jax.data.toolworld.large.grammar import Register
from itool_jax.data.toolworld.large.marks import capital, mark, outside

_MAX_INLINE = 4
_QUESTION_SHARE = 0.6


@dataclass(frozen=True)
class Wish:
    """A call to be asked for: values by slot key, and phrases that stand in for those of some slots."""

    concept: Concept
    values: Mapping[str, Any]
    said: Mapping[str, str] = field(default_factory=dict)

    @property
    def slots(self) -> tuple[Slot, ...]:
        return tuple(slot for slot in self.concept.slots if slot.key in self.values or slot.key in self.said)


@dataclass(frozen=True)
class Voice:
    """Who talks: the register, the day, and where chance comes from."""

    register: Register
    day: Day
    rng: Random

    def phrase(self, slot: Slot, value: Any) -> str:
        """The value behind its preposition, or the adverb or phrase that stands for both."""
        rng = self.rng
        if slot.kind.phrase:
            return mark(slot.kind.say(value, rng, self.day))
        template = rng.choice(slot.says)
        adverb = slot.kind.adverb and template == "on {}" and slot.kind.adverb(value, rng, self.day)
        return mark(adverb) if adverb and rng.random() < 0.7 else template.replace("{}", self.noun(slot, value))

    def noun(self, slot: Slot, value: Any) -> str:
        return mark(slot.kind.say(value, self.rng, self.day))

    def statement(self, slot: Slot, value: Any) -> str:
        """A sentence that tells the value, without capital and full stop."""
        templates = grammar.PHRASED if slot.kind.phrase or slot.leads else grammar.STATEMENTS
        if slot.leads:
            templates = tuple(t for t in grammar.STATEMENTS if "{p}" not in t)
        template = self.rng.choice(templates)
        text = template.replace("{p}", self.phrase(slot, value)) if "{p}" in template else template
        plural = slot.kind.schema["type"] == "array" and slot.label.endswith("s")
        text = text.replace("{l}", slot.label).replace("{is}", "are" if plural else "is")
        return text.replace("{v}", self.noun(slot, value)) if "{v}" in text else text

    def wrong_first(self, slot: Slot, value: Any, wrong: Any) -> str:
        """The phrase said with a slip of the tongue first: the last value counts."""
        first, second = self.phrase(slot, wrong), self.phrase(slot, value)
        return self.rng.choice(grammar.CORRECTIONS).replace("{}", first, 1).replace("{}", second, 1)


def draw_voice(rng: Random, day: Day) -> Voice:
    return Voice(grammar.draw_register(rng), day, rng)


def request(wishes: Sequence[Wish], voice: Voice) -> str:
    """A message that asks for these calls in this order, as marked text."""
    body = _single(wishes[0], voice) if len(wishes) == 1 else _several(wishes, voice)
    return message(body, voice)


def message(body: str, voice: Voice) -> str:
    """The body with an opening, an ending and whatever else the register brings along."""
    rng, register = voice.rng, voice.register
    break_ = "\n" if register in (grammar.MAIL, grammar.FORM) and rng.random() < 0.7 else " "
    parts = [body]
    if rng.random() < register.asides:
        remark = f"{capital(aside(rng))}."
        parts = [remark, body] if rng.random() < 0.6 else [body, remark]
    if rng.random() < register.opened:
        opener = rng.choice(register.openers)
        first = parts[0] if opener[-1] in ".!?:" or opener[0] == "D" else _small(parts[0])
        parts[0] = f"{opener}{break_}{first}"
    if rng.random() < register.closed:
        end = _ended(parts[-1]) if break_ == " " and register.careless < 0.5 else parts[-1]
        parts[-1] = f"{end}{break_}{rng.choice(register.closers)}"
    text = " ".join(parts)
    return _careless(text) if rng.random() < register.careless else capital(text)


def command(wish: Wish, voice: Voice, apart: Collection[str] = ()) -> str:
    """A command that asks for the call, with the phrases of its values but those told `apart`."""
    ask = voice.rng.choice([ask for ask in wish.concept.asks if not ask.startswith("?")])
    return " ".join([ask, *_phrases(wish, voice, apart)])


def repeated(wishes: Sequence[Wish], varied: Slot | None, voice: Voice) -> str:
    """Several calls of one tool: the value of `varied` differs, or (None) all are said anew."""
    first, rng = wishes[0], voice.rng
    if varied is None:
        others = [" ".join(_phrases(wish, voice, ())) for wish in wishes[1:]]
        return message(
            _framed(command(first, voice) + "".join(rng.choice(grammar.AGAIN) + text for text in others), voice), voice
        )
    told = [voice.phrase(varied, wish.values[varied.key]) for wish in wishes]
    listed = clock.joined([f"once {text}" for text in told] if rng.random() < 0.6 else told, rng)
    rest = command(Wish(first.concept, {k: v for k, v in first.values.items() if k != varied.key}), voice)
    text = rng.choice(grammar.EACH).replace("{c}", rest).replace("{list}", listed)
    return message(_framed(text, voice), voice)


def reply(slots: Mapping[Slot, Any], voice: Voice) -> str:
    """The answer to a question for values."""
    rng = voice.rng
    texts = [
        rng.choice(
            (
                voice.phrase(slot, value),
                voice.noun(slot, value),
                voice.statement(slot, value),
                voice.statement(slot, value),
            )
        )
        for slot, value in slots.items()
    ]
    text = rng.choice(grammar.PAIRS).join(texts)
    start = rng.choice(
        ("", "", "", "Oh, ", "Sorry, ", "Right, ", "Sure: ", "Of course, ", "Ah, I see. ", "Hm, ", "My bad, ", "OK, ")
    )
    return capital(start + text) + rng.choice((".", ".", "", ", please.", ". Thanks.", ".", "!"))


def _single(wish: Wish, voice: Voice) -> str:
    rng, register = voice.rng, voice.register
    apart = [slot for slot in wish.slots if slot.key not in wish.said and rng.random() < register.apart]
    inline = [slot for slot in wish.slots if slot not in apart]
    apart += inline[_MAX_INLINE:]
    rng.shuffle(apart)
    questions = [ask for ask in wish.concept.asks if ask.startswith("?")]
    if questions and rng.random() < _QUESTION_SHARE:
        text = " ".join([rng.choice(questions)[1:], *_phrases(wish, voice, {slot.key for slot in apart})])
        core = capital(rng.choice(grammar.QUESTIONS).replace("{q}", text))
    else:
        core = _framed(command(wish, voice, {slot.key for slot in apart}), voice)
    if not apart:
        return core
    if register is grammar.FORM or (len(apart) > 2 and rng.random() < 0.15):
        return core + _listing([(slot, wish.values[slot.key]) for slot in apart], voice)
    before = [slot for slot in apart if rng.random() < 0.25 and not slot.leads]
    after = [slot for slot in apart if slot not in before]
    sentences = [*_sentences(before, wish, voice), _ended(core), *_sentences(after, wish, voice)]
    return " ".join(sentences)


def _sentences(slots: Sequence[Slot], wish: Wish, voice: Voice) -> list[str]:
    """Sentences that tell values, one or two in each."""
    rng, rest, sentences = voice.rng, list(slots), []
    while rest:
        count = 2 if len(rest) > 1 and rng.random() < 0.5 else 1
        told = [voice.statement(slot, wish.values[slot.key]) for slot in rest[:count]]
        sentences.append(capital(rng.choice(grammar.PAIRS).join(told)) + ".")
        rest = rest[count:]
    return sentences


def _listing(pairs: Sequence[tuple[Slot, Any]], voice: Voice) -> str:
    """Values as a list of labels."""
    rng = voice.rng
    bullet, equals, gap = rng.choice(
        (
            ("\n- ", ": ", ""),
            ("\n* ", " = ", ""),
            (" ", ": ", ";"),
            (" ", " ", ","),
            ("\n", ": ", ""),
            (" / ", ": ", ""),
        )
    )
    lines = [
        voice.phrase(slot, value) if slot.kind.phrase else f"{slot.label}{equals}{voice.noun(slot, value)}"
        for slot, value in pairs
    ]
    return bullet + (gap + bullet).join(lines)


def _several(wishes: Sequence[Wish], voice: Voice) -> str:
    rng = voice.rng
    commands = [command(wish, voice) for wish in wishes]
    roll = rng.random()
    if roll < 0.2:
        return _framed(
            f"{', '.join(commands[:-1])} and {rng.choice(('also ', 'then ', '', 'after that '))}{commands[-1]}", voice
        )
    if roll < 0.75:
        texts = [_framed(commands[0], voice)]
        texts += [_fill(grammar.NEXT, text, rng) for text in commands[1:-1]]
        return " ".join([*(_ended(text) for text in texts), _fill(grammar.LAST, commands[-1], rng)])
    if roll < 0.9:
        intro = rng.choice(grammar.LISTS).replace("{n}", rng.choice((str(len(wishes)), grammar.COUNTS[len(wishes)])))
        shape = rng.choice(("\n{i}. {c}", "\n- {c}", " {i}) {c}", " ({i}) {c}", "\n* {c}", "\n{i}) {c}"))
        return intro + "".join(shape.replace("{i}", str(i)).replace("{c}", text) for i, text in enumerate(commands, 1))
    return capital("; ".join(commands)) + "."


def _phrases(wish: Wish, voice: Voice, apart: Collection[str]) -> list[str]:
    leading, others = [], []
    for slot in wish.slots:
        if slot.key not in apart:
            text = wish.said.get(slot.key) or voice.phrase(slot, wish.values[slot.key])
            (leading if slot.leads else others).append(text)
    voice.rng.shuffle(others)
    return leading + others


def _framed(text: str, voice: Voice) -> str:
    return _fill(voice.register.frames, text, voice.rng)


def _fill(frames: tuple[str, ...], text: str, rng: Random) -> str:
    frame = rng.choice(grammar.fitting(frames, text))
    filled = frame.replace("{c}", text) if "{c}" in frame else frame.replace("{g}", grammar.gerund(text))
    return capital(filled)


def _ended(sentence: str) -> str:
    return sentence if sentence[-1] in ".!?:" else f"{sentence}."


def _small(text: str) -> str:
    keep = text.startswith(("I ", "I'", "\x02")) or text[1:2].isupper()
    return text if keep else text[:1].lower() + text[1:]


def _careless(text: str) -> str:
    return outside(text, str.lower).rstrip(".")
