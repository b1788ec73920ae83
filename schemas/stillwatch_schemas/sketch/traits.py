"""What is noted of a word once and for all, so that compiled code need not look at its letters again."""

from __future__ import annotations

from typing import Final

from stillwatch_schemas.sketch.lexicon import Lexicon
from stillwatch_schemas.sketch.marks import mark_bits

# 2 and 4 are marks of style.
NUMBER: Final = 1
"""Is a number, in any script."""
DIGITS: Final = 8
"""Is a number in ASCII digits, as phrases ask for."""
LEXICON_SHIFT: Final = 4
"""The bits above are the word's number in the lexicon."""


def traits_of(token: str, lexicon: Lexicon) -> int:
    """A bit mask of 16 bits: NUMBER, FIRST_PERSON, GREETS, DIGITS, and above them the number in the lexicon."""
    number = token.isdigit()
    return (
        NUMBER * number
        | DIGITS * (number and token.isascii())
        | mark_bits(token)
        | lexicon.number(token) << LEXICON_SHIFT
    )
