"""Folding: the events of closed panes into the account rows, one (account, pane) cell after the other.

Within a cell everything is an exact integer sum, a count or a maximum, so the order of events does not matter but where
it means something (`cell`). Between the panes of one account the sums fade. Cells are folded one after the other by
compiled code, each into a row of its own that begins as the account's row after the cell before.
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from stillwatch_models import distinct, restarts
from stillwatch_models.accounts import ROW, AccountTable, Rows
from stillwatch_models.cell import Cut, Horizons, fold_cells, scratch
from stillwatch_models.columns import EVENT, Events
from stillwatch_models.model_ages import ModelAges
from stillwatch_models.records import put, take
from stillwatch_models.runs import Indices, starts_of
from stillwatch_models.texts import Exposure, TextMemory

Mask = NDArray[np.bool_]


class Cells(msgspec.Struct):
    """What was folded: one entry per (account, pane), by pane and then by account key."""

    slot: Indices
    pane: NDArray[np.int64]
    start: Indices
    """First event of each cell in `events`."""
    count: Indices
    events: Events
    after: Rows
    """The account's row after the pane."""
    first_at: NDArray[np.int64]
    """Where each event's text stands in the text memory, if it is the first of its text; else -1."""


def in_order(events: Events, keys: NDArray[np.uint64]) -> Events:
    """Drop repeats of an event id within an account's pane; sort by pane, account key and time."""
    pane, row, ts, hashes = (events[name].copy() for name in ("pane", "row", "ts", "event_hash"))
    order = np.lexsort((hashes, ts, row, keys[row], pane))
    if _may_repeat(pane, row, hashes):
        order = order[~_repeats(events)[order]]
    return take(events, order)


def _may_repeat(*columns: NDArray[np.int64]) -> bool:
    """Whether two events might agree in all columns; wrong in one direction only, and hardly ever."""
    mixed = np.zeros(len(columns[0]), np.uint64)
    for column in columns:
        mixed = distinct.mix((mixed ^ column.astype(np.uint64)).view(np.int64))
    mixed.sort()
    return bool((mixed[1:] == mixed[:-1]).any())


def _repeats(events: Events) -> Mask:
    """Events whose id an earlier one (by offset) of the same account and pane has."""
    order = np.lexsort((events["offset"], events["event_hash"], events["row"], events["pane"]))
    same = np.ones(len(events), bool)
    for name in ("event_hash", "row", "pane"):
        column = events[name][order]
        same[1:] &= column[1:] == column[:-1]
    same[:1] = False
    repeats = np.zeros(len(events), bool)
    repeats[order[same]] = True
    return repeats


def fold(
    table: AccountTable,
    texts: TextMemory,
    events: Events,
    horizons: Horizons,
    models: ModelAges | None = None,
    *,
    held: list[Exposure] | None = None,
) -> Cells:
    """Fold events of closed panes, sorted by `in_order`, into the table.

    While a pane is folded in parts, what is to be taken back at its end is put into `held`; see `take_back`.
    """
    first_at, exposures = texts.look_up(events, table.rows["key"])
    if models is not None:
        events["released"] = models.look_up(events)
    cells = _cells(table, events, first_at)
    cut, last = _cut(cells, horizons)
    table.live += int(((cells.after["events"] == 0) & (cut.before < 0)).sum())
    rest = _fold(cells, cut, texts, exposures, horizons)
    table.put(cells.slot[last], cells.after if len(last) == len(cells.slot) else take(cells.after, last))
    table.dirty.update(cells.slot[last].tolist())
    if held is None:
        take_back(table, texts, rest, horizons)
    else:
        texts.settle(rest)
        held.extend(rest)
    return cells


def make_ready() -> None:
    """Compile what is compiled, or find it in the cache, before there is anything to fold."""
    none, horizons = np.zeros(0, np.int64), Horizons(fast=1.0, slow=1.0, block=1, restart=1)
    table = AccountTable()
    table.put(none, table.gather(none))
    TextMemory(0).look_up(np.zeros(0, EVENT), table.rows["key"])
    cut = Cut(pane=none, start=none, end=none, before=none, fast=np.zeros(0), slow=np.zeros(0))
    fold_cells(np.zeros(0, ROW), np.zeros(0, EVENT), cut, 0, 0, horizons, np.zeros(0, np.uint8), scratch())


def take_back(table: AccountTable, texts: TextMemory, exposures: list[Exposure], horizons: Horizons) -> None:
    """After a pane: harvest events whose text others have sent in it do not count any more."""
    for exposure in exposures:
        slot = exposure.slot
        if slot >= 0 and _subtract(table.rows[slot], texts, [exposure], horizons.restart):
            table.dirty.add(slot)


def _cells(table: AccountTable, events: Events, first_at: NDArray[np.int64]) -> Cells:
    """The cells of a segment. Rows are those before it, of each account's first cell; the others are yet to be made."""
    starts = starts_of(events["pane"], events["row"])
    slots = events["row"][starts]
    first = np.unique(slots, return_index=True)[1]
    if len(first) == len(slots):  # the rule in dense traffic
        after = table.gather(slots)
    else:
        after = np.empty(len(slots), ROW)
        put(after, first, table.gather(slots[first]))
    return Cells(
        slot=slots,
        pane=events["pane"][starts],
        start=starts,
        count=np.diff(np.append(starts, len(events))),
        events=events,
        after=after,
        first_at=first_at,
    )


def _cut(cells: Cells, horizons: Horizons) -> tuple[Cut, Indices]:
    """What the compiled code needs to know of the cells, and which is the last one of each account."""
    order = np.argsort(cells.slot, kind="stable")
    again = cells.slot[order[1:]] == cells.slot[order[:-1]]
    before = np.full(len(order), -1)
    before[order[1:][again]] = order[:-1][again]
    is_last = np.ones(len(order), bool)
    is_last[order[:-1][again]] = False
    fresh = (before < 0) & (cells.after["events"] == 0)
    since = np.where(before < 0, cells.after["pane"], cells.pane[before])
    elapsed = np.where(fresh, 0, cells.pane - since).astype(np.float64)
    cut = Cut(
        pane=cells.pane,
        start=cells.start,
        end=cells.start + cells.count,
        before=before,
        fast=np.exp2(-elapsed / horizons.fast),
        slow=np.exp2(-elapsed / horizons.slow),
    )
    return cut, np.flatnonzero(is_last)


def _fold(cells: Cells, cut: Cut, texts: TextMemory, exposures: list[Exposure], horizons: Horizons) -> list[Exposure]:
    """Fold all cells; returns the exposures that are still to be taken back: those without a later cell."""
    exposed: dict[int, list[Exposure]] = {}
    for exposure in exposures:
        exposed.setdefault(exposure.slot, []).append(exposure)
    marks, room, done = np.zeros(len(cells.events), np.uint8), scratch(), 0
    edges = np.append(cells.start, len(marks)).tolist()
    for cell in [*_due(cells, exposed), len(cells.slot)]:
        fold_cells(cells.after, cells.events, cut, done, cell, horizons, marks, room)
        folded = slice(edges[done], edges[cell])
        texts.note_harvest(cells.first_at[folded], marks[folded])
        if cell < len(cells.slot):
            _take_back(cells, cut, cell, texts, exposed, restart=horizons.restart)
        done = cell
    return [exposure for waiting in exposed.values() for exposure in waiting]


def _due(cells: Cells, exposed: dict[int, list[Exposure]]) -> list[int]:
    """Cells before which something may have to be taken back: of exposed accounts, in panes after their exposure."""
    if not exposed:
        return []
    slots = np.array(sorted(exposed))
    earliest = np.array([exposed[slot][0].pane for slot in slots.tolist()])
    at = np.minimum(np.searchsorted(slots, cells.slot), len(slots) - 1)
    return np.flatnonzero((slots[at] == cells.slot) & (cells.pane > earliest[at])).tolist()


def _take_back(
    cells: Cells, cut: Cut, cell: int, texts: TextMemory, exposed: dict[int, list[Exposure]], *, restart: int
) -> None:
    """Before an account's next pane: harvest events whose text others have sent in panes before it do not count."""
    slot, pane, before = int(cells.slot[cell]), int(cells.pane[cell]), int(cut.before[cell])
    if before >= 0:
        cells.after[cell] = cells.after[before]
        cut.before[cell] = -1
    waiting = exposed[slot]
    _subtract(cells.after[cell], texts, [exposure for exposure in waiting if exposure.pane < pane], restart)
    exposed[slot] = [exposure for exposure in waiting if exposure.pane >= pane]


def _subtract(row: np.void, texts: TextMemory, exposures: list[Exposure], restart: int) -> bool:
    """Take back what the row has counted, if anything; one that was forgotten in between has not counted it."""
    counted = [exposure for exposure in exposures if _has_counted(row, exposure)]
    for exposure in counted:
        strict, loose = texts.counted(exposure)
        row["shared"] += 1
        row["harvest"] -= strict
        row["informal_harvest"] -= loose
        restarts.take_back(row, exposure.sent, strict, loose, restart)
    return bool(counted)


def _has_counted(row: np.void, exposure: Exposure) -> bool:
    return bool(row["events"]) and int(row["key"]) == exposure.owner and int(row["first_pane"]) <= exposure.sent
