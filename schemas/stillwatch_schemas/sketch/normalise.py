"""Text to tokens: the only place that looks at every character.

Reads at most the first 4,000 and the last 500 characters, so that a megabyte costs no more than a page. ASCII, which is
most traffic, takes a short cut through `bytes.translate`; a test holds it equal to the general path.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

HEAD_CHARS = 4_000
"""Characters read from the start of a text."""
TAIL_CHARS = 500
"""Characters read from its end, when it is longer than both together: instructions often stand last."""
READ_CHARS = HEAD_CHARS + TAIL_CHARS
"""Longest text that is read whole."""

# Scripts written without spaces: every character is a token. Han (all BMP blocks and planes 2-3), kana, Thai, Lao,
# Myanmar, Khmer. Hangul is spaced.
UNSPACED = (
    "\u2e80-\u2fdf\u3005-\u3007\u3041-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
)
# Vowel signs and points that Python's \w leaves out, though words of these scripts are made of them.
_MARKS = "\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u0900-\u0dff"

UNSPACED_CHAR = re.compile(f"[{UNSPACED}]")
# A run of unspaced characters, or a word. By runs, and possessive: a set is read in C, an alternation is not.
_TOKEN = re.compile(f"([{UNSPACED}]++)|((?:[^\\W_{UNSPACED}]++|[{_MARKS}]++)++)")
# Characters that show nothing and only serve to break words apart: soft hyphen, zero-width, direction marks, and
# apostrophes, so that "don't" is one token.
_INVISIBLE = re.compile("['\u2019\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]+")
# What NFKC makes of the signs that usually stand in its way: without them its quick check passes most texts.
_COMMON_WIDE = tuple(zip("\uff0c\uff1a\uff1f\uff01\uff08\uff09\uff1b\u2026\xa0", (*",:?!();", "...", " "), strict=True))
_SPACE = ord(" ")
# Letters in lower case and digits stay, all else becomes a space: what is left to do is to split.
_ASCII_WORDS = bytes(ord(chr(code).lower()) if chr(code).isalnum() else _SPACE for code in range(128)) + bytes(
    range(128, 256)
)
# Lower case, every kind of white space a space.
_ASCII_FOLD = bytes(_SPACE if chr(code).isspace() else ord(chr(code).lower()) for code in range(128)) + bytes(
    range(128, 256)
)

SEPARATOR = b"\xff"
"""Stands between texts: a byte that occurs neither in ASCII nor in UTF-8."""


class Normal(NamedTuple):
    """A text as the rest of the sketch sees it."""

    text: str
    """NFKC, at most 4,500 source characters, case kept (capitals matter to the skeleton)."""
    folded: bytes
    """`text` case-folded, white space collapsed, in UTF-8: what the text hash covers."""
    tokens: list[str]
    """Case-folded words and numbers; single characters of scripts without spaces."""


class Normals(NamedTuple):
    """Many texts as the rest of the sketch sees them, one list for each part."""

    texts: list[str]
    """As in `Normal`."""
    folded: list[bytes]
    """As in `Normal`."""
    words: list[bytes]
    """The tokens in UTF-8, white space between them."""


def clip(text: str) -> str:
    """The part of a text that is read: all of it, or its head and tail joined by a line feed."""
    if len(text) <= READ_CHARS:
        return text
    return f"{text[:HEAD_CHARS]}\n{text[-TAIL_CHARS:]}"


def tokenise(text: str) -> list[str]:
    """The tokens of a short text such as a lexicon phrase."""
    return normalise(text).tokens


def normalise(text: str) -> Normal:
    """Clip and normalise a text once for all parts of the sketch."""
    clipped = clip(text)
    if clipped.isascii():
        data = clipped.encode("ascii")
        folded = _collapsed(data.translate(_ASCII_FOLD))
        return Normal(clipped, folded, data.translate(_ASCII_WORDS, b"'").decode("ascii").split())
    return normalise_any(clipped)


def normalise_many(texts: Iterable[str]) -> Normals:
    """What `normalise` gives for each text; those in ASCII, which is most traffic, are worked on end to end."""
    clipped = list(map(clip, texts))
    data = SEPARATOR.join([text.encode("ascii") for text in clipped if text.isascii()])
    folded = iter(data.translate(_ASCII_FOLD).split(SEPARATOR))
    words = iter(data.translate(_ASCII_WORDS, b"'").split(SEPARATOR))
    normals = Normals([], [], [])
    for text in clipped:
        if text.isascii():
            _append(normals, text, _collapsed(next(folded)), next(words))
        else:
            normal = normalise_any(text)
            _append(normals, normal.text, normal.folded, " ".join(normal.tokens).encode("utf-8", "surrogatepass"))
    return normals


def _append(normals: Normals, text: str, folded: bytes, words: bytes) -> None:
    normals.texts.append(text)
    normals.folded.append(folded)
    normals.words.append(words)


def _collapsed(folded: bytes) -> bytes:
    """Single spaces only, and none at the ends."""
    if b"  " in folded or folded[:1] == b" " or folded[-1:] == b" ":
        return b" ".join(folded.split())
    return folded


def normalise_any(clipped: str) -> Normal:
    """The general path of `normalise`, for any script."""
    for wide, plain in _COMMON_WIDE:
        clipped = clipped.replace(wide, plain)
    text = unicodedata.normalize("NFKC", clipped)[:READ_CHARS]  # one character can become eighteen
    folded = text.casefold()
    tokens: list[str] = []
    for unspaced, word in _TOKEN.findall(_INVISIBLE.sub("", folded)):
        if word:
            tokens.append(word)
        else:
            tokens += unspaced
    return Normal(text, " ".join(folded.split()).encode("utf-8", "surrogatepass"), tokens)
