"""Drift of a shard's inputs and scores: a baseline that describes the past is found out.

Once an epoch each watched series gets one number, a mean over the accounts that were active in it, one vote an
account. Traffic breathes with the day, so the number is set against the same time of the days before (fading mean) and
measured in usual deviations. What remains goes through ADWIN. A cut says: what is known from before does not describe
the present; the baseline is then made of accounts that were seen since.

A detected drift must not teach an attack: suspected accounts stay out of the baseline as ever, and the frozen reference
(`reference`) is not touched by it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec

from stillwatch_models.learners.adwin import Adwin
from stillwatch_models.learners.baseline import FadingBaseline

DAY_SECONDS = 86_400.0
MOST_SLOTS = 96
SEASON_FADING, SPREAD_FADING = 0.3, 0.02
LEAST_SPREAD = 0.005
"""Deviations below half a percent of a series' range are not worth a drift."""
MOST_DEVIATIONS = 6.0
NEVER = -1
DELTA = 1e-4
"""Confidence of a cut: at an hourly look, well below one false alarm a year for independent values."""


class _SeriesState(msgspec.Struct):
    season: list[list[float]]
    spread: list[float]
    window: list[float]


class _State(msgspec.Struct):
    series: dict[str, _SeriesState]
    found: int
    first_epoch: int
    since: int


class Series:
    """One watched number, 0 to 1: its daily course, its usual deviation, and the window that fits the present."""

    def __init__(self, slots: int, state: _SeriesState | None = None) -> None:
        kept = state or _SeriesState([[]] * slots, [], [])
        self._season = [FadingBaseline(SEASON_FADING, dump) for dump in kept.season]
        self._spread = FadingBaseline(SPREAD_FADING, kept.spread)
        self._window = Adwin(DELTA, kept.window)

    @property
    def width(self) -> int:
        """Epochs that describe the present."""
        return self._window.width

    def update(self, slot: int, value: float) -> bool:
        """Take in an epoch's number; True where the series has drifted."""
        usual = self._season[slot]
        cut = False
        if usual.count:
            residual = value - usual.mean
            if self._spread.count:
                spread = max(LEAST_SPREAD, math.sqrt(self._spread.variance + self._spread.mean**2))
                cut = self._window.update(max(-MOST_DEVIATIONS, min(MOST_DEVIATIONS, residual / spread)))
            self._spread.update(residual)
        usual.update(value)
        return cut

    def state(self) -> _SeriesState:
        """Plain numbers."""
        season = [list(slot.dump()) for slot in self._season]
        return _SeriesState(season, list(self._spread.dump()), self._window.dump())


class DriftWatch:
    """The watched series of one shard by name, fed once an epoch."""

    def __init__(self, epoch_seconds: float) -> None:
        self._slots = min(MOST_SLOTS, max(1, round(DAY_SECONDS / epoch_seconds)))
        self._series: dict[str, Series] = {}
        self.found = 0
        """Drifts so far."""
        self._first_epoch = NEVER
        self._since = NEVER

    def update(self, epoch: int, values: Mapping[str, float]) -> list[str]:
        """Take in an epoch's numbers; returns the series that drifted."""
        drifted = []
        for name in sorted(values):
            series = self._series.setdefault(name, Series(self._slots))
            if series.update(epoch % self._slots, values[name]):
                drifted.append(name)
                self._since = max(self._since, epoch - series.width)
        self.found += len(drifted)
        return drifted

    def epochs_until(self, epoch: int) -> int:
        """Epochs since the first one that anybody asked about."""
        if self._first_epoch == NEVER:
            self._first_epoch = epoch
        return epoch - self._first_epoch

    @property
    def since(self) -> int:
        """First epoch that describes the present; 0 while nothing has drifted."""
        return max(self._since, 0)

    def dump(self) -> bytes:
        """JSON of plain numbers."""
        series = {name: one.state() for name, one in self._series.items()}
        return msgspec.json.encode(_State(series, self.found, self._first_epoch, self._since))

    def load(self, data: bytes) -> None:
        """Take over a dump."""
        state = msgspec.json.decode(data, type=_State)
        self._series = {name: Series(self._slots, one) for name, one in state.series.items()}
        self.found, self._first_epoch, self._since = state.found, state.first_epoch, state.since
