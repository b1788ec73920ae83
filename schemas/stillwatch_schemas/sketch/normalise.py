"""Text to tokens: the only place that looks at every character.

Reads at most the first 4,000 and the last 500 characters, so that a megabyte costs no more than a page. ASCII, which is
most traffic, takes a short cut through `bytes.translate`; a test holds it equal to the general path.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from stillwatch_schemas.sketch.characters import words_of

HEAD_CHARS = 4_000
"""Characters read from the start of a text."""
TAIL_CHARS = 500
"""Characters read from its end, when it is longer than both together: instructions often stand last."""
READ_CHARS = HEAD_CHARS + TAIL_CHARS
"""Longest text that is read whole."""

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

SEPARATOR, UNSPACED_SEPARATOR = b"\xff", b"\xfe"
"""Stand behind texts, the second behind those in scripts without spaces: they occur neither in ASCII nor in UTF-8."""


class Normal(NamedTuple):
    """A text as the rest of the sketch sees it."""

    text: str
    """NFKC, at most 4,500 source characters, case kept (capitals matter to the skeleton)."""
    folded: bytes
    """`text` case-folded, white space collapsed, in UTF-8: what the text hash covers."""
    words: bytes
    """Case-folded words and numbers in UTF-8, spaces between them; single characters of scripts without spaces."""


class Normals(NamedTuple):
    """Many texts as the rest of the sketch sees them, one list for each part."""

    texts: list[str]
    """As in `Normal`."""
    folded: list[bytes]
    """As in `Normal`."""
    words: list[bytes]
    """As in `Normal`."""


WordsOf = Callable[[list[str]], list[bytes]]
"""See `characters.words_of`."""
_Parts = tuple[str, bytes, bytes]


def clip(text: str) -> str:
    """The part of a text that is read: all of it, or its head and tail joined by a line feed."""
    if len(text) <= READ_CHARS:
        return text
    return f"{text[:HEAD_CHARS]}\n{text[-TAIL_CHARS:]}"


def tokens_of(words: bytes) -> list[str]:
    """The tokens of a normalised text."""
    return words.decode("utf-8", "surrogatepass").split()


def tokenise(text: str) -> list[str]:
    """The tokens of a short text such as a lexicon phrase."""
    return tokens_of(normalise(text).words)


def normalise(text: str, words_of: WordsOf = words_of) -> Normal:
    """Clip and normalise a text once for all parts of the sketch; `words_of` finds words in any script."""
    clipped = clip(text)
    if clipped.isascii():
        data = clipped.encode("ascii")
        folded = _collapsed(data.translate(_ASCII_FOLD))
        return Normal(clipped, folded, data.translate(_ASCII_WORDS, b"'"))
    return normalise_any(clipped, words_of)


def normalise_many(texts: list[str], words_of: WordsOf = words_of) -> Normals:
    """What `normalise` gives for each of some texts, worked on end to end."""
    clipped = list(map(clip, texts))
    in_ascii = _ascii_parts([text for text in clipped if text.isascii()])
    others = _other_parts([text for text in clipped if not text.isascii()], words_of)
    parts = [next(in_ascii if text.isascii() else others) for text in clipped]
    return Normals(*map(list, zip(*parts, strict=True)))


def _ascii_parts(texts: list[str]) -> Iterator[_Parts]:
    data = SEPARATOR.join([text.encode("ascii") for text in texts])
    folded = _all_collapsed(data.translate(_ASCII_FOLD))
    return zip(texts, folded, data.translate(_ASCII_WORDS, b"'").split(SEPARATOR), strict=False)


def _other_parts(texts: list[str], words_of: WordsOf) -> Iterator[_Parts]:
    compatible = list(map(_compatible, texts))
    folded = list(map(str.casefold, compatible))
    return zip(compatible, map(_utf_8, folded), words_of(folded), strict=False)


def _collapsed(folded: bytes) -> bytes:
    """Single spaces only, and none at the ends."""
    while b"  " in folded:
        folded = folded.replace(b"  ", b" ")
    return folded.strip(b" ")


def _all_collapsed(folded: bytes) -> list[bytes]:
    """The same of texts end to end."""
    codes = np.frombuffer(folded, dtype=np.uint8)
    spaces = codes == _SPACE
    kept = ~spaces
    kept[1:] |= ~(spaces | (codes == SEPARATOR[0]))[:-1]
    return [text.rstrip(b" ") for text in codes[kept].tobytes().split(SEPARATOR)]


def normalise_any(clipped: str, words_of: WordsOf = words_of) -> Normal:
    """The general path of `normalise`, for any script."""
    text = _compatible(clipped)
    folded = text.casefold()
    return Normal(text, _utf_8(folded), words_of([folded])[0])


def _compatible(clipped: str) -> str:
    """NFKC."""
    for wide, plain in _COMMON_WIDE:
        clipped = clipped.replace(wide, plain)
    return unicodedata.normalize("NFKC", clipped)[:READ_CHARS]  # one character can become eighteen


def _utf_8(folded: str) -> bytes:
    """Single spaces only, and none at the ends."""
    # white space other than a space counts as not printable
    if not folded.isprintable() or "  " in folded or folded[:1] == " " or folded[-1:] == " ":
        folded = " ".join(folded.split())
    return folded.encode("utf-8", "surrogatepass")
