"""How a span is told: the contribution of each group in it.

What a contribution says is worked out with NumPy for all groups of a kind together; the loop over groups only cuts
pieces out of the results.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from stillwatch_schemas.signals import Contribution

from stillwatch_models import distinct
from stillwatch_models.group_kinds import CROWDS, KINDS, NO_ELSEWHERE, PACED, group_name
from stillwatch_models.grouping import ByAccount, Groups, bit_of, by_account, grouped, order_of
from stillwatch_models.runs import Indices, starts_of
from stillwatch_models.spans import Span

MAX_ACCOUNTS = 32
"""Accounts named in one contribution."""
MAX_EXAMPLES = 5
SUSPECT_NATS = 3.0
"""Evidence that an innocent account ever reaches with a chance of exp(-3) = 5 % (Ville's inequality)."""


class Tellable(msgspec.Struct, frozen=True):
    """What a span's contributions say beside the groups."""

    source: int
    pane: int
    pane_ms: int
    accounts_so_far: int


def tell(span: Span, to: Tellable) -> Iterator[Contribution]:
    """A span's contributions, kind by kind and group by group."""
    events = by_account(span)
    for kind in KINDS:
        groups = grouped(kind, events)
        if groups is not None:
            yield from _contributions(kind, events, groups, to)


def _contributions(kind: str, events: ByAccount, groups: Groups, to: Tellable) -> Iterator[Contribution]:
    columns = (
        [group_name(kind, value) for value in groups.values.tolist()],
        groups.accounts.tolist(),
        *_sums(kind, events, groups),
        *_together(kind, events, groups),
        _examples(events, groups),
        *_named(events, groups),
        _sketches(kind, events, groups),
    )
    for (
        group,
        accounts_total,
        requests,
        tokens,
        new,
        fresh,
        judged,
        suspects,
        together,
        expected,
        examples,
        accounts,
        weights,
        evidence,
        created,
        sketch,
    ) in zip(*columns, strict=True):
        yield Contribution(
            group=group,
            source=to.source,
            pane=to.pane,
            pane_end_ms=(to.pane + 1) * to.pane_ms,
            events=requests,
            output_tokens=tokens,
            accounts=accounts,
            accounts_total=accounts_total,
            new_accounts=new,
            event_ids=examples,
            fresh_accounts=fresh,
            accounts_so_far=to.accounts_so_far,
            judged_accounts=judged,
            suspect_accounts=suspects,
            weights=weights,
            evidence=evidence,
            created=created,
            together=together,
            together_expected=expected,
            distinct=sketch,
        )


def _sums(kind: str, events: ByAccount, groups: Groups) -> Iterator[list[int]]:
    """Of each group: events, output tokens, accounts that came, never seen before, judged, and suspects of these."""
    at, firsts = groups.at, groups.pairs[groups.groups]
    yield np.add.reduceat(groups.requests, groups.groups).tolist()
    yield np.add.reduceat(events.columns["tokens"][at], firsts, dtype=np.int64).tolist()
    came = np.ones(len(at), bool) if kind in NO_ELSEWHERE else bit_of(kind, events.columns["came"][at])
    nats = _last_nats(events, groups)
    for of_pair in (
        np.logical_or.reduceat(came, groups.pairs),
        np.logical_or.reduceat(events.columns["fresh"][at], groups.pairs),
        nats != 0,
        nats >= SUSPECT_NATS,
    ):
        yield np.add.reduceat(of_pair, groups.groups, dtype=np.int64).tolist()


def _last_nats(events: ByAccount, groups: Groups) -> NDArray[np.float32]:
    """Each pair's evidence after its last event."""
    nats: NDArray[np.float32] = events.columns["nats"][groups.at[groups.pairs + groups.requests - 1]]
    return nats


def _together(kind: str, events: ByAccount, groups: Groups) -> tuple[list[int], list[float]]:
    """Pairs of accounts active in the same pane, of each group; and how many chance would give.

    With m_a active panes of account a among W, chance gives the sum over pairs of m_a m_b / W, which is
    ((sum m)^2 - sum m^2) / 2W. Groups with more accounts than are named are left out: they are crowds.
    """
    count, accounts = len(groups.groups), groups.accounts
    judged = (accounts > 1) & (accounts <= MAX_ACCOUNTS)
    if kind not in PACED or events.panes < 2 or not judged.any():  # noqa: PLR2004 - in one pane everybody is together
        return [0] * count, [0.0] * count
    pair_of = np.repeat(np.arange(len(groups.pairs)), groups.requests)
    group_of = np.repeat(np.arange(count), accounts)
    asked = judged[group_of][pair_of]
    pair_of, pane = pair_of[asked], events.columns["pane"][groups.at[asked]]
    cells = starts_of(pair_of, pane)
    pair_of, pane = pair_of[cells], pane[cells]
    active = np.bincount(pair_of, minlength=len(groups.pairs))
    total = np.add.reduceat(active, groups.groups)
    squares = np.add.reduceat(active * active, groups.groups)
    meetings, present = np.unique(group_of[pair_of] * events.panes + (pane - pane.min()), return_counts=True)
    together = np.bincount(meetings // events.panes, present * (present - 1) / 2, minlength=count)
    expected = np.round((total * total - squares) / (2.0 * events.panes), 6)
    return together.astype(np.int64).tolist(), expected.tolist()


def _examples(events: ByAccount, groups: Groups) -> list[tuple[str, ...]]:
    """Of each group, the ids of its first accounts' first events."""
    accounts = groups.accounts
    rank = np.arange(len(groups.pairs)) - np.repeat(groups.groups, accounts)
    firsts = events.at[groups.at[groups.pairs[rank < MAX_EXAMPLES]]]
    return _cut(tuple(events.ids.of(firsts)), np.minimum(accounts, MAX_EXAMPLES))


def _named(events: ByAccount, groups: Groups) -> Iterator[list[tuple[Any, ...]]]:
    """Of each group, accounts that are named, their requests, evidence, and days of creation where one is known."""
    chosen = _busiest(groups)
    accounts = groups.accounts
    sizes = np.minimum(accounts, MAX_ACCOUNTS)
    who = events.columns["who"][groups.at[groups.pairs[chosen]]]
    yield _cut(tuple(events.names[who].tolist()), sizes)
    yield _cut(tuple(groups.requests[chosen].tolist()), sizes)
    yield _cut(tuple(np.round(_last_nats(events, groups)[chosen].astype(np.float64), 2).tolist()), sizes)
    created = np.maximum.reduceat(events.columns["created"][groups.at], groups.pairs)
    dated = np.logical_or.reduceat(created != 0, groups.groups)
    days = _cut(tuple(created[chosen].tolist()), sizes)
    yield [of_group if known else () for of_group, known in zip(days, dated.tolist(), strict=True)]


def _busiest(groups: Groups) -> Indices:
    """Pairs that are named, in order: of each group those with the most requests, of equals the first."""
    requests, accounts = groups.requests, groups.accounts
    if accounts.max() <= MAX_ACCOUNTS:
        return np.arange(len(groups.pairs))
    order = order_of(requests.max() - requests)
    group_of = np.repeat(np.arange(len(accounts)), accounts)
    order = order[order_of(group_of[order])]
    rank = np.arange(len(order)) - np.repeat(groups.groups, accounts)
    return np.sort(order[rank < MAX_ACCOUNTS])


def _sketches(kind: str, events: ByAccount, groups: Groups) -> list[bytes]:
    """Of each group whose accounts are not all named the sketch of all, where it is of use."""
    accounts = groups.accounts
    sketches = [b""] * len(accounts)
    if kind not in CROWDS:
        ends = groups.groups + accounts
        who = events.columns["who"][groups.at[groups.pairs]]
        for group in np.flatnonzero(accounts > MAX_ACCOUNTS).tolist():
            names = events.names[who[groups.groups[group] : ends[group]]]
            sketches[group] = distinct.sketch_of(names.tolist())
    return sketches


def _cut(whole: tuple[Any, ...], sizes: Indices) -> list[tuple[Any, ...]]:
    """Pieces of these sizes."""
    ends = np.cumsum(sizes).tolist()
    return [whole[start:end] for start, end in zip([0, *ends], ends, strict=False)]
