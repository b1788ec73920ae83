"""Spans: events of closed panes that wait for their group window's end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from stillwatch_models.open_panes import EventIds
from stillwatch_models.records import join
from stillwatch_models.span_ids import Int64s, SpanIds

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

PAGE = 1_024
"""Events in a row of the checkpoint."""

Seen = NDArray[np.void]
Indices = NDArray[np.intp]


class Page(msgspec.Struct, array_like=True):
    """One row of the checkpoint: events, their ids, and the accounts that appear in them first."""

    events: bytes
    ids: list[str]
    accounts: list[str]


class Span:
    """Events of consecutive panes, in the order in which they were folded."""

    def __init__(self, parts: Iterable[Seen] = (), accounts: Iterable[str] = (), ids: SpanIds | None = None) -> None:
        self._parts = list(parts)
        self._numbers = {account: number for number, account in enumerate(accounts)}
        self.ids = SpanIds() if ids is None else ids
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
            self._parts = [join(self._parts) if self._parts else np.zeros(0, SEEN)]
        return self._parts[0]

    def add(self, seen: Seen, cell_of: Indices, accounts: Sequence[str], ids: EventIds, offsets: Int64s) -> None:
        """Add events; `accounts[cell_of[i]]` sent event i, which came with `offsets[i]`."""
        numbers = self._numbers
        of_cell = [numbers.setdefault(account, len(numbers)) for account in accounts]
        seen["who"] = np.array(of_cell, np.int32)[cell_of]
        self._parts.append(seen)
        self.ids.add(ids, offsets)

    def fresh_accounts(self) -> int:
        """Accounts of the span that had never been seen before."""
        events = self.events()
        return len(np.unique(events["who"][events["fresh"]]))

    def split(self, at: int) -> tuple[Span, Span]:
        """The first `at` events, and the others with their accounts numbered anew."""
        events, accounts = self.events(), self.accounts
        known = int(events["who"][:at].max(initial=-1)) + 1
        over = Span([events[:at].copy()], accounts[:known], self.ids.piece(0, at))
        numbers, first, of_event = np.unique(events["who"][at:], return_index=True, return_inverse=True)
        order = np.argsort(first)
        later = events[at:].copy()
        later["who"] = np.argsort(order)[of_event]
        names = [accounts[number] for number in numbers[order].tolist()]
        return over, Span([later], names, self.ids.piece(at, len(self)))

    def pages(self, start: int) -> Iterator[tuple[int, bytes]]:
        """Rows from the one that holds event `start` on."""
        events, accounts = self.events(), self.accounts
        first = start // PAGE
        before = int(events["who"][: first * PAGE].max(initial=-1)) + 1
        for page in range(first, -(-len(self) // PAGE)):
            part = slice(page * PAGE, min(len(self), (page + 1) * PAGE))
            known = max(before, int(events["who"][part].max()) + 1)
            ids = self.ids.of(np.arange(part.start, part.stop))
            yield page, msgspec.msgpack.encode(Page(events[part].tobytes(), ids, accounts[before:known]))
            before = known

    def load(self, row: bytes) -> None:
        """Take over the next page."""
        page = msgspec.msgpack.decode(row, type=Page)
        for account in page.accounts:
            self._numbers.setdefault(account, len(self._numbers))
        self._parts.append(np.frombuffer(page.events, SEEN).copy())
        offsets = np.arange(len(page.ids))
        self.ids.add(EventIds(offsets, page.ids), offsets)
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

    def add(self, seen: Seen, cell_of: Indices, accounts: Sequence[str], ids: EventIds, offsets: Int64s) -> None:
        """Add events of closed panes, by pane; `accounts[cell_of[i]]` sent event i, which came with `offsets[i]`."""
        windows = seen["pane"] // self._window_panes
        starts = np.flatnonzero(np.diff(windows, prepend=-1)).tolist()
        for start, end in zip(starts, [*starts[1:], len(seen)], strict=True):
            first, last = int(cell_of[start]), int(cell_of[end - 1]) + 1
            span = self._open.setdefault(int(windows[start]), Span())
            own = cell_of[start:end] - first
            span.add(seen[start:end].copy(), own, accounts[first:last], ids, offsets[start:end].copy())

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
            end = int(np.searchsorted(panes, last_pane, side="right"))
            if end < len(span):
                span, self._open[window] = span.split(end)
            yield span, last_pane

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
