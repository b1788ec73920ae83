"""Event-time panes and the watermark of one source partition.

Event time is cut into panes of equal length. The watermark is the greatest event time seen less the allowed lateness; a
pane is closed once the watermark has passed its end. An event for a closed pane is folded into the oldest open one and
counted as late, so nothing is lost and nothing that was scored changes afterwards.

Which pane an event belongs to depends on what came before it in its partition and on nothing else, neither on the size
of the batches nor on the clock: that is what makes replay equal to live.
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

Int64s = NDArray[np.int64]

UNSEEN = -(2**62)
"""Event time before the first event."""


class Assignment(msgspec.Struct, frozen=True):
    """Where the events of a batch belong."""

    pane: Int64s
    """Pane of each event."""
    max_before: Int64s
    """Greatest event time of the partition before each event: the clock's state to resume from at that event."""
    max_after: Int64s
    """The same, the event included."""
    late: NDArray[np.bool_]


class PaneClock:
    """The watermark of one partition.

    `max_ts` is the greatest event time seen (ms); panes below `closed_before` are closed.
    """

    def __init__(self, pane_ms: int, lateness_ms: int) -> None:
        self.pane_ms = pane_ms
        self.lateness_ms = lateness_ms
        self.max_ts = UNSEEN
        self.closed_before = UNSEEN

    def assign(self, ts: Int64s) -> Assignment:
        """Give each event its pane and move the clock. `ts` in ms, in partition order; does not close anything."""
        running = np.maximum.accumulate(np.concatenate(([self.max_ts], ts)))
        before = running[:-1]
        own = ts // self.pane_ms
        oldest_open = (before - self.lateness_ms) // self.pane_ms
        self.max_ts = int(running[-1])
        return Assignment(
            pane=np.maximum(own, oldest_open), max_before=before, max_after=running[1:], late=own < oldest_open
        )

    def close(self) -> int:
        """Close what the watermark has passed; returns the new `closed_before`."""
        if self.max_ts != UNSEEN:
            self.closed_before = max(self.closed_before, (self.max_ts - self.lateness_ms) // self.pane_ms)
        return self.closed_before

    def close_all(self) -> int:
        """Close every pane that has begun: the end of a finite input."""
        if self.max_ts != UNSEEN:
            self.closed_before = max(self.closed_before, self.max_ts // self.pane_ms + 1)
        return self.closed_before
