"""Hand-over: as one account of the group stops, another starts.

Hypothesis: whoever works through a list with a pool of accounts replaces an account that has used up its quota by the
    next, so as many start as stop, while independent accounts come and go each for itself.
Formula: from one window to the next, J accounts start and L stop. Each switch of independent accounts in a steady
    state is a start or a stop with equal chance, so J given m = J + L is binomial(m, 1/2). Against it stands the
    hypergeometric P1(J) = C(m, J)^2 / C(2m, m), which is what pairing gives: the likelihood ratio
    2^m C(m, J) / C(2m, m) has expectation one under independence. Its logarithms add up and restart at zero (CUSUM;
    Page 1954, Lorden 1971). Steps that share a window are not independent (after many have come, many go), so a step
    is counted only if the one before it was not; m < 2 says nothing.
Horizon: since the latest restart. Direction: more is worse. Judged only while every account of both windows is named.
Evades: overlapping shifts; different payments and clients.
Benign look-alikes: shift workers who share a subscription, load balancing over a company's keys.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from math import comb, log

from stillwatch_models.detectors.groups.base import SILENT, GroupDetector, Kept, Reading, View

LEAST_SWITCHES = 2


def log_ratio(starts: int, stops: int) -> float:
    """Logarithm of P1 / P0 for one step; its expectation under P0 is at most zero, that of the ratio exactly one."""
    switches = starts + stops
    return switches * log(2.0) + log(comb(switches, starts)) - log(comb(2 * switches, switches))


def _step(kept: Kept, view: View) -> tuple[Kept, Reading]:
    nats, pairs, steps, used = kept or (0.0, 0.0, 0.0, 0.0)
    before: AbstractSet[str] | None = frozenset() if view.silence else view.before
    if before is None or not view.complete:
        return (nats, pairs, steps, 0.0), SILENT
    starts, stops = len(view.active - before), len(before - view.active)
    if used or starts + stops < LEAST_SWITCHES:
        return (nats, pairs, steps, 0.0), Reading(nats, pairs, steps)
    nats += log_ratio(starts, stops)
    if nats <= 0.0:
        return (0.0, 0.0, 0.0, 1.0), SILENT
    pairs, steps = pairs + min(starts, stops), steps + 1.0
    return (nats, pairs, steps, 1.0), Reading(nats, pairs, steps)


def _statement(group: str, reading: Reading) -> str:
    return (
        f"{reading.observed:.0f} times an account of {group} started in the window in which another one stopped, "
        f"in {reading.baseline:.0f} windows with changes"
    )


DETECTOR = GroupDetector(
    "hand_over", "hand-overs", "since last restart", frozenset({"payment", "client"}), _step, _statement
)
