"""What a campaign's members have in common besides content: payment, network, client, system prompt.

Never a reason by itself, for offices, classrooms and popular SDKs share these too; told where it adds to the picture.
How telling a common value is: -ln of the hypergeometric tail, the chance that so many of the members hold it when so
many of all known accounts do, times the number of values that were looked at. What everybody has tells nothing
(inverse frequency), and a value that more than a twentieth of all accounts hold is not looked at (hub cap).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from scipy.stats import hypergeom
from stillwatch_schemas.signals import Profile

ATTRIBUTES: Mapping[str, str] = {
    "payment": "pay with the same instrument",
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


def in_common(members: Sequence[Profile], everybody: Sequence[Profile]) -> Common | None:
    """The most telling common value of the members, if any is telling."""
    found = [_most_common(attribute, members, everybody) for attribute in ATTRIBUTES]
    telling = [common for common in found if common is not None and common.nats >= LEAST_NATS]
    return max(telling, key=lambda common: common.nats, default=None)


def _most_common(attribute: str, members: Sequence[Profile], everybody: Sequence[Profile]) -> Common | None:
    held = Counter(value for profile in everybody if (value := getattr(profile, attribute)))
    ours = Counter(value for profile in members if (value := getattr(profile, attribute)))
    best: Common | None = None
    for value, count in sorted(ours.items()):
        if count < LEAST_MEMBERS or held[value] > max(count, MOST_HOLDERS * len(everybody)):
            continue
        tail = float(hypergeom.logsf(count - 1, len(everybody), held[value], len(members)))
        nats = -tail - float(np.log(len(ours) * len(ATTRIBUTES)))
        if best is None or nats > best.nats:
            best = Common(attribute, count, held[value], nats)
    return best
