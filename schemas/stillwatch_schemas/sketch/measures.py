"""The cheap measures of a text: dominant script and share of program code."""

from __future__ import annotations

import functools
import re

import numpy as np
import numpy.typing as npt

from stillwatch_schemas.sketch.normalise import SEPARATOR

LATIN, HAN, KANA_OR_HANGUL, CYRILLIC, ARABIC, OTHER = range(6)
"""Values of `Sketch.script`."""
UNSPACED_SCRIPTS = frozenset({HAN, KANA_OR_HANGUL, OTHER})
"""Written, or often written, without spaces."""

_NONE = 6
_BLOCKS = (
    ((0x41, 0x5A), (0x61, 0x7A), (0xC0, 0x24F), (0x1E00, 0x1EFF)),
    ((0x2E80, 0x2FDF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF)),
    ((0x1100, 0x11FF), (0x3041, 0x30FF), (0x31F0, 0x31FF), (0xAC00, 0xD7FF)),
    ((0x400, 0x52F),),
    ((0x600, 0x6FF), (0x750, 0x77F), (0xFB50, 0xFDFF), (0xFE70, 0xFEFF)),
    ((0x250, 0x3FF), (0x530, 0x5FF), (0x700, 0x74F), (0x780, 0x10FF), (0x1200, 0x1DFF)),
)
_KANA_SHARE = 0.2
"""Japanese is mostly Han by count; this share of kana among both makes it Japanese."""

_FENCE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_CODE_SIGNS = b"{};=<>_[]\t"
# What remains without these are the signs and whatever begins a longer one, so at least as many as there are signs.
_NEVER_CODE = bytes(set(range(256)) - {*_CODE_SIGNS, *b"(\n", *SEPARATOR})
_CODE_FLOOR, _CODE_SPAN = 0.02, 0.08


@functools.cache
def _block_table() -> npt.NDArray[np.uint8]:
    table = np.full(0x10000, _NONE, dtype=np.uint8)
    for script, ranges in enumerate(_BLOCKS):
        for first, last in ranges:
            table[first : last + 1] = script
    return table


def script_of(text: str) -> int:
    """The script most of the letters belong to; Latin without letters, `OTHER` for letters beyond the table."""
    if text.isascii():
        return LATIN
    units = np.frombuffer(text.encode("utf-16-le", "surrogatepass"), dtype="<u2")
    counts = np.bincount(_block_table()[units], minlength=_NONE + 1)[:_NONE]
    if counts[KANA_OR_HANGUL] > _KANA_SHARE * (counts[KANA_OR_HANGUL] + counts[HAN]):
        counts[KANA_OR_HANGUL] += counts[HAN]
        counts[HAN] = 0
    return int(counts.argmax())


def code_share(text: str) -> float:
    """Share of the text that looks like code, 0 to 1: by fenced blocks, or by the density of code signs."""
    data = text.encode("utf-8", "surrogatepass")
    signs = len(data) - len(data.translate(None, _CODE_SIGNS)) + data.count(b"()") + data.count(b"\n    ")
    fences = "```" in text
    if not fences and signs <= _CODE_FLOOR * len(text):
        return 0.0
    fenced = sum(map(len, _FENCE.findall(text))) / len(text) if fences else 0.0
    dense = min(max((signs / len(text) - _CODE_FLOOR) / _CODE_SPAN, 0.0), 1.0)
    return round(max(fenced, dense), 3)


def code_shares(texts: list[str]) -> list[float]:
    """The same of each text; most have too few of the signs, and need no look of their own."""
    data = SEPARATOR.join([text.encode("utf-8", "surrogatepass") for text in texts])
    fences = b"```" in data
    at_most = map(len, data.translate(None, _NEVER_CODE).split(SEPARATOR))
    return [
        code_share(text) if signs > _CODE_FLOOR * len(text) or (fences and "```" in text) else 0.0
        for text, signs in zip(texts, at_most, strict=True)
    ]
