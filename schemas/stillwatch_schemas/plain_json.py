"""Values of plain JSON, read by compiled code.

Plain is what machines write nearly always: printable ASCII without escapes, numbers without exponents that fit into a
machine word, spaces as the only blanks. Whatever else there is ends the reading with `NOT_PLAIN`, and the value is left
to msgspec, which knows all of JSON and says what is wrong. So nothing is refused here, and nothing that is read here
would have been read otherwise.

All functions take bytes as numbers and a position in them. Behind the text there must be a line feed: no function goes
past a control character, so nobody has to ask where the text ends.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from stillwatch_schemas.compiled import lean_part

Bytes = NDArray[np.uint8]

NOT_PLAIN: Final = -1
"""In place of a position."""
OPEN, CLOSE, OPEN_LIST, CLOSE_LIST, QUOTE, COLON, COMMA, MINUS, POINT, SPACE, ZERO, NINE = b'{}[]":,-. 09'
_PAD: Final = ord("=")
MOST_DIGITS: Final = 18
"""Of whole numbers: as many as always fit into 64 bits."""
MOST_REAL_DIGITS: Final = 15
"""Of other numbers: as many as a float holds exactly, so that one division rounds as the exact conversion does."""

_NULL = np.frombuffer(b"null", np.uint8)
_TRUE = np.frombuffer(b"true", np.uint8)
_FALSE = np.frombuffer(b"false", np.uint8)
_IN_TEXT = np.array([chr(byte).isascii() and chr(byte).isprintable() and chr(byte) not in '"\\' for byte in range(256)])
_POWERS = 10.0 ** np.arange(MOST_REAL_DIGITS + 1)
_BASE64 = np.full(256, -1, np.int64)
_BASE64[list(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")] = np.arange(64)


@lean_part
def blank(text: Bytes, at: int) -> int:
    """Position after spaces."""
    while text[at] == SPACE:
        at += 1
    return at


@lean_part
def _word(text: Bytes, at: int, word: Bytes) -> int:
    for i in range(len(word)):
        if text[at + i] != word[i]:
            return NOT_PLAIN
    return at + len(word)


@lean_part
def null(text: Bytes, at: int) -> int:
    """Position after a null."""
    return _word(text, at, _NULL)


@lean_part
def truth(text: Bytes, at: int) -> tuple[int, int]:
    """A boolean as 0 or 1, and the position after it."""
    if text[at] == _TRUE[0]:
        return 1, _word(text, at, _TRUE)
    return 0, _word(text, at, _FALSE)


@lean_part
def end_of_text(text: Bytes, at: int) -> int:
    """Position of the quote that ends a text, whose first character is at `at`."""
    while _IN_TEXT[text[at]]:
        at += 1
    return at if text[at] == QUOTE else NOT_PLAIN


@lean_part
def _digits(text: Bytes, at: int, value: int, most: int) -> tuple[int, int]:
    """The number that `value` becomes with some digits behind it, and the position after them."""
    end = at + most
    while ZERO <= text[at] <= NINE and at < end:
        value = value * 10 + text[at] - ZERO
        at += 1
    return value, NOT_PLAIN if ZERO <= text[at] <= NINE else at


@lean_part
def whole(text: Bytes, at: int) -> tuple[int, int]:
    """A whole number, and the position after it."""
    start = at + (text[at] == MINUS)
    value, end = _digits(text, start, 0, MOST_DIGITS)
    if end <= start or (text[start] == ZERO and end > start + 1):
        return 0, NOT_PLAIN
    return (-value if start > at else value), end


@lean_part
def real(text: Bytes, at: int) -> tuple[float, int]:
    """A number with or without a fraction, and the position after it."""
    start = at + (text[at] == MINUS)
    value, end = _digits(text, start, 0, MOST_REAL_DIGITS)
    if end <= start or (text[start] == ZERO and end > start + 1):
        return 0.0, NOT_PLAIN
    scale = 0
    if text[end] == POINT:
        fraction = end + 1
        value, end = _digits(text, fraction, value, MOST_REAL_DIGITS - (end - start))
        scale = end - fraction
        if scale <= 0:
            return 0.0, NOT_PLAIN
    exact = value / _POWERS[scale]
    return (-exact if start > at else exact), end


@lean_part
def decode_base64(text: Bytes, at: int, end: int, out: NDArray[np.int8]) -> bool:
    """Write the bytes of canonical, padded Base64 of length `end - at` to `out`, which has just room for them."""
    missing = 3 - len(out) % 3 if len(out) % 3 else 0
    if end - at != (len(out) + missing) // 3 * 4:
        return False
    for i in range(missing):
        if text[end - 1 - i] != _PAD:
            return False
    held, bits, done = 0, 0, 0
    for i in range(at, end - missing):
        six = _BASE64[text[i]]
        if six < 0:
            return False
        held = held << 6 | six
        bits += 6
        if bits >= 8:  # noqa: PLR2004 - a byte
            bits -= 8
            out[done] = np.uint8(held >> bits & 255)
            done += 1
            held &= (1 << bits) - 1
    return bool(held == 0)
