"""How many different things: HyperLogLog, as columns of 64 one-byte registers for accounts, as sketches for groups.

Flajolet, Fusy, Gandouet and Meunier, "HyperLogLog" (2007), with their small-range correction (linear counting). The
standard error is 1.04 / sqrt(64) = 13 %, and much less below about 40 distinct values, where most accounts are. A
register only ever grows by a maximum, so the order of events does not matter.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from datasketches import hll_sketch, hll_union, tgt_hll_type
from numpy.typing import NDArray
from stillwatch_schemas.compiled import Number, compiled, part

REGISTERS = 64
_INDEX_BITS = 6
MOST_RANK = 58
"""Bits of a hash that are left to count zeros in."""
INVERSE = np.exp2(-np.arange(MOST_RANK + 1.0))
"""2^-rank, by rank."""
_ALPHA = 0.709
"""Bias constant of the paper for 64 registers."""


def _spread(x: Any) -> Any:
    """splitmix64's finaliser (Steele et al. 2014), of one unsigned number or of many."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


_spread_one = part(_spread)


def mix(values: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Spread 64-bit values evenly."""
    return np.asarray(_spread(values.astype(np.uint64)))


@part
def mixed(value: Number) -> Number:
    """The same of one value, in compiled code."""
    return _spread_one(np.uint64(value))


@part
def add(registers: NDArray[np.uint8], value: Number) -> None:
    """Add a value to the set whose 64 registers these are."""
    hashed = mixed(value)
    rest, rank = hashed >> np.uint64(_INDEX_BITS), 1
    while rest & np.uint64(1) == 0 and rank < MOST_RANK:
        rest >>= np.uint64(1)
        rank += 1
    register = hashed & np.uint64(REGISTERS - 1)
    registers[register] = max(registers[register], rank)


def estimate(registers: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Number of distinct values in each row of `registers` (n, 64)."""
    inverse, empty = np.empty(len(registers)), np.empty(len(registers), np.int64)
    summed(registers, inverse, empty)
    raw = _ALPHA * REGISTERS * REGISTERS / inverse
    linear = REGISTERS * np.log(REGISTERS / np.maximum(empty, 1))
    return np.asarray(np.where((raw <= 2.5 * REGISTERS) & (empty > 0), linear, raw))


@compiled
def summed(registers: NDArray[np.uint8], inverse: NDArray[np.float64], empty: NDArray[np.int64]) -> None:
    """Fill in each set's sum of 2^-register, which is exact up to ranks of 46, and how many registers are empty."""
    for row in range(len(registers)):
        total, zeros = 0.0, 0
        for register in registers[row]:
            total += INVERSE[register]
            zeros += register == 0
        inverse[row], empty[row] = total, zeros


# -- whole sets, for groups: Apache DataSketches ----------------------------------------------------------------------
#
# An HLL sketch's bytes, and above a hundred values its estimate, depend on the order of updates and on whether it was
# written down in between. Groups therefore keep bytes only, and update them in one order.

_LG_K = 9
"""512 registers: a standard error of 4 %."""


def sketch_of(names: Iterable[str], kept: bytes = b"") -> bytes:
    """The sketch `kept` (empty for none) with these names added."""
    sketch = hll_sketch.deserialize(kept) if kept else hll_sketch(_LG_K, tgt_hll_type.HLL_4)
    for name in names:
        sketch.update(name)
    return bytes(sketch.serialize_compact())


def merged(kept: bytes, other: bytes) -> bytes:
    """The sketch of both sets."""
    if not kept:
        return other
    union = hll_union(_LG_K)
    union.update(hll_sketch.deserialize(kept))
    union.update(hll_sketch.deserialize(other))
    return bytes(union.get_result(tgt_hll_type.HLL_4).serialize_compact())


def size_of(kept: bytes) -> float:
    """How many distinct names were added."""
    return float(hll_sketch.deserialize(kept).get_estimate()) if kept else 0.0
