"""Spans: events of closed panes that wait for their group window's end, and how a span is told, group by group."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray
from stillwatch_schemas.signals import Contribution

from stillwatch_models import distinct
from stillwatch_models.networks import network_name

SEEN = np.dtype(
    [
        ("pane", "i8"),
        ("who", "i4"),  # account, numbered within the span by first appearance
        ("tokens", "i4"),  # output tokens
        ("asn", "u4"),
        ("net", "u4"),
        ("payment", "u4"),
        ("client", "u4"),
        ("template", "i8"),
        ("topic", "i4"),  # topic cell + 1; 0 without text
        ("created", "u4"),  # day of the account's creation
        ("nats", "f4"),  # the account's own evidence after the pane
        ("came", "u1"),  # bits: arrived in its autonomous system, network, payment, client
        ("shared", "u1"),  # the same bits: several accounts use the payment, the client
        ("fresh", "?"),  # the account's first pane ever
    ]
)
"""What groups are made of, of one event."""

KINDS = ("asn", "net", "payment", "client", "template", "topic")
SHARED = ("payment", "client")
"""Kinds whose groups are told with a single account too, once several accounts use them."""
NO_ELSEWHERE = frozenset({"template", "topic"})
"""Kinds in which every account counts as arriving: an account has no one template or topic to come from."""
ALWAYS_TOLD = frozenset({"asn"})
TOLD_FROM = {"topic": 4}
"""Accounts from which on a group is told, where two are not enough: a few meet in one of 4,096 cells by chance."""
PACED = frozenset({"net", "payment", "client", "template"})
"""Kinds whose accounts' active panes are compared."""
MAX_ACCOUNTS = 32
"""Accounts named in one contribution."""
MAX_EXAMPLES = 5
SUSPECT_NATS = 3.0
"""Evidence that an innocent account ever reaches with a chance of exp(-3) = 5 % (Ville's inequality)."""
PAGE = 1_024
"""Events in a row of the checkpoint."""

Seen = NDArray[np.void]
Indices = NDArray[np.intp]


class Tellable(msgspec.Struct, frozen=True):
    """What a span's contributions say beside the groups."""

    source: int
    pane: int
    pane_ms: int
    accounts_so_far: int


class Page(msgspec.Struct, array_like=True):
    """One row of the checkpoint: events, their ids, and the accounts that appear in them first."""

    events: bytes
    ids: list[str]
    accounts: list[str]


class Span:
    """Events of consecutive panes, in the order in which they were folded."""

    def __init__(self) -> None:
        self._parts: list[Seen] = []
        self._numbers: dict[str, int] = {}
        self.ids: list[str] = []
        self.saved = 0
        """Events that are in a checkpoint already."""

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def accounts(self) -> list[str]:
        """Accounts by number."""
        return list(self._numbers)

    def events(self) -> Seen:
        """All events, in one array."""
        if len(self._parts) != 1:
            self._parts = [np.concatenate(self._parts)] if self._parts else [np.zeros(0, SEEN)]
        return self._parts[0]

    def add(self, seen: Seen, cell_of: Indices, accounts: Sequence[str], ids: Sequence[str]) -> None:
        """Add events; `accounts[cell_of[i]]` sent event i."""
        numbers = self._numbers
        of_cell = [numbers.setdefault(account, len(numbers)) for account in accounts]
        seen["who"] = np.array(of_cell, np.int32)[cell_of]
        self._parts.append(seen)
        self.ids.extend(ids)

    def fresh_accounts(self) -> int:
        """Accounts of the span that had never been seen before."""
        events = self.events()
        return len(np.unique(events["who"][events["fresh"]]))

    def split(self, at: int) -> tuple[Span, Span]:
        """The first `at` events, and the others with their accounts numbered anew."""
        events, accounts = self.events(), self.accounts
        halves = []
        for part in (slice(0, at), slice(at, len(self))):
            numbers, first, of_event = np.unique(events["who"][part], return_index=True, return_inverse=True)
            order = np.argsort(first)
            rank = np.argsort(order)
            half = Span()
            names = [accounts[number] for number in numbers[order].tolist()]
            half.add(events[part].copy(), rank[of_event], names, self.ids[part])
            halves.append(half)
        return halves[0], halves[1]

    def pages(self, start: int) -> Iterator[tuple[int, bytes]]:
        """Rows from the one that holds event `start` on."""
        events, accounts = self.events(), self.accounts
        for page in range(start // PAGE, -(-len(self) // PAGE)):
            part = slice(page * PAGE, (page + 1) * PAGE)
            before = int(events["who"][: page * PAGE].max(initial=-1)) + 1
            known = int(events["who"][part].max(initial=before - 1)) + 1
            yield page, msgspec.msgpack.encode(Page(events[part].tobytes(), self.ids[part], accounts[before:known]))

    def load(self, row: bytes) -> None:
        """Take over the next page."""
        page = msgspec.msgpack.decode(row, type=Page)
        for account in page.accounts:
            self._numbers.setdefault(account, len(self._numbers))
        self._parts.append(np.frombuffer(page.events, SEEN).copy())
        self.ids.extend(page.ids)
        self.saved = len(self)


class Spans:
    """The span under way of each group window. What waits is at most `most_events` and one pane, once told."""

    def __init__(self, window_panes: int, most_events: int) -> None:
        self._window_panes = window_panes
        self._most_events = most_events
        self._open: dict[int, Span] = {}
        self._deleted: set[bytes] = set()

    def __len__(self) -> int:
        return sum(len(span) for span in self._open.values())

    def add(self, seen: Seen, cell_of: Indices, accounts: Sequence[str], ids: Sequence[str]) -> None:
        """Add events of closed panes, by pane; `accounts[cell_of[i]]` sent event i."""
        windows = seen["pane"] // self._window_panes
        starts = np.flatnonzero(np.diff(windows, prepend=-1)).tolist()
        for start, end in zip(starts, [*starts[1:], len(seen)], strict=True):
            first, last = int(cell_of[start]), int(cell_of[end - 1]) + 1
            span = self._open.setdefault(int(windows[start]), Span())
            span.add(seen[start:end].copy(), cell_of[start:end] - first, accounts[first:last], ids[start:end])

    def take_over(self, closed_before: int) -> Iterator[tuple[Span, int]]:
        """Spans that are over, each with its last pane: parts that are full, and those whose window has closed."""
        for window in sorted(self._open):
            yield from self._full_parts(window)
            if (window + 1) * self._window_panes <= closed_before and window in self._open:
                yield self._take(window), (window + 1) * self._window_panes - 1

    def _full_parts(self, window: int) -> Iterator[tuple[Span, int]]:
        while window in self._open and len(self._open[window]) > self._most_events:
            span = self._take(window)
            panes = span.events()["pane"]
            last_pane = int(panes[self._most_events])
            over, rest = span.split(int(np.searchsorted(panes, last_pane, side="right")))
            if len(rest):
                self._open[window] = rest
            yield over, last_pane

    def _take(self, window: int) -> Span:
        span = self._open.pop(window)
        self._deleted.update(_key(window, page) for page in range(-(-span.saved // PAGE)))
        return span

    # -- putting down and picking up -----------------------------------------------------------------------------

    def take_dirty(self) -> Iterator[tuple[bytes, bytes | None]]:
        """Changed pages, None for deleted ones."""
        changed: dict[bytes, bytes] = {}
        for window, span in self._open.items():
            if span.saved < len(span):
                changed.update((_key(window, page), row) for page, row in span.pages(span.saved))
                span.saved = len(span)
        for key in sorted(self._deleted - changed.keys()):
            yield key, None
        self._deleted = set()
        yield from sorted(changed.items())

    def dump(self) -> Iterator[tuple[bytes, bytes]]:
        """All pages."""
        for window in sorted(self._open):
            for page, row in self._open[window].pages(0):
                yield _key(window, page), row

    def load(self, rows: Sequence[tuple[bytes, bytes]]) -> None:
        """Take over dumped pages, in the order of their keys."""
        for key, row in rows:
            self._open.setdefault(int(key.split(b":")[0]), Span()).load(row)


def _key(window: int, page: int) -> bytes:
    return b"%013d:%06d" % (window, page)


# -- telling a span ----------------------------------------------------------------------------------------------------


def tell(span: Span, to: Tellable) -> Iterator[Contribution]:
    """A span's contributions, kind by kind and group by group."""
    events, names = span.events(), span.accounts
    by_name = sorted(range(len(names)), key=names.__getitem__)
    rank = np.empty(len(names), np.int64)
    rank[by_name] = np.arange(len(names))
    ordered = [names[number] for number in by_name]
    who = rank[events["who"]]
    panes = int(events["pane"].max()) - int(events["pane"].min()) + 1
    for kind in KINDS:
        grouped = _grouped(kind, events, who)
        if grouped is not None:
            yield from _contributions(kind, events, grouped, (ordered, span.ids, panes), to)


class _Grouped(msgspec.Struct):
    """Events of the groups that are told, by group, account and time."""

    at: Indices
    """Position of each event in the span."""
    who: NDArray[np.int64]
    pairs: Indices
    """First event of each (group, account)."""
    groups: Indices
    """First pair of each group."""
    values: list[int]
    """What each group is."""


def _grouped(kind: str, events: Seen, who: NDArray[np.int64]) -> _Grouped | None:
    at = np.flatnonzero(events[kind])
    if not len(at):
        return None
    value = events[kind][at].astype(np.int64)
    order = np.lexsort((who[at], value))
    at, value = at[order], value[order]
    pairs = _starts(value, who[at])
    groups = _starts(value[pairs])
    accounts = np.diff(np.append(groups, len(pairs)))
    if kind not in ALWAYS_TOLD:
        told = accounts >= TOLD_FROM.get(kind, 2)
        if kind in SHARED:
            told |= np.bitwise_or.reduceat(_bit(kind, events["shared"][at]), pairs[groups])
        chosen = np.repeat(np.repeat(told, accounts), np.diff(np.append(pairs, len(at))))
        at, value = at[chosen], value[chosen]
        pairs = _starts(value, who[at])
        groups = _starts(value[pairs])
    return _Grouped(at, who[at], pairs, groups, value[pairs[groups]].tolist()) if len(at) else None


def _contributions(
    kind: str, events: Seen, grouped: _Grouped, span: tuple[list[str], list[str], int], to: Tellable
) -> Iterator[Contribution]:
    names, ids, panes = span
    at, pairs, groups = grouped.at, grouped.pairs, grouped.groups
    last = np.append(pairs[1:], len(at)) - 1
    nats = events["nats"][at[last]]
    requests = np.diff(np.append(pairs, len(at)))
    fresh = np.logical_or.reduceat(events["fresh"][at], pairs)
    came = np.logical_or.reduceat(_came(kind, events[at]), pairs)
    created = np.maximum.reduceat(events["created"][at], pairs)
    together, expected = _together(kind, events["pane"][at], grouped, panes)
    totals = zip(
        grouped.values,
        groups.tolist(),
        [*groups[1:].tolist(), len(pairs)],
        np.add.reduceat(requests, groups).tolist(),
        np.add.reduceat(np.add.reduceat(events["tokens"][at].astype(np.int64), pairs), groups).tolist(),
        np.add.reduceat(came.astype(np.int64), groups).tolist(),
        np.add.reduceat(fresh.astype(np.int64), groups).tolist(),
        np.add.reduceat((nats != 0).astype(np.int64), groups).tolist(),
        np.add.reduceat((nats >= SUSPECT_NATS).astype(np.int64), groups).tolist(),
        np.add.reduceat((created != 0).astype(np.int64), groups).tolist(),
        together.tolist(),
        expected.tolist(),
        strict=True,
    )
    account, weight, day = grouped.who[pairs].tolist(), requests.tolist(), created.tolist()
    own = np.round(nats.astype(np.float64), 2).tolist()
    first = at[pairs].tolist()
    for value, start, end, count, tokens, new, unseen, judged, suspects, dated, pairs_together, by_chance in totals:
        named: Sequence[int] = range(start, end)
        everybody = b""
        if end - start > MAX_ACCOUNTS:
            everybody = distinct.sketch_of(names[account[pair]] for pair in named)
            busiest = np.argsort(-requests[start:end], kind="stable")[:MAX_ACCOUNTS]
            named = (np.sort(busiest) + start).tolist()
        yield Contribution(
            group=f"{kind}:{_name(kind, value)}",
            source=to.source,
            pane=to.pane,
            pane_end_ms=(to.pane + 1) * to.pane_ms,
            events=count,
            output_tokens=tokens,
            accounts=tuple([names[account[pair]] for pair in named]),
            accounts_total=end - start,
            new_accounts=new,
            event_ids=tuple([ids[event] for event in first[start : min(end, start + MAX_EXAMPLES)]]),
            fresh_accounts=unseen,
            accounts_so_far=to.accounts_so_far,
            judged_accounts=judged,
            suspect_accounts=suspects,
            weights=tuple([weight[pair] for pair in named]),
            evidence=tuple([own[pair] for pair in named]),
            created=tuple([day[pair] for pair in named]) if dated else (),
            together=pairs_together,
            together_expected=by_chance,
            distinct=everybody,
        )


def _came(kind: str, events: Seen) -> NDArray[np.bool_]:
    if kind in NO_ELSEWHERE:
        return np.ones(len(events), bool)
    return _bit(kind, events["came"])


def _bit(kind: str, bits: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return np.asarray(bits >> np.uint8(KINDS.index(kind)) & np.uint8(1) == 1)


def _together(kind: str, pane: NDArray[np.int64], grouped: _Grouped, panes: int) -> tuple[Indices, NDArray[np.float64]]:
    """Pairs of accounts active in the same pane, of each group; and how many chance would give.

    With m_a active panes of account a among W, chance gives the sum over pairs of m_a m_b / W, which is
    ((sum m)^2 - sum m^2) / 2W. Groups with more accounts than are named are left out: they are crowds.
    """
    groups = grouped.groups
    accounts = np.diff(np.append(groups, len(grouped.pairs)))
    judged = (accounts > 1) & (accounts <= MAX_ACCOUNTS)
    if kind not in PACED or panes < 2 or not judged.any():  # noqa: PLR2004 - in one pane everybody is together
        return np.zeros(len(groups), np.intp), np.zeros(len(groups))
    requests = np.diff(np.append(grouped.pairs, len(pane)))
    pair_of = np.repeat(np.arange(len(grouped.pairs)), requests)
    cells = _starts(pair_of, pane)
    group_of = np.repeat(np.arange(len(groups)), accounts)
    active = np.bincount(pair_of[cells], minlength=len(grouped.pairs)).astype(np.int64)
    total = np.add.reduceat(active, groups)
    squares = np.add.reduceat(active * active, groups)
    owner, when = group_of[pair_of[cells]], pane[cells]
    order = np.lexsort((when, owner))
    meetings = _starts(owner[order], when[order])
    present = np.diff(np.append(meetings, len(order)))
    together = np.bincount(owner[order][meetings], present * (present - 1) / 2, minlength=len(groups))
    expected = np.round((total * total - squares) / (2.0 * panes), 6)
    return np.where(judged, together, 0).astype(np.intp), np.where(judged, expected, 0.0)


def _name(kind: str, value: int) -> str:
    if kind == "net":
        return network_name(value)
    if kind == "topic":
        return str(value - 1)
    return str(value) if kind == "asn" else f"{value:08x}"


def _starts(*columns: NDArray[np.int64]) -> Indices:
    """Positions where any of the columns changes."""
    change = np.zeros(len(columns[0]), bool)
    change[:1] = True
    for column in columns:
        change[1:] |= column[1:] != column[:-1]
    return np.flatnonzero(change)
