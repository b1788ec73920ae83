"""Release pivot: moving to a new model within hours of its release.

Hypothesis: a harvester wants the best teacher. Of one disclosed campaign almost half the traffic moved to a new model
    within 24 hours of its release.
Formula: share of requests to a model that the partition first saw less than 48 hours before, drawn towards 0.02 while
    events are few. What was there in the partition's own first 48 hours is no release.
Horizon: half-life 7 days. Direction: higher is more suspicious.
Evades: waiting for two days; a name that hides the release (an alias that always means the latest).
Benign look-alikes: enthusiasts, evaluation harnesses, everybody when a default changes (then nobody stands out); the
    owner of a fine-tune that has just been made.
"""

from __future__ import annotations

from stillwatch_models.detectors.base import Detector, Floats, Values


def _score(values: Values) -> Floats:
    return values.released


def _statement(values: Values) -> str:
    return f"{100 * values.released[0]:.0f} % of requests went to a model in its first 48 hours"


DETECTOR = Detector("release_pivot", "share", "account life, half-life 7 d", 0.25, _score, _statement)
