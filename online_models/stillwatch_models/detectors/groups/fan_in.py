"""Fan-in: a payment instrument, client or network gathers more newcomers than accounts do in general.

Hypothesis: whoever opens accounts by the hundred pays with a few cards and drives them from a few clients, while
    unrelated newcomers spread over groups as the accounts before them did.
Formula: -ln P(X >= k), X binomial(n, q), where k is the group's newcomers (accounts never seen before, fading with a
    half-life of a day), n the accounts it ever had (HyperLogLog, Apache DataSketches) and q the share of newcomers,
    faded alike, among all accounts that the sources ever saw.
Horizon: half-life of one day; silent in the first day, when everybody is new. Direction: more is worse.
Evades: one card an account; resold, aged accounts.
Benign look-alikes: a company that signs its staff up, a class, a reseller, a new release of a popular SDK.
"""

from __future__ import annotations

from stillwatch_models.detectors.groups.base import SILENT, GroupDetector, Kept, Reading, View, binomial_nats

LEAST_NEWCOMERS = 3


def _step(kept: Kept, view: View) -> tuple[Kept, Reading]:
    fresh = view.fresh + (kept[0] * 0.5 ** ((view.silence + 1) / view.history) if kept else 0.0)
    if fresh < LEAST_NEWCOMERS or view.windows < view.history or not view.known:
        return (fresh,), SILENT
    size = max(view.size, fresh)
    share = min(1.0, view.newcomers / view.known)
    return (fresh,), Reading(binomial_nats(fresh, size, share), fresh, size * share)


def _statement(group: str, reading: Reading) -> str:
    return (
        f"{reading.observed:.0f} accounts never seen before began on {group} in about a day; "
        f"by the share of newcomers among all accounts it would be {reading.baseline:.2f}"
    )


DETECTOR = GroupDetector(
    "fan_in", "accounts", "half-life 1 d", frozenset({"payment", "client", "net"}), _step, _statement
)
