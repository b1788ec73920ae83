"""Restarts of the harvest test: an innocent past must not buy time.

A test that counts a whole life is slow to see a change: after a thousand innocent requests it takes hundreds of harvest
requests to turn it. An e-detector (Shin, Ramdas and Rinaldo, "E-detectors: a nonparametric framework for sequential
change detection", 2023) starts a fresh e-process again and again and alarms when any of them does. Here one starts with
an account's first event, and one with every epoch of event time (`evidence_restart_seconds`), as soon as the account
sends something in it; besides the first one the two latest are kept. An account row holds what had been counted when
they started, so that each of them is a difference of counts.

The bound: each e-process ever exceeds b nats with probability at most exp(-b), and a life of T days has at most
1 + T / epoch of them besides the first. So with epochs of two days an innocent account alarms at most 2 + T / 2 times
exp(-b) in T days: no more than the budget promises, exp(-b) a day, from the fourth day on. Besides, a restarted test
counts only once it has lasted by itself, which takes eight hours with harvest events.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from stillwatch_schemas.compiled import Record, part

from stillwatch_models.accounts import START, Rows

Counts = NDArray[np.int64]
MOST = 2**31 - 1
"""What a start can hold."""


@part
def begin(row: Record, pane: int, epoch_panes: int) -> None:
    """Before a later pane is added to a row: new epochs start with what is counted."""
    elapsed = pane // epoch_panes - row.pane // epoch_panes
    if elapsed < 1:
        return
    if elapsed == 1:
        row.starts[0] = row.starts[1]
    else:
        _start(row.starts[0], row)
    _start(row.starts[1], row)


@part
def _start(start: Record, row: Record) -> None:
    start.harvest = min(row.harvest, MOST)
    start.informal_harvest = min(row.informal_harvest, MOST)
    start.answers = min(row.answers, MOST)
    start.harvest_blocks = min(row.harvest_blocks, MOST)


def take_back(row: Rows | np.void, sent_pane: int, strict: int, loose: int, epoch_panes: int) -> None:
    """A harvest event of an earlier pane is not counted any more: not before the starts that came after it either."""
    latest = int(row["pane"]) // epoch_panes * epoch_panes
    for at, start_pane in enumerate((latest - epoch_panes, latest)):
        if sent_pane < start_pane:
            row["starts"]["harvest"][at] -= strict
            row["starts"]["informal_harvest"][at] -= loose


def windows(rows: Rows) -> Iterator[dict[str, Counts]]:
    """What was counted since each restart, by the names of the row's own counts."""
    for at in range(rows["starts"].shape[1]):
        start = rows["starts"][:, at]
        yield {name: np.maximum(rows[name].astype(np.int64) - start[name], 0) for name in START.names or ()}
