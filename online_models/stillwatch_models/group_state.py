"""What is kept of a group: its window under way, its members with their own evidence, and what the detectors keep."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from datasketches import frequent_items_error_type, frequent_strings_sketch

from stillwatch_models.detectors.groups.base import Kept, Surroundings, binomial_nats

MOST_MEMBERS = 48
"""Members kept of a group: its heavy hitters. Twice as many may stand until the others are sorted out."""
_LG_MAP = 6
"""A map of 64 entries holds 48 heavy hitters."""
MOST_NAMED = 32
"""Contributions whose accounts wait side by side: a window has as many as sources and parts of spans."""
EXAMPLES = 5
SUSPECT_NATS = 3.0
INNOCENT_SHARE = 0.05
"""Of innocent accounts, at most this share ever has so much evidence: exp(-3), by Ville's inequality."""
MOST_SHARE = 0.5
KNOWN_MEMBERS = 100
"""Judged memberships from which on the population's own share of suspects counts."""


class Member(msgspec.Struct, array_like=True, gc=False):
    """One account of a group, as last told."""

    window: int
    requests: int
    nats: float
    created: int


class Named(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Accounts that a contribution named, and what it said of each; nothing said stands for zeros."""

    accounts: tuple[str, ...]
    weights: tuple[int, ...]
    evidence: tuple[float, ...]
    created: tuple[int, ...]


class Now(msgspec.Struct, array_like=True):
    """A group's window under way."""

    window: int = 0
    arrivals: int = 0
    accounts: int = 0
    events: int = 0
    fresh: int = 0
    together: int = 0
    expected: float = 0.0
    named: list[Named] = []
    """Most groups are never asked for their members, so what was told waits as it came."""
    examples: list[str] = []

    def meet(self, named: Named) -> None:
        """Add what a contribution said of its accounts; of many contributions only what they come to is kept."""
        self.named.append(named)
        if len(self.named) > MOST_NAMED:
            self.named = [_summary(self.members(0))]

    def members(self, window: int) -> dict[str, Member]:
        """Every account that was named: its requests added up, else as last told."""
        members: dict[str, Member] = {}
        for named in self.named:
            unknown = (0,) * len(named.accounts)
            columns = (named.accounts, named.weights or unknown, named.evidence or unknown, named.created or unknown)
            for account, requests, nats, day in zip(*columns, strict=True):
                old = members.get(account)
                members[account] = Member(window, requests + (old.requests if old else 0), nats, day)
        return members


class Anomaly(msgspec.Struct, array_like=True, gc=False):
    """The strongest reading of a group's latest unusual windows."""

    window: int
    first_window: int
    signal: str
    nats: float
    observed: float
    baseline: float


class GroupState(msgspec.Struct, omit_defaults=True):
    """One group."""

    window: int
    now: Now = msgspec.field(default_factory=Now)
    kept: dict[str, Kept] = {}
    """By detector."""
    before: list[str] | None = None
    """Accounts of the window before; None where they are not all known."""
    members: dict[str, Member] = {}
    hitters: bytes = b""
    """Frequent-items sketch of the members, by requests."""
    distinct: bytes = b""
    """HyperLogLog sketch of every account ever."""
    size: float = 0.0
    events: int = 0
    """Ever."""
    anomaly: Anomaly | None = None
    incident_pane: int = 0
    incident_kind: str = ""
    exchanges: int = 0
    """Since the incident's first anomaly."""
    examples: list[str] = []


class Population(msgspec.Struct):
    """What a partition's groups are like, together."""

    window: int = -1
    windows: int = 0
    """Since the first."""
    sources: dict[int, int] = {}
    """Accounts ever seen by each source partition."""
    newcomers: float = 0.0
    """Of these, faded."""
    around: dict[str, Surroundings] = {}
    births: dict[int, int] = {}
    judged: int = 0
    """Memberships of judged accounts, in groups that are no crowds: one vote each, whatever the traffic."""
    suspects: int = 0

    def of(self, kind: str) -> Surroundings:
        """Groups of one kind."""
        return self.around.setdefault(kind, Surroundings())

    def advance(self, window: int, history: int) -> None:
        """Let the past fade up to a window."""
        if self.window >= 0 and window > self.window:
            fade = 0.5 ** ((window - self.window) / history)
            self.windows += window - self.window
            self.newcomers *= fade
            for around in self.around.values():
                around.together *= fade
                around.expected *= fade
        self.window = max(self.window, window)

    def hear(self, source: int, accounts_so_far: int) -> None:
        """Take note of how many accounts a source has seen."""
        known = self.sources.get(source, 0)
        if accounts_so_far > known:
            self.newcomers += accounts_so_far - known
            self.sources[source] = accounts_so_far

    def bear(self, created: Iterable[int]) -> None:
        """Count the days on which accounts were created; 0 where unknown."""
        births = self.births
        for day in created:
            if day:
                births[day] = births.get(day, 0) + 1

    def count(self, members: Iterable[Member], sign: int) -> None:
        """Take members in (1) or out (-1)."""
        for member in members:
            self.judged += sign * (member.nats != 0.0)
            self.suspects += sign * (member.nats >= SUSPECT_NATS)

    def suspect_share(self) -> float:
        """Share of suspects among judged memberships; never below what is allowed to the innocent."""
        seen = self.suspects / self.judged if self.judged >= KNOWN_MEMBERS else 0.0
        return min(MOST_SHARE, max(INNOCENT_SHARE, seen))


def _summary(members: dict[str, Member]) -> Named:
    told = members.values()
    return Named(
        tuple(members),
        tuple([member.requests for member in told]),
        tuple([member.nats for member in told]),
        tuple([member.created for member in told]),
    )


def remember(state: GroupState, seen: dict[str, Member]) -> list[Member]:
    """Add accounts to the members, or renew them; returns what has gone: old entries, and those beyond the bound.

    Beyond the bound the heavy hitters stay.
    """
    sketch = frequent_strings_sketch.deserialize(state.hitters) if state.hitters else frequent_strings_sketch(_LG_MAP)
    members = state.members
    gone = [members[account] for account in seen.keys() & members.keys()]
    for account, member in seen.items():
        sketch.update(account, member.requests)
        members[account] = member
    state.hitters = bytes(sketch.serialize())
    if len(members) > 2 * MOST_MEMBERS:
        weight = {item[0]: item[1] for item in sketch.get_frequent_items(frequent_items_error_type.NO_FALSE_NEGATIVES)}
        lightest = sorted((weight.get(name, 0), member.window, name) for name, member in members.items())
        gone += [members.pop(name) for _, _, name in lightest[:-MOST_MEMBERS]]
    return gone


def refresh(state: GroupState, seen: dict[str, Member]) -> None:
    """Renew what is known of accounts that are members already."""
    for account in state.members.keys() & seen.keys():
        state.members[account] = seen[account]


def content_nats(nats: list[float], share: float) -> tuple[float, int, int]:
    """-ln of the chance of so many suspects among the judged; with it both numbers. `nats` 0: not judged."""
    judged = sum(value != 0.0 for value in nats)
    suspects = sum(value >= SUSPECT_NATS for value in nats)
    return binomial_nats(suspects, judged, share), suspects, judged
