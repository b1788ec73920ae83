"""Which model a call goes to: the scenario's mix, a release that draws traffic over, and teachers in turn."""

from __future__ import annotations

from random import Random

from stillwatch_streams.simulator.places import weighted
from stillwatch_streams.simulator.profile import Profile
from stillwatch_streams.simulator.scenario import Model, Pivot, Scenario
from stillwatch_streams.simulator.timing import DAY, HOUR

_LOYALTY = 0.8
"""Share of calls that go to the account's usual model."""


class ModelMix:
    """The models of one account's stream."""

    def __init__(self, scenario: Scenario, profile: Profile, pivot: Pivot | None, start_ms: int, rng: Random) -> None:
        self._models = {model.name: model for model in scenario.models}
        release = scenario.release
        if release is not None:
            self._models[release.model.name] = release.model
        self._weights = profile.models or {model.name: model.weight for model in scenario.models}
        self._usual = weighted(self._weights, rng)
        self._new: Model | None = None if release is None else release.model
        self._out_ms = start_ms + int(release.day * DAY) if release else 0
        self._share = (pivot.share if pivot else release.benign_share) if release else 0.0
        self._over_ms = (pivot.within_hours * HOUR if pivot else release.benign_days * DAY) if release else 1.0

    def choose(self, at_ms: int, rng: Random) -> Model:
        """The model of a call at this time."""
        if self._new is not None and at_ms >= self._out_ms:
            moved = self._share * min(1.0, (at_ms - self._out_ms) / self._over_ms)
            if rng.random() < moved:
                return self._new
        return self._models[self._usual if rng.random() < _LOYALTY else weighted(self._weights, rng)]

    def teacher(self, number: int) -> Model:
        """The model with this number, round and round: for prompts that are sent to several."""
        names = list(self._weights)
        return self._models[names[number % len(names)]]
