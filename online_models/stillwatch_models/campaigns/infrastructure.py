"""What a campaign's members have in common besides content: payment, network, client, system prompt.

Never a reason by itself, for offices, classrooms and popular SDKs share these too; told where it adds to the picture.
Only a payment instrument that organisations share counts as evidence, and only for accounts that ask about the same.
How telling a common value is: -ln of the chance (a union bound on the hypergeometric tail) that so many of the members
hold it when so many of all known accounts do, times the number of values that were looked at. What everybody has tells
nothing (inverse frequency), and a value that more than a twentieth of all accounts hold is not looked at (hub cap).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from stillwatch_schemas.signals import Profile

PAYMENT = "payment"
MOST_PAYMENT = 10.0
ATTRIBUTES: Mapping[str, str] = {
    PAYMENT: "pay with the same instrument",
    "net": "come from the same network",
    "client": "use the same client",
    "system_template": "send the same system prompt",
    "asn": "come from the same autonomous system",
}
MOST_HOLDERS = 0.05
LEAST_MEMBERS = 2
LEAST_NATS = 3.0


class Common(msgspec.Struct, frozen=True):
    """One value that members have in common."""

    attribute: str
    members: int
    holders: int
    """Of all known accounts."""
    nats: float

    @property
    def words(self) -> str:
        """What the members do."""
        return ATTRIBUTES[self.attribute]


class Everybody:
    """Who holds what among all known accounts."""

    def __init__(self, profiles: Iterable[Profile]) -> None:
        known = list(profiles)
        self._accounts = len(known)
        self._held = {attribute: _values(attribute, known) for attribute in ATTRIBUTES}

    def in_common(self, members: Sequence[Profile]) -> Common | None:
        """The most telling common value of the members, if any is telling."""
        found = [self._most_common(attribute, members) for attribute in ATTRIBUTES]
        telling = [common for common in found if common is not None and common.nats >= LEAST_NATS]
        return max(telling, key=lambda common: common.nats, default=None)

    def payment_nats(self, members: Sequence[Profile]) -> float:
        """Evidence of a payment instrument in common, at least 0 and bounded."""
        common = self._most_common(PAYMENT, members)
        return min(MOST_PAYMENT, max(0.0, common.nats)) if common else 0.0

    def _most_common(self, attribute: str, members: Sequence[Profile]) -> Common | None:
        held, ours = self._held[attribute], _values(attribute, members)
        best: Common | None = None
        for value, count in sorted(ours.items()):
            if count < LEAST_MEMBERS or held[value] > max(count, MOST_HOLDERS * self._accounts):
                continue
            looked_at = math.log(len(ours) * len(ATTRIBUTES))
            nats = _tail_nats(count, len(members), held[value], self._accounts) - looked_at
            if best is None or nats > best.nats:
                best = Common(attribute, count, held[value], nats)
        return best


def _values(attribute: str, profiles: Iterable[Profile]) -> Counter[int]:
    return Counter(value for profile in profiles if (value := getattr(profile, attribute)))


def _tail_nats(count: int, members: int, holders: int, accounts: int) -> float:
    """-ln of a bound on P(K >= count), K hypergeometric: any `count` of the members, all of them holders."""
    chosen = math.lgamma(members + 1) - math.lgamma(count + 1) - math.lgamma(members - count + 1)
    return -chosen - sum(math.log((holders - at) / (accounts - at)) for at in range(count))
