"""Machine rhythm: evenly spaced requests, at all hours.

Hypothesis: a harvester runs a closed loop (send, wait, send): gaps of seconds with a coefficient of variation of
    0.1-0.4, where people read, think and leave. A paced one runs round the clock.
Formula: hour-of-day entropy - standard deviation of log2 gaps inside sessions (drawn towards a person's 3 doublings
    while gaps are few). Goh and Barabasi's burstiness (2008) orders accounts alike; the logarithm survives stalls.
Evades: sleeping random, heavy-tailed times between requests; borrowing the rhythm of a relayed human.
Benign look-alikes: cron jobs, batch ETL, evaluation harnesses, which is why rhythm alone does not alert.
"""

from __future__ import annotations

import numpy as np

from stillwatch_models.detectors.base import Detector, Floats, Values


def _score(values: Values) -> Floats:
    return np.asarray(values.hour_entropy - values.gap_spread)


def _statement(values: Values) -> str:
    return (
        f"gaps inside sessions vary by {values.gap_spread[0]:.1f} doublings (coefficient of variation "
        f"{values.gap_cv[0]:.2f}) and activity covers {100 * values.hour_entropy[0]:.0f} % of the day's hours evenly"
    )


DETECTOR = Detector("machine_rhythm", "evenness", "account life, half-life 7 d", 1.0, _score, _statement)
