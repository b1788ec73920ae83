"""One cell: the events of one account in one pane, added to the account's row. All of it is compiled.

Numbers are added as exact integers and only then put into the row's floats, so the order of events does not matter but
where it means something: a gap is the time since the event before.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from stillwatch_schemas.compiled import Number, Record, compiled, part

from stillwatch_models import content, distinct, harvest, restarts
from stillwatch_models.accounts import (
    CONTENT_FEATURES,
    DISTINCT,
    HOURS,
    SEEN_BYTES,
    SUM_INDEX,
    SUMS,
    TEMPLATE_BUCKETS,
    Rows,
)
from stillwatch_models.columns import EMBEDDING, Events
from stillwatch_models.harvest import HISTOGRAMS

MS_PER_HOUR = 3_600_000
FIXED = 1024
"""Fixed point of logarithms: sums of integers are exact, sums of floats are not."""
SESSION_GAP_MS = 1_800_000
"""A longer silence starts a new session (web analytics' usual half hour); its gap says nothing about rhythm."""

TEXTS_SUM = SUM_INDEX["texts"]
TOTALS = np.dtype([(name, "i8") for name in SUMS])
TEXTS, TEMPLATES, CELLS, CONVERSATIONS = (
    DISTINCT.index(name) for name in ("texts", "templates", "cells", "conversations")
)


class Horizons(NamedTuple):
    """Lengths of time, in panes."""

    fast: float
    """Half-life of the recent past."""
    slow: float
    """Half-life of habits."""
    block: int
    """Block of event time in which something happens or not."""
    restart: int
    """Epoch of event time at which the harvest test starts again."""


class Cut(NamedTuple):
    """Where the cells lie in the events, and what each of them begins with."""

    pane: NDArray[np.int64]
    start: NDArray[np.intp]
    """First event of each cell."""
    end: NDArray[np.intp]
    before: NDArray[np.intp]
    """The same account's cell before; -1 where the row itself already says what was before."""
    fast: NDArray[np.float64]
    """What is left of the recent past since then, as a factor."""
    slow: NDArray[np.float64]


class Scratch(NamedTuple):
    """Room to count in."""

    totals: NDArray[np.int64]
    named: NDArray[np.void]
    """The same, by name."""
    embedding: NDArray[np.int64]
    content: NDArray[np.int64]
    """Two rows: features of a prompt, and their sums."""
    bits: NDArray[np.uint8]
    buckets: NDArray[np.int64]


def scratch() -> Scratch:
    """Room for any number of cells, one after the other."""
    totals = np.zeros(len(SUMS), np.int64)
    return Scratch(
        totals=totals,
        named=totals.view(TOTALS),
        embedding=np.zeros(EMBEDDING, np.int64),
        content=np.zeros((2, CONTENT_FEATURES), np.int64),
        bits=np.zeros(SEEN_BYTES, np.uint8),
        buckets=np.zeros((HISTOGRAMS, TEMPLATE_BUCKETS), np.int64),
    )


@compiled
def fold_cells(  # noqa: PLR0917 - in compiled code arguments have positions only
    rows: Rows,
    events: Events,
    cut: Cut,
    first: int,
    end: int,
    horizons: Horizons,
    marks: NDArray[np.uint8],
    room: Scratch,
) -> None:
    """Fold the cells from `first` to `end`, in order, into a row each; marks the events (see `harvest`)."""
    for cell in range(first, end):
        if cut.before[cell] >= 0:
            rows[cell] = rows[cut.before[cell]]
        start = cut.start[cell]
        stop = cut.end[cell]
        pane = cut.pane[cell]
        restarts.begin(rows[cell], pane, horizons.restart)
        _fade(rows[cell], pane, cut.fast[cell], cut.slow[cell])
        _fold(rows[cell], events[start:stop], marks[start:stop], horizons, room)


@part
def _fold(row: Record, events: Events, marks: NDArray[np.uint8], horizons: Horizons, room: Scratch) -> None:
    _add_sums(row, events, horizons.slow, room)
    _add_histograms(row, events, room)
    _add_distinct(row, events)
    harvest.mark(row, events, marks, room.bits)
    harvest.remember(row, events, room.buckets)
    harvest.count(row, events, marks, row.pane // horizons.block)
    harvest.add_contents(row, events, marks, room.embedding)
    _note_latest(row, events)


@part
def _fade(row: Record, pane: int, fast: float, slow: float) -> None:
    if row.events == 0:
        row.first_pane = pane
    row.pane = pane
    row.fast_events *= fast
    for i in range(len(row.sums)):
        row.sums[i] *= slow
    short = np.float32(slow)
    for i in range(EMBEDDING):
        row.embedding[i] *= short
    for i in range(TEMPLATE_BUCKETS):
        row.templates[i] *= short
    for i in range(HOURS):
        row.hours[i] *= short


@part
def _add_sums(row: Record, events: Events, slow_panes: float, room: Scratch) -> None:
    room.totals[:] = 0
    totals = room.named[0]
    _total(totals, events)
    _total_gaps(totals, events, row.last_ts)
    for i in range(len(row.sums)):
        row.sums[i] += room.totals[i]
    count = len(events)
    row.fast_events += count
    if row.pane - row.first_pane < slow_panes:
        row.early_events += count
    row.events += count
    row.answers += count - totals.failed
    row.output_tokens += totals.output_tokens


@part
def _total(totals: Record, events: Events) -> None:
    totals.events = len(events)
    for event in events:
        totals.input_tokens += event.input_tokens
        totals.output_tokens += event.output_tokens
        totals.reasoning_tokens += event.reasoning_tokens
        log_chars, log_output = _fixed_log2(event.chars), _fixed_log2(event.output_tokens)
        totals.log_chars += log_chars
        totals.log_chars_squared += log_chars * log_chars
        totals.log_output += log_output
        totals.log_output_squared += log_output * log_output
        totals.texts += event.has_text
        totals.one_shot += event.one_shot
        totals.follow_ups += event.follow_up
        totals.system += event.system
        totals.rides_limit += event.rides_limit
        totals.failed += event.failed
        totals.logprobs += event.logprobs
        totals.many += event.many
        totals.fixed += event.fixed
        totals.released += event.released
        totals.requeried += event.requeried
        totals.tools += event.tools
        totals.elicitation += event.elicitation
        totals.grading += event.grading
        totals.probing += event.probing
        totals.code += event.code


@part
def _total_gaps(totals: Record, events: Events, before: int) -> None:
    """Time since the account's previous event, the first of which was at `before`; 0 for none."""
    for event in events:
        if before > 0:
            gap_ms = max(event.ts - before, 0)
            if gap_ms >= SESSION_GAP_MS:
                totals.sessions += 1
            else:
                seconds, log_gap = gap_ms * FIXED // 1000, _fixed_log2(gap_ms)
                totals.gaps += 1
                totals.gap_seconds += seconds
                totals.gap_seconds_squared += seconds * seconds
                totals.log_gaps += log_gap
                totals.log_gaps_squared += log_gap * log_gap
        before = event.ts


@part
def _fixed_log2(value: Number) -> Number:
    """Base-2 logarithm of 1 + value, in 1/1024ths."""
    return np.int64(math.log2(1.0 + max(value, 0)) * FIXED)


@part
def _add_histograms(row: Record, events: Events, room: Scratch) -> None:
    room.embedding[:] = 0
    room.content[:] = 0
    texts = 0
    for event in events:
        row.hours[event.ts // MS_PER_HOUR % HOURS] += np.float32(1)
        for i in range(EMBEDDING):
            room.embedding[i] += event.embedding[i]
        if event.has_text:
            texts += 1
            row.templates[distinct.mixed(event.template) % np.uint64(TEMPLATE_BUCKETS)] += np.float32(1)
            content.transform(event.embedding, room.content[0])
            for i in range(CONTENT_FEATURES):
                room.content[1, i] += room.content[0, i]
    if texts:
        before = row.sums[TEXTS_SUM] - texts  # these were added a moment ago
        content.update(row.content_mean, room.content[1], texts, before)
        for i in range(EMBEDDING):
            row.embedding[i] = np.float32(np.float64(row.embedding[i]) + room.embedding[i])


@part
def _add_distinct(row: Record, events: Events) -> None:
    for event in events:
        if event.has_text:
            distinct.add(row.registers[TEXTS], event.text_hash)
            distinct.add(row.registers[TEMPLATES], event.template)
            for i in range(len(event.cells)):
                if event.cells[i] >= 0:
                    distinct.add(row.registers[CELLS], np.int64(event.cells[i]))
        if event.conversation:
            distinct.add(row.registers[CONVERSATIONS], event.conversation)


@part
def _note_latest(row: Record, events: Events) -> None:
    """First and last times; of identifiers the greatest in the pane, as `contributions` has it, if there is one."""
    first, last = events[0].ts, row.last_ts
    asn = np.int64(0)
    org = payment = client = net = system_template = np.uint32(0)
    for event in events:
        first, last = min(first, event.ts), max(last, event.ts)
        asn = max(asn, event.asn)
        org, payment = max(org, event.org), max(payment, event.payment)
        client, net = max(client, event.client), max(net, event.net)
        system_template = max(system_template, event.system_template)
    row.first_ms = row.first_ms or first
    row.last_ts = last
    row.asn = asn or row.asn
    row.org, row.payment = org or row.org, payment or row.payment
    row.client, row.net = client or row.client, net or row.net
    row.system_template = system_template or row.system_template
