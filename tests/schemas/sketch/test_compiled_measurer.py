"""The compiled way measures what the plain one does, of any text, whatever was measured before."""

from __future__ import annotations

import subprocess
import sys

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from stillwatch_schemas.sketch import Sketcher
from stillwatch_schemas.sketch.compiled_measurer import CompiledMeasurer, _pieces
from stillwatch_schemas.sketch.lexicon import Lexicon
from stillwatch_schemas.sketch.measured import PlainMeasurer
from stillwatch_schemas.sketch.phrases import ELICITATION, GRADING, PROBING

KEY = b"a key for tests, nothing more"
PLAIN, COMPILED = PlainMeasurer(KEY), CompiledMeasurer(KEY)

ANY = st.text(
    st.one_of(st.characters(codec=None), st.characters(min_codepoint=0xD800, max_codepoint=0xDFFF)), max_size=200
)
# Few letters, so that words repeat and are prefixes of one another; numbers of three scripts; scripts without spaces.
FEW_LETTERS = st.text("ab1 2٣²請请你好ไท的é.,?!'", max_size=120)
# Phrases and their parts out of order, their gaps filled with too few, enough and too many words.
PHRASES = [
    phrase.strip()
    for lists in (ELICITATION, GRADING, PROBING)
    for phrases in lists.values()
    for phrase in phrases.split("|")
]
FILLED = st.builds(
    lambda phrase, number, gap: phrase.replace("#", number).replace("*", gap),
    st.sampled_from(PHRASES),
    st.sampled_from(["1", "10", "٣", "²", "ten"]),
    st.sampled_from(["", "one", "one two", "one two three", "one two three four"]),
)
PARTS = st.sampled_from(sorted({word for phrase in PHRASES for word in phrase.split()} - {"*"}))
SPOKEN = st.lists(st.one_of(FILLED, PARTS, st.sampled_from(["i", "hello", "7"])), max_size=12).map(" ".join)
TEXTS = st.one_of(ANY, FEW_LETTERS, SPOKEN)


@given(TEXTS)
def test_one_text_is_measured_as_in_plain_python(text: str) -> None:
    assert COMPILED.one(text) == PLAIN.one(text)


@given(st.lists(TEXTS, max_size=6))
def test_many_texts_are_measured_as_in_plain_python(texts: list[str]) -> None:
    assert list(COMPILED.many(texts)) == list(PLAIN.many(texts))


def test_every_phrase_of_the_lexicon_is_found() -> None:
    """In plain Python too: by patterns there, by numbers here."""
    for phrase in PHRASES:
        text = f"so {phrase.replace('#', '12').replace('*', 'very well')} then"
        measured = COMPILED.one(text)
        assert any(measured.of_words.scores), phrase
        assert measured == PLAIN.one(text)


def test_more_new_words_than_are_learned_at_a_time() -> None:
    """Three texts of 2,250 words each: one call finds the list of unknown words full."""
    texts = [
        " ".join(f"{start + number:x}" for number in range(2_250))[:4_500] for start in (10**6, 2 * 10**6, 3 * 10**6)
    ]
    assert list(COMPILED.many(texts)) == list(PLAIN.many(texts))


def test_more_words_in_a_batch_than_the_vocabulary_holds() -> None:
    """Each of these characters becomes eighteen, and each Han character is a word."""
    han = [chr(0x4E00 + number) for number in range(20_000)] + [chr(0x20000 + number) for number in range(40_000)]
    texts = ["".join(han[start : start + 4_000]) for start in range(0, 60_000, 4_000)] + ["ﷺ" * 300] * 30
    assert list(COMPILED.many(texts)) == list(PLAIN.many(texts))


def test_texts_are_measured_in_pieces_that_fit() -> None:
    sizes = [1] * 300 + [60_000, 30_000, 30_000, 98_304]
    pieces = list(_pieces(sizes))
    assert [stop for _, stop in pieces[:-1]] == [start for start, _ in pieces[1:]]
    assert (pieces[0][0], pieces[-1][1]) == (0, len(sizes))
    assert all(stop - start <= 256 for start, stop in pieces)
    assert all(stop - start == 1 or sum(sizes[start:stop]) + stop - start <= 98_304 for start, stop in pieces)


def test_numbers_of_the_lexicon_fit_into_the_traits() -> None:
    assert Lexicon().greatest_number < 1 << 12


def test_a_gateway_without_numba_makes_the_same_sketches() -> None:
    texts = [
        ("Compare the tides of Brest and Saint-Malo, step by step.", "You are a sailor."),
        ("请比较两座城市。", None),
    ]
    program = (
        "import sys; sys.modules['numba'] = None\n"
        "import msgspec\n"
        "from stillwatch_schemas.sketch import Sketcher\n"
        f"sys.stdout.buffer.write(msgspec.json.encode(Sketcher({KEY!r}).sketch_many({texts!r})))"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, timeout=60)
    assert done.stdout == msgspec.json.encode(Sketcher(KEY).sketch_many(texts))
