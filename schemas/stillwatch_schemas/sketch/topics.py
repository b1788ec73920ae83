"""Topic cells: a few hashed buckets of the words that tell most of what a text is about.

No corpus is at hand in the emitter, so length stands for rarity: the longest content words win, ties go to the
greater keyed hash. Texts in scripts without spaces offer pairs of neighbouring characters instead. Growth of the set of
cells an account has hit is topic coverage; equal cells across accounts are shared topics (1 in 4,096 by chance).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from stillwatch_schemas.sketch.hashing import CONTENT, PLAIN, TOKEN_BITS

CELLS = 4_096
MAX_CELLS = 4

_CONTENT_FLOOR = CONTENT << TOKEN_BITS
_MASK = (1 << TOKEN_BITS) - 1
_MIX = 0x9E3779B97F4A7C15


def topic_cells(values: Iterable[int], in_order: list[int], *, unspaced: bool) -> tuple[int, ...]:
    """Up to four cells, ascending: from distinct token values, for unspaced scripts also from neighbours."""
    best = [value for value in sorted(values, reverse=True)[:MAX_CELLS] if value >= _CONTENT_FLOOR]
    if unspaced and len(best) < MAX_CELLS:
        best += sorted(_character_pairs(in_order), reverse=True)[: MAX_CELLS - len(best)]
    return tuple(sorted({value % CELLS for value in best}))


def _character_pairs(values: list[int]) -> set[int]:
    """Mixed hashes of neighbouring single characters, function characters left out."""
    return {
        ((left * 3 + right) * _MIX & _MASK) >> (TOKEN_BITS // 2)
        for left, right in itertools.pairwise(values)
        if left >> TOKEN_BITS == PLAIN and right >> TOKEN_BITS == PLAIN
    }
