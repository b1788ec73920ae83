"""Words in any script: which characters make them, looked up for many texts at once.

Words are runs of letters, digits and the signs that belong to them; in scripts written without spaces every character
is one. Characters that show nothing and only serve to break words apart are left out first.
"""

from __future__ import annotations

import functools
import re
import sys

import numpy as np
import numpy.typing as npt

# Scripts written without spaces: every character is a token. Han (all BMP blocks and planes 2-3), kana, Thai, Lao,
# Myanmar, Khmer. Hangul is spaced.
_UNSPACED = (
    "\u2e80-\u2fdf\u3005-\u3007\u3041-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
)
# Vowel signs and points that Python's \w leaves out, though words of these scripts are made of them.
_MARKS = "\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u0900-\u0dff"

UNSPACED_CHAR = re.compile(f"[{_UNSPACED}]")

GAP, WORD, ALONE, NOTHING, END = range(5)
"""Kinds of characters: between words, part of one, a word by itself, left out, and what stands between texts."""
_KINDS = (
    (WORD, re.compile(f"[\\w{_MARKS}]++")),
    (GAP, re.compile("_")),
    (ALONE, re.compile(f"[{_UNSPACED}]++")),
    # soft hyphen, zero-width, direction marks; apostrophes, so that "don't" is one word
    (NOTHING, re.compile("['\u2019\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]++")),
    (END, re.compile("\0")),
)
"""Later ones win."""
_HAN_PLANES = range(0x20000, 0x40000)
_SPACE = np.uint32(ord(" "))

Codes = npt.NDArray[np.uint32]


def words_of(texts: list[str]) -> list[bytes]:
    """The words of each case-folded text in UTF-8, white space between them."""
    codes = joined(texts)
    kinds = kinds_of_characters().take(codes)
    shown = kinds != NOTHING
    if not shown.all():
        codes, kinds = codes[shown], kinds[shown]
    spaced = np.where(kinds == GAP, _SPACE, codes)
    alone = kinds == ALONE
    if alone.any():
        spaced = _spread(spaced, alone)
    words = spaced.astype("<u4", copy=False).tobytes().decode("utf-32-le", "surrogatepass")
    return words.encode("utf-8", "surrogatepass").split(b"\0")


def joined(texts: list[str]) -> Codes:
    """The characters of texts end to end, a character of kind END between them."""
    line = "\0".join([text.replace("\0", " ") for text in texts])
    return np.frombuffer(line.encode("utf-32-le", "surrogatepass"), dtype="<u4")


def _spread(codes: Codes, alone: npt.NDArray[np.bool_]) -> Codes:
    """The characters with spaces around those that are words by themselves."""
    widths = np.where(alone, 3, 1)
    ends = np.cumsum(widths)[alone]
    codes = np.repeat(codes, widths)
    codes[ends - 1] = codes[ends - 3] = _SPACE
    return codes


@functools.cache
def kinds_of_characters() -> npt.NDArray[np.uint8]:
    """The kind of each character. Beyond the first two planes there is Han and nothing else that makes words."""
    characters = "".join(map(chr, range(_HAN_PLANES.start)))
    table = np.full(sys.maxunicode + 1, GAP, dtype=np.uint8)
    for kind, pattern in _KINDS:
        for run in pattern.finditer(characters):
            table[run.start() : run.end()] = kind
    table[_HAN_PLANES.start : _HAN_PLANES.stop] = ALONE
    return table
