"""ADWIN2: an adaptive window over a series, cut where its older and newer parts differ.

Bifet and Gavaldà, "Learning from time-changing data with adaptive windowing" (SIAM SDM 2007), section 4. The window is
kept as buckets of 1, 2, 4, ... values, at most `MOST_BUCKETS` of a size, each with sum and variance. After every value
all borders between buckets are tried, and the oldest bucket is dropped while some older part differs from the newer
part by more than chance grants (the paper's cut with the variance of the window).

River has the same (`river.drift.ADWIN`), but its state sits in a compiled object that can only be pickled. This one is
tested to take every decision that River's takes, value for value, and is dumped as plain numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

DELTA = 0.002
"""Confidence: probability of a false cut at a look, about."""
MOST_BUCKETS = 5
LEAST_PART = 5
"""Values in a part of the window that may be compared."""
GRACE = 10
"""Values before the first look."""

Bucket = tuple[float, float]
"""Sum of the values and sum of their squared distances from their mean."""


class Adwin:
    """One watched series. Its mean is trustworthy for the present, because what differs from it has been cut off."""

    def __init__(self, delta: float = DELTA, dump: Sequence[float] = ()) -> None:
        self.delta = delta
        self._rows: list[list[Bucket]] = [[]]
        """Buckets of 2^row values, oldest first."""
        self.width = 0
        self.total = 0.0
        self._squares = 0.0
        if dump:
            self._load(dump)

    @property
    def mean(self) -> float:
        """Mean of the window; 0 while it is empty."""
        return self.total / self.width if self.width else 0.0

    @property
    def variance(self) -> float:
        """Variance of the window; 0 while it is empty."""
        return self._squares / self.width if self.width else 0.0

    def update(self, value: float) -> bool:
        """Take in a value; True where the window was cut. The values after the cut are kept."""
        self._insert(value)
        if self.width <= GRACE or not self._differs():
            return False
        self._drop_oldest()
        while self._differs():
            self._drop_oldest()
        return True

    def _insert(self, value: float) -> None:
        if self.width:
            distance = value - self.total / self.width
            self._squares += self.width * distance * distance / (self.width + 1)
        self.width += 1
        self.total += value
        self._rows[0].append((value, 0.0))
        self._merge()

    def _merge(self) -> None:
        """Two of the oldest buckets of a size become one of the next where there are too many."""
        for row, buckets in enumerate(self._rows):
            if len(buckets) <= MOST_BUCKETS:
                return
            size = float(2**row)
            (first, first_squares), (second, second_squares) = buckets[:2]
            del buckets[:2]
            apart = first / size - second / size
            merged = (first + second, first_squares + second_squares + size * size * apart * apart / (size + size))
            if row + 1 == len(self._rows):
                self._rows.append([])
            self._rows[row + 1].append(merged)

    def _differs(self) -> bool:
        """Whether the window's older and newer parts differ at any border between buckets."""
        older, older_total = 0.0, 0.0
        for row in range(len(self._rows) - 1, -1, -1):
            size = float(2**row)
            for total, _ in self._rows[row]:
                older += size
                older_total += total
                newer = self.width - older
                if older < LEAST_PART or newer < LEAST_PART:
                    continue
                apart = older_total / older - (self.total - older_total) / newer
                if abs(apart) > self._allowed(older, newer):
                    return True
        return False

    def _allowed(self, older: float, newer: float) -> float:
        """The paper's epsilon_cut; the shortest parts that are compared count as one value, as River has it."""
        log_term = math.log(2.0 * math.log(self.width) / self.delta)
        inverse = 1.0 / (older - LEAST_PART + 1) + 1.0 / (newer - LEAST_PART + 1)
        return math.sqrt(2.0 * inverse * self.variance * log_term) + 2.0 / 3.0 * log_term * inverse

    def _drop_oldest(self) -> None:
        size = 2 ** (len(self._rows) - 1)
        total, squares = self._rows[-1].pop(0)
        self.width -= size
        self.total -= total
        apart = total / size - self.total / self.width
        self._squares -= squares + size * self.width * apart * apart / (size + self.width)
        while len(self._rows) > 1 and not self._rows[-1]:
            self._rows.pop()

    def dump(self) -> list[float]:
        """Plain numbers: width, sum, squares, and for each row its number of buckets and their sums and squares."""
        out = [float(self.width), self.total, self._squares]
        for buckets in self._rows:
            out.append(float(len(buckets)))
            out.extend(number for bucket in buckets for number in bucket)
        return out

    def _load(self, dump: Sequence[float]) -> None:
        self.width, self.total, self._squares = int(dump[0]), dump[1], dump[2]
        self._rows, at = [], 3
        while at < len(dump):
            end = at + 1 + 2 * int(dump[at])
            self._rows.append(list(zip(dump[at + 1 : end : 2], dump[at + 2 : end : 2], strict=True)))
            at = end
