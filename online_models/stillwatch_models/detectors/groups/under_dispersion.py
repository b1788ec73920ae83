"""Under-dispersion: the group's load is steadier than independent requests can be.

Hypothesis: a pool of accounts behind one queue, or under one total rate, shares a constant load: what one account does
    not send another one does.
Formula: index of dispersion of the requests of the last 36 windows, D = sum (x - mean)^2 / mean; under Poisson arrivals
    D is chi-squared with 35 degrees of freedom (Fisher, Thornton and Mackenzie 1922), and real traffic is burstier than
    Poisson. The reading is -ln P(X <= D), the lower tail, only with at least 5 requests a window and three accounts.
Horizon: 36 windows, 6 hours. Direction: less spread is worse.
Evades: a random total rate; a day's rhythm; fewer than three accounts at a time.
Benign look-alikes: batch jobs of one company over several keys, health checks.
"""

from __future__ import annotations

from scipy.special import gammainc

from stillwatch_models.detectors.groups.base import SILENT, GroupDetector, Kept, Reading, View, nats_of

WINDOWS = 36
LEAST_MEAN = 5.0
LEAST_ACCOUNTS = 3


def _step(kept: Kept, view: View) -> tuple[Kept, Reading]:
    loads = (*kept, *(0.0,) * min(view.silence, WINDOWS), float(view.events))[-WINDOWS:]
    if len(loads) < WINDOWS or view.accounts < LEAST_ACCOUNTS:
        return loads, SILENT
    mean = sum(loads) / WINDOWS
    if mean < LEAST_MEAN:
        return loads, SILENT
    index = sum((load - mean) ** 2 for load in loads) / mean
    degrees = WINDOWS - 1
    return loads, Reading(nats_of(float(gammainc(degrees / 2, index / 2))), index / degrees, 1.0)


def _statement(group: str, reading: Reading) -> str:
    return (
        f"the requests of {group} vary {reading.observed:.2f} times as much as independent requests would "
        f"(variance over mean, {WINDOWS} windows)"
    )


DETECTOR = GroupDetector(
    "under_dispersion",
    "variance/mean",
    f"{WINDOWS} windows",
    frozenset({"net", "payment", "client", "template"}),
    _step,
    _statement,
)
