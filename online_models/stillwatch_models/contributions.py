"""Contributions to groups: what one source partition saw of each group in a span of panes, gathered with NumPy.

Events of closed panes are kept as a few columns until their group window ends (or until there are many of them), and
are then grouped all at once, kind by kind. So the cost an event is a few array operations, and a group is told once a
window instead of once a pane. Groups with a single account are not told, except

- autonomous systems, whose own past is made of single arrivals too;
- payments and clients that several accounts used when the epoch began, so that one account's stopping and another's
  starting can be seen.

A span ends at a pane's end which depends on the events alone, so batches and restarts change nothing. What waits is
part of the checkpoint.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec
import numpy as np
from numpy.typing import NDArray
from stillwatch_schemas.signals import Contribution

from stillwatch_models.accounts import AccountTable
from stillwatch_models.columns import Events
from stillwatch_models.fold import Cells
from stillwatch_models.group_kinds import KINDS, SHARED
from stillwatch_models.open_panes import EventIds
from stillwatch_models.spans import SEEN, Spans
from stillwatch_models.telling import Tellable, tell

Floats = NDArray[np.float64]
Seen = NDArray[np.void]

ARRIVES = KINDS[:4]
"""Attributes that an account's row remembers: a change is an arrival."""

SPAN_ROW, SHARED_ROW = b"g:", b"m:shared"


class Told(msgspec.Struct, array_like=True):
    """The small part of the state."""

    accounts_so_far: int
    shared: dict[str, bytes]


class Contributor:
    """What one shard keeps for the group agent."""

    def __init__(self, *, window_panes: int, most_events: int, source: int, pane_ms: int) -> None:
        self._spans = Spans(window_panes, most_events)
        self._source = source
        self._pane_ms = pane_ms
        self._shared: dict[str, NDArray[np.uint32]] = {kind: np.zeros(0, np.uint32) for kind in SHARED}
        self._accounts_so_far = 0
        """Accounts ever seen, up to the last span that was told."""

    def look(self, events: Events, table: AccountTable) -> Seen:
        """What matters of a segment's events; before they are folded, while rows know where accounts came from."""
        seen = np.zeros(len(events), SEEN)
        for name in ("pane", "asn", "net", "payment", "client", "created"):
            seen[name] = events[name]
        seen["tokens"] = events["output_tokens"]
        seen["template"] = np.where(events["system_template"] != 0, events["system_template"], events["template"])
        seen["topic"] = events["cells"][:, 0].astype(np.int64) + 1
        for kind in SHARED:
            seen["shared"] |= np.isin(events[kind], self._shared[kind]).astype(np.uint8) << np.uint8(KINDS.index(kind))
        _mark_arrivals(seen, events, table)
        return seen

    def add(self, seen: Seen, cells: Cells, nats: Floats, table: AccountTable, event_ids: EventIds) -> None:
        """Keep a segment's events, with the evidence that each account had after its pane (0: too few requests)."""
        seen["nats"] = np.repeat(nats, cells.count)
        accounts = list(map(table.account, cells.slot.tolist()))
        cell_of = np.repeat(np.arange(len(accounts)), cells.count)
        self._spans.add(seen, cell_of, accounts, event_ids, cells.events["offset"])

    def tell(self, closed_before: int) -> Iterator[Contribution]:
        """Contributions of the spans that are over, in the order of their ends; they are forgotten."""
        for span, last_pane in self._spans.take_over(closed_before):
            self._accounts_so_far += span.fresh_accounts()
            to = Tellable(self._source, last_pane, self._pane_ms, self._accounts_so_far)
            yield from tell(span, to)

    def begin_epoch(self, table: AccountTable) -> None:
        """Learn anew which groups several accounts use."""
        used = table.used()
        for kind in SHARED:
            values, counts = np.unique(table.rows[kind][used], return_counts=True)
            self._shared[kind] = values[(counts > 1) & (values != 0)]

    # -- putting down and picking up -----------------------------------------------------------------------------

    def take_dirty(self) -> Iterator[tuple[bytes, bytes | None]]:
        """Rows that changed since the last call."""
        for key, row in self._spans.take_dirty():
            yield SPAN_ROW + key, row

    def dump(self) -> Iterator[tuple[bytes, bytes]]:
        """Every row of what waits."""
        for key, row in self._spans.dump():
            yield SPAN_ROW + key, row

    def model_rows(self) -> dict[bytes, bytes]:
        """The small rest of the state."""
        shared = {kind: values.tobytes() for kind, values in self._shared.items()}
        return {SHARED_ROW: msgspec.msgpack.encode(Told(self._accounts_so_far, shared))}

    def load(self, rows: Mapping[bytes, bytes]) -> None:
        """Take over what `dump` and `model_rows` gave; other rows are passed over."""
        told = msgspec.msgpack.decode(rows[SHARED_ROW], type=Told)
        self._accounts_so_far = told.accounts_so_far
        self._shared = {kind: np.frombuffer(told.shared.get(kind, b""), np.uint32) for kind in SHARED}
        own = sorted((key[len(SPAN_ROW) :], row) for key, row in rows.items() if key.startswith(SPAN_ROW))
        self._spans.load(own)

    def __len__(self) -> int:
        return len(self._spans)


def _mark_arrivals(seen: Seen, events: Events, table: AccountTable) -> None:
    """Set bit k of `came` where the account was elsewhere before in the k-th of ARRIVES; `fresh` in its first pane.

    Before means: in the latest pane before in which the attribute was known; of several values in a pane the greatest
    counts, as `fold` has it.
    """
    order = np.argsort(events["row"], kind="stable")
    rows, panes = events["row"][order], events["pane"][order]
    new_row = np.diff(rows, prepend=-1) != 0
    starts = np.flatnonzero(new_row | (np.diff(panes, prepend=-1) != 0))
    first_cell = new_row[starts]
    cell_of = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(rows))))
    came = np.zeros(len(events), np.uint8)
    for bit, name in enumerate(ARRIVES):
        values = events[name][order].astype(np.int64)
        kept = table.rows[name][rows[starts]].astype(np.int64)
        before = _before(np.maximum.reduceat(values, starts), kept, first_cell)
        came |= ((values != 0) & (values != before[cell_of])).astype(np.uint8) << np.uint8(bit)
    seen["came"][order] = came
    seen["fresh"][order] = (first_cell & (table.rows["events"][rows[starts]] == 0))[cell_of]


def _before(greatest: NDArray[np.int64], kept: NDArray[np.int64], first: NDArray[np.bool_]) -> NDArray[np.int64]:
    """What each cell's account had before the cell: from its previous cells, else from its row (`kept`)."""
    known = first | (greatest != 0)
    after = np.where(greatest != 0, greatest, kept)
    latest = after[np.maximum.accumulate(np.where(known, np.arange(len(known)), 0))]
    return np.where(first, kept, np.concatenate(([0], latest[:-1])))
