"""`characters.words_of` in compiled code, of one text or of many."""

from __future__ import annotations

import numpy as np

from stillwatch_schemas.compiled import Number, compiled, part
from stillwatch_schemas.sketch.characters import ALONE, GAP, NOTHING, Codes, joined, kinds_of_characters
from stillwatch_schemas.sketch.vocabulary import Bytes

_MOST_BYTES = 6
"""A character between two spaces takes no more in UTF-8."""
_SPACE = ord(" ")
_TWO_BYTES, _THREE_BYTES, _FOUR_BYTES = 0x80, 0x800, 0x10000
"""The first characters that take so many."""


def words_of(texts: list[str]) -> list[bytes]:
    """The words of each case-folded text in UTF-8, white space between them."""
    codes = joined(texts)
    words = np.empty(_MOST_BYTES * len(codes), np.uint8)
    size = _write_words(codes, kinds_of_characters(), words)
    return words[:size].tobytes().split(b"\0")


@compiled
def _write_words(codes: Codes, kinds: Bytes, words: Bytes) -> Number:
    """The words of texts in UTF-8, and how many bytes that are."""
    size = 0
    for code in codes:
        kind = kinds[code]
        if kind == NOTHING:
            continue
        if kind == GAP:
            size = _put(words, size, _SPACE)
        elif kind == ALONE:
            size = _put(words, _put(words, _put(words, size, _SPACE), code), _SPACE)
        else:
            size = _put(words, size, code)
    return size


@part
def _put(words: Bytes, size: Number, code: Number) -> Number:
    """Append a character as UTF-8 does, surrogates too."""
    if code < _TWO_BYTES:
        words[size] = code
        return size + 1
    if code < _THREE_BYTES:
        words[size] = 0xC0 | code >> 6
        return _continue(words, size + 1, code)
    if code < _FOUR_BYTES:
        words[size] = 0xE0 | code >> 12
        return _continue(words, _continue(words, size + 1, code >> 6), code)
    words[size] = 0xF0 | code >> 18
    return _continue(words, _continue(words, _continue(words, size + 1, code >> 12), code >> 6), code)


@part
def _continue(words: Bytes, size: Number, bits: Number) -> Number:
    """Append a byte that carries six bits of a character."""
    words[size] = 0x80 | bits & 0x3F
    return size + 1
