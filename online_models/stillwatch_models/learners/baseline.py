"""A group's own baseline: fading mean and variance of its windows, from River's exponentially weighted means."""

from __future__ import annotations

from collections.abc import Sequence

from river import stats


class FadingBaseline:
    """Mean and variance of a series in which the past fades (Finch 2009, as `river.stats.EWMean`).

    The variance is the mean of squares less the square of the mean, both kept by River. River's objects hold a single
    number each, so a dump is that number and a restore is one update of a fresh object; an empty dump begins afresh.
    """

    def __init__(self, fading_factor: float, dump: Sequence[float]) -> None:
        self._mean = stats.EWMean(fading_factor)
        self._square = stats.EWMean(fading_factor)
        self.count = 0
        if dump:
            self.count = int(dump[0])
            self._mean.update(dump[1])
            self._square.update(dump[2])

    def update(self, value: float) -> None:
        """Learn one window."""
        self._mean.update(value)
        self._square.update(value * value)
        self.count += 1

    @property
    def mean(self) -> float:
        """Fading mean; 0 before the first window."""
        return float(self._mean.get()) if self.count else 0.0

    @property
    def variance(self) -> float:
        """Fading variance, never negative."""
        return max(0.0, float(self._square.get()) - self.mean**2) if self.count else 0.0

    def dump(self) -> tuple[float, ...]:
        """Windows learned, mean, mean of squares."""
        return (float(self.count), self.mean, float(self._square.get())) if self.count else ()
