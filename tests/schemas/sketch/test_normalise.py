"""Tokens in any script, and the short cut for ASCII against the general path."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stillwatch_schemas.sketch.normalise import HEAD_CHARS, TAIL_CHARS, clip, normalise, normalise_any, tokenise


@given(st.text(st.characters(max_codepoint=127), max_size=200))
def test_the_short_cut_for_ascii_equals_the_general_path(text: str) -> None:
    assert normalise(text) == normalise_any(text)


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
