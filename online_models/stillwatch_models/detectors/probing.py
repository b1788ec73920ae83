"""Probing of safety boundaries: asking again and again for what a model should refuse.

Hypothesis: who copies a model also wants its refusals, as training data for them or to train them away.
Formula: mean probing score of the prompts, 0 to 1 from the sketch's phrase lists, drawn towards 0 while texts are few,
    times freshness: a list of probes, not one sentence tried a hundred times.
Horizon: half-life 7 days. Direction: higher is more suspicious.
Evades: wording outside the lists, other languages than theirs, encodings.
Benign look-alikes: red teams, moderation classifiers, curious teenagers, which is why it weighs little.
"""

from __future__ import annotations

import numpy as np

from stillwatch_models.detectors.base import Detector, Floats, Values


def _score(values: Values) -> Floats:
    return np.asarray(values.probing * values.freshness)


def _statement(values: Values) -> str:
    return (
        f"prompts probe safety boundaries ({values.probing[0]:.2f} of 1 on average), "
        f"{100 * values.freshness[0]:.0f} % of them new"
    )


DETECTOR = Detector("probing", "0 to 1", "account life, half-life 7 d", 0.25, _score, _statement)
