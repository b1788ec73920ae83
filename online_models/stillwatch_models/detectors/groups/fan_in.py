"""Fan-in: new accounts gather on one payment instrument, client or network faster than its size explains.

Hypothesis: whoever opens accounts by the hundred pays with a few cards and drives them from a few clients, while
    unrelated newcomers spread over groups as the accounts before them did.
Formula: -ln P(X >= k), X Poisson with mean newcomers x (size + 1) / (sum of sizes + groups), where k is the group's
    newcomers (accounts never seen before, fading with a half-life of a day), `newcomers` the same of all groups of the
    kind, and size the number of distinct accounts (HyperLogLog, Apache DataSketches) before them. Add-one smoothing
    gives a group never seen before the size of one account. The partition of the signals is the population.
Horizon: half-life of one day; silent in the first day, when everybody is new. Direction: more is worse.
Evades: one card an account; resold, aged accounts.
Benign look-alikes: a company that signs its staff up, a class, a reseller, a new release of a popular SDK.
"""

from __future__ import annotations

from stillwatch_models.detectors.groups.base import SILENT, GroupDetector, Kept, Reading, View, poisson_nats

LEAST_NEWCOMERS = 3


def _step(kept: Kept, view: View) -> tuple[Kept, Reading]:
    fresh = view.fresh + (kept[0] * 0.5 ** ((view.silence + 1) / view.history) if kept else 0.0)
    around = view.around
    if fresh < LEAST_NEWCOMERS or around.windows < view.history:
        return (fresh,), SILENT
    size = max(0.0, view.size - fresh)
    mean = around.fresh * (size + 1.0) / (max(0.0, around.sizes - around.fresh) + around.groups)
    return (fresh,), Reading(poisson_nats(fresh, mean), fresh, mean)


def _statement(group: str, reading: Reading) -> str:
    return (
        f"{reading.observed:.0f} accounts never seen before began on {group} in about a day; "
        f"its size would explain {reading.baseline:.2f}"
    )


DETECTOR = GroupDetector(
    "fan_in", "accounts", "half-life 1 d", frozenset({"payment", "client", "net"}), _step, _statement
)
