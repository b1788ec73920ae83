"""Clumps: accounts of different organisations that ask about the same narrow thing, as no two ordinary accounts do.

Each account is the direction in which the mean embedding of its requests departs from ordinary traffic's. Two accounts
are neighbours when these directions nearly agree and they work at the same pace: one operation drives its accounts
alike. Accounts with at least two neighbours form the cores of clumps; connected cores of three organisations or more
are a clump. The tests differ in which accounts and requests they look at (`content_tests`).

Where the first word is nearly always the same (translate, summarise, ...), like content is no wonder: there two
accounts are neighbours only if they also share rare passages (`likeness`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import combinations, compress

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from stillwatch_schemas.signals import Profile

from stillwatch_models.campaigns.content_tests import TESTS, ContentTest, mean_of, pace, persists
from stillwatch_models.campaigns.known import KnownAccount
from stillwatch_models.campaigns.likeness import RarePassages, Shared, organisation, shared_texts
from stillwatch_models.cell import MS_PER_HOUR

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

MOST_OVERLAP = 0.5
"""Share of an account's texts that one other may have sent too; beyond, both took them from somewhere."""
LEAST_ORGANISATIONS, CORE_NEIGHBOURS = 3, 2
JOINING_NEIGHBOURS, JOINING_SLACK = 3, 0.05
"""An account with three neighbours in a clump joins it at a cosine this much lower; one near the clump's mean direction
too, since directions that agree to a cosine c agree with their mean to about the root of c."""
KNOWN_MEAN = 5
"""Members from which on a clump's mean direction is known well enough."""
SAME_PACE = 1.0
"""Doublings by which the requests per active hour of neighbours may differ."""
FIXED_OPENING = 0.6
"""Share of one first word from which on like content needs another reason."""
LEAST_RARE = 0.15
"""Share of rare passages in common from which on these are reason enough; see `RarePassages.share`."""
KEPT_NEIGHBOURS = 64
"""Of an account's neighbours so many are followed; in a clump of thousands they are plenty."""
ROWS_AT_ONCE = 1_024
"""Accounts compared with all others at once: more would only take memory."""
COMPARED_FOR_CHANCE = 40
"""Accounts whose pairs tell how common shared passages are."""


class Clump(msgspec.Struct, frozen=True):
    """One clump, its members in order of their ids."""

    test: ContentTest
    members: tuple[str, ...]
    neighbours: tuple[int, ...]
    """Of each member."""
    directions: Floats
    """Unit vectors, one a member."""
    cosine: float
    """Median over the members of the mean cosine to the others."""
    passages: float
    """Nats that rare passages shared by its members add: see `_Neighbourhood.passage_nats`."""
    usual_cosine: float
    """Mean cosine of its members to the other accounts that the test looked at; 0 where there are none."""
    candidates: int
    """How many these are."""


def clumps(
    accounts: Sequence[KnownAccount],
    ordinary: Floats,
    tests: Sequence[ContentTest] = TESTS,
    block_ms: int = MS_PER_HOUR,
) -> list[Clump]:
    """Every clump of every test; `ordinary` is the mean embedding of ordinary one-shot traffic.

    `block_ms` is the length of the blocks that profiles count activity in.
    """
    persisting = [persists(known.profile, block_ms) for known in accounts]
    shared = shared_texts(accounts, persisting)
    accounts = list(compress(accounts, persisting))
    shared = list(compress(shared, persisting))
    return [clump for test in tests for clump in _clumps_of(test, accounts, shared, ordinary)]


def _clumps_of(
    test: ContentTest, accounts: Sequence[KnownAccount], shared: Sequence[Shared], ordinary: Floats
) -> Iterator[Clump]:
    chosen = [known for known, texts in zip(accounts, shared, strict=True) if _compared(test, known.profile, texts)]
    if len(chosen) < LEAST_ORGANISATIONS:
        return
    directions = np.array([mean_of(test.content(known.profile)) for known in chosen]) - ordinary
    directions /= np.maximum(np.linalg.norm(directions, axis=1), 1e-9)[:, None]
    near = _Neighbourhood(test, chosen, directions)
    for members in near.components():
        yield Clump(
            test=test,
            members=tuple(chosen[at].profile.account for at in members.tolist()),
            neighbours=tuple(near.degree[members].tolist()),
            directions=directions[members],
            cosine=_median_cosine(directions[members]),
            passages=near.passage_nats(members),
            usual_cosine=_cosine_to_others(directions, members),
            candidates=len(chosen),
        )


def _compared(test: ContentTest, profile: Profile, shared: Shared) -> bool:
    return shared.overlap < MOST_OVERLAP and test.admits(profile, shared)


def _median_cosine(directions: Floats) -> float:
    count = len(directions)
    total = directions @ directions.sum(axis=0)
    return float(np.median((total - 1.0) / max(1, count - 1)))


def _cosine_to_others(directions: Floats, members: Indices) -> float:
    others = len(directions) - len(members)
    inside = directions[members].sum(axis=0)
    return float(inside @ (directions.sum(axis=0) - inside)) / (len(members) * others) if others else 0.0


class _Neighbourhood:
    """Who is whose neighbour among the accounts of one test."""

    def __init__(self, test: ContentTest, accounts: Sequence[KnownAccount], directions: Floats) -> None:
        self._test = test
        self._accounts = accounts
        self._directions = directions
        names = sorted({organisation(known) for known in accounts})
        number = {name: at for at, name in enumerate(names)}
        self._organisation = np.array([number[organisation(known)] for known in accounts])
        self._pace = np.array([pace(known.profile) for known in accounts])
        self._fixed = np.array([known.profile.opening_share >= FIXED_OPENING for known in accounts])
        self._rare = RarePassages(accounts) if test.fixed_opening_needs_reason and self._fixed.any() else None
        self._one, self._other, self._cosine = self._pairs(test.least_cosine - JOINING_SLACK)
        close = self._cosine >= test.least_cosine
        self.degree = np.bincount(self._one[close], minlength=len(accounts))

    def components(self) -> Iterator[Indices]:
        """Clumps, as ascending positions of their members."""
        core = self.degree >= CORE_NEIGHBOURS
        linked = (self._cosine >= self._test.least_cosine) & core[self._one] & core[self._other]
        count = len(self._accounts)
        links = coo_array((np.ones(int(linked.sum())), (self._one[linked], self._other[linked])), shape=(count, count))
        labels = connected_components(links, directed=False)[1]
        labels = np.where(core, labels, -1)
        for label in np.unique(labels[core]).tolist():
            inner = labels == label
            if len(np.unique(self._organisation[inner])) >= LEAST_ORGANISATIONS:
                yield np.flatnonzero(inner | self._joining(inner, labels))

    def _joining(self, inner: NDArray[np.bool_], labels: Indices) -> NDArray[np.bool_]:
        near = np.bincount(self._one[inner[self._other]], minlength=len(inner)) >= JOINING_NEIGHBOURS
        return np.asarray((labels < 0) & (near | self._near_the_mean(inner)))

    def _near_the_mean(self, inner: NDArray[np.bool_]) -> NDArray[np.bool_]:
        if inner.sum() < KNOWN_MEAN:
            return np.zeros(len(inner), bool)
        mean = self._directions[inner].mean(axis=0)
        cosine = self._directions @ (mean / max(float(np.linalg.norm(mean)), 1e-9))
        paces = self._pace[inner]
        same_pace = np.abs(self._pace - np.median(paces)) <= max(SAME_PACE, float(np.ptp(paces)) / 2)
        return np.asarray((cosine >= math.sqrt(self._test.least_cosine) - JOINING_SLACK) & same_pace & ~self._fixed)

    def _pairs(self, least: float) -> tuple[Indices, Indices, Floats]:
        """Pairs of different organisations, alike and at the same pace, in both directions."""
        parts = [self._pairs_of(start, least) for start in range(0, len(self._accounts), ROWS_AT_ONCE)]
        one, other, cosine = (np.concatenate([part[column] for part in parts]) for column in range(3))
        return one.astype(np.intp), other.astype(np.intp), cosine

    def _pairs_of(self, start: int, least: float) -> tuple[Indices, Indices, Floats]:
        rows = slice(start, start + ROWS_AT_ONCE)
        cosine = self._directions[rows] @ self._directions.T
        near = (cosine >= least) & (self._organisation[rows, None] != self._organisation[None])
        near &= np.abs(self._pace[rows, None] - self._pace[None]) <= SAME_PACE
        self._keep_nearest(near, cosine)
        one, other = np.nonzero(near)
        values = cosine[one, other]
        one = one + start
        if self._rare is None:
            return one, other, values
        kept = np.array([self._has_reason(int(a), int(b)) for a, b in zip(one, other, strict=True)], bool)
        return one[kept], other[kept], values[kept]

    def passage_nats(self, members: Indices) -> float:
        """-ln of the chance that two accounts with a fixed first word share so much, for each such member but one.

        So much is what the members share, in the median of their pairs; the chance is the share of other pairs of
        different organisations that share as much.
        """
        inside = members[self._fixed[members]][:COMPARED_FOR_CHANCE].tolist()
        if self._rare is None or len(inside) <= 1:
            return 0.0
        shared = float(np.median([self._rare.share(one, other) for one, other in combinations(inside, 2)]))
        outside = [at for at in np.flatnonzero(self._fixed).tolist() if at not in inside][:COMPARED_FOR_CHANCE]
        pairs = [(a, b) for a, b in combinations(outside, 2) if self._organisation[a] != self._organisation[b]]
        as_much = sum(self._rare.share(one, other) >= shared for one, other in pairs)
        return (len(inside) - 1) * -math.log((1 + as_much) / (2 + len(pairs)))

    @staticmethod
    def _keep_nearest(near: NDArray[np.bool_], cosine: Floats) -> None:
        for row in np.flatnonzero(near.sum(axis=1) > KEPT_NEIGHBOURS).tolist():
            some = np.flatnonzero(near[row])
            far = np.argsort(-cosine[row, some], kind="stable")[KEPT_NEIGHBOURS:]
            near[row, some[far]] = False

    def _has_reason(self, one: int, other: int) -> bool:
        """Whether like content means something for this pair."""
        if self._rare is None or not (self._fixed[one] or self._fixed[other]):
            return True
        return self._rare.share(one, other) >= LEAST_RARE
