"""How much it says that two accounts share something: much where few share it, nothing where many do.

An office shares a network, a class a network and a card, half of the world an SDK; a campaign shares what almost nobody
else has. So an attribute weighs by its rarity (inverse document frequency, Spärck Jones 1972): what k of N accounts
have tells a pair from a random one by ln(N / k) nats, the logarithm of how much less likely two random accounts are to
agree on it. A hub, that is an attribute with more accounts than a campaign's share may explain, joins nobody at all.
Weights of attributes that come together anyway (a network and its autonomous system) must not be added up: the
rarest of each family counts.

Counts are of distinct accounts ever, from any counter; an estimate (HyperLogLog) does.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import TypeVar

HUB_ACCOUNTS = {"payment": 100, "net": 50, "client": 50, "org": 100, "template": 50, "asn": 50, "topic": 30}
"""Most accounts, by kind of attribute, that may still join: beyond is a hub, whatever the population's size."""
OTHER_HUB = 50
HUB_SHARE = 0.01
"""Most of the population: in a small one hubs are smaller."""
LEAST_HUB = 4
"""In the smallest population too, so many may share."""
FAMILIES: Mapping[str, str] = {"net": "place", "asn": "place", "payment": "payer", "org": "payer"}
"""Attributes that come together anyway; others are a family of their own."""

K = TypeVar("K")


def hub_cap(kind: str, population: float) -> float:
    """Accounts from which on an attribute of this kind joins nobody."""
    return max(LEAST_HUB, min(HUB_ACCOUNTS.get(kind, OTHER_HUB), HUB_SHARE * population))


def shared_weight(kind: str, accounts: float, population: float) -> float:
    """Nats that sharing an attribute says, which `accounts` of `population` accounts have; 0 for a hub.

    `accounts` counts the two that share it, so it is at least 2.
    """
    accounts = max(2.0, accounts)
    if population <= accounts or accounts > hub_cap(kind, population):
        return 0.0
    return math.log(population / accounts)


def pair_weight(shared: Mapping[str, float], population: float) -> float:
    """Nats that two accounts' shared attributes say together.

    `shared` maps the kind of each attribute on which they agree to the number of accounts that have its value.
    """
    strongest: dict[str, float] = {}
    for kind, accounts in shared.items():
        family = FAMILIES.get(kind, kind)
        strongest[family] = max(strongest.get(family, 0.0), shared_weight(kind, accounts, population))
    return sum(strongest[family] for family in sorted(strongest))


def joined(
    holders: Mapping[tuple[str, K], Sequence[str]], counts: Mapping[tuple[str, K], float], population: float
) -> dict[tuple[str, str], float]:
    """Every pair of accounts that something rare joins, with its nats.

    `holders` lists the accounts at hand by (kind, value); `counts` how many accounts have it in all, where that is
    more than the list shows. The work is bounded: a hub's pairs are never looked at.
    """
    agreeing: dict[tuple[str, str], dict[str, float]] = {}
    for attribute, accounts in holders.items():
        kind = attribute[0]
        known = sorted(set(accounts))
        total = max(float(len(known)), counts.get(attribute, 0.0))
        if len(known) < 2 or shared_weight(kind, total, population) <= 0.0:  # noqa: PLR2004 - a pair
            continue
        for pair in combinations(known, 2):
            of_kind = agreeing.setdefault(pair, {})
            of_kind[kind] = min(of_kind.get(kind, math.inf), total)
    return {pair: pair_weight(agreeing[pair], population) for pair in sorted(agreeing)}


def components(accounts: Iterable[str], pairs: Iterable[tuple[str, str]]) -> list[list[str]]:
    """Connected accounts, each component sorted, largest first; accounts that nothing joins are left out."""
    root = {account: account for account in accounts}

    def find(account: str) -> str:
        while root[account] != account:
            root[account] = root[root[account]]
            account = root[account]
        return account

    for one, other in pairs:
        first, second = sorted((find(one), find(other)))
        root[second] = first
    members: dict[str, list[str]] = {}
    for account in sorted(root):
        members.setdefault(find(account), []).append(account)
    return sorted((group for group in members.values() if len(group) > 1), key=lambda group: (-len(group), group))
