"""The promises of the sketch: total, deterministic, keyed, the same alone and in a batch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stillwatch_schemas.errors import ConfigError
from stillwatch_schemas.events import RequestEvent, Sketch
from stillwatch_schemas.sketch import SKETCH_VERSION, Sketcher, with_sketch, with_sketches
from support.builders import make_event, make_sketch

KEY = b"a key for tests, nothing more"
SKETCHER = Sketcher(KEY)

ANY_TEXT = st.text(
    st.one_of(st.characters(codec=None), st.characters(min_codepoint=0xD800, max_codepoint=0xDFFF)), max_size=300
)
TRICKY = st.sampled_from(
    [
        "",
        " ",
        "\x00",
        "\ud800",
        "\udfff\ud800",
        "😀👩‍👩‍👧",
        "مرحبا بالعالم",
        "שלום",
        "ภาษาไทย",
        "हिन्दी",
        "ﷺ" * 400,
        "“" * 99,
        "ß" * 99,
    ]
)
PROMPTS = st.one_of(st.none(), ANY_TEXT, TRICKY, st.text("ab 1.:=|\n\"'`<>[]{}()请。的", max_size=120))
PAIRS = st.tuples(PROMPTS, PROMPTS)


@given(st.lists(PAIRS, max_size=8))
def test_a_batch_equals_one_by_one_and_nothing_ever_raises(texts: list[tuple[str | None, str | None]]) -> None:
    texts += [("Enough of them for a batch.", None)] * 10
    assert SKETCHER.sketch_many(texts) == [SKETCHER.sketch(*pair) for pair in texts]


def test_a_batch_of_several_chunks_equals_one_by_one() -> None:
    """More texts than one chunk holds, long ones and missing ones among them."""
    texts: list[tuple[str | None, str | None]] = [
        (None if number % 50 == 0 else f"Sum up letter {number}. " * (number % 40 * 9), "Be brief.")
        for number in range(300)
    ]
    assert SKETCHER.sketch_many(texts) == [SKETCHER.sketch(*pair) for pair in texts]


@given(PAIRS)
def test_every_sketch_keeps_its_bounds_and_survives_json(pair: tuple[str | None, str | None]) -> None:
    sketch = SKETCHER.sketch(*pair)
    if sketch is None:
        assert pair == (None, None)
        return
    assert sketch.v == SKETCH_VERSION
    assert sketch.chars == len(pair[0] or "")
    assert all(0 <= value < 2**52 for value in (sketch.text_hash, sketch.template, sketch.system_template))
    assert len(sketch.minhash) == len(sketch.embedding) // 2 == (16 if sketch.words else 0)
    assert all(0 <= value < 2**32 for value in sketch.minhash)
    assert len(sketch.cells) <= 4
    assert all(0 <= cell < 4_096 for cell in sketch.cells)
    assert 0 <= sketch.script <= 5
    assert all(0 <= score <= 1 for score in (sketch.elicitation, sketch.grading, sketch.probing, sketch.code))
    assert msgspec.json.decode(msgspec.json.encode(sketch), type=Sketch) == sketch


def test_results_do_not_depend_on_the_process_or_on_pythons_hash_seed() -> None:
    """Two fresh interpreters under different hash seeds agree with this one."""
    texts = [
        ("Compare the tides of Brest and Saint-Malo, step by step.", "You are a sailor."),
        ("请比较两座城市的气候。", None),
    ]
    program = (
        "import sys, json, msgspec\n"
        "from stillwatch_schemas.sketch import Sketcher\n"
        f"s = Sketcher({KEY!r})\n"
        "sys.stdout.buffer.write(msgspec.json.encode(s.sketch_many(json.loads(sys.argv[1]))))"
    )
    here = msgspec.json.encode(SKETCHER.sketch_many(texts))
    for seed in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", program, json.dumps(texts)]
        assert subprocess.run(command, env=environment, check=True, capture_output=True, timeout=60).stdout == here


def test_forgetting_remembered_words_changes_no_result() -> None:
    """More words than are remembered, between two sketches of one text."""
    text, sketcher = "Which sailing ships rounded the southern capes?", Sketcher(KEY)
    before = sketcher.sketch(text, "Answer briefly.")
    for start in range(0, 70_000, 2_000):
        sketcher.sketch(" ".join(f"w{number}" for number in range(start, start + 2_000))[:4_000])
    for number in range(1_100):
        sketcher.sketch(None, f"system {number}")
    assert sketcher.sketch(text, "Answer briefly.") == before


def test_another_key_changes_every_hash() -> None:
    text = ("Describe glaciers in the Alps and their retreat since 1850.", "You teach geography.")
    one, other = SKETCHER.sketch(*text), Sketcher(b"another key of ample length").sketch(*text)
    assert one is not None
    assert other is not None
    assert one.text_hash != other.text_hash
    assert one.template != other.template
    assert one.system_template != other.system_template
    assert not set(one.minhash) & set(other.minhash)
    assert not set(one.cells) & set(other.cells)
    assert one.embedding != other.embedding
    assert (one.words, one.chars, one.script, one.elicitation) == (
        other.words,
        other.chars,
        other.script,
        other.elicitation,
    )


def test_a_short_key_is_refused_with_advice() -> None:
    with pytest.raises(ConfigError, match=r"has 5 bytes; it needs at least 16.*openssl"):
        Sketcher(b"short")


def test_text_hash_ignores_case_and_spacing_only() -> None:
    base = SKETCHER.sketch("Name three rivers.")
    assert base is not None
    assert SKETCHER.sketch("  NAME three\n rivers. ").text_hash == base.text_hash  # type: ignore[union-attr]  # has text
    assert SKETCHER.sketch("Name four rivers.").text_hash != base.text_hash  # type: ignore[union-attr]  # has text


def test_long_texts_of_equal_ends_and_different_length_differ() -> None:
    short, long = SKETCHER.sketch("word " * 2_000), SKETCHER.sketch("word " * 3_000)
    assert short is not None
    assert long is not None
    assert (short.chars, long.chars) == (10_000, 15_000)
    assert short.text_hash != long.text_hash
    assert short.minhash == long.minhash


@pytest.mark.parametrize(
    "unit", ["word ", "a", "“", '"', "```", "a://", ":", "A b (c ", "<a", "中", "ﷺ", "\ud800", "« ", "1,"]
)
def test_a_megabyte_of_anything_costs_milliseconds(unit: str) -> None:
    """Far above what is measured (1 to 20 ms), far below what a quadratic pattern would take."""
    text = unit * (1_000_000 // len(unit))
    started = time.process_time()
    sketch = SKETCHER.sketch(text, text)
    assert time.process_time() - started < 0.5
    assert sketch is not None
    assert sketch.chars == len(text)


WORDS = st.lists(st.sampled_from([f"word{number}" for number in range(40)]), min_size=30, max_size=80)


@given(WORDS, st.integers(0, 10), st.randoms(use_true_random=False))
def test_minhash_estimates_the_jaccard_similarity_of_word_pairs(words: list[str], edits: int, random: object) -> None:
    """Averaged over 24 keys (384 hash functions) the estimate is within 4.5 standard errors of the truth."""
    other = list(words)
    for _ in range(edits):
        other[random.randrange(len(other))] = "changed"  # type: ignore[attr-defined]  # hypothesis gives a random.Random
    pairs = [set(pairwise([None, *each, None])) for each in (words, other)]
    truth = len(pairs[0] & pairs[1]) / len(pairs[0] | pairs[1])
    agreeing = 0
    for sketcher in OTHERS:
        one, two = (sketcher.sketch(" ".join(each)).minhash for each in (words, other))  # type: ignore[union-attr]  # has text
        agreeing += sum(a == b for a, b in zip(one, two, strict=True))
    places = 16 * len(OTHERS)
    assert abs(agreeing / places - truth) <= 4.5 * max((truth * (1 - truth) / places) ** 0.5, 1 / places)


OTHERS = [Sketcher(b"sixteen bytes at least" + bytes([number])) for number in range(24)]

TOPICS = [
    "The harbour master logs every vessel that enters the port at night and notes its draught and cargo",
    "Our bakery sells rye bread with caraway seeds and sourdough loaves baked in a wood fired oven",
    "Quarterly revenue of the insurance division fell because storms raised the number of claims",
    "Install the database driver, set the connection pool to twenty and restart the web server",
    "Violin strings made of gut sound warmer than steel ones but they drift out of tune in damp halls",
]


def _cosine(one: str, two: str) -> float:
    vectors = [memoryview(SKETCHER.sketch(text).embedding).cast("b") for text in (one, two)]  # type: ignore[union-attr]  # has text
    dot, first, second = (
        sum(a * b for a, b in zip(left, right, strict=True))
        for left, right in ((vectors[0], vectors[1]), (vectors[0], vectors[0]), (vectors[1], vectors[1]))
    )
    return float(dot / (first * second) ** 0.5)


@pytest.mark.parametrize("text", TOPICS)
def test_near_duplicates_lie_near_and_other_topics_far(text: str) -> None:
    near = text.replace("the", "a").replace("and", "or", 1) + " today"
    assert _cosine(text, text.upper() + "!") > 0.999
    assert _cosine(text, near) > 0.75
    assert max(_cosine(text, other) for other in TOPICS if other != text) < 0.65


def test_embedding_has_length_127() -> None:
    for text in TOPICS:
        vector = memoryview(SKETCHER.sketch(text).embedding).cast("b")  # type: ignore[union-attr]  # has text
        assert sum(value * value for value in vector) ** 0.5 == pytest.approx(127, abs=3)


def test_topic_cells_come_from_content_words_whatever_the_wording() -> None:
    one = SKETCHER.sketch("Explain the hydraulic principles behind Archimedes' waterwheels.")
    two = SKETCHER.sketch("please tell me about hydraulic principles and Archimedes with his waterwheels")
    assert one is not None
    assert two is not None
    assert one.cells == two.cells
    assert len(one.cells) == 4


def test_topic_cells_of_han_texts_overlap_when_the_topic_does() -> None:
    one, two = SKETCHER.sketch("冰川融化"), SKETCHER.sketch("冰川融化。")
    other = SKETCHER.sketch("小提琴协奏曲")
    assert one is not None
    assert two is not None
    assert other is not None
    assert one.cells == two.cells
    assert one.cells
    assert not set(one.cells) & set(other.cells)


def test_with_sketch_fills_in_and_strips() -> None:
    event = with_sketch(make_event(prompt="Where is Ghent?", system_prompt="Be brief."), SKETCHER)
    assert (event.prompt, event.system_prompt, event.prompt_chars) == (None, None, 15)
    assert event.sketch == SKETCHER.sketch("Where is Ghent?", "Be brief.")
    assert with_sketch(event, SKETCHER) is event


def test_with_sketch_keeps_the_emitters_sketch_and_length() -> None:
    given_sketch = make_sketch()
    event = with_sketch(make_event(prompt="cut", sketch=given_sketch, prompt_chars=900), SKETCHER)
    assert (event.sketch, event.prompt, event.prompt_chars) == (given_sketch, None, 900)


def test_with_sketch_can_leave_the_text() -> None:
    event = with_sketch(make_event(prompt="Where is Ghent?"), SKETCHER, strip_text=False)
    assert event.prompt == "Where is Ghent?"
    assert event.sketch is not None


def test_events_together_are_sketched_like_each_alone() -> None:
    """Events with and without texts and sketches of their own, enough of them for a batch."""
    kinds = [
        {"prompt": "Where is Ghent?"},
        {},
        {"system_prompt": "Be brief."},
        {"prompt": "x", "sketch": make_sketch()},
    ]
    events = [make_event(**kinds[number % len(kinds)]) for number in range(40)]
    assert with_sketches(events, SKETCHER) == [with_sketch(event, SKETCHER) for event in events]


def test_emitter_and_agent_agree() -> None:
    """The emitter's sketch, over the wire, equals what the agent computes from the text."""
    event = make_event(prompt="Grade the answer from 1 to 10: 42", system_prompt="You are a judge.")
    wire = msgspec.json.encode(with_sketch(event, Sketcher(KEY)))
    assert msgspec.json.decode(wire, type=RequestEvent).sketch == with_sketch(event, Sketcher(KEY)).sketch
