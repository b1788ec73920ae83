"""What a group detector is: a few numbers kept for each group, moved on at each window's end, and a reading in nats.

A reading says how unlikely the window, or the time up to it, is for such a group; none of them decides alone. Groups
behave unusually for innocent reasons every day (a class, a conference, an office's new proxy), so what is read here
raises an alert only together with the members' own evidence: see `groups`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet

import msgspec
from scipy.special import betainc

Kept = tuple[float, ...]
"""What a detector keeps of one group; empty in the beginning."""

LEAST_NATS = 10.0
"""Reading from which on a group is unusual: about once in 22,000 windows by chance."""
MOST_NATS = 700.0


class Surroundings(msgspec.Struct):
    """What the groups of one kind, in one partition of the signals, are like together."""

    together: float = 0.0
    expected: float = 0.0
    """Pairs active together, observed and by chance, fading."""


class View(msgspec.Struct, frozen=True, kw_only=True):
    """A group's window that has ended, and what surrounds it."""

    kind: str
    arrivals: int
    accounts: int
    events: int
    fresh: int
    """Accounts never seen before."""
    together: int
    expected: float
    active: AbstractSet[str]
    """Accounts active in the window ..."""
    complete: bool
    """... if all of them are named."""
    before: AbstractSet[str] | None
    """The same one window before; None where it is not known."""
    silence: int
    """Windows without a contribution before this one."""
    size: float
    """Distinct accounts of the group so far."""
    created: Sequence[int]
    """Days on which the members were created; left out where nobody came."""
    births: dict[int, int]
    """Accounts by day of creation, in all groups."""
    around: Surroundings
    newcomers: float
    """Accounts never seen before, in all sources, fading with a half-life of a past."""
    known: int
    """Accounts ever seen, in all sources."""
    windows: int
    """Windows since the first."""
    history: int
    """Windows that make a past."""


class Reading(msgspec.Struct, frozen=True):
    """How unlikely what was observed is: -ln p, or the logarithm of an e-value."""

    nats: float
    observed: float = 0.0
    baseline: float = 0.0


SILENT = Reading(0.0)


class GroupDetector(msgspec.Struct, frozen=True):
    """One signal of groups."""

    name: str
    unit: str
    horizon: str
    kinds: frozenset[str]
    """Groups for which it means something."""
    step: Callable[[Kept, View], tuple[Kept, Reading]]
    """What is kept after the window, and what it says."""
    statement: Callable[[str, Reading], str]
    """The observation about a group (`network 192.0.2.0/24`) in plain language."""


def nats_of(tail: float) -> float:
    """-ln of a probability, capped."""
    return min(MOST_NATS, -math.log(tail)) if tail > 0.0 else MOST_NATS


def binomial_nats(count: float, trials: float, share: float) -> float:
    """-ln P(X >= count), X binomial: P = I_share(count, trials - count + 1), regularised incomplete beta function.

    Numbers that have faded need not be whole.
    """
    return nats_of(float(betainc(count, trials - count + 1.0, share))) if count > 0 else 0.0
