"""Repetitions of evaluation data in training data: found where planted, against brute force, and not elsewhere."""

import re
from dataclasses import replace
from random import Random

import pytest

from itool_jax import cli
from itool_jax.data.decontaminate import (
    DEFAULT_THRESHOLD,
    EvaluationIndex,
    Repetition,
    decontaminated,
    similarity_of,
    user_words,
)
from itool_jax.data.example import Example, Message
from itool_jax.data.toolworld import ToolWorld
from tests.assets import asset

VOCABULARY = [f"word{number}" for number in range(300)]


def asks(name, *texts):
    """An example whose user says the texts, one turn each."""
    messages = []
    for text in texts:
        messages += [Message("user", text), Message("assistant", "Well.")]
    return Example(name, (), tuple(messages[:-1]), "Yes.")


def some_text(rng, least=4, most=40):
    """Words by Zipf's law, so that some runs of words are common."""
    weights = [1 / (rank + 1) for rank in range(len(VOCABULARY))]
    return " ".join(rng.choices(VOCABULARY, weights, k=rng.randrange(least, most)))


def found(train, evaluation, threshold=DEFAULT_THRESHOLD):
    return EvaluationIndex({"test": evaluation}, threshold).repetition(train)


def test_case_punctuation_and_spaces_make_no_difference():
    evaluation = [asks("other", "Nothing of the kind."), asks("e", "Book me a flight, from Rome to Oslo!")]
    again = asks("t", "  book me a FLIGHT from\nRome — to Oslo")
    assert found(again, evaluation) == Repetition("t", "exact", "e", "test", 1.0)
    assert found(asks("t", "book us a flight from Rome to Bern"), evaluation) is None


def test_only_what_users_say_counts():
    evaluation = [asks("e", "One two three four.", "Five six.")]
    train = asks("t", "One two three four.", "Five six.")
    assistant = replace(train.messages[1], content="Something else entirely.")
    tool = Message("tool", "and a result")
    train = replace(
        train, messages=(Message("system", "Be brief."), train.messages[0], assistant, tool, train.messages[2])
    )
    assert found(train, evaluation) == Repetition("t", "exact", "e", "test", 1.0)
    silent = replace(train, messages=(Message("tool", "x"),))
    assert found(silent, [silent]) is None


def test_a_part_of_a_conversation_is_near_whichever_side_is_the_longer():
    first, second = "I would like to book a table for four people tomorrow night", "In the centre, not too dear, please"
    whole, part = asks("whole", first, second), asks("part", first)
    assert found(part, [whole]) == Repetition("part", "near", "whole", "test", 1.0)
    assert found(whole, [part]) == Repetition("whole", "near", "part", "test", 1.0)


def test_short_texts_are_compared_as_wholes():
    assert found(asks("t", "yes please do"), [asks("e", "yes please do that for me now")]) is None
    assert found(asks("t", "yes please do"), [asks("e", "Yes, please do!")]).kind == "exact"


def test_characters_of_languages_without_spaces_are_words():
    text = "帮我预订明天从上海到北京的航班，两个人"
    near = text.replace("两", "三")
    assert user_words(asks("t", "预订 flight 12"))[:3] == ["预", "订", "flight"]
    repetition = found(asks("t", near), [asks("e", text)])
    assert repetition.kind == "near" and repetition.similarity == pytest.approx(13 / 16)


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.8, 1.0])
def test_the_search_misses_nothing_that_brute_force_finds(threshold):
    rng = Random(round(threshold * 10))
    texts = [some_text(rng) for _ in range(150)]
    evaluation = [asks(f"e{i}", text) for i, text in enumerate(texts)]
    train = [asks(f"t{i}", some_text(rng)) for i in range(150)]
    train += [asks(f"p{i}", changed(rng, rng.choice(texts), rng.choice([0.02, 0.1, 0.3]))) for i in range(150)]
    index = EvaluationIndex({"test": evaluation}, threshold)
    runs = [triples(example) for example in evaluation]
    kinds = set()
    for example in train:
        repetition = index.repetition(example)
        best = max(similarity_of(triples(example), other) for other in runs)
        same = any(user_words(example) == user_words(other) for other in evaluation)
        if same or best >= threshold:
            assert repetition is not None and repetition.similarity == pytest.approx(1.0 if same else best)
            kinds.add(repetition.kind)
        else:
            assert repetition is None
            kinds.add("none")
    assert kinds == {"exact", "near", "none"}


def triples(example):
    words = user_words(example)
    return {tuple(words[i : i + 3]) for i in range(max(1, len(words) - 2))}


def changed(rng, text, share):
    """The text with this share of its words replaced, dropped or doubled."""
    words = []
    for word in text.split():
        words += rng.choice([[rng.choice(VOCABULARY)], [], [word, word]]) if rng.random() < share else [word]
    return " ".join(words)


def edited(rng, text):
    """The text as someone would say it again: a word more, less or misspelt, another opening or close, other marks."""
    words = text.split()
    for _ in range(rng.randrange(1, 3)):
        place = rng.randrange(len(words))
        words[place : place + 1] = rng.choice([[], [words[place], "also"], [words[place] + "s"]])
    frame = rng.choice(["{}", "Hi! {}", "Please, {}", "{} Thanks a lot!", "Hello there. {}"])
    return rng.choice([str, str.upper, lambda t: re.sub(r"[.,!?]", "", t)])(frame.format(" ".join(words)))


def test_planted_near_duplicates_are_found_and_little_else():
    """Recall and precision at the default threshold, among requests that are phrased by the same templates."""
    rng = Random(5)
    heldout = [e for e in ToolWorld(3, "heldout").examples("hard", 600) if len(user_words(e)) >= 20]
    train = [e for e in ToolWorld(3, "train").examples("hard", 600) if len(user_words(e)) >= 20]
    said = {e.id: " ".join(m.content for m in e.messages if m.role == "user") for e in heldout}
    planted = [asks(f"planted/{name}", edited(rng, text)) for name, text in said.items()]
    removed: list[Repetition] = []
    kept = list(decontaminated([*planted, *train], EvaluationIndex({"heldout": heldout}), removed))
    assert len(kept) + len(removed) == len(planted) + len(train) and min(len(planted), len(train)) > 100
    hits = [r for r in removed if r.id.startswith("planted/")]
    recall, precision = len(hits) / len(planted), len(hits) / len(removed)
    print(f"recall {recall:.3f}, precision {precision:.3f}")
    assert recall >= 0.85 and precision >= 0.95
    assert sum(r.id == f"planted/{r.evaluation}" for r in hits) >= 0.98 * len(hits)


def test_thresholds_out_of_range_are_refused():
    for threshold in (0, -0.1, 1.01):
        with pytest.raises(ValueError, match="threshold"):
            EvaluationIndex({}, threshold)
    assert found(asks("t", "anything"), []) is None


def test_real_training_rows_that_repeat_others_are_found():
    """The first real rows of one file against all of them: each repeats itself and names itself or its like."""
    from itool_jax.data.sources import read_source

    rows = read_source("toolace", asset("toolace_subset/toolace_100_sharegpt_fixed.json"), skip_bad=True).items
    index = EvaluationIndex({"same": rows})
    assert all(index.repetition(example).kind == "exact" for example in rows[:50])
    other = read_source("glaive", asset("glaive_demo/glaive_toolcall_en_demo.json"), skip_bad=True).items
    assert sum(index.repetition(example) is not None for example in other) == 0


def test_the_command_line_has_the_same_default():
    line = ["data", "decontaminate", "--train=a", "--against", "b", "--out=c"]
    assert cli._parser().parse_args(line).threshold == DEFAULT_THRESHOLD
