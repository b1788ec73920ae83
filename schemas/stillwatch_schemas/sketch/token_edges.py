"""`edges` in compiled code, where no number has more than 64 bits."""

from __future__ import annotations

import numpy as np

from stillwatch_schemas.compiled import Number, part
from stillwatch_schemas.sketch.edges import EDGE_TOKENS, MASK, MULTIPLIERS, NUMBER_HASH, PRIME, PRIME_BITS
from stillwatch_schemas.sketch.traits import NUMBER
from stillwatch_schemas.sketch.vocabulary import Places, Words

_HALF, _QUARTER = np.uint64(31), np.uint64(30)
_LOWER, _REST = np.uint64((1 << 31) - 1), np.uint64((1 << 30) - 1)
_FACTORS = np.array(MULTIPLIERS, np.uint64)
_ONE, _MASK = np.uint64(1), np.uint64(MASK)
_MODULUS, _FOLD = np.uint64(PRIME), np.uint64(PRIME_BITS)
_NUMBER = np.uint64(NUMBER_HASH)


@part
def mixed(words: Words, places: Places) -> Number:
    """The hash of one to four tokens, in order."""
    total = np.uint64(0)
    for at in range(min(len(places), EDGE_TOKENS)):
        word = words[places[at]]
        total += _product(_NUMBER if word.traits & NUMBER else word.value, _FACTORS[at]) + _ONE
    return max(total % _MODULUS & _MASK, _ONE)


@part
def _product(value: Number, factor: Number) -> Number:
    """Congruent (modulo 2^61 - 1) to the product, and less than 2^61 + 8; the factor is less than 2^61.

    The product of halves of 31 bits: 2^61 counts as 1, 2^62 as 2, and what stands between is split at 2^30.
    """
    value = _reduced(value)
    upper, lower = value >> _HALF, value & _LOWER
    over, under = factor >> _HALF, factor & _LOWER
    across = upper * under + lower * over
    return _reduced((upper * over << _ONE) + lower * under + (across >> _QUARTER) + ((across & _REST) << _HALF))


@part
def _reduced(value: Number) -> Number:
    return (value & _MODULUS) + (value >> _FOLD)
