"""Runs of equal values in columns that are in order."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.intp]
Integers = NDArray[np.integer[Any]]


def starts_of(*columns: Integers) -> Indices:
    """Positions where any of the columns changes."""
    change = np.zeros(len(columns[0]), bool)
    change[:1] = True
    for column in columns:
        change[1:] |= column[1:] != column[:-1]
    return np.flatnonzero(change)
