"""Tokens in any script, and the short cut for ASCII against the general path."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stillwatch_schemas.sketch.characters import _MARKS, _UNSPACED, words_of
from stillwatch_schemas.sketch.compiled_characters import words_of as compiled_words_of
from stillwatch_schemas.sketch.normalise import (
    HEAD_CHARS,
    TAIL_CHARS,
    Normal,
    clip,
    normalise,
    normalise_any,
    normalise_many,
    tokenise,
    tokens_of,
)


@given(st.text(st.characters(max_codepoint=127), max_size=200))
def test_the_short_cut_for_ascii_equals_the_general_path(text: str) -> None:
    short, general = normalise(text), normalise_any(text)
    assert short._replace(words=b"") == general._replace(words=b"")
    assert tokens_of(short.words) == tokens_of(general.words)


@given(
    st.lists(st.text(st.characters(codec=None) | st.sampled_from(" \n\t\x00\x1c'a请\ud800"), max_size=40), min_size=1)
)
def test_many_texts_are_normalised_like_each_alone(texts: list[str]) -> None:
    normals = normalise_many(texts)
    words = list(map(tokens_of, normals.words))
    one_by_one = [normal._replace(words=tokens_of(normal.words)) for normal in map(normalise, texts)]
    assert list(map(Normal, normals.texts, normals.folded, words)) == one_by_one


def _by_pattern(folded: str) -> list[str]:
    """Words as regular expressions find them."""
    runs = re.findall(
        f"([{_UNSPACED}]++)|((?:[^\\W_{_UNSPACED}]++|[{_MARKS}]++)++)",
        re.sub("['\u2019\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]+", "", folded),
    )
    return [word for unspaced, spaced in runs for word in (unspaced or [spaced])]


def test_every_character_counts_as_the_patterns_say() -> None:
    for start in range(0, 0x110000, 0x1000):
        text = " ".join(f"a{char}b" for char in map(chr, range(start, start + 0x1000)))
        assert tokens_of(words_of([text])[0]) == tokens_of(compiled_words_of([text])[0]) == _by_pattern(text)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Don't panic, it's 3.14!", ["dont", "panic", "its", "3", "14"]),
        ("Don\u2019t", ["dont"]),
        ("snake_case", ["snake", "case"]),
        ("\uff28\uff45\uff4c\uff4c\uff4f\u3000world", ["hello", "world"]),
        ("st\u00adep by st\u200bep", ["step", "by", "step"]),
        ("我爱北京 2024", ["我", "爱", "北", "京", "2024"]),
        ("GPT模型", ["gpt", "模", "型"]),
        ("Straße", ["strasse"]),
        ("한국어 문장", ["한국어", "문장"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("مُحَمَّد قال", ["مُحَمَّد", "قال"]),
        ("\ud800", []),
        ("😀 \x00", []),
    ],
)
def test_tokens(text: str, tokens: list[str]) -> None:
    assert tokenise(text) == tokens


def test_head_and_tail_of_a_long_text_are_read() -> None:
    clipped = clip("a" * 10_000 + "z" * TAIL_CHARS)
    assert clipped == "a" * HEAD_CHARS + "\n" + "z" * TAIL_CHARS
    assert clip(clipped[:-1]) == clipped[:-1]
