"""Bounded memory: which accounts are forgotten, and when.

Idle accounts go when a new epoch begins. When more accounts than allowed are known at a pane's end, the ones with the
fewest events go, the newest first: a flood of made-up account names forgets itself before it pushes out anybody who
matters.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stillwatch_models.accounts import AccountTable
from stillwatch_models.columns import Events
from stillwatch_models.config import EngineConfig

Slots = NDArray[np.intp]


class Capacity:
    """The bounds of one shard."""

    def __init__(self, config: EngineConfig) -> None:
        self.max_entities = config.max_entities
        self._idle_panes = round(config.idle_evict_seconds / config.pane_seconds)

    def cut(self, table: AccountTable, events: Events, start: int, end: int) -> int:
        """End of the segment: the first pane's end at which too many accounts would be known, if there is one."""
        rows, panes = events["row"][start:end], events["pane"][start:end]
        if table.live + len(rows) <= self.max_entities:
            return end
        _, first = np.unique(rows, return_index=True)
        new = first[table.rows["events"][rows[first]] == 0]
        over = np.sort(new)[max(0, self.max_entities - table.live) :]
        if not len(over):
            return end
        return start + int(np.searchsorted(panes, panes[over[0]], side="right"))

    def flood(self, table: AccountTable) -> Slots:
        """Accounts beyond the allowed number: fewest events first, newest first, then by key."""
        surplus = table.live - self.max_entities
        if surplus <= 0:
            return np.zeros(0, np.intp)
        used = table.used()
        rows = table.rows[used]
        order = np.lexsort((rows["key"], -rows["first_pane"], rows["events"]))
        return used[order[:surplus]]

    def idle(self, table: AccountTable, pane: int) -> Slots:
        """Accounts not seen for so long that their past has faded."""
        used = table.used()
        return used[table.rows["pane"][used] < pane - self._idle_panes]
