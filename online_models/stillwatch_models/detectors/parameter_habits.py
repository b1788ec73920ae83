"""Parameter habits: log probabilities, several answers at once, decoding held fixed.

Hypothesis: log probabilities carry far more of the teacher than its words (Hinton et al. 2015 distil from them),
    several answers a prompt serve best-of-n and preference data, and fixed decoding makes a data set reproducible.
Formula: share of requests for log probabilities + share with n > 1 + a third of the share with temperature 0 or a
    seed. Shares are drawn towards an average account's while events are few.
Horizon: half-life 7 days. Direction: higher is more suspicious.
Evades: taking the words alone, with everybody's parameters; sampling n times instead of asking for n.
Benign look-alikes: classifiers and rerankers that read log probabilities, ETL and tests with temperature 0.
"""

from __future__ import annotations

import numpy as np

from stillwatch_models.detectors.base import Detector, Floats, Values


def _score(values: Values) -> Floats:
    return np.asarray(values.logprobs + values.many + values.fixed / 3.0)


def _statement(values: Values) -> str:
    return (
        f"{100 * values.logprobs[0]:.0f} % of requests ask for log probabilities, {100 * values.many[0]:.0f} % for "
        f"several answers, {100 * values.fixed[0]:.0f} % hold the decoding fixed"
    )


DETECTOR = Detector("parameter_habits", "shares", "account life, half-life 7 d", 0.25, _score, _statement)
