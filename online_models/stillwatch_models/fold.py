"""Folding: the events of closed panes into the account rows, one (account, pane) cell after the other.

Within a cell everything is an exact integer sum, a count or a maximum, so the order of events does not matter.
Between the panes of one account the sums fade. Cells of different accounts are folded together: the first pane of
every account, then the second of every account, and so on (`rounds`), which keeps NumPy busy and each account's own
order intact.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np
from numpy.typing import NDArray

from stillwatch_models import content, distinct, harvest, restarts
from stillwatch_models.accounts import (
    DISTINCT,
    FULL_CONTENT,
    ROW,
    SUM_INDEX,
    SUMS,
    TEMPLATE_BUCKETS,
    AccountTable,
    Rows,
)
from stillwatch_models.columns import Events
from stillwatch_models.harvest import Observed
from stillwatch_models.model_ages import ModelAges
from stillwatch_models.records import put, take
from stillwatch_models.texts import Exposure, TextMemory

MS_PER_HOUR = 3_600_000
FIXED = 1024
"""Fixed point of logarithms: sums of integers are exact, sums of floats are not."""
SESSION_GAP_SECONDS = 1_800
"""A longer silence starts a new session (web analytics' usual half hour); its gap says nothing about rhythm."""

Indices = NDArray[np.intp]
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


class Known(msgspec.Struct, frozen=True):
    """The touched accounts' rows while their cells are folded, one after the other."""

    rows: Rows
    of_cell: Indices
    """Row of each cell's account."""


class Horizons(msgspec.Struct, frozen=True):
    """Lengths of time, in panes."""

    fast: float
    """Half-life of the recent past."""
    slow: float
    """Half-life of habits."""
    block: int
    """Block of event time in which something happens or not."""
    restart: int
    """Epoch of event time at which the harvest test starts again."""


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
    exposed: dict[int, list[Exposure]] = {}
    for exposure in exposures:
        exposed.setdefault(exposure.slot, []).append(exposure)
    starts = _starts(events["pane"], events["row"])
    counts = np.diff(np.append(starts, len(events)))
    slots = events["row"][starts].astype(np.intp)
    cells = Cells(
        slot=slots,
        pane=events["pane"][starts].copy(),
        start=starts,
        count=counts,
        events=events,
        after=np.empty(len(starts), ROW),
        first_at=first_at,
    )
    touched, own = np.unique(slots, return_inverse=True)
    known = Known(table.gather(touched), own)
    table.live += int((known.rows["events"] == 0).sum())
    for chosen in rounds(slots):
        if exposed:
            _take_back(known, texts, exposed, cells, chosen, restart=horizons.restart)
        _fold_round(known, texts, cells, np.sort(chosen), horizons)
    table.put(touched, known.rows)
    table.dirty.update(touched.tolist())
    rest = [exposure for waiting in exposed.values() for exposure in waiting]
    if held is None:
        take_back(table, texts, rest, horizons)
    else:
        texts.settle(rest)
        held.extend(rest)
    return cells


def take_back(table: AccountTable, texts: TextMemory, exposures: list[Exposure], horizons: Horizons) -> None:
    """After a pane: harvest events whose text others have sent in it do not count any more."""
    for exposure in exposures:
        slot = exposure.slot
        if slot >= 0 and _subtract(table.rows[slot], texts, [exposure], horizons.restart):
            table.dirty.add(slot)


def _starts(*columns: NDArray[np.int64]) -> Indices:
    """Positions where any of the columns changes."""
    change = np.zeros(len(columns[0]), bool)
    change[:1] = True
    for column in columns:
        change[1:] |= column[1:] != column[:-1]
    return np.flatnonzero(change)


def rounds(slots: Indices) -> Iterator[Indices]:
    """Cells that can be folded together: the k-th cell of every account, for k = 0, 1, ..."""
    order = np.argsort(slots, kind="stable")
    starts = _starts(slots[order].astype(np.int64))
    rank = np.arange(len(slots)) - np.repeat(starts, np.diff(np.append(starts, len(slots))))
    by_rank = order[np.argsort(rank, kind="stable")]
    yield from np.split(by_rank, np.cumsum(np.bincount(rank))[:-1]) if len(slots) else ()


def _take_back(
    known: Known, texts: TextMemory, exposed: dict[int, list[Exposure]], cells: Cells, chosen: Indices, *, restart: int
) -> None:
    """Before an account's next pane: harvest events whose text others have sent in panes before it do not count."""
    slots, panes = cells.slot[chosen].tolist(), cells.pane[chosen].tolist()
    for at, slot, pane in zip(known.of_cell[chosen].tolist(), slots, panes, strict=True):
        waiting = exposed.get(slot)
        if waiting:
            _subtract(known.rows[at], texts, [exposure for exposure in waiting if exposure.pane < pane], restart)
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


def _fold_round(known: Known, texts: TextMemory, cells: Cells, chosen: Indices, horizons: Horizons) -> None:
    """Fold one cell each of some accounts."""
    rows = take(known.rows, known.of_cell[chosen])
    counts = cells.count[chosen]
    local = np.cumsum(counts) - counts
    owner = np.repeat(np.arange(len(chosen)), counts)
    positions = np.arange(len(owner)) - local[owner] + cells.start[chosen][owner]
    events = take(cells.events, positions)

    restarts.begin(rows, cells.pane[chosen], horizons.restart)
    _fade(rows, cells.pane[chosen], horizons)
    _add_sums(rows, events, local, counts, horizons.slow)
    _add_histograms(rows, events, owner, local)
    _add_distinct(rows, events, owner)
    seen = harvest.observe(rows, events, owner, local)
    texts.note_harvest(cells.first_at[positions], seen.strict, seen.loose)
    _add_harvest(rows, local, seen, cells.pane[chosen] // horizons.block)
    _add_content(rows, events, local, seen)
    first = np.minimum.reduceat(events["ts"], local)
    rows["first_ms"] = np.where(rows["first_ms"] == 0, first, rows["first_ms"])
    rows["last_ts"] = np.maximum(rows["last_ts"], np.maximum.reduceat(events["ts"], local))
    asn = np.maximum.reduceat(events["asn"], local)  # of several in a pane the greatest, as `contributions` has it
    rows["asn"] = np.where(asn != 0, asn, rows["asn"])
    for name in ("org", "payment", "client", "net", "system_template"):
        latest = np.maximum.reduceat(events[name], local)
        rows[name] = np.where(latest != 0, latest, rows[name])
    put(known.rows, known.of_cell[chosen], rows)
    put(cells.after, chosen, rows)


def _fade(rows: Rows, pane: NDArray[np.int64], horizons: Horizons) -> None:
    fresh = rows["events"] == 0
    rows["first_pane"] = np.where(fresh, pane, rows["first_pane"])
    elapsed = np.where(fresh, 0, pane - rows["pane"]).astype(np.float64)
    slow = np.exp2(-elapsed / horizons.slow)
    rows["fast_events"] *= np.exp2(-elapsed / horizons.fast)
    rows["sums"] *= slow[:, None]
    for name in ("embedding", "templates", "hours"):
        rows[name] *= slow.astype(np.float32)[:, None]
    rows["pane"] = pane


def _add_sums(rows: Rows, events: Events, local: Indices, counts: Indices, slow_panes: float) -> None:
    columns = np.zeros((len(events), len(SUMS)), np.int64)
    for name, values in _per_event(events).items():
        columns[:, SUM_INDEX[name]] = values
    for name, values in _gaps(rows, events, local).items():
        columns[:, SUM_INDEX[name]] = values
    totals = np.add.reduceat(columns, local, axis=0)
    rows["sums"] += totals
    rows["fast_events"] += counts
    rows["early_events"] += np.where(rows["pane"] - rows["first_pane"] < slow_panes, counts, 0).astype(np.uint32)
    rows["events"] += counts
    rows["answers"] += counts - totals[:, SUM_INDEX["failed"]]
    rows["output_tokens"] += totals[:, SUM_INDEX["output_tokens"]]


def _per_event(events: Events) -> dict[str, NDArray[np.int64]]:
    log_chars = _fixed_log2(events["chars"])
    log_output = _fixed_log2(events["output_tokens"])
    plain = ("input_tokens", "output_tokens", "reasoning_tokens", "one_shot", "system", "rides_limit")
    more = (
        "failed",
        "logprobs",
        "many",
        "fixed",
        "released",
        "requeried",
        "tools",
        "elicitation",
        "grading",
        "probing",
        "code",
    )
    return {
        "events": np.ones(len(events), np.int64),
        "texts": events["has_text"].astype(np.int64),
        "follow_ups": events["follow_up"].astype(np.int64),
        "log_chars": log_chars,
        "log_chars_squared": log_chars * log_chars,
        "log_output": log_output,
        "log_output_squared": log_output * log_output,
        **{name: events[name].astype(np.int64) for name in plain + more},
    }


def _gaps(rows: Rows, events: Events, local: Indices) -> dict[str, NDArray[np.int64]]:
    """Time since the account's previous event; events are in time order within an account."""
    before = np.concatenate(([0], events["ts"][:-1]))
    before[local] = rows["last_ts"]
    known = np.ones(len(events), bool)
    known[local] = rows["last_ts"] > 0
    gap_ms = np.where(known, np.maximum(events["ts"] - before, 0), 0)
    session = known & (gap_ms >= SESSION_GAP_SECONDS * 1000)
    inside = known & ~session
    seconds = np.where(inside, gap_ms, 0) * FIXED // 1000
    logs = np.where(inside, _fixed_log2(np.where(inside, gap_ms, 0)), 0)
    return {
        "gaps": inside.astype(np.int64),
        "gap_seconds": seconds,
        "gap_seconds_squared": seconds * seconds,
        "log_gaps": logs,
        "log_gaps_squared": logs * logs,
        "sessions": session.astype(np.int64),
    }


def _fixed_log2(values: NDArray[np.integer]) -> NDArray[np.int64]:
    """Base-2 logarithm of 1 + value, in 1/1024ths."""
    return np.asarray((np.log2(1.0 + np.maximum(values, 0).astype(np.float64)) * FIXED).astype(np.int64))


def _add_histograms(rows: Rows, events: Events, owner: Indices, local: Indices) -> None:
    hour = (events["ts"] // MS_PER_HOUR % 24).astype(np.intp)
    np.add.at(rows["hours"], (owner, hour), np.float32(1))
    text = np.flatnonzero(events["has_text"])
    if not len(text):
        return
    bucket = (distinct.mix(events["template"][text]) % np.uint64(TEMPLATE_BUCKETS)).astype(np.intp)
    np.add.at(rows["templates"], (owner[text], bucket), np.float32(1))
    _add_content_mean(rows, events, local)
    rows["embedding"] += np.add.reduceat(events["embedding"].astype(np.int64), local, axis=0)


def _add_content_mean(rows: Rows, events: Events, local: Indices) -> None:
    marks = events["has_text"] != 0
    sums = np.add.reduceat(content.transform(events["embedding"]) * marks[:, None], local, axis=0)
    count = _totals(marks, local)
    texts: NDArray[np.float64] = rows["sums"][:, SUM_INDEX["texts"]]
    before = np.subtract(texts, count, dtype=np.float64)  # these were added a moment ago
    rows["content_mean"] = content.updated(rows["content_mean"], sums, count, before)


def _add_distinct(rows: Rows, events: Events, owner: Indices) -> None:
    registers = rows["registers"]
    text = np.flatnonzero(events["has_text"])
    if len(text):
        distinct.observe(registers[:, DISTINCT.index("texts")], owner[text], events["text_hash"][text])
        distinct.observe(registers[:, DISTINCT.index("templates")], owner[text], events["template"][text])
        cell_event, position = np.nonzero(events["cells"] >= 0)
        cells = events["cells"][cell_event, position].astype(np.int64)
        distinct.observe(registers[:, DISTINCT.index("cells")], owner[cell_event], cells)
    talks = np.flatnonzero(events["conversation"])
    conversations = registers[:, DISTINCT.index("conversations")]
    distinct.observe(conversations, owner[talks], events["conversation"][talks])


def _add_harvest(rows: Rows, local: Indices, seen: Observed, block: NDArray[np.int64]) -> None:
    found = _totals(seen.strict, local)
    rows["harvest"] += found
    rows["informal_harvest"] += _totals(seen.loose, local)
    rows["harvest_blocks"] += (found > 0) & (rows["harvest_block"] != block)
    rows["harvest_block"] = np.where(found > 0, block, rows["harvest_block"])
    rows["blocks"] += rows["block"] != block
    rows["block"] = block


def _add_content(rows: Rows, events: Events, local: Indices, seen: Observed) -> None:
    """What the account asks about when it asks once: counts, and sums of embeddings."""
    rows["repeats"] += _totals(seen.repeated, local)
    rows["shared"] += _totals(events["shared"] != 0, local)
    rows["one_shots"] += _totals(seen.one_shot, local)
    rows["wrapped"] += _totals(seen.wrapped, local)
    embeddings = events["embedding"].astype(np.int64)
    for name, chosen in (
        ("one_shot_content", seen.one_shot),
        ("wrapped_content", seen.wrapped),
        ("harvest_content", seen.strict),
    ):
        if chosen.any():
            sums = np.add.reduceat(embeddings * chosen[:, None], local, axis=0)
            _add_to_content(rows[name], sums, _totals(chosen, local))


def _add_to_content(content: Rows, sums: NDArray[np.int64], counts: NDArray[np.int64]) -> None:
    """Add to sums, which are halved until they fit: the mean stays, the past counts less."""
    total, count = content["sum"] + sums, content["count"] + counts
    while len(full := np.flatnonzero(count > FULL_CONTENT)):
        total[full], count[full] = total[full] // 2, count[full] // 2
    content["sum"], content["count"] = total, count


def _totals(marks: Mask, local: Indices) -> NDArray[np.int64]:
    """Marked events of each account."""
    return np.asarray(np.add.reduceat(marks.astype(np.int64), local))
