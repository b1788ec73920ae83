"""Surge: accounts arriving in a group against the group's own past.

Hypothesis: a campaign brings many accounts at once into networks, clients, templates or topics where they were not
    before. Counted are arrivals in a window of 10 minutes: accounts whose previous traffic came from elsewhere
    (templates and topics: all accounts).
Formula: -ln of the tail probability of the window's arrivals under a negative binomial with the group's fading mean and
    variance (moments matched, variance at least the mean), P(X >= k) = I_{1-p}(k, r) with p = mean / variance and
    r = mean^2 / (variance - mean) (Johnson, Kemp and Kotz, Univariate Discrete Distributions, 5.6). Mean and mean of
    squares fade as River's `stats.EWMean`; a surge does not teach them. At least ten accounts.
Horizon: one window against about 50 windows. Direction: more is worse.
Evades: arriving slowly; many networks.
Benign look-alikes: a conference, a class, a VPN exit, a carrier's renumbering, a viral prompt.
"""

from __future__ import annotations

import math

from scipy.special import betainc

from stillwatch_models.detectors.groups.base import LEAST_NATS, SILENT, GroupDetector, Kept, Reading, View, nats_of

LEAST_ARRIVALS = 10
FADING_FACTOR = 0.02
"""Weight of the latest window: a memory of about 50 windows."""
LONGEST_SILENCE = 1_008
"""Empty windows learned at most when a group comes back: a week."""


def tail_nats(count: int, mean: float, variance: float) -> float:
    """-ln P(X >= count), X negative binomial with this mean and variance (at least 1.05 of the mean), capped at 700."""
    mean = max(mean, 0.1)
    variance = max(variance, 1.05 * mean)
    size = mean * mean / (variance - mean)
    return nats_of(float(betainc(count, size, 1.0 - mean / variance)))


def _step(kept: Kept, view: View) -> tuple[Kept, Reading]:
    count, mean, square = kept or (0.0, 0.0, 0.0)
    if kept and view.silence:
        silence = min(view.silence, LONGEST_SILENCE)
        faded = (1.0 - FADING_FACTOR) ** silence
        count, mean, square = count + silence, mean * faded, square * faded
    reading = SILENT
    if view.arrivals >= LEAST_ARRIVALS and count >= view.history:
        reading = Reading(tail_nats(view.arrivals, mean, max(0.0, square - mean * mean)), view.arrivals, mean)
    if reading.nats < LEAST_NATS:
        weight = FADING_FACTOR if count else 1.0
        mean += weight * (view.arrivals - mean)
        square += weight * (view.arrivals * view.arrivals - square)
        count += 1.0
    return (count, mean, square), reading


def _statement(group: str, reading: Reading) -> str:
    usual = f"{reading.baseline:.2f}" if math.isfinite(reading.baseline) else "none"
    return f"{reading.observed:.0f} accounts arrived in {group} within one window; {usual} are usual"


DETECTOR = GroupDetector(
    "surge",
    "accounts",
    "one window",
    frozenset({"asn", "net", "payment", "client", "template", "topic"}),
    _step,
    _statement,
)
