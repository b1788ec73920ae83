"""Sign-up batch: the group's accounts were created on the same day.

Hypothesis: accounts made for a campaign are made in one go; customers who happen to share a network, a client or a card
    signed up at different times.
Formula: the day d on which most members were created, k of n; -ln P(X >= k), X binomial(n, share of that day among all
    accounts seen in groups), less ln of the number of distinct days (Bonferroni, for having chosen the day).
Horizon: members seen within a day, at most 96; at least five whose day is known. Direction: more is worse.
Evades: bought or aged accounts; signing up a few a day.
Benign look-alikes: a class, a company's start, an advertising campaign, which is why the share of the day counts.
"""

from __future__ import annotations

import math

from stillwatch_models.detectors.groups.base import SILENT, GroupDetector, Kept, Reading, View, binomial_nats

LEAST_MEMBERS = 5
LEAST_POPULATION = 200


def _step(kept: Kept, view: View) -> tuple[Kept, Reading]:
    if len(view.created) < LEAST_MEMBERS:
        return kept, SILENT
    days: dict[int, int] = {}
    for day in view.created:
        days[day] = days.get(day, 0) + 1
    most = max(days.values())
    if most == 1:
        return kept, SILENT
    population = sum(view.births.values())
    if population < LEAST_POPULATION:
        return kept, SILENT
    rarest = min(view.births.get(day, 0) for day, count in days.items() if count == most)
    share = (rarest + 1.0) / (population + len(view.births) + 1.0)
    nats = binomial_nats(most, len(view.created), share) - math.log(len(days))
    return kept, Reading(max(0.0, nats), most, len(view.created) * share)


def _statement(group: str, reading: Reading) -> str:
    return (
        f"{reading.observed:.0f} accounts of {group} were created on the same day; "
        f"{reading.baseline:.2f} would be by chance"
    )


DETECTOR = GroupDetector(
    "sign_up_batch", "accounts", "account life", frozenset({"net", "payment", "client"}), _step, _statement
)
