"""Refilled slots give the same template; free questions give different ones."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stillwatch_schemas.sketch.normalise import normalise
from stillwatch_schemas.sketch.template import _closing, skeleton
from stillwatch_schemas.sketch.words import CLOSINGS

REVIEWS = ["I loved it. It came early!", "bad and cheap, never again", "Works. 10 out of 10, would buy 3 more", "meh"]
# Fillings that begin like a closing instruction ("Code.") are a known limit of a stateless skeleton.
WORDS = st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=10).filter(lambda word: word not in CLOSINGS)
SENTENCES = st.lists(WORDS, min_size=1, max_size=40).map(lambda words: " ".join(words).capitalize() + ".")

TEMPLATES = [
    "Lang=en | Review text: {} Review score (between 1 and 5): Return JSON.",
    "Translate the following text into German:\n\n{}",
    "Summarise this article in two sentences.\n\n{}\n\nReturn only the summary.",
    "You are a support agent. Answer the customer.\nCustomer: {}\nAgent:",
    "### Instruction:\nClassify the ticket.\n### Ticket:\n{}\n### Answer:",
    'Is "{}" a positive sentence?',
    "<document>{}</document>\nExtract the dates.",
    "```\n{}\n``` Explain the code above.",
]


def template(text: str) -> str:
    return skeleton(normalise(text).text)


@pytest.mark.parametrize("form", TEMPLATES)
@given(st.tuples(SENTENCES, SENTENCES))
def test_refilled_slots_keep_the_template(form: str, fills: tuple[str, str]) -> None:
    assert template(form.format(fills[0])) == template(form.format(fills[1]))


def test_reviews_of_several_sentences_share_one_template() -> None:
    assert len({template(TEMPLATES[0].format(review)) for review in REVIEWS}) == 1


def test_language_and_score_are_slots_too() -> None:
    forms = (
        f"Lang={language} | Review text: {review} Review score (between 1 and 5): {score} Return JSON."
        for language, review, score in itertools.product(("en", "de", "fr"), REVIEWS, ("4", "2", ""))
    )
    assert len(set(map(template, forms))) == 1


def test_different_templates_differ() -> None:
    assert len({template(form.format("A sentence.")) for form in TEMPLATES}) == len(TEMPLATES)


def test_numbers_and_names_are_slots() -> None:
    assert template("Give me 3 facts about Lisbon please") == template("Give me 12 facts about Oslo please")


def test_few_shot_examples_may_repeat() -> None:
    one = "Answer the question.\nQ: Why?\nA: Because.\nQ: How?\nA:"
    assert template(one) == template(one.replace("Q: How?\nA:", "Q: When?\nA: Now.\nQ: How?\nA:"))


def test_chinese_slots_after_a_colon() -> None:
    first, second = (
        "请将以下文本翻译成英文\uff1a今天天气很好。",
        "请将以下文本翻译成英文\uff1a我们明天去公园散步\uff0c然后回家吃饭。",
    )
    assert template(first) == template(second)


QUESTIONS = [
    "How do I get coffee stains out of a wool coat?",
    "why is my sourdough so dense even though it rises well overnight",
    "What would happen if the moon were twice as close to us? Would tides flood cities?",
    "I need a birthday message for my aunt who likes gardening and detective novels, nothing cheesy",
    "can you explain the offside rule like I'm five",
    "My landlord wants to raise the rent: is that legal in the middle of a contract?",
    "was ist der Unterschied zwischen Umsatz und Gewinn",
    "comment faire pousser des tomates sur un balcon",
    "怎么做红烧肉",
    "如何在一个月内学会游泳",
]


def test_free_questions_have_templates_of_their_own() -> None:
    assert len(set(map(template, QUESTIONS))) == len(QUESTIONS)


@pytest.mark.parametrize(
    ("text", "closing"),
    [
        ("A long story. Return JSON.", "return json"),
        ("A long story. please return it", ""),
        ("A long story. (Return it)", ""),
        ("Use " + "a " * 16, ""),
        ("Use " + "a " * 15, "use" + " a" * 9),
    ],
)
def test_closing_instruction(text: str, closing: str) -> None:
    assert _closing(text, 0) == closing
