"""The frozen reference: the population of the first week, kept for ever, which exposes what drifts slowly.

The population is frozen anew every hour from calm accounts, so whoever moves slowly enough moves it along ("boiling
frog"). The reference is frozen once and learns nothing more. How far the population has come from it, detector by
detector, is told to operators (`reference_distance_permille`), and a finding says where an account would have stood
then. Only a reset of the state, which is a person's decision, freezes another one.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from stillwatch_models.learners.population import Population

Floats = NDArray[np.float64]

CONFIDENCE = 1.63
"""Kolmogorov and Smirnov's critical value at 1 %, in units of the root of (n + m) / (n m)."""
LEAST_DISTANCE = 0.1
"""A smaller distance is no drift worth telling, however many accounts prove it."""


class FrozenReference:
    """A population that is frozen once, and its distance from the population of the hour."""

    def __init__(self, columns: int, minimum: int) -> None:
        self.population = Population(columns, minimum)
        self.distance: Floats = np.zeros(columns)
        """Of the latest population, by column: 0 alike, 1 nothing in common."""
        self._bound = 1.0

    @property
    def frozen(self) -> bool:
        """Whether there is a reference yet."""
        return self.population.ready

    def follow(self, now: Population, *, may_freeze: bool) -> None:
        """Measure the new population; the first one that may be the reference becomes it."""
        if not self.frozen and may_freeze and now.ready:
            self.population.load(now.dump())
        self._measure(now)

    def _measure(self, now: Population) -> None:
        self.distance = self.population.distance(now)
        sizes = (self.population.size, now.size)
        chance = CONFIDENCE * math.sqrt(sum(sizes) / max(1, sizes[0] * sizes[1]))
        self._bound = max(LEAST_DISTANCE, chance)

    def has_moved(self, column: int) -> bool:
        """Whether the population has come away from the reference in this column, beyond chance."""
        return bool(self.distance[column] > self._bound)

    @property
    def distance_permille(self) -> int:
        """Greatest distance of any column, in thousandths."""
        return round(1000 * float(self.distance.max(initial=0.0)))

    def dump(self) -> bytes:
        """The frozen population."""
        return self.population.dump()

    def load(self, data: bytes, now: Population) -> None:
        """Take over a dump; `now` is the population of the hour, restored before."""
        self.population.load(data)
        self._measure(now)
