"""Volume against the population's and the account's own baseline.

Hypothesis: training a student takes thousands of exchanges, so sooner or later somebody asks more than people do.
Formula: log2(1 + requests/day) + max(0, own surge) / 2 + max(0, own growth) / 2. The own surge is in doublings of the
    last hour over the account's average hour. The own growth is in doublings of the usual week over the account's
    first week, which is frozen, so that a ramp of a few per cent a day can't teach its own baseline. Ranked within the
    stratum of accounts with as many events.
Evades: spreading over many accounts (25 requests a day each), which is why volume never decides alone.
Benign look-alikes: ETL jobs, evaluation runs, support bots. Measured alone it finds nothing; jointly it gives weight.
"""

from __future__ import annotations

import numpy as np

from stillwatch_models.detectors.base import Detector, Floats, Values


def _score(values: Values) -> Floats:
    return np.asarray(
        np.log2(1.0 + values.events_per_day)
        + 0.5 * np.maximum(values.own_surge, 0.0)
        + 0.5 * np.maximum(values.own_growth, 0.0)
    )


def _statement(values: Values) -> str:
    return (
        f"{values.events_per_day[0]:.0f} requests a day; the last hour was "
        f"{2.0 ** values.own_surge[0]:.1f} times the account's own average hour, "
        f"its usual week {2.0 ** values.own_growth[0]:.1f} times its first"
    )


DETECTOR = Detector("volume", "log2 requests/day", "account life", 0.5, _score, _statement)
